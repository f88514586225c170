package sydra

import (
	"fmt"
	"time"

	"github.com/sydradb/sydradb"
	"github.com/sydradb/sydradb/bench/engine"
)

// query calls use with each block of the answer.
func (db *db) query(sel sydradb.Selector, start, end int64, use func(sydradb.Block) error) error {
	it, err := db.Query(db.ctx, sydradb.Query{Selector: sel, Start: start, End: end})
	if err != nil {
		return err
	}
	defer it.Close()
	for it.Next() {
		if err := use(it.Block()); err != nil {
			return err
		}
	}
	return it.Err()
}

// sum adds up the values of the answer.
func (db *db) sum(sel sydradb.Selector, start, end int64) (engine.Sum, error) {
	var sum engine.Sum
	err := db.query(sel, start, end, func(b sydradb.Block) error {
		sum.Points += int64(len(b.Values))
		sum.Value += lanes(b.Values)
		return nil
	})
	return sum, err
}

// lanes adds up values in four sums at a time, as one would wait for itself.
func lanes(values []float64) float64 {
	var a, b, c, d float64
	for len(values) >= 4 {
		a += values[0]
		b += values[1]
		c += values[2]
		d += values[3]
		values = values[4:]
	}
	for _, v := range values {
		a += v
	}
	return a + b + (c + d)
}

// one selects a registered series.
func (db *db) one(series int) sydradb.Selector {
	return sydradb.Selector{IDs: []sydradb.SeriesID{db.series[series].ID()}}
}

// Scan implements engine.Engine.
func (db *db) Scan() (engine.Sum, error) {
	return db.sum(sydradb.Selector{}, sydradb.MinTime, sydradb.MaxTime)
}

// Sum implements engine.Engine.
func (db *db) Sum(series int, start, end int64) (engine.Sum, error) {
	return db.sum(db.one(series), start*ms, end*ms)
}

// Read implements engine.Engine.
func (db *db) Read(visit func(series int, times []int64, values []float64)) error {
	numbers := make(map[sydradb.SeriesID]int, len(db.series))
	for i, s := range db.series {
		numbers[s.ID()] = i
	}
	var current *sydradb.Series
	var times []int64
	var values []float64
	finish := func() {
		if current == nil {
			return
		}
		i, known := numbers[current.ID()]
		if !known {
			i = -1
		}
		visit(i, times, values)
		times, values = times[:0], values[:0]
	}
	err := db.query(sydradb.Selector{}, sydradb.MinTime, sydradb.MaxTime, func(b sydradb.Block) error {
		if b.Series != current {
			finish()
			current = b.Series
		}
		for _, ts := range b.Times {
			if ts%ms != 0 {
				return fmt.Errorf("%s has a point at %d ns, between two milliseconds", b.Series, ts)
			}
			times = append(times, ts/ms)
		}
		values = append(values, b.Values...)
		return nil
	})
	finish()
	return err
}

// Windows implements engine.Engine.
func (db *db) Windows(series int, w engine.Window) (engine.Averages, error) {
	return db.averages(db.one(series), w)
}

// Group implements engine.Engine.
func (db *db) Group(name string, tags []engine.Tag, w engine.Window) (engine.Averages, error) {
	sel, err := selector(append([]engine.Tag{{Key: "__name__", Value: name}}, tags...))
	if err != nil {
		return engine.Averages{}, err
	}
	return db.averages(sel, w)
}

// averages lets the engine make them: where a block lies in a window as a whole it takes
// the statistics that it keeps of the block.
func (db *db) averages(sel sydradb.Selector, w engine.Window) (engine.Averages, error) {
	var sum engine.Averages
	it, err := db.Aggregate(db.ctx, sydradb.Aggregation{
		Selector:  sel,
		Functions: []sydradb.Function{sydradb.Avg},
		Start:     w.Start * ms,
		End:       w.End*ms - 1,
		Step:      time.Duration(w.Width * ms),
	})
	if err != nil {
		return sum, err
	}
	defer it.Close()
	for it.Next() {
		averages := it.Result().Values[0]
		sum.Count += int64(len(averages))
		for _, v := range averages {
			sum.Total += v
		}
	}
	return sum, it.Err()
}

// Find implements engine.Engine.
func (db *db) Find(tags []engine.Tag) (int, error) {
	sel, err := selector(tags)
	if err != nil {
		return 0, err
	}
	found, err := db.DB.Find(db.ctx, sel, sydradb.MinTime, sydradb.MaxTime)
	return len(found), err
}

// selector returns that of the series with these tags.
func selector(tags []engine.Tag) (sydradb.Selector, error) {
	sel := sydradb.Selector{Matchers: make([]sydradb.Matcher, len(tags))}
	for i, t := range tags {
		m, err := sydradb.NewMatcher(t.Key, sydradb.MatchEqual, t.Value)
		if err != nil {
			return sel, err
		}
		sel.Matchers[i] = m
	}
	return sel, nil
}
