package engine

import (
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"hash"
	"maps"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/sydradb/sydradb/internal/aggregate"
	"github.com/sydradb/sydradb/internal/base"
)

// aggregated is the result of an aggregation for a series, named by its key, or a group,
// named by its tags.
type aggregated struct {
	name   string
	times  []int64
	values [][]float64
}

var allFunctions = []aggregate.Function{
	aggregate.Count, aggregate.Sum, aggregate.Avg, aggregate.Min, aggregate.Max,
	aggregate.First, aggregate.Last, aggregate.Stddev, aggregate.Increase, aggregate.Rate,
}

// randomAggregation returns one of what q selects.
func randomAggregation(rng *rand.Rand, q Query) Aggregation {
	a := Aggregation{Selector: q.Selector, Windows: aggregate.Windows{Start: q.Start, End: q.End}, Parallel: q.Parallel}
	for _, i := range rng.Perm(len(allFunctions))[:1+rng.IntN(3)] {
		a.Functions = append(a.Functions, allFunctions[i])
	}
	steps := []int64{0, base.Hour / 3, base.Hour, base.Hour + 1, 2 * base.Hour, base.Day}
	a.Step = steps[rng.IntN(len(steps))]
	if a.Step > 0 && rng.IntN(2) == 0 {
		a.Range = steps[1+rng.IntN(len(steps)-1)]
	}
	switch rng.IntN(4) {
	case 0:
		a.Grouped = true
	case 1:
		a.Grouped, a.By = true, []string{"dc"}
	case 2:
		a.Grouped, a.By = true, []string{base.NameKey, "none"}
	}
	return a
}

// aggregate compares a random aggregation of what q selects with one of the model's
// points, none of which went through a file.
func (r *player) aggregate(rng *rand.Rand, q Query) error {
	a := randomAggregation(rng, q)
	it, err := r.e.Aggregate(context.Background(), a)
	if err != nil {
		return err
	}
	before := r.e.readers.summed.Load()
	got, err := drainAggregates(it)
	it.Close()
	r.reach.Summed += int(r.e.readers.summed.Load() - before)
	if err != nil {
		return err
	}
	want, err := r.now.aggregate(a, r.shown)
	if err == nil {
		err = sameAggregates(got, want, a.Functions, r.answers)
	}
	if err != nil {
		return fmt.Errorf("%v of %v by %q (%v), %+v: %w", a.Functions, a.Matchers, a.By, a.Grouped, a.Windows, err)
	}
	return nil
}

func drainAggregates(it *Aggregates) (all []aggregated, err error) {
	for it.Next() {
		a := it.Aggregate()
		out := aggregated{name: fmt.Sprint(a.Tags), times: slices.Clone(a.Times)}
		if a.Series != nil {
			if out.name, err = modelKey(a.Series); err != nil {
				return nil, err
			}
		}
		for _, column := range a.Values {
			out.values = append(out.values, slices.Clone(column))
		}
		all = append(all, out)
	}
	return all, it.Err()
}

// aggregate computes a over the points of c, by brute force but for the arithmetic.
func (c contents) aggregate(a Aggregation, hidden levels) ([]aggregated, error) {
	w := a.Windows
	if w.Start == base.MinTime && w.Step > 0 {
		w.Start = floorTo(w.Start, w.Step)
	}
	points := c.filter(a.Matchers, a.Any, base.MinTime, base.MaxTime, hidden)
	first, last := int64(math.MaxInt64), int64(math.MinInt64)
	for _, p := range points {
		for ts := range p {
			first, last = min(first, ts), max(last, ts)
		}
	}
	w = w.Trim(first, last)
	if err := w.Validate(); err != nil {
		return nil, err
	}
	groups := make(map[string][]modelSeries)
	for _, s := range allModelSeries {
		if points[s.key] != nil {
			name := groupOf(s, &a)
			groups[name] = append(groups[name], s)
		}
	}
	var out []aggregated
	for name, members := range groups {
		slices.SortFunc(members, compareModelSeries)
		var g aggregate.Group
		g.Reset(&w, a.Functions)
		since := int64(math.MaxInt64) // of the points that are no staleness markers
		for _, m := range members {
			var s aggregate.Series
			s.Reset(&w, a.Functions)
			times := slices.Sorted(maps.Keys(points[m.key]))
			values := make([]float64, len(times))
			for i, ts := range times {
				values[i] = math.Float64frombits(points[m.key][ts])
				if points[m.key][ts] != 0x7ff0000000000002 && ts <= w.End {
					since = min(since, ts)
				}
			}
			s.AddColumns(times, values)
			g.Add(&s)
		}
		if g.Len() == 0 {
			continue
		}
		result := aggregated{name: name, times: g.AppendTimes(nil)}
		if w.Start == base.MinTime && w.Step == 0 {
			result.times[0] = since
		}
		for _, f := range a.Functions {
			result.values = append(result.values, g.AppendValues(nil, f))
		}
		out = append(out, result)
	}
	return out, nil
}

func floorTo(ts, step int64) int64 {
	f := ts / step * step
	if f > ts {
		f -= step
	}
	return f
}

// groupOf names the group of a series as drainAggregates does.
func groupOf(s modelSeries, a *Aggregation) string {
	if !a.Grouped {
		return s.key
	}
	var group []base.Tag
	for _, k := range a.By {
		if k == base.NameKey {
			group = append(group, base.Tag{Key: k, Value: s.name})
		}
		for _, t := range s.tags {
			if t.Key == k {
				group = append(group, t)
			}
		}
	}
	return fmt.Sprint(group)
}

func compareModelSeries(a, b modelSeries) int {
	compareTags := func(x, y base.Tag) int {
		return cmp.Or(cmp.Compare(x.Key, y.Key), cmp.Compare(x.Value, y.Value))
	}
	s, t := slices.SortedFunc(slices.Values(a.tags), compareTags), slices.SortedFunc(slices.Values(b.tags), compareTags)
	return cmp.Or(cmp.Compare(a.name, b.name), slices.CompareFunc(s, t, compareTags))
}

// sameAggregates compares results, bit by bit where a function adds nothing up; those bits
// go to answers.
func sameAggregates(got, want []aggregated, functions []aggregate.Function, answers hash.Hash64) error {
	byName := make(map[string]aggregated)
	for _, a := range want {
		byName[a.name] = a
	}
	var bytes []byte
	for _, g := range got {
		w, ok := byName[g.name]
		if !ok || !slices.Equal(g.times, w.times) {
			return fmt.Errorf("%s: windows %d, not %d", g.name, g.times, w.times)
		}
		delete(byName, g.name)
		for i, f := range functions {
			exact := f == aggregate.Count || f == aggregate.Min || f == aggregate.Max || f == aggregate.First || f == aggregate.Last
			for k, v := range g.values[i] {
				if exact {
					bytes = binary.LittleEndian.AppendUint64(bytes, math.Float64bits(v))
				}
				if u := w.values[i][k]; math.Float64bits(u) != math.Float64bits(v) && (exact || !(math.Abs(u-v) <= 1e-12*math.Abs(u))) {
					return fmt.Errorf("%s: %v of window %d is %v (%#x), not %v", g.name, f, g.times[k], v, math.Float64bits(v), u)
				}
			}
		}
	}
	if len(byName) > 0 {
		return fmt.Errorf("%d results are missing, such as %v", len(byName), slices.Sorted(maps.Keys(byName))[0])
	}
	_, _ = answers.Write(bytes)
	return nil
}
