package engine

import (
	"errors"
	"fmt"
	iofs "io/fs"
	"maps"
	"time"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/catalog"
	"github.com/sydradb/sydradb/internal/fsys"
	"github.com/sydradb/sydradb/internal/manifest"
	"github.com/sydradb/sydradb/internal/memtable"
	"github.com/sydradb/sydradb/internal/tombstone"
	"github.com/sydradb/sydradb/internal/wal"
)

// Open opens the database at the root of fs, and creates it in an empty directory.
func Open(fs fsys.FS, opts Options) (*Engine, error) {
	opts.setDefaults()
	isNew, err := isNewDirectory(fs)
	if err != nil {
		return nil, err
	}
	lock, err := fs.Lock(base.LockFile)
	if err != nil {
		return nil, err
	}
	e, err := openLocked(fs, opts, isNew)
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	e.lock = lock
	return e, nil
}

// isNewDirectory reports whether there is no database yet and one may be made.
func isNewDirectory(fs fsys.FS) (bool, error) {
	found, err := fsys.Exists(fs, base.FormatFile)
	if err != nil || found {
		return false, err
	}
	err = checkEmpty(fs)
	if errors.Is(err, ErrNotDatabase) {
		// Or another process has made one, and used it, since we looked.
		if found, again := fsys.Exists(fs, base.FormatFile); again == nil && found {
			return false, nil
		}
	}
	return true, err
}

func openLocked(fs fsys.FS, opts Options, isNew bool) (*Engine, error) {
	if isNew {
		// Another process may have been quicker, before we had the lock.
		var err error
		if isNew, err = isNewDirectory(fs); err != nil {
			return nil, err
		}
		if isNew {
			if err := create(fs, time.Now()); err != nil {
				return nil, fmt.Errorf("create database: %w", err)
			}
		}
	}
	r := &recovery{fs: fs, opts: opts, reg: newRegistry(opts), created: isNew}
	if err := r.run(); err != nil {
		return nil, errors.Join(err, r.close())
	}
	return r.engine(), nil
}

// recovery brings a directory to the state that its last owner left. All of it is read
// and judged before anything is changed: what cannot be opened stays as it was found.
// Each step may be interrupted and done again by the next recovery.
type recovery struct {
	fs      fsys.FS
	opts    Options
	reg     *registry
	created bool // by this very opening

	uuid     [16]byte
	read     manifest.State // of the lines of MANIFEST that count, until secure
	tail     *manifest.Tail // torn; nil if all lines count
	manifest *manifest.Log  // from secure on
	catalog  *catalog.File
	log      *wal.Log
	state    *state
	decoder  wal.BatchDecoder
}

// run takes the steps in their order. What has been opened is closed by close.
func (r *recovery) run() error {
	var err error
	if r.uuid, err = readFormat(r.fs); err != nil {
		return err
	}
	if err = r.readManifest(); err != nil {
		return err
	}
	if err = r.openCatalog(); err != nil {
		return err
	}
	if err = r.loadDeletes(); err != nil {
		return err
	}
	if err = r.replay(); err != nil {
		return err
	}
	// Only what is known to be sound is tidied up.
	return r.clean()
}

// readManifest reads MANIFEST, and judges a last line that is not whole: it is torn
// if nobody can have relied on it, that is, if the log it made superfluous and every
// file named before it are still there.
func (r *recovery) readManifest() (err error) {
	r.read, r.tail, err = manifest.Read(r.fs, base.ManifestFile)
	if errors.Is(err, iofs.ErrNotExist) {
		return &base.CorruptionError{File: base.ManifestFile, Offset: base.WholeFile, Err: errors.New("missing")}
	}
	if err != nil || r.tail == nil {
		return err
	}
	torn, err := r.isTorn(&r.read)
	if err == nil && !torn {
		err = r.tail.Corruption()
	}
	return err
}

// isTorn reports whether the log holds all records that state does not have in files,
// and every file of it exists.
func (r *recovery) isTorn(s *manifest.State) (bool, error) {
	present, err := wal.Present(r.fs, r.uuid, s.FlushedLSN+1)
	if err != nil || !present {
		return false, err
	}
	for i := range s.Live {
		if found, err := fsys.Exists(r.fs, s.Live[i].Path); err != nil || !found {
			return false, err
		}
	}
	for i := range s.Deletes {
		if found, err := fsys.Exists(r.fs, s.Deletes[i].Path); err != nil || !found {
			return false, err
		}
	}
	return true, nil
}

// openCatalog loads the series that MANIFEST vouches for.
func (r *recovery) openCatalog() error {
	at := r.read.Catalog
	file, err := catalog.OpenFile(r.fs, at.Generation, at.Bytes, r.reg.now().catalog)
	if errors.Is(err, iofs.ErrNotExist) {
		return &base.CorruptionError{File: base.CatalogFile(at.Generation), Offset: base.WholeFile, Err: errors.New("missing")}
	}
	if err != nil {
		return err
	}
	r.catalog = file
	return nil
}

