// Package manifest keeps the list of files that make up the database: which segment
// files, packs and delete files are live, which removals are still owed, how far the log
// has been flushed, how much of the catalog counts, and below which times a retention
// rule has done away with everything.
//
// MANIFEST is an append-only text file of JSON lines. Each line is one edit, whole or
// not at all after a crash, and the lines add up to a State. It is not a log of points
// and knows nothing of what segments hold: it never opens the files that it names, and
// whether a damaged last line is the trace of a crash or of a rotting disk is decided by
// the engine, which can look at the write-ahead log (see Tail).
//
// The format is drawn in format.go. Version 0 wrote plain entries, one file a line,
// without checksums; they are read, never written.
//
// Invariants, each broken once in a test:
//
//	M1  Each line carries the CRC of its own bytes and the CRC of the line before, and
//	    edit numbers rise by one: a lost, swapped or repeated line shows. Only the first
//	    line has no line before it.
//	M2  A path is live at most once.
//	M3  A path is never live and owed a removal at once: no path is used a second time,
//	    and a removal names a live path. (The first line of a rewritten file carries the
//	    removals still owed, whose entries are gone.)
//	M4  flushed_lsn, next_ms, the catalog's mark and the horizon of a namespace, its own
//	    or, as long as it has none, that of all, never go back; last_lsn is not below
//	    flushed_lsn, and the LSN of a delete file not above it.
//	M5  An entry is possible: at least one point for each series, in ascending times
//	    within its hour or day, in a path below segments/, added by this edit or an
//	    earlier one; a day holds packs alone. The same goes for a delete file.
//	M6  State moves only when the line that moves it is on disk. A line that could not
//	    be written is cut off again; where that fails, the log refuses everything.
//	M7  A rewritten file adds up to the same state.
//
// A Log has one owner and is not safe for concurrent use. Called by the engine; segment
// uses the Entry type alone.
package manifest
