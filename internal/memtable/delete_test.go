package memtable

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/sydradb/sydradb/internal/base"
)

// remove takes points out of the naive table. The series stays in the map.
func (m model) remove(o base.Ordinal, start, end int64) (removed int) {
	before := len(m[o])
	m[o] = slices.DeleteFunc(slices.Clone(m[o]), func(p base.Point) bool { return start <= p.TS && p.TS <= end })
	return before - len(m[o])
}

func TestDelete(t *testing.T) {
	const all = math.MaxInt64
	for _, c := range []struct {
		name       string
		ts         []int64 // applied before; the value of each is its place
		start, end int64
		removed    int
		late       bool
		wantTS     []int64
		wantValues []float64
		chunks     int // that are taken for what stays
	}{
		{"nothing in it", []int64{1, 9}, 2, 8, 0, false, []int64{1, 9}, []float64{0, 1}, 0},
		{"reversed range", []int64{1, 2, 3}, 3, 1, 0, false, []int64{1, 2, 3}, []float64{0, 1, 2}, 0},
		{"both ends count", []int64{1, 2, 3, 4}, 2, 3, 2, false, []int64{1, 4}, []float64{0, 3}, 1},
		{"all", []int64{1, 2, 3, 4}, -all, all, 4, false, nil, nil, 0},
		{"the first", []int64{1, 2, 3, 4}, 1, 1, 1, false, []int64{2, 3, 4}, []float64{1, 2, 3}, 1},
		{"the last chunk", []int64{1, 2, 3, 4, 5}, 4, 9, 2, false, []int64{1, 2, 3}, []float64{0, 1, 2}, 0},
		{"in the last chunk", []int64{1, 2, 3, 4, 5}, 4, 4, 1, false, []int64{1, 2, 3, 5}, []float64{0, 1, 2, 4}, 1},
		{"the end of a chunk", []int64{1, 2, 3, 4, 5}, 3, 3, 1, false, []int64{1, 2, 4, 5}, []float64{0, 1, 3, 4}, 2},
		{"overwritten points too", []int64{1, 2, 3, 2, 4, 2}, 2, 2, 3, false, []int64{1, 3, 4}, []float64{0, 2, 4}, 1},
		{"what was replaced stays replaced", []int64{1, 2, 3, 1}, 2, 2, 1, true, []int64{1, 3}, []float64{3, 2}, 1},
		{"no longer late", []int64{5, 6, 7, 1}, 1, 1, 1, false, []int64{5, 6, 7}, []float64{0, 1, 2}, 0},
		{"late before what is kept", []int64{3, 2, 1, 9}, 9, 9, 1, true, []int64{1, 2, 3}, []float64{2, 1, 0}, 0},
		{"late across what is kept", []int64{4, 5, 6, 1, 2, 3, 9}, 9, 9, 1, true,
			[]int64{1, 2, 3, 4, 5, 6}, []float64{3, 4, 5, 0, 1, 2}, 0},
		{"limits", []int64{base.MinTime, 0, base.MaxTime}, base.MinTime, base.MinTime, 1, false,
			[]int64{0, base.MaxTime}, []float64{1, 2}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			tab := New(NewSlabs(0))
			tab.Apply(rowsOf(c.ts...))
			before, bytes := tab.Snapshot(), tab.Bytes()
			old, _ := tab.Position(0)
			var want, dst Columns
			before.AppendRange(&want, old, -all, all)

			if n := tab.Delete(0, c.start, c.end); n != c.removed || tab.Points() != len(c.ts)-n {
				t.Errorf("removed %d, %d points left", n, tab.Points())
			}
			p, ok := tab.Position(0)
			if ok != (len(c.wantTS) > 0) || p.late() != c.late {
				t.Errorf("found %v, late %v", ok, p.late())
			}
			tab.Snapshot().AppendRange(&dst, p, -all, all)
			if !slices.Equal(dst.TS, c.wantTS) || !slices.Equal(dst.Values, c.wantValues) {
				t.Errorf("left %v %v, want %v %v", dst.TS, dst.Values, c.wantTS, c.wantValues)
			}
			// All chunks of so short series hold three points.
			if took := tab.Bytes() - bytes; took != int64(c.chunks)*4*cellBytes {
				t.Errorf("took %d bytes, want %d chunks", took, c.chunks)
			}
			dst.Reset()
			before.AppendRange(&dst, old, -all, all)
			if !slices.Equal(dst.TS, want.TS) || !slices.Equal(dst.Values, want.Values) {
				t.Errorf("the old position became %v %v, was %v %v", dst.TS, dst.Values, want.TS, want.Values)
			}
		})
	}
}

