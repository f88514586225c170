package sydradb

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/sydradb/sydradb/internal/engine"
	"github.com/sydradb/sydradb/internal/fsys"
	"github.com/sydradb/sydradb/internal/retention"
)

// DB is an open database. All methods are safe for concurrent use.
type DB struct {
	e  *engine.Engine
	fs fsys.FS
}

// Open opens the database in dir, and creates it if dir is missing or empty. A nil
// opts means all defaults.
//
// Open replays the write-ahead log, so it takes time in proportion to what was
// written since the last flush. After a crash it cuts off the torn end of the log,
// which holds nothing that was acknowledged and promised, and keeps what it cut in a
// file beside it. It fails with [ErrLocked], [ErrNotDatabase], [ErrFormat], a
// [*CorruptionError], or an error of the file system, and then leaves the directory
// as it found it.
//
// With [Options.ReadOnly] it shows the database as it stood at one moment during Open,
// with every batch and deletion that was acknowledged before, whatever another process
// writes afterwards; to see more, open it again. All files of that moment stay open until
// Close. Methods that would write return [ErrReadOnly], [DB.Series] too for a series that
// is not known. Errors are the same, but never [ErrLocked]; also [ErrBusy], and one that
// says so if the database has more files than the process may have open.
func Open(dir string, opts *Options) (*DB, error) {
	var o Options
	if opts != nil {
		o = *opts
	}
	if err := o.Validate(); err != nil {
		return nil, fmt.Errorf("sydradb: %w", err)
	}
	fs, err := openFS(dir, &o)
	if err != nil {
		return nil, fmt.Errorf("sydradb: open %s: %w", dir, err)
	}
	open := engine.Open
	if o.ReadOnly {
		open = engine.OpenReadOnly
	}
	e, err := open(fs, engine.Options{
		Sync:          engine.SyncPolicy(o.Sync),
		SyncInterval:  o.SyncInterval,
		MemtableBytes: o.MemtableBytes,
		FlushInterval: o.FlushInterval,
		CacheBytes:    o.CacheBytes,
		Logger:        o.Logger,

		MaxSegmentFiles: o.MaxSegmentFiles,
		SegmentCodec1:   o.SegmentCodec1,
		MergeOff:        o.MergeOff,
		Retention:       retention.Rules{Default: o.Retention, Classes: o.NamespaceRetention},
		MaxDiskBytes:    o.MaxDiskBytes,
		ReserveBytes:    o.ReserveBytes,
		MaxSeries:       o.MaxSeries,
		OnRecovery:      o.OnRecovery,
	})
	if err != nil {
		return nil, fmt.Errorf("sydradb: open %s: %w", dir, errors.Join(noSpace(err), closeFS(fs)))
	}
	return &DB{e: e, fs: fs}, nil
}

func openFS(dir string, o *Options) (fsys.FS, error) {
	if o.InMemory {
		o.ReserveBytes = 0 // there is no disk to become full
		return fsys.NewMem(), nil
	}
	if !o.ReadOnly {
		if err := fsys.MkdirRoot(dir); err != nil {
			return nil, err
		}
	}
	return fsys.OS(dir)
}

// closeFS releases the directory handle of a file system that has one.
func closeFS(fs fsys.FS) error {
	if c, ok := fs.(io.Closer); ok {
		return c.Close()
	}
	return nil
}

// Close finishes what waits, makes everything durable, whatever the policy, and
// releases the directory. If the log holds more than 1 MiB, the points in memory are
// flushed first, so that the next Open has little to replay. Later calls of Close return
// the same, those of all other methods but Stats [ErrClosed]; an iterator that is still open fails at
// the next file it needs. An error means that the last batches may not have reached the
// disk.
func (db *DB) Close() error {
	err := db.e.Close()
	return errors.Join(err, closeFS(db.fs))
}

// Flush writes all points held in memory to segment files and waits for it. It is
// never needed for durability or for reading. Ending ctx ends only the wait.
func (db *DB) Flush(ctx context.Context) error { return db.e.Flush(ctx) }
