package engine

import (
	"errors"
	"fmt"
	iofs "io/fs"
	"log/slog"
	"maps"
	"path"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/catalog"
	"github.com/sydradb/sydradb/internal/fsys"
	"github.com/sydradb/sydradb/internal/manifest"
	"github.com/sydradb/sydradb/internal/plant"
)

// ledger keeps the two files that say what the database is made of, MANIFEST and
// CATALOG, and numbers the jobs that write other files. Flushes and maintenance share
// it. What an edit changes for readers is published under its lock, so that readers see
// edits in the order of MANIFEST.
type ledger struct {
	fs     fsys.FS
	logger *slog.Logger
	now    func() time.Time

	reserve      *reserve
	rewriteSlack int64 // of the MANIFEST

	// dirs is held for reading by flushes that make files, and for writing while empty
	// directories go. (Merges and removals are done by one goroutine.)
	dirs sync.RWMutex

	flushed atomic.Uint64 // last record whose points are in files
	sizes   struct{ manifest, catalog atomic.Int64 }

	mu       sync.Mutex
	manifest *manifest.Log
	catalog  *catalog.File
	jobs     map[int64]struct{} // unfinished
	lastMS   int64              // number of the last job
	failed   error              // once set, the answer to everything; matches ErrStorageFailed
}

func newLedger(fs fsys.FS, opts *Options, reserve *reserve, man *manifest.Log, cat *catalog.File) *ledger {
	l := &ledger{
		fs: fs, logger: opts.Logger, now: opts.Now, reserve: reserve, rewriteSlack: opts.RewriteSlack,
		manifest: man, catalog: cat, jobs: make(map[int64]struct{}),
	}
	s := man.State()
	l.lastMS = s.LastJob()
	l.flushed.Store(uint64(s.FlushedLSN))
	l.sizes.manifest.Store(s.Bytes)
	l.sizes.catalog.Store(s.Catalog.Bytes)
	return l
}

// begin gives a job its number: the clock, but always more than the job before, and than
// any that a file has. Files with that number are debris, should the process end before
// the job does.
func (l *ledger) begin() (ms int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lastMS = max(l.now().UnixMilli(), l.lastMS+1, l.manifest.State().NextMS)
	if plant.Bug(plant.JobNumberTwice) {
		l.lastMS = l.now().UnixMilli()
	}
	l.jobs[l.lastMS] = struct{}{}
	return l.lastMS
}

// end says that the files of a job are either named by MANIFEST or gone.
func (l *ledger) end(ms int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.jobs, ms)
}

// nextMSLocked returns the least number of an unfinished job other than done, else the
// next one to be given. Requires: l.mu.
func (l *ledger) nextMSLocked(done int64) int64 {
	next := max(l.lastMS+1, l.manifest.State().NextMS)
	for ms := range l.jobs {
		if ms != done {
			next = min(next, ms)
		}
	}
	return max(next, l.manifest.State().NextMS)
}

// commit writes an edit of the job ms, 0 for none, with what all edits have in common
// filled in, and then calls publish, which makes readers see it. The entries of e get
// the number of the edit. An error that matches ErrStorageFailed is for good, and the
// edit may or may not be on disk; after others nothing has changed.
func (l *ledger) commit(ms int64, e manifest.Edit, publish func()) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.commitLocked(ms, e, publish)
}

func (l *ledger) commitLocked(ms int64, e manifest.Edit, publish func()) error {
	if l.failed != nil {
		return l.failed
	}
	s := l.manifest.State()
	e.NextMS = l.nextMSLocked(ms)
	e.FlushedLSN = max(e.FlushedLSN, s.FlushedLSN)
	if err := l.appendLocked(e); err != nil {
		return err
	}
	if len(e.Horizon) > 0 && !plant.Bug(plant.HorizonInLastLine) {
		// Nothing may rest on a last line, which a rotten byte would take away. What e says
		// is on disk all the same, and readers must see it: the next edit stands on it.
		err := l.appendLocked(manifest.Edit{NextMS: e.NextMS, FlushedLSN: e.FlushedLSN})
		if errors.Is(err, ErrStorageFailed) {
			return err
		}
		if err != nil {
			l.logger.Warn("horizons stand in the last line of MANIFEST until the next edit", "error", err)
		}
	}
	l.flushed.Store(uint64(e.FlushedLSN))
	if publish != nil {
		publish()
	}
	if l.manifest.ShouldRewrite(l.rewriteSlack) {
		if err := l.manifest.Rewrite(); errors.Is(err, manifest.ErrFailed) {
			// What was published stands: the edit is on disk.
			_ = l.failLocked(err)
		} else if err != nil {
			l.logger.Warn("cannot rewrite MANIFEST; trying again after the next edit", "error", err)
		}
	}
	l.sizes.manifest.Store(l.manifest.State().Bytes)
	return nil
}

// appendLocked writes one line. Requires: l.mu.
func (l *ledger) appendLocked(e manifest.Edit) error {
	e.Wall = max(l.now().UnixMilli(), 0)
	e.Catalog = manifest.Catalog{Generation: l.catalog.Generation(), Bytes: l.catalog.Bytes(), CRC: l.catalog.CRC()}
	err := l.reserve.try("an edit of MANIFEST", func() error { return l.manifest.Append(e) })
	if errors.Is(err, manifest.ErrFailed) {
		return l.failLocked(err)
	}
	return err
}

