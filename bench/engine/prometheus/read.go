//go:build peers

package prometheus

import (
	"math"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"

	"github.com/sydradb/sydradb/bench/engine"
)

// every matches every series.
var every = labels.MustNewMatcher(labels.MatchRegexp, nameLabel, ".+")

// each calls use with the samples of each series that the matchers select.
func (db *db) each(start, end int64, use func(chunkenc.Iterator) error, matchers ...*labels.Matcher) error {
	return db.series(start, end, func(_ labels.Labels, samples chunkenc.Iterator) error { return use(samples) }, matchers...)
}

// series is each with the labels.
func (db *db) series(start, end int64, use func(labels.Labels, chunkenc.Iterator) error, matchers ...*labels.Matcher) error {
	q, err := db.Querier(start, end)
	if err != nil {
		return err
	}
	defer q.Close()
	var samples chunkenc.Iterator
	set := q.Select(db.ctx, false, &storage.SelectHints{Start: start, End: end}, matchers...)
	for set.Next() {
		one := set.At()
		samples = one.Iterator(samples)
		if err := use(one.Labels(), samples); err != nil {
			return err
		}
		if err := samples.Err(); err != nil {
			return err
		}
	}
	return set.Err()
}

// sum adds up the samples that the matchers select.
func (db *db) sum(start, end int64, matchers ...*labels.Matcher) (engine.Sum, error) {
	var sum engine.Sum
	err := db.each(start, end, func(samples chunkenc.Iterator) error {
		for samples.Next() == chunkenc.ValFloat {
			_, v := samples.At()
			sum.Points++
			sum.Value += v
		}
		return nil
	}, matchers...)
	return sum, err
}

// matchers returns those that are equal to the labels.
func matchers(ls labels.Labels) []*labels.Matcher {
	out := make([]*labels.Matcher, 0, ls.Len())
	ls.Range(func(l labels.Label) {
		out = append(out, labels.MustNewMatcher(labels.MatchEqual, l.Name, l.Value))
	})
	return out
}

// named returns the matchers of a name, if there is one, and tags.
func named(name string, tags []engine.Tag) []*labels.Matcher {
	var out []*labels.Matcher
	if name != "" {
		out = append(out, labels.MustNewMatcher(labels.MatchEqual, nameLabel, name))
	}
	for _, t := range tags {
		out = append(out, labels.MustNewMatcher(labels.MatchEqual, t.Key, t.Value))
	}
	return out
}

// Scan implements engine.Engine.
func (db *db) Scan() (engine.Sum, error) {
	return db.sum(math.MinInt64, math.MaxInt64, every)
}

// Sum implements engine.Engine. The engine reads series by matchers only.
func (db *db) Sum(series int, start, end int64) (engine.Sum, error) {
	return db.sum(start, end, matchers(db.labels[series])...)
}

// Read implements engine.Engine.
func (db *db) Read(visit func(series int, times []int64, values []float64)) error {
	numbers := make(map[string]int, len(db.labels))
	for i, ls := range db.labels {
		numbers[ls.String()] = i
	}
	var times []int64
	var values []float64
	return db.series(math.MinInt64, math.MaxInt64, func(ls labels.Labels, samples chunkenc.Iterator) error {
		times, values = times[:0], values[:0]
		for samples.Next() == chunkenc.ValFloat {
			ts, v := samples.At()
			times, values = append(times, ts), append(values, v)
		}
		i, known := numbers[ls.String()]
		if !known {
			i = -1
		}
		visit(i, times, values)
		return nil
	}, every)
}

// Windows implements engine.Engine.
func (db *db) Windows(series int, w engine.Window) (engine.Averages, error) {
	return db.averages(w, matchers(db.labels[series]))
}

// Group implements engine.Engine.
func (db *db) Group(name string, tags []engine.Tag, w engine.Window) (engine.Averages, error) {
	return db.averages(w, named(name, tags))
}

// averages are made here: the engine has none, and PromQL, which would make them, is
// slower than this.
func (db *db) averages(w engine.Window, matchers []*labels.Matcher) (engine.Averages, error) {
	a := engine.Averager{Window: w}
	err := db.each(w.Start, w.End-1, func(samples chunkenc.Iterator) error {
		for samples.Next() == chunkenc.ValFloat {
			a.Add(samples.At())
		}
		a.Finish()
		return nil
	}, matchers...)
	return a.Finish(), err
}

// Find implements engine.Engine.
func (db *db) Find(tags []engine.Tag) (int, error) {
	n := 0
	err := db.each(math.MinInt64, math.MaxInt64, func(chunkenc.Iterator) error { n++; return nil }, named("", tags)...)
	return n, err
}
