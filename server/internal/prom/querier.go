package prom

import (
	"context"
	"maps"
	"slices"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/util/annotations"

	"github.com/sydradb/sydradb"
)

// queryable is the database as Prometheus' engine and API read it.
type queryable struct {
	db      *sydradb.DB
	limits  Limits
	onError func(error) // told when the storage fails
}

func newQueryable(db *sydradb.DB, l Limits, onError func(error)) *queryable {
	return &queryable{db, l.withDefaults(), onError}
}

// Querier implements storage.Queryable.
func (q *queryable) Querier(mint, maxt int64) (storage.Querier, error) {
	return q.querier(mint, maxt), nil
}

// ChunkQuerier implements storage.ChunkQueryable.
func (q *queryable) ChunkQuerier(mint, maxt int64) (storage.ChunkQuerier, error) {
	return &chunkQuerier{q.querier(mint, maxt)}, nil
}

func (q *queryable) querier(mint, maxt int64) *querier {
	return &querier{queryable: q, mint: mint, maxt: maxt}
}

// querier reads a range of time, in milliseconds, both ends included. What it selects is
// open until it is closed.
type querier struct {
	*queryable
	mint, maxt int64
	selections []*sydradb.Selection
	readers    []*sydradb.Reader
}

// budget returns that of the request, or one for a query by itself.
func (q *querier) budget(ctx context.Context) *budget {
	if b := budgetOf(ctx); b != nil {
		return b
	}
	return newBudget(q.limits, q.onError)
}

// Close implements storage.LabelQuerier.
func (q *querier) Close() error {
	for _, r := range q.readers {
		r.Close()
	}
	for _, s := range q.selections {
		s.Close()
	}
	q.readers, q.selections = nil, nil
	return nil
}

// onlySeries is the function in the hints of those who want no samples.
const onlySeries = "series"

// Select implements storage.Querier.
func (q *querier) Select(ctx context.Context, sortSeries bool, hints *storage.SelectHints, matchers ...*labels.Matcher) storage.SeriesSet {
	b := q.budget(ctx)
	set, err := q.selectSeries(ctx, b, hints, matchers)
	if err != nil {
		return storage.ErrSeriesSet(b.storageError(err))
	}
	if sortSeries {
		set.sort()
	}
	return set
}

func (q *querier) selectSeries(ctx context.Context, b *budget, hints *storage.SelectHints, matchers []*labels.Matcher) (*seriesSet, error) {
	if hints != nil && hints.Func == onlySeries {
		return q.selectOnlySeries(ctx, b, hints, matchers)
	}
	sel, certain, err := selector(matchers)
	if err != nil {
		return nil, err
	}
	start, end := q.rangeOf(hints)
	selected, err := q.db.Select(ctx, sydradb.Query{Selector: sel, Start: start, End: end, MaxSeries: b.seriesLeft()})
	if err != nil {
		return nil, err
	}
	q.selections = append(q.selections, selected)
	reader := selected.Reader()
	q.readers = append(q.readers, reader)
	set := &seriesSet{at: -1, source: &source{ctx: ctx, reader: reader, budget: b, start: start, end: end}}
	set.describe(selected.Len(), selected.Series)
	if !certain {
		set.keep(matchers)
	}
	return set, b.takeSeries(len(set.series))
}

// selectOnlySeries is selectSeries for those who want no samples.
func (q *querier) selectOnlySeries(ctx context.Context, b *budget, hints *storage.SelectHints, matchers []*labels.Matcher) (*seriesSet, error) {
	found, certain, err := q.findSeries(ctx, hints, matchers)
	if err != nil {
		return nil, err
	}
	if certain && hints.Limit > 0 && len(found) > hints.Limit {
		found = found[:hints.Limit]
	}
	if err := b.takeSeries(len(found)); err != nil {
		return nil, err
	}
	set := &seriesSet{at: -1}
	set.describe(len(found), func(i int) *sydradb.Series { return found[i] })
	if !certain {
		set.keep(matchers)
	}
	return set, nil
}