func TestDeleteKeepsNames(t *testing.T) {
	tab := New(NewSlabs(0))
	if tab.Names(0) || tab.Delete(0, 0, 9) != 0 {
		t.Error("an empty table names or loses something")
	}
	tab.Apply([]base.Row{{TS: 1, Ordinal: 3}, {TS: 2, Ordinal: 3}, {TS: 1, Ordinal: 5000}, {TS: 1, Ordinal: 2}})
	if n := tab.Delete(3, 0, 9); n != 2 {
		t.Fatalf("removed %d", n)
	}
	if tab.Delete(3, 0, 9) != 0 || tab.Delete(4, 0, 9) != 0 || tab.Delete(70_000, 0, 9) != 0 {
		t.Error("removed what is not there")
	}
	named := []base.Ordinal{2, 3, 5000}
	if got := slices.Collect(tab.Named()); !slices.Equal(got, named) {
		t.Errorf("Named: %v", got)
	}
	for _, o := range []base.Ordinal{0, 2, 3, 4, 1023, 1024, 5000, 5001, math.MaxUint32} {
		if tab.Names(o) != slices.Contains(named, o) {
			t.Errorf("Names(%d) = %v", o, tab.Names(o))
		}
	}
	var full []base.Ordinal
	for o := range tab.Ordinals() {
		full = append(full, o)
	}
	if !slices.Equal(full, []base.Ordinal{2, 5000}) || tab.SeriesCount() != 2 || tab.Points() != 2 {
		t.Errorf("with points: %v, %d series, %d points", full, tab.SeriesCount(), tab.Points())
	}
	for o := range tab.Named() {
		if o != 2 {
			t.Error("Named goes on after the end of its loop")
		}
		break
	}
	// The series gets a point again.
	tab.Apply([]base.Row{{TS: 1, Value: 8, Ordinal: 3}})
	var dst Columns
	p, ok := tab.Position(3)
	tab.Snapshot().AppendRange(&dst, p, 0, 9)
	if !ok || p.late() || !slices.Equal(dst.Values, []float64{8}) || tab.SeriesCount() != 3 {
		t.Errorf("written again: %v, late %v, %v, %d series", ok, p.late(), dst, tab.SeriesCount())
	}
	tab.Release()
	if tab.Names(3) || len(slices.Collect(tab.Named())) != 0 {
		t.Error("a released table names series")
	}
}

// TestDeleteAgainstModel applies and deletes at random, and reads old positions again
// at the end.
func TestDeleteAgainstModel(t *testing.T) {
	slabs := NewSlabs(64 << 20)
	rapid.Check(t, func(t *rapid.T) {
		tab, naive := New(slabs), model{}
		defer tab.Release()
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		late := rapid.SampledFrom([]float64{0, 0.05, 1}).Draw(t, "late")
		width := rapid.SampledFrom([]int64{1, 40, 2000}).Draw(t, "width")
		type kept struct {
			s    Snapshot
			p    Position
			want []base.Point
		}
		var old []kept
		var dst Columns
		now := int64(0)
		const seriesCount = 3
		for range rapid.IntRange(1, 15).Draw(t, "steps") {
			rows := make([]base.Row, rng.IntN(400))
			for i := range rows {
				now++
				rows[i] = base.Row{TS: now, Value: rng.Float64(), Ordinal: base.Ordinal(rng.IntN(seriesCount))}
				if rng.Float64() < late {
					rows[i].TS = now - rng.Int64N(200)
				}
			}
			tab.Apply(rows)
			naive.apply(rows)
			o, start := base.Ordinal(rng.IntN(seriesCount)), rng.Int64N(now+2)
			end := start + rng.Int64N(width)
			if got, want := tab.Delete(o, start, end), naive.remove(o, start, end); got != want {
				t.Fatalf("removed %d, want %d", got, want)
			}
			points, nonEmpty := 0, 0
			for o, all := range naive {
				p, ok := tab.Position(o)
				if ok != (len(all) > 0) || count(p) != len(all) {
					t.Fatalf("Position(%d) = %v, %v with %d rows", o, p, ok, len(all))
				}
				old = append(old, kept{tab.Snapshot(), p, naive.read(o, math.MinInt64, math.MaxInt64)})
				points += len(all)
				nonEmpty += min(1, len(all))
			}
			if tab.Points() != points || tab.SeriesCount() != nonEmpty {
				t.Fatalf("%d points, %d series, want %d and %d", tab.Points(), tab.SeriesCount(), points, nonEmpty)
			}
		}
		for _, k := range old {
			dst.Reset()
			k.s.AppendRange(&dst, k.p, math.MinInt64, math.MaxInt64)
			sameColumns(t, &dst, k.want)
		}
		for o := range base.Ordinal(seriesCount) {
			if len(naive[o]) > 0 && !tab.Names(o) {
				t.Fatalf("series %d is not named", o)
			}
		}
	})
}

