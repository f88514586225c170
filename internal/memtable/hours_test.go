package memtable

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/sydradb/sydradb/internal/base"
)

// naiveHours looks at each point.
func naiveHours(ts []int64) (hours []int64) {
	for _, t := range ts {
		hours = append(hours, base.BucketStart(t))
	}
	slices.Sort(hours)
	return slices.Compact(hours)
}

func TestAppendHours(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	sorted := func(n int, next func(i int) int64) (ts []int64) {
		for i := range n {
			ts = append(ts, next(i))
		}
		slices.Sort(ts)
		return slices.Compact(ts)
	}
	shuffled := func(ts []int64) []int64 {
		ts = slices.Clone(ts)
		rng.Shuffle(len(ts), func(i, j int) { ts[i], ts[j] = ts[j], ts[i] })
		return ts
	}
	dense := sorted(1000, func(i int) int64 { return int64(i) * 30e9 })
	sparse := sorted(300, func(i int) int64 { return int64(i) * 3 * base.Hour })
	random := sorted(500, func(int) int64 { return rng.Int64N(40*base.Hour) - 20*base.Hour })
	for name, ts := range map[string][]int64{
		"none":                  nil,
		"one":                   {5},
		"one, long ago":         {base.MinTime},
		"both ends of time":     {base.MinTime, base.MaxTime},
		"both ends, late":       {base.MaxTime, base.MinTime},
		"around 1970":           {-base.Hour - 1, -base.Hour, -1, 0, base.Hour - 1, base.Hour},
		"around 1970, late":     {base.Hour, 0, -1, base.Hour - 1, -base.Hour, -base.Hour - 1},
		"one time":              {7, 7, 7},
		"dense":                 dense,
		"dense, late":           shuffled(dense),
		"an hour a point":       sparse,
		"an hour a point, late": shuffled(sparse),
		"random":                random,
		"random, late":          shuffled(random),
		// Hours of one remainder push each other out of what is remembered.
		"to and fro": {0, 20 * recentHours * base.Hour, 1, 20*recentHours*base.Hour + 1, 2},
	} {
		tab := New(NewSlabs(0))
		tab.Apply(rowsOf(ts...))
		p, _ := tab.Position(0)
		want := append([]int64{-7}, naiveHours(ts)...)
		if got := tab.Snapshot().AppendHours([]int64{-7}, p); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
}
