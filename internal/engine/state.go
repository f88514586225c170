package engine

import (
	"sync"
	"sync/atomic"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/memtable"
)

// table is a memtable with the number of those who read it. Its memory goes back to
// the pool when the last of them lets go.
type table struct {
	*memtable.Table
	last base.LSN // of the records applied to it; set when it is frozen
	refs atomic.Int64
}

func newTable(slabs *memtable.Slabs) *table {
	t := &table{Table: memtable.New(slabs)}
	t.refs.Store(1)
	return t
}

func (t *table) release() {
	if t.refs.Add(-1) == 0 {
		t.Release()
	}
}

// state is what readers see: the memtables and the files. A snapshot is taken under
// the read lock; what it captured never changes (E2).
type state struct {
	slabs *memtable.Slabs
	reg   *registry

	mu struct {
		sync.RWMutex
		active *table
		frozen *table // being flushed; nil if none
		files  *fileSet
	}
}

func newState(slabs *memtable.Slabs, reg *registry, files *fileSet) *state {
	s := &state{slabs: slabs, reg: reg}
	s.mu.active = newTable(slabs)
	s.mu.files = files
	return s
}

// apply makes the batches of a group visible, in order, each as a whole.
func (s *state) apply(group []*request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range group {
		if len(r.regs) > 0 {
			s.reg.logged(r.regs)
		}
		s.mu.active.Apply(r.rows)
	}
}

// activeSize returns the memory of the active memtable and the number of its series.
func (s *state) activeSize() (bytes int64, series int) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.mu.active.Bytes(), s.mu.active.SeriesCount()
}

// hasPoints reports whether there is anything in the active memtable.
func (s *state) hasPoints() bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.mu.active.Points() > 0
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

// publish replaces the frozen memtable by the run of files that holds its points.
func (s *state) publish(r *run) {
	s.mu.Lock()
	frozen := s.mu.frozen
	s.mu.frozen = nil
	s.mu.files = s.mu.files.with(r)
	s.mu.Unlock()
	frozen.release()
}
