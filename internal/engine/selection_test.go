package engine

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/fsys"
)

// Series of a selection can be read in any order, more than once and by several readers;
// what they show is what a query showed at that moment, and runs with the same column,
// length and first time have the same times.
func TestSelectionShowsWhatAQueryShows(t *testing.T) {
	e := openTest(t, fsys.NewMem(), Options{MaxSegmentFiles: AlwaysPack})
	const series, points = 8, 900
	hour := int64(3600e9)
	write := func(round int) {
		for i := range points {
			var rows []base.Row
			for k := range series {
				s, err := e.Resolve("s", []base.Tag{{Key: "k", Value: string(rune('a' + k))}})
				if err != nil {
					t.Fatal(err)
				}
				rows = append(rows, base.Row{TS: int64(i)*(hour/300) + int64(k/4), Ordinal: s.Ordinal(), Value: float64(round*1000 + i*k)})
			}
			if _, err := e.Write(t.Context(), rows, nil); err != nil {
				t.Fatal(err)
			}
		}
	}
	write(1)
	if err := e.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	sel, err := e.Select(t.Context(), Query{})
	if err != nil {
		t.Fatal(err)
	}
	defer sel.Close()
	it, err := e.Query(t.Context(), Query{Start: hour / 7, End: 2 * hour})
	if err != nil {
		t.Fatal(err)
	}
	defer it.Close()
	want := make(map[string]columns)
	for it.Next() {
		b := it.Block()
		c := want[b.Series.Tags()[0].Value]
		c.append(columns{b.Times, b.Values})
		want[b.Series.Tags()[0].Value] = c
	}
	if err := it.Err(); err != nil {
		t.Fatal(err)
	}
	write(2) // the selection does not show it

	readers := []*Reader{sel.Reader(), sel.Reader()}
	type key struct {
		reader, n     int
		column, first int64
	}
	known := make(map[key][]int64)
	shared := 0
	rng := rand.New(rand.NewPCG(1, 2))
	for range 40 {
		i, n := rng.IntN(sel.Len()), rng.IntN(len(readers))
		var got columns
		readers[n].Open(i, hour/7, 2*hour)
		for {
			times, values, column, err := readers[n].Next(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if len(times) == 0 {
				break
			}
			got.append(columns{times, values})
			if column == 0 {
				continue
			}
			k := key{n, len(times), column, times[0]}
			if before, ok := known[k]; !ok {
				known[k] = slices.Clone(times)
			} else if shared++; !slices.Equal(before, times) {
				t.Fatalf("column %d has other times than before", column)
			}
		}
		w := want[sel.Series(i).Tags()[0].Value]
		if !slices.Equal(got.times, w.times) || !slices.EqualFunc(got.values, w.values, func(a, b float64) bool {
			return math.Float64bits(a) == math.Float64bits(b)
		}) {
			t.Fatalf("series %d: %d points, want %d as the query had them", i, got.len(), w.len())
		}
	}
	for _, r := range readers {
		r.Close()
		r.Close()
	}
	if shared == 0 {
		t.Error("no run shared its column with another")
	}
}

func TestSelectionRefuses(t *testing.T) {
	e := openTest(t, fsys.NewMem(), Options{})
	for _, name := range []string{"a", "b"} {
		s, err := e.Resolve(name, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := e.Write(t.Context(), []base.Row{{TS: 1, Ordinal: s.Ordinal()}}, nil); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := e.Select(t.Context(), Query{MaxSeries: 1}); err == nil {
		t.Error("two series selected where one is allowed")
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := e.Select(ended, Query{}); err == nil {
		t.Error("selected although the context had ended")
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Select(t.Context(), Query{}); err != ErrClosed {
		t.Errorf("after Close: %v", err)
	}
}
