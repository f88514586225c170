package engine

import (
	"context"
	"fmt"
	"slices"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/tombstone"
	"github.com/sydradb/sydradb/internal/wal"
)

// Delete hides the points from start to end of the series that sel selects now, and
// returns how many series those are. Points written later are not concerned.
func (e *Engine) Delete(ctx context.Context, sel Selector, start, end int64) (series int, err error) {
	if err := e.writable(); err != nil {
		return 0, err
	}
	start, end = max(start, base.MinTime), min(end, base.MaxTime)
	if start > end {
		return 0, nil
	}
	ids := e.state.selectIDs(sel)
	if len(ids) == 0 {
		return 0, nil
	}
	if waiting := e.state.deletions(); waiting+len(ids) > e.opts.MaxDeletions {
		return 0, fmt.Errorf("%w: deletions from %d series wait for merging to apply them; compact the database first", ErrOverloaded, waiting)
	}
	r := e.requests.get()
	r.frame = wal.AppendDelete(r.frame[:0], start, end, ids)
	if size := len(r.frame); size > wal.MaxBatchBytes {
		e.requests.put(r)
		return 0, fmt.Errorf("%w: deleting from %d series takes %d bytes in the log, at most %d are allowed; delete from fewer at a time",
			ErrTooLarge, len(ids), size, wal.MaxBatchBytes)
	}
	r.deletion = &tombstone.Tombstone{Start: start, End: end, IDs: ids}
	if _, err := e.submit(ctx, r); err != nil {
		return 0, err
	}
	return len(ids), nil
}

// selectIDs returns the ids of the series that sel selects, ascending.
func (s *state) selectIDs(sel Selector) []base.SeriesID {
	prepared := s.reg.now().prepare(sel)
	ordinals := prepared.ordinals()
	ids := make([]base.SeriesID, 0, len(ordinals))
	for _, o := range ordinals {
		id := prepared.reg.catalog.ID(o)
		if prepared.reg.catalog.Known(o) { // it has not died before we asked
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// deletions returns how many series the deletions have that files still wait for.
func (s *state) deletions() (series int) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, t := range s.mu.tombstones {
		series += len(t.IDs)
	}
	return series
}