// TestReadersBesideDelete lets a writer apply and delete while readers check, outside
// the lock, that what they captured under it is the same for every series.
func TestReadersBesideDelete(t *testing.T) {
	const seriesCount, rounds, readers = 50, 600, 3
	var lock sync.RWMutex
	tab := New(NewSlabs(0))
	done := make(chan struct{})
	var wg sync.WaitGroup
	for range readers {
		wg.Go(func() {
			positions := make([]Position, seriesCount)
			var dst, first Columns
			for {
				lock.RLock()
				s := tab.Snapshot()
				for o := range positions {
					positions[o], _ = tab.Position(base.Ordinal(o))
				}
				lock.RUnlock()
				for o, p := range positions {
					dst.Reset()
					s.AppendRange(&dst, p, math.MinInt64, math.MaxInt64)
					if o == 0 {
						first.Reset()
						first.TS = append(first.TS, dst.TS...)
					} else if !slices.Equal(dst.TS, first.TS) {
						t.Errorf("series %d: %v, series 0: %v", o, dst.TS, first.TS)
						return
					}
				}
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	rng := rand.New(rand.NewPCG(3, 4))
	rows := make([]base.Row, seriesCount)
	for i := range int64(rounds) {
		ts := i
		if rng.IntN(10) == 0 {
			ts = rng.Int64N(i + 1)
		}
		for o := range rows {
			rows[o] = base.Row{TS: ts, Value: float64(i), Ordinal: base.Ordinal(o)}
		}
		start := i - rng.Int64N(30)
		lock.Lock()
		tab.Apply(rows)
		if i%5 == 4 {
			for o := range rows {
				tab.Delete(base.Ordinal(o), start, start+10)
			}
		}
		lock.Unlock()
	}
	close(done)
	wg.Wait()
}

func TestDeleteAllocations(t *testing.T) {
	tab := New(NewSlabs(0))
	fill(tab, scrapes(100, 500))
	tab.Delete(0, 0, 0)
	o := base.Ordinal(1)
	if n := testing.AllocsPerRun(50, func() {
		tab.Delete(o, 400*10e9, 401*10e9)
		o++
	}); n != 0 {
		t.Errorf("Delete allocates %v times", n)
	}
}

// BenchmarkDelete deletes the second half of the points of every series, which is
// copying the chunk in which that begins, and the first half, which is copying the rest.
func BenchmarkDelete(b *testing.B) {
	const seriesCount, steps = 4000, 360
	batches := scrapes(seriesCount, steps)
	for name, start := range map[string]int64{"first": 0, "second": steps / 2} {
		b.Run(fmt.Sprintf("half=%s/series=%d/steps=%d", name, seriesCount, steps), func(b *testing.B) {
			free := NewSlabs(1 << 30)
			t := New(free)
			var before int64
			for b.Loop() {
				b.StopTimer()
				t.Release()
				fill(t, batches)
				before = t.Bytes()
				b.StartTimer()
				for o := range base.Ordinal(seriesCount) {
					t.Delete(o, start*10e9, (start+steps/2)*10e9-1)
				}
			}
			perPoint(b, seriesCount*steps/2)
			b.ReportMetric(float64(t.Bytes()-before)/float64(before), "growth")
		})
	}
}

// TestDeleteAgainAndAgain takes points one by one from the start of a long series, for
// which all others are copied each time: the table does not grow by that, and what was
// captured before stays what it was.
func TestDeleteAgainAndAgain(t *testing.T) {
	const points, deletes = 50_000, 100
	tab := New(NewSlabs(0))
	rows := make([]base.Row, 0, points+3)
	for i := range int64(points) {
		rows = append(rows, base.Row{TS: i, Value: float64(i), Ordinal: 7})
	}
	rows = append(rows, base.Row{TS: 1, Ordinal: 2}, base.Row{TS: 5, Value: 5, Ordinal: 3000}, base.Row{TS: 4, Value: 4, Ordinal: 3000})
	tab.Apply(rows)
	tab.Delete(2, 1, 1)
	before, most := tab.Bytes(), int64(0)
	first := tab.Snapshot()
	old, _ := tab.Position(7)
	for i := range int64(deletes) {
		if n := tab.Delete(7, i, i); n != 1 {
			t.Fatalf("removed %d points at %d", n, i)
		}
		most = max(most, tab.Bytes())
	}
	if limit := 2*max(before, leastLeft*cellBytes) + before; most > limit {
		t.Errorf("%d bytes have become %d, want at most %d", before, most, limit)
	}
	var got Columns
	p, _ := tab.Position(7)
	tab.Snapshot().AppendRange(&got, p, 0, points)
	if len(got.TS) != points-deletes || got.TS[0] != deletes || got.Values[0] != deletes || p.late() {
		t.Errorf("%d points left, late %v", len(got.TS), p.late())
	}
	got.Reset()
	first.AppendRange(&got, old, 0, points)
	if len(got.TS) != points || got.TS[0] != 0 {
		t.Errorf("the old position has become one of %d points", len(got.TS))
	}
	got.Reset()
	p, _ = tab.Position(3000)
	tab.Snapshot().AppendRange(&got, p, 0, points)
	if !slices.Equal(got.TS, []int64{4, 5}) || !p.late() {
		t.Errorf("another series: %v, late %v", got.TS, p.late())
	}
	if named := slices.Collect(tab.Named()); !slices.Equal(named, []base.Ordinal{2, 7, 3000}) || tab.SeriesCount() != 2 {
		t.Errorf("named %v, %d series with points", named, tab.SeriesCount())
	}
	tab.Apply([]base.Row{{TS: 9, Value: 9, Ordinal: 2}})
	if p, ok := tab.Position(2); !ok || count(p) != 1 || tab.Points() != points-deletes+3 {
		t.Errorf("an emptied series after a new point: %v, %d points in all", ok, tab.Points())
	}
}
