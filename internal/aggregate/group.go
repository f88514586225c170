package aggregate

import (
	"math"
	"slices"
)

// Group aggregates several series into one: its rows are over the points of all of them.
// Where it matters which series comes first, that is the order of Add. The zero Group is
// ready for Reset, and its memory serves any number of groups. It belongs to one
// goroutine.
type Group struct {
	windows Windows
	rows    rows
	since   int64
}

// Reset forgets all series. w must be valid.
func (g *Group) Reset(w *Windows, functions []Function) {
	g.windows, g.since = *w, math.MaxInt64
	g.rows.reset(partsOf(functions))
}

// Add adds the rows of s, which has the windows and functions of g. No points may be added
// to s any more before its next Reset; it may be Reset at once.
func (g *Group) Add(s *Series) {
	s.complete()
	g.rows.join(&s.rows)
	g.since = min(g.since, s.since)
}

// Merge adds the rows of o, which has the windows and functions of g and series that come
// after those of g. So several goroutines may work on one group.
func (g *Group) Merge(o *Group) {
	g.rows.join(&o.rows)
	g.since = min(g.since, o.since)
}

// Len returns the number of rows: of windows that have a value.
func (g *Group) Len() int { return g.rows.len() }

// Since returns the time of the first point that a window has, math.MaxInt64 if none has any.
func (g *Group) Since() int64 { return g.since }

// AppendTimes appends the times of the rows to dst, ascending.
func (g *Group) AppendTimes(dst []int64) []int64 { return g.rows.appendTimes(dst, &g.windows) }

// AppendValues appends the value of f in each row to dst, as that of a Series does.
func (g *Group) AppendValues(dst []float64, f Function) []float64 {
	return g.rows.appendValues(dst, f)
}

// join merges the rows of o, of windows of the same parts, into r. It goes from the end to
// the beginning, in place, and stops where no more is to be moved or merged.
func (r *rows) join(o *rows) {
	i, j := r.len(), o.len()
	r.resize(i + r.missing(o))
	var p, q partial
	for k := r.len() - 1; j > 0; k-- {
		if i > 0 && r.window[i-1] >= o.window[j-1] {
			i--
			r.window[k] = r.window[i]
			if r.window[i] > o.window[j-1] && i == k {
				continue
			}
			r.load(i, &p)
			if r.window[i] == o.window[j-1] {
				j--
				o.load(j, &q)
				p.merge(&q, r.parts)
			}
		} else {
			j--
			r.window[k] = o.window[j]
			o.load(j, &p)
		}
		r.store(k, &p)
	}
}

// missing returns how many windows of o are not among those of r.
func (r *rows) missing(o *rows) int {
	n, i := 0, 0
	for _, w := range o.window {
		if i < len(r.window) && r.window[i] == w {
			i++
			continue
		}
		at, found := slices.BinarySearch(r.window[i:], w)
		i += at
		if !found {
			n++
		}
	}
	return n
}
