package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/catalog"
	"github.com/sydradb/sydradb/internal/fsys"
	"github.com/sydradb/sydradb/internal/wal"
)

// Engine is an open database. All methods are safe for concurrent use.
type Engine struct {
	fs          fsys.FS
	opts        Options
	lock        io.Closer
	readers     *readers
	reg         *registry
	state       *state
	ledger      *ledger
	writer      *writer
	maintenance *maintenance

	held   *held // of a database that is open for reading only; it has no lock, ledger, writer, maintenance
	opened Stats // what Stats says of it that does not change

	requests requests

	closed    atomic.Bool
	closeOnce sync.Once
	closeErr  error
}

// usable returns ErrClosed after Close.
func (e *Engine) usable() error {
	if e.closed.Load() {
		return ErrClosed
	}
	return nil
}

// writable returns why nothing can be written, or nil.
func (e *Engine) writable() error {
	if err := e.usable(); err != nil {
		return err
	}
	if e.writer == nil {
		return ErrReadOnly
	}
	return e.writer.failed()
}

// Resolve returns the series with this name and these tags, which it registers if it
// is new. tags may be in any order and are not kept.
func (e *Engine) Resolve(name string, tags []base.Tag) (*Series, error) {
	if err := e.usable(); err != nil {
		return nil, err
	}
	return e.resolved(e.reg.resolve(name, tags))
}

// ResolveID returns the series with this id, which it registers without a name, but
// with tags, if it is new. tags may be in any order and are not kept.
func (e *Engine) ResolveID(id base.SeriesID, tags []base.Tag) (*Series, error) {
	if err := e.usable(); err != nil {
		return nil, err
	}
	return e.resolved(e.reg.resolveID(id, tags))
}

// resolved returns what resolving has returned, but for one error.
func (e *Engine) resolved(s *Series, err error) (*Series, error) {
	if errors.Is(err, catalog.ErrSealed) {
		err = ErrReadOnly
	}
	return s, err
}

// Write stores rows as one batch; series are those that the rows are of, one for each,
// or nil if none of them can have died since it was resolved. Of the rows only the
// ordinals are changed, where one has become void. kept reports
// that they are still read after Write returned, so that the caller must not touch them
// again.
func (e *Engine) Write(ctx context.Context, rows []base.Row, series []*Series) (kept bool, err error) {
	if err := e.writable(); err != nil {
		return false, err
	}
	if len(rows) == 0 {
		return false, nil
	}
	if err := e.maintenance.slowDown(ctx); err != nil {
		return false, err
	}
	for {
		kept, err := e.tryWrite(ctx, rows, series)
		if err != errStale || len(series) == 0 {
			return kept, err
		}
	}
}

// tryWrite is Write, but that it gives up with errStale if a series of the batch was
// declared dead on its way.
func (e *Engine) tryWrite(ctx context.Context, rows []base.Row, series []*Series) (kept bool, err error) {
	r := e.requests.get()
	if err := e.encode(r, rows, series); err != nil {
		e.requests.put(r)
		return false, err
	}
	return e.submit(ctx, r)
}

// submit hands r to the writer and waits for its outcome.
func (e *Engine) submit(ctx context.Context, r *request) (kept bool, err error) {
	r.timer.Reset(overloadWait)
	if err := e.writer.submit(ctx, r); err != nil {
		e.requests.put(r)
		return false, err
	}
	kept, err = e.writer.queue.wait(ctx, r)
	if !kept {
		e.requests.put(r)
	}
	return kept, err
}

// encode makes the record of a batch.
func (e *Engine) encode(r *request, rows []base.Row, series []*Series) error {
	r.deaths = e.reg.deaths.Load()
	if r.deaths > 0 {
		if err := e.refresh(rows, series); err != nil {
			return err
		}
	}
	return e.record(r, rows)
}

// record is encode for rows none of whose series was dead when r.deaths was read. No series
// dies while it works.
func (e *Engine) record(r *request, rows []base.Row) error {
	e.reg.renewal.RLock()
	defer e.reg.renewal.RUnlock()
	cat := e.reg.now().catalog
	if r.deaths != e.reg.deaths.Load() {
		if _, void := cat.FirstUnknown(rows); void {
			return errStale // the dead have no name, by which validate could judge them
		}
	}
	var err error
	if r.start, r.end, err = e.validate(cat, rows); err != nil {
		return err
	}
	r.rows = rows
	r.regs = cat.AppendUnlogged(r.regs[:0], rows)
	r.frame = wal.AppendBatch(r.frame[:0], r.regs, rows)
	if size := len(r.frame); size > wal.MaxBatchBytes {
		return fmt.Errorf("%w: %d points take %d bytes in the log, at most %d are allowed", ErrTooLarge, len(rows), size, wal.MaxBatchBytes)
	}
	return nil
}

// refresh gives the rows of series that were declared dead the ordinals under which they
// are registered anew.
func (e *Engine) refresh(rows []base.Row, series []*Series) error {
	if _, void := e.reg.now().catalog.FirstUnknown(rows); !void {
		return nil
	}
	if len(series) == 0 {
		return errStale
	}
	for i := range rows {
		if err := e.reg.refresh(series[i]); err != nil {
			return err
		}
		rows[i].Ordinal = series[i].Ordinal()
	}
	return nil
}

