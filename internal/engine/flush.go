package engine

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"path"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/catalog"
	"github.com/sydradb/sydradb/internal/fsys"
	"github.com/sydradb/sydradb/internal/manifest"
	"github.com/sydradb/sydradb/internal/memtable"
	"github.com/sydradb/sydradb/internal/segment"
)

// flushJob is a frozen memtable on its way to the disk.
type flushJob struct {
	table   *table
	unsaved []base.Ordinal // series that the CATALOG file must hold before; nil once it does
}

// flusher turns frozen memtables into segment files. It owns the MANIFEST and the
// CATALOG file: one goroutine at a time calls flush, seal or close.
type flusher struct {
	fs       fsys.FS
	logger   *slog.Logger
	state    *state
	manifest *manifest.Log
	catalog  *catalog.File

	rewriteSlack int64 // of the MANIFEST

	lastMS   int64 // number of the last job
	failures int   // of the same job, but for full disks
	failed   error // a directory could not be synced; matches ErrStorageFailed
	flushed  atomic.Uint64
	flushes  atomic.Int64
	sizes    struct{ manifest, catalog atomic.Int64 }
}

// flush writes the points of the job to segment files and makes them what readers
// see. After an error nothing has changed but for files that no one names. It may be
// tried again, unless the error matches ErrStorageFailed.
//
// The order is E3: files, their directories, the catalog, the edit.
func (f *flusher) flush(job *flushJob) error {
	if f.failed != nil {
		return f.failed
	}
	began := time.Now()
	ms := f.nextMS()
	files, err := f.writeSegments(job.table.Table, ms)
	if err == nil {
		err = f.syncDirs(files)
	}
	if err == nil {
		err = f.saveSeries(job)
	}
	if err == nil {
		err = f.append(job.table.last, ms, files)
	}
	if err != nil {
		if f.failed == nil && !errors.Is(err, manifest.ErrFailed) {
			f.discard(files) // else an edit that names them may be on disk
		}
		if errors.Is(err, manifest.ErrFailed) || errors.Is(err, catalog.ErrFailed) {
			f.failed = fmt.Errorf("%w: %w", ErrStorageFailed, err)
		}
		if f.failed != nil {
			return f.failed
		}
		if !errors.Is(err, fsys.ErrNoSpace) {
			f.failures++
		}
		return err
	}
	f.failures = 0
	f.flushes.Add(1)
	f.state.publish(newRun(job.table.last, files))
	f.logger.Debug("flushed", "files", len(files), "took", time.Since(began))
	return nil
}

// nextMS numbers a job: the clock, but always more than the job before.
func (f *flusher) nextMS() int64 {
	f.lastMS = max(time.Now().UnixMilli(), f.lastMS+1, f.manifest.State().NextMS)
	return f.lastMS
}

// writeSegments writes one file per series and hour, on all cores. The files are
// synced, their directories are not. After an error the result names the files that
// were written.
func (f *flusher) writeSegments(t *memtable.Table, ms int64) ([]manifest.Entry, error) {
	series := make([]frozenSeries, 0, t.SeriesCount())
	for o, p := range t.Ordinals() {
		series = append(series, frozenSeries{o, p})
	}
	workers := min(runtime.GOMAXPROCS(0), len(series))
	var (
		wg     sync.WaitGroup
		next   atomic.Int64
		parts  = make([][]manifest.Entry, workers)
		faults = make([]error, workers)
		failed atomic.Bool
	)
	for i := range workers {
		wg.Go(func() {
			w := segmentWriter{fs: f.fs, ms: ms, cells: t.Snapshot(), catalog: f.state.reg.catalog}
			for !failed.Load() {
				n := int(next.Add(1)) - 1
				if n >= len(series) {
					break
				}
				if err := w.write(series[n]); err != nil {
					faults[i] = err
					failed.Store(true)
				}
			}
			parts[i] = w.files
		})
	}
	wg.Wait()
	return slices.Concat(parts...), errors.Join(faults...)
}

// frozenSeries is a series of a frozen memtable.
type frozenSeries struct {
	ordinal  base.Ordinal
	position memtable.Position
}

// segmentWriter writes the files of one worker.
type segmentWriter struct {
	fs      fsys.FS
	ms      int64
	cells   memtable.Snapshot
	catalog *catalog.Catalog

	files   []manifest.Entry
	columns memtable.Columns
	scratch segment.Buffer
}

