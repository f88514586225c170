package wal

import (
	"errors"
	"fmt"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/fsys"
	"github.com/sydradb/sydradb/internal/plant"
)

// lsnWindow is how far ahead of the last good record the numbers of later ones may be.
const lsnWindow = 1 << 20

// walk reads the files of a log in the order of their records and judges what cannot
// be read. It changes nothing.
//
// A file may be a torn tail's victim only if it is current.wal: every other one was
// synced before it got its name. Of what stands at or below flushed nothing is needed,
// so bad bytes there are passed over if a good record follows that is not beyond
// flushed+1: a database whose log could not be synced may have saved its memtable and
// left the log as it was.
type walk struct {
	layout
	read   fileReader
	opts   OpenOptions
	fn     func(Record) error
	from   int      // files before this one are wholly at or below flushed
	next   base.LSN // expected of the next record
	proven base.LSN // the highest that a record calls durable
	report Report

	done, total int64 // bytes read, of files before the one being read; of all
	told        int64 // when Progress was last called
}

// progressBytes is how much is read before Progress is called again.
const progressBytes = 16 << 20

// progress tells Progress, every now and then and at both ends, that done bytes have been
// read.
func (w *walk) progress(done int64) {
	if w.opts.Progress != nil && (done == 0 || done-w.told >= progressBytes || done == w.total && w.told < done) {
		w.told = done
		w.opts.Progress(done, w.total)
	}
}

// run reads all. Its error is fn's, a CorruptionError, or one of reading.
func (w *walk) run(fs fsys.FS) error {
	var err error
	if w.layout, err = survey(fs, &w.read); err != nil {
		return err
	}
	if w.from, err = w.start(w.opts.Flushed); err != nil {
		return err
	}
	// Without a sound Header, and without a file before it, a current.wal may start
	// anywhere up to flushed+1.
	w.next = max(w.files[w.from].first, 1)
	for i := range w.files[w.from:] {
		w.total += w.files[w.from+i].size
	}
	w.progress(0)
	for i := w.from; i < len(w.files); i++ {
		if err := w.file(fs, &w.files[i]); err != nil {
			return err
		}
		w.done += w.files[i].size
	}
	w.progress(w.total)
	w.report.Last = max(w.next-1, w.opts.Flushed)
	return w.reached()
}

// file reads one file.
func (w *walk) file(fs fsys.FS, f *logFile) (err error) {
	if err := w.read.open(fs, f.path); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.read.close()) }()
	f.size = w.read.size
	if f.size == 0 && !f.current {
		return &base.CorruptionError{File: f.path, Offset: 0, Part: "header", Err: errors.New("the file is empty")}
	}
	for off := int64(0); off < f.size; {
		rec, end, bad, err := w.read.record(off)
		if err != nil {
			return err
		}
		if bad == nil {
			bad = w.misplaced(rec)
		}
		if bad != nil {
			if off, err = w.judge(f, off, bad); err != nil {
				return err
			}
			continue
		}
		if err := w.use(rec); err != nil {
			return err
		}
		off = end
		w.progress(w.done + off)
	}
	return nil
}

// misplaced returns the flaw of a record that is sound in itself but does not belong
// where it stands.
func (w *walk) misplaced(rec Record) *flaw {
	var cause error
	switch {
	case rec.Type == TypePut:
		cause = errPut
	case (rec.Type == TypeHeader) != (rec.Offset == 0):
		cause = errors.New("a file starts with its header, and has no other")
	case rec.Type == TypeHeader && string(rec.Body) != string(w.opts.UUID[:]):
		cause = errors.New("header of another database's log, or FORMAT names another one")
	case rec.LSN > w.next && rec.LSN <= w.opts.Flushed+1:
		w.next = rec.LSN // none of those that are not there is needed
		return nil
	case rec.LSN > w.next && rec.Type == TypeHeader:
		cause = fmt.Errorf("%w: this one begins with record %d where %d is expected", ErrGap, rec.LSN, w.next)
	case rec.LSN != w.next:
		cause = fmt.Errorf("record %d where %d is expected", rec.LSN, w.next)
	default:
		return nil
	}
	return &flaw{cause: cause, sealed: true}
}