// failLocked ends all writing. Requires: l.mu.
func (l *ledger) failLocked(err error) error {
	if l.failed == nil {
		l.failed = fmt.Errorf("%w: %w", ErrStorageFailed, err)
	}
	return l.failed
}

// fail ends all writing because of err and returns what everyone gets from now on.
func (l *ledger) fail(err error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.failLocked(err)
}

// err returns why nothing can be written any more, or nil.
func (l *ledger) err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.failed
}

// read calls fn with what the lines of MANIFEST add up to, which fn must neither change
// nor keep.
func (l *ledger) read(fn func(*manifest.State)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	fn(l.manifest.State())
}

// flushedLSN returns the last record whose points are in files.
func (l *ledger) flushedLSN() base.LSN { return base.LSN(l.flushed.Load()) }

// sealedLSN returns the record up to which the last close found the log durable.
func (l *ledger) sealedLSN() (last base.LSN) {
	l.read(func(s *manifest.State) { last = s.LastLSN })
	return last
}

// seal appends the edit of a clean close: the log is durable up to last.
func (l *ledger) seal(last base.LSN) error {
	return l.commit(0, manifest.Edit{LastLSN: last}, nil)
}

// saveSeries appends series to the CATALOG file and syncs it. The next edit counts them.
func (l *ledger) saveSeries(c *catalog.Catalog, ordinals []base.Ordinal) error {
	if len(ordinals) == 0 {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.failed != nil {
		return l.failed
	}
	bytes, err := l.catalog.Append(c, ordinals)
	if errors.Is(err, catalog.ErrFailed) {
		return l.failLocked(err)
	}
	if err == nil {
		l.sizes.catalog.Store(bytes)
	}
	return err
}

// syncDirs makes the names of files durable, and those of their directories.
func (l *ledger) syncDirs(paths []string) error {
	dirs := make(map[string]struct{})
	for _, p := range paths {
		for dir := path.Dir(p); ; dir = path.Dir(dir) {
			if dir == "." {
				dir = ""
			}
			dirs[dir] = struct{}{}
			if dir == "" || dir == base.SegmentsDir {
				break // segments/ is as old as the database
			}
		}
	}
	// Deeper ones first: a name is worth something when that of its directory is.
	for _, dir := range slices.Backward(slices.Sorted(maps.Keys(dirs))) {
		switch {
		case plant.Bug(plant.NoHourDirSync) && base.IsSegmentDir(dir),
			plant.Bug(plant.NoSegmentsSync) && dir == base.SegmentsDir,
			plant.Bug(plant.NoDeletesSync) && dir == base.DeletesDir:
			continue
		}
		if err := l.syncDir(dir); err != nil {
			return err
		}
	}
	return nil
}

// syncDir makes the names in a directory durable. If that fails once, it has failed for good:
// the system may have dropped names that a second sync, which returns nil, would seem to
// save. One that cannot be opened for want of descriptors was not synced at all, and may be
// later.
func (l *ledger) syncDir(dir string) error {
	err := l.fs.SyncDir(dir)
	if err == nil {
		return nil
	}
	err = fmt.Errorf("sync %q: %w", dir, err)
	if errors.Is(err, fsys.ErrTooManyFiles) {
		return err
	}
	return l.fail(err)
}

// unlink removes files that MANIFEST has ceased to name and that nobody reads, and takes
// note of it there. What cannot be removed stays owed, as does what was in a directory that
// cannot be opened. A failed sync is for good: a flush may have put names into the same
// directory, which its own sync would then seem to save.
func (l *ledger) unlink(paths []string) error {
	var done []string
	dirs := make(map[string]struct{})
	for _, p := range paths {
		if err := l.fs.Remove(p); err != nil && !errors.Is(err, iofs.ErrNotExist) {
			l.logger.Warn("cannot remove a file that is no longer needed; the next opening tries again", "file", p, "error", err)
			continue
		}
		done = append(done, p)
		dirs[path.Dir(p)] = struct{}{}
	}
	for dir := range dirs {
		if err := l.syncDir(dir); err != nil {
			return fmt.Errorf("after removals: %w", err)
		}
	}
	l.removeEmpty(dirs)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.manifest.Unlinked(done)
	return nil
}

// removeEmpty removes those of the directories of segment files that are empty, unless a
// flush is about to put something there; the next opening removes what stays.
func (l *ledger) removeEmpty(dirs map[string]struct{}) {
	if !l.dirs.TryLock() {
		return
	}
	defer l.dirs.Unlock()
	for dir := range dirs {
		if entries, err := l.fs.List(dir); err != nil || len(entries) > 0 || !base.IsSegmentDir(dir) {
			continue
		}
		if err := l.fs.Remove(dir); err != nil {
			l.logger.Debug("an empty directory stays", "directory", dir, "error", err)
		}
	}
}

// discard removes what a failed job has written. What cannot be removed now, the next
// opening removes, or sets aside if later edits have left the job's number behind.
func (l *ledger) discard(paths []string) {
	for _, p := range paths {
		if err := l.fs.Remove(p); err != nil {
			l.logger.Debug("leftover of a failed job stays", "file", p, "error", err)
		}
	}
}

// close closes the files.
func (l *ledger) close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return errors.Join(l.catalog.Close(), l.manifest.Close())
}
