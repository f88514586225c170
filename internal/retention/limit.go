package retention

import (
	"cmp"
	"math"
	"slices"

	"github.com/sydradb/sydradb/internal/base"
)

// What one sweep hides at most: points of so many hours, or so large a part of all bytes,
// whichever is more.
const (
	mostHours = 24
	mostPart  = 10 // one tenth
)

// Step is how far one sweep goes.
type Step struct {
	Horizon map[string]int64 // horizons to be written, nil if none moves
	Hours   int              // hours, counted from full ones, of which files hold points that this hides
	Bytes   int64            // an estimate, rather too high, of what those take in the files
	Rest    bool             // the targets lie further: there is more to do in an hour
}

// Limit returns how far one sweep goes from the present horizons towards targets, as
// Targets returned them for the same horizons. The oldest points go first, whatever their
// class. files are all live files, those that the horizons do not reach included: what
// they hold tells how much a tenth is, and a horizon beyond it is only plausible if it is
// near. Points that no file holds yet are not counted. The arguments are not changed.
func Limit(targets, horizons map[string]int64, files []File) Step {
	s := sweep{targets: targets, horizons: horizons, hours: make(map[int64]int64)}
	for i := range files {
		s.count(&files[i])
	}
	limit, step := s.limit()
	step.Horizon = make(map[string]int64, len(targets))
	for class, target := range targets {
		step.Horizon[class] = min(target, max(of(horizons, class), limit))
		step.Rest = step.Rest || step.Horizon[class] < target
	}
	step.Horizon = changes(step.Horizon, horizons)
	return step
}

// sweep adds up what moving all horizons to their targets would hide.
type sweep struct {
	targets, horizons map[string]int64

	hours  map[int64]int64 // bytes that would be hidden, by start of the hour
	newest int64           // last timestamp of any file
	bytes  int64           // of all files
	any    bool            // there are files

	ranges []span // reused
}

// span is a range of time, both ends included.
type span struct{ start, end int64 }

// count adds a file. Its bytes are taken to be spread evenly over its hours, and those of
// an hour to be hidden as soon as a point of it may be.
func (s *sweep) count(f *File) {
	end := f.StartTS
	s.ranges = s.ranges[:0]
	for _, c := range f.Classes {
		end = max(end, c.End)
		hidden := span{max(f.StartTS, of(s.horizons, c.Class)), min(c.End, s.target(c.Class)-1)}
		if hidden.start <= hidden.end {
			s.ranges = append(s.ranges, hidden)
		}
	}
	s.newest = max(end, s.newest)
	if !s.any {
		s.newest, s.any = end, true
	}
	s.bytes += f.Bytes
	first, last := base.BucketStart(f.StartTS), base.BucketStart(end)
	share := f.Bytes/((last-first)/base.Hour+1) + 1
	slices.SortFunc(s.ranges, func(a, b span) int { return cmp.Compare(a.start, b.start) })
	hour := first
	for _, r := range s.ranges {
		for hour = max(hour, base.BucketStart(r.start)); hour <= r.end; hour += base.Hour {
			s.hours[hour] += share
		}
	}
}

// target returns the horizon that a class is to have, its own or that of "".
func (s *sweep) target(class string) int64 {
	if h, ok := s.targets[class]; ok {
		return h
	}
	if _, own := s.horizons[class]; own {
		return s.horizons[class]
	}
	return max(of(s.targets, ""), of(s.horizons, ""))
}

// limit returns the time beyond which no horizon may move, and what that hides.
func (s *sweep) limit() (int64, Step) {
	var step Step
	hours := make([]int64, 0, len(s.hours))
	for hour := range s.hours {
		hours = append(hours, hour)
	}
	slices.Sort(hours)
	for _, hour := range hours {
		more := s.hours[hour]
		if step.Hours >= mostHours && step.Bytes+more > s.bytes/mostPart {
			return hour, step
		}
		step.Hours++
		step.Bytes += more
	}
	// Nothing stands in the way of the targets. A wrong clock may have set them, though,
	// where there is no data to be lost yet: they count as plausible up to the newest
	// point, and beyond it by the hours that are left.
	known, reach := int64(math.MinInt64), s.any
	if s.any {
		known = s.newest + 1
	}
	for class := range s.targets {
		if h := of(s.horizons, class); h > none {
			known, reach = max(known, h), true
		}
	}
	if !reach {
		return none, step
	}
	return known + int64(max(mostHours-step.Hours, 0))*base.Hour, step
}
