package engine

import (
	"fmt"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/memtable"
	"github.com/sydradb/sydradb/internal/tags"
	"github.com/sydradb/sydradb/internal/tombstone"
	"github.com/sydradb/sydradb/internal/wal"
)

// Selector says which series are meant: those that satisfy all Matchers, or with Any
// at least one of them; or, if there are IDs, the series with these ids.
type Selector struct {
	Matchers []tags.Matcher
	Any      bool
	IDs      []base.SeriesID
}

// snapshot is the state of some series at one moment. It holds the memtables and files
// it needs until it is released.
type snapshot struct {
	state      *state
	files      *fileSet
	tombstones tombstone.List
	horizons   horizons
	tables     [2]tableView // frozen, active: older first
	series     []seriesView
}

// tableView is a memtable at one moment; table is nil if there was none.
type tableView struct {
	table *table
	seq   base.LSN // deletions with a higher one hide its points
	cells memtable.Snapshot
}

// seriesView is a series with its places in the memtables of its snapshot.
type seriesView struct {
	*Series
	id        base.SeriesID
	name      string
	positions [2]memtable.Position
}

// snapshot captures the series that sel selects, in order of name and tags.
func (s *state) snapshot(sel Selector, maxSeries int) (*snapshot, error) {
	for {
		snap, err := s.trySnapshot(sel, maxSeries)
		if snap != nil || err != nil {
			return snap, err
		}
	}
}

// trySnapshot is snapshot, but that it returns nil if the register was renewed, or a
// series declared dead, so quickly that one could not be described any more.
func (s *state) trySnapshot(sel Selector, maxSeries int) (*snapshot, error) {
	prepared := s.reg.now().prepare(sel) // regular expressions meet the known values out here

	s.mu.RLock()
	if prepared.reg != s.reg.now() {
		s.mu.RUnlock()
		return nil, nil
	}
	ordinals := prepared.ordinals()
	if maxSeries > 0 && len(ordinals) > maxSeries {
		s.mu.RUnlock()
		return nil, fmt.Errorf("%w: %d series selected, at most %d allowed", ErrLimit, len(ordinals), maxSeries)
	}
	snap := s.captureLocked()
	positions := make([][2]memtable.Position, len(ordinals))
	for i, t := range snap.tables {
		if t.table != nil {
			for k, o := range ordinals {
				positions[k][i], _ = t.table.Position(o)
			}
		}
	}
	s.mu.RUnlock()

	handles := make([]*Series, len(ordinals))
	order := seriesOrder{dict: prepared.reg.dict, series: make([]orderedSeries, 0, len(ordinals))}
	for k, o := range ordinals {
		handles[k] = s.reg.handle(prepared.reg, o)
		if handles[k] == nil || !order.add(prepared.reg, o, handles[k].id) {
			snap.release()
			return nil, nil
		}
	}
	order.sort()
	snap.series = make([]seriesView, len(ordinals))
	for k := range order.series {
		at := &order.series[k]
		snap.series[k] = seriesView{handles[at.place], at.id, at.name, positions[at.place]}
	}
	return snap, nil
}

// captureLocked returns a snapshot of no series. Requires: s.mu, for reading at least.
func (s *state) captureLocked() *snapshot {
	snap := &snapshot{state: s, files: s.mu.files, tombstones: s.mu.tombstones, horizons: s.mu.horizons}
	s.sets.acquire(snap.files)
	for i, t := range [2]*table{s.mu.frozen, s.mu.active} {
		if t == nil || t.Points() == 0 {
			continue
		}
		t.refs.Add(1)
		snap.tables[i] = tableView{table: t, cells: t.Snapshot(), seq: maxLSN}
		if t == s.mu.frozen {
			snap.tables[i].seq = t.last
		}
	}
	return snap
}

// maxLSN is above that of every record: no deletion hides points of the active memtable,
// from which it has removed its own.
const maxLSN = wal.MaxLSN

// release gives back memtables and files.
func (s *snapshot) release() {
	for i := range s.tables {
		if t := s.tables[i].table; t != nil {
			t.release()
			s.tables[i].table = nil
		}
	}
	if s.files != nil {
		s.state.sets.release(s.files)
		s.files = nil
	}
}
