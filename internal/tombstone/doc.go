// Package tombstone knows what deletions hide, and keeps it in files.
//
// A tombstone is one Delete of the log: series, by id, and a range of time. It hides
// the points that were written before it, that is, those of sources (files, frozen
// memtables) whose place in write order is lower; points of the same times that were
// written later are seen. Each stands in a file of its own from the flush on that
// follows it. A List holds those of one moment, and tells what of a source is hidden.
//
// The package does not know series, files of points or the MANIFEST. When a tombstone
// is made, applied for good or dropped is for the engine to say.
//
// Invariants:
//
//	T1  A Tombstone in a List and a List never change.
//	T2  No two tombstones of a List have one LSN.
//	T3  What a file holds has the BLAKE3 that Write returned, or Load refuses it.
//
// All of it is safe for concurrent use. The engine is the only caller. Bad bytes are
// reported as *base.CorruptionError; the layout is drawn in format.go and pinned by
// testdata/delete.golden.
package tombstone
