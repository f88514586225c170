package segment

import (
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"
)

// many returns 64 values that begin with head and end with tail.
func many(head []float64, fill float64, tail ...float64) []float64 {
	out := slices.Clone(head)
	for len(out)+len(tail) < minStatsPoints {
		out = append(out, fill)
	}
	return append(out, tail...)
}

func TestStats(t *testing.T) {
	negativeZero := math.Copysign(0, -1)
	cases := map[string]struct {
		values []float64
		want   Stats
		ok     bool
	}{
		"too few":              {many(nil, 1)[1:], Stats{}, false},
		"constant":             {many(nil, 2), Stats{Min: 2, Max: 2, First: 2, Last: 2, Sum: 128}, true},
		"a counter with reset": {many([]float64{1, 5, 9}, 9, 2, 3), Stats{Min: 1, Max: 9, First: 1, Last: 3, Sum: 6 + 60*9 + 5, Drop: 9}, true},
		"two resets":           {many([]float64{7, 3}, 3, 9, 4), Stats{Min: 3, Max: 9, First: 7, Last: 4, Sum: 7 + 61*3 + 13, Drop: 16}, true},
		"cancels":              {many([]float64{1, 1e100, 1}, 0, -1e100), Stats{Min: -1e100, Max: 1e100, First: 1, Last: -1e100, Sum: 2, Drop: 1e100}, true},
		"0 before -0":          {many([]float64{0}, negativeZero), Stats{First: 0, Last: negativeZero}, true},
		"-0 before 0":          {many([]float64{negativeZero}, 0), Stats{Min: negativeZero, Max: negativeZero, First: negativeZero}, true},
		"a NaN":                {many([]float64{1, math.NaN()}, 1), Stats{}, false},
		"NaN first":            {many([]float64{math.NaN()}, 1), Stats{}, false},
		"NaN last":             {many(nil, 1, math.NaN()), Stats{}, false},
		"infinity":             {many([]float64{1, math.Inf(1)}, 1), Stats{}, false},
		"infinity first":       {many([]float64{math.Inf(-1)}, 1), Stats{}, false},
		"both infinities":      {many([]float64{math.Inf(-1), math.Inf(1)}, 1), Stats{}, false},
		"sum overflows":        {many([]float64{math.MaxFloat64, math.MaxFloat64}, 0), Stats{}, false},
		"sum comes back":       {many([]float64{math.MaxFloat64, math.MaxFloat64, -math.MaxFloat64}, 0), Stats{}, false},
		"drop overflows":       {many([]float64{math.MaxFloat64, -1, math.MaxFloat64, -math.MaxFloat64}, 0), Stats{}, false},
	}
	for name, c := range cases {
		got, ok := statsOf(c.values)
		if ok != c.ok || !got.same(&c.want) {
			t.Errorf("%s: %+v, %t, want %+v", name, got, ok, c.want)
		}
	}
}

// The sum is as good as one of twice the precision.
func TestStatsSum(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		values := make([]float64, 64+rng.IntN(500))
		exact := new(big.Float).SetPrec(2000)
		for i := range values {
			values[i] = rng.NormFloat64() * math.Pow(10, float64(rng.IntN(12)))
			exact.Add(exact, big.NewFloat(values[i]))
		}
		want, _ := exact.Float64()
		s, ok := statsOf(values)
		if !ok || math.Abs(s.Sum-want) > 1e-15*math.Abs(want)+1e-9 || s.Min != slices.Min(values) || s.Max != slices.Max(values) {
			t.Fatalf("%+v, %t, sum should be %v", s, ok, want)
		}
	}
}
