package codec

import (
	"errors"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
)

// Numbers at both ends of int64, with differences that wrap around and distances of up to
// 64 bits, in every kind.
func TestExtremes(t *testing.T) {
	rng := rand.New(rand.NewPCG(11, 12))
	var d Decoder
	encoders := []Encoder{{Policy: Fast}, {Policy: Balanced}}
	rounds := 3000
	if testing.Short() {
		rounds = 300
	}
	for round := range rounds {
		ts := make([]int64, 1+rng.IntN(200))
		for i := range ts {
			switch rng.IntN(6) {
			case 0:
				ts[i] = math.MinInt64 + rng.Int64N(3)
			case 1:
				ts[i] = math.MaxInt64 - rng.Int64N(3)
			case 2:
				ts[i] = int64(rng.Uint64())
			case 3:
				ts[i] = int64(rng.Uint64()) >> rng.IntN(64)
			default:
				if i > 0 {
					ts[i] = ts[i-1]
				}
			}
		}
		v := make([]float64, len(ts))
		for i := range v {
			v[i] = math.Float64frombits(uint64(ts[i]))
		}
		for i := range encoders {
			e := &encoders[i]
			encoded, _ := e.AppendTimestamps(nil, 2, ts)
			got := make([]int64, len(ts))
			if rest, err := d.Timestamps(got, 2, encoded, 0); err != nil || len(rest) > 0 || !slices.Equal(got, ts) {
				t.Fatalf("round %d: %v, want %v, error %v", round, got, ts, err)
			}
			encoded, _ = e.AppendValues(nil, 2, v)
			gotV := make([]float64, len(v))
			if rest, err := d.Values(gotV, 2, encoded); err != nil || len(rest) > 0 || !sameBits(gotV, v) {
				t.Fatalf("round %d: %x, want %x, error %v", round, gotV, v, err)
			}
			if most := 9*len(v) + 16; len(encoded) > most {
				t.Fatalf("round %d: %d values take %d bytes, more than %d", round, len(v), len(encoded), most)
			}
		}
	}
}

// A bin holds at most 63 bits of distance: residuals at both ends of int64 are coded in
// bins of their own.
func TestBinsThatWouldSpanAll(t *testing.T) {
	ts := make([]int64, 400)
	for i := range ts {
		switch i % 4 {
		case 0:
			ts[i] = math.MinInt64 + int64(i*i%7)
		case 1:
			ts[i] = math.MaxInt64 - int64(i*i%11)
		}
	}
	encoded := variant{2, Balanced}.timestamps(t, ts)
	if encoded[0]&3 != kindCoded {
		t.Fatalf("not coded: %x", encoded[0])
	}
	got := make([]int64, len(ts))
	if _, err := decodeColumnTS(got, 2, encoded, 0); err != nil || !slices.Equal(got, ts) {
		t.Errorf("%v, error %v", got, err)
	}
}

