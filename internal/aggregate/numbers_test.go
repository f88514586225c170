package aggregate

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

var everyFunction = []Function{Count, Sum, Avg, Min, Max, First, Last, Stddev, Increase, Rate}

// Columns of several chunks, with everything that sends the fast loops the slow way.
func TestLongColumns(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	const n = 5000
	for name, value := range map[string]func(i int, prev float64) float64{
		"walk":       func(_ int, prev float64) float64 { return prev + r.NormFloat64() },
		"noise":      func(int, float64) float64 { return r.NormFloat64() },
		"counter":    func(i int, prev float64) float64 { return max(0, prev*float64(min(1, i%700))) + r.Float64() },
		"NaN":        func(i int, _ float64) float64 { return []float64{float64(i), nan, stale}[max(0, r.IntN(300)-297)] },
		"all NaN":    func(int, float64) float64 { return nan },
		"all stale":  func(int, float64) float64 { return stale },
		"zeros":      func(int, float64) float64 { return []float64{0, minus0}[r.IntN(2)] },
		"one value":  func(int, float64) float64 { return 0.1 },
		"far mean":   func(int, float64) float64 { return 1e15 + float64(r.IntN(2)) },
		"one ulp":    func(i int, _ float64) float64 { return 0.7 + float64(i/(n-1))*0x1p-53 },
		"huge":       func(int, float64) float64 { return r.NormFloat64() * 1e307 },
		"overflow":   func(int, float64) float64 { return r.Float64() * math.MaxFloat64 },
		"tiny":       func(int, float64) float64 { return r.NormFloat64() * 1e-307 },
		"tiny steps": func(int, float64) float64 { return 1e-200 * (1 + float64(r.IntN(3))*0x1p-52) },
		"late inf":   func(i int, _ float64) float64 { return []float64{1, inf}[i/(n-1)] },
		"wide":       func(int, float64) float64 { return math.Ldexp(r.Float64()-0.5, r.IntN(2000)-1000) },
		"cancelling": func(i int, prev float64) float64 { return []float64{1e17 * r.Float64(), -prev + 0.1}[i%2] },
		"decreasing": func(i int, _ float64) float64 { return 0.1 * float64(n-i) },
	} {
		t.Run(name, func(t *testing.T) {
			var points []point
			v := 0.0
			for i := range n {
				v = value(i, v)
				points = append(points, point{int64(i) * 1e9, v})
			}
			for _, w := range []Windows{{End: n * 1e9}, {End: n * 1e9, Step: 1500e9}, {End: n * 1e9, Step: 800e9, Range: 2000e9}} {
				for _, piece := range []int{n, 700} {
					var s Series
					s.Reset(&w, everyFunction)
					for at := 0; at < n; at += piece {
						s.AddColumns(columns(points[at:min(n, at+piece)]))
					}
					checkResults(t, fmt.Sprintf("%+v in pieces of %d", w, piece), &s, w, everyFunction, [][]point{points}, 0)
				}
			}
		})
	}
}

// A deviation, a sum and an average are as right after a million merges as after one.
func TestManyMerges(t *testing.T) {
	const n = 1 << 20
	w := Windows{End: n}
	functions := []Function{Stddev, Sum, Avg}
	for name, c := range map[string]struct {
		even, odd          float64
		deviation, average float64
	}{
		"far from zero":  {1e12 + 1, 1e12 - 1, 1, 1e12},
		"one ulp apart":  {1e9, 1e9 + 0x1p-23, 0x1p-24, 1e9 + 0x1p-24},
		"tenths":         {0.1, 0.3, 0.1, 0.2},
		"about the mean": {-1e300, 1e300, 1e300, 0},
	} {
		for _, piece := range []int{1, 2} {
			var s Series
			s.Reset(&w, functions)
			ts, values := []int64{0, 1}, []float64{c.even, c.odd}
			for ts[0] < n {
				s.AddColumns(ts[:piece], values[:piece])
				ts[0], ts[1] = ts[0]+int64(piece), ts[1]+int64(piece)
				if piece == 1 {
					values[0], values[1] = values[1], values[0]
				}
			}
			for f, want := range map[Function]float64{Stddev: c.deviation, Avg: c.average, Sum: c.average * n} {
				if got := s.AppendValues(nil, f)[0]; math.Abs(got-want) > 1e-12*math.Abs(want) {
					t.Errorf("%s, %d points at a time: %v is %v, want %v, off by %g", name, piece, f, got, want, got/want-1)
				}
			}
		}
	}
}

// One value of hundreds is off by the least that there is.
func TestLeastDeviation(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 5))
	for range 300 {
		values := make([]float64, 500+r.IntN(500))
		base := 0.5 + r.Float64()/2
		for i := range values {
			values[i] = base
		}
		values[r.IntN(len(values))] += 0x1p-53
		s := spreadOf(values, roughSum(values))
		checkValue(t, fmt.Sprintf("%d times %v", len(values), base), s.deviation(), expectDeviation(values))
	}
}

// Two large values cancel, wherever they are, and what is left is the sum of the others.
func TestCancellation(t *testing.T) {
	values := make([]float64, 19)
	for i := range values {
		for j := range values {
			for k := range values {
				values[k] = 0.1 * float64(k+1)
			}
			values[i], values[j] = 1e25, -1e25
			s := sumOf(values)
			checkValue(t, fmt.Sprintf("large at %d and %d", i, j), s.value(), exactSum(values))
		}
	}
}

// Nothing that has left a window has left anything behind.
func TestSlidingForgets(t *testing.T) {
	w := Windows{End: 999, Step: 1, Range: 5}
	for _, old := range []float64{nan, inf, math.MaxFloat64, 1e100} {
		var points []point
		for i := range int64(1000) {
			v := 0.1
			if i == 500 {
				v = old
			}
			points = append(points, point{i, v})
		}
		var s Series
		s.Reset(&w, everyFunction)
		s.AddColumns(columns(points))
		checkResults(t, fmt.Sprint("after ", old), &s, w, everyFunction, [][]point{points}, 0)
	}
}

// In used memory nothing is allocated.
func TestNoAllocations(t *testing.T) {
	ts, values := walk(4096, false)
	values[77] = nan
	end := ts[len(ts)-1]
	times, column := make([]int64, 0, 8192), make([]float64, 0, 8192)
	for _, w := range []Windows{{End: end}, {End: end, Step: 7 * interval}, {End: end, Step: interval, Range: 20 * interval}} {
		var s Series
		var g Group
		m := Summary{Count: 1, FirstTS: end, LastTS: end}
		run := func() {
			g.Reset(&w, everyFunction)
			for range 2 {
				s.Reset(&w, everyFunction)
				s.AddColumns(ts[:4000], values[:4000])
				s.AddColumns(ts[4000:4095], values[4000:4095])
				s.AddSummary(&m)
				g.Add(&s)
			}
			times = g.AppendTimes(times[:0])
			column = g.AppendValues(column[:0], Avg)
		}
		run()
		if n := testing.AllocsPerRun(3, run); n > 0 {
			t.Errorf("%+v: %v allocations", w, n)
		}
	}
}
