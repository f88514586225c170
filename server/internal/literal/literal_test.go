package literal

import (
	"encoding/json"
	"errors"
	"math"
	"math/big"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sydradb/sydradb"
)

func TestParseTime(t *testing.T) {
	tests := []struct {
		text string
		unit Unit
		want int64
		err  error
	}{
		{"1694300000", Second, 1694300000e9, nil},
		{"0", Second, 0, nil},
		{"-0", Second, 0, nil},
		{"-1.5", Second, -1500000000, nil},
		{"1694300000.123456789", Second, 1694300000123456789, nil},
		{"1694300000.1234567890", Second, 1694300000123456789, nil},
		{"1694300000.1234567891", Second, 0, ErrTimeFine},
		{".5", Second, 5e8, nil},
		{"5.", Second, 5e9, nil},
		{"1.6943e9", Second, 1694300000e9, nil},
		{"1.6943E+9", Second, 1694300000e9, nil},
		{"16943000000e-1", Second, 1694300000e9, nil},
		{"0e999999999", Second, 0, nil},
		{"1e999999999", Second, 0, ErrTimeRange},
		{"1e-999999999", Second, 0, ErrTimeFine},
		{"1694300000123", Millisecond, 1694300000123e6, nil},
		{"1694300000123.5", Millisecond, 16943000001235e5, nil},
		{"1694300000123456", Microsecond, 1694300000123456e3, nil},
		{"1694300000123456789", Nanosecond, 1694300000123456789, nil},
		{"1.5", Nanosecond, 0, ErrTimeFine},
		{"4611686018.427387904", Second, sydradb.MaxTime, nil},
		{"-4611686018.427387904", Second, sydradb.MinTime, nil},
		{"4611686018.427387905", Second, 0, ErrTimeRange},
		{"-4611686018.427387905", Second, 0, ErrTimeRange},
		{"99999999999999999999999", Second, 0, ErrTimeRange},
		{"1000000000000000000000000e-24", Second, 1e9, nil},
		{"0.00000000000000000000000000001", Second, 0, ErrTimeFine},
		{"2023-09-09T22:53:20Z", Second, 1694300000e9, nil},
		{"2023-09-10T00:53:20.25+02:00", Millisecond, 169430000025e7, nil},
		{"1969-12-31T23:59:59.999999999Z", Second, -1, nil},
		{"9999-12-31T23:59:59Z", Second, 0, ErrTimeRange},
		{"0001-01-01T00:00:00Z", Second, 0, ErrTimeRange},
		{"2023-09-09", Second, 0, ErrTimeSyntax},
		{"2023-13-09T22:53:20Z", Second, 0, ErrTimeSyntax},
		{"", Second, 0, ErrTimeSyntax},
		{"-", Second, 0, ErrTimeSyntax},
		{".", Second, 0, ErrTimeSyntax},
		{"1e", Second, 0, ErrTimeSyntax},
		{"1e+", Second, 0, ErrTimeSyntax},
		{"1e1x", Second, 0, ErrTimeSyntax},
		{"12a", Second, 0, ErrTimeSyntax},
		{"1.2.3", Second, 0, ErrTimeSyntax},
		{"NaN", Second, 0, ErrTimeSyntax},
		{" 1", Second, 0, ErrTimeSyntax},
	}
	for _, tt := range tests {
		got, err := ParseTime(tt.text, tt.unit)
		if got != tt.want || !errors.Is(err, tt.err) {
			t.Errorf("ParseTime(%q, %d) = %d, %v; want %d, %v", tt.text, tt.unit, got, err, tt.want, tt.err)
		}
		if b, err := ParseTime([]byte(tt.text), tt.unit); b != got || !errors.Is(err, tt.err) {
			t.Errorf("ParseTime of the bytes %q = %d, %v; of the string %d", tt.text, b, err, got)
		}
	}
}

func TestTimeRoundTrip(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 20000 {
		ns := (rng.Int64() >> rng.IntN(62)) * (rng.Int64N(2)*2 - 1)
		if rng.IntN(3) == 0 {
			ns -= ns % 1e6
		}
		ns = max(min(ns, sydradb.MaxTime), sydradb.MinTime)
		text := string(AppendTime(nil, ns))
		if got, err := ParseTime(text, Second); got != ns || err != nil {
			t.Fatalf("%d printed as %s, which reads as %d, %v", ns, text, got, err)
		}
		clock := string(AppendClock(nil, ns))
		if got, err := ParseTime(clock, Second); got != ns || err != nil {
			t.Fatalf("%d printed as %s, which reads as %d, %v", ns, clock, got, err)
		}
		if strings.HasSuffix(text, ".") || strings.Contains(text, ".") && strings.HasSuffix(text, "0") {
			t.Fatalf("%d printed as %s: more decimals than needed", ns, text)
		}
	}
	if got := string(AppendTime(nil, math.MinInt64)); got != "-9223372036.854775808" {
		t.Errorf("least int64 printed as %s", got)
	}
}

