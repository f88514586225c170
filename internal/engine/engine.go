package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/fsys"
	"github.com/sydradb/sydradb/internal/wal"
)

// Engine is an open database. All methods are safe for concurrent use.
type Engine struct {
	fs     fsys.FS
	lock   io.Closer
	cache  *cache
	reg    *registry
	state  *state
	files  *flusher
	writer *writer

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

// Resolve returns the series with this name and these tags, which it registers if it
// is new. tags may be in any order and are not kept.
func (e *Engine) Resolve(name string, tags []base.Tag) (*Series, error) {
	if err := e.usable(); err != nil {
		return nil, err
	}
	o, err := e.reg.catalog.Resolve(name, tags)
	if err != nil {
		return nil, err
	}
	e.reg.named(o)
	return e.reg.series(o), nil
}

// ResolveID returns the series with this id, which it registers without a name, but
// with tags, if it is new. tags may be in any order and are not kept.
func (e *Engine) ResolveID(id base.SeriesID, tags []base.Tag) (*Series, error) {
	if err := e.usable(); err != nil {
		return nil, err
	}
	o, err := e.reg.catalog.ResolveID(id, tags)
	if err != nil {
		return nil, err
	}
	return e.reg.series(o), nil
}

// Write stores rows as one batch. The rows are not changed. kept reports that they
// are still read after Write returned, so that the caller must not touch them again.
func (e *Engine) Write(ctx context.Context, rows []base.Row) (kept bool, err error) {
	if err := e.usable(); err != nil {
		return false, err
	}
	if err := e.writer.failed(); err != nil {
		return false, err
	}
	if len(rows) == 0 {
		return false, nil
	}
	if err := e.validate(rows); err != nil {
		return false, err
	}
	r := e.requests.get()
	r.rows = rows
	r.regs = e.reg.catalog.AppendUnlogged(r.regs[:0], rows)
	r.frame = wal.AppendBatch(r.frame[:0], r.regs, rows)
	if size := len(r.frame); size > wal.MaxBatchBytes {
		e.requests.put(r)
		return false, fmt.Errorf("%w: %d points take %d bytes in the log, at most %d are allowed", ErrTooLarge, len(rows), size, wal.MaxBatchBytes)
	}
	r.timer.Reset(overloadWait)
	if err := e.writer.queue.put(ctx, r); err != nil {
		e.requests.put(r)
		return false, err
	}
	kept, err = e.writer.queue.wait(ctx, r)
	if !kept {
		e.requests.put(r)
	}
	return kept, err
}

// validate checks what the log could not take back.
func (e *Engine) validate(rows []base.Row) error {
	known := e.reg.catalog.Limit()
	for i := range rows {
		r := &rows[i]
		if r.TS < base.MinTime || r.TS > base.MaxTime {
			return &PointError{Index: i, TS: r.TS, Err: errTimeRange}
		}
		if r.Ordinal >= known {
			return &PointError{Index: i, TS: r.TS, Err: errors.New("its series belongs to another database")}
		}
	}
	return nil
}

// Flush writes all points in memory to segment files. ctx ends the wait only.
func (e *Engine) Flush(ctx context.Context) error {
	if err := e.usable(); err != nil {
		return err
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
	s := Stats{State: "ok", Series: e.reg.index.Len()}
	if e.writer.failed() != nil {
		s.State = "failed"
	}
	s.count(e.state)
	log := e.writer.log
	s.WALBytes, s.LastLSN, s.DurableLSN = log.Bytes(), uint64(log.Last()), uint64(log.Durable())
	s.FlushedLSN = e.files.flushed.Load()
	s.Flushes = e.files.flushes.Load()
	s.CatalogBytes, s.ManifestBytes = e.files.sizes.catalog.Load(), e.files.sizes.manifest.Load()
	s.CacheBytes, s.CacheHits, s.CacheMisses = e.cache.counters()
	return s
}

// count fills in what the memtables and files of st hold.
func (s *Stats) count(st *state) {
	st.mu.RLock()
	for _, t := range [2]*table{st.mu.frozen, st.mu.active} {
		if t != nil {
			s.MemtablePoints += int64(t.Points())
			s.MemtableBytes += t.Bytes()
		}
	}
	files := st.mu.files
	st.mu.RUnlock()
	for i, r := range files.runs {
		if i == 0 {
			s.SegmentStart, s.SegmentEnd = r.start, r.end
		}
		s.SegmentStart, s.SegmentEnd = min(s.SegmentStart, r.start), max(s.SegmentEnd, r.end)
		s.SegmentFiles += len(r.files)
		for k := range r.files {
			s.SegmentPoints += int64(r.files[k].Count)
			s.SegmentBytes += r.files[k].Bytes
		}
	}
}
