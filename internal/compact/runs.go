package compact

import (
	"cmp"
	"math"
	"slices"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/manifest"
)

// file is what grouping needs of a live entry, and where the rest is.
type file struct {
	bucket int64
	seq    base.LSN
	index  int32 // in the live entries
	wide   bool  // the bucket is a day
}

// run is the live files of one bucket with one seq.
type run struct {
	files      []file
	bucket     int64
	seq        base.LSN
	wide       bool
	wall       int64 // highest of the files
	bytes      int64 // sum of the files
	start, end int64 // what they span
}

// width returns the width of the run's bucket.
func (r *run) width() int64 {
	if r.wide {
		return base.Day
	}
	return base.Hour
}

// lastWall returns the highest wall of the runs.
func lastWall(runs []run) int64 {
	wall := int64(math.MinInt64)
	for i := range runs {
		wall = max(wall, runs[i].wall)
	}
	return wall
}

// eachDay calls fn for each day that has live files, in ascending order, with the runs
// of its packs, ascending in seq, and those of its hours, ascending in hour and seq.
// Files of one run stand in the order of live. The slices are used again for the next
// day.
func eachDay(live []manifest.Entry, fn func(wide, hours []run)) {
	files := make([]file, len(live))
	for i := range live {
		e := &live[i]
		files[i] = file{bucket: e.HourBucket, seq: e.Seq, index: int32(i), wide: e.BucketWidth() == base.Day}
	}
	// The pack of a day and its first hour begin together; the pack stands first, so
	// that the files of a day are neighbours.
	slices.SortFunc(files, func(a, b file) int {
		switch {
		case a.bucket != b.bucket:
			return cmp.Compare(a.bucket, b.bucket)
		case a.wide != b.wide:
			if a.wide {
				return -1
			}
			return 1
		case a.seq != b.seq:
			return cmp.Compare(a.seq, b.seq)
		}
		return cmp.Compare(a.index, b.index)
	})
	var runs []run
	for len(files) > 0 {
		day := base.DayStart(files[0].bucket)
		runs = runs[:0]
		wide := 0
		for len(files) > 0 && base.DayStart(files[0].bucket) == day {
			r := firstRun(live, files)
			if r.wide {
				wide++
			}
			runs = append(runs, r)
			files = files[len(r.files):]
		}
		fn(runs[:wide:wide], runs[wide:])
	}
}

// firstRun returns the run that files, sorted, begin with.
func firstRun(live []manifest.Entry, files []file) run {
	first := files[0]
	r := run{
		bucket: first.bucket, seq: first.seq, wide: first.wide,
		wall: math.MinInt64, start: math.MaxInt64, end: math.MinInt64,
	}
	n := 0
	for ; n < len(files) && files[n].bucket == r.bucket && files[n].seq == r.seq && files[n].wide == r.wide; n++ {
		e := &live[files[n].index]
		r.wall = max(r.wall, e.Wall)
		r.bytes += e.Bytes
		r.start, r.end = min(r.start, e.StartTS), max(r.end, e.EndTS)
	}
	r.files = files[:n:n]
	return r
}

// Crowding returns the greatest number of runs that overlap one another in time: what a
// read of one moment has to look at, at worst. The engine slows writers down when
// merging falls too far behind.
func Crowding(live []manifest.Entry) int {
	most := 0
	var starts, ends []int64
	eachDay(live, func(wide, hours []run) {
		if len(wide)+len(hours) <= most {
			return
		}
		starts, ends = starts[:0], ends[:0]
		for _, runs := range [2][]run{wide, hours} {
			for i := range runs {
				starts = append(starts, runs[i].start)
				ends = append(ends, runs[i].end)
			}
		}
		slices.Sort(starts)
		slices.Sort(ends)
		// At the start of a run, those before it are open but for the ended ones. Both
		// ends belong to a run: one that ends where another starts overlaps it.
		ended := 0
		for i, start := range starts {
			for ends[ended] < start {
				ended++
			}
			most = max(most, i+1-ended)
		}
	})
	return most
}
