package race

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/sydradb/sydradb/bench/engine"
	"github.com/sydradb/sydradb/bench/workload"
)

// Faults counts what is wrong with what an engine stored.
type Faults struct {
	Points     int64 `json:"points"`     // that should be there
	Rewrites   int64 `json:"rewrites"`   // points that were written over
	Rejected   int64 `json:"rejected"`   // that Write refused
	Lost       int64 `json:"lost"`       // should be there and are not, rejected ones included
	Extra      int64 `json:"extra"`      // at times at which nothing was written
	Duplicates int64 `json:"duplicates"` // more than one at a time
	Inexact    int64 `json:"inexact"`    // with other bits than any value written
	Stale      int64 `json:"stale"`      // with a value that was written over
}

// Any reports whether there is any.
func (f *Faults) Any() bool {
	return f.Rejected+f.Lost+f.Extra+f.Duplicates+f.Inexact+f.Stale > 0
}

// verify reads every point back and compares it with the stream.
func (w *worker) verify() error { return w.opened(w.readBack) }

func (w *worker) readBack(e engine.Engine) error {
	columns, rewrites := w.work.Expect()
	f := w.faults()
	f.Rewrites = rewrites
	seen := make([]bool, len(columns))
	var wrong error
	err := e.Read(func(series int, times []int64, values []float64) {
		switch {
		case len(times) != len(values):
			wrong = fmt.Errorf("series %d: %d times and %d values", series, len(times), len(values))
		case series < 0 || series >= len(columns):
			f.Extra += int64(len(times))
		case seen[series]:
			f.Duplicates += int64(len(times))
		default:
			seen[series] = true
			f.column(&columns[series], times, values)
		}
	})
	for i, found := range seen {
		if !found {
			f.column(&columns[i], nil, nil)
		}
	}
	return errors.Join(err, wrong)
}

// column counts the faults of a series.
func (f *Faults) column(want *workload.Column, times []int64, values []float64) {
	f.Points += int64(len(want.Times))
	if !slices.IsSorted(times) {
		times, values = sorted(times, values)
	}
	next := 0 // in want
	for i, ts := range times {
		for next < len(want.Times) && want.Times[next] < ts {
			f.Lost++
			next++
		}
		switch {
		case next < len(want.Times) && want.Times[next] == ts:
			f.value(want, next, values[i])
			next++
		case i > 0 && times[i-1] == ts:
			f.Duplicates++
		default:
			f.Extra++
		}
	}
	f.Lost += int64(len(want.Times) - next)
}

// value compares the value at one time.
func (f *Faults) value(want *workload.Column, i int, got float64) {
	bits := math.Float64bits(got)
	if bits == math.Float64bits(want.Values[i]) {
		return
	}
	same := func(old float64) bool { return math.Float64bits(old) == bits }
	if slices.ContainsFunc(want.Old[want.Times[i]], same) {
		f.Stale++
		return
	}
	f.Inexact++
}

// sorted returns columns in the order of their times.
func sorted(times []int64, values []float64) ([]int64, []float64) {
	order := make([]int, len(times))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return int(times[a] - times[b]) })
	ts, vs := make([]int64, len(times)), make([]float64, len(times))
	for i, j := range order {
		ts[i], vs[i] = times[j], values[j]
	}
	return ts, vs
}
