package memtable

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
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
				for b.Loop() { // one fills while the other is flushed
					next := fill(New(free), batches)
					t.Release()
					t = next
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

// lateScrapes is scrapes with a tenth of the points 30 to 360 steps late and a
// hundredth written again.
func lateScrapes(seriesCount, steps int) [][]base.Row {
	rng := rand.New(rand.NewPCG(1, 1))
	due := make([][]base.Row, steps+361)
	for s := range steps {
		for o := range seriesCount {
			r := base.Row{TS: int64(s) * 10e9, Value: float64(o + s), Ordinal: base.Ordinal(o)}
			switch x := rng.IntN(100); {
			case x < 10:
				d := s + 30 + rng.IntN(331)
				due[d] = append(due[d], r)
			case x < 11:
				d := s + 30 + rng.IntN(331)
				due[d] = append(due[d], r)
				fallthrough
			default:
				due[s] = append(due[s], r)
			}
		}
	}
	return due
}

// reversed turns the order of arrival round.
func reversed(batches [][]base.Row) [][]base.Row {
	slices.Reverse(batches)
	return batches
}

// shuffled gives every series its points in a random order of its own.
func shuffled(batches [][]base.Row) [][]base.Row {
	rows := slices.Concat(batches...)
	rng := rand.New(rand.NewPCG(1, 1))
	rng.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
	return [][]base.Row{rows}
}

func BenchmarkReadLate(b *testing.B) {
	for _, w := range []struct {
		name    string
		batches [][]base.Row
	}{
		{"tenth", lateScrapes(1000, 2160)},
		{"reversed", reversed(scrapes(4000, 500))},
		{"random", shuffled(scrapes(4000, 500))},
	} {
		t := fill(New(NewSlabs(0)), w.batches)
		b.Run("late="+w.name, func(b *testing.B) {
			var dst Columns
			s := t.Snapshot()
			b.ReportAllocs()
			for b.Loop() {
				for _, p := range t.Ordinals() {
					dst.Reset()
					s.AppendRange(&dst, p, math.MinInt64, math.MaxInt64)
				}
			}
			perPoint(b, t.Points())
		})
	}
}

// BenchmarkHours finds the hours of all series, as a flush does first.
func BenchmarkHours(b *testing.B) {
	for _, w := range []struct {
		name    string
		batches [][]base.Row
	}{
		{"series=4000/steps=2160", scrapes(4000, 2160)},
		{"series=500000/steps=20", scrapes(500_000, 20)},
		{"late=tenth", lateScrapes(1000, 2160)},
	} {
		t := fill(New(NewSlabs(0)), w.batches)
		b.Run(w.name, func(b *testing.B) {
			var hours []int64
			s := t.Snapshot()
			for b.Loop() {
				for _, p := range t.Ordinals() {
					hours = s.AppendHours(hours[:0], p)
				}
			}
			perPoint(b, t.Points())
		})
	}
}

// BenchmarkReadHour reads the last and the first hour of six.
func BenchmarkReadHour(b *testing.B) {
	t := fill(New(NewSlabs(0)), scrapes(4000, 2160))
	for name, start := range map[string]int64{"first": 0, "last": 5 * base.Hour} {
		b.Run("hour="+name, func(b *testing.B) {
			var dst Columns
			s := t.Snapshot()
			o := 0
			for b.Loop() {
				dst.Reset()
				p, _ := t.Position(base.Ordinal(o * 997 % 4000))
				s.AppendRange(&dst, p, start, start+base.Hour-1)
				o++
			}
		})
	}
}

// BenchmarkPositions captures what a query of all series captures.
func BenchmarkPositions(b *testing.B) {
	const seriesCount = 500_000
	t := fill(New(NewSlabs(0)), scrapes(seriesCount, 1))
	positions := make([]Position, seriesCount)
	b.ReportAllocs()
	for b.Loop() {
		for o := range positions {
			positions[o], _ = t.Position(base.Ordinal(o))
		}
	}
	perPoint(b, seriesCount)
}
