package catalog

import (
	"encoding/binary"
	"maps"
	"math/bits"
	"slices"

	"github.com/sydradb/sydradb/internal/base"
)

// namesFrame collects series until their names frame is full. Names and pairs are
// numbered in the order in which they come up, keys when all of them are known.
type namesFrame struct {
	c     *Catalog
	names numbering
	pairs numbering
	keys  map[string]uint32
	rows  []byte // the series as they stand in the frame
	count int
	next  base.Ordinal
	texts int // bytes of names, keys and values with their lengths
}

// numbering gives pairs of the dictionary numbers that are local to a frame.
type numbering struct {
	order []uint32          // pair, by local number
	local map[uint32]uint32 // the other way
	last  []lastNumber      // of the last series, by position: the next has most of them too
}

type lastNumber struct{ pair, local uint32 }

// knows reports whether the pair at position i of a series has a number.
func (n *numbering) knows(i int, pair uint32) bool {
	if i < len(n.last) && n.last[i].pair == pair {
		return true
	}
	_, ok := n.local[pair]
	return ok
}

// number returns the number of the pair at position i of a series, and whether it is
// new. The positions of one series come in order.
func (n *numbering) number(i int, pair uint32) (local uint32, fresh bool) {
	if i == len(n.last) {
		n.last = append(n.last, lastNumber{})
	} else if n.last[i].pair == pair {
		return n.last[i].local, false
	}
	local, known := n.local[pair]
	if !known {
		local = uint32(len(n.order))
		n.local[pair] = local
		n.order = append(n.order, pair)
	}
	n.last[i] = lastNumber{pair, local}
	return local, !known
}

const (
	// headMax is what type, counts, and a series without its tags take at most.
	headMax = 1 + 4*binary.MaxVarintLen32 + 3*binary.MaxVarintLen32 + 8
	// numberMax is what a local number takes in a frame of several series at most.
	numberMax = 3
)

func (c *Catalog) newNamesFrame() *namesFrame {
	return &namesFrame{
		c:     c,
		names: numbering{local: map[uint32]uint32{}},
		pairs: numbering{local: map[uint32]uint32{}},
		keys:  map[string]uint32{},
	}
}

// appendNamesLocked appends the payload of a names frame with as many series as fit,
// one at least, and returns how many it took. ordinals rise; those of which nothing is
// known but the id, and those that died meanwhile, are passed over, and nothing is
// appended if there are no others. Requires: c.mu, for reading at least.
func (c *Catalog) appendNamesLocked(dst []byte, ordinals []base.Ordinal) ([]byte, int) {
	displaced := map[base.Ordinal]bool{}
	for _, list := range c.mu.displaced {
		for _, o := range list {
			displaced[o] = true
		}
	}
	f := c.newNamesFrame()
	var buf []uint32
	for i, o := range ordinals {
		row, ok := c.mu.get(o)
		if !ok {
			continue
		}
		tags, named := c.mu.pairs(buf[:0], row)
		buf = tags
		var name []uint32
		if named {
			name, tags = tags[:1], tags[1:]
		}
		if len(name)+len(tags) == 0 {
			continue
		}
		if f.count > 0 && !f.fits(name, tags) {
			return f.append(dst), i
		}
		f.add(o, row.id, !named || displaced[o], name, tags)
	}
	if f.count > 0 {
		dst = f.append(dst)
	}
	return dst, len(ordinals)
}

// fits reports whether a series may be added without the frame growing too long. name
// holds the pair of its name, or nothing.
func (f *namesFrame) fits(name, tags []uint32) bool {
	texts, pairs, keys := f.texts, len(f.pairs.order), len(f.keys)
	for i, pair := range name {
		if !f.names.knows(i, pair) {
			_, text := f.c.dict.Pair(pair)
			texts += textLen(text)
		}
	}
	for i, pair := range tags {
		if f.pairs.knows(i, pair) {
			continue
		}
		key, value := f.c.dict.Pair(pair)
		pairs++
		texts += textLen(value)
		if _, known := f.keys[key]; !known {
			keys++
			texts += textLen(key)
		}
	}
	return headMax+texts+pairs*uvarintLen(keys)+len(f.rows)+numberMax*len(tags) <= frameBytes
}

// add appends a series. name holds the pair of its name, or nothing.
func (f *namesFrame) add(o base.Ordinal, id base.SeriesID, explicit bool, name, tags []uint32) {
	f.rows = binary.AppendUvarint(f.rows, uint64(o-f.next))
	head := uint64(0)
	for i, pair := range name {
		local, fresh := f.names.number(i, pair)
		if fresh {
			_, text := f.c.dict.Pair(pair)
			f.texts += textLen(text)
		}
		head = 2 * (1 + uint64(local))
	}
	if explicit {
		f.rows = binary.AppendUvarint(f.rows, head|1)
		f.rows = binary.LittleEndian.AppendUint64(f.rows, uint64(id))
	} else {
		f.rows = binary.AppendUvarint(f.rows, head)
	}
	f.rows = binary.AppendUvarint(f.rows, uint64(len(tags)))
	for i, pair := range tags {
		local, fresh := f.pairs.number(i, pair)
		if fresh {
			key, value := f.c.dict.Pair(pair)
			f.texts += textLen(value)
			if _, known := f.keys[key]; !known {
				f.texts += textLen(key)
				f.keys[key] = 0
			}
		}
		f.rows = binary.AppendUvarint(f.rows, uint64(local))
	}
	f.next = o + 1
	f.count++
}

// append appends the payload to dst.
func (f *namesFrame) append(dst []byte) []byte {
	dst = append(dst, typeNames)
	dst = binary.AppendUvarint(dst, uint64(len(f.names.order)))
	for _, pair := range f.names.order {
		_, name := f.c.dict.Pair(pair)
		dst = appendText(dst, name)
	}
	dst = binary.AppendUvarint(dst, uint64(len(f.keys)))
	for i, key := range slices.Sorted(maps.Keys(f.keys)) {
		f.keys[key] = uint32(i)
		dst = appendText(dst, key)
	}
	dst = binary.AppendUvarint(dst, uint64(len(f.pairs.order)))
	for _, pair := range f.pairs.order {
		key, value := f.c.dict.Pair(pair)
		dst = binary.AppendUvarint(dst, uint64(f.keys[key]))
		dst = appendText(dst, value)
	}
	dst = binary.AppendUvarint(dst, uint64(f.count))
	return append(dst, f.rows...)
}

func appendText(dst []byte, s string) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(s)))
	return append(dst, s...)
}

func textLen(s string) int { return uvarintLen(len(s)) + len(s) }

func uvarintLen(n int) int { return (bits.Len(uint(n)|1) + 6) / 7 }
