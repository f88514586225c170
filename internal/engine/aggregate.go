package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/sydradb/sydradb/internal/aggregate"
	"github.com/sydradb/sydradb/internal/base"
)

// Aggregation says what to make of points, see the root package.
type Aggregation struct {
	Selector
	aggregate.Windows
	Functions            []aggregate.Function
	Grouped              bool     // else each series is by itself
	By                   []string // keys of tags; base.NameKey stands for the name
	MaxSeries, MaxPoints int
	MaxWindows           int
	Parallel             int
}

// Aggregate is what an aggregation made of one series, or of a group of them: values for
// windows, ascending. The slices are valid until the next call of the iterator.
type Aggregate struct {
	Series *Series    // nil for a group
	Tags   []base.Tag // of a group: those of By that its series have
	Times  []int64
	Values [][]float64 // a column for each function
}

// Aggregate captures the series that a selects and returns an iterator over the results,
// ordered by name and tags, or by the tags of the groups.
func (e *Engine) Aggregate(ctx context.Context, a Aggregation) (*Aggregates, error) {
	if err := e.usable(); err != nil {
		return nil, err
	}
	for _, f := range a.Functions {
		if !f.Valid() {
			return nil, fmt.Errorf("%w: no such function: %v", ErrInvalidQuery, f)
		}
	}
	a.By = distinctKeys(a.By)
	snap, err := e.state.snapshot(a.Selector, a.MaxSeries)
	if err != nil {
		return nil, err
	}
	whole := a.Start <= base.MinTime && a.Step == 0 && a.Range == 0
	a.Windows = aligned(a.Windows)
	if a.Windows, err = e.within(ctx, a.Windows, a.MaxWindows, snap); err != nil {
		snap.release()
		return nil, err
	}
	it := &Aggregates{ctx: ctx, plan: a, snap: snap, whole: whole}
	it.order()
	workers := make([]worker[*aggregate.Series], max(1, min(a.Parallel, len(snap.series))))
	for i := range workers {
		workers[i] = &aggregator{reader: e.readers.get(snap), plan: &it.plan, idle: &it.idle}
	}
	it.results = startOrdered(ctx, len(snap.series), workers)
	return it, nil
}

// aligned returns w with windows that begin at a multiple of the step where they are to
// begin with time itself.
func aligned(w aggregate.Windows) aggregate.Windows {
	if w.Start <= base.MinTime {
		w.Start = base.MinTime // before which nothing is, and from which one can go back
		if w.Step > 0 {
			w.Start -= (w.Start%w.Step + w.Step) % w.Step
		}
	}
	return w
}

// within returns w, or, if it has too many windows, those of them that can have points of
// snap. The bounds of files are those of all series in them: if there are too many between
// those as well, the points themselves decide, so that what is in which file changes no
// answer.
func (e *Engine) within(ctx context.Context, w aggregate.Windows, most int, snap *snapshot) (aggregate.Windows, error) {
	near, err := w, allowed(w, most)
	if errors.Is(err, aggregate.ErrTooMany) {
		near = w.Trim(snap.bounds())
		err = allowed(near, most)
	}
	if errors.Is(err, aggregate.ErrTooMany) {
		first, last, failed := e.pointBounds(ctx, snap)
		if failed != nil {
			return w, failed
		}
		near = w.Trim(first, last)
		err = allowed(near, most)
	}
	switch {
	case err != nil && near.Validate() == nil:
		return w, fmt.Errorf("%w: more than %d windows of time; a wider step is needed", ErrLimit, most)
	case err != nil:
		return w, fmt.Errorf("%w: %w", ErrInvalidQuery, err)
	}
	return near, nil
}

// allowed returns what is wrong with windows, of which there may be so many, if most is not
// 0.
func allowed(w aggregate.Windows, most int) error {
	err := w.Validate()
	if err == nil && most > 0 && w.Len() > most {
		return aggregate.ErrTooMany
	}
	return err
}

// pointBounds reads all series for the times of their first and last point; first is above
// last if there are none.
func (e *Engine) pointBounds(ctx context.Context, snap *snapshot) (first, last int64, err error) {
	reader := e.readers.get(snap)
	defer reader.close()
	first, last = base.MaxTime, base.MinTime
	for i := range snap.series {
		reader.open(&snap.series[i], base.MinTime, base.MaxTime)
		for {
			points, err := reader.next(ctx)
			if err != nil {
				return 0, 0, err
			}
			n := points.len()
			if n == 0 {
				break
			}
			first, last = min(first, points.times[0]), max(last, points.times[n-1])
		}
	}
	return first, last, nil
}

// bounds returns times that no point of the series lies before or after; first is above
// last if there are none at all.
func (s *snapshot) bounds() (first, last int64) {
	first, last = base.MaxTime, base.MinTime
	for _, r := range s.files.runs {
		first, last = min(first, r.start), max(last, r.end)
	}
	for i := range s.tables {
		if s.tables[i].table == nil {
			continue
		}
		for k := range s.series {
			if a, b, ok := s.tables[i].cells.Bounds(s.series[k].positions[i]); ok {
				first, last = min(first, a), max(last, b)
			}
		}
	}
	return first, last
}

// Aggregates walks the results of an aggregation. It belongs to one goroutine.
type Aggregates struct {
	ctx     context.Context
	plan    Aggregation
	whole   bool // one window of all time: its time is that of the first point in it
	snap    *snapshot
	keys    [][]string // of the series of snap, if they are grouped: their values of plan.By
	results *orderedResults[*aggregate.Series]
	idle    seriesPool
	read    int // series whose result was taken
	group   aggregate.Group
	current Aggregate
	points  int
	err     error
}

