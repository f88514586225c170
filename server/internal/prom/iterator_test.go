package prom

import (
	"context"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"

	"github.com/sydradb/sydradb"
	"github.com/sydradb/sydradb/server/internal/dbtest"
)

// modelSeries is what a series should look like: the last value of each millisecond.
type modelSeries struct {
	ms     []int64
	values []float64
}

// at returns the index of the first sample that is not before t.
func (m *modelSeries) at(t int64) int {
	i, _ := slices.BinarySearch(m.ms, t)
	return i
}

// scatter writes points of several series to a database, in nanoseconds, some of them in
// one millisecond, in files and in memory, and returns what they should look like.
func scatter(t *testing.T, db *sydradb.DB, rnd *rand.Rand, series int) []modelSeries {
	t.Helper()
	type point struct {
		ns int64
		v  float64
	}
	points := make([]map[int64]float64, series)
	for round := range 3 {
		batch := db.NewBatch()
		shared := int64(rnd.IntN(1000) - 500)
		for i := range points {
			if points[i] == nil {
				points[i] = map[int64]float64{}
			}
			s := seriesNamed(t, db, fmt.Sprintf(`m{i="%03d"}`, i))
			ns := shared * 3_600_000 * nsPerMS
			for range 50 + rnd.IntN(3)*2000 {
				switch i % 3 {
				case 0:
					ns += 10_000 * nsPerMS // as its neighbours
				case 1:
					ns += rnd.Int64N(2 * nsPerMS) // several in a millisecond
				default:
					ns += rnd.Int64N(30_000 * nsPerMS)
				}
				p := point{ns, float64(rnd.IntN(1000))}
				points[i][p.ns] = p.v
				batch.Add(s, p.ns, p.v)
			}
		}
		if err := db.Write(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
		if round < 2 {
			if err := db.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	models := make([]modelSeries, series)
	for i := range models {
		m := &models[i]
		for _, ns := range slices.Sorted(maps.Keys(points[i])) {
			if ms := floorMS(ns); len(m.ms) == 0 || m.ms[len(m.ms)-1] != ms {
				m.ms, m.values = append(m.ms, ms), append(m.values, 0)
			}
			m.values[len(m.values)-1] = points[i][ns]
		}
	}
	return models
}

// selectAll returns the series of a database with its points from mint to maxt, and the
// querier to be closed.
func selectAll(t testing.TB, db *sydradb.DB, mint, maxt int64) []storage.Series {
	t.Helper()
	q := newQueryable(db, Limits{}, nil).querier(mint, maxt)
	t.Cleanup(func() { q.Close() })
	set := q.Select(context.Background(), true, nil, labels.MustNewMatcher(labels.MatchEqual, model.MetricNameLabel, "m"))
	var all []storage.Series
	for set.Next() {
		all = append(all, set.At())
	}
	if err := set.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

func TestIterator(t *testing.T) {
	for seed := range uint64(8) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		db := dbtest.Open(t, sydradb.Options{})
		models := scatter(t, db, rnd, 9)
		if seed%2 == 1 {
			if err := db.Compact(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		all := selectAll(t, db, math.MinInt64, math.MaxInt64)
		var it chunkenc.Iterator
		for i, s := range all {
			it = s.Iterator(it)
			walkAgainst(t, rnd, it, &models[i], 0)
		}
		interleaved(t, rnd, all, models)
		narrow(t, rnd, db, models)
	}
}

// walkAgainst goes through an iterator by Next and Seek at random and compares it with m.
func walkAgainst(t *testing.T, rnd *rand.Rand, it chunkenc.Iterator, m *modelSeries, seeks int) {
	t.Helper()
	for at := -1; ; {
		var got chunkenc.ValueType
		if seeks > 0 && rnd.IntN(seeks) == 0 {
			target := seekTarget(rnd, m, at)
			at = max(at, m.at(target), 0)
			got = it.Seek(target)
		} else {
			at++
			got = it.Next()
		}
		if !agrees(t, it, got, m, at) {
			return
		}
	}
}

// seekTarget returns a time near the sample at, or far behind it.
func seekTarget(rnd *rand.Rand, m *modelSeries, at int) int64 {
	far := min(max(at, 0)+rnd.IntN(1+rnd.IntN(1+len(m.ms)/3)), len(m.ms)-1)
	return m.ms[far] + int64(rnd.IntN(3)-1)
}

// agrees reports whether it is at sample at of m, and fails the test if it should be.
func agrees(t *testing.T, it chunkenc.Iterator, got chunkenc.ValueType, m *modelSeries, at int) bool {
	t.Helper()
	if at >= len(m.ms) {
		if got != chunkenc.ValNone || it.Err() != nil || it.Next() != chunkenc.ValNone {
			t.Fatalf("got a sample behind the last of %d, error %v", len(m.ms), it.Err())
		}
		return false
	}
	if got != chunkenc.ValFloat {
		t.Fatalf("no sample %d of %d, error %v", at, len(m.ms), it.Err())
	}
	if ms, v := it.At(); ms != m.ms[at] || v != m.values[at] || it.AtT() != ms {
		t.Fatalf("sample %d of %d: got %d %v, want %d %v", at, len(m.ms), ms, v, m.ms[at], m.values[at])
	}
	return true
}

// interleaved reads all series at a time, as timestamp() does, with seeks among them.
func interleaved(t *testing.T, rnd *rand.Rand, all []storage.Series, models []modelSeries) {
	t.Helper()
	its, at := make([]chunkenc.Iterator, len(all)), make([]int, len(all))
	for i, s := range all {
		its[i], at[i] = s.Iterator(nil), -1
	}
	for open := len(all); open > 0; {
		i := rnd.IntN(len(all))
		if its[i] == nil {
			continue
		}
		for range rnd.IntN(40) {
			var got chunkenc.ValueType
			if rnd.IntN(10) == 0 {
				target := seekTarget(rnd, &models[i], at[i])
				at[i] = max(at[i], models[i].at(target), 0)
				got = its[i].Seek(target)
			} else {
				at[i]++
				got = its[i].Next()
			}
			if !agrees(t, its[i], got, &models[i], at[i]) {
				its[i] = nil
				open--
				break
			}
		}
	}
}

// narrow reads ranges that begin and end at samples or beside them, with seeks.
func narrow(t *testing.T, rnd *rand.Rand, db *sydradb.DB, models []modelSeries) {
	t.Helper()
	for range 20 {
		m := &models[rnd.IntN(len(models))]
		mint := m.ms[rnd.IntN(len(m.ms))] + int64(rnd.IntN(3)-1)
		maxt := mint + int64(rnd.IntN(40_000_000))
		var it chunkenc.Iterator
		for i, s := range selectAll(t, db, mint, maxt) {
			part := modelSeries{
				models[i].ms[models[i].at(mint):models[i].at(maxt+1)],
				models[i].values[models[i].at(mint):models[i].at(maxt+1)],
			}
			it = s.Iterator(it)
			if len(part.ms) == 0 {
				if it.Next() != chunkenc.ValNone {
					t.Fatal("a sample outside the range")
				}
				continue
			}
			walkAgainst(t, rnd, it, &part, 5)
		}
	}
}

func TestIteratorAllocatesNothingPerSample(t *testing.T) {
	db := dbtest.Open(t, sydradb.Options{})
	batch := db.NewBatch()
	for i := range 20 {
		s := seriesNamed(t, db, fmt.Sprintf(`m{i="%d"}`, i))
		for j := range int64(5000) {
			batch.Add(s, j*10_000*nsPerMS, float64(j))
		}
	}
	if err := db.Write(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
	if err := db.Compact(t.Context()); err != nil {
		t.Fatal(err)
	}
	all := selectAll(t, db, math.MinInt64, math.MaxInt64)
	var it chunkenc.Iterator
	read := func() {
		for _, s := range all {
			it = s.Iterator(it)
			n := 0
			for it.Next() == chunkenc.ValFloat {
				n++
			}
			if n != 5000 {
				t.Fatalf("%d samples", n)
			}
		}
	}
	read()
	// A hundred thousand samples; blocks may take some memory.
	if n := testing.AllocsPerRun(5, read); n > 200 {
		t.Errorf("%v allocations for 20 series of 5000 samples", n)
	}
}

func TestSamplesOfMillisecond(t *testing.T) {
	db := dbtest.Open(t, sydradb.Options{})
	b := db.NewBatch()
	s := seriesNamed(t, db, "m")
	for i, ns := range []int64{-1, -nsPerMS, 0, 5, nsPerMS - 1, nsPerMS, 3*nsPerMS + 7, 3 * nsPerMS} {
		b.Add(s, ns, float64(i))
	}
	if err := db.Write(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	it := selectAll(t, db, -1, 2)[0].Iterator(nil)
	var got []string
	for it.Next() == chunkenc.ValFloat {
		ms, v := it.At()
		got = append(got, fmt.Sprint(ms, " ", v))
	}
	if want := []string{"-1 0", "0 4", "1 5"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestSamplesOfMillisecondInFiles has the points of one millisecond in runs of their own.
func TestSamplesOfMillisecondInFiles(t *testing.T) {
	db := dbtest.Open(t, sydradb.Options{})
	s := seriesNamed(t, db, "m")
	for i, ns := range []int64{1, 2, nsPerMS, nsPerMS + 1, nsPerMS + 2} {
		b := db.NewBatch()
		b.Add(s, ns, float64(i))
		if err := db.Write(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		if err := db.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	want := modelSeries{[]int64{0, 1}, []float64{1, 4}}
	walkAgainst(t, nil, selectAll(t, db, 0, 10)[0].Iterator(nil), &want, 0)
}
