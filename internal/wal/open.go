package wal

import (
	"errors"
	"fmt"
	iofs "io/fs"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/fsys"
	"github.com/sydradb/sydradb/internal/plant"
)

// ErrGap matches the CorruptionError for records that are missing between two files, or
// before the first: whoever reads a log beside its owner may have come across files that
// were being removed, and should look again.
var ErrGap = errors.New("a log file is missing")

// OpenOptions is what the rest of the database knows about its log.
type OpenOptions struct {
	// UUID of the database. A log with another one is damage.
	UUID [16]byte
	// Flushed is the last record whose points are in files. It must be on disk
	// (MANIFEST synced) before Open, or when Judged returns: what is at or below it is
	// passed over and may go.
	Flushed base.LSN
	// Demand is a record that is known to have been on disk, the last one of a clean
	// close; 0 for none. A log that ends before it is damaged, however torn it looks.
	Demand base.LSN
	// NowMS gives the number in the name of a tail that is kept; nil stands for 0.
	NowMS func() int64
	// Judged, unless nil, is called when the whole log has been read and found sound and
	// nothing has been changed yet. Its error ends the opening and is returned as it is.
	Judged func() error
	// MakeRoom, unless nil, is asked to make room when the disk is full, and reports
	// whether it did: then what found none is tried again.
	MakeRoom func() bool
	// Progress, unless nil, is told how many bytes have been read, of all that there are
	// to read: first of none, then every few records, and when all are.
	Progress func(done, total int64)
}

// Report is what opening a log found.
type Report struct {
	Records    int      // handed to fn
	Last       base.LSN // last record of the log, or Flushed
	PassedOver int64    // bad bytes at or below Flushed, of which nothing is needed
	Torn       *Torn    // nil if the log ended with a whole record
}

// Torn is an unfinished write at the end of the log, which was cut off.
type Torn struct {
	File     string
	Offset   int64    // where the last whole record ends
	Bytes    int64    // from there to the end of the file
	Expected base.LSN // of the record that should have been there
	Cause    error    // what is wrong with it
	Kept     string   // the file that now holds the bytes; "" if they were zeros or the disk is full
}

// Open reads the log and calls fn for every record above Flushed, in their order, then
// makes it ready for appending. Records of all types are handed out, Header and Mark
// included; an error of fn ends the opening and is returned as it is.
//
// A torn tail is cut off, other bad bytes are a *base.CorruptionError: until that is
// decided nothing is changed. On return all that was read is on disk, and files that
// hold nothing above Flushed are gone. A crash on the way, at any point, leaves a log
// that opens with the same records.
func Open(fs fsys.FS, opts OpenOptions, fn func(Record) error) (*Log, Report, error) {
	w := walk{opts: opts, fn: fn}
	if err := w.run(fs); err != nil {
		return nil, w.report, err
	}
	if opts.Judged != nil {
		if err := opts.Judged(); err != nil {
			return nil, w.report, err
		}
	}
	l, err := w.recover(fs)
	return l, w.report, err
}

// Check reads and judges the log as Open does and changes nothing. fn may be nil.
func Check(fs fsys.FS, opts OpenOptions, fn func(Record) error) (Report, error) {
	w := walk{opts: opts, fn: fn}
	err := w.run(fs)
	return w.report, err
}

// Present reports whether the log holds the record from and every later one that was
// ever reported as written, as far as can be told: some file holds from, no number
// after it is missing and nothing is damaged. A torn tail behind from is no objection.
// The error is one of reading.
func Present(fs fsys.FS, uuid [16]byte, from base.LSN) (bool, error) {
	from = max(from, 1)
	w := walk{opts: OpenOptions{UUID: uuid, Flushed: from - 1}}
	err := w.run(fs)
	if errors.Is(err, base.ErrCorrupt) || errors.Is(err, iofs.ErrNotExist) {
		return false, nil
	}
	return err == nil && w.next > from, err
}

