package tombstone

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/sydradb/sydradb/internal/base"
)

func stone(lsn base.LSN, start, end int64, ids ...base.SeriesID) *Tombstone {
	return &Tombstone{LSN: lsn, Start: start, End: end, IDs: ids}
}

// lsns returns those of a list.
func lsns(l List) (out []base.LSN) {
	for _, t := range l {
		out = append(out, t.LSN)
	}
	return out
}

func TestListIsNeverChanged(t *testing.T) {
	a, b, c := stone(2, 0, 9, 1), stone(5, 0, 9, 1), stone(9, 0, 9, 1)
	var empty List
	one := empty.With(b)
	two := one.With(a)
	three := two.With(c)
	known := *b
	known.File = File{Path: "x"}
	replaced := three.With(&known)
	many := three.Replaced(List{stone(1, 0, 9, 1), &known, stone(7, 0, 9, 1), c})
	less := replaced.Without(func(t *Tombstone) bool { return t.LSN < 5 })
	none := less.Without(func(*Tombstone) bool { return true })
	for _, c := range []struct {
		name string
		got  List
		want []base.LSN
	}{
		{"empty", empty, nil}, {"one", one, []base.LSN{5}}, {"two", two, []base.LSN{2, 5}}, {"three", three, []base.LSN{2, 5, 9}},
		{"replaced", replaced, []base.LSN{2, 5, 9}}, {"many", many, []base.LSN{2, 5, 9}}, {"less", less, []base.LSN{5, 9}}, {"none", none, nil},
	} {
		if got := lsns(c.got); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
	if three[1] != b || replaced[1] != &known || less[0] != &known || many[0] != a || many[1] != &known {
		t.Error("a tombstone took the place of another one, or did not")
	}
}

func TestFor(t *testing.T) {
	var l List
	for _, s := range []*Tombstone{
		stone(10, 0, 9, 1, 2), stone(20, 10, 19, 1), stone(30, 5, 7, 1), stone(40, 30, 39, 1, 3), stone(50, 21, 22, 2),
	} {
		l = l.With(s)
	}
	const all = math.MaxInt64
	for _, c := range []struct {
		name       string
		id         base.SeriesID
		seq        base.LSN
		start, end int64
		want       []Range
	}{
		{"all of a series", 1, 0, -all, all, []Range{{0, 19}, {30, 39}}},
		{"another one", 2, 0, -all, all, []Range{{0, 9}, {21, 22}}},
		{"one without", 4, 0, -all, all, nil},
		{"below all", 1, 9, -all, all, []Range{{0, 19}, {30, 39}}},
		{"the source holds the first", 1, 10, -all, all, []Range{{5, 7}, {10, 19}, {30, 39}}},
		{"and the second", 1, 29, -all, all, []Range{{5, 7}, {30, 39}}},
		{"all but the last", 1, 39, -all, all, []Range{{30, 39}}},
		{"all of them", 1, 40, -all, all, nil},
		{"later than any", 1, 1 << 60, -all, all, nil},
		{"uncut", 1, 0, 35, 36, []Range{{30, 39}}},
		{"first moment", 1, 0, -5, 0, []Range{{0, 9}}},
		{"last moment", 1, 0, 39, 99, []Range{{30, 39}}},
		{"before", 1, 0, -9, -1, nil},
		{"between", 1, 0, 20, 29, nil},
		{"after", 1, 0, 40, 99, nil},
	} {
		before := Range{-7, -7} // at its end, to be left alone
		got := l.For([]Range{before}, c.id, c.seq, c.start, c.end)
		if got[0] != before || !slices.Equal(got[1:], c.want) {
			t.Errorf("%s: %v, want %v", c.name, got[1:], c.want)
		}
	}
	if got := List(nil).For(nil, 1, 0, -all, all); len(got) > 0 {
		t.Errorf("an empty list hides %v", got)
	}
	for _, c := range []struct {
		seq        base.LSN
		start, end int64
		want       bool
	}{{0, 0, 0, true}, {0, 20, 20, false}, {0, 22, 22, true}, {49, 22, 22, true}, {50, 22, 22, false}, {0, 23, 29, false}, {0, -all, all, true}} {
		if got := l.Touches(c.seq, c.start, c.end); got != c.want {
			t.Errorf("Touches(%d, %d, %d) = %v", c.seq, c.start, c.end, got)
		}
	}
}

func TestUnion(t *testing.T) {
	const least, most = math.MinInt64, math.MaxInt64
	for _, c := range []struct{ in, want []Range }{
		{nil, nil},
		{[]Range{{3, 4}}, []Range{{3, 4}}},
		{[]Range{{3, 4}, {1, 2}}, []Range{{1, 4}}},
		{[]Range{{4, 4}, {1, 2}}, []Range{{1, 2}, {4, 4}}},
		{[]Range{{1, 9}, {2, 3}, {9, 12}}, []Range{{1, 12}}},
		{[]Range{{5, most}, {least, 4}}, []Range{{least, most}}},
		{[]Range{{6, most}, {least, 4}}, []Range{{least, 4}, {6, most}}},
		{[]Range{{least, most}, {least, 0}, {least, least}, {most, most}}, []Range{{least, most}}},
	} {
		got := slices.Clone(c.in)
		if got = got[:union(got)]; !slices.Equal(got, c.want) {
			t.Errorf("%v became %v, want %v", c.in, got, c.want)
		}
	}
}

func TestHide(t *testing.T) {
	for _, c := range []struct {
		name   string
		ts     []int64
		ranges []Range
		want   []int64
	}{
		{"no points", nil, []Range{{0, 9}}, nil},
		{"no ranges", []int64{1, 2}, nil, []int64{1, 2}},
		{"before and after", []int64{5, 6}, []Range{{0, 4}, {7, 9}}, []int64{5, 6}},
		{"both ends", []int64{4, 5, 6, 7}, []Range{{5, 6}}, []int64{4, 7}},
		{"all", []int64{4, 5}, []Range{{math.MinInt64, math.MaxInt64}}, nil},
		{"several", []int64{1, 2, 3, 4, 5, 6, 7}, []Range{{0, 1}, {3, 3}, {5, 6}, {9, 9}}, []int64{2, 4, 7}},
		{"between points", []int64{1, 5, 9}, []Range{{2, 4}, {6, 8}}, []int64{1, 5, 9}},
	} {
		ts, values := slices.Clone(c.ts), make([]float64, len(c.ts))
		for i, x := range ts {
			values[i] = float64(x)
		}
		ts, values = Hide(ts, values, c.ranges)
		if !slices.Equal(ts, c.want) || len(values) != len(ts) {
			t.Errorf("%s: %v and %d values, want %v", c.name, ts, len(values), c.want)
			continue
		}
		for i, v := range values {
			if v != float64(ts[i]) {
				t.Errorf("%s: the value of %d is %v", c.name, ts[i], v)
			}
		}
	}
}

// TestAgainstModel asks, point by point, which tombstone hides it.
func TestAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		var l List
		for range rapid.IntRange(0, 8).Draw(t, "tombstones") {
			start := rng.Int64N(100)
			l = l.With(stone(base.LSN(1+rng.IntN(20)), start, start+rng.Int64N(30), randomSubset(rng)...))
		}
		id, seq := base.SeriesID(rng.IntN(4)), base.LSN(rng.IntN(22))
		var ts, want []int64
		for x := range int64(130) {
			if rng.IntN(3) == 0 {
				continue
			}
			ts = append(ts, x)
			if !slices.ContainsFunc(l, func(t *Tombstone) bool {
				return t.LSN > seq && t.Start <= x && x <= t.End && slices.Contains(t.IDs, id)
			}) {
				want = append(want, x)
			}
		}
		values := make([]float64, len(ts))
		start, end := ts[0], ts[len(ts)-1]
		ranges := l.For(nil, id, seq, start, end)
		for i := 1; i < len(ranges); i++ {
			if ranges[i].Start <= ranges[i-1].End+1 {
				t.Fatalf("ranges %v touch", ranges)
			}
		}
		if len(ranges) > 0 && !l.Touches(seq, start, end) {
			t.Fatalf("ranges %v, but nothing touches %d to %d", ranges, start, end)
		}
		if got, _ := Hide(slices.Clone(ts), values, ranges); !slices.Equal(got, want) {
			t.Fatalf("%v leave %v of %v, want %v", ranges, got, ts, want)
		}
	})
}

