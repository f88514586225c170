package engine

import (
	"errors"
	"fmt"
	iofs "io/fs"
	"time"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/catalog"
	"github.com/sydradb/sydradb/internal/fsys"
	"github.com/sydradb/sydradb/internal/manifest"
	"github.com/sydradb/sydradb/internal/plant"
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
	reserve, err := findReserve(fs, &opts)
	if err != nil {
		return nil, err
	}
	var r *recovery
	err = reserve.try("the opening", func() error {
		r = &recovery{loader: newLoader(fs, opts), reserve: reserve, created: isNew}
		if err := r.run(); err != nil {
			return errors.Join(err, r.close())
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return r.engine(), nil
}

// recovery brings a directory to the state that its last owner left. All of it is read
// and judged before anything is changed: what cannot be opened stays as it was found.
// Each step may be interrupted and done again by the next recovery.
type recovery struct {
	loader
	reserve *reserve
	created bool     // by this very opening
	unknown []string // names that are not of a database

	tail     *manifest.Tail // torn; nil if all lines count
	manifest *manifest.Log  // from secure on
	catalog  *catalog.File
	log      *wal.Log
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
	torn, err := isTorn(r.fs, r.uuid, &r.read)
	if err == nil && !torn && !plant.Bug(plant.RottenLineCut) {
		err = r.tail.Corruption()
	}
	return err
}

// openCatalog loads the series that MANIFEST vouches for.
func (r *recovery) openCatalog() error {
	at := r.read.Catalog
	file, err := catalog.OpenFile(r.fs, at.Generation, at.Bytes, at.CRC, r.reg.now().catalog)
	if errors.Is(err, iofs.ErrNotExist) {
		return &base.CorruptionError{File: base.CatalogFile(at.Generation), Offset: base.WholeFile, Err: errors.New("missing")}
	}
	if err != nil {
		return err
	}
	r.catalog = file
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

		MakeRoom: func() bool { return r.reserve.giveUp("the log") },
		Progress: r.opts.OnRecovery,
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
		if err := renewFormat(r.fs, r.reserve); err != nil {
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

// engine returns the engine over what was recovered, and starts it.
func (r *recovery) engine() *Engine {
	lastWall := r.read.Wall
	ledger := newLedger(r.fs, &r.opts, r.reserve, r.manifest, r.catalog)
	disk := &diskLimit{max: r.opts.MaxDiskBytes}
	disk.measure(r.fs, r.opts.Logger)
	e := &Engine{
		fs:      r.fs,
		opts:    r.opts,
		readers: newReaders(r.fs, r.opts.CacheBytes, r.damaged),
		reg:     r.reg,
		state:   r.state,
		ledger:  ledger,
		writer:  newWriter(r.opts, r.log, r.state, ledger, disk, r.reserve),
	}
	e.reg.engine = e
	e.maintenance = &maintenance{
		fs: r.fs, opts: r.opts, logger: r.opts.Logger, cache: e.readers.cache, damaged: r.damaged,
		reg: r.reg, state: r.state, ledger: ledger, writer: e.writer, disk: disk, reserve: r.reserve, expiry: newExpiry(&r.opts, lastWall),
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
