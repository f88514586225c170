package memtable

import (
	"math"
	"slices"
)

// lateSorter holds the memory for reading series that are late.
type lateSorter struct {
	heads []uint32 // headers of the chunks, last first
	rest  []cell   // the points that did not rise above all before them
	tmp   []cell   // the other half of sorting rest
	runs  []int    // where the sorted stretches of rest end
}

// appendLate is AppendRange for a series whose points came out of order. The
// points that rise above all before them, the run, are ascending as they are and
// go to dst at once; only the rest is sorted and then merged in.
func (s Snapshot) appendLate(dst *Columns, p Position, start, end int64) {
	first := len(dst.TS)
	s.split(dst, p, start, end)
	l := &dst.late
	if len(l.rest) == 0 {
		return
	}
	l.sort()
	l.rest = lastOfEach(l.rest)
	dst.merge(first, l.rest)
}

// split appends to dst the run of p between start and end, and makes the rest
// between them dst.late.rest, in order of arrival.
func (s Snapshot) split(dst *Columns, p Position, start, end int64) {
	l := &dst.late
	l.heads, l.rest = s.appendHeads(l.heads[:0], p), l.rest[:0]
	top := int64(noTime)
	for _, h := range slices.Backward(l.heads) {
		top = dst.splitCells(s.chunkOf(p, h), top, start, end)
	}
}

// splitCells is split for one chunk: its points rise above top, or join the rest. It
// returns the new top.
func (c *Columns) splitCells(cells []cell, top, start, end int64) int64 {
	ts, values := c.extend(len(cells))
	k, rest := 0, c.late.rest
	for _, p := range cells {
		switch {
		case p.ts < start || p.ts > end:
		case p.ts > top:
			top = p.ts
			ts[k], values[k] = p.ts, math.Float64frombits(p.bits)
			k++
		default:
			rest = append(rest, p)
		}
	}
	c.late.rest = rest
	c.shrink(len(ts) - k)
	return top
}

// merge puts rest, ascending without equals, into the ascending points of c from
// index first on. Of two with one timestamp that of rest stays: a point joins the
// rest only if the run has reached its timestamp, so it came later.
func (c *Columns) merge(first int, rest []cell) {
	i := len(c.TS) - 1
	c.extend(len(rest))
	ts, values := c.TS, c.Values
	// Backwards and in place, until rest is used up: what is before is as it was.
	k := len(ts)
	for j := len(rest) - 1; j >= 0; j-- {
		r := rest[j]
		for i >= first && ts[i] > r.ts {
			k--
			ts[k], values[k] = ts[i], values[i]
			i--
		}
		if i >= first && ts[i] == r.ts {
			i--
		}
		k--
		ts[k], values[k] = r.ts, math.Float64frombits(r.bits)
	}
	// Each point that was replaced has left a gap before what was moved.
	if gap := k - (i + 1); gap > 0 {
		copy(ts[i+1:], ts[k:])
		copy(values[i+1:], values[k:])
		c.shrink(gap)
	}
}

// lastOfEach keeps, of each group of cells with one timestamp, the last. It works
// in place on cells in order.
func lastOfEach(cells []cell) []cell {
	k := 0
	for i := range cells {
		if i+1 < len(cells) && cells[i+1].ts == cells[i].ts {
			continue
		}
		cells[k] = cells[i]
		k++
	}
	return cells[:k]
}
