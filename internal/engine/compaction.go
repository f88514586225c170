package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/compact"
	"github.com/sydradb/sydradb/internal/manifest"
	"github.com/sydradb/sydradb/internal/plant"
	"github.com/sydradb/sydradb/internal/tombstone"
)

// This file holds the part of maintenance that merges. Which files, package compact says;
// here they are read, written and made live.

// Compact merges all files as far as possible, applies all deletions, and waits for it.
func (e *Engine) Compact(ctx context.Context) error {
	if err := e.writable(); err != nil {
		return err
	}
	if err := e.Flush(ctx); err != nil {
		return err
	}
	m := e.maintenance
	return m.do(ctx, func(ctx context.Context) error {
		m.removed = true
		err := m.expireNow()
		if err == nil {
			err = m.mergeAll(ctx)
		}
		return errors.Join(err, m.settle(true))
	})
}

// mergeAll merges until nothing is left to do, quiet or not, of what is in files now: flushes
// may bring more for ever. It goes around damaged files, and returns what is wrong with
// them.
func (m *maintenance) mergeAll(ctx context.Context) error {
	clear(m.bad) // the report is not to depend on what was tried before
	var damage []error
	last := m.ledger.flushedLSN()
	for {
		jobs := m.plan(true, last)
		if len(jobs) == 0 {
			return errors.Join(damage...)
		}
		for i := range jobs {
			if err := ctx.Err(); err != nil {
				return err
			}
			err := m.merge(ctx, &jobs[i])
			if errors.Is(err, base.ErrCorrupt) {
				damage = append(damage, err)
			} else if err != nil {
				return err
			}
		}
	}
}

// mergeNext does the most urgent merge that is due and can be done, if there is one, and
// has maintenance come back for the next: what callers ask for comes in between.
func (m *maintenance) mergeNext() {
	jobs := m.plan(false, maxLSN)
	for i := range jobs {
		err := m.hasRoom(&jobs[i])
		if err == nil {
			err = m.merge(m.ctx, &jobs[i])
		}
		if err == nil {
			m.changed()
			return
		}
		m.complain("merging failed", err)
		if m.ctx.Err() != nil || errors.Is(err, ErrStorageFailed) {
			return
		}
	}
}

// hasRoom returns an error if a merge might fill the disk, so that the log would have no
// room while it runs. What is to leave the disk is always let go.
func (m *maintenance) hasRoom(job *compact.Job) error {
	free, err := m.fs.Space()
	if err != nil || job.Kind == compact.KindRewrite {
		return nil
	}
	var bytes uint64
	for i := range job.Inputs {
		bytes += uint64(job.Inputs[i].Bytes)
	}
	if free < 2*bytes {
		return fmt.Errorf("%w: merging %d bytes waits until twice that is free, and not %d bytes", ErrDiskFull, bytes, free)
	}
	return nil
}

// plan returns the merges to be done now, of what records up to last have brought; with
// all set, whether files are quiet or not.
func (m *maintenance) plan(all bool, last base.LSN) []compact.Job {
	files, tombstones, _ := m.state.moment()
	live := slices.DeleteFunc(files.list(), func(e manifest.Entry) bool { return e.Seq > last })
	tombstones = tombstones.Without(func(t *tombstone.Tombstone) bool { return t.LSN > last })
	return compact.Plan(live, compact.Policy{
		MaxSegmentFiles: m.opts.MaxSegmentFiles,
		NowMS:           m.opts.Now().UnixMilli(),
		All:             all,
		Rewrite:         func(e *manifest.Entry) bool { return m.mustRewrite(files, tombstones, e) },
		Claimed:         func(path string) bool { return m.bad[path] },
	})
}

// merge runs one job and publishes what it wrote. One by which points leave the disk may
// have the reserve for that.
func (m *maintenance) merge(ctx context.Context, job *compact.Job) error {
	run := func() error { return m.tryMerge(ctx, job) }
	if job.Kind == compact.KindRewrite {
		return m.reserve.try("a merge that removes points", run)
	}
	return run()
}

func (m *maintenance) tryMerge(ctx context.Context, job *compact.Job) error {
	began := time.Now()
	m.merging.Store(true)
	defer m.merging.Store(false)
	ms := m.ledger.begin()
	defer m.ledger.end(ms)
	source, err := m.newMergeSource(job)
	if err == nil {
		defer source.close()
		job.Applied = max(job.Applied, source.applied)
		var out []manifest.Entry
		out, err = compact.Run(ctx, m.fs, *job, source, compact.RunOptions{
			NowMS: ms, MaxSegmentFiles: m.opts.MaxSegmentFiles, SegmentCodec1: m.opts.SegmentCodec1,
		})
		if err == nil {
			err = m.publishMerge(ms, job, out)
			m.removed = m.removed || seriesIn(out) < len(source.series)
		}
	}
	if err != nil {
		m.blame(job, err)
		m.failed.Add(1)
		return err
	}
	m.merges.Add(1)
	m.took.since(began)
	m.logger.Debug("merged", "kind", job.Kind, "files", len(job.Inputs), "bucket", job.Bucket, "took", time.Since(began))
	m.unlink()
	m.measure()
	return nil
}

// blame notes the input of a job that is damaged, if that is why it failed: the next plan
// goes around it.
func (m *maintenance) blame(job *compact.Job, err error) {
	var damage *base.CorruptionError
	if !errors.As(err, &damage) {
		return
	}
	m.damaged.note(err)
	for i := range job.Inputs {
		if job.Inputs[i].Path == damage.File {
			m.bad[damage.File] = true
			return
		}
	}
	for i := range job.Inputs {
		m.bad[job.Inputs[i].Path] = true
	}
}

// publishMerge makes the files that a job wrote live in place of its inputs.
func (m *maintenance) publishMerge(ms int64, job *compact.Job, out []manifest.Entry) error {
	written, inputs := pathsOf(out), pathsOf(job.Inputs)
	files, _, _ := m.state.moment()
	if !compact.Allowed(job.Inputs, files.list()) {
		m.ledger.discard(written)
		return fmt.Errorf("merge of %d files of bucket %d: another file has come between them", len(inputs), job.Bucket)
	}
	err := m.ledger.syncDirs(written)
	if plant.Bug(plant.UnlinkBeforeEdit) {
		m.ledger.discard(inputs)
	}
	if err == nil {
		err = m.ledger.commit(ms, manifest.Edit{Add: out, Remove: inputs}, func() {
			m.state.publishFiles(out, inputs)
		})
	}
	if err != nil && !errors.Is(err, ErrStorageFailed) {
		m.ledger.discard(written)
	}
	return err
}

// seriesIn returns how many series the output of one merge holds.
func seriesIn(out []manifest.Entry) (n int) {
	for i := range out {
		n += max(out[i].Segments, 1) // the packs of one job are disjoint in series
	}
	return n
}

func pathsOf(files []manifest.Entry) []string {
	paths := make([]string, len(files))
	for i := range files {
		paths[i] = files[i].Path
	}
	return paths
}
