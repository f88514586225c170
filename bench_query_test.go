package sydradb

import (
	"context"
	"fmt"
	"testing"
	"time"
)

// BenchmarkQuery reads little of a fleet of 4,000 series whose six hours are merged: warm,
// so that the cache has what is read again.
func BenchmarkQuery(b *testing.B) {
	db, series := mergedFleet(b)
	end := benchStart + int64(6*time.Hour) - 1
	for _, hours := range []int{1, 6} {
		b.Run(fmt.Sprintf("series=1/hours=%d", hours), func(b *testing.B) {
			for i := 0; b.Loop(); i++ {
				s := series[i*37%len(series)]
				q := Query{Selector: selectTags(b, s.Name(), s.Tags()...), Start: end - int64(hours)*int64(time.Hour), End: end}
				if n, _ := readAll(b, db, q); n != hours*360 {
					b.Fatalf("%d points", n)
				}
			}
		})
	}
}

// BenchmarkAggregate makes hourly averages of six hours of 100 series that share a tag, by
// statistics and, with the deviation as well, from all points.
func BenchmarkAggregate(b *testing.B) {
	db, _ := mergedFleet(b)
	for name, functions := range map[string][]Function{"statistics": {Avg}, "points": {Avg, Stddev}} {
		b.Run("from="+name, func(b *testing.B) {
			a := Aggregation{
				Selector:  selectTags(b, "fleet.metric0"),
				Functions: functions,
				Start:     benchStart, End: benchStart + int64(6*time.Hour) - 1, Step: time.Hour,
			}
			for b.Loop() {
				it, err := db.Aggregate(context.Background(), a)
				if err != nil {
					b.Fatal(err)
				}
				windows := 0
				for it.Next() {
					windows += len(it.Result().Times)
				}
				it.Close()
				if err := it.Err(); err != nil || windows != 100*6 {
					b.Fatal(windows, err)
				}
			}
		})
	}
}

// mergedFleet returns a database of the fleet, all merged, which b closes when it ends.
func mergedFleet(b *testing.B) (*DB, []*Series) {
	b.Helper()
	db, series := openBench(b, b.TempDir(), 0)
	b.Cleanup(func() {
		if err := db.Close(); err != nil {
			b.Error(err)
		}
	})
	ingest(b, db, series, benchSteps, benchSeries)
	if err := db.Compact(context.Background()); err != nil {
		b.Fatal(err)
	}
	return db, series
}

// selectTags selects the series with a name and tags.
func selectTags(b *testing.B, name string, tags ...Tag) (sel Selector) {
	b.Helper()
	for _, t := range append([]Tag{{Key: "__name__", Value: name}}, tags...) {
		m, err := NewMatcher(t.Key, MatchEqual, t.Value)
		if err != nil {
			b.Fatal(err)
		}
		sel.Matchers = append(sel.Matchers, m)
	}
	return sel
}

// readAll returns the number and the sum of the points of a query.
func readAll(b *testing.B, db *DB, q Query) (points int, sum float64) {
	b.Helper()
	it, err := db.Query(context.Background(), q)
	if err != nil {
		b.Fatal(err)
	}
	defer it.Close()
	for it.Next() {
		block := it.Block()
		points += len(block.Values)
		for _, v := range block.Values {
			sum += v
		}
	}
	if err := it.Err(); err != nil {
		b.Fatal(err)
	}
	return points, sum
}
