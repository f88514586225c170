// Package wal is the write-ahead log: what was written is in it before it is
// acknowledged, and comes back from it after a crash.
//
// A log is the file wal/current.wal and, before it, rotated files named after their
// first record. Records are numbered without gaps across files (base.LSN). The package
// appends, syncs, rotates, removes and replays; it decides what after a crash is an
// unfinished write, to be cut off, and what is damage, to be reported. It is not the
// place for policy: when to sync, rotate or remove is for the owner to say, and
// whether the points of a record make sense, too. It logs nothing.
//
// Invariants:
//
//	W1  Record n+1 stands behind record n, in the same file or at the start of the next.
//	W2  A file other than current.wal was synced before it got its name.
//	W3  The names in wal/ are durable before a file with later records exists.
//	W4  The durable number of a record was true when it was sealed: all records up to
//	    it were on disk. Bad bytes where such a record stood are never cut off.
//	W5  After a failed sync nothing is written, and no sync is tried again.
//
// A Log belongs to one goroutine, the engine's writer loop; the functions that only
// read may be used beside it, but see files that change. Bad bytes are reported as
// *base.CorruptionError. Layouts are drawn in format.go (records), batch.go and delete.go
// (the bodies of these), and pinned by annotated files in testdata.
package wal
