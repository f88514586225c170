package compact

import (
	"cmp"
	"slices"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/manifest"
)

// An hour is merged into one run when it got no write for quietHourMS, the hours of a
// day into its pack when none of them did for quietDayMS. Until then only neighbours of
// similar size are merged, which bounds how often a point is written again.
const (
	quietHourMS = 30 * 60 * 1000
	quietDayMS  = 24 * 60 * 60 * 1000
)

const (
	minTier = 4  // runs that are worth a merge
	maxTier = 32 // runs that one takes at most

	// balance says what is similar: the runs together are at least so many times the
	// largest of them. A point moves into a run at least so much larger, unless it lies
	// in a smaller one than the largest, for which it is even better.
	balance = 3

	// crowdedRuns is the number of runs in an hour from which on any neighbours are
	// merged: sizes that are never similar must not end in writers slowed down.
	crowdedRuns = 16
)

// Policy says what is worth a job now.
type Policy struct {
	// MaxSegmentFiles is the option of that name; below 0 days are not merged.
	MaxSegmentFiles int
	// NowMS is the time, Unix ms. Files from a future further off than the waiting time
	// come from a clock that was wrong; they are quiet.
	NowMS int64
	// All asks for everything, quiet or not, and nothing in several steps.
	All bool
	// Rewrite reports whether a file holds points that are to leave the disk. It must
	// not say so of what a job made of that file. It is asked of files that no other job
	// takes, one at a time; nil for none.
	Rewrite func(*manifest.Entry) bool
	// Claimed reports whether a file is the input of a job that is under way, or cannot
	// be read: nothing that needs it is planned, and what else is due goes on around it.
	// nil for none.
	Claimed func(path string) bool
}

// quiet reports whether the newest data, of wall, is at least waitMS old, or all is
// wanted.
func (p *Policy) quiet(wall, waitMS int64) bool {
	if p.All {
		return true
	}
	low, high := min(wall, p.NowMS), max(wall, p.NowMS)
	return uint64(high)-uint64(low) >= uint64(waitMS)
}

// planner holds what one call of Plan works with.
type planner struct {
	Policy
	live []manifest.Entry
	jobs []Job
}

// Plan returns the jobs to do now, disjoint in their inputs, the most urgent first. An
// hour that still gets writes yields one job for each stretch of neighbours at most:
// plan again when one has begun or ended. Without claims, no job means that nothing is
// left to do by this policy.
//
// It is called after every flush, and is quick: one sort of small values, then work
// only where several runs share a bucket.
func Plan(live []manifest.Entry, policy Policy) []Job {
	p := planner{Policy: policy, live: live}
	eachDay(live, p.day)
	slices.SortStableFunc(p.jobs, func(a, b Job) int {
		return cmp.Or(
			cmp.Compare(a.Kind, b.Kind),
			cmp.Compare(len(b.Inputs), len(a.Inputs)), // many files first
			cmp.Compare(a.Bucket, b.Bucket),
		)
	})
	return p.jobs
}

// day plans one day: wide are the runs of its packs, hours those of its hours.
func (p *planner) day(wide, hours []run) {
	wall := max(lastWall(wide), lastWall(hours))
	if p.MaxSegmentFiles >= 0 && p.quiet(wall, quietDayMS) && (len(hours) > 0 || len(wide) > 1) {
		if !p.anyClaimed(wide) && !p.anyClaimed(hours) {
			runs := slices.Concat(wide, hours)
			p.add(KindDay, base.DayStart(runs[0].bucket), base.Day, runs)
			return
		} // else hour by hour, as far as it can be done
	}
	if p.quiet(lastWall(wide), quietHourMS) {
		p.rewrite(wide)
	}
	for len(hours) > 0 {
		n := 1
		for n < len(hours) && hours[n].bucket == hours[0].bucket {
			n++
		}
		p.hour(wide, hours[:n])
		hours = hours[n:]
	}
}

// hour plans one hour of a day that is not merged as a whole.
func (p *planner) hour(wide, runs []run) {
	whole := p.quiet(lastWall(runs), quietHourMS)
	for len(runs) > 0 {
		n := p.stretch(wide, runs)
		switch {
		case whole && n > 1:
			p.add(KindHour, runs[0].bucket, base.Hour, runs[:n])
		case whole:
			p.rewrite(runs[:n])
		default:
			if i, j := similar(runs[:n]); i < j {
				p.add(KindTier, runs[0].bucket, base.Hour, runs[i:j])
			}
		}
		runs = runs[max(n, 1):]
	}
}

// stretch returns how many of the runs of an hour, from the first on, may be merged with
// one another: none of them is claimed, and no run of the day stands between. Packs of
// a day are older than the hours beside them, unless the days are no longer merged.
func (p *planner) stretch(wide, runs []run) int {
	if len(runs) == 1 {
		return 1 // all that can become of it is a rewrite, which looks at each file
	}
	for n := range runs {
		if p.anyClaimed(runs[n : n+1]) {
			return n
		}
		if n > 0 && slices.ContainsFunc(wide, func(w run) bool {
			return runs[n-1].seq < w.seq && w.seq <= runs[n].seq
		}) {
			return n
		}
	}
	return len(runs)
}

// similar returns the neighbours runs[i:j] that are the best to merge, i = j for none:
// those whose sum is the greatest multiple of the largest.
func similar(runs []run) (i, j int) {
	best := float64(balance)
	if len(runs) >= crowdedRuns {
		best = 0
	}
	for a := range runs {
		var sum, largest float64
		for b := a; b < min(a+maxTier, len(runs)); b++ {
			size := float64(max(runs[b].bytes, 1))
			sum += size
			largest = max(largest, size)
			if b-a+1 >= minTier && sum >= best*largest && (i == j || sum > best*largest) {
				best, i, j = sum/largest, a, b+1
			}
		}
	}
	return i, j
}

// rewrite plans the rewriting of files, per run, that stay what they are otherwise.
func (p *planner) rewrite(runs []run) {
	if p.Rewrite == nil {
		return
	}
	for i := range runs {
		var inputs []manifest.Entry
		for _, f := range runs[i].files {
			e := &p.live[f.index]
			if (p.Claimed == nil || !p.Claimed(e.Path)) && p.Rewrite(e) {
				inputs = append(inputs, *e)
			}
		}
		if len(inputs) > 0 {
			p.jobs = append(p.jobs, newJob(KindRewrite, runs[i].bucket, runs[i].width(), inputs))
		}
	}
}

// add plans the merge of whole runs.
func (p *planner) add(kind Kind, bucket, width int64, runs []run) {
	n := 0
	for i := range runs {
		n += len(runs[i].files)
	}
	inputs := make([]manifest.Entry, 0, n)
	for i := range runs {
		for _, f := range runs[i].files {
			inputs = append(inputs, p.live[f.index])
		}
	}
	p.jobs = append(p.jobs, newJob(kind, bucket, width, inputs))
}

// anyClaimed reports whether a file of the runs is claimed.
func (p *planner) anyClaimed(runs []run) bool {
	if p.Claimed == nil {
		return false
	}
	for i := range runs {
		for _, f := range runs[i].files {
			if p.Claimed(p.live[f.index].Path) {
				return true
			}
		}
	}
	return false
}
