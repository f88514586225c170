package aggregate

import (
	"math"
	"math/big"
	"testing"
)

// The naive reference: docs/aggregation.md word for word, window by window, with numbers
// that are wide enough to be exact.

type point struct {
	ts int64
	v  float64
}

// answer is the exact value of a function, or a float64 to be met bit by bit.
type answer struct {
	exact   *big.Float // nil: bits
	bits    float64
	slack   float64 // what an error may be, besides 1e-12 of the value
	seconds float64 // of a rate: the least of the times that it is divided by
	present bool
}

func bitsOf(v float64) answer { return answer{bits: v, present: true} }

// wide has a precision in which sums and products of float64 are exact.
func wide(v float64) *big.Float { return new(big.Float).SetPrec(4600).SetFloat64(v) }

func canonical(v float64) float64 {
	if v != v {
		return math.NaN()
	}
	return v
}

// exactSum adds up finite values exactly; others follow IEEE arithmetic.
func exactSum(values []float64) answer {
	special, sum := 0.0, wide(0)
	for _, v := range values {
		if finite(v) {
			sum.Add(sum, wide(v))
		} else {
			special += v
		}
	}
	if special != 0 {
		return bitsOf(canonical(special))
	}
	return answer{exact: sum, present: true}
}

func (a answer) dividedBy(d *big.Float) answer {
	if a.exact != nil {
		a.exact = new(big.Float).SetPrec(4600).Quo(a.exact, d)
	}
	return a
}

// inWindow says by the definition whether a time counts in window i.
func inWindow(w Windows, i int, ts int64) bool {
	t := w.Start + int64(i)*w.Step
	if w.Range > 0 {
		return ts <= t && uint64(t-ts) < uint64(w.Range)
	}
	return ts >= t && ts <= w.End && (w.Step == 0 || uint64(ts-t) < uint64(w.Step))
}

// selected returns the points of a series that count in window i.
func selected(w Windows, i int, series []point) []point {
	var out []point
	for _, p := range series {
		if inWindow(w, i, p.ts) && math.Float64bits(p.v) != 0x7ff0000000000002 {
			out = append(out, p)
		}
	}
	return out
}

// expect returns the value of f over the points of one window, series by series.
func expect(f Function, series [][]point) answer {
	var all []float64
	for _, points := range series {
		for _, p := range points {
			all = append(all, p.v)
		}
	}
	if len(all) == 0 {
		return answer{}
	}
	n := wide(float64(len(all)))
	switch f {
	case Count:
		return bitsOf(float64(len(all)))
	case Sum:
		return exactSum(all)
	case Avg:
		return exactSum(all).dividedBy(n)
	case Min, Max:
		return expectExtreme(f, all)
	case First, Last:
		return expectEnd(f, series)
	case Stddev:
		return expectDeviation(all)
	}
	return expectGain(f, series)
}

func expectExtreme(f Function, all []float64) answer {
	extreme := math.NaN()
	for _, v := range all {
		if v == v && (extreme != extreme || f == Min && v < extreme || f == Max && v > extreme) {
			extreme = v
		}
	}
	return bitsOf(extreme)
}

func expectEnd(f Function, series [][]point) answer {
	var found *point
	for _, points := range series {
		for _, p := range points {
			if found == nil || f == First && p.ts < found.ts || f == Last && p.ts >= found.ts {
				found = &p
			}
		}
	}
	return bitsOf(found.v)
}

// expectDeviation computes the root of (n*sum(v^2) - sum(v)^2) / n^2.
func expectDeviation(all []float64) answer {
	sum, squares, n := wide(0), wide(0), wide(float64(len(all)))
	for _, v := range all {
		if !finite(v) {
			return bitsOf(math.NaN())
		}
		sum.Add(sum, wide(v))
		squares.Add(squares, new(big.Float).SetPrec(4600).Mul(wide(v), wide(v)))
	}
	squares.Mul(squares, n)
	squares.Sub(squares, sum.Mul(sum, sum))
	squares.SetPrec(300)
	squares.Quo(squares, n.Mul(n, n))
	return answer{exact: squares.Sqrt(squares), present: true}
}

func expectGain(f Function, series [][]point) answer {
	var terms, rates []float64
	present, slack, least := false, 0.0, math.Inf(1)
	for _, points := range series {
		var numbers []point
		for _, p := range points {
			if p.v == p.v {
				numbers = append(numbers, p)
			}
		}
		if len(numbers) < 2 {
			continue
		}
		present = true
		first, last := numbers[0], numbers[len(numbers)-1]
		own := []float64{last.v, -first.v}
		for i, p := range numbers[1:] {
			if p.v < numbers[i].v {
				own = append(own, numbers[i].v)
			}
		}
		terms = append(terms, own...)
		seconds := wide(float64(uint64(last.ts-first.ts)) / 1e9)
		least = min(least, float64(uint64(last.ts-first.ts))/1e9)
		rate := exactSum(own).dividedBy(seconds)
		if rate.exact != nil {
			rate.bits, _ = rate.exact.Float64()
		}
		rates = append(rates, rate.bits)
		if finite(rate.bits) && len(series) > 1 {
			slack += 1e-15 * math.Abs(rate.bits)
		}
	}
	if !present {
		return answer{}
	}
	if f == Increase {
		return exactSum(terms)
	}
	a := exactSum(rates)
	a.slack, a.seconds = slack, least
	return a
}

