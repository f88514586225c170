package sydradb

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/engine"
)

// Batch collects points that are to be stored as one unit. The zero value is an
// empty batch. A Batch is for one goroutine at a time; reuse it with Reset.
type Batch struct {
	rows    []base.Row
	series  []*engine.Series // of each row: a series that died is registered anew
	of      *engine.Engine   // whose series the rows are of
	foreign int              // 1 + position of the first row of another DB's series; 0 if there is none
}

// NewBatch returns an empty batch.
func (db *DB) NewBatch() *Batch { return &Batch{of: db.e} }

// Add appends the point (ts, value) of series s, which must not be nil. ts is in Unix
// nanoseconds. That it lies within [MinTime] and [MaxTime], and that s comes from the DB
// that the batch is written to, is checked by Write.
func (b *Batch) Add(s *Series, ts int64, value float64) {
	handle := (*engine.Series)(s)
	if e := handle.Engine(); e != b.of {
		b.setEngine(e)
	}
	b.rows = append(b.rows, base.Row{TS: ts, Value: value, Ordinal: handle.Ordinal()})
	b.series = append(b.series, handle)
}

// setEngine takes note that the next row is of a series of e.
func (b *Batch) setEngine(e *engine.Engine) {
	if len(b.rows) == 0 {
		b.of = e
	} else if b.foreign == 0 {
		b.foreign = len(b.rows) + 1
	}
}

// Len returns the number of points in the batch.
func (b *Batch) Len() int { return len(b.rows) }

// DeleteFunc takes out the points for which del returns true and returns how many those
// are. The others keep their order.
func (b *Batch) DeleteFunc(del func(s *Series, ts int64, value float64) bool) int {
	n := 0
	for i, row := range b.rows {
		if !del((*Series)(b.series[i]), row.TS, row.Value) {
			b.rows[n], b.series[n] = row, b.series[i]
			n++
		}
	}
	gone := len(b.rows) - n
	clear(b.series[n:])
	b.rows, b.series, b.foreign = b.rows[:n], b.series[:n], 0
	if n > 0 {
		b.of = b.series[0].Engine()
		b.foreign = 1 + slices.IndexFunc(b.series, func(s *engine.Series) bool { return s.Engine() != b.of })
	}
	return gone
}

// Reset empties the batch and keeps its memory for the next points.
func (b *Batch) Reset() { b.rows, b.series, b.foreign = b.rows[:0], b.series[:0], 0 }

// Write stores the batch as one unit: after a crash all of its points are readable
// or none is. A point with the series and time of an older one replaces it for every
// query that begins after Write returned; the same holds within the batch.
//
// On nil, the batch is visible and as durable as [Options.Sync] promises. The batch is
// not changed: the caller may Reset and reuse it, or after an error write it again.
//
// Write waits for its turn behind other writers, for at most ten seconds
// ([ErrOverloaded]). If ctx ends before the turn came, nothing is stored; if it ends
// later, whether the batch is stored is not known, and writing it again is harmless.
// Other errors, with nothing stored: a [*PointError] for the first point that cannot be
// stored, [ErrTooLarge], [ErrDiskFull], [ErrReadOnly], [ErrClosed], and [ErrSeriesLimit] if
// a series has lost all its points since it was resolved, and others took its room. With
// [ErrStorageFailed] the batch is not visible, but may be there when the database is
// opened again. An empty batch is written without any effect.
func (db *DB) Write(ctx context.Context, b *Batch) error {
	switch {
	case len(b.rows) > 0 && b.of != db.e:
		return &PointError{Index: 0, TS: b.rows[0].TS, Err: errForeign}
	case b.foreign > 0:
		return &PointError{Index: b.foreign - 1, TS: b.rows[b.foreign-1].TS, Err: errForeign}
	}
	kept, err := db.e.Write(ctx, b.rows, b.series)
	if kept {
		b.rows = slices.Clone(b.rows) // the writer still reads the others
	}
	if refused, ok := err.(*engine.PointError); ok {
		return (*PointError)(refused)
	}
	return err
}

// PointError is returned by [DB.Write] for the first point that cannot be stored: its
// time is out of range, it is older than what retention keeps ([ErrTooOld]), or its
// series belongs to another DB. Nothing of the batch is
// stored.
type PointError struct {
	Index int   // position in the batch, from 0
	TS    int64 // the point's time, in Unix nanoseconds
	Err   error // what is wrong with it
}

// Error names position, time and reason.
func (e *PointError) Error() string {
	return fmt.Sprintf("point %d of the batch, at %d ns: %v", e.Index, e.TS, e.Err)
}

// Unwrap returns the reason.
func (e *PointError) Unwrap() error { return e.Err }

var errForeign = errors.New("its series belongs to another database")
