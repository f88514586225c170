// Package engine composes the storage packages into a database: it decides in what
// order things reach the disk, what readers see, and what is kept after a crash. It
// is the only package that knows more than one of log, memtable, segments, MANIFEST,
// catalog and tag index. The root package is its only user.
//
// # Parts
//
//	create.go    a new directory; is this one of ours?
//	open.go      recovery; clean.go clears away what interrupted work has left
//	engine.go    the methods that callers use
//	queue.go     where writers wait for the writer loop
//	writer.go    the writer loop: group commit, failures, the end
//	upkeep.go    what the loop does besides: syncs, marks, when to flush
//	flush.go     from a frozen memtable to segment files and a MANIFEST edit
//	state.go     what readers see: memtables and files, guarded by one RWMutex
//	files.go     sets of segment files, by flush and by series
//	registry.go  catalog and tag index: which series there are
//	snapshot.go  some series at one moment
//	query.go     the iterator over a snapshot; parallel.go with several readers
//	reader.go    the points of one series, merged from memory and files
//	cache.go     verified file contents, bounded in bytes
//	check*.go    verification of a whole directory
//
// # Goroutines
//
// The writer loop owns the log. At most one flusher runs, started by the loop; it
// owns the catalog file and the MANIFEST while it runs. Callers encode their batches
// in their own goroutines and read without the loop's help.
//
// # Invariants
//
//	E1  A batch is acknowledged after its record was written and, under SyncAlways,
//	    synced, and after it was applied to the memtable.
//	E2  A batch is applied under the write lock as a whole; a snapshot is taken under
//	    the read lock. So a snapshot holds each batch whole or not at all.
//	E3  A segment file, its directory entry and the catalog bytes it needs are synced
//	    before the MANIFEST edit that names it, and that edit is synced before the log
//	    files that it makes superfluous are removed.
//	E4  Of two points with equal series and time the one written later is read: active
//	    memtable before frozen one before files by falling seq.
//	E5  After a failed sync nothing is acknowledged any more.
//	E6  Nothing is deleted on doubt: what no rule explains goes to quarantine/, or is
//	    left alone.
//	E7  An opening changes nothing before it has judged FORMAT, MANIFEST, catalog and
//	    log; one that is refused leaves the directory as it was.
package engine