// validate checks what the log could not take back, and returns the least and greatest
// time.
func (e *Engine) validate(cat *catalog.Catalog, rows []base.Row) (start, end int64, err error) {
	start, end = base.MaxTime, base.MinTime
	known := cat.Limit()
	tooOld := e.state.tooOld.Load()
	var limits horizons
	for i := range rows {
		r := &rows[i]
		if r.TS < base.MinTime || r.TS > base.MaxTime {
			return 0, 0, &PointError{Index: i, TS: r.TS, Err: errTimeRange}
		}
		if r.Ordinal >= known {
			return 0, 0, &PointError{Index: i, TS: r.TS, Err: errors.New("its series belongs to another database")}
		}
		start, end = min(start, r.TS), max(end, r.TS)
		if r.TS >= tooOld {
			continue
		}
		if limits == nil {
			limits = e.state.horizonsNow()
		}
		if r.TS < limits.of(cat.Name(r.Ordinal)) {
			return 0, 0, &PointError{Index: i, TS: r.TS, Err: ErrTooOld}
		}
	}
	return start, end, nil
}

// Horizon returns the least time that retention keeps of a series with this name.
// Points before it are refused.
func (e *Engine) Horizon(name string) int64 { return e.state.horizonsNow().of(name) }

// Flush writes all points in memory to segment files. ctx ends the wait only.
func (e *Engine) Flush(ctx context.Context) error {
	if err := e.usable(); err != nil {
		return err
	}
	if e.writer == nil {
		return ErrReadOnly
	}
	done := make(chan error, 1)
	select {
	case e.writer.asked <- done:
	case <-e.writer.stop:
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Close makes everything durable and releases the directory.
func (e *Engine) Close() error {
	e.closeOnce.Do(func() {
		e.closed.Store(true)
		if e.writer == nil {
			e.closeErr = e.held.Close()
			return
		}
		e.maintenance.close()
		err := e.writer.close()
		if err == nil {
			e.saveTags()
		}
		e.closeErr = errors.Join(err, e.lock.Close())
	})
	return e.closeErr
}

// Stats returns counters and sizes.
func (e *Engine) Stats() Stats {
	s := e.opened
	s.Series = e.reg.now().index.Len()
	s.count(e.state)
	s.CacheBytes, s.CacheHits, s.CacheMisses = e.readers.cache.counters()
	s.DamagedFiles = e.readers.damaged.len()
	s.BlocksDecoded, s.BlocksSummed = e.readers.decoded.Load(), e.readers.summed.Load()
	if e.writer == nil {
		return s
	}
	s.State = "ok"
	switch {
	case e.writer.failed() != nil:
		s.State = "failed"
	case e.writer.reserve.spent.Load():
		s.State = "full"
	}
	log := e.writer.log
	s.WALBytes, s.LastLSN, s.DurableLSN = log.Bytes(), uint64(log.Last()), uint64(log.Durable())
	s.FlushedLSN = e.ledger.flushed.Load()
	s.Flushes = e.writer.flusher.flushes.Load()
	s.Merges = e.maintenance.merges.Load()
	s.upkeep(e.writer, e.maintenance)
	s.ReserveBytes = e.writer.reserve.held.Load()
	s.CatalogBytes, s.ManifestBytes = e.ledger.sizes.catalog.Load(), e.ledger.sizes.manifest.Load()
	return s
}

// upkeep fills in what writer and maintenance do and have done.
func (s *Stats) upkeep(w *writer, m *maintenance) {
	s.QueueLength, s.QueueBytes = w.queue.size()
	s.Flushing, s.Merging = w.state.flushing(), m.merging.Load()
	s.FlushesFailed, s.MergesFailed = w.flusher.failed.Load(), m.failed.Load()
	s.Sweeps, s.Crowding = m.sweeps.Load(), m.crowding.Load()
	s.WALSync, s.Flush, s.Merge = w.syncs.histogram(), w.flusher.took.histogram(), m.took.histogram()
	if w.disk.max > 0 {
		s.DiskBytes = w.disk.used.Load() + w.log.Bytes()
	}
}

// count fills in what the memtables and files of st hold.
func (s *Stats) count(st *state) {
	start, end := base.MaxTime, base.MinTime
	st.mu.RLock()
	for _, t := range [2]*table{st.mu.frozen, st.mu.active} {
		if t != nil {
			s.MemtablePoints += int64(t.Points())
			s.MemtableBytes += t.Bytes()
			start, end = min(start, t.start), max(end, t.end)
		}
	}
	files := st.mu.files
	s.Deletions = len(st.mu.tombstones)
	st.mu.RUnlock()
	for i, r := range files.runs {
		if i == 0 {
			s.SegmentStart, s.SegmentEnd = r.start, r.end
		}
		s.SegmentStart, s.SegmentEnd = min(s.SegmentStart, r.start), max(s.SegmentEnd, r.end)
		start, end = min(start, r.start), max(end, r.end)
		s.SegmentFiles += len(r.segments) + len(r.packs)
		s.Packs += len(r.packs)
		for f := range r.entries {
			s.SegmentPoints += int64(f.Count)
			s.SegmentBytes += f.Bytes
		}
	}
	if s.Empty = start > end; !s.Empty {
		s.Start, s.End = start, end
	}
}