// findSeries returns the series with points in the range; unless certain, some of them may
// not fulfil matchers.
func (q *querier) findSeries(ctx context.Context, hints *storage.SelectHints, matchers []*labels.Matcher) (found []*sydradb.Series, certain bool, err error) {
	sel, certain, err := selector(matchers)
	if err != nil {
		return nil, false, err
	}
	start, end := q.rangeOf(hints)
	found, err = q.db.Find(ctx, sel, start, end)
	return found, certain, err
}

// rangeOf returns the range of the querier in nanoseconds, narrowed by hints: of a query
// with several selectors, each may need only a part.
func (q *querier) rangeOf(hints *storage.SelectHints) (start, end int64) {
	mint, maxt := q.mint, q.maxt
	if hints != nil && hints.Start < hints.End {
		mint, maxt = max(mint, hints.Start), min(maxt, hints.End)
	}
	return startNS(mint), endNS(maxt)
}

// LabelValues implements storage.LabelQuerier. Without matchers all values are returned that
// some series has, if only there are points in the range, so that no series need be looked
// at; as in Prometheus, where the range counts by blocks, these may be too many.
func (q *querier) LabelValues(ctx context.Context, name string, hints *storage.LabelHints, matchers ...*labels.Matcher) ([]string, annotations.Annotations, error) {
	if len(matchers) == 0 {
		var values []string
		if q.hasPoints() {
			for _, v := range q.db.ValueCardinality(name, 0) {
				values = append(values, v.Value)
			}
		}
		return sorted(values, hints), nil, nil
	}
	found := map[string]struct{}{}
	err := q.find(ctx, matchers, func(lset labels.Labels) {
		if v := lset.Get(name); v != "" {
			found[v] = struct{}{}
		}
	})
	return sorted(slices.Collect(maps.Keys(found)), hints), nil, err
}

// LabelNames implements storage.LabelQuerier, without matchers as LabelValues does.
func (q *querier) LabelNames(ctx context.Context, hints *storage.LabelHints, matchers ...*labels.Matcher) ([]string, annotations.Annotations, error) {
	if len(matchers) == 0 {
		var names []string
		if q.hasPoints() {
			names = append(names, model.MetricNameLabel)
			for _, t := range q.db.TagCardinality(0) {
				names = append(names, t.Key)
			}
		}
		return sorted(names, hints), nil, nil
	}
	found := map[string]struct{}{}
	err := q.find(ctx, matchers, func(lset labels.Labels) {
		lset.Range(func(l labels.Label) { found[l.Name] = struct{}{} })
	})
	return sorted(slices.Collect(maps.Keys(found)), hints), nil, err
}

// hasPoints reports whether there may be points in the range.
func (q *querier) hasPoints() bool {
	s := q.db.Stats()
	return !s.Empty && startNS(q.mint) <= s.End && endNS(q.maxt) >= s.Start
}

// find calls use for each series with points in the range.
func (q *querier) find(ctx context.Context, matchers []*labels.Matcher, use func(labels.Labels)) error {
	found, certain, err := q.findSeries(ctx, nil, matchers)
	if err != nil {
		return q.budget(ctx).storageError(err)
	}
	b := labels.NewScratchBuilder(16)
	for i, s := range found {
		if i%1024 == 0 && ctx.Err() != nil {
			return q.budget(ctx).storageError(ctx.Err())
		}
		if lset := labelsOf(&b, s); certain || fulfils(lset, matchers) {
			use(lset)
		}
	}
	return nil
}

// sorted sorts names and keeps as many as hints ask for.
func sorted(names []string, hints *storage.LabelHints) []string {
	slices.Sort(names)
	if hints != nil && hints.Limit > 0 && len(names) > hints.Limit {
		names = names[:hints.Limit]
	}
	return names
}

// chunkQuerier is a querier for those who want chunks. They are made one series at a time.
type chunkQuerier struct{ *querier }

// Select implements storage.ChunkQuerier. Who reads chunks learns of a series by its first
// one, so there are samples for those, too, who want none: a Prometheus that asks by
// remote read for series.
func (q *chunkQuerier) Select(ctx context.Context, sortSeries bool, hints *storage.SelectHints, matchers ...*labels.Matcher) storage.ChunkSeriesSet {
	if hints != nil && hints.Func == onlySeries {
		all := *hints
		all.Func = ""
		hints = &all
	}
	return storage.NewSeriesSetToChunkSet(q.querier.Select(ctx, sortSeries, hints, matchers...))
}
