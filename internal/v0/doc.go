// Package v0 reads the directories that version 0 wrote: its MANIFEST of plain lines,
// its segment files, its log of single points and its tags.json.
//
// It is there for the import alone. It writes nothing, takes no lock, and gives the
// points as they were written, one by one and in the order of their writing, so that
// of two with equal series and time the later one counts. Times are in the unit of the
// directory, as a rule seconds: what they are is for the caller to know.
//
// What is read is judged more mildly than a database of ours, whose checksums cover
// all: version 0 summed only its log. Bytes that cannot be what it wrote are a
// *base.CorruptionError, but for the end of the newest log file, where a crash leaves
// an unfinished record, and which is reported as such (see Stats).
//
// A Dir may be used by one goroutine at a time. Called by the root package only. The
// layouts are drawn where their readers are: packages manifest, segment and wal.
package v0
