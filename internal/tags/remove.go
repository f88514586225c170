package tags

import (
	"slices"

	"github.com/sydradb/sydradb/internal/base"
)

// removeMany is how many series Remove takes out at a time: their pairs take some
// megabytes, and readers wait for a few tens of milliseconds at most.
const removeMany = 1 << 16

// Remove takes series out of the index, cheapest many at a time. pairs appends to dst
// the pairs of a series, at least all that Add was told of; it is called without any
// lock held. Ordinals may come in any order and twice; those of series that are not in
// the index are passed over. A query that runs meanwhile finds some of them.
//
// Most of the memory goes back at once, the numbers of pairs never: that takes a new
// index over a new dictionary.
func (ix *Index) Remove(ordinals []base.Ordinal, pairs func(dst []uint32, o base.Ordinal) []uint32) {
	dead := make([]uint32, len(ordinals))
	for i, o := range ordinals {
		dead[i] = uint32(o)
	}
	slices.Sort(dead)
	dead = slices.Compact(dead)
	var all []uint32 // the pairs of some series, one after the other
	var ends []int   // of each in all
	for some := range slices.Chunk(dead, removeMany) {
		all, ends = all[:0], ends[:0]
		for _, o := range some {
			all = pairs(all, base.Ordinal(o))
			ends = append(ends, len(all))
		}
		ix.remove(some, all, ends)
	}
}

// remove takes out the series in dead, which ascend.
func (ix *Index) remove(dead, pairs []uint32, ends []int) {
	ix.mu.Lock()
	defer ix.mu.Unlock()
	ps := &ix.mu.postings
	touched := make([]bool, len(ps.sets))
	var big []uint32 // pairs whose sets are touched, each once
	start := 0
	for i, o := range dead {
		for _, pair := range pairs[start:ends[i]] {
			if pair >= ps.lists.Len() {
				continue // of a series that was never added
			}
			p := ps.lists.Slot(pair)
			if p.big == 0 {
				p.removeFew(o)
			} else if !touched[p.big-1] {
				touched[p.big-1] = true
				big = append(big, pair)
			}
		}
		start = ends[i]
	}
	for _, pair := range big {
		p := ps.lists.Slot(pair)
		s := &ps.sets[p.big-1]
		s.remove(dead)
		p.n = uint32(s.n)
	}
	ix.mu.all.remove(dead)
}

// removeFew takes o out of the posting, whose ordinals are few, if it is there.
func (p *posting) removeFew(o uint32) {
	if i := slices.Index(p.few[:p.n], o); i >= 0 {
		copy(p.few[i:], p.few[i+1:p.n])
		p.n--
	}
}

// remove takes those of dead, which ascend, that are in the set out of it, and gives
// back memory that it needs no more.
func (s *set) remove(dead []uint32) {
	if s.bits != nil {
		s.removeBits(dead)
	} else {
		s.list = slices.DeleteFunc(s.list, func(o uint32) bool {
			_, found := slices.BinarySearch(dead, o)
			return found
		})
		s.n = len(s.list)
	}
	switch {
	case s.n == 0:
		*s = set{}
	case s.bits != nil && s.spread(s.base*64, (s.base+uint32(len(s.bits)))*64-1) > 2*bitmapSpread:
		s.toList()
	case cap(s.list) > 2*len(s.list):
		s.list = slices.Clone(s.list)
	}
}

// removeBits takes dead out of a bitmap and cuts off the words without ordinals at both
// ends: those that die are the old ones, more often than not.
func (s *set) removeBits(dead []uint32) {
	start, _ := slices.BinarySearch(dead, s.base*64)
	for _, o := range dead[start:] {
		w := o/64 - s.base
		if w >= uint32(len(s.bits)) {
			break
		}
		if bit := uint64(1) << (o % 64); s.bits[w]&bit != 0 {
			s.bits[w] &^= bit
			s.n--
		}
	}
	left := s.bits
	for len(left) > 0 && left[0] == 0 {
		left, s.base = left[1:], s.base+1
	}
	for len(left) > 0 && left[len(left)-1] == 0 {
		left = left[:len(left)-1]
	}
	if len(left) < len(s.bits) {
		s.bits = slices.Clone(left)
	}
}
