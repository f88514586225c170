package sydradb

import (
	"context"

	"github.com/sydradb/sydradb/internal/base"
)

// Batch collects points that are to be stored as one unit. The zero value is an
// empty batch. A Batch is for one goroutine at a time; reuse it with Reset.
type Batch struct {
	rows []base.Row
}

// NewBatch returns an empty batch.
func (db *DB) NewBatch() *Batch { return &Batch{} }

// Add appends the point (ts, value) of series s, which must come from the DB that
// the batch will be written to. ts is in Unix nanoseconds; whether it lies within
// [MinTime] and [MaxTime] is checked by Write.
func (b *Batch) Add(s *Series, ts int64, value float64) {
	b.rows = append(b.rows, base.Row{TS: ts, Value: value, Ordinal: s.s.Ordinal})
}

// Len returns the number of points in the batch.
func (b *Batch) Len() int { return len(b.rows) }

// Reset empties the batch and keeps its memory for the next points.
func (b *Batch) Reset() { b.rows = b.rows[:0] }

// Write stores the batch as one unit: after a crash all of its points are readable
// or none is. A point with the series and time of an older one replaces it for every
// query that begins after Write returned; the same holds within the batch.
//
// On nil, the batch is visible and as durable as [Options.Sync] promises. The caller
// may then Reset and reuse it, and after an error write it again.
//
// Write waits for its turn behind other writers, for at most ten seconds
// ([ErrOverloaded]). If ctx ends before the turn came, nothing is stored; if it ends
// later, whether the batch is stored is not known, and writing it again is harmless.
// Other errors, with nothing stored: a [*PointError] for the first point outside the
// accepted times, [ErrTooLarge], [ErrDiskFull], [ErrStorageFailed], [ErrClosed].
func (db *DB) Write(ctx context.Context, b *Batch) error {
	kept, err := db.e.Write(ctx, b.rows)
	if kept {
		b.rows = nil // the writer still reads them
	}
	return err
}
