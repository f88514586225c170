package tags

import (
	"slices"

	"github.com/sydradb/sydradb/internal/blocks"
)

// posting holds the ordinals that have one pair. Most pairs belong to a few series,
// so the first four ordinals stand in it; more of them stand in a set.
type posting struct {
	n   uint32 // ordinals
	big uint32 // 1 + index of the set; 0: the ordinals are few[:n], ascending
	few [fewMax]uint32
}

const fewMax = 4

// A posting takes 24 bytes for every pair there is.
var _ [24]byte = [8 + 4*fewMax]byte{}

// postings are the lists of all pairs. They keep no lock.
type postings struct {
	lists blocks.Array[posting] // by pair number
	sets  []set
}

// add puts o into the list of a pair, unless it is there.
func (ps *postings) add(pair, o uint32) {
	p := ps.lists.Slot(pair)
	if p.big != 0 {
		s := &ps.sets[p.big-1]
		s.add(o)
		p.n = uint32(s.n)
		return
	}
	i, found := slices.BinarySearch(p.few[:p.n], o)
	if found {
		return
	}
	if p.n < fewMax {
		copy(p.few[i+1:], p.few[i:p.n])
		p.few[i] = o
		p.n++
		return
	}
	ps.sets = append(ps.sets, set{list: slices.Insert(slices.Clone(p.few[:]), i, o), n: fewMax + 1})
	p.big = uint32(len(ps.sets))
	p.n++
}

// count returns the number of ordinals that have a pair.
func (ps *postings) count(pair uint32) int { return int(ps.lists.At(pair).n) }

// appendTo appends the ordinals that have a pair to dst, ascending.
func (ps *postings) appendTo(dst []uint32, pair uint32) []uint32 {
	p := ps.lists.At(pair)
	if p.big != 0 {
		return ps.sets[p.big-1].appendTo(dst)
	}
	return append(dst, p.few[:p.n]...)
}

// contains reports whether o has a pair.
func (ps *postings) contains(pair, o uint32) bool {
	p := ps.lists.At(pair)
	if p.big != 0 {
		return ps.sets[p.big-1].contains(o)
	}
	return slices.Contains(p.few[:p.n], o)
}

// list returns the ordinals that have a pair, nil if they are few or in a bitmap.
func (ps *postings) list(pair uint32) []uint32 {
	if p := ps.lists.At(pair); p.big != 0 {
		return ps.sets[p.big-1].list
	}
	return nil
}

// bitmap returns the bitmap of a pair, nil if its list is not one.
func (ps *postings) bitmap(pair uint32) *set {
	if p := ps.lists.At(pair); p.big != 0 && ps.sets[p.big-1].bits != nil {
		return &ps.sets[p.big-1]
	}
	return nil
}
