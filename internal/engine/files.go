package engine

import (
	"cmp"
	"slices"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/manifest"
)

// run is the files that one flush wrote: all of one seq, disjoint in (series, ts),
// ordered by series and time.
type run struct {
	seq        base.LSN
	start, end int64 // least and greatest time in it
	files      []manifest.Entry
}

// newRun orders files, which it keeps, into a run.
func newRun(seq base.LSN, files []manifest.Entry) *run {
	slices.SortFunc(files, func(a, b manifest.Entry) int {
		return cmp.Or(cmp.Compare(a.SeriesID, b.SeriesID), cmp.Compare(a.StartTS, b.StartTS))
	})
	r := &run{seq: seq, files: files, start: base.MaxTime, end: base.MinTime}
	for i := range files {
		r.start = min(r.start, files[i].StartTS)
		r.end = max(r.end, files[i].EndTS)
	}
	return r
}

// of returns the files of one series that overlap start..end.
func (r *run) of(id base.SeriesID, start, end int64) []manifest.Entry {
	if start > end || r.start > end || r.end < start {
		return nil
	}
	lo, _ := slices.BinarySearchFunc(r.files, id, func(f manifest.Entry, id base.SeriesID) int {
		return cmp.Compare(f.SeriesID, id)
	})
	files := r.files[lo:]
	n := 0
	for n < len(files) && files[n].SeriesID == id {
		n++
	}
	files = files[:n]
	lo, _ = slices.BinarySearchFunc(files, start, func(f manifest.Entry, t int64) int { return cmp.Compare(f.EndTS, t) })
	hi := lo
	for hi < len(files) && files[hi].StartTS <= end {
		hi++
	}
	return files[lo:hi]
}

// fileSet is the files of one moment, as runs in order of seq. It never changes.
type fileSet struct {
	runs []*run
}

// newFileSet groups the live entries of a MANIFEST into runs.
func newFileSet(entries []manifest.Entry) *fileSet {
	bySeq := make(map[base.LSN][]manifest.Entry)
	for _, e := range entries {
		bySeq[e.Seq] = append(bySeq[e.Seq], e)
	}
	s := &fileSet{}
	for seq, files := range bySeq {
		s.runs = append(s.runs, newRun(seq, files))
	}
	slices.SortFunc(s.runs, func(a, b *run) int { return cmp.Compare(a.seq, b.seq) })
	return s
}

// with returns the set with one more run, which is newer than all of s.
func (s *fileSet) with(r *run) *fileSet {
	return &fileSet{runs: append(slices.Clip(s.runs), r)}
}

// sourceFile is a file that a read of one series needs, with its precedence.
type sourceFile struct {
	manifest.Entry
	seq base.LSN
}

// of appends the files of one series that overlap start..end, in order of time.
func (s *fileSet) of(dst []sourceFile, id base.SeriesID, start, end int64) []sourceFile {
	for _, r := range s.runs {
		for _, f := range r.of(id, start, end) {
			dst = append(dst, sourceFile{f, r.seq})
		}
	}
	slices.SortFunc(dst, func(a, b sourceFile) int {
		return cmp.Or(cmp.Compare(a.StartTS, b.StartTS), cmp.Compare(a.seq, b.seq))
	})
	return dst
}
