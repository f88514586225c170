package memtable

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/sydradb/sydradb/internal/base"
)

// model is the naive table: all rows of each series in order of arrival.
type model map[base.Ordinal][]base.Point

func (m model) apply(rows []base.Row) {
	for _, r := range rows {
		m[r.Ordinal] = append(m[r.Ordinal], base.Point{TS: r.TS, Value: r.Value})
	}
}

// read sorts, keeps the last of equals, and cuts.
func (m model) read(o base.Ordinal, start, end int64) []base.Point {
	all := slices.Clone(m[o])
	slices.SortStableFunc(all, func(a, b base.Point) int {
		switch {
		case a.TS < b.TS:
			return -1
		case a.TS > b.TS:
			return 1
		}
		return 0
	})
	var out []base.Point
	for i, p := range all {
		if i+1 < len(all) && all[i+1].TS == p.TS {
			continue
		}
		if start <= p.TS && p.TS <= end {
			out = append(out, p)
		}
	}
	return out
}

// sameColumns fails unless c holds want, bit by bit.
func sameColumns(t rapid.TB, c *Columns, want []base.Point) {
	t.Helper()
	if len(c.TS) != len(want) || len(c.Values) != len(want) {
		t.Fatalf("got %d timestamps and %d values, want %d points", len(c.TS), len(c.Values), len(want))
	}
	for i, p := range want {
		if c.TS[i] != p.TS || math.Float64bits(c.Values[i]) != math.Float64bits(p.Value) {
			t.Fatalf("point %d is (%d, %x), want (%d, %x)", i, c.TS[i], math.Float64bits(c.Values[i]),
				p.TS, math.Float64bits(p.Value))
		}
	}
}

// TestAgainstModel applies random batches, reads random ranges at random moments,
// and reads old positions again at the end.
func TestAgainstModel(t *testing.T) {
	slabs := NewSlabs(64 << 20)
	rapid.Check(t, func(t *rapid.T) {
		tab, naive := New(slabs), model{}
		defer tab.Release()
		type kept struct {
			s          Snapshot
			p          Position
			start, end int64
			want       []base.Point
		}
		var old []kept
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		seriesCount := rapid.IntRange(1, 5).Draw(t, "series")
		stride := rapid.SampledFrom([]int{1, 700, 5000}).Draw(t, "stride")
		late := rapid.SampledFrom([]float64{0, 0.02, 0.2, 1}).Draw(t, "late")
		now := rapid.SampledFrom([]int64{base.MinTime, -50, 0, base.MaxTime - 4000}).Draw(t, "now")
		var dst Columns
		for range rapid.IntRange(1, 12).Draw(t, "batches") {
			rows := make([]base.Row, rng.IntN(300))
			for i := range rows {
				now++
				ts := now
				if rng.Float64() < late {
					ts = max(base.MinTime, now-rng.Int64N(100))
				}
				rows[i] = base.Row{TS: ts, Value: math.Float64frombits(rng.Uint64()),
					Ordinal: base.Ordinal(rng.IntN(seriesCount) * stride)}
			}
			tab.Apply(rows)
			naive.apply(rows)
			for i := range seriesCount {
				o := base.Ordinal(i * stride)
				p, ok := tab.Position(o)
				if ok != (len(naive[o]) > 0) || p.Count() != len(naive[o]) {
					t.Fatalf("Position(%d) = %v, %v with %d rows", o, p, ok, len(naive[o]))
				}
				start := now - rng.Int64N(1200)
				k := kept{tab.Snapshot(), p, start, start + rng.Int64N(800), nil}
				if rng.IntN(3) == 0 {
					k.start, k.end = math.MinInt64, math.MaxInt64
				}
				k.want = naive.read(o, k.start, k.end)
				old = append(old, k)
			}
		}
		for _, k := range old {
			dst.Reset()
			k.s.AppendRange(&dst, k.p, k.start, k.end)
			sameColumns(t, &dst, k.want)
			if got := k.s.Contains(k.p, k.start, k.end); got != (len(k.want) > 0) {
				t.Fatalf("Contains = %v with %d points", got, len(k.want))
			}
		}
		var ordinals []base.Ordinal
		points := 0
		for o, p := range tab.Ordinals() {
			ordinals = append(ordinals, o)
			points += p.Count()
		}
		if len(ordinals) != len(naive) || !slices.IsSorted(ordinals) || tab.SeriesCount() != len(naive) ||
			points != tab.Points() {
			t.Fatalf("ordinals %v, %d series, %d of %d points", ordinals, tab.SeriesCount(), points, tab.Points())
		}
	})
}
