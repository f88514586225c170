// Package engine composes the storage packages into a database: it decides in what
// order things reach the disk, what readers see, and what is kept after a crash. It
// is the only package that knows more than one of log, memtable, segments, MANIFEST,
// catalog and tag index. The root package is its only user.
//
// # Parts
//
//	create.go       a new directory; is this one of ours?
//	open.go         recovery; clean.go clears away what interrupted work has left
//	load.go         from the files of a directory to what readers see
//	readonly.go     opening beside a writer, without a lock; hold.go and held.go its files
//	engine.go       the methods that callers use; delete.go one more of them
//	queue.go        where writers wait for the writer loop
//	writer.go       the writer loop: group commit, failures, the end
//	upkeep.go       what the loop does besides: syncs, marks, when to flush
//	flush.go        from a frozen memtable to files and a MANIFEST edit
//	ledger.go       MANIFEST and CATALOG: edits, numbers of jobs, unlinks
//	maintenance.go  the goroutine, deletions that are done, unlinks
//	compaction.go   merges; mergesource.go reads their inputs
//	expire.go       retention
//	lifecycle.go    the end of series, and the catalog without them
//	histogram.go    how long things took
//	disklimit.go    the bound on what the directory takes
//	state.go        what readers see: memtables, files, deletions, horizons
//	files.go        sets of live files, and who reads them
//	registry.go     catalog and tag index: which series there are
//	series.go       handles of series; order.go in which order results come
//	snapshot.go     some series at one moment
//	query.go        the iterator over a snapshot; parallel.go with several readers
//	selection.go    a snapshot whose series are read in any order
//	aggregate.go    the iterator over values for windows of time
//	reader.go       the points of one series, merged from memory and files
//	                (reader_packs.go: open packs; reader_aggregate.go: statistics)
//	cache.go        verified pieces of files, bounded in bytes
//	backup.go       snapshots of the whole database, and restoring them
//	check*.go       verification of a whole directory; repair*.go sets aside what is bad
//
// # Goroutines
//
// The writer loop owns the log. A caller who finds it idle may stand in for it: writer.turn
// says whose turn it is. At most one flusher runs, started by the loop, and one
// goroutine of maintenance, whose jobs come one after the other. Flusher and maintenance
// share the ledger. Callers encode their batches in their own goroutines and read
// without the loop's help.
//
// Locks are taken in this order: writer.turn, registry.renewal, ledger.mu, state.mu, and below it
// those of the registry, of the file sets and of the packages underneath.
//
// # Invariants
//
//	E1  A batch is acknowledged after its record was written and, under SyncAlways,
//	    synced, and after it was applied to the memtable.
//	E2  A record is applied under the write lock as a whole; a snapshot is taken under
//	    the read lock. So a snapshot holds each batch and each deletion whole or not at
//	    all.
//	E3  A file, its directory entry and the catalog bytes it needs are synced before the
//	    MANIFEST edit that names it, and that edit is synced before the files that it
//	    makes superfluous, segments or logs, are removed.
//	E4  Of two points with equal series and time the one written later is read: active
//	    memtable before frozen one before files by falling seq. Files of equal seq are
//	    disjoint in (series, time).
//	E5  After a failed sync nothing is acknowledged any more.
//	E6  Nothing is deleted on doubt: what no rule explains goes to quarantine/, or is
//	    left alone.
//	E7  An opening changes nothing before it has judged FORMAT, MANIFEST, catalog and
//	    log; one that is refused leaves the directory as it was.
//	E8  A deletion hides what was written before it and nothing later. It leaves traces
//	    in files only when it is in one itself, and is forgotten only when no live file
//	    holds points that it hides.
//	E9  A horizon moves forward only, and hides from readers when it is safe in MANIFEST.
//	E10 A merge changes no answer. Its inputs are unlinked when no reader has them.
//	E11 A series is declared dead only when nothing names it that an opening or a batch
//	    could still need.
//	E12 What is open for reading only takes no lock, changes no file, and shows one moment,
//	    with all that was acknowledged before the opening began.
package engine
