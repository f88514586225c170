package segment

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/fsys"
	"github.com/sydradb/sydradb/internal/manifest"
)

// gauge is an hour of a two-decimal gauge at 10 s.
func gauge() ([]int64, []float64) {
	rng := rand.New(rand.NewPCG(5, 6))
	ts, values := make([]int64, 360), make([]float64, 360)
	for i := range ts {
		ts[i], values[i] = someHour+int64(i)*10e9, math.Round(2000+rng.NormFloat64()*500)/100
	}
	return ts, values
}

func perPoint(b *testing.B, points int) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(points), "ns/point")
	b.ReportAllocs()
}

func BenchmarkEncode(b *testing.B) {
	ts, values := gauge()
	var buf []byte
	for b.Loop() {
		buf, _ = Encode(buf[:0], 1, someHour, ts, values)
	}
	perPoint(b, len(ts))
	b.ReportMetric(float64(len(buf))/float64(len(ts)), "B/point")
}

func BenchmarkDecode(b *testing.B) {
	ts, values := gauge()
	data, err := Encode(nil, 1, someHour, ts, values)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if ts, values, err = AppendColumns(ts[:0], values[:0], data); err != nil {
			b.Fatal(err)
		}
	}
	perPoint(b, len(ts))
}

func BenchmarkCreate(b *testing.B) {
	ts, values := gauge()
	fs := fsys.NewMem()
	var scratch Buffer
	for b.Loop() {
		// One name again and again: the Mem stays small.
		if _, err := Create(fs, 1, 1, someHour, ts, values, &scratch); err != nil {
			b.Fatal(err)
		}
	}
	perPoint(b, len(ts))
}

func BenchmarkQueryRange(b *testing.B) {
	ts, values := gauge()
	fs := fsys.NewMem()
	e, err := Create(fs, 1, 1, someHour, ts, values, &Buffer{})
	if err != nil {
		b.Fatal(err)
	}
	entries := []manifest.Entry{e}
	var points []base.Point
	for b.Loop() {
		if points, err = QueryRange(fs, "", entries, 1, someHour, someHour+base.Hour, points[:0]); err != nil {
			b.Fatal(err)
		}
	}
	perPoint(b, len(ts))
}
