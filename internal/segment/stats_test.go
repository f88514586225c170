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

// What the terms of a drop lose in being added is made good, but not in codec 1.
func TestDropIsExact(t *testing.T) {
	values := many([]float64{1e16, 3, 2, 3}, 2)
	want := Stats{Min: 2, Max: 1e16, First: 1e16, Last: 2, Sum: 1e16 + 128, Drop: 1e16 + 6}
	if got, ok := statsOf(values); !ok || got != want {
		t.Errorf("%+v, %t", got, ok)
	}
	want.Drop = 1e16 + 8 // each addition rounds up to an even number
	if got, ok := statsOf1(values); !ok || got != want {
		t.Errorf("in codec 1: %+v, %t", got, ok)
	}
	if _, ok := statsOf1(many(nil, 1)[1:]); ok {
		t.Error("too few values have statistics in codec 1")
	}
}

func TestStatsForms(t *testing.T) {
	cases := map[string]struct {
		stats    Stats
		exponent int
		want     byte
		bytes    int
	}{
		"zeros":            {Stats{}, 0, statsDecimal, 7},
		"integers":         {Stats{-1, 2, 0, 1, 63, 64}, 0, statsDecimal, 8},
		"hundredths":       {Stats{-0.01, 0.02, 0.63, 0, 0.1, 99.99}, 2, statsDecimal, 9},
		"largest":          {Stats{Sum: maxDecimal}, 0, statsDecimal, 14},
		"larger":           {Stats{Sum: maxDecimal + 2}, 0, statsRaw, 48},
		"product overflow": {Stats{Sum: 1e300}, 14, statsRaw, 48},
		"negative zero":    {Stats{Min: math.Copysign(0, -1)}, 2, statsRaw, 48},
		"one digit more":   {Stats{Max: 0.123}, 2, statsRaw, 48},
		"an ulp off":       {Stats{Sum: math.Nextafter(0.3, 1)}, 1, statsRaw, 48},
		"no exponent":      {Stats{Max: 1}, -1, statsRaw, 48},
		"all of 8 bytes":   {Stats{1 << 52, 1 << 52, 1 << 52, 1 << 52, 1 << 52, 1 << 52}, 0, statsRaw, 48},
	}
	for name, c := range cases {
		data, form := appendStats([]byte{0xaa}, &c.stats, c.exponent)
		if form != c.want || len(data) != 1+c.bytes {
			t.Errorf("%s: form %d of %d bytes, want %d of %d", name, form, len(data)-1, c.want, c.bytes)
		}
		b := PackBlock{Count: minStatsPoints}
		r := cursor{data: data, pos: 1}
		if err := b.decodeStats(&r, form); err != nil || r.pos != len(data) || !b.HasStats || !b.Stats.same(&c.stats) {
			t.Errorf("%s: %+v, error %v", name, b, err)
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
