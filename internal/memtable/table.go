package memtable

import (
	"iter"
	"math"

	"github.com/sydradb/sydradb/internal/base"
)

// MaxBytes is the size at which a table must be replaced, whatever limit is
// configured: cell numbers are 32 bits wide. A batch may take a table past it.
const MaxBytes = int64(maxSlabs) * slabBytes / 2

const (
	pageBits   = 10
	pageSeries = 1 << pageBits
	pageMask   = pageSeries - 1
)

// series is the state of one series: where its next point goes.
type series struct {
	pos  uint32 // number of the next cell
	end  uint32 // pos at which the tail chunk is full; both 0 without a chunk
	head uint32 // number of the header of the tail chunk
	n    uint32 // points, and lateBit
}

// lateBit in series.n says that some point did not come after the one before it.
const lateBit = 1 << 31

type page [pageSeries]series

// Table holds points by series and order of arrival. See the package comment for
// what may run at the same time.
type Table struct {
	free  *Slabs
	slabs []*slab
	pages []*page // by ordinal; nil where no series of the page ever had a point

	next  uint32 // number of the first cell not given to a chunk
	limit uint32 // number behind the last cell of the newest slab

	cells       int64 // given to chunks
	left        int64 // of these, what Delete has left behind
	points      int
	seriesCount int

	heads []uint32 // reused by Delete
}

// New returns an empty table that takes its memory from free. It allocates
// nothing before the first point.
func New(free *Slabs) *Table { return &Table{free: free} }

// Apply adds rows in their order, which is that in which later points replace
// earlier ones. Rows are copied. Timestamps may come in any order and must be
// within base.MinTime and base.MaxTime; ordinals are dense, since memory is taken
// for every range of 1,024 of them that has a point. The table must be smaller
// than MaxBytes.
func (t *Table) Apply(rows []base.Row) {
	pages, slabs := t.pages, t.slabs
	for i := range rows {
		r := &rows[i]
		var s *series
		if p := int(r.Ordinal >> pageBits); p < len(pages) && pages[p] != nil {
			s = &pages[p][r.Ordinal&pageMask]
		} else {
			s = t.newPage(r.Ordinal)
			pages = t.pages
		}
		if s.pos == s.end {
			t.newChunk(s)
			slabs = t.slabs
		}
		b := slabs[s.pos>>slabBits]
		if b[(s.pos-1)&slabMask].ts >= r.TS {
			s.n |= lateBit
		}
		c := &b[s.pos&slabMask]
		c.ts, c.bits = r.TS, math.Float64bits(r.Value)
		s.pos++
		s.n++
	}
	t.points += len(rows)
}

// newPage makes the page that holds o and returns the state of o in it.
func (t *Table) newPage(o base.Ordinal) *series {
	p := int(o >> pageBits)
	for len(t.pages) <= p {
		t.pages = append(t.pages, nil)
	}
	t.pages[p] = new(page)
	return &t.pages[p][o&pageMask]
}

// newChunk gives s room for at least one point.
func (t *Table) newChunk(s *series) {
	n := s.n &^ lateBit
	size := chunkCells(n)
	if t.limit-t.next < 1+size {
		t.newSlab()
	}
	last := int64(noTime)
	if n > 0 {
		last = t.slabs[(s.pos-1)>>slabBits][(s.pos-1)&slabMask].ts
	} else {
		t.seriesCount++
	}
	head := t.next
	t.slabs[head>>slabBits][head&slabMask] = headerCell(last, s.head, size)
	s.head, s.pos, s.end = head, head+1, head+1+size
	t.next += 1 + size
	t.cells += int64(1 + size)
}

// newSlab adds a slab and leaves what is left of the one before unused: at most
// 63 of its 65,536 cells.
func (t *Table) newSlab() {
	if len(t.slabs) == maxSlabs {
		panic("memtable: a table was written to far beyond MaxBytes")
	}
	t.next = uint32(len(t.slabs)) << slabBits
	t.limit = t.next + slabCells
	if t.next == 0 {
		t.next = reservedCells
	}
	t.slabs = append(t.slabs, t.free.get())
}

// Bytes returns the size of the cells given to series, their unused ends and those
// that Delete left behind included, which are hardly ever more than the others. A limit on
// a table is a limit on this.
func (t *Table) Bytes() int64 { return t.cells * cellBytes }

// Points returns how many rows were applied, less those that Delete removed. Rows
// replaced by later ones count.
func (t *Table) Points() int { return t.points }

// SeriesCount returns how many series have a point.
func (t *Table) SeriesCount() int { return t.seriesCount }

// Position returns what the table holds of o now; false means no point.
func (t *Table) Position(o base.Ordinal) (Position, bool) {
	p := int(o >> pageBits)
	if p >= len(t.pages) || t.pages[p] == nil {
		return Position{}, false
	}
	s := &t.pages[p][o&pageMask]
	return Position{pos: s.pos, head: s.head, n: s.n}, s.n != 0
}

// Ordinals yields every series that has a point, by ascending ordinal, with what
// the table holds of it. The caller keeps writers away until it has ended.
func (t *Table) Ordinals() iter.Seq2[base.Ordinal, Position] {
	return func(yield func(base.Ordinal, Position) bool) {
		for i, p := range t.pages {
			if p == nil {
				continue
			}
			for j := range p {
				s := &p[j]
				if s.n == 0 {
					continue
				}
				if !yield(base.Ordinal(i<<pageBits|j), Position{pos: s.pos, head: s.head, n: s.n}) {
					return
				}
			}
		}
	}
}

// Snapshot returns what is needed to read positions taken under the same lock. It
// is a small value and allocates nothing.
func (t *Table) Snapshot() Snapshot { return Snapshot{slabs: t.slabs} }

// Release empties the table and gives its memory to the next one. No reader of a
// Snapshot of this table may be left, and none of its Snapshots may be used again.
func (t *Table) Release() {
	t.free.put(t.slabs)
	*t = Table{free: t.free}
}