func (w *walk) use(rec Record) error {
	w.next++
	w.proven = max(w.proven, rec.Durable)
	if rec.LSN <= w.opts.Flushed {
		return nil
	}
	w.report.Records++
	if w.fn == nil {
		return nil
	}
	return w.fn(rec)
}

// judge decides about bad bytes at off. It returns where reading goes on: behind what
// may be passed over, or at the end of a file with a torn tail. Otherwise they are
// damage.
func (w *walk) judge(f *logFile, off int64, bad *flaw) (int64, error) {
	if bad.sealed {
		return 0, w.damage(f, off, bad.cause)
	}
	if w.next <= w.opts.Flushed {
		rec, found, err := w.read.find(off+1, func(lsn, _ base.LSN) bool {
			return lsn >= w.next && lsn <= w.opts.Flushed+1
		})
		if err != nil && !errors.Is(err, errDoubt) {
			return 0, err
		}
		if found {
			w.report.PassedOver += rec.Offset - off
			w.next = rec.LSN
			if f.first == 0 { // the Header was among them
				f.first = max(rec.LSN-1, 1)
			}
			return rec.Offset, nil
		}
	}
	// The first record that is needed and was here, if any was.
	due := max(w.next, w.opts.Flushed+1)
	switch {
	case !f.current:
		return 0, w.damage(f, off, fmt.Errorf("%w; the file was whole when it was rotated", bad.cause))
	case due <= w.opts.Demand:
		return 0, w.damage(f, off, fmt.Errorf("%w; the database was closed with record %d", bad.cause, w.opts.Demand))
	}
	proof, err := w.proofOfSync(off, due)
	if err != nil {
		return 0, err
	}
	if proof != nil {
		return 0, w.damage(f, off, fmt.Errorf("%w; %w", bad.cause, proof))
	}
	w.report.Torn = &Torn{File: f.path, Offset: off, Bytes: f.size - off, Expected: due, Cause: bad.cause}
	return f.size, nil
}

func (w *walk) damage(f *logFile, off int64, cause error) error {
	return &base.CorruptionError{File: f.path, Offset: off, Part: fmt.Sprintf("record %d", w.next), Err: cause}
}

// proofOfSync is the tail rule: it looks behind off for a record which says that the
// record due was on disk when it was written, and returns what says so. Without one,
// the bytes from off on are what a write left that never was reported as done. A later
// record alone proves nothing, since blocks reach the disk in any order.
func (w *walk) proofOfSync(off int64, due base.LSN) (proof, err error) {
	if plant.Bug(plant.DamageTakenForTail) {
		return nil, nil
	}
	rec, found, err := w.read.find(off+1, func(lsn, durable base.LSN) bool {
		return durable >= due && lsn < due+lsnWindow
	})
	switch {
	case errors.Is(err, errDoubt):
		return errDoubt, nil
	case err != nil || !found:
		return nil, err
	}
	return fmt.Errorf("record %d at offset %d says that all up to %d was on disk", rec.LSN, rec.Offset, rec.Durable), nil
}

// reached sees to it that the log does not end too early.
func (w *walk) reached() error {
	last := w.files[len(w.files)-1]
	var cause error
	switch {
	case w.report.Last < w.opts.Demand:
		cause = fmt.Errorf("the log ends with record %d, but the database was closed with %d", w.next-1, w.opts.Demand)
	case !last.current && w.next <= w.opts.Flushed:
		cause = fmt.Errorf("%w: the log ends with record %d, none holds %d", ErrGap, w.next-1, w.opts.Flushed+1)
	default:
		return nil
	}
	return &base.CorruptionError{File: last.path, Offset: last.size, Part: "end", Err: cause}
}
