package catalog

import (
	"encoding/binary"
	"iter"
	"math/bits"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/blocks"
)

// store holds the series by ordinal and finds them by id. It keeps no strings and no
// lock; about 50 bytes a series with ten tags.
type store struct {
	series blocks.Array[series] // by ordinal, with holes
	lists  blocks.Blob
	count  int // series, without the holes

	// A table finds ordinals by id: open addressing, at most three quarters full. A slot
	// holds 32 bits that are made of the id, which spare nearly all looks at series of
	// other ids, and 1 + the ordinal; 0 is a free slot.
	//
	//	slot  [hash u32 | ordinal+1 u32]
	slots []uint64
}

// series is one row of the registry. What lists holds at list-1 is
//
//	uvarint 2*count + named, then count uvarint pair numbers
//
// with the pair of the name first if there is one. A list of 0 marks a hole.
type series struct {
	id   base.SeriesID
	list uint64
}

const firstSlots = 256

// noPairs is the list of all series that are known by their id alone.
const noPairs = 1

// newStore returns an empty store with room for n series.
func newStore(n int) store {
	size := max(firstSlots, 1<<bits.Len(uint(n+n/3)))
	s := store{slots: make([]uint64, size)}
	s.lists.Append([]byte{0}) // noPairs
	return s
}

// get returns the series with ordinal o.
func (s *store) get(o base.Ordinal) (series, bool) {
	row := s.series.At(uint32(o))
	return row, row.list != 0
}

// from returns the series from ordinal o on, in order.
func (s *store) from(o base.Ordinal) iter.Seq2[base.Ordinal, series] {
	return func(yield func(base.Ordinal, series) bool) {
		for i, row := range s.series.From(uint32(o)) {
			if row.list != 0 && !yield(base.Ordinal(i), row) {
				return
			}
		}
	}
}

// byID returns the ordinal of the series with this id.
func (s *store) byID(id base.SeriesID) (base.Ordinal, bool) {
	h, mask := hashID(id), uint32(len(s.slots)-1)
	for i := h & mask; ; i = (i + 1) & mask {
		slot := s.slots[i]
		if slot == 0 {
			return 0, false
		}
		if o := uint32(slot) - 1; uint32(slot>>32) == h && s.series.At(o).id == id {
			return base.Ordinal(o), true
		}
	}
}

// hashID spreads the ids, for not all are hashes: those of version 0 may be small numbers.
func hashID(id base.SeriesID) uint32 { return uint32(uint64(id) * 0x9e3779b97f4a7c15 >> 32) }

// add stores a series. Neither its ordinal nor its id may be taken.
func (s *store) add(o base.Ordinal, id base.SeriesID, pairs []uint32, named bool) {
	if (s.count+1)*4 > len(s.slots)*3 {
		s.grow()
	}
	s.count++
	*s.series.Slot(uint32(o)) = series{id: id, list: s.addList(pairs, named)}
	s.place(uint64(hashID(id))<<32 | uint64(o) + 1)
}

// remove makes a hole of a series, which must be there. Its list stays in lists.
func (s *store) remove(o base.Ordinal) {
	row := s.series.Slot(uint32(o))
	mask := uint32(len(s.slots) - 1)
	i := hashID(row.id) & mask
	for uint32(s.slots[i]) != uint32(o)+1 {
		i = (i + 1) & mask
	}
	*row = series{}
	s.count--
	// What follows without a gap moves up where its search begins at the free slot or
	// before: no search ends early, and no slot is lost to marks of what was.
	for j := (i + 1) & mask; s.slots[j] != 0; j = (j + 1) & mask {
		begin := uint32(s.slots[j]>>32) & mask
		if (j-begin)&mask >= (j-i)&mask {
			s.slots[i] = s.slots[j]
			i = j
		}
	}
	s.slots[i] = 0
}

// setPairs gives a series that is known by its id what else is known of it.
func (s *store) setPairs(o base.Ordinal, pairs []uint32, named bool) {
	s.series.Slot(uint32(o)).list = s.addList(pairs, named)
}

func (s *store) addList(pairs []uint32, named bool) uint64 {
	if len(pairs) == 0 {
		return noPairs
	}
	var buf [128]byte
	head := uint64(len(pairs)) << 1
	if named {
		head |= 1
	}
	list := binary.AppendUvarint(buf[:0], head)
	for _, n := range pairs {
		list = binary.AppendUvarint(list, uint64(n))
	}
	return uint64(s.lists.Append(list)) + 1
}

// pairs appends the pair numbers of a series to dst.
func (s *store) pairs(dst []uint32, row series) (_ []uint32, named bool) {
	head, list := blocks.Uvarint(s.lists.From(blocks.Ref(row.list - 1)))
	var n uint32
	for range head >> 1 {
		n, list = blocks.Uvarint(list)
		dst = append(dst, n)
	}
	return dst, head&1 != 0
}

// tags is pairs without that of the name.
func (s *store) tags(dst []uint32, row series) []uint32 {
	head, list := blocks.Uvarint(s.lists.From(blocks.Ref(row.list - 1)))
	n, left := uint32(0), head>>1
	if head&1 != 0 {
		_, list = blocks.Uvarint(list)
		left--
	}
	for range left {
		n, list = blocks.Uvarint(list)
		dst = append(dst, n)
	}
	return dst
}

// name returns the pair of the name of a series, false if it has none or is a hole.
func (s *store) name(row series) (pair uint32, named bool) {
	if row.list == 0 {
		return 0, false
	}
	head, list := blocks.Uvarint(s.lists.From(blocks.Ref(row.list - 1)))
	if head&1 == 0 {
		return 0, false
	}
	pair, _ = blocks.Uvarint(list)
	return pair, true
}

func (s *store) named(row series) bool {
	_, named := s.name(row)
	return named
}

func (s *store) place(slot uint64) {
	mask := uint32(len(s.slots) - 1)
	i := uint32(slot>>32) & mask
	for s.slots[i] != 0 {
		i = (i + 1) & mask
	}
	s.slots[i] = slot
}

func (s *store) grow() {
	old := s.slots
	s.slots = make([]uint64, 2*len(old))
	for _, slot := range old {
		if slot != 0 {
			s.place(slot)
		}
	}
}
