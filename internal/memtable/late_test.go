package memtable

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/sydradb/sydradb/internal/base"
)

// rowsOf makes rows of series 0 whose values tell the order of arrival.
func rowsOf(ts ...int64) []base.Row {
	rows := make([]base.Row, len(ts))
	for i, t := range ts {
		rows[i] = base.Row{TS: t, Value: float64(i)}
	}
	return rows
}

func TestLateOrders(t *testing.T) {
	const all = math.MaxInt64
	for _, c := range []struct {
		name       string
		ts         []int64
		start, end int64
		late       bool
		wantTS     []int64
		wantValues []float64
	}{
		{"in order", []int64{1, 2, 3, 4}, -all, all, false, []int64{1, 2, 3, 4}, []float64{0, 1, 2, 3}},
		{"limits", []int64{base.MinTime, base.MaxTime}, base.MinTime, base.MaxTime, false,
			[]int64{base.MinTime, base.MaxTime}, []float64{0, 1}},
		{"limits, late", []int64{base.MaxTime, base.MinTime}, base.MinTime, base.MaxTime, true,
			[]int64{base.MinTime, base.MaxTime}, []float64{1, 0}},
		{"all equal", []int64{5, 5, 5}, -all, all, true, []int64{5}, []float64{2}},
		{"descending", []int64{5, 4, 3, 2, 1}, -all, all, true, []int64{1, 2, 3, 4, 5}, []float64{4, 3, 2, 1, 0}},
		{"one in the far future first", []int64{99, 1, 2, 3}, -all, 50, true, []int64{1, 2, 3}, []float64{1, 2, 3}},
		{"overwrites", []int64{1, 2, 3, 2, 4, 2}, -all, all, true, []int64{1, 2, 3, 4}, []float64{0, 5, 2, 4}},
		{"overwrite of the first", []int64{1, 2, 3, 1}, -all, all, true, []int64{1, 2, 3}, []float64{3, 1, 2}},
		{"overwrite across chunks", []int64{1, 2, 3, 3}, -all, all, true, []int64{1, 2, 3}, []float64{0, 1, 3}},
		{"late at the start of a chunk", []int64{1, 2, 4, 3}, -all, all, true, []int64{1, 2, 3, 4}, []float64{0, 1, 3, 2}},
		{"inclusive range", []int64{1, 2, 3, 4}, 2, 3, false, []int64{2, 3}, []float64{1, 2}},
		{"inclusive range, late", []int64{4, 3, 2, 1}, 2, 3, true, []int64{2, 3}, []float64{2, 1}},
		{"between points", []int64{1, 9}, 2, 8, false, nil, nil},
		{"before", []int64{5, 6}, 1, 4, false, nil, nil},
		{"after", []int64{5, 6}, 7, 9, false, nil, nil},
		{"empty range", []int64{1, 2, 3}, 3, 1, false, nil, nil},
		{"empty range, late", []int64{3, 2, 1}, 3, 1, true, nil, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			tab := New(NewSlabs(0))
			tab.Apply(rowsOf(c.ts...))
			p, ok := tab.Position(0)
			if !ok || p.late() != c.late || count(p) != len(c.ts) {
				t.Fatalf("Position: %v, late %v, count %d", ok, p.late(), count(p))
			}
			if first, last, ok := tab.Snapshot().Bounds(p); !ok || first != slices.Min(c.ts) || last != slices.Max(c.ts) {
				t.Errorf("bounds %d, %d, %v", first, last, ok)
			}
			dst := Columns{TS: []int64{-7}, Values: []float64{-7}}
			tab.Snapshot().AppendRange(&dst, p, c.start, c.end)
			if !slices.Equal(dst.TS, append([]int64{-7}, c.wantTS...)) ||
				!slices.Equal(dst.Values, append([]float64{-7}, c.wantValues...)) {
				t.Errorf("got %v %v, want %v %v behind -7", dst.TS, dst.Values, c.wantTS, c.wantValues)
			}
			if got := tab.Snapshot().Contains(p, c.start, c.end); got != (len(c.wantTS) > 0) {
				t.Errorf("Contains = %v", got)
			}
		})
	}
}

func TestSortIsStable(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	shapes := map[string]func(i, n int) int64{
		"random":      func(i, n int) int64 { return rng.Int64N(int64(n)*4 + 1) },
		"few":         func(i, n int) int64 { return rng.Int64N(3) },
		"ascending":   func(i, n int) int64 { return int64(i) },
		"descending":  func(i, n int) int64 { return int64(-i) },
		"stairs down": func(i, n int) int64 { return int64(-i / 2) },
		"saw":         func(i, n int) int64 { return int64(i % 30) },
		"near":        func(i, n int) int64 { return int64(i) - rng.Int64N(40) },
	}
	for name, ts := range shapes {
		t.Run(name, func(t *testing.T) {
			var l lateSorter
			for _, n := range []int{1, 2, 3, minRun, minRun + 1, 25, 36, 100, 1000} {
				l.rest = l.rest[:0]
				for i := range n {
					l.rest = append(l.rest, cell{ts(i, n), uint64(i)})
				}
				want := slices.Clone(l.rest)
				slices.SortStableFunc(want, func(a, b cell) int { return cmp.Compare(a.ts, b.ts) })
				l.sort()
				if !slices.Equal(l.rest, want) {
					t.Fatalf("%d cells: got %v, want %v", n, l.rest, want)
				}
			}
		})
	}
}
