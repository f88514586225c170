package engine

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/memtable"
	"github.com/sydradb/sydradb/internal/tags"
)

// Selector says which series are meant: those that satisfy all Matchers, or with Any
// at least one of them; or, if there are IDs, the series with these ids.
type Selector struct {
	Matchers []tags.Matcher
	Any      bool
	IDs      []base.SeriesID
}

// Series is a series as callers know it. Its fields never change.
type Series struct {
	Ordinal base.Ordinal
	ID      base.SeriesID
	Name    string
	Tags    []base.Tag // sorted by key
}

// namelessPrefix stands before the id in the name shown for a series known by id only.
const namelessPrefix = "series:"

// compareSeries orders by name and tags, then by id for those that have neither.
func compareSeries(a, b *Series) int {
	return cmp.Or(
		strings.Compare(a.Name, b.Name),
		slices.CompareFunc(a.Tags, b.Tags, func(x, y base.Tag) int {
			return cmp.Or(strings.Compare(x.Key, y.Key), strings.Compare(x.Value, y.Value))
		}),
		cmp.Compare(a.ID, b.ID),
	)
}

// snapshot is the state of some series at one moment. It holds the memtables it needs
// until it is released.
type snapshot struct {
	files  *fileSet
	tables [2]tableView // frozen, active: older first
	series []seriesView // ordered by name and tags
}

// tableView is a memtable at one moment; table is nil if there was none.
type tableView struct {
	table *table
	cells memtable.Snapshot
}

// seriesView is a series with its places in the memtables of its snapshot.
type seriesView struct {
	*Series
	positions [2]memtable.Position
}

// snapshot captures the series that sel selects.
func (s *state) snapshot(sel Selector, maxSeries int) (*snapshot, error) {
	prepared := s.reg.prepare(sel) // regular expressions meet the known values out here

	s.mu.RLock()
	ordinals := prepared.ordinals()
	if maxSeries > 0 && len(ordinals) > maxSeries {
		s.mu.RUnlock()
		return nil, fmt.Errorf("%w: %d series selected, at most %d allowed", ErrLimit, len(ordinals), maxSeries)
	}
	snap := &snapshot{files: s.mu.files, series: make([]seriesView, len(ordinals))}
	for i, t := range [2]*table{s.mu.frozen, s.mu.active} {
		if t == nil || t.Points() == 0 {
			continue
		}
		t.refs.Add(1)
		snap.tables[i] = tableView{table: t, cells: t.Snapshot()}
		for k, o := range ordinals {
			snap.series[k].positions[i], _ = t.Position(o)
		}
	}
	s.mu.RUnlock()

	for k, o := range ordinals {
		snap.series[k].Series = s.reg.series(o)
	}
	slices.SortFunc(snap.series, func(a, b seriesView) int { return compareSeries(a.Series, b.Series) })
	return snap, nil
}

// release gives back the memtables.
func (s *snapshot) release() {
	for i := range s.tables {
		if t := s.tables[i].table; t != nil {
			t.release()
			s.tables[i].table = nil
		}
	}
}
