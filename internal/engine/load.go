package engine

import (
	"errors"
	"fmt"
	iofs "io/fs"
	"maps"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/fsys"
	"github.com/sydradb/sydradb/internal/manifest"
	"github.com/sydradb/sydradb/internal/memtable"
	"github.com/sydradb/sydradb/internal/tombstone"
	"github.com/sydradb/sydradb/internal/wal"
)

// loader makes of the files of a directory what readers see. Recovery does so before it
// goes on to writing, an opening for reading only has nothing else to do. It changes no
// file.
type loader struct {
	fs   fsys.FS
	opts Options
	reg  *registry

	damaged *damagedFiles

	uuid    [16]byte
	read    manifest.State // of the lines of MANIFEST that count, until secure
	state   *state
	durable base.LSN // the last record that another one calls durable
	decoder wal.BatchDecoder
}

func newLoader(fs fsys.FS, opts Options) loader {
	return loader{fs: fs, opts: opts, reg: newRegistry(opts), damaged: newDamagedFiles(opts.Logger)}
}

// isTorn reports whether a last line of MANIFEST that is not whole is torn: whether the
// log holds all records that the state before it does not have in files, and every file
// of that state exists.
func isTorn(fs fsys.FS, uuid [16]byte, s *manifest.State) (bool, error) {
	present, err := wal.Present(fs, uuid, s.FlushedLSN+1)
	if err != nil || !present {
		return false, err
	}
	for i := range s.Live {
		if found, err := fsys.Exists(fs, s.Live[i].Path); err != nil || !found {
			return false, err
		}
	}
	for i := range s.Deletes {
		if found, err := fsys.Exists(fs, s.Deletes[i].Path); err != nil || !found {
			return false, err
		}
	}
	return true, nil
}

// loadDeletes reads the deletions that MANIFEST names. Without one of them points would
// come back, so each must be there.
func (l *loader) loadDeletes() error {
	l.state = newState(memtable.NewSlabs(2*l.opts.MemtableBytes), l.reg, newFileSet(l.read.Live))
	l.state.setHorizonsLocked(maps.Clone(l.read.Horizon))
	for i := range l.read.Deletes {
		d := &l.read.Deletes[i]
		t, err := tombstone.Load(l.fs, tombstone.File{Path: d.Path, Bytes: d.Bytes, BLAKE3: d.BLAKE3})
		if errors.Is(err, iofs.ErrNotExist) {
			err = &base.CorruptionError{File: d.Path, Offset: base.WholeFile, Err: errors.New("missing")}
		}
		if err == nil && t.LSN != d.LSN {
			err = &base.CorruptionError{File: d.Path, Offset: base.WholeFile, Err: fmt.Errorf("it is of record %d, MANIFEST says of %d", t.LSN, d.LSN)}
		}
		if err != nil {
			return err
		}
		l.state.mu.tombstones = l.state.mu.tombstones.With(t)
	}
	return nil
}

// apply replays one record.
func (l *loader) apply(rec wal.Record) error {
	l.durable = max(l.durable, rec.Durable)
	switch rec.Type {
	case wal.TypeHeader, wal.TypeMark:
		return nil
	case wal.TypeDelete:
		return l.applyDelete(rec)
	case wal.TypeBatch:
	default:
		return fmt.Errorf("%w: %s has a record of type %d at offset %d", ErrFormat, rec.File, rec.Type, rec.Offset)
	}
	if err := l.decoder.Decode(rec.Body, l.reg.replayed, l.applyRows); err != nil {
		return rec.Corrupt(err)
	}
	return nil
}

// applyDelete replays a deletion.
func (l *loader) applyDelete(rec wal.Record) error {
	start, end, ids, err := wal.DecodeDelete(rec.Body)
	if err != nil {
		return rec.Corrupt(err)
	}
	l.state.deleteLocked(&tombstone.Tombstone{LSN: rec.LSN, Start: start, End: end, IDs: ids})
	return nil
}

func (l *loader) applyRows(rows []base.Row) error {
	start, end := base.MaxTime, base.MinTime
	for i := range rows {
		start, end = min(start, rows[i].TS), max(end, rows[i].TS)
	}
	if start < base.MinTime || end > base.MaxTime {
		return errTimeRange
	}
	if o, found := l.reg.now().catalog.FirstUnknown(rows); found {
		return fmt.Errorf("a point of series %d, which nothing has introduced", o)
	}
	l.state.mu.active.apply(rows, start, end)
	return nil
}
