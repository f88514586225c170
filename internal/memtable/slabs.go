package memtable

import "sync"

// Slabs recycles the memory of released tables: writing into memory that was
// used before saves the page faults of fresh memory, a quarter of the cost of
// applying a point. One Slabs serves all tables of a database. It is safe for
// concurrent use.
type Slabs struct {
	limit int

	mu struct {
		sync.Mutex
		free []*slab
		used int // given out and not taken back
	}
}

// idleSlabs is how many slabs are kept while no table has more in use.
const idleSlabs = 16

// NewSlabs returns an empty free list that holds back at most keepBytes, rounded
// down to whole slabs of 1 MiB; what is given back beyond that goes to the
// garbage collector. Twice the size of a full table is a good value: one table
// fills while the other is flushed. 0 keeps nothing.
//
// When a table is released, no more is kept than others have in use, or 16 MiB: where
// writers kept on during the flush, the table that they fill is about to need as much
// again, and where they did not, the memory of a full table is not held back for nothing.
func NewSlabs(keepBytes int64) *Slabs {
	return &Slabs{limit: int(max(0, keepBytes) / slabBytes)}
}

// get returns a slab with any contents.
func (s *Slabs) get() *slab {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.used++
	if n := len(s.mu.free); n > 0 {
		b := s.mu.free[n-1]
		s.mu.free[n-1] = nil
		s.mu.free = s.mu.free[:n-1]
		return b
	}
	return new(slab)
}

// put takes slabs back. Nobody may read or write them any more.
func (s *Slabs) put(slabs []*slab) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.used -= len(slabs)
	s.mu.free = append(s.mu.free, slabs...)
	if keep := min(s.limit, max(s.mu.used, idleSlabs)); len(s.mu.free) > keep {
		clear(s.mu.free[keep:])
		s.mu.free = s.mu.free[:keep]
	}
}
