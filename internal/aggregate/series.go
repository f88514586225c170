package aggregate

import (
	"math"
	"sort"
)

// Series aggregates the points of one series. They come in order of time, in columns or,
// where Fits allows it, as summaries; then the rows are there to be read. The zero Series
// is ready for Reset, and its memory serves any number of series. It belongs to one
// goroutine.
type Series struct {
	windows Windows
	count   int   // of windows
	need    parts // of points still coming; rows have those of complete windows
	pane    pane  // that points are going into
	partial partial
	length  int // how many points of a column fell into the last pane: a guess
	slide   sliding
	rows    rows
	done    bool  // the last pane has been closed
	since   int64 // time of the first point in a window; math.MaxInt64: none yet
}

// Reset forgets everything and prepares for the points of a series. w must be valid.
func (s *Series) Reset(w *Windows, functions []Function) {
	s.windows, s.count = *w, w.Len()
	s.rows.reset(partsOf(functions))
	s.need = s.rows.parts.growing()
	s.slide.reset(s.need)
	s.pane = s.windows.pane(math.MinInt64, s.count)
	s.partial.clear()
	s.done, s.since = false, math.MaxInt64
}

// AddColumns adds points: values[i] was at ts[i]. Times ascend, over all calls; those that
// lie in no window are passed over. The slices have one length and are read only until it
// returns.
func (s *Series) AddColumns(ts []int64, values []float64) {
	values = values[:len(ts)]
	for len(ts) > 0 {
		s.seek(ts[0])
		n := s.reach(ts)
		if s.pane.low <= s.pane.high {
			s.partial.add(ts[:n], values[:n], s.need)
		}
		ts, values = ts[n:], values[n:]
	}
}

// reach returns how many of ts, the first of which is in the pane, are in it.
func (s *Series) reach(ts []int64) int {
	last := s.pane.last
	if ts[len(ts)-1] <= last {
		return len(ts)
	}
	// Points at regular intervals reach as far as they did in the pane before.
	n := s.length
	if n > 0 && n < len(ts) && ts[n-1] <= last && ts[n] > last {
		return n
	}
	low, high := 0, 1
	for high < len(ts) && ts[high] <= last {
		low, high = high, 2*high
	}
	high = min(high, len(ts)-1)
	n = low + 1 + sort.Search(high-low-1, func(i int) bool { return ts[low+1+i] > last })
	s.length = n
	return n
}

// Fits reports whether a Summary of the points from first to last, both inclusive, does
// in their place: all those times are in the same windows, and no function needs more.
// If not, hand over the points.
func (s *Series) Fits(first, last int64) bool {
	if s.need.has(partSpread) {
		return false
	}
	if first >= s.pane.first && first <= s.pane.last {
		return last <= s.pane.last
	}
	p := s.windows.pane(first, s.count)
	return last <= p.last
}

// AddSummary adds the points that m stands for. Fits must have allowed it, and in order of
// time they come after all points so far, as if they were handed over themselves.
func (s *Series) AddSummary(m *Summary) {
	if m.Count <= 0 {
		return
	}
	s.seek(m.FirstTS)
	if s.pane.low <= s.pane.high {
		var p partial
		p.summarize(m)
		s.partial.merge(&p, s.need)
	}
}

// seek makes the pane that of ts, and closes the one before.
func (s *Series) seek(ts int64) {
	if ts <= s.pane.last {
		return
	}
	s.closePane()
	s.pane = s.windows.pane(ts, s.count)
}

// closePane passes on what is known of the pane's points, if there are any.
func (s *Series) closePane() {
	if s.partial.count == 0 {
		return
	}
	s.since = min(s.since, s.partial.since)
	if s.windows.Range > s.windows.Step {
		s.slide.add(s, s.pane.low, s.pane.high, &s.partial)
	} else {
		s.finish(s.pane.low, &s.partial)
	}
	s.partial.clear()
}

// finish adds the row of a window that is complete. Windows that have points but not the
// two that an increase needs are left out if nothing else is asked for.
func (s *Series) finish(window int, p *partial) {
	if s.need.has(partResets) {
		p.gain = p.resets.gain()
		if s.rows.parts == partGain && p.gain.series == 0 {
			return
		}
	}
	s.rows.push(window, p)
}

// complete closes the last pane. After it no points may come until Reset.
func (s *Series) complete() {
	if s.done {
		return
	}
	s.done = true
	s.closePane()
	s.slide.advance(s, s.count)
}

// Len returns the number of rows: of windows that have a value. Once this or any of the
// methods below has been called, no more points may be added before the next Reset.
func (s *Series) Len() int {
	s.complete()
	return s.rows.len()
}

// Since returns the time of the first point that a window has, math.MaxInt64 if none has any.
func (s *Series) Since() int64 {
	s.complete()
	return s.since
}

// AppendTimes appends the times of the rows to dst, ascending.
func (s *Series) AppendTimes(dst []int64) []int64 {
	s.complete()
	return s.rows.appendTimes(dst, &s.windows)
}

// AppendValues appends the value of f in each row to dst. A row of a query for several
// functions has NaN where f has no value; so have all rows if f is not one of those that
// Reset was told.
func (s *Series) AppendValues(dst []float64, f Function) []float64 {
	s.complete()
	return s.rows.appendValues(dst, f)
}
