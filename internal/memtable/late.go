package memtable

import (
	"math"
	"sort"
)

// lateSorter holds the memory for reading series that are late.
type lateSorter struct {
	run  []cell // the points that came after all before them, ascending
	rest []cell // the others
	tmp  []cell
}

// appendLate is AppendRange for a series whose points came out of order. The
// points that rise above all before them are ascending as they are; only the rest
// is sorted, and the two are merged. A point of the rest always came after the
// point of the run with its timestamp, so it is the one that counts.
func (s Snapshot) appendLate(dst *Columns, p Position, start, end int64) {
	l := &dst.late
	l.gather(s, p)
	l.split(start, end)
	l.tmp = sortStable(l.rest, l.tmp)
	l.rest = lastOfEach(l.rest)
	l.merge(dst)
}

// gather copies all points of p into run, in order of arrival.
func (l *lateSorter) gather(s Snapshot, p Position) {
	k := p.Count()
	l.run = resize(l.run, k)
	head, used := p.head, p.pos-p.head-1
	for head != 0 {
		k -= copy(l.run[k-int(used):k], s.chunk(head, used))
		head, used = s.before(head)
	}
}

// split drops what lies outside start and end and moves what does not rise above
// all before it from run to rest.
func (l *lateSorter) split(start, end int64) {
	l.rest = resize(l.rest, len(l.run))
	top := int64(noTime)
	run, rest := 0, 0
	for _, c := range l.run {
		if c.ts < start || c.ts > end {
			continue
		}
		if c.ts > top {
			top = c.ts
			l.run[run] = c
			run++
		} else {
			l.rest[rest] = c
			rest++
		}
	}
	l.run, l.rest = l.run[:run], l.rest[:rest]
}

// merge appends run and rest, both ascending without equals, to dst. Of two equal
// timestamps that of rest is kept.
func (l *lateSorter) merge(dst *Columns) {
	run, rest := l.run, l.rest
	ts, values := dst.extend(len(run) + len(rest))
	k := 0
	for len(rest) > 0 {
		next := rest[0]
		// Late points are few: most of run goes in stretches between two of them.
		n := 0
		for n < len(run) && run[n].ts < next.ts {
			ts[k+n], values[k+n] = run[n].ts, math.Float64frombits(run[n].bits)
			n++
		}
		k += n
		run = run[n:]
		if len(run) > 0 && run[0].ts == next.ts {
			run = run[1:]
		}
		ts[k], values[k] = next.ts, math.Float64frombits(next.bits)
		k++
		rest = rest[1:]
	}
	for i := range run {
		ts[k+i], values[k+i] = run[i].ts, math.Float64frombits(run[i].bits)
	}
	k += len(run)
	dst.TS = dst.TS[:len(dst.TS)-len(ts)+k]
	dst.Values = dst.Values[:len(dst.Values)-len(values)+k]
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

func sortStable(cells, tmp []cell) []cell {
	sort.SliceStable(cells, func(i, j int) bool { return cells[i].ts < cells[j].ts })
	return tmp
}

// resize returns a slice of n cells with any contents, in the memory of s if it
// is large enough.
func resize(s []cell, n int) []cell {
	if cap(s) < n {
		return make([]cell, n, n+n/4)
	}
	return s[:n]
}