// checkValue compares what was computed with what is right.
func checkValue(t testing.TB, what string, got float64, want answer) {
	t.Helper()
	if want.exact == nil {
		if math.Float64bits(got) != math.Float64bits(want.bits) {
			t.Fatalf("%s: %v (%x), want %v (%x)", what, got, math.Float64bits(got), want.bits, math.Float64bits(want.bits))
		}
		return
	}
	size := new(big.Float).SetPrec(200).Abs(want.exact)
	most := size.Mul(size, wide(1e-12))
	most.Add(most, wide(want.slack)).Add(most, wide(math.SmallestNonzeroFloat64))
	if math.IsInf(got, 0) {
		if v, _ := want.exact.Float64(); v == got {
			return
		}
		got = math.Copysign(math.MaxFloat64, got) // right if the exact value is nearly infinite
	}
	if got != got {
		t.Fatalf("%s: NaN, want %v", what, want.exact)
	}
	off := new(big.Float).SetPrec(4600).Sub(wide(got), want.exact)
	if off.Abs(off).Cmp(most) > 0 {
		t.Fatalf("%s: %v, want %v: off by %v, at most %v", what, got, want.exact.Text('g', 20), off.Text('g', 3), most.Text('g', 3))
	}
}

// results is what a Series and a Group have in common.
type results interface {
	Len() int
	AppendTimes([]int64) []int64
	AppendValues([]float64, Function) []float64
}

// pairSlack is how far a sum of pairs of floats may be off, as a share of the magnitudes of
// what it adds: that counts where these are 10^16 times the result and more.
const pairSlack = 1e-28

// checkResults compares rows with the reference over the given series. Sums may be
// off by slack times the magnitudes of what they add, too.
func checkResults(t testing.TB, what string, got results, w Windows, functions []Function, series [][]point, slack float64) {
	t.Helper()
	times := got.AppendTimes(nil)
	columns := make([][]float64, len(functions))
	for i, f := range functions {
		columns[i] = got.AppendValues(nil, f)
	}
	row := 0
	for i := range w.Len() {
		inside, magnitude := make([][]point, len(series)), 0.0
		for k, points := range series {
			inside[k] = selected(w, i, points)
			for _, p := range inside[k] {
				if finite(p.v) {
					magnitude += (slack + pairSlack) * math.Abs(p.v)
				}
			}
		}
		answers, any := make([]answer, len(functions)), false
		for k, f := range functions {
			answers[k] = expect(f, inside)
			any = any || answers[k].present
		}
		if !any {
			continue
		}
		at := w.Time(i)
		if row >= len(times) || times[row] != at {
			t.Fatalf("%s: no row for window %d at %d in %v", what, i, at, times)
		}
		for k, f := range functions {
			if !answers[k].present {
				answers[k] = bitsOf(math.NaN())
			}
			switch f {
			case Sum, Avg, Increase:
				answers[k].slack += magnitude
			case Rate:
				answers[k].slack += min(magnitude/answers[k].seconds, 0x1p1000)
			}
			checkValue(t, what+" "+f.String()+" at "+big.NewInt(at).String(), columns[k][row], answers[k])
		}
		row++
	}
	if row != len(times) || row != got.Len() {
		t.Fatalf("%s: %d rows, want %d", what, len(times), row)
	}
}

// columns cuts points into columns.
func columns(points []point) (ts []int64, values []float64) {
	for _, p := range points {
		ts, values = append(ts, p.ts), append(values, p.v)
	}
	return ts, values
}

// summarized returns the summary of points, if they have one.
func summarized(points []point) (Summary, bool) {
	s := Summary{Count: len(points)}
	if len(points) == 0 {
		return s, false
	}
	ts, values := columns(points)
	s.FirstTS, s.LastTS, s.First, s.Last = ts[0], ts[len(ts)-1], values[0], values[len(values)-1]
	s.Min, s.Max = values[0], values[0]
	for i, v := range values {
		if !finite(v) {
			return s, false
		}
		if v < s.Min {
			s.Min = v
		}
		if v > s.Max {
			s.Max = v
		}
		if i > 0 && v < values[i-1] {
			s.Drop += values[i-1]
		}
	}
	s.Sum, _ = exactSum(values).exact.Float64()
	return s, finite(s.Sum) && finite(s.Drop)
}
