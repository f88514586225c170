package memtable

import (
	"math"
	"slices"
	"sort"
)

// Position is the state of one series at one moment: which cells belong to it. It
// is a small value without pointers, so that a query can hold one per series.
type Position struct {
	pos, head, n uint32
}

// late reports whether some point came out of order or with the timestamp of an
// earlier one. Reading such a series sorts.
func (p Position) late() bool { return p.n&lateBit != 0 }

// Snapshot reads the points of positions taken under the same lock. It is a
// value, safe for concurrent use, and stays valid while the table is written to,
// until the table is released.
type Snapshot struct {
	slabs []*slab
}

// Columns receives points: TS[i] and Values[i] are one of them, so both have one
// length. The zero value is ready for use. The caller owns the slices and may take
// or replace them; memory for sorting is kept between calls. Each goroutine uses
// its own.
type Columns struct {
	TS     []int64 // Unix nanoseconds
	Values []float64

	late lateSorter
}

// Reset forgets the points and keeps the memory.
func (c *Columns) Reset() { c.TS, c.Values = c.TS[:0], c.Values[:0] }

// AppendRange appends to dst the points of p with start <= ts <= end: ascending,
// each timestamp once, with the value that arrived last. It allocates only where
// dst is too small.
func (s Snapshot) AppendRange(dst *Columns, p Position, start, end int64) {
	switch {
	case p.n == 0 || start > end:
	case p.late():
		s.appendLate(dst, p, start, end)
	default:
		head, used, count := s.locate(p, start, end)
		ts, values := dst.extend(count)
		s.copyBackwards(ts, values, head, used)
	}
}

// Contains reports whether p has a point with start <= ts <= end. It looks at a
// few cells of a series in order, and at all of one that is late.
func (s Snapshot) Contains(p Position, start, end int64) bool {
	if p.n == 0 || start > end {
		return false
	}
	if !p.late() {
		head, used := s.skipAfter(p, end)
		return head != 0 && s.chunk(head, used)[used-1].ts >= start
	}
	head, used := p.head, p.pos-p.head-1
	for head != 0 {
		for _, c := range s.chunk(head, used) {
			if start <= c.ts && c.ts <= end {
				return true
			}
		}
		head, used = s.before(head)
	}
	return false
}

// header returns the header with the number head.
func (s Snapshot) header(head uint32) cell {
	return s.slabs[head>>slabBits][head&slabMask]
}

// chunk returns the first used cells of the chunk with the header head.
func (s Snapshot) chunk(head, used uint32) []cell {
	i := head&slabMask + 1
	return s.slabs[head>>slabBits][i : i+used]
}

// appendHeads appends the headers of the chunks of p, last first.
func (s Snapshot) appendHeads(heads []uint32, p Position) []uint32 {
	for h := p.head; h != 0; h = s.header(h).prev() {
		heads = append(heads, h)
	}
	return heads
}

// chunkOf returns the cells of p in its chunk with the header head.
func (s Snapshot) chunkOf(p Position, head uint32) []cell {
	if head == p.head {
		return s.chunk(head, p.pos-head-1)
	}
	return s.chunk(head, s.header(head).size())
}

// before returns the chunk before head and its number of cells, or 0, 0. Only
// the tail of a series is ever partly filled.
func (s Snapshot) before(head uint32) (prev, used uint32) {
	prev = s.header(head).prev()
	if prev == 0 {
		return 0, 0
	}
	return prev, s.header(prev).size()
}

// skipAfter returns the last chunk of p, a series in order, that has a point at
// or before end, and how many such points it has; 0, 0 if there is none.
func (s Snapshot) skipAfter(p Position, end int64) (head, used uint32) {
	head, used = p.head, p.pos-p.head-1
	for head != 0 {
		c := s.chunk(head, used)
		if c[0].ts <= end {
			if c[used-1].ts > end {
				used = uint32(sort.Search(len(c), func(i int) bool { return c[i].ts > end }))
			}
			return head, used
		}
		head, used = s.before(head)
	}
	return 0, 0
}

// locate finds the points of p, a series in order, within start and end: the last
// of them is cell used-1 of the chunk head, and there are count.
func (s Snapshot) locate(p Position, start, end int64) (head, used uint32, count int) {
	head, used = s.skipAfter(p, end)
	h, u := head, used
	for h != 0 {
		count += int(u)
		if s.header(h).ts < start {
			c := s.chunk(h, u)
			count -= sort.Search(len(c), func(i int) bool { return c[i].ts >= start })
			break
		}
		h, u = s.before(h)
	}
	return head, used, count
}

// copyBackwards fills ts and values with the points up to cell used-1 of the
// chunk head.
func (s Snapshot) copyBackwards(ts []int64, values []float64, head, used uint32) {
	for k := len(ts); k > 0; {
		m := min(int(used), k)
		c := s.chunk(head, used)[int(used)-m:]
		t, v := ts[k-m:k], values[k-m:k]
		for i := range t {
			t[i], v[i] = c[i].ts, math.Float64frombits(c[i].bits)
		}
		k -= m
		head, used = s.before(head)
	}
}

// extend adds n points to c and returns them for filling.
func (c *Columns) extend(n int) (ts []int64, values []float64) {
	i, j := len(c.TS), len(c.Values)
	c.TS = slices.Grow(c.TS, n)[:i+n]
	c.Values = slices.Grow(c.Values, n)[:j+n]
	return c.TS[i:], c.Values[j:]
}

// shrink drops the last n points.
func (c *Columns) shrink(n int) {
	c.TS, c.Values = c.TS[:len(c.TS)-n], c.Values[:len(c.Values)-n]
}
