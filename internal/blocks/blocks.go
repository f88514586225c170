// Package blocks holds the two append-only containers under the in-memory tables
// of the registry of series: Array, a column of values with an index, and Blob, a
// heap of small byte strings.
//
// Both grow block by block. What is stored never moves, so growing copies nothing,
// no moment needs twice the memory, and a pause does not lengthen with the number of
// series. Given values without pointers, the garbage collector skips every block.
//
// The containers hold no lock: their owner guards them. They import the standard
// library only and know nothing of what is stored in them.
package blocks

import "iter"

const (
	// blockLen is the number of values in a block. Where few indices of many are in use,
	// each costs a block: larger ones save next to nothing and waste more.
	blockLen = 64
	groupLen = 1024 // blocks in a group
	groupCap = blockLen * groupLen
)

// Array is a column of values, indexed by a number. Slots never written read as the
// zero value and cost no memory beyond that of their block, so that a lone high
// index is cheap. The zero Array is empty and ready to use.
type Array[T any] struct {
	groups []*[groupLen]*[blockLen]T
	length uint32
}

// Len returns 1 + the highest index that Slot was called with, 0 if none.
func (a *Array[T]) Len() uint32 { return a.length }

// At returns the value at i, the zero value if i was never written.
func (a *Array[T]) At(i uint32) T {
	if i < a.length {
		if g := a.groups[i/groupCap]; g != nil {
			if b := g[i/blockLen%groupLen]; b != nil {
				return b[i%blockLen]
			}
		}
	}
	var zero T
	return zero
}

// Slot returns the place of the value at i, making room for it. The pointer stays
// valid as long as the array lives. i must be below the highest uint32.
func (a *Array[T]) Slot(i uint32) *T {
	if n := int(i/groupCap) + 1; n > len(a.groups) {
		if n > cap(a.groups) {
			a.groups = append(make([]*[groupLen]*[blockLen]T, 0, max(n, 2*cap(a.groups))), a.groups...)
		}
		a.groups = a.groups[:n]
	}
	g := a.groups[i/groupCap]
	if g == nil {
		g = new([groupLen]*[blockLen]T)
		a.groups[i/groupCap] = g
	}
	b := g[i/blockLen%groupLen]
	if b == nil {
		b = new([blockLen]T)
		g[i/blockLen%groupLen] = b
	}
	a.length = max(a.length, i+1)
	return &b[i%blockLen]
}

// From returns the slots from index i on, in order, without those of blocks that were
// never written, which cost no time. The caller may write the array meanwhile.
func (a *Array[T]) From(i uint32) iter.Seq2[uint32, T] {
	return func(yield func(uint32, T) bool) {
		for i := uint64(i); i < uint64(a.length); {
			g := a.groups[i/groupCap]
			if g == nil {
				i = (i/groupCap + 1) * groupCap
				continue
			}
			end := (i/blockLen + 1) * blockLen
			b := g[i/blockLen%groupLen]
			if b == nil {
				i = end
				continue
			}
			for ; i < min(end, uint64(a.length)); i++ {
				if !yield(uint32(i), b[i%blockLen]) {
					return
				}
			}
		}
	}
}
