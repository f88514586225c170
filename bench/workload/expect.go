package workload

import (
	"cmp"
	"slices"

	"github.com/sydradb/sydradb/bench/engine"
)

// Column is what must be stored of one series: ascending times, and at each the value
// that was written last.
type Column struct {
	Times  []int64
	Values []float64
	// Old are the values that were written over, by time; nil if there are none.
	Old map[int64][]float64
}

// Expect returns what must be stored after the stream, by series, and how many of the
// points were rewrites.
func (w *Workload) Expect() (columns []Column, rewrites int64) {
	columns = make([]Column, w.Series)
	per := int(w.Points)/w.Series + 1
	s := w.Open()
	for points := s.Next(nil); len(points) > 0; points = s.Next(points[:0]) {
		for _, p := range points {
			c := &columns[p.Series]
			if c.Times == nil {
				c.Times, c.Values = make([]int64, 0, per), make([]float64, 0, per)
			}
			c.Times, c.Values = append(c.Times, p.TS), append(c.Values, p.Value)
		}
	}
	for i := range columns {
		rewrites += columns[i].settle()
	}
	return columns, rewrites
}

// settle sorts a column by time and keeps the last value of each; it returns how many
// were written over.
func (c *Column) settle() (rewrites int64) {
	if ascending(c.Times) {
		return 0
	}
	points := make([]engine.Point, len(c.Times))
	for i, ts := range c.Times {
		points[i] = engine.Point{TS: ts, Value: c.Values[i]}
	}
	slices.SortStableFunc(points, func(a, b engine.Point) int { return cmp.Compare(a.TS, b.TS) })
	c.Times, c.Values = c.Times[:0], c.Values[:0]
	for i, p := range points {
		if i+1 < len(points) && points[i+1].TS == p.TS {
			if c.Old == nil {
				c.Old = map[int64][]float64{}
			}
			c.Old[p.TS] = append(c.Old[p.TS], p.Value)
			rewrites++
			continue
		}
		c.Times, c.Values = append(c.Times, p.TS), append(c.Values, p.Value)
	}
	return rewrites
}

// ascending reports whether no time is equal to or less than the one before.
func ascending(times []int64) bool {
	for i := 1; i < len(times); i++ {
		if times[i] <= times[i-1] {
			return false
		}
	}
	return true
}
