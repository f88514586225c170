// Package memtable keeps the points that are not yet in a segment file. They can
// be read at once, by any number of goroutines, while the one writer goes on.
//
// It is not durable (the write-ahead log is), knows no series names, ids or
// files, and decides neither when it is full nor when it is flushed.
//
// Each series is a chain of chunks of 16-byte cells in arrival order; chunk.go
// draws it. Nothing in a slab or a page is a pointer, so the garbage collector
// never looks inside, and a million series cost it no more than a few thousand
// pointers to slabs and pages.
//
// Invariants:
//
//	M1  A cell that was written never changes until its Table is released. A
//	    Position therefore stands for the same points for ever.
//	M2  A series that is not late holds strictly ascending timestamps: they are
//	    read back by copying alone.
//	M3  Of several points with one timestamp the one that arrived last is read.
//	    Nothing is replaced in place: overwrites are cells like others, mark the
//	    series as late, and are resolved by each read.
//	M4  A chunk lies within one slab and starts at a multiple of 64 bytes.
//	M5  Deleted points are in no Position taken afterwards. Their series stays named
//	    until the table is released: the log still names it.
//
// Concurrency: Apply, Delete and Release need exclusive access. Every other method of a
// Table needs it to be shared with readers only: the caller guards both with one
// RWMutex, or knows that no writer is left. What Snapshot and Position return
// under the read side is used after it is given back, without locks and without
// data races, while Apply and Delete go on, until the Table is released.
//
// The engine is the only caller.
package memtable
