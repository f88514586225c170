package engine

import "context"

// Select captures the series that q selects, to be read in any order and more than once.
// Of q the selector and MaxSeries count.
func (e *Engine) Select(ctx context.Context, q Query) (*Selection, error) {
	if err := e.usable(); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	snap, err := e.state.snapshot(q.Selector, q.MaxSeries)
	if err != nil {
		return nil, err
	}
	return &Selection{readers: e.readers, snap: snap}, nil
}

// Selection is some series at one moment.
type Selection struct {
	readers *readers
	snap    *snapshot
}

// Len returns the number of series.
func (s *Selection) Len() int { return len(s.snap.series) }

// Series returns series i, in order of name and tags.
func (s *Selection) Series(i int) *Series { return s.snap.series[i].Series }

// Reader returns a reader of the points, for one goroutine.
func (s *Selection) Reader() *Reader { return &Reader{s.readers.get(s.snap)} }

// Close releases what was captured. All readers must be closed before.
func (s *Selection) Close() {
	if s.snap != nil {
		s.snap.release()
		s.snap = nil
	}
}

// Reader reads series of a Selection, one after the other.
type Reader struct {
	reader *seriesReader // nil once it is closed
}

// Open begins with series i from start to end, both inclusive.
func (r *Reader) Open(i int, start, end int64) {
	r.reader.open(&r.reader.snap.series[i], start, end)
}

// Next returns the next points of the series, ascending, none at its end. They are valid
// until the next call of any method. column is that of the times, see the root package.
func (r *Reader) Next(ctx context.Context) (times []int64, values []float64, column int64, err error) {
	points, err := r.reader.next(ctx)
	return points.times, points.values, r.reader.column, err
}

// Close gives back what the reader holds. It may be called more than once.
func (r *Reader) Close() {
	if r.reader != nil {
		r.reader.close()
		r.reader = nil
	}
}
