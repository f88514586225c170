package tombstone

import (
	"cmp"
	"slices"
	"sort"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/plant"
)

// Tombstone is what one Delete hides: of the series IDs the points from Start to End
// that records before LSN wrote. In a List it does not change: when its File becomes
// known, a copy takes its place.
type Tombstone struct {
	LSN        base.LSN        // of the Delete record
	Start, End int64           // Unix nanoseconds, both inclusive
	IDs        []base.SeriesID // strictly ascending
	File       File            // zero until the tombstone has been written
}

// Covers reports whether t hides points of the series id.
func (t *Tombstone) Covers(id base.SeriesID) bool {
	_, found := slices.BinarySearch(t.IDs, id)
	return found
}

// Hides reports whether t hides points between start and end, both inclusive, of a
// source in the place seq of write order, if the series is one of IDs.
func (t *Tombstone) Hides(seq base.LSN, start, end int64) bool {
	return t.LSN > seq && t.Start <= end && start <= t.End
}

// List holds the tombstones of one moment, by ascending LSN. It is never changed: With
// and Without make new ones. nil is the empty list.
type List []*Tombstone

// With returns a list that holds t as well, in place of a tombstone with the same LSN if
// there is one.
func (l List) With(t *Tombstone) List {
	i, found := l.find(t.LSN)
	out := make(List, 0, len(l)+1)
	out = append(append(out, l[:i]...), t)
	if found {
		i++
	}
	return append(out, l[i:]...)
}

// Replaced returns a list with the tombstones ts, ascending, in place of those that have
// their LSNs; others of ts are passed over. It is With for many at a time.
func (l List) Replaced(ts []*Tombstone) List {
	out := slices.Clone(l)
	for i := range out {
		for len(ts) > 0 && ts[0].LSN < out[i].LSN {
			ts = ts[1:]
		}
		if len(ts) > 0 && ts[0].LSN == out[i].LSN {
			out[i] = ts[0]
		}
	}
	return out
}

// Without returns a list of those for which gone is false.
func (l List) Without(gone func(*Tombstone) bool) List {
	return slices.DeleteFunc(slices.Clone(l), gone)
}

// find returns the index of the first tombstone at or above lsn, and whether it is at.
func (l List) find(lsn base.LSN) (int, bool) {
	return slices.BinarySearchFunc(l, lsn, func(t *Tombstone, lsn base.LSN) int { return cmp.Compare(t.LSN, lsn) })
}

// Range is a range of time, both ends inclusive, in Unix nanoseconds.
type Range struct{ Start, End int64 }

// Touches reports whether a tombstone hides points between start and end of any series
// in a source in the place seq.
func (l List) Touches(seq base.LSN, start, end int64) bool {
	i, _ := l.find(seq + 1)
	return slices.ContainsFunc(l[i:], func(t *Tombstone) bool { return t.Hides(seq, start, end) })
}

// For appends to dst the ranges in which points of the series id are hidden, if they
// come from a source in the place seq of write order: those of the tombstones above seq
// that overlap start to end, uncut, ascending, neighbours and overlapping ones made one.
// None means that all of the source between start and end is seen. It allocates only
// where dst is too small.
func (l List) For(dst []Range, id base.SeriesID, seq base.LSN, start, end int64) []Range {
	if plant.Bug(plant.LSNIgnored) {
		seq = 0
	}
	i, _ := l.find(seq + 1)
	first := len(dst)
	for _, t := range l[i:] {
		if t.Hides(seq, start, end) && t.Covers(id) {
			dst = append(dst, Range{t.Start, t.End})
		}
	}
	return dst[:first+union(dst[first:])]
}

// union orders ranges, makes one of those that overlap or follow each other without a
// gap, in place, and returns how many are left.
func union(ranges []Range) int {
	if len(ranges) < 2 {
		return len(ranges)
	}
	slices.SortFunc(ranges, func(a, b Range) int { return cmp.Compare(a.Start, b.Start) })
	last := 0
	for _, r := range ranges[1:] {
		// The second comparison is made only where r.Start has a number before it.
		if end := ranges[last].End; r.Start <= end || r.Start-1 == end {
			ranges[last].End = max(ranges[last].End, r.End)
			continue
		}
		last++
		ranges[last] = r
	}
	return last + 1
}

// Hide takes the points within ranges, as For makes them, out of ascending columns. It
// works in place and returns what is left.
func Hide(ts []int64, values []float64, ranges []Range) ([]int64, []float64) {
	kept, next := 0, 0 // points before next are dealt with, kept of them stay
	for _, r := range ranges {
		from := next + sort.Search(len(ts)-next, func(i int) bool { return ts[next+i] >= r.Start })
		kept = move(ts, values, kept, next, from)
		next = from + sort.Search(len(ts)-from, func(i int) bool { return ts[from+i] > r.End })
	}
	kept = move(ts, values, kept, next, len(ts))
	return ts[:kept], values[:kept]
}

// move puts the points from offset to limit behind the first kept ones and returns how
// many these are now.
func move(ts []int64, values []float64, kept, offset, limit int) int {
	if kept != offset {
		copy(ts[kept:], ts[offset:limit])
		copy(values[kept:], values[offset:limit])
	}
	return kept + limit - offset
}
