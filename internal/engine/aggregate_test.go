package engine

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/sydradb/sydradb/internal/aggregate"
	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/fsys"
	"github.com/sydradb/sydradb/internal/tags"
)

// aggregateOf returns the one result of a.
func aggregateOf(t *testing.T, e *Engine, a Aggregation) (times []int64, values [][]float64) {
	t.Helper()
	it, err := e.Aggregate(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	defer it.Close()
	for it.Next() {
		if times != nil {
			t.Fatal("several results")
		}
		times = slices.Clone(it.Aggregate().Times)
		for _, c := range it.Aggregate().Values {
			values = append(values, slices.Clone(c))
		}
	}
	if err := it.Err(); err != nil {
		t.Fatal(err)
	}
	return times, values
}

// fromColumns computes a from the points that a query returns.
func fromColumns(t *testing.T, e *Engine, a Aggregation) (times []int64, values [][]float64) {
	t.Helper()
	from, to := a.Bounds()
	it, err := e.Query(t.Context(), Query{Selector: a.Selector, Start: from, End: to})
	if err != nil {
		t.Fatal(err)
	}
	defer it.Close()
	var s aggregate.Series
	s.Reset(&a.Windows, a.Functions)
	for it.Next() {
		s.AddColumns(it.Block().Times, it.Block().Values)
	}
	if err := it.Err(); err != nil {
		t.Fatal(err)
	}
	for _, f := range a.Functions {
		values = append(values, s.AppendValues(nil, f))
	}
	return s.AppendTimes(nil), values
}

// sameResult compares what statistics gave with what columns gave.
func sameResult(t *testing.T, e *Engine, a Aggregation) {
	t.Helper()
	times, values := aggregateOf(t, e, a)
	wantTimes, wantValues := fromColumns(t, e, a)
	if len(times) == 0 || !slices.Equal(times, wantTimes) {
		t.Fatalf("windows %d, not %d", len(times), len(wantTimes))
	}
	for i, f := range a.Functions {
		for k, v := range values[i] {
			want := wantValues[i][k]
			slack := 0.0
			switch f {
			case aggregate.Sum, aggregate.Avg, aggregate.Stddev, aggregate.Increase, aggregate.Rate:
				slack = 1e-12 * math.Abs(want)
			}
			if math.Float64bits(v) != math.Float64bits(want) && !(math.Abs(v-want) <= slack) {
				t.Fatalf("%v at %d: %v, not %v", f, times[k], v, want)
			}
		}
	}
}

// A year of one series in a thousand buckets is read from statistics, but for the blocks at
// the edges of buckets.
func TestYearByStatistics(t *testing.T) {
	const buckets = 1000
	for _, every := range []time.Duration{10 * time.Second, time.Minute, 15 * time.Minute} {
		if raceEnabled && every < 15*time.Minute {
			continue
		}
		t.Run(every.String(), func(t *testing.T) {
			e := openTest(t, fsys.NewMem(), Options{MergeOff: true})
			s, err := e.Resolve("year", nil)
			if err != nil {
				t.Fatal(err)
			}
			points := int(365 * 24 * time.Hour / every)
			rng, v := rand.New(rand.NewPCG(1, 2)), 0.0
			rows := make([]base.Row, 0, 100_000)
			for i := range points {
				v = math.Round(v*10+float64(rng.IntN(21)-10)) / 10
				rows = append(rows, base.Row{TS: int64(i) * int64(every), Value: v, Ordinal: s.Ordinal()})
				if len(rows) == cap(rows) || i == points-1 {
					if _, err := e.Write(t.Context(), rows, nil); err != nil {
						t.Fatal(err)
					}
					rows = rows[:0]
				}
			}
			if err := e.Compact(t.Context()); err != nil {
				t.Fatal(err)
			}
			a := Aggregation{
				Windows:   aggregate.Windows{End: int64(points-1) * int64(every), Step: int64(365*24*time.Hour) / buckets},
				Functions: []aggregate.Function{aggregate.Count, aggregate.Sum, aggregate.Min, aggregate.Max, aggregate.Increase},
			}
			before, start := e.Stats(), time.Now()
			times, _ := aggregateOf(t, e, a)
			after := e.Stats()
			decoded, summed := after.BlocksDecoded-before.BlocksDecoded, after.BlocksSummed-before.BlocksSummed
			t.Logf("%d points in %d files: %d blocks decoded, %d by statistics, %v", points, after.SegmentFiles, decoded, summed, time.Since(start))
			if len(times) < buckets || len(times) > buckets+1 || decoded > 2*buckets || every < time.Minute && summed < 7*buckets {
				t.Errorf("%d buckets, %d blocks decoded, %d by statistics", len(times), decoded, summed)
			}
			sameResult(t, e, a)
		})
	}
}

// Statistics stand for a block only where nothing else has points among its own, and none
// of them is hidden.
func TestStatisticsStandBackForOthers(t *testing.T) {
	const hours, perHour = 12, 100
	for _, c := range []struct {
		name    string
		change  func(t *testing.T, e *Engine, s *Series)
		decoded int64 // of the twelve blocks, for windows of an hour
	}{
		{"nothing", func(*testing.T, *Engine, *Series) {}, 0},
		{"a point in memory", func(t *testing.T, e *Engine, s *Series) {
			writeOne(t, e, s, 3*base.Hour+1, 1e6)
		}, 1},
		{"points in memory between blocks", func(t *testing.T, e *Engine, s *Series) {
			writeOne(t, e, s, 4*base.Hour-1, -7)
			writeOne(t, e, s, hours*base.Hour+5, -8)
		}, 0},
		{"a rewrite in memory of a block's edge", func(t *testing.T, e *Engine, s *Series) {
			writeOne(t, e, s, 5*base.Hour, 1e6)
		}, 1},
		{"a point in another file", func(t *testing.T, e *Engine, s *Series) {
			writeOne(t, e, s, 3*base.Hour+1, 1e6)
			if err := e.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
		}, 2},
		{"a deletion of one point", func(t *testing.T, e *Engine, _ *Series) {
			deleteRange(t, e, 7*base.Hour, 7*base.Hour)
		}, 1},
		{"a deletion between points", func(t *testing.T, e *Engine, _ *Series) {
			deleteRange(t, e, 8*base.Hour-5, 8*base.Hour-1)
		}, 0},
		{"a deletion over several hours", func(t *testing.T, e *Engine, _ *Series) {
			deleteRange(t, e, 2*base.Hour+1, 6*base.Hour)
		}, 5},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := openTest(t, fsys.NewMem(), Options{MergeOff: true, MaxSegmentFiles: AlwaysPack})
			s, err := e.Resolve("s", nil)
			if err != nil {
				t.Fatal(err)
			}
			for hour := range int64(hours) {
				var rows []base.Row
				for i := range int64(perHour) {
					rows = append(rows, base.Row{TS: hour*base.Hour + i*base.Hour/perHour, Value: float64(i*7%50) + float64(hour), Ordinal: s.Ordinal()})
				}
				if _, err := e.Write(t.Context(), rows, nil); err != nil {
					t.Fatal(err)
				}
			}
			if err := e.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
			c.change(t, e, s)
			a := Aggregation{Windows: aggregate.Windows{End: (hours+1)*base.Hour - 1, Step: base.Hour}}
			for _, f := range allFunctions {
				if f != aggregate.Stddev { // which needs all points
					a.Functions = append(a.Functions, f)
				}
			}
			before := e.Stats()
			aggregateOf(t, e, a)
			after := e.Stats()
			if n := after.BlocksDecoded - before.BlocksDecoded; n != c.decoded {
				t.Errorf("%d blocks decoded, not %d", n, c.decoded)
			}
			if after.BlocksSummed == before.BlocksSummed {
				t.Error("no statistics used")
			}
			sameResult(t, e, a)
			a.Range = 3 * base.Hour
			sameResult(t, e, a)
			a.Step, a.Range = 5*base.Hour/4, 0
			sameResult(t, e, a)
			a.Functions = allFunctions
			sameResult(t, e, a)
		})
	}
}

