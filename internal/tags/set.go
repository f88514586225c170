package tags

import (
	"math/bits"
	"slices"
)

// set holds more than a few ordinals: as an ascending list, or as a bitmap where that
// takes no more room than the list.
type set struct {
	list []uint32
	bits []uint64 // not nil: the set is a bitmap, and list is nil
	base uint32   // number of the first word of bits
	n    int      // ordinals
}

const (
	// bitmapMin is how many ordinals a bitmap has at least when it is made.
	bitmapMin = 2048
	// bitmapSpread bounds how thin ordinals may lie in a new bitmap: one in 32, where
	// bitmap and list take the same room. Far ordinals may thin an old one to half of that.
	bitmapSpread = 32
)

// add puts o into the set and reports whether it was not there.
func (s *set) add(o uint32) bool {
	if s.bits != nil {
		if s.addBit(o) {
			return true
		}
		if s.bits != nil {
			return false
		}
		// The bitmap became a list, because o lies far off.
	}
	if n := len(s.list); n == 0 || s.list[n-1] < o {
		s.list = append(s.list, o)
	} else {
		i, found := slices.BinarySearch(s.list, o)
		if found {
			return false
		}
		s.list = slices.Insert(s.list, i, o)
	}
	s.n++
	if s.n > bitmapMin && s.spread(s.list[0], s.list[s.n-1]) <= bitmapSpread {
		s.toBitmap()
	}
	return true
}

// spread returns how many numbers from first to last come on each ordinal.
func (s *set) spread(first, last uint32) uint64 { return (uint64(last-first) + 1) / uint64(s.n) }

// addBit is add for a bitmap. Where o lies so far off that the bitmap would be too
// thin, it turns the set into a list and returns false.
func (s *set) addBit(o uint32) bool {
	w := o / 64
	end := s.base + uint32(len(s.bits)) // not included
	switch {
	case w >= s.base && w < end:
	case s.spread(min(o, s.base*64), max(o, end*64-1)) > 2*bitmapSpread:
		s.toList()
		return false
	case w >= end:
		s.bits = append(s.bits, make([]uint64, w+1-end)...)
	default:
		s.bits = slices.Concat(make([]uint64, s.base-w), s.bits)
		s.base = w
	}
	word, bit := &s.bits[w-s.base], uint64(1)<<(o%64)
	if *word&bit != 0 {
		return false
	}
	*word |= bit
	s.n++
	return true
}

func (s *set) contains(o uint32) bool {
	if s.bits == nil {
		_, found := slices.BinarySearch(s.list, o)
		return found
	}
	w := o/64 - s.base // wraps around below base
	return w < uint32(len(s.bits)) && s.bits[w]>>(o%64)&1 != 0
}

// appendTo appends the ordinals to dst, ascending.
func (s *set) appendTo(dst []uint32) []uint32 {
	if s.bits == nil {
		return append(dst, s.list...)
	}
	return appendBits(slices.Grow(dst, s.n), s.base, s.bits)
}

// appendBits appends the numbers of the set bits to dst; base is the number of the
// first word.
func appendBits(dst []uint32, base uint32, words []uint64) []uint32 {
	for i, word := range words {
		for first := (base + uint32(i)) * 64; word != 0; word &= word - 1 {
			dst = append(dst, first+uint32(bits.TrailingZeros64(word)))
		}
	}
	return dst
}

func (s *set) toBitmap() {
	s.base = s.list[0] / 64
	s.bits = make([]uint64, s.list[s.n-1]/64-s.base+1)
	for _, o := range s.list {
		s.bits[o/64-s.base] |= 1 << (o % 64)
	}
	s.list = nil
}

func (s *set) toList() {
	s.list, s.bits, s.base = appendBits(make([]uint32, 0, s.n+1), s.base, s.bits), nil, 0
}
