package prom

import (
	"slices"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/prometheus/prometheus/util/annotations"

	"github.com/sydradb/sydradb"
)

// seriesSet is what a selector selects. Series are read when they are iterated.
type seriesSet struct {
	source *source // nil if nobody wants samples
	series []series
	at     int
}

// series is one series of a set.
type series struct {
	lset   labels.Labels
	source *source
	index  int // in the selection
}

// describe fills the set with n series.
func (s *seriesSet) describe(n int, get func(i int) *sydradb.Series) {
	s.series = make([]series, n)
	b := labels.NewScratchBuilder(16)
	for i := range s.series {
		s.series[i] = series{labelsOf(&b, get(i)), s.source, i}
	}
}

// keep takes out the series that do not fulfil all of matchers.
func (s *seriesSet) keep(matchers []*labels.Matcher) {
	s.series = slices.DeleteFunc(s.series, func(one series) bool { return !fulfils(one.lset, matchers) })
}

// labelsOf returns the labels of a series: its tags, and its name among them.
func labelsOf(b *labels.ScratchBuilder, s *sydradb.Series) labels.Labels {
	b.Reset()
	name, named := s.Name(), false
	for _, t := range s.Tags() {
		if !named && t.Key > model.MetricNameLabel {
			b.Add(model.MetricNameLabel, name)
			named = true
		}
		b.Add(t.Key, t.Value)
	}
	if !named {
		b.Add(model.MetricNameLabel, name)
	}
	return b.Labels()
}

// sort puts the series in the order of Prometheus: that of the database is by name first.
func (s *seriesSet) sort() {
	compare := func(a, b series) int { return labels.Compare(a.lset, b.lset) }
	if !slices.IsSortedFunc(s.series, compare) {
		slices.SortFunc(s.series, compare)
	}
}

// Next implements storage.SeriesSet.
func (s *seriesSet) Next() bool {
	s.at++
	return s.at < len(s.series)
}

// At implements storage.SeriesSet.
func (s *seriesSet) At() storage.Series { return &s.series[s.at] }

// Err implements storage.SeriesSet.
func (*seriesSet) Err() error { return nil }

// Warnings implements storage.SeriesSet.
func (*seriesSet) Warnings() annotations.Annotations { return nil }

// Labels implements storage.Series.
func (s *series) Labels() labels.Labels { return s.lset }

// Iterator implements storage.Series. It uses an iterator of this package again.
func (s *series) Iterator(it chunkenc.Iterator) chunkenc.Iterator {
	if s.source == nil {
		return chunkenc.NewNopIterator()
	}
	own, ok := it.(*iterator)
	if !ok {
		own = &iterator{}
	}
	own.reset(s.source, s.index)
	return own
}
