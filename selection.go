package sydradb

import (
	"context"

	"github.com/sydradb/sydradb/internal/engine"
)

// Select captures the series that q selects as they are at this moment, to be read in any
// order and more than once, by several goroutines at a time if need be. Where each series
// is wanted once, [DB.Query] is simpler.
//
// Of q only the selector and MaxSeries count: each reading says for itself which times it
// wants. Errors are those of Query. The selection must be closed.
func (db *DB) Select(ctx context.Context, q Query) (*Selection, error) {
	s, err := db.e.Select(ctx, engine.Query{Selector: q.Selector.engine(), MaxSeries: q.MaxSeries})
	if err != nil {
		return nil, err
	}
	return &Selection{s}, nil
}

// Selection is some series of a database at one moment: what is written later is not in
// it, and what expires later does not leave it. It holds the files that it may need, so
// it should not live longer than a query. Its methods may be called by any goroutine.
type Selection struct {
	s *engine.Selection
}

// Len returns the number of series.
func (s *Selection) Len() int { return s.s.Len() }

// Series returns series i, from 0. They are in order of name and tags.
func (s *Selection) Series(i int) *Series { return (*Series)(s.s.Series(i)) }

// Reader returns a reader of the points. Several can be used at the same time.
func (s *Selection) Reader() *Reader { return &Reader{s.s.Reader()} }

// Close releases the selection, after all its readers. It may be called more than once.
func (s *Selection) Close() { s.s.Close() }

// Reader reads series of a [Selection]. It is for one goroutine, and must be closed before
// the selection.
type Reader struct {
	r *engine.Reader
}

// Open begins with the points of series i from start to end, both inclusive, in Unix
// nanoseconds. What was left of the series before is passed over.
func (r *Reader) Open(i int, start, end int64) { r.r.Open(i, start, end) }

// Run is some points of a series in ascending order of time. Times and Values have the
// same length; they belong to the reader, are valid until the next call of any of its
// methods, and must not be changed.
type Run struct {
	Times  []int64
	Values []float64
	// Column is a number for the times, or 0. Series that were written together share a
	// column of times on disk: runs of one reader with the same Column, length and first
	// time have equal Times, so that what was made of them serves for all.
	Column int64
}

// Next returns the next points of the series, none at its end.
func (r *Reader) Next(ctx context.Context) (run Run, err error) {
	run.Times, run.Values, run.Column, err = r.r.Next(ctx)
	return run, err
}

// Close gives back what the reader holds. It may be called more than once.
func (r *Reader) Close() { r.r.Close() }
