package codec

import (
	"bytes"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/golden"
)

func floats(patterns ...uint64) []float64 {
	out := make([]float64, len(patterns))
	for i, b := range patterns {
		out[i] = math.Float64frombits(b)
	}
	return out
}

// sameBits compares values bit by bit: NaN payloads and signs of zero count.
func sameBits(a, b []float64) bool {
	return slices.EqualFunc(a, b, func(x, y float64) bool {
		return math.Float64bits(x) == math.Float64bits(y)
	})
}

// appendColumnTS, appendColumn, decodeColumnTS and decodeColumn take a new Encoder or
// Decoder for each column.
func appendColumnTS(dst []byte, id byte, ts []int64) ([]byte, error) {
	return new(Encoder).AppendTimestamps(dst, id, ts)
}

func appendColumn(dst []byte, id byte, v []float64) ([]byte, error) {
	return new(Encoder).AppendValues(dst, id, v)
}

func decodeColumnTS(dst []int64, id byte, src []byte, start int64) ([]byte, error) {
	return new(Decoder).Timestamps(dst, id, src, start)
}

func decodeColumn(dst []float64, id byte, src []byte) ([]byte, error) {
	return new(Decoder).Values(dst, id, src)
}

func encodeTimestamps(t testing.TB, ts []int64) []byte {
	t.Helper()
	out, err := appendColumnTS(nil, TimestampsDelta2, ts)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func encodeValues(t testing.TB, v []float64) []byte {
	t.Helper()
	out, err := appendColumn(nil, ValuesXOR, v)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestTimestampsMatchGolden(t *testing.T) {
	want := golden.ReadHex(t, "testdata/delta2.golden")
	ts := []int64{1694300400, 1694300410, 1694300420, 1694300430, 1694300433, 1694300439, 1694300695, 1694300695, 1694300694, 3388603408}
	if got := encodeTimestamps(t, ts); !bytes.Equal(got, want) {
		t.Errorf("encoded:\n% x, want\n% x", got, want)
	}
	got := make([]int64, len(ts))
	if rest, err := decodeColumnTS(got, TimestampsDelta2, want, ts[0]); err != nil || len(rest) != 0 || !slices.Equal(got, ts) {
		t.Errorf("decoded %v, %d bytes over, error %v", got, len(rest), err)
	}
}

func TestValuesMatchGolden(t *testing.T) {
	want := golden.ReadHex(t, "testdata/xor.golden")
	v := append([]float64{24.2, 24.2, 24.5, 25, 0, math.Copysign(0, -1)}, floats(0x7ff8000000000001, 0x7ff0000000000002)...)
	v = append(v, math.Inf(1), math.Inf(-1), -1.0/3)
	if got := encodeValues(t, v); !bytes.Equal(got, want) {
		t.Errorf("encoded:\n% x, want\n% x", got, want)
	}
	got := make([]float64, len(v))
	if rest, err := decodeColumn(got, ValuesXOR, want); err != nil || len(rest) != 0 || !sameBits(got, v) {
		t.Errorf("decoded %v, %d bytes over, error %v", got, len(rest), err)
	}
}

// variant is one of the ways to encode a column.
type variant struct {
	id     byte
	policy Policy
}

func (v variant) String() string {
	if v.id == 1 {
		return "id=1"
	}
	return [...]string{Fast: "id=2/fast", Balanced: "id=2/balanced"}[v.policy]
}

var variants = []variant{{1, Fast}, {2, Fast}, {2, Balanced}}

func (v variant) timestamps(t testing.TB, ts []int64) []byte {
	t.Helper()
	e := Encoder{Policy: v.policy}
	out, err := e.AppendTimestamps(nil, v.id, ts)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func (v variant) values(t testing.TB, values []float64) []byte {
	t.Helper()
	e := Encoder{Policy: v.policy}
	out, err := e.AppendValues(nil, v.id, values)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// timestampColumns are the columns that every timestamp test runs over.
func timestampColumns() map[string][]int64 {
	rng := rand.New(rand.NewPCG(1, 2))
	cols := map[string][]int64{
		"none":         {},
		"one":          {42},
		"one negative": {-42},
		"equal":        {7, 7, 7},
		"falling":      {3, 2, 1, -1 << 40},
		"extremes":     {math.MinInt64, math.MaxInt64, 0, math.MinInt64, math.MinInt64, -1, math.MaxInt64},
		"range limits": {base.MinTime, base.MaxTime, base.MinTime + 1, base.MaxTime - 1},
		"far apart":    {-1 << 62, 1<<62 - 1, -1 << 62, 0, 1 << 62},
		"missed":       missedScrape(),
		"clockwork":    make([]int64, 361),
		"jitter":       make([]int64, 361),
		"waits":        make([]int64, 500),
		"any":          make([]int64, 1000),
	}
	for i := range 361 {
		cols["clockwork"][i] = 1694300400e9 + int64(i)*10e9
		cols["jitter"][i] = 1694300400e9 + int64(i)*10e9 + rng.Int64N(1000)*1e6
	}
	for i := range 500 {
		cols["waits"][i] = 1694300400e9 + int64(i)*1e9 + int64(i/50)*7e9
		if i%50 < 20 {
			cols["waits"][i] += rng.Int64N(1000) * 1e6
		}
	}
	for i := range 1000 {
		cols["any"][i] = int64(rng.Uint64() >> rng.IntN(64))
	}
	// Each length of a varint, at each place of a word.
	for shift := range 64 {
		cols["any"] = append(cols["any"], 1<<shift, -1<<shift, 1<<shift-1)
	}
	return cols
}

// valueColumns are the columns that every value test runs over.
func valueColumns() map[string][]float64 {
	rng := rand.New(rand.NewPCG(3, 4))
	cols := map[string][]float64{
		"none":     {},
		"one":      {1.5},
		"same":     slices.Repeat([]float64{24.2}, 100),
		"specials": floats(0, 1<<63, 0x7ff0000000000000, 0xfff0000000000000, 0x7ff0000000000002, 0x7ff8000000000001, 0xffffffffffffffff, 1, 1),
		"ramp":     ramp(),
		"sparse":   sparse(),
		"zeros":    {0, 0, math.Copysign(0, -1), 0, math.Copysign(0, -1), math.Copysign(0, -1)},
		"negative": slices.Repeat([]float64{math.Copysign(0, -1)}, 3),
		"stale":    {math.Float64frombits(0x7ff0000000000002), 1.25, 1.5, math.Inf(1), 1.75, 2, 2.25},
		"large":    {1 << 53, 1<<53 + 2, 1 << 62, 9e18, 9.1e18, 1 << 63, -1 << 63, 1e300, -1e300, math.MaxFloat64},
		"powers":   {1e14, 1e-14, 1.5e-13, 0.1, 123456789.01234567, 1e22, 1e23, 5e-324},
		"gauge":    make([]float64, 361),
		"idle":     make([]float64, 361),
		"noise":    make([]float64, 361),
		"gaps":     make([]float64, 361),
		"single":   make([]float64, 361),
		"bytes":    make([]float64, 3000),
		"bursts":   make([]float64, 3000),
		"spikes":   make([]float64, 3000),
	}
	for i := range 3000 {
		if i%50 == 7 {
			cols["spikes"][i] = float64(rng.IntN(1e6))
		}
		cols["bytes"][i] = float64(i)*1e9 + float64(rng.IntN(1e6))
		if i > 0 {
			cols["bursts"][i] = cols["bursts"][i-1]
			if i/40%3 == 0 {
				cols["bursts"][i] += float64(rng.IntN(50))
			}
		}
	}
	for i := range 361 {
		cols["gaps"][i] = float64(rng.IntN(1000)) / 1000
		if i%20 == 0 {
			cols["gaps"][i] = math.Float64frombits(0x7ff0000000000002 + uint64(i))
		}
		cols["single"][i] = float64(float32(rng.NormFloat64()))
		cols["gauge"][i] = math.Round(2000+rng.NormFloat64()*500) / 100
		cols["idle"][i] = float64(i / 9)
		cols["noise"][i] = rng.NormFloat64()
	}
	// Each pair of leading and trailing zeros.
	for hi := range 64 {
		for lo := range hi + 1 {
			cols["specials"] = append(cols["specials"], 0, math.Float64frombits(1<<hi|1<<lo))
		}
	}
	return cols
}

func TestTimestampsRoundTrip(t *testing.T) {
	var d Decoder // one for all: what a column leaves behind in it must not matter
	for name, ts := range timestampColumns() {
		for _, v := range variants {
			t.Run(v.String()+"/"+name, func(t *testing.T) {
				encoded := v.timestamps(t, ts)
				if least, err := MinTimestampBytes(v.id, len(ts)); err != nil || len(encoded) < least {
					t.Errorf("%d bytes, fewer than the least, %d (%v)", len(encoded), least, err)
				}
				var start int64
				if len(ts) > 0 {
					start = ts[0]
				}
				// With and without bytes behind, the last points take different paths.
				for _, behind := range behinds {
					got := make([]int64, len(ts))
					rest, err := d.Timestamps(got, v.id, append(slices.Clip(encoded), behind...), start)
					if err != nil || !bytes.Equal(rest, behind) || !slices.Equal(got, ts) {
						t.Fatalf("% x behind: % x left, error %v, got %v", behind, rest, err, got)
					}
				}
				got := make([]int64, len(ts))
				if rest, err := decodeColumnTS(got, v.id, encoded, start); err != nil || len(rest) > 0 || !slices.Equal(got, ts) {
					t.Fatalf("without a Decoder: error %v, got %v", err, got)
				}
			})
		}
	}
}

// behinds are what may follow a column.
var behinds = [][]byte{nil, {0}, make([]byte, 40), bytes.Repeat([]byte{0xff}, 100)}

func TestValuesRoundTrip(t *testing.T) {
	var d Decoder
	for name, values := range valueColumns() {
		for _, v := range variants {
			t.Run(v.String()+"/"+name, func(t *testing.T) {
				encoded := v.values(t, values)
				if least, err := MinValueBytes(v.id, len(values)); err != nil || len(encoded) < least {
					t.Errorf("%d bytes, fewer than the least, %d (%v)", len(encoded), least, err)
				}
				for _, behind := range behinds {
					got := make([]float64, len(values))
					rest, err := d.Values(got, v.id, append(slices.Clip(encoded), behind...))
					if err != nil || !bytes.Equal(rest, behind) || !sameBits(got, values) {
						t.Fatalf("% x behind: % x left, error %v, got %v", behind, rest, err, got)
					}
				}
				got := make([]float64, len(values))
				if rest, err := decodeColumn(got, v.id, encoded); err != nil || len(rest) > 0 || !sameBits(got, values) {
					t.Fatalf("without a Decoder: error %v, got %v", err, got)
				}
			})
		}
	}
}

func TestAppendKeepsWhatIsThere(t *testing.T) {
	ts, values := timestampColumns()["missed"], valueColumns()["sparse"]
	for _, v := range variants {
		e := Encoder{Policy: v.policy}
		got, err := e.AppendTimestamps([]byte("head"), v.id, ts)
		if err != nil || !bytes.Equal(got, append([]byte("head"), v.timestamps(t, ts)...)) {
			t.Errorf("%v, timestamps: % x, %v", v, got, err)
		}
		got, err = e.AppendValues([]byte("head"), v.id, values)
		if err != nil || !bytes.Equal(got, append([]byte("head"), v.values(t, values)...)) {
			t.Errorf("%v, values: % x, %v", v, got, err)
		}
	}
}

func TestUnknownCodec(t *testing.T) {
	for _, id := range []byte{0, 3, 255} {
		_, e1 := appendColumnTS(nil, id, []int64{1})
		_, e2 := appendColumn(nil, id, []float64{1})
		_, e3 := decodeColumnTS(make([]int64, 1), id, make([]byte, 20), 1)
		_, e4 := decodeColumn(make([]float64, 1), id, make([]byte, 20))
		_, e5 := MinTimestampBytes(id, 1)
		_, e6 := MinValueBytes(id, 1)
		for i, err := range []error{e1, e2, e3, e4, e5, e6} {
			if !errors.Is(err, ErrUnknown) {
				t.Errorf("id %d, call %d: %v", id, i+1, err)
			}
		}
	}
}

// An encoding cut anywhere is too short, whatever path its last points take.
func TestCutColumnIsRefused(t *testing.T) {
	var d Decoder
	for _, v := range variants {
		for name, ts := range timestampColumns() {
			encoded := v.timestamps(t, ts)
			for n := 0; n < len(encoded); n += 1 + len(encoded)/500 {
				if _, err := d.Timestamps(make([]int64, len(ts)), v.id, encoded[:n], ts[0]); !errors.Is(err, errShort) {
					t.Fatalf("%v, timestamps %q cut to %d of %d bytes: %v", v, name, n, len(encoded), err)
				}
			}
		}
		for name, values := range valueColumns() {
			if name == "specials" {
				values = values[:200] // the rest only repeats the lengths
			}
			encoded := v.values(t, values)
			for n := 0; n < len(encoded); n += 1 + len(encoded)/500 {
				if _, err := d.Values(make([]float64, len(values)), v.id, encoded[:n]); !errors.Is(err, errShort) {
					t.Fatalf("%v, values %q cut to %d of %d bytes: %v", v, name, n, len(encoded), err)
				}
			}
		}
	}
}

func TestDamagedColumn(t *testing.T) {
	first := []byte{2, 1, 2, 3, 4, 5, 6, 7, 8}
	values := map[string]struct {
		tail   []byte
		offset int64
		err    error
	}{
		"marker":                  {[]byte{0, 3}, 10, errMarker},
		"first marker again":      {append([]byte{0}, first...), 10, errMarker},
		"xor of nothing":          {[]byte{1, 64, 64, 0}, 9, errXORHeader},
		"zero xor":                {[]byte{1, 63, 0, 1, 0}, 9, errXORHeader},
		"nine bytes":              {[]byte{1, 0, 0, 9, 1, 1, 1, 1, 1, 1, 1, 1, 1}, 9, errXORHeader},
		"more bytes than needed":  {[]byte{1, 63, 0, 2, 1, 0}, 9, errXORHeader},
		"wrong leading zeros":     {[]byte{1, 62, 0, 1, 1}, 9, errXORHeader},
		"wrong trailing zeros":    {[]byte{1, 61, 0, 1, 4}, 9, errXORHeader},
		"bits moved out":          {[]byte{1, 0, 60, 1, 0x18}, 9, errXORHeader},
		"trailing zeros over 63":  {[]byte{1, 0, 64, 1, 1}, 9, errXORHeader},
		"trailing zeros over 255": {[]byte{1, 0, 255, 1, 1}, 9, errXORHeader},
	}
	for name, c := range values {
		for _, behind := range []int{0, 20} {
			src := append(append(slices.Clone(first), c.tail...), make([]byte, behind)...)
			_, err := decodeColumn(make([]float64, 3), ValuesXOR, src)
			checkDamage(t, name, err, c.offset, c.err)
		}
	}
	_, err := decodeColumn(make([]float64, 1), ValuesXOR, make([]byte, 20))
	checkDamage(t, "no first marker", err, 0, errMarker)

	endless := append([]byte{0, 2}, bytes.Repeat([]byte{0xff}, 9)...)
	_, err = decodeColumnTS(make([]int64, 3), TimestampsDelta2, append(endless, 2), 0)
	checkDamage(t, "65 bits", err, 2, errVarint)
	_, err = decodeColumnTS(make([]int64, 3), TimestampsDelta2, append(endless, 0xff, 0xff, 0xff, 1), 0)
	checkDamage(t, "13 bytes", err, 2, errVarint)
}

func checkDamage(t *testing.T, name string, err error, offset int64, cause error) {
	t.Helper()
	var damage *base.CorruptionError
	if !errors.As(err, &damage) || damage.Offset != offset || !errors.Is(err, cause) {
		t.Errorf("%s: %v, want %v at %d", name, err, cause, offset)
	}
}

func TestCodecsDoNotAllocate(t *testing.T) {
	buf := make([]byte, 0, 1<<20)
	var d Decoder
	for _, v := range variants {
		e := Encoder{Policy: v.policy}
		for name, ts := range timestampColumns() {
			if len(ts) == 0 {
				continue
			}
			got := make([]int64, len(ts))
			if n := testing.AllocsPerRun(2, func() {
				b, _ := e.AppendTimestamps(buf, v.id, ts)
				_, err1 := d.Timestamps(got, v.id, b, ts[0])
				if _, err2 := decodeColumnTS(got, v.id, b, ts[0]); err1 != nil || err2 != nil {
					t.Fatal(err1, err2)
				}
			}); n != 0 {
				t.Errorf("%v, timestamps %q: %v allocations", v, name, n)
			}
		}
		for name, values := range valueColumns() {
			got := make([]float64, len(values))
			if n := testing.AllocsPerRun(2, func() {
				b, _ := e.AppendValues(buf, v.id, values)
				_, err1 := d.Values(got, v.id, b)
				if _, err2 := decodeColumn(got, v.id, b); err1 != nil || err2 != nil {
					t.Fatal(err1, err2)
				}
			}); n != 0 {
				t.Errorf("%v, values %q: %v allocations", v, name, n)
			}
		}
	}
}