func writeOne(t *testing.T, e *Engine, s *Series, ts int64, value float64) {
	t.Helper()
	if _, err := e.Write(t.Context(), []base.Row{{TS: ts, Value: value, Ordinal: s.Ordinal()}}, nil); err != nil {
		t.Fatal(err)
	}
}

func deleteRange(t *testing.T, e *Engine, start, end int64) {
	t.Helper()
	if n, err := e.Delete(t.Context(), Selector{}, start, end); err != nil || n != 1 {
		t.Fatal(n, err)
	}
}

func TestAggregationLimits(t *testing.T) {
	e := openTest(t, fsys.NewMem(), Options{})
	for i := range 3 {
		s, err := e.Resolve("s", []base.Tag{{Key: "n", Value: fmt.Sprint(i)}})
		if err != nil {
			t.Fatal(err)
		}
		writeOne(t, e, s, 0, 1)
		writeOne(t, e, s, 1000*base.Hour, 1)
	}
	all := Aggregation{Windows: aggregate.Windows{Start: base.MinTime, End: base.MaxTime, Step: base.Hour}, Functions: []aggregate.Function{aggregate.Count}}
	count := func(ctx context.Context, change func(*Aggregation)) (results, windows int, err error) {
		a := all
		change(&a)
		it, err := e.Aggregate(ctx, a)
		if err != nil {
			return 0, 0, err
		}
		defer it.Close()
		for it.Next() {
			results++
			windows += len(it.Aggregate().Times)
		}
		return results, windows, it.Err()
	}
	for _, c := range []struct {
		name             string
		change           func(*Aggregation)
		results, windows int
		err              error
	}{
		{"none", func(*Aggregation) {}, 3, 6, nil},
		{"before time itself", func(a *Aggregation) { a.Start, a.End = math.MinInt64, math.MaxInt64 }, 3, 6, nil},
		{"parallel", func(a *Aggregation) { a.Parallel = 8 }, 3, 6, nil},
		{"just enough", func(a *Aggregation) { a.MaxSeries, a.MaxPoints = 3, 6 }, 3, 6, nil},
		{"series", func(a *Aggregation) { a.MaxSeries = 2 }, 0, 0, ErrLimit},
		{"windows with a result", func(a *Aggregation) { a.MaxPoints = 5 }, 2, 4, ErrLimit},
		{"windows between points", func(a *Aggregation) { a.MaxWindows = 1001 }, 3, 6, nil},
		{"one window more", func(a *Aggregation) { a.MaxWindows = 1000 }, 0, 0, ErrLimit},
		{"one group", func(a *Aggregation) { a.Grouped, a.MaxPoints = true, 2 }, 1, 2, nil},
		{"negative step", func(a *Aggregation) { a.Step = -1 }, 0, 0, ErrInvalidQuery},
		{"no such function", func(a *Aggregation) { a.Functions = []aggregate.Function{aggregate.Rate + 1} }, 0, 0, ErrInvalidQuery},
		{"too many windows", func(a *Aggregation) { a.Step = 1 }, 0, 0, ErrInvalidQuery},
		{"an empty range", func(a *Aggregation) { a.Start, a.End = 5, 4 }, 0, 0, nil},
		{"no points there", func(a *Aggregation) { a.Start = 1001 * base.Hour }, 0, 0, nil},
	} {
		results, windows, err := count(t.Context(), c.change)
		if results != c.results || windows != c.windows || !errors.Is(err, c.err) {
			t.Errorf("%s: %d results, %d windows, %v", c.name, results, windows, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, parallel := range []int{1, 3} {
		if _, _, err := count(ctx, func(a *Aggregation) { a.Parallel = parallel }); !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled: %v", err)
		}
	}
}

// Keys that come twice count once, and the caller may change the slice.
func TestGroupKeysOnce(t *testing.T) {
	e := openTest(t, fsys.NewMem(), Options{})
	s, err := e.Resolve("s", []base.Tag{{Key: "dc", Value: "x"}, {Key: "host", Value: "a"}})
	if err != nil {
		t.Fatal(err)
	}
	writeOne(t, e, s, 0, 1)
	by := []string{"host", "dc", "host"}
	it, err := e.Aggregate(t.Context(), Aggregation{Functions: allFunctions, Grouped: true, By: by})
	if err != nil {
		t.Fatal(err)
	}
	defer it.Close()
	by[0] = "other"
	want := []base.Tag{{Key: "host", Value: "a"}, {Key: "dc", Value: "x"}}
	if !it.Next() || !slices.Equal(it.Aggregate().Tags, want) {
		t.Errorf("%v, not %v: %v", it.Aggregate().Tags, want, it.Err())
	}
}

// One window of all time has the time of the first point of each result, wherever the
// points are and whatever else is in the same files.
func TestOneWindowOfAll(t *testing.T) {
	e := openTest(t, fsys.NewMem(), Options{MaxSegmentFiles: AlwaysPack})
	for i, first := range []int64{-50, 20} {
		s, err := e.Resolve("s", []base.Tag{{Key: "n", Value: fmt.Sprint(i)}})
		if err != nil {
			t.Fatal(err)
		}
		writeOne(t, e, s, first-1, math.Float64frombits(0x7ff0000000000002))
		for k := range int64(100) {
			writeOne(t, e, s, first+k, 1)
		}
	}
	whole := aggregate.Windows{Start: base.MinTime, End: base.MaxTime}
	for _, where := range []string{"memory", "files of a flush", "a merged file"} {
		for i, want := range []int64{-50, 20} {
			only, err := tags.NewMatcher(tags.Equal, "n", fmt.Sprint(i))
			if err != nil {
				t.Fatal(err)
			}
			for _, grouped := range []bool{false, true} {
				a := Aggregation{Selector: Selector{Matchers: []tags.Matcher{only}}, Windows: whole, Functions: []aggregate.Function{aggregate.Count}, Grouped: grouped}
				times, values := aggregateOf(t, e, a)
				if !slices.Equal(times, []int64{want}) || values[0][0] != 100 {
					t.Errorf("in %s, grouped %v: %v at %d, not 100 at %d", where, grouped, values, times, want)
				}
			}
		}
		all := Aggregation{Windows: whole, Functions: []aggregate.Function{aggregate.Sum}, Grouped: true}
		if times, _ := aggregateOf(t, e, all); !slices.Equal(times, []int64{-50}) {
			t.Errorf("in %s, of both: %d", where, times)
		}
		var err error
		if where == "memory" {
			err = e.Flush(t.Context())
		} else {
			err = e.Compact(t.Context())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// Whether there are too many windows depends on the points of the series, not on what else
// is in the files that hold them.
func TestLimitOfWindowsIsThatOfThePoints(t *testing.T) {
	e := openTest(t, fsys.NewMem(), Options{MergeOff: true, MaxSegmentFiles: AlwaysPack})
	a, err := e.Resolve("a", nil)
	if err != nil {
		t.Fatal(err)
	}
	b, err := e.Resolve("b", nil)
	if err != nil {
		t.Fatal(err)
	}
	writeOne(t, e, a, 1000*base.Hour, 1)
	writeOne(t, e, a, 1001*base.Hour, 2)
	writeOne(t, e, b, 7, 1)
	query := Aggregation{
		Selector:  Selector{IDs: []base.SeriesID{a.ID()}},
		Windows:   aggregate.Windows{Start: base.MinTime, End: base.MaxTime, Step: 1e8},
		Functions: []aggregate.Function{aggregate.Count},
	}
	for _, where := range []string{"memory", "files"} {
		if times, _ := aggregateOf(t, e, query); !slices.Equal(times, []int64{1000 * base.Hour, 1001 * base.Hour}) {
			t.Errorf("from %s: %d", where, times)
		}
		if err := e.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	query.Selector = Selector{}
	if _, err := e.Aggregate(t.Context(), query); !errors.Is(err, ErrInvalidQuery) {
		t.Errorf("of both series: %v", err)
	}
}