// order sorts the series by group, name and tags.
func (it *Aggregates) order() {
	if !it.plan.Grouped {
		return
	}
	type keyed struct {
		view seriesView
		key  []string
	}
	all := make([]keyed, len(it.snap.series))
	for i, s := range it.snap.series {
		all[i] = keyed{s, groupKey(s.Series, it.plan.By)}
	}
	slices.SortStableFunc(all, func(a, b keyed) int { return slices.Compare(a.key, b.key) })
	it.keys = make([][]string, len(all))
	for i := range all {
		it.snap.series[i], it.keys[i] = all[i].view, all[i].key
	}
}

// distinctKeys returns keys without those that came before.
func distinctKeys(keys []string) []string {
	var out []string
	for _, k := range keys {
		if !slices.Contains(out, k) {
			out = append(out, k)
		}
	}
	return out
}

// groupKey returns the values that s has of the tags with the given keys, "" where it has
// none.
func groupKey(s *Series, by []string) []string {
	key, tags := make([]string, len(by)), s.Tags()
	for i, k := range by {
		if k == base.NameKey {
			key[i] = s.Name()
			continue
		}
		at, found := slices.BinarySearchFunc(tags, k, func(t base.Tag, k string) int { return cmp.Compare(t.Key, k) })
		if found {
			key[i] = tags[at].Value
		}
	}
	return key
}

// Next moves to the next series or group with a result; false means the end, or an error.
func (it *Aggregates) Next() bool {
	for it.results != nil && it.err == nil && it.read < len(it.snap.series) {
		var err error
		if it.plan.Grouped {
			err = it.nextGroup()
		} else {
			err = it.nextSeries()
		}
		if err == nil {
			it.points += len(it.current.Times)
			if limit := it.plan.MaxPoints; limit > 0 && it.points > limit {
				err = fmt.Errorf("%w: more than %d windows", ErrLimit, limit)
			}
		}
		if it.err = err; err != nil {
			break
		}
		if len(it.current.Times) > 0 {
			return true
		}
	}
	it.current = Aggregate{}
	return false
}

// nextSeries makes the result of the next series the current one.
func (it *Aggregates) nextSeries() error {
	s, err := it.take()
	if err != nil {
		return err
	}
	it.current.Series = it.snap.series[it.read-1].Series
	it.fill(s)
	it.idle.put(s)
	return nil
}

// nextGroup makes the result of the next group the current one.
func (it *Aggregates) nextGroup() error {
	first := it.read
	it.group.Reset(&it.plan.Windows, it.plan.Functions)
	for it.read == first || it.read < len(it.keys) && slices.Equal(it.keys[it.read], it.keys[first]) {
		s, err := it.take()
		if err != nil {
			return err
		}
		it.group.Add(s)
		it.idle.put(s)
	}
	c := &it.current
	c.Tags = nil
	for i, k := range it.plan.By {
		if v := it.keys[first][i]; v != "" {
			c.Tags = append(c.Tags, base.Tag{Key: k, Value: v})
		}
	}
	it.fill(&it.group)
	return nil
}

// take returns the result of the next series.
func (it *Aggregates) take() (*aggregate.Series, error) {
	s, ok, err := it.results.next(it.ctx)
	if !ok {
		return nil, err
	}
	it.read++
	return s, nil
}

// fill takes the values of the windows that have one.
func (it *Aggregates) fill(from interface {
	Since() int64
	AppendTimes(dst []int64) []int64
	AppendValues(dst []float64, f aggregate.Function) []float64
}) {
	c := &it.current
	c.Times = from.AppendTimes(c.Times[:0])
	if it.whole && len(c.Times) > 0 {
		c.Times[0] = from.Since()
	}
	if c.Values == nil {
		c.Values = make([][]float64, len(it.plan.Functions))
	}
	for i, f := range it.plan.Functions {
		c.Values[i] = from.AppendValues(c.Values[i][:0], f)
	}
}

// Aggregate returns the current result.
func (it *Aggregates) Aggregate() Aggregate { return it.current }

// Err returns what ended the iteration early, or nil.
func (it *Aggregates) Err() error { return it.err }

// Close releases the snapshot. It may be called more than once.
func (it *Aggregates) Close() {
	if it.results == nil {
		return
	}
	it.results.close()
	it.snap.release()
	it.results, it.current = nil, Aggregate{}
}

// seriesPool keeps results that were taken for those to come.
type seriesPool struct{ pool sync.Pool }

func (p *seriesPool) get() *aggregate.Series {
	if s, ok := p.pool.Get().(*aggregate.Series); ok {
		return s
	}
	return new(aggregate.Series)
}

func (p *seriesPool) put(s *aggregate.Series) { p.pool.Put(s) }

// aggregator aggregates one series after the other.
type aggregator struct {
	reader *seriesReader
	plan   *Aggregation
	idle   *seriesPool
}

func (w *aggregator) do(ctx context.Context, task int) (*aggregate.Series, error) {
	start, end := w.plan.Bounds()
	w.reader.open(&w.reader.snap.series[task], start, end)
	s := w.idle.get()
	s.Reset(&w.plan.Windows, w.plan.Functions)
	return s, w.reader.aggregate(ctx, s)
}

func (w *aggregator) close() { w.reader.close() }
