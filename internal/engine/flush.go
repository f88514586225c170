package engine

import (
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/fsys"
	"github.com/sydradb/sydradb/internal/manifest"
	"github.com/sydradb/sydradb/internal/plant"
	"github.com/sydradb/sydradb/internal/tombstone"
)

// flushJob is a frozen memtable on its way to the disk.
type flushJob struct {
	table   *table
	deletes []*tombstone.Tombstone // applied since the flush before
	unsaved []base.Ordinal         // series that the CATALOG file must hold before; nil once it does
}

// flusher turns frozen memtables into files. One goroutine at a time calls flush.
type flusher struct {
	fs              fsys.FS
	logger          *slog.Logger
	state           *state
	ledger          *ledger
	reserve         *reserve
	maxSegmentFiles int
	segmentCodec1   bool

	published func() // called after each flush; set before the first

	failures int // of the same job, but for full disks and want of descriptors
	flushes  atomic.Int64
	failed   atomic.Int64 // attempts
	took     durations    // of those that did not fail
}

// flush writes the points and deletions of the job to files and makes them what readers
// see. After an error nothing has changed but for files that no one names. It may be
// tried again, unless the error matches ErrStorageFailed.
//
// The order is E3: files, their directories, the catalog, the edit.
func (f *flusher) flush(job *flushJob) error {
	return f.reserve.try("a flush", func() error { return f.attempt(job) })
}

func (f *flusher) attempt(job *flushJob) error {
	if err := f.ledger.err(); err != nil {
		return err
	}
	began := time.Now()
	ms := f.ledger.begin()
	defer f.ledger.end(ms)
	f.ledger.dirs.RLock()
	out, err := f.write(job, ms)
	if err == nil {
		err = f.ledger.syncDirs(out.paths())
	}
	f.ledger.dirs.RUnlock()
	cat := f.state.reg.now().catalog
	if err == nil {
		if plant.Bug(plant.CatalogAfterEdit) {
			defer func() { _ = f.ledger.saveSeries(cat, job.unsaved) }()
		} else if err = f.ledger.saveSeries(cat, job.unsaved); err == nil {
			job.unsaved = nil
		}
	}
	if plant.Bug(plant.FlushedTooFar) {
		job.table.last += 2
	}
	if err == nil {
		err = f.ledger.commit(ms, manifest.Edit{
			FlushedLSN: job.table.last, Add: out.files, AddDeletes: out.deleteFiles(),
		}, func() { f.state.publishFlush(out.files, out.deletes) })
	}
	if err != nil && plant.Bug(plant.MemoryDropped) {
		f.state.publishFlush(nil, nil)
	}
	if err != nil {
		return f.giveUp(out, err)
	}
	f.failures = 0
	f.flushes.Add(1)
	f.took.since(began)
	f.published()
	f.logger.Debug("flushed", "files", len(out.files), "deletions", len(out.deletes), "took", time.Since(began))
	return nil
}

// giveUp ends a flush that failed with err, and returns the error.
func (f *flusher) giveUp(out flushed, err error) error {
	f.failed.Add(1)
	if errors.Is(err, ErrStorageFailed) {
		return err // an edit that names the files may be on disk
	}
	f.ledger.discard(out.paths())
	if !errors.Is(err, fsys.ErrNoSpace) && !errors.Is(err, fsys.ErrTooManyFiles) {
		f.failures++
	}
	return err
}

// flushed is what a flush has written.
type flushed struct {
	files   []manifest.Entry
	deletes []*tombstone.Tombstone // with their files
}

func (o *flushed) deleteFiles() (files []manifest.DeleteFile) {
	for _, t := range o.deletes {
		files = append(files, manifest.DeleteFile{
			Path: t.File.Path, LSN: t.LSN, StartTS: t.Start, EndTS: t.End, Bytes: t.File.Bytes, BLAKE3: t.File.BLAKE3,
		})
	}
	return files
}

func (o *flushed) paths() []string {
	paths := make([]string, 0, len(o.files)+len(o.deletes))
	for i := range o.files {
		paths = append(paths, o.files[i].Path)
	}
	for _, t := range o.deletes {
		paths = append(paths, t.File.Path)
	}
	return paths
}

// write writes all files of the job ms. They are synced, their directories are not.
// After an error the result names the files that were written.
func (f *flusher) write(job *flushJob, ms int64) (out flushed, err error) {
	out.files, err = newFlushWriter(f, job.table, ms).write()
	for i := range out.files {
		out.files[i].Seq, out.files[i].Wall = job.table.last, ms
	}
	for _, t := range job.deletes {
		if err != nil {
			break
		}
		saved := *t
		if saved.File, err = tombstone.Write(f.fs, ms, t); err == nil {
			out.deletes = append(out.deletes, &saved)
		}
	}
	return out, err
}