func TestHalvedKeepsApart(t *testing.T) {
	got := halved([]class{
		{low: math.MinInt64, high: math.MinInt64 + 1, count: 1, last: 0},
		{low: 5, high: 6, count: 2, last: 3},
		{low: 7, high: 9, count: 4, last: 5},
		{low: math.MaxInt64, high: math.MaxInt64, count: 8, last: 9},
	})
	want := []class{
		{low: math.MinInt64, high: math.MinInt64 + 1, count: 1, last: 0},
		{low: 5, high: 9, count: 6, last: 5},
		{low: math.MaxInt64, high: math.MaxInt64, count: 8, last: 9},
	}
	if !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// More classes than are merged into bins, and widths that take two loads for a residual.
func TestCodedOfEveryWidth(t *testing.T) {
	rng := rand.New(rand.NewPCG(13, 14))
	for width := range 64 {
		ts := make([]int64, 1001)
		for i := range ts {
			// Most are near, so that it pays.
			ts[i] = rng.Int64N(4)
			if i%10 == 0 {
				ts[i] = int64(rng.Uint64() >> rng.IntN(width+1) >> (63 - width))
			}
		}
		encoded := variant{2, Balanced}.timestamps(t, ts)
		if width > 8 && encoded[0]&3 != kindCoded {
			t.Errorf("%d bits: not coded, %x", width, encoded[0])
		}
		for _, behind := range behinds {
			got := make([]int64, len(ts))
			if _, err := decodeColumnTS(got, 2, append(slices.Clip(encoded), behind...), 0); err != nil || !slices.Equal(got, ts) {
				t.Fatalf("%d bits: %v, error %v", width, got, err)
			}
		}
	}
}

// Numbers too far apart are not divided, whatever they have in common.
// Noise around zero has nearly all bits of two ranges that lie far apart: packed it takes
// more than it has, and bins whose places take 7 bytes each are not to be many.
func TestNoiseAroundZeroIsCoded(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	v := make([]float64, 360)
	for i := range v {
		v[i] = rng.NormFloat64()
	}
	for policy, limits := range map[Policy][2]float64{Fast: {8, 8.2}, Balanced: {7, 7.2}} {
		e := Encoder{Policy: policy}
		encoded, err := e.AppendValues(nil, ValuesStream, v)
		if size := float64(len(encoded)) / float64(len(v)); err != nil || size < limits[0] || size > limits[1] {
			t.Errorf("policy %d: %.3f bytes a point, error %v", policy, size, err)
		}
	}
}

func TestCommonFactor(t *testing.T) {
	for _, c := range []struct {
		numbers []int64
		want    uint64
	}{
		{[]int64{5, 5, 11, 17}, 6},
		{[]int64{11, 5, 17}, 6},
		{[]int64{0, 4, 6}, 2},
		{[]int64{0, 1 << 61, -1 << 61}, 0},
		{[]int64{0, 1 << 61, -1 << 60}, 1 << 60},
		{[]int64{math.MinInt64, math.MaxInt64, math.MinInt64 + 5}, 0},
		{[]int64{math.MinInt64, math.MinInt64 + 10, math.MinInt64 + 25}, 5},
		{[]int64{math.MaxInt64, math.MaxInt64 - 10, math.MaxInt64 - 25}, 5},
		{[]int64{0, 3, 4, 8}, 0},
		{[]int64{7, 7, 7}, 0},
		{[]int64{7, 7, 19, 7, 7 + 12<<40}, 12},
		{[]int64{1e18, 1e18 + 1e6, 1e18 + 3e9, 1e18 - 7e6}, 1e6},
		{[]int64{0, 1 << 40, 3 << 50, 5 << 41}, 1 << 40},
		{[]int64{0, 1<<61 - 1, 0}, 1<<61 - 1},
	} {
		got := commonFactor(c.numbers)
		if got == 1 {
			got = 0
		}
		if got != c.want {
			t.Errorf("%v: %d, want %d", c.numbers, got, c.want)
		}
		if got == 0 {
			continue
		}
		quotients := make([]int64, len(c.numbers))
		divide(quotients, c.numbers, got)
		for i, q := range quotients {
			if want := (c.numbers[i] - c.numbers[0]) / int64(got); q != want {
				t.Errorf("%v over %d: %v, number %d should be %d", c.numbers, got, quotients, i, want)
			}
		}
	}
}

func TestDecimal(t *testing.T) {
	for _, c := range []struct {
		v        float64
		exponent int
		n        int64
		ok       bool
	}{
		{0, 0, 0, true},
		{24.2, 1, 242, true},
		{-24.2, 1, -242, true},
		{24.2, 0, 24, false},
		{0.30000000000000004, 14, 30000000000000, false},
		{math.Copysign(0, -1), 0, 0, false},
		{math.Copysign(0, -1), 14, 0, false},
		{1 << 62, 0, 1 << 62, true},
		{9e18, 0, 0, false},
		{math.Nextafter(9e18, 0), 0, 8999999999999998976, true},
		{1 << 63, 0, 0, false},
		{-1 << 63, 0, 0, false},
		{1e300, 14, 0, false},
		{math.MaxFloat64, 14, 0, false},
		{math.NaN(), 3, 0, false},
		{math.Inf(-1), 3, 0, false},
	} {
		n, ok := decimal(c.v, c.exponent)
		if ok != c.ok || ok && n != c.n {
			t.Errorf("%v over 10^%d: %d %v, want %d %v", c.v, c.exponent, n, ok, c.n, c.ok)
		}
	}
	for _, c := range []struct {
		v    float64
		from int
		e    int
		ok   bool
	}{
		{5, 0, 0, true},
		{5, 2, 2, true},
		{0.125, 0, 3, true},
		{1e-14, 0, 14, true},
		{1e-15, 0, 0, false},
		{1 << 62, 0, 0, true},
		{90071992547409.93, 0, 0, false}, // above 2^53 at exponent 2
		{math.NaN(), 0, 0, false},
		{math.Inf(1), 0, 0, false},
	} {
		if e, ok := leastExponent(c.v, c.from); ok != c.ok || ok && e != c.e {
			t.Errorf("exponent of %v from %d: %d %v, want %d %v", c.v, c.from, e, ok, c.e, c.ok)
		}
	}
}

func TestExponent(t *testing.T) {
	nan := math.NaN()
	for _, c := range []struct {
		v        []float64
		exponent int
		ok       bool
	}{
		{[]float64{3.5, 3.5}, 1, true},
		{[]float64{1, 2, 4}, 0, true},
		{[]float64{1.25, 2, nan, 4}, 2, true},
		{[]float64{1.5, 1.6, 1.7}, 1, true}, // by multiplications
		{[]float64{math.Pi, math.E}, 0, false},
		{[]float64{math.Pi, math.Pi}, 0, false},
		{nil, 0, false},
	} {
		encoded := variant{2, Fast}.values(t, c.v)
		if e, ok := Exponent(ValuesStream, encoded); e != c.exponent || ok != c.ok {
			t.Errorf("%v: %d %v, want %d %v", c.v, e, ok, c.exponent, c.ok)
		}
	}
	if _, ok := Exponent(ValuesXOR, variant{2, Fast}.values(t, []float64{1, 2})); ok {
		t.Error("codec 1 has an exponent")
	}
	if _, ok := Exponent(ValuesStream, []byte{modeDecimal, 15, 0, 0}); ok {
		t.Error("an exponent that the decoder refuses")
	}
}

// Columns at the limits of what is tried as decimals.
func TestExceptions(t *testing.T) {
	for _, c := range []struct {
		n, odd int
		mode   byte
	}{
		{120, 0, modeDecimal},
		{120, 12, modeDecimal | exceptionFlag},
		{120, 13, modeOrdered},
		{3, 2, modeDecimal | exceptionFlag},
	} {
		v := make([]float64, c.n)
		for i := range v {
			v[i] = float64(i) / 10
			if i < c.odd {
				// One number, then another: no two in a row are the same.
				v[i] = math.Float64frombits(0x7ff8000000000000 + uint64(i))
			}
		}
		encoded := variant{2, Fast}.values(t, v)
		got := make([]float64, c.n)
		if _, err := decodeColumn(got, 2, encoded); err != nil || !sameBits(got, v) || encoded[0] != c.mode {
			t.Errorf("%d of %d: mode %d, want %d, error %v", c.odd, c.n, encoded[0], c.mode, err)
		}
	}
}

// Two multiplications are promised only where they give all bits of all values.
func TestQuickIsExact(t *testing.T) {
	rng := rand.New(rand.NewPCG(15, 16))
	for exponent := 1; exponent <= maxExponent; exponent++ {
		for range 200 {
			n := rng.Int64N(1 << 53)
			d := decimals{exponent: exponent, numbers: []int64{n}}
			v := float64(n) / powers[exponent]
			product := float64(n) * powers[maxExponent-exponent]
			product *= 1e-14
			if got, want := d.quick([]float64{v}), math.Float64bits(product) == math.Float64bits(v); got != want {
				t.Fatalf("%d over 10^%d: %v, want %v", n, exponent, got, want)
			}
		}
	}
	// 3 over 10 is not 0.3 this way, unless it is an exception.
	d := decimals{exponent: 1, numbers: []int64{3, 35}, exceptions: []int{0}}
	if !d.quick([]float64{math.NaN(), 3.5}) {
		t.Error("an exception made all slow")
	}
}

func TestTooLong(t *testing.T) {
	ts, v := make([]int64, MaxPoints+1), make([]float64, MaxPoints+1)
	for i := range ts {
		ts[i], v[i] = int64(i), float64(i)
	}
	dst := []byte("as it was")
	got, err := appendColumnTS(dst, TimestampsStream, ts)
	if !errors.Is(err, ErrTooLong) || string(got) != string(dst) {
		t.Errorf("timestamps: %q, %v", got, err)
	}
	got, err = appendColumn(dst, ValuesStream, v)
	if !errors.Is(err, ErrTooLong) || string(got) != string(dst) {
		t.Errorf("values: %q, %v", got, err)
	}
	for _, v := range variants {
		encoded, decoded := v.timestamps(t, ts[:MaxPoints]), make([]int64, MaxPoints)
		if _, err := decodeColumnTS(decoded, v.id, encoded, 0); err != nil || !slices.Equal(decoded, ts[:MaxPoints]) {
			t.Errorf("%v: the longest column: %v", v, err)
		}
	}
	// So many that the table of runs is full.
	runs := make([]float64, MaxPoints)
	for i := range runs {
		runs[i] = float64(i % 13 / 12 * (1 << 20) * (i % 3))
	}
	decoded := make([]float64, MaxPoints)
	encoded := variant{2, Fast}.values(t, runs)
	if _, err := decodeColumn(decoded, 2, encoded); err != nil || !sameBits(decoded, runs) || encoded[2]&3 != kindRuns {
		t.Errorf("the most runs: kind %d, error %v", encoded[2]&3, err)
	}
}

// An Encoder and a Decoder give the same however they were used before, and two of them do
// not share anything.
func TestMemoryDoesNotMatter(t *testing.T) {
	columns := valueColumns()
	want := map[string][]byte{}
	for name, v := range columns {
		want[name] = variant{2, Balanced}.values(t, v)
	}
	var users sync.WaitGroup
	for seed := range uint64(2) {
		users.Go(func() {
			rng := rand.New(rand.NewPCG(seed, 17))
			e, d := Encoder{Policy: Balanced}, Decoder{}
			names := slices.Sorted(maps.Keys(columns))
			for range 4 {
				rng.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
				for _, name := range names {
					encoded, err := e.AppendValues(nil, 2, columns[name])
					if err != nil || !slices.Equal(encoded, want[name]) {
						t.Errorf("%q encodes otherwise than at first, error %v", name, err)
					}
					got := make([]float64, len(columns[name]))
					if _, err := d.Values(got, 2, encoded); err != nil || !sameBits(got, columns[name]) {
						t.Errorf("%q: error %v", name, err)
					}
					// What a failure leaves behind does not matter either.
					if len(encoded) > 0 {
						_, _ = d.Values(got, 2, encoded[:len(encoded)/2])
					}
				}
			}
		})
	}
	users.Wait()
}