// write writes the files of one series, one per hour.
func (w *segmentWriter) write(s frozenSeries) error {
	w.columns.Reset()
	w.cells.AppendRange(&w.columns, s.position, base.MinTime, base.MaxTime)
	id := w.catalog.ID(s.ordinal)
	times, values := w.columns.TS, w.columns.Values
	for len(times) > 0 {
		hour := base.BucketStart(times[0])
		n, _ := slices.BinarySearch(times, hour+base.Hour)
		e, err := segment.Create(w.fs, w.ms, id, hour, times[:n], values[:n], &w.scratch)
		if err != nil {
			return err
		}
		e.Wall = w.ms
		w.files = append(w.files, e)
		times, values = times[n:], values[n:]
	}
	return nil
}

// syncDirs makes the names of the files durable, and those of their directories. If that
// fails once, it has failed for good: the system may have dropped names that a second
// sync, which returns nil, would seem to save.
func (f *flusher) syncDirs(files []manifest.Entry) (err error) {
	defer func() {
		if err != nil {
			f.failed = fmt.Errorf("%w: %w", ErrStorageFailed, err)
		}
	}()
	dirs := make(map[string]struct{})
	for i := range files {
		dirs[path.Dir(files[i].Path)] = struct{}{}
	}
	for _, dir := range slices.Sorted(maps.Keys(dirs)) {
		if err := f.fs.SyncDir(dir); err != nil {
			return fmt.Errorf("sync %s: %w", dir, err)
		}
	}
	if err := f.fs.SyncDir(base.SegmentsDir); err != nil {
		return fmt.Errorf("sync %s: %w", base.SegmentsDir, err)
	}
	return nil
}

// saveSeries appends the series of the job to the CATALOG file and syncs it.
func (f *flusher) saveSeries(job *flushJob) error {
	if len(job.unsaved) == 0 {
		return nil
	}
	bytes, err := f.catalog.Append(f.state.reg.catalog, job.unsaved)
	if err != nil {
		return err
	}
	job.unsaved = nil
	f.sizes.catalog.Store(bytes)
	return nil
}

// append names the files in the MANIFEST: from then on they are the database.
func (f *flusher) append(last base.LSN, ms int64, files []manifest.Entry) error {
	for i := range files {
		files[i].Seq = last
	}
	if err := f.edit(manifest.Edit{FlushedLSN: last, NextMS: ms + 1, Add: files}); err != nil {
		return err
	}
	f.flushed.Store(uint64(last))
	return nil
}

// edit appends e, with what all edits have in common filled in, and rewrites the
// MANIFEST when it has grown out of proportion.
func (f *flusher) edit(e manifest.Edit) error {
	e.Wall = time.Now().UnixMilli()
	e.Catalog = manifest.Catalog{Generation: f.catalog.Generation(), Bytes: f.catalog.Bytes()}
	if err := f.manifest.Append(e); err != nil {
		return err
	}
	if f.manifest.ShouldRewrite(f.rewriteSlack) {
		if err := f.manifest.Rewrite(); err != nil {
			if errors.Is(err, manifest.ErrFailed) {
				return err
			}
			f.logger.Warn("cannot rewrite MANIFEST; it stays as it is", "error", err)
		}
	}
	f.sizes.manifest.Store(f.manifest.State().Bytes)
	return nil
}

// flushedLSN returns the last record whose points are in files. Any goroutine may ask.
func (f *flusher) flushedLSN() base.LSN { return base.LSN(f.flushed.Load()) }

// sealedLSN returns the record up to which the last close found the log durable.
func (f *flusher) sealedLSN() base.LSN { return f.manifest.State().LastLSN }

// seal appends the edit of a clean close: the log is durable up to last.
func (f *flusher) seal(last base.LSN) error {
	s := f.manifest.State()
	return f.edit(manifest.Edit{FlushedLSN: s.FlushedLSN, NextMS: max(s.NextMS, f.lastMS+1), LastLSN: last})
}

// discard removes what a failed flush has written. What cannot be removed now is set
// aside, or removed, when the database is opened.
func (f *flusher) discard(files []manifest.Entry) {
	for i := range files {
		if err := f.fs.Remove(files[i].Path); err != nil {
			f.logger.Debug("leftover of a failed flush stays", "file", files[i].Path, "error", err)
		}
	}
}

// close closes the files of the flusher.
func (f *flusher) close() error {
	return errors.Join(f.catalog.Close(), f.manifest.Close())
}