func TestParseUnit(t *testing.T) {
	for text, want := range map[string]Unit{"s": 1e9, "ms": 1e6, "us": 1e3, "µs": 1e3, "ns": 1} {
		if got, err := ParseUnit(text); got != want || err != nil {
			t.Errorf("ParseUnit(%q) = %d, %v", text, got, err)
		}
	}
	if _, err := ParseUnit("m"); err == nil {
		t.Error("ParseUnit accepts m")
	}
}

func TestValueText(t *testing.T) {
	tests := []struct {
		bits uint64
		want string
	}{
		{math.Float64bits(24.2), "24.2"},
		{math.Float64bits(0), "0"},
		{1 << 63, "-0.0"},
		{math.Float64bits(1e6), "1000000"},
		{math.Float64bits(-123456789012), "-123456789012"},
		{math.Float64bits(1e21), "1e+21"},
		{math.Float64bits(1e-7), "1e-07"},
		{math.Float64bits(0.30000000000000004), "0.30000000000000004"},
		{1, "5e-324"},
		{math.Float64bits(math.MaxFloat64), "1.7976931348623157e+308"},
		{0x7ff8000000000001, "NaN"},
		{0x7ff0000000000000, "+Inf"},
		{0xfff0000000000000, "-Inf"},
		{0x7ff0000000000002, "NaN:7ff0000000000002"},
		{0xfff8000000000001, "NaN:fff8000000000001"},
		{0x7ff8000000000000, "NaN:7ff8000000000000"},
	}
	for _, tt := range tests {
		v := math.Float64frombits(tt.bits)
		got := string(AppendValue(nil, v))
		if got != tt.want {
			t.Errorf("value %016x prints as %s, want %s", tt.bits, got, tt.want)
		}
		back, err := ParseValue(got)
		if math.Float64bits(back) != tt.bits || err != nil {
			t.Errorf("%s reads as %016x, %v; want %016x", got, math.Float64bits(back), err, tt.bits)
		}
		if js := AppendJSONValue(nil, v); !json.Valid(js) {
			t.Errorf("value %016x in JSON is %s", tt.bits, js)
		}
	}
}

func TestValueRoundTrip(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for range 50000 {
		bits := rng.Uint64()
		switch rng.IntN(4) {
		case 0:
			bits |= 0x7ff0 << 48
		case 1:
			bits = math.Float64bits(float64(rng.IntN(1e7)) / 100)
		}
		text := AppendValue(nil, math.Float64frombits(bits))
		back, err := ParseValue(text)
		if err != nil || math.Float64bits(back) != bits {
			t.Fatalf("%016x prints as %s, which reads as %016x, %v", bits, text, math.Float64bits(back), err)
		}
	}
}

// The fast path must round like the slow one.
func TestParseNumberRoundsToNearest(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for range 50000 {
		digits := strconv.FormatUint(rng.Uint64N(1e15)>>rng.IntN(50), 10)
		point := rng.IntN(len(digits)) + 1
		text := digits[:point] + "." + digits[point:]
		if point == len(digits) {
			text = digits
		}
		if rng.IntN(2) == 0 {
			text = "-" + text
		}
		got, err := ParseNumber(text)
		want, _ := strconv.ParseFloat(text, 64)
		if err != nil || math.Float64bits(got) != math.Float64bits(want) {
			t.Fatalf("ParseNumber(%q) = %v, %v; want %v", text, got, err, want)
		}
	}
}