// loadDeletes reads the deletions that MANIFEST names. Without one of them points would
// come back, so each must be there.
func (r *recovery) loadDeletes() error {
	r.state = newState(memtable.NewSlabs(2*r.opts.MemtableBytes), r.reg, newFileSet(r.read.Live))
	r.state.setHorizonsLocked(maps.Clone(r.read.Horizon))
	for i := range r.read.Deletes {
		d := &r.read.Deletes[i]
		t, err := tombstone.Load(r.fs, tombstone.File{Path: d.Path, Bytes: d.Bytes, BLAKE3: d.BLAKE3})
		if errors.Is(err, iofs.ErrNotExist) {
			err = &base.CorruptionError{File: d.Path, Offset: base.WholeFile, Err: errors.New("missing")}
		}
		if err == nil && t.LSN != d.LSN {
			err = &base.CorruptionError{File: d.Path, Offset: base.WholeFile, Err: fmt.Errorf("it is of record %d, MANIFEST says of %d", t.LSN, d.LSN)}
		}
		if err != nil {
			return err
		}
		r.state.mu.tombstones = r.state.mu.tombstones.With(t)
	}
	return nil
}

// replay puts the records that are in no file yet into a new memtable.
func (r *recovery) replay() error {
	log, report, err := wal.Open(r.fs, wal.OpenOptions{
		UUID:    r.uuid,
		Flushed: r.read.FlushedLSN,
		Demand:  r.read.LastLSN,
		NowMS:   func() int64 { return time.Now().UnixMilli() },
		Judged:  r.secure,
	}, r.apply)
	if err != nil {
		return err
	}
	r.log = log
	r.reg.indexAll()
	if t := report.Torn; t != nil {
		r.opts.Logger.Warn("cut off the torn end of the log; it held nothing that was acknowledged as durable",
			"file", t.File, "offset", t.Offset, "bytes", t.Bytes, "kept", t.Kept, "cause", t.Cause)
	}
	return nil
}

// secure makes what was read of FORMAT, MANIFEST and CATALOG durable, and cuts off what
// does not count. The log has been judged and not yet been changed: the files of it that
// MANIFEST makes superfluous may go only when MANIFEST is certain to stay.
func (r *recovery) secure() (err error) {
	if r.read.LastEdit == 0 && !r.created {
		if err := renewFormat(r.fs); err != nil {
			return err
		}
	}
	if r.manifest, err = manifest.Open(r.fs, r.read); err != nil {
		return err
	}
	if t := r.tail; t != nil {
		r.opts.Logger.Warn("cut off the torn last line of MANIFEST", "offset", t.Offset, "bytes", t.Bytes, "cause", t.Err)
		if err := r.manifest.CutTail(); err != nil {
			return err
		}
	}
	return r.catalog.CutTail()
}

// apply replays one record.
func (r *recovery) apply(rec wal.Record) error {
	switch rec.Type {
	case wal.TypeHeader, wal.TypeMark:
		return nil
	case wal.TypeDelete:
		return r.applyDelete(rec)
	case wal.TypeBatch:
	default:
		return fmt.Errorf("%w: %s has a record of type %d at offset %d", ErrFormat, rec.File, rec.Type, rec.Offset)
	}
	if err := r.decoder.Decode(rec.Body, r.reg.replayed, r.applyRows); err != nil {
		return rec.Corrupt(err)
	}
	return nil
}

// applyDelete replays a deletion.
func (r *recovery) applyDelete(rec wal.Record) error {
	start, end, ids, err := wal.DecodeDelete(rec.Body)
	if err != nil {
		return rec.Corrupt(err)
	}
	r.state.deleteLocked(&tombstone.Tombstone{LSN: rec.LSN, Start: start, End: end, IDs: ids})
	return nil
}

func (r *recovery) applyRows(rows []base.Row) error {
	for i := range rows {
		if rows[i].TS < base.MinTime || rows[i].TS > base.MaxTime {
			return errTimeRange
		}
	}
	if o, found := r.reg.now().catalog.FirstUnknown(rows); found {
		return fmt.Errorf("a point of series %d, which nothing has introduced", o)
	}
	r.state.mu.active.Apply(rows)
	return nil
}

// engine returns the engine over what was recovered, and starts it.
func (r *recovery) engine() *Engine {
	lastWall := r.read.Wall
	ledger := newLedger(r.fs, &r.opts, r.manifest, r.catalog)
	disk := &diskLimit{max: r.opts.MaxDiskBytes}
	disk.measure(r.fs, r.opts.Logger)
	e := &Engine{
		fs:     r.fs,
		opts:   r.opts,
		cache:  newCache(r.opts.CacheBytes),
		reg:    r.reg,
		state:  r.state,
		ledger: ledger,
		writer: newWriter(r.opts, r.log, r.state, ledger, disk),
	}
	e.maintenance = &maintenance{
		fs: r.fs, opts: r.opts, logger: r.opts.Logger, cache: e.cache, reg: r.reg, state: r.state,
		ledger: ledger, writer: e.writer, disk: disk, expiry: newExpiry(&r.opts, lastWall),
	}
	e.maintenance.start()
	go e.writer.run()
	return e
}

// close closes what run has opened.
func (r *recovery) close() error {
	var errs []error
	if r.manifest != nil {
		errs = append(errs, r.manifest.Close())
	}
	if r.catalog != nil {
		errs = append(errs, r.catalog.Close())
	}
	if r.log != nil {
		errs = append(errs, r.log.Close())
	}
	return errors.Join(errs...)
}
