// Package sydradb is a time-series database that lives inside your program and
// keeps its data in one directory.
//
// A point is a time, in Unix nanoseconds, and a float64. A series is a name plus
// tags, such as room.temp{floor="2",room="kitchen"}, and holds points at unique
// times. Open a database, resolve each series once, and write batches:
//
//	db, err := sydradb.Open("./data", nil)
//	if err != nil {
//		return err
//	}
//	defer db.Close()
//
//	kitchen, err := db.Series("room.temp", sydradb.Tag{Key: "room", Value: "kitchen"})
//	if err != nil {
//		return err
//	}
//	batch := db.NewBatch()
//	batch.Add(kitchen, time.Now().UnixNano(), 21.5)
//	err = db.Write(ctx, batch)
//
// and read them back as columns, one series after the other:
//
//	sel, err := sydradb.ParseSelector(`room.temp{floor="2"}`)
//	it, err := db.Query(ctx, sydradb.Query{Selector: sel, Start: from, End: to})
//	defer it.Close()
//	for it.Next() {
//		block := it.Block()
//		fmt.Println(block.Series, len(block.Times))
//	}
//	err = it.Err()
//
// or let the engine compute values for windows of time, of each series or of groups, from
// statistics where these will do: [DB.Aggregate].
//
// # Batches
//
// A batch is one unit: after [DB.Write] returns nil all of its points are readable,
// and after a crash either all of them are there or none is. Points may come in any
// order, late, or for a time that the series has already: the last one written is
// the one that reads return, before and after a restart. Values come back bit by
// bit, NaN payloads and -0 included.
//
// # Durability
//
// What Write promises on return depends on [Options.Sync]. Under each policy the
// batch is in the write-ahead log, so the end of the process (kill -9) loses
// nothing. With [SyncAlways] it has reached the disk too, so a power cut loses
// nothing. With [SyncInterval], the default, a power cut may take the batches of the
// last interval; with [SyncNone] those that the system had not written yet.
//
// After a failed sync of the log nothing more is accepted ([ErrStorageFailed]) until
// the database is opened again: what the disk holds is then not known, and carrying
// on would turn a fault into a loss. Reads go on.
//
// # Concurrency
//
// A directory belongs to one process at a time; a second Open fails with
// [ErrLocked], unless it is for reading only: see [Options.ReadOnly]. Within the process
// a [DB] and a [Series] may be used by any number of goroutines. A [Batch], an [Iterator]
// and [Results] belong to one goroutine at a time. A query reads the database as it was when Query was called; writers never wait for it to
// be consumed.
//
// # Errors
//
// Damaged bytes are reported as a [*CorruptionError] that names file and offset and
// matches [ErrCorrupt]; nothing damaged is ever returned as data or deleted. All
// other conditions that a program may want to tell apart are the Err variables of
// this package.
package sydradb
