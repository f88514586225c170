package tags

import (
	"sync"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/dict"
)

// Index finds series by their tags. Make one with New. Safe for concurrent use.
type Index struct {
	dict *dict.Dict

	mu struct {
		sync.RWMutex
		postings
		all set // every series in the index
	}
}

// New returns an empty index over series whose pairs d numbers.
func New(d *dict.Dict) *Index { return &Index{dict: d} }

// Add makes the series o findable by its pairs. It may be told again, and told of more
// pairs. Ordinals come cheapest in rising order, and may come in any.
func (ix *Index) Add(o base.Ordinal, pairs []uint32) {
	ix.mu.Lock()
	defer ix.mu.Unlock()
	ix.mu.all.add(uint32(o))
	for _, pair := range pairs {
		ix.mu.add(pair, uint32(o))
	}
}

// AddMany is Add for several series. Their pairs follow one another in pairs; ends says where
// those of each end.
func (ix *Index) AddMany(ordinals []base.Ordinal, pairs []uint32, ends []int) {
	ix.mu.Lock()
	defer ix.mu.Unlock()
	start := 0
	for i, o := range ordinals {
		ix.mu.all.add(uint32(o))
		for _, pair := range pairs[start:ends[i]] {
			ix.mu.add(pair, uint32(o))
		}
		start = ends[i]
	}
}

// Len returns the number of series in the index.
func (ix *Index) Len() int {
	ix.mu.RLock()
	defer ix.mu.RUnlock()
	return ix.mu.all.n
}

// Contains reports whether the series o is in the index.
func (ix *Index) Contains(o base.Ordinal) bool {
	ix.mu.RLock()
	defer ix.mu.RUnlock()
	return ix.mu.all.contains(uint32(o))
}

// union returns the ordinals that have one of several pairs.
func (ps *postings) union(pairs []uint32) *roaring.Bitmap {
	b := roaring.New()
	var buf []uint32
	for _, pair := range pairs {
		buf = ps.appendTo(buf[:0], pair)
		b.AddMany(buf)
	}
	return b
}

// total returns how many ordinals the lists of several pairs hold.
func (ps *postings) total(pairs []uint32) int {
	n := 0
	for _, pair := range pairs {
		n += ps.count(pair)
	}
	return n
}