func TestParseValueRefuses(t *testing.T) {
	for _, text := range []string{
		"", "-", ".", "abc", "0x10", "1_000", "infinity", "nan", "NAN", "inf", "1e", "1.2.3", "1-2", " 1", "1 ",
		"NaN:", "NaN:7ff", "NaN:3ff0000000000000", "NaN:7ff0000000000000", "NaN:zzzzzzzzzzzzzzzz", "+-1", "--1",
	} {
		if v, err := ParseValue(text); !errors.Is(err, ErrValueSyntax) {
			t.Errorf("ParseValue(%q) = %v, %v; want a syntax error", text, v, err)
		}
	}
	for _, text := range []string{"1e999", "-1e999", "1" + strings.Repeat("0", 400)} {
		if v, err := ParseValue(text); !errors.Is(err, ErrValueRange) {
			t.Errorf("ParseValue(%q) = %v, %v; want a range error", text, v, err)
		}
	}
	if v, err := ParseValue("1e-999"); v != 0 || err != nil {
		t.Errorf("ParseValue(1e-999) = %v, %v; want 0 as the nearest", v, err)
	}
}

func TestJSONString(t *testing.T) {
	for _, s := range []string{"", "plain", `q"b\s`, "\x00\x1f\n\r\t\b", "grün 東京 🌡", "\u2028"} {
		js := AppendJSONString(nil, s)
		var back string
		if err := json.Unmarshal(js, &back); err != nil || back != s {
			t.Errorf("%q in JSON is %s, which reads as %q, %v", s, js, back, err)
		}
	}
	tags := []sydradb.Tag{{Key: "a", Value: "1"}, {Key: `b"`, Value: "2"}}
	if got := string(AppendJSONTags(nil, tags)); got != `{"a":"1","b\"":"2"}` {
		t.Errorf("tags: %s", got)
	}
}

func TestNothingAllocates(t *testing.T) {
	buf := make([]byte, 0, 256)
	if n := testing.AllocsPerRun(100, func() {
		buf = AppendTime(buf[:0], 1694300000123456789)
		if _, err := ParseTime(buf, Second); err != nil {
			t.Fatal(err)
		}
		buf = AppendValue(buf[:0], 0.30000000000000004)
		if _, err := ParseValue(buf); err != nil {
			t.Fatal(err)
		}
		_, _ = ParseValue([]byte("24.2"))
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// FuzzParse compares both parsers with exact arithmetic.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"1694300000.123456789", "-1.5e3", "2023-09-09T22:53:20Z", "NaN:7ff0000000000002", "1e22", "000.10e-2"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if v, err := ParseValue(s); err == nil {
			back, err := ParseValue(AppendValue(nil, v))
			if err != nil || math.Float64bits(back) != math.Float64bits(v) {
				t.Errorf("%q reads as %v and comes back as %v, %v", s, v, back, err)
			}
		}
		ns, err := ParseTime(s, Second)
		if err != nil || strings.ContainsAny(s, "TZ:") || len(s) > 100 {
			return
		}
		exact, ok := new(big.Rat).SetString(s)
		if !ok { // an exponent that big does not take
			return
		}
		if exact.Mul(exact, big.NewRat(1e9, 1)).Cmp(big.NewRat(ns, 1)) != 0 {
			t.Errorf("ParseTime(%q) = %d, want %v", s, ns, exact)
		}
	})
}

func BenchmarkParseTime(b *testing.B) {
	for _, text := range []string{"1694300000", "1694300000.125"} {
		b.Run("text="+text, func(b *testing.B) {
			s := []byte(text)
			for b.Loop() {
				if _, err := ParseTime(s, Second); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkParseValue(b *testing.B) {
	for _, text := range []string{"24.2", "0.30000000000000004", "NaN"} {
		b.Run("text="+text, func(b *testing.B) {
			s := []byte(text)
			for b.Loop() {
				if _, err := ParseValue(s); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkAppendValue(b *testing.B) {
	for _, v := range []float64{24.2, 0.30000000000000004, 1234567} {
		b.Run("value="+strconv.FormatFloat(v, 'g', -1, 64), func(b *testing.B) {
			var buf []byte
			for b.Loop() {
				buf = AppendValue(buf[:0], v)
			}
		})
	}
}

func TestParseSpan(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"1h30m": 90 * time.Minute, "-7d": -7 * 24 * time.Hour, "+1.5w": 252 * time.Hour,
		"5m0s": 5 * time.Minute, "1ns": 1, "2µs": 2000, "0s": 0,
	} {
		if got, ok := ParseSpan(text); !ok || got != want {
			t.Errorf("%s: %s, %t, want %s", text, got, ok, want)
		}
	}
	for _, text := range []string{"", "5", "m", "5 m", "-", "1y", "5m-3s", "99999999999d", "1e3s"} {
		if got, ok := ParseSpan(text); ok {
			t.Errorf("%q: %s", text, got)
		}
	}
}
