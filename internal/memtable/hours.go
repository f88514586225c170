package memtable

import (
	"slices"
	"sort"

	"github.com/sydradb/sydradb/internal/base"
)

// AppendHours appends to dst the start of each hour in which p has a point, ascending,
// each once. It copies no points: of a series in order it looks at one line of each
// chunk, of one that is late at every cell.
func (s Snapshot) AppendHours(dst []int64, p Position) []int64 {
	if p.n == 0 {
		return dst
	}
	first := len(dst)
	if !p.late() {
		dst = s.appendHoursBackwards(dst, p)
		slices.Reverse(dst[first:])
		return dst
	}
	dst = s.appendHoursOfAll(dst, p)
	hours := dst[first:]
	slices.Sort(hours)
	return dst[:first+len(slices.Compact(hours))]
}

// appendHoursBackwards is AppendHours for a series in order, but for the order.
func (s Snapshot) appendHoursBackwards(dst []int64, p Position) []int64 {
	hour := int64(base.MaxTime) + 1 // the last one found: points from there on are accounted for
	for head, used := p.head, p.pos-p.head-1; head != 0; head, used = s.before(head) {
		for c := s.chunk(head, used); len(c) > 0 && c[0].ts < hour; {
			if last := c[len(c)-1].ts; last < hour {
				hour = base.BucketStart(last)
				dst = append(dst, hour)
			}
			c = c[:sort.Search(len(c), func(i int) bool { return c[i].ts >= hour })]
		}
	}
	return dst
}

// recentHours is how many hours appendHoursOfAll tells apart without noting one twice.
const recentHours = 16

// appendHoursOfAll is AppendHours for any series, but for order and repetitions.
func (s Snapshot) appendHoursOfAll(dst []int64, p Position) []int64 {
	var recent [recentHours]int64
	for i := range recent {
		recent[i] = noTime
	}
	hour := int64(noTime)
	for head, used := p.head, p.pos-p.head-1; head != 0; head, used = s.before(head) {
		for _, c := range s.chunk(head, used) {
			if uint64(c.ts-hour) < uint64(base.Hour) {
				continue
			}
			hour = base.BucketStart(c.ts)
			if r := &recent[uint64(hour/base.Hour)%recentHours]; *r != hour {
				*r = hour
				dst = append(dst, hour)
			}
		}
	}
	return dst
}
