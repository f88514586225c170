package engine

import (
	"maps"
	"sync"
	"sync/atomic"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/manifest"
	"github.com/sydradb/sydradb/internal/memtable"
	"github.com/sydradb/sydradb/internal/tombstone"
)

// table is a memtable with the number of those who read it. Its memory goes back to
// the pool when the last of them lets go.
type table struct {
	*memtable.Table
	last    base.LSN // of the records applied to it; set when it is frozen
	deletes int      // deletions applied to it: they want a flush, too
	start   int64    // no point is before start or after end, even one that was deleted
	end     int64
	refs    atomic.Int64
}

func newTable(slabs *memtable.Slabs) *table {
	t := &table{Table: memtable.New(slabs), start: base.MaxTime, end: base.MinTime}
	t.refs.Store(1)
	return t
}

// apply adds rows, whose times are from start to end.
func (t *table) apply(rows []base.Row, start, end int64) {
	t.start, t.end = min(t.start, start), max(t.end, end)
	t.Apply(rows)
}

func (t *table) release() {
	if t.refs.Add(-1) == 0 {
		t.Release()
	}
}

// empty reports whether a flush of t has nothing to do.
func (t *table) empty() bool { return t.Bytes() == 0 && t.deletes == 0 }

// horizons are the least timestamps that retention keeps, per namespace, "" for those
// without one of their own. It never changes: each sweep makes a new one.
type horizons map[string]int64

// of returns the horizon of the series with this name.
func (h horizons) of(name string) int64 {
	if len(h) == 0 {
		return base.MinTime
	}
	if own, ok := h[base.Namespace(name)]; ok {
		return own
	}
	if general, ok := h[""]; ok {
		return general
	}
	return base.MinTime
}

// highest returns the latest horizon of all.
func (h horizons) highest() int64 {
	latest := base.MinTime
	for _, t := range h {
		latest = max(latest, t)
	}
	return latest
}

// with returns h with the horizons that moved.
func (h horizons) with(moved map[string]int64) horizons {
	next := maps.Clone(h)
	if next == nil {
		next = make(horizons)
	}
	maps.Copy(next, moved)
	return next
}

// state is what readers see: memtables, files, deletions and horizons. A snapshot is
// taken under the read lock; what it captured never changes (E2).
type state struct {
	slabs *memtable.Slabs
	reg   *registry
	sets  fileSets

	mu struct {
		sync.RWMutex
		active     *table
		frozen     *table // being flushed; nil if none
		files      *fileSet
		tombstones tombstone.List
		horizons   horizons
	}

	// tooOld is the highest horizon, so that writers look further at old points only.
	tooOld atomic.Int64
}

func newState(slabs *memtable.Slabs, reg *registry, files *fileSet) *state {
	s := &state{slabs: slabs, reg: reg}
	s.mu.active = newTable(slabs)
	s.mu.files = files
	s.sets.current(files, nil)
	s.tooOld.Store(base.MinTime)
	return s
}

// apply makes the records of a group visible, in order, each as a whole. first is the
// LSN of the first of them.
func (s *state) apply(group []*request, first base.LSN) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, r := range group {
		if r.deletion != nil {
			r.deletion.LSN = first + base.LSN(i)
			s.deleteLocked(r.deletion)
			continue
		}
		if len(r.regs) > 0 {
			s.reg.logged(r.regs)
		}
		s.mu.active.apply(r.rows, r.start, r.end)
	}
}

// deleteLocked applies a deletion: its points leave the active memtable, and frozen ones
// and files hide them from now on. Requires: s.mu, for writing.
func (s *state) deleteLocked(t *tombstone.Tombstone) {
	cat := s.reg.now().catalog
	for _, id := range t.IDs {
		if o, ok := cat.ByID(id); ok {
			s.mu.active.Delete(o, t.Start, t.End)
		}
	}
	s.mu.active.deletes++
	s.mu.tombstones = s.mu.tombstones.With(t)
}

// activeSize returns the memory of the active memtable and the number of its series.
func (s *state) activeSize() (bytes int64, series int) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.mu.active.Bytes(), s.mu.active.SeriesCount()
}

// activeEmpty reports whether the active memtable has nothing to flush.
func (s *state) activeEmpty() bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.mu.active.empty()
}

// flushing reports whether a frozen memtable waits for its files.
func (s *state) flushing() bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.mu.frozen != nil
}

// freeze sets the active memtable aside for the flusher; last is the LSN of the last
// record applied to it. Requires: no frozen memtable.
func (s *state) freeze(last base.LSN) *table {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.frozen = s.mu.active
	s.mu.frozen.last = last
	s.mu.active = newTable(s.slabs)
	return s.mu.frozen
}

// deletesAfter returns the deletions with an LSN above flushed, which are in no file yet.
func (s *state) deletesAfter(flushed base.LSN) (deletes []*tombstone.Tombstone) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, t := range s.mu.tombstones {
		if t.LSN > flushed {
			deletes = append(deletes, t)
		}
	}
	return deletes
}

// publishFlush replaces the frozen memtable by the files that hold its points, and its
// deletions by those with a file.
func (s *state) publishFlush(added []manifest.Entry, deletes []*tombstone.Tombstone) {
	s.mu.Lock()
	frozen := s.mu.frozen
	s.mu.frozen = nil
	s.replaceLocked(added, nil)
	s.mu.tombstones = s.mu.tombstones.Replaced(deletes)
	s.mu.Unlock()
	frozen.release()
}

// publishFiles lets readers see an edit: files added and removed.
func (s *state) publishFiles(added []manifest.Entry, removed []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.replaceLocked(added, removed)
}

func (s *state) replaceLocked(added []manifest.Entry, removed []string) {
	s.mu.files = s.mu.files.with(added, removed)
	s.sets.current(s.mu.files, removed)
}

// publishHorizons lets readers see horizons that moved.
func (s *state) publishHorizons(moved map[string]int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.setHorizonsLocked(s.mu.horizons.with(moved))
}

func (s *state) setHorizonsLocked(h horizons) {
	s.mu.horizons = h
	s.tooOld.Store(h.highest())
}

// dropTombstones forgets deletions that hide nothing any more.
func (s *state) dropTombstones(done []*tombstone.Tombstone) {
	gone := make(map[base.LSN]bool, len(done))
	for _, t := range done {
		gone[t.LSN] = true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.tombstones = s.mu.tombstones.Without(func(t *tombstone.Tombstone) bool { return gone[t.LSN] })
}

// moment is what maintenance works on: the files, deletions and horizons of now.
func (s *state) moment() (*fileSet, tombstone.List, horizons) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.mu.files, s.mu.tombstones, s.mu.horizons
}

// horizons returns those of now.
func (s *state) horizonsNow() horizons {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.mu.horizons
}
