package aggregate

import (
	"math"
	"slices"
)

// rows are partials in columns: of each only the parts that are needed take memory. They
// are the finished windows of a series or a group, ascending, and the panes that sliding
// windows still need.
type rows struct {
	parts  parts
	window []int32
	count  []int
	sum    []total
	min    []float64
	max    []float64
	ends   []ends
	resets []resets
	gain   []gain
	spread []spread
}

// reset empties r, and from now on it keeps the given parts.
func (r *rows) reset(p parts) {
	r.parts = p
	r.resize(0)
}

func (r *rows) len() int { return len(r.window) }

// resize makes r n rows long. What new rows hold is undefined.
func (r *rows) resize(n int) {
	r.window = resized(r.window, n)
	r.count = resized(r.count, r.only(partCount, n))
	r.sum = resized(r.sum, r.only(partSum, n))
	r.min = resized(r.min, r.only(partMin, n))
	r.max = resized(r.max, r.only(partMax, n))
	r.ends = resized(r.ends, r.only(partEnds, n))
	r.resets = resized(r.resets, r.only(partResets, n))
	r.gain = resized(r.gain, r.only(partGain, n))
	r.spread = resized(r.spread, r.only(partSpread, n))
}

func (r *rows) only(p parts, n int) int {
	if r.parts.has(p) {
		return n
	}
	return 0
}

func resized[T any](s []T, n int) []T {
	if n > len(s) {
		s = slices.Grow(s, n-len(s))
	}
	return s[:n]
}

// push adds a row.
func (r *rows) push(window int, p *partial) {
	r.window = append(r.window, int32(window))
	if r.parts.has(partCount) {
		r.count = append(r.count, p.count)
	}
	if r.parts.has(partSum) {
		r.sum = append(r.sum, p.sum)
	}
	if r.parts.has(partMin) {
		r.min = append(r.min, p.min)
	}
	if r.parts.has(partMax) {
		r.max = append(r.max, p.max)
	}
	if r.parts.has(partEnds) {
		r.ends = append(r.ends, p.ends)
	}
	if r.parts.has(partResets) {
		r.resets = append(r.resets, p.resets)
	}
	if r.parts.has(partGain) {
		r.gain = append(r.gain, p.gain)
	}
	if r.parts.has(partSpread) {
		r.spread = append(r.spread, p.spread)
	}
}

// load copies row i to p. Whatever is in a row has points: that p counts is not 0, even
// if the count is not kept.
func (r *rows) load(i int, p *partial) {
	p.count = 1
	if r.parts.has(partCount) {
		p.count = r.count[i]
	}
	if r.parts.has(partSum) {
		p.sum = r.sum[i]
	}
	if r.parts.has(partMin) {
		p.min = r.min[i]
	}
	if r.parts.has(partMax) {
		p.max = r.max[i]
	}
	if r.parts.has(partEnds) {
		p.ends = r.ends[i]
	}
	if r.parts.has(partResets) {
		p.resets = r.resets[i]
	}
	if r.parts.has(partGain) {
		p.gain = r.gain[i]
	}
	if r.parts.has(partSpread) {
		p.spread = r.spread[i]
	}
}

// store copies p to row i, which keeps its window.
func (r *rows) store(i int, p *partial) {
	if r.parts.has(partCount) {
		r.count[i] = p.count
	}
	if r.parts.has(partSum) {
		r.sum[i] = p.sum
	}
	if r.parts.has(partMin) {
		r.min[i] = p.min
	}
	if r.parts.has(partMax) {
		r.max[i] = p.max
	}
	if r.parts.has(partEnds) {
		r.ends[i] = p.ends
	}
	if r.parts.has(partResets) {
		r.resets[i] = p.resets
	}
	if r.parts.has(partGain) {
		r.gain[i] = p.gain
	}
	if r.parts.has(partSpread) {
		r.spread[i] = p.spread
	}
}

// drop takes the first n rows away.
func (r *rows) drop(n int) {
	r.window = slices.Delete(r.window, 0, n)
	r.count = slices.Delete(r.count, 0, r.only(partCount, n))
	r.sum = slices.Delete(r.sum, 0, r.only(partSum, n))
	r.min = slices.Delete(r.min, 0, r.only(partMin, n))
	r.max = slices.Delete(r.max, 0, r.only(partMax, n))
	r.ends = slices.Delete(r.ends, 0, r.only(partEnds, n))
	r.resets = slices.Delete(r.resets, 0, r.only(partResets, n))
	r.gain = slices.Delete(r.gain, 0, r.only(partGain, n))
	r.spread = slices.Delete(r.spread, 0, r.only(partSpread, n))
}

// appendTimes appends the times of the rows' windows.
func (r *rows) appendTimes(dst []int64, w *Windows) []int64 {
	dst = slices.Grow(dst, len(r.window))
	for _, i := range r.window {
		dst = append(dst, w.Time(int(i)))
	}
	return dst
}

// appendValues appends the value of f for each row, NaN where there is none.
func (r *rows) appendValues(dst []float64, f Function) []float64 {
	n := len(r.window)
	dst = slices.Grow(dst, n)
	if !f.Valid() || !r.parts.has(functionParts[f]) {
		for range n {
			dst = append(dst, math.NaN())
		}
		return dst
	}
	switch f {
	case Min:
		return append(dst, r.min...)
	case Max:
		return append(dst, r.max...)
	}
	for i := range n {
		dst = append(dst, r.value(i, f))
	}
	return dst
}

// value returns the value of f in row i. NaN that come of arithmetic have the bits of
// math.NaN(), whichever the processor gave them.
func (r *rows) value(i int, f Function) float64 {
	var v float64
	switch f {
	case Count:
		return float64(r.count[i])
	case First:
		return r.ends[i].first
	case Last:
		return r.ends[i].last
	case Sum:
		v = r.sum[i].value()
	case Avg:
		v = r.sum[i].over(float64(r.count[i]))
	case Stddev:
		v = r.spread[i].deviation()
	case Increase, Rate:
		g := &r.gain[i]
		switch {
		case g.series == 0:
			return math.NaN()
		case f == Increase:
			v = g.increase.value()
		default:
			v = g.rate.value()
		}
	}
	if v != v {
		return math.NaN()
	}
	return v
}