func randomSubset(rng *rand.Rand) (ids []base.SeriesID) {
	for id := range base.SeriesID(4) {
		if rng.IntN(2) == 0 {
			ids = append(ids, id)
		}
	}
	return ids
}

func TestReadingAllocatesNothing(t *testing.T) {
	var l List
	for i := range int64(20) {
		l = l.With(stone(base.LSN(i+1), 100-i, 100-i, 1, 2, 3))
	}
	ranges := make([]Range, 0, 20)
	ts, values := make([]int64, 1000), make([]float64, 1000)
	if n := testing.AllocsPerRun(20, func() {
		ranges = l.For(ranges[:0], 2, 0, 0, 200)
		Hide(ts, values, ranges)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// BenchmarkFor asks for a series among 100,000 in each of some tombstones.
func BenchmarkFor(b *testing.B) {
	ids := randomIDs(100_000)
	for _, n := range []int{0, 1, 100} {
		var l List
		for i := range n {
			l = l.With(stone(base.LSN(i+1), int64(10*i), int64(10*i+5), ids...))
		}
		b.Run(fmt.Sprintf("tombstones=%d/series=%d", n, len(ids)), func(b *testing.B) {
			var ranges []Range
			i := 0
			b.ReportAllocs()
			for b.Loop() {
				ranges = l.For(ranges[:0], ids[i%len(ids)], 0, 0, 1<<40)
				i += 997
			}
		})
	}
}
