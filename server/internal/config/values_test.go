package config

import (
	"math"
	"testing"
	"time"
)

func TestParseSize(t *testing.T) {
	for text, want := range map[string]int64{
		"0": 0, "7": 7, "7B": 7, "1k": 1000, "1.5KB": 1500, "2 MiB": 2 << 20, "3g": 3e9, "1TiB": 1 << 40,
		"": -1, "-1": -1, "1XB": -1, "iB": -1, "1iB": -1, "1e3": -1, "99999999999TB": -1, "9 9": -1,
	} {
		got, err := ParseSize(text)
		if err != nil {
			got = -1
		}
		if got != want {
			t.Errorf("%q is %d, %v; want %d", text, got, err, want)
		}
	}
}

func TestParseDays(t *testing.T) {
	const day = 24 * time.Hour
	for text, want := range map[string]time.Duration{
		"0": 0, "1": day, "0.5": day / 2, "30d": 30 * day, "1e2": 100 * day, "106751": 106751 * day,
		"": -1, "-1": -1, "NaN": -1, "Inf": -1, "106752": -1, "1w": -1, "1 d": -1,
	} {
		got, err := ParseDays(text)
		if err != nil {
			got = -1
		}
		if got != want {
			t.Errorf("%q is %v, %v; want %v", text, got, err, want)
		}
	}
}

// What is printed of a value is read as the same value.
func TestValuesComeBack(t *testing.T) {
	for _, n := range []Size{0, 1, 1000, 1024, 1536, 1 << 20, 5 << 30, 1 << 50, math.MaxInt64 >> 11 << 10} {
		var got Size
		if err := got.UnmarshalText([]byte(n.String())); err != nil || got != n {
			t.Errorf("%d as %q is %d, %v", n, n, got, err)
		}
	}
	for _, d := range []time.Duration{0, 1, time.Millisecond, time.Second, 90 * time.Second, time.Minute, 10 * time.Minute, time.Hour, 90 * time.Minute, 20 * time.Hour, 48 * time.Hour} {
		var got Duration
		if err := got.UnmarshalText([]byte(Duration(d).String())); err != nil || time.Duration(got) != d {
			t.Errorf("%v as %q is %v, %v", d, Duration(d), got, err)
		}
	}
	for text, want := range map[string]string{"1": "1", "0.5": "0.5", "30": "30", "0": "0"} {
		var got Days
		if err := got.UnmarshalText([]byte(text)); err != nil || got.String() != want {
			t.Errorf("%q days are %v, %v", text, got, err)
		}
	}
}
