package engine

import (
	"cmp"
	"slices"
	"sync"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/fsys"
	"github.com/sydradb/sydradb/internal/manifest"
	"github.com/sydradb/sydradb/internal/plant"
	"github.com/sydradb/sydradb/internal/retention"
	"github.com/sydradb/sydradb/internal/segment"
)

// packFile is a live pack. What is needed to look series up in it is read when it is
// first asked for, and kept as long as the pack is live.
type packFile struct {
	manifest.Entry

	classes []retention.ClassEnd // for maintenance alone: once found out, not empty

	opened struct {
		sync.Mutex
		pack *segment.Pack
	}
}

// pack returns the open pack.
func (p *packFile) pack(fs fsys.FS) (*segment.Pack, error) {
	p.opened.Lock()
	defer p.opened.Unlock()
	if p.opened.pack == nil {
		pack, err := segment.OpenPack(fs, p.Entry)
		if err != nil {
			return nil, err
		}
		p.opened.pack = pack
	}
	return p.opened.pack, nil
}

// run is the live files of one seq: what one flush wrote, or what merges made of it.
// They are disjoint in (series, ts).
type run struct {
	seq        base.LSN
	start, end int64            // least and greatest time in it
	segments   []manifest.Entry // ordered by series and time
	packs      []*packFile      // ordered by time
}

func compareSegments(a, b manifest.Entry) int {
	return cmp.Or(cmp.Compare(a.SeriesID, b.SeriesID), cmp.Compare(a.StartTS, b.StartTS))
}

func comparePacks(a, b *packFile) int {
	return cmp.Or(cmp.Compare(a.StartTS, b.StartTS), cmp.Compare(a.Path, b.Path))
}

// finish orders the files of r and finds its bounds.
func (r *run) finish() {
	slices.SortFunc(r.segments, compareSegments)
	slices.SortFunc(r.packs, comparePacks)
	r.start, r.end = base.MaxTime, base.MinTime
	for e := range r.entries {
		r.start, r.end = min(r.start, e.StartTS), max(r.end, e.EndTS)
	}
}

// entries yields all files of r. The entries must not be changed.
func (r *run) entries(yield func(*manifest.Entry) bool) {
	for i := range r.segments {
		if !yield(&r.segments[i]) {
			return
		}
	}
	for _, p := range r.packs {
		if !yield(&p.Entry) {
			return
		}
	}
}

// overlaps reports whether the run may have points from start to end.
func (r *run) overlaps(start, end int64) bool {
	return start <= end && r.start <= end && r.end >= start
}

// segmentsOf returns the segment files of one series that overlap start..end.
func (r *run) segmentsOf(id base.SeriesID, start, end int64) []manifest.Entry {
	lo, _ := slices.BinarySearchFunc(r.segments, id, func(f manifest.Entry, id base.SeriesID) int {
		return cmp.Compare(f.SeriesID, id)
	})
	files := r.segments[lo:]
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

// fileSet is the live files of one moment, as runs in order of seq. Its files never
// change. How many read it is counted by fileSets.
type fileSet struct {
	runs []*run

	number  uint64 // of the moment
	readers int    // guarded by fileSets.mu
}

// newFileSet groups the live entries of a MANIFEST into runs.
func newFileSet(entries []manifest.Entry) *fileSet {
	s := &fileSet{}
	return s.with(entries, nil)
}

// with returns the set after an edit: with the files added and without those at the
// paths removed.
func (s *fileSet) with(added []manifest.Entry, removed []string) *fileSet {
	gone := make(map[string]struct{}, len(removed))
	for _, path := range removed {
		gone[path] = struct{}{}
	}
	bySeq := make(map[base.LSN]*run)
	for i := range added {
		e := &added[i]
		r := bySeq[e.Seq]
		if r == nil {
			r = &run{seq: e.Seq}
			bySeq[e.Seq] = r
		}
		if e.IsPack() {
			r.packs = append(r.packs, &packFile{Entry: *e})
		} else {
			r.segments = append(r.segments, *e)
		}
	}
	next := &fileSet{}
	for _, old := range s.runs {
		fresh := bySeq[old.seq]
		if fresh == nil && !old.loses(gone) {
			next.runs = append(next.runs, old)
			continue
		}
		if fresh == nil {
			fresh = &run{seq: old.seq}
			bySeq[old.seq] = fresh
		}
		for i := range old.segments {
			if _, ok := gone[old.segments[i].Path]; !ok {
				fresh.segments = append(fresh.segments, old.segments[i])
			}
		}
		for _, p := range old.packs {
			if _, ok := gone[p.Path]; !ok {
				fresh.packs = append(fresh.packs, p)
			}
		}
	}
	for _, r := range bySeq {
		if len(r.segments)+len(r.packs) > 0 {
			r.finish()
			next.runs = append(next.runs, r)
		}
	}
	slices.SortFunc(next.runs, func(a, b *run) int { return cmp.Compare(a.seq, b.seq) })
	return next
}

// loses reports whether a file of r is among those gone.
func (r *run) loses(gone map[string]struct{}) bool {
	if len(gone) == 0 {
		return false
	}
	for e := range r.entries {
		if _, ok := gone[e.Path]; ok {
			return true
		}
	}
	return false
}

// entries yields all files of the set. They must not be changed.
func (s *fileSet) entries(yield func(*manifest.Entry) bool) {
	for _, r := range s.runs {
		for e := range r.entries {
			if !yield(e) {
				return
			}
		}
	}
}

// fileSets knows which sets of files are being read, so that a file is unlinked only
// when nobody can come across it any more.
type fileSets struct {
	mu     sync.Mutex
	inUse  []*fileSet // oldest first; the last is the current one
	doomed []doomedFiles
	ready  func() // called, without the lock, when doomed files may have become free; may be nil
}

// doomedFiles are files that sets up to the one numbered last hold.
type doomedFiles struct {
	last  uint64
	paths []string
}

// current makes next the set that readers get from now on; removed are the paths that
// it lacks and the set before it had.
func (f *fileSets) current(next *fileSet, removed []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if n := len(f.inUse); n > 0 {
		next.number = f.inUse[n-1].number + 1
	}
	if len(removed) > 0 {
		f.doomed = append(f.doomed, doomedFiles{next.number - 1, removed})
	}
	f.inUse = append(f.inUse, next)
}

// acquire takes note of a reader of s, which was current a moment ago and which the
// caller keeps from being replaced.
func (f *fileSets) acquire(s *fileSet) {
	f.mu.Lock()
	defer f.mu.Unlock()
	s.readers++
}

// release takes note that a reader of s has ended.
func (f *fileSets) release(s *fileSet) {
	f.mu.Lock()
	s.readers--
	free := s.readers == 0 && s != f.inUse[len(f.inUse)-1] && len(f.doomed) > 0
	f.mu.Unlock()
	if free && f.ready != nil {
		f.ready()
	}
}

// free returns the paths that nobody reads any more, each once.
func (f *fileSets) free() (paths []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for n < len(f.inUse)-1 && (f.inUse[n].readers == 0 || plant.Bug(plant.UnlinkInUse)) {
		n++
	}
	f.inUse = slices.Delete(f.inUse, 0, n)
	for len(f.doomed) > 0 && f.doomed[0].last < f.inUse[0].number {
		paths = append(paths, f.doomed[0].paths...)
		f.doomed = f.doomed[1:]
	}
	return paths
}
