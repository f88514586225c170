package retention

import (
	"cmp"
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
	Rest    bool             // it stopped short of data that the targets would hide
}

// Limit returns how far one sweep goes from the present horizons towards targets, as
// Targets returned them for the same horizons. The oldest points go first, whatever their
// class. files are all live files, those that the horizons do not reach included: they
// tell how much a tenth is, and no horizon moves beyond the newest point in them. Points
// that no file holds yet are not counted. The arguments are not changed.
func Limit(targets, horizons map[string]int64, files []File) Step {
	s := sweep{targets: targets, horizons: horizons, hours: make(map[int64]int64), beyond: none}
	for i := range files {
		s.count(&files[i])
	}
	limit, step := s.limit()
	step.Horizon = make(map[string]int64, len(targets))
	for class, target := range targets {
		step.Horizon[class] = min(target, max(of(horizons, class), limit))
	}
	step.Horizon = changes(step.Horizon, horizons)
	return step
}

// sweep adds up what moving all horizons to their targets would hide.
type sweep struct {
	targets, horizons map[string]int64

	hours  map[int64]int64 // bytes that would be hidden, by start of the hour
	beyond int64           // just behind the last timestamp of any file
	bytes  int64           // of all files

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
	s.beyond = max(end+1, s.beyond)
	s.bytes += f.Bytes
	first, last := base.BucketStart(f.StartTS), base.BucketStart(end)
	hours := (last-first)/base.Hour + 1
	share := (f.Bytes + hours - 1) / hours
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
			step.Rest = true
			return hour, step
		}
		step.Hours++
		step.Bytes += more
	}
	// No data stands in the way of the targets, but a wrong clock may have set them: they
	// count up to the newest point.
	return s.beyond, step
}
