package memtable

import (
	"iter"
	"slices"

	"github.com/sydradb/sydradb/internal/base"
)

// emptied stands in series.pos and series.end of a series that has lost its last
// point: its tail is full, so that the next point gets a chunk, and it is not
// forgotten. The number is that of a cell which no chunk ever gets.
const emptied = 1

// leastLeft is how many cells must have been left behind, 4 MiB of them, before all others
// move. It keeps small tables from moving with every Delete.
const leastLeft = 4 * slabCells

// Delete takes the points of o with start <= ts <= end out of the table, those that
// later ones have replaced included, and returns how many they were.
//
// From the first chunk that loses a point on, the points that stay are copied to new
// chunks; those before are kept, and no cell changes. So Positions taken earlier stand
// for what they stood for. The cells left behind count in Bytes, at which the caller looks
// afterwards, as after Apply, until they are more than the others: then what the table
// holds moves to new slabs, and the old ones are left to those who still read them.
func (t *Table) Delete(o base.Ordinal, start, end int64) (removed int) {
	p, ok := t.Position(o)
	old := t.Snapshot()
	if !ok || !old.Contains(p, start, end) {
		return 0
	}
	t.heads = old.appendHeads(t.heads[:0], p)
	s := &t.pages[o>>pageBits][o&pageMask]
	*s = series{}
	seriesCount := t.seriesCount
	for _, h := range slices.Backward(t.heads) {
		cells := old.chunkOf(p, h)
		if removed == 0 && !anyWithin(cells, start, end) {
			s.keep(h, cells, old.header(h).ts)
			continue
		}
		t.left += int64(1 + old.header(h).size())
		for _, c := range cells {
			if start <= c.ts && c.ts <= end {
				removed++
			} else {
				t.add(s, c)
			}
		}
	}
	t.points -= removed
	t.seriesCount = seriesCount
	if s.n == 0 {
		t.seriesCount--
		s.pos, s.end = emptied, emptied
	}
	if t.left > max(t.cells/2, leastLeft) {
		t.repack()
	}
	return removed
}

// repack moves all points to new slabs, without the cells that Delete has left behind.
// The old slabs are not given to another table: Snapshots may have them.
func (t *Table) repack() {
	old, seriesCount := t.Snapshot(), t.seriesCount
	t.slabs, t.next, t.limit, t.cells, t.left = nil, 0, 0, 0, 0
	for _, p := range t.pages {
		if p == nil {
			continue
		}
		for i := range p {
			s := &p[i]
			if s.n == 0 {
				continue
			}
			from := Position{pos: s.pos, head: s.head, n: s.n}
			t.heads = old.appendHeads(t.heads[:0], from)
			*s = series{}
			for _, h := range slices.Backward(t.heads) {
				for _, c := range old.chunkOf(from, h) {
					t.add(s, c)
				}
			}
		}
	}
	t.seriesCount = seriesCount
}

// anyWithin reports whether a cell has start <= ts <= end.
func anyWithin(cells []cell, start, end int64) bool {
	return slices.ContainsFunc(cells, func(c cell) bool { return start <= c.ts && c.ts <= end })
}

// keep makes a full chunk the tail of s again: that with the header head and these
// cells, which stand behind a point of the time last.
func (s *series) keep(head uint32, cells []cell, last int64) {
	n := uint32(len(cells))
	s.head, s.pos, s.end = head, head+1+n, head+1+n
	s.n += n
	for _, c := range cells {
		if c.ts <= last {
			s.n |= lateBit
		}
		last = c.ts
	}
}

// add is Apply for one point that was in the table before.
func (t *Table) add(s *series, c cell) {
	if s.pos == s.end {
		t.newChunk(s)
	}
	b := t.slabs[s.pos>>slabBits]
	if b[(s.pos-1)&slabMask].ts >= c.ts {
		s.n |= lateBit
	}
	b[s.pos&slabMask] = c
	s.pos++
	s.n++
}

// Names reports whether o has or had a point in the table: Delete makes a series empty,
// only Release makes it forgotten.
func (t *Table) Names(o base.Ordinal) bool {
	p := int(o >> pageBits)
	return p < len(t.pages) && t.pages[p] != nil && t.pages[p][o&pageMask].end != 0
}

// Named yields every series that Names reports, by ascending ordinal. The caller keeps
// writers away until it has ended.
func (t *Table) Named() iter.Seq[base.Ordinal] {
	return func(yield func(base.Ordinal) bool) {
		for i, p := range t.pages {
			if p == nil {
				continue
			}
			for j := range p {
				if p[j].end != 0 && !yield(base.Ordinal(i<<pageBits|j)) {
					return
				}
			}
		}
	}
}
