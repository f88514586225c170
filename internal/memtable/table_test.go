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

// hours returns the start of each hour with a point.
func (m model) hours(o base.Ordinal) []int64 {
	var ts []int64
	for _, p := range m[o] {
		ts = append(ts, p.TS)
	}
	return naiveHours(ts)
}

// count returns how many points of a series were applied.
func count(p Position) int { return int(p.n &^ lateBit) }

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
				if ok != (len(naive[o]) > 0) || count(p) != len(naive[o]) {
					t.Fatalf("Position(%d) = %v, %v with %d rows", o, p, ok, len(naive[o]))
				}
				start := now - rng.Int64N(1200)
				k := kept{tab.Snapshot(), p, start, start + rng.Int64N(800), nil}
				if rng.IntN(3) == 0 {
					k.start, k.end = math.MinInt64, math.MaxInt64
				}
				k.want = naive.read(o, k.start, k.end)
				if got := k.s.AppendHours(nil, p); !slices.Equal(got, naive.hours(o)) {
					t.Fatalf("hours of %d: %v, want %v", o, got, naive.hours(o))
				}
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
			points += count(p)
		}
		if len(ordinals) != len(naive) || !slices.IsSorted(ordinals) || tab.SeriesCount() != len(naive) ||
			points != tab.Points() {
			t.Fatalf("ordinals %v, %d series, %d of %d points", ordinals, tab.SeriesCount(), points, tab.Points())
		}
	})
}

// TestSlabsInUseBoundThoseKept releases a table of many slabs while another one has
// fewer in use, and while none has.
func TestSlabsInUseBoundThoseKept(t *testing.T) {
	for _, used := range []int{0, idleSlabs + 2, 3 * idleSlabs} {
		free := NewSlabs(1 << 30)
		var filling, flushed []*slab
		for range used {
			filling = append(filling, free.get())
		}
		for range 2 * idleSlabs {
			flushed = append(flushed, free.get())
		}
		free.put(flushed)
		want := min(max(used, idleSlabs), 2*idleSlabs)
		if got := len(free.mu.free); got != want {
			t.Errorf("%d slabs in use: %d kept, want %d", used, got, want)
		}
		free.put(filling)
		if got := len(free.mu.free); got != idleSlabs || free.mu.used != 0 {
			t.Errorf("nothing in use: %d kept, %d counted", got, free.mu.used)
		}
	}
}

// TestSlabs fills three slabs and checks every chunk against invariant M4.
func TestSlabs(t *testing.T) {
	free := NewSlabs(2 * slabBytes)
	tab, naive := New(free), model{}
	for step := range 120 {
		rows := make([]base.Row, 0, 1200)
		for o := range base.Ordinal(1200) {
			rows = append(rows, base.Row{TS: int64(step), Value: float64(step) + float64(o)/1e4, Ordinal: o})
		}
		tab.Apply(rows)
		naive.apply(rows)
	}
	if len(tab.slabs) != 3 {
		t.Fatalf("%d slabs, want 3", len(tab.slabs))
	}
	s := tab.Snapshot()
	var dst Columns
	cells := int64(0)
	for o, p := range tab.Ordinals() {
		dst.Reset()
		s.AppendRange(&dst, p, base.MinTime, base.MaxTime)
		sameColumns(t, &dst, naive[o])
		for h := p.head; h != 0; h = s.header(h).prev() {
			size := s.header(h).size()
			if h%4 != 0 || (size+1)%4 != 0 || h>>slabBits != (h+size)>>slabBits {
				t.Fatalf("series %d has a chunk of %d cells at %x", o, size, h)
			}
			cells += int64(1 + size)
		}
	}
	if tab.Bytes() != cells*cellBytes {
		t.Errorf("Bytes = %d, want %d", tab.Bytes(), cells*cellBytes)
	}
	tab.Release()
	if len(free.mu.free) != 2 {
		t.Errorf("%d slabs kept of 3, want 2", len(free.mu.free))
	}
	if _, ok := tab.Position(0); ok || tab.Bytes() != 0 || tab.Points() != 0 || tab.SeriesCount() != 0 {
		t.Error("a released table is not empty")
	}
	// Recycled cells hold old points: none of them may be seen again.
	again := New(free)
	again.Apply(rowsOf(-5, 3))
	if len(free.mu.free) != 1 {
		t.Errorf("%d slabs free, want 1", len(free.mu.free))
	}
	p, _ := again.Position(0)
	dst.Reset()
	again.Snapshot().AppendRange(&dst, p, base.MinTime, base.MaxTime)
	if !slices.Equal(dst.TS, []int64{-5, 3}) || p.late() {
		t.Errorf("recycled: got %v, late %v", dst.TS, p.late())
	}
}

func TestEmpty(t *testing.T) {
	tab := New(NewSlabs(0))
	tab.Apply(nil)
	p, ok := tab.Position(3)
	var dst Columns
	tab.Snapshot().AppendRange(&dst, p, math.MinInt64, math.MaxInt64)
	if ok || len(dst.TS) != 0 || tab.Snapshot().Contains(p, math.MinInt64, math.MaxInt64) {
		t.Error("an empty table holds points")
	}
	tab.Apply([]base.Row{{TS: 1, Value: 1, Ordinal: 3}})
	for _, o := range []base.Ordinal{0, 2, 4, 1023, 1024, math.MaxUint32} {
		if _, ok := tab.Position(o); ok {
			t.Errorf("series %d has a point", o)
		}
	}
}

// TestMemory pins what a point costs.
func TestMemory(t *testing.T) {
	for _, c := range []struct {
		points int
		limit  float64
	}{{1, 64}, {6, 22}, {20, 19.5}, {360, 18.5}, {2160, 16.5}} {
		tab := fill(New(NewSlabs(0)), scrapes(100, c.points))
		if got := float64(tab.Bytes()) / float64(tab.Points()); got > c.limit {
			t.Errorf("%d points a series: %.2f bytes a point, want at most %.1f", c.points, got, c.limit)
		}
	}
}

func TestAllocations(t *testing.T) {
	free := NewSlabs(8 << 20)
	batch := scrapes(1000, 1)[0]
	tab := New(free)
	tab.Apply(batch)
	if n := testing.AllocsPerRun(20, func() {
		for i := range batch {
			batch[i].TS++
		}
		tab.Apply(batch)
	}); n != 0 {
		t.Errorf("Apply allocates %v times a batch", n)
	}
	// The last batch once more: every series is late.
	tab.Apply(batch)
	var dst Columns
	read := func() {
		s := tab.Snapshot()
		for _, p := range tab.Ordinals() {
			dst.Reset()
			s.AppendRange(&dst, p, 0, 1<<60)
		}
	}
	read()
	if n := testing.AllocsPerRun(5, read); n != 0 {
		t.Errorf("reading allocates %v times", n)
	}
}