// recover turns what run found into a log to append to. In this order, so that a crash
// between two steps changes nothing that the next recovery needs: the names that are
// there become durable; a torn tail is copied; it goes; files that are not needed go.
func (w *walk) recover(fs fsys.FS) (*Log, error) {
	for _, path := range append(w.temps, w.twin) {
		if path == "" {
			continue
		}
		if err := removeExisting(fs, path); err != nil {
			return nil, fmt.Errorf("open log: %w", err)
		}
	}
	if err := fs.SyncDir(base.WALDir); err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	if t := w.report.Torn; t != nil {
		if err := w.keepTail(fs, t); err != nil {
			return nil, fmt.Errorf("keep torn tail of %s: %w", t.File, err)
		}
	}
	l, err := w.resume(fs)
	if err != nil {
		return nil, err
	}
	if err := l.RemoveThrough(w.opts.Flushed); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// resume returns the log with a current.wal that ends with its last good record.
func (w *walk) resume(fs fsys.FS) (*Log, error) {
	l := newLog(fs, w.opts.UUID, w.report.Last+1)
	files, last := w.files, w.files[len(w.files)-1]
	if last.current {
		files = files[:len(files)-1]
	}
	for i, f := range files {
		end := l.Last()
		if i+1 < len(w.files) && w.files[i+1].first != 0 {
			end = w.files[i+1].first - 1
		}
		l.keep(oldFile{path: f.path, last: end, size: f.size})
	}
	if !last.current {
		// A rotation got as far as the rename. If the sync that should have followed
		// failed, no later one makes that name durable, but a new file's.
		if err := w.copy(fs, last.path, 0, last.size, last.path); err != nil {
			return nil, fmt.Errorf("secure log: %w", err)
		}
		if err := fs.SyncDir(base.WALDir); err != nil {
			return nil, fmt.Errorf("secure log: %w", err)
		}
		return l, l.start()
	}
	end := last.size
	if t := w.report.Torn; t != nil && !plant.Bug(plant.TailKept) {
		end = t.Offset
	}
	// Nothing in it is needed: an unfinished start, or a log left as it was when its
	// memtable was saved. It is replaced, so that no gap in the numbers ever stands in
	// a file.
	if end == 0 || w.next <= w.opts.Flushed {
		return l, l.replace()
	}
	l.first = last.first
	l.size.Store(end)
	return l, w.secure(l, end)
}

// secure makes the first end bytes of current.wal durable and opens it for appending.
//
// If a process died with its last records unproven, they may be in memory only. A sync
// would do, were it not that one may have failed already: then the system shows the
// bytes, calls them clean and never writes them (see fsys.File.Sync). So they are
// written once more, to a new file. Only a full disk makes the plain sync do.
func (w *walk) secure(l *Log, end int64) error {
	rewritten := plant.Bug(plant.RecoveryUnsynced)
	if w.next-1 > max(w.proven, w.opts.Demand) && !rewritten {
		err := w.copy(l.fs, base.CurrentWAL, 0, end, base.CurrentWAL)
		if rewritten = err == nil; rewritten {
			err = l.fs.SyncDir(base.WALDir)
		} else if errors.Is(err, fsys.ErrNoSpace) {
			err = nil
		}
		if err != nil {
			return fmt.Errorf("secure log: %w", err)
		}
	}
	f, err := l.fs.OpenAppend(base.CurrentWAL)
	if err != nil {
		return fmt.Errorf("open log: %w", err)
	}
	if !rewritten {
		if err := cut(f, end); err != nil {
			return fmt.Errorf("secure log: %w", errors.Join(err, f.Close()))
		}
	}
	l.file = f
	return nil
}

// cut makes f end at size, durably.
func cut(f fsys.File, size int64) error {
	if now, err := f.Size(); err != nil || now != size {
		if err == nil {
			err = f.Truncate(size)
		}
		if err != nil {
			return err
		}
	}
	return f.Sync()
}

// replace puts a new current.wal in place of one that holds nothing.
func (l *Log) replace() error {
	header := appendHeader(nil, l.uuid)
	Seal(header, l.next, l.Durable())
	if err := fsys.WriteFileAtomic(l.fs, base.CurrentWAL, header); err != nil {
		return fmt.Errorf("open log: %w", err)
	}
	f, err := l.fs.OpenAppend(base.CurrentWAL)
	if err != nil {
		return fmt.Errorf("open log: %w", err)
	}
	l.started(f, len(header))
	return nil
}

func removeExisting(fs fsys.FS, path string) error {
	if err := fs.Remove(path); err != nil && !errors.Is(err, iofs.ErrNotExist) {
		return err
	}
	return nil
}
