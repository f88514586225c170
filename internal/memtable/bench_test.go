package memtable

import (
	"fmt"
	"math"
	"testing"

	"github.com/sydradb/sydradb/internal/base"
)

// scrapes returns batches of 4,000 rows: all series once per step of 10 s.
func scrapes(seriesCount, steps int) [][]base.Row {
	var out [][]base.Row
	batch := make([]base.Row, 0, 4000)
	for s := range steps {
		for o := range seriesCount {
			batch = append(batch, base.Row{TS: int64(s) * 10e9, Value: float64(o + s), Ordinal: base.Ordinal(o)})
			if len(batch) == cap(batch) {
				out = append(out, batch)
				batch = make([]base.Row, 0, 4000)
			}
		}
	}
	if len(batch) > 0 {
		out = append(out, batch)
	}
	return out
}

func fill(t *Table, batches [][]base.Row) *Table {
	for _, b := range batches {
		t.Apply(b)
	}
	return t
}

func perPoint(b *testing.B, points int) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(points), "ns/point")
}

func BenchmarkApply(b *testing.B) {
	for _, w := range []struct{ series, steps int }{{4000, 360}, {4000, 2160}, {500_000, 20}} {
		batches := scrapes(w.series, w.steps)
		for _, recycled := range []bool{false, true} {
			b.Run(fmt.Sprintf("series=%d/steps=%d/recycled=%v", w.series, w.steps, recycled), func(b *testing.B) {
				var keep int64
				if recycled {
					keep = 1 << 30
				}
				free := NewSlabs(keep)
				t := fill(New(free), batches)
				bytes := t.Bytes()
				b.ReportAllocs()
				for b.Loop() {
					t.Release()
					fill(t, batches)
				}
				perPoint(b, w.series*w.steps)
				b.ReportMetric(float64(bytes)/float64(w.series*w.steps), "B/point")
			})
		}
	}
}

func BenchmarkRead(b *testing.B) {
	for _, w := range []struct{ series, steps int }{{4000, 20}, {4000, 360}, {4000, 2160}, {500_000, 20}} {
		t := fill(New(NewSlabs(0)), scrapes(w.series, w.steps))
		b.Run(fmt.Sprintf("series=%d/steps=%d", w.series, w.steps), func(b *testing.B) {
			var dst Columns
			s := t.Snapshot()
			b.ReportAllocs()
			for b.Loop() {
				for _, p := range t.Ordinals() {
					dst.Reset()
					s.AppendRange(&dst, p, math.MinInt64, math.MaxInt64)
				}
			}
			perPoint(b, w.series*w.steps)
		})
	}
}
