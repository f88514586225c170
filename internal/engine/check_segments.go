package engine

import (
	"cmp"
	"path"
	"slices"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/fsys"
	"github.com/sydradb/sydradb/internal/manifest"
	"github.com/sydradb/sydradb/internal/segment"
)

// segmentChecker reads segment files, with memory that it uses again.
type segmentChecker struct {
	*checker
	data   []byte
	ts     []int64
	values []float64
	bad    map[string]bool // files that cannot be decoded
}

// checkSegments reads every segment file that is there, and misses those that are not.
func (c *checker) checkSegments() {
	s := segmentChecker{checker: c, bad: make(map[string]bool)}
	found := make(map[string]bool)
	for _, file := range c.segmentFiles() {
		if c.stopped() {
			return
		}
		found[file] = true
		if entry, live := c.state.Entry(file); live {
			s.live(entry)
		} else {
			s.unnamed(file)
		}
	}
	if !c.whole {
		return // a later line may have removed what is missing
	}
	unknown := make(map[base.SeriesID]bool)
	for _, e := range c.state.Live {
		if !found[e.Path] {
			c.find(Damage, e.Path, base.WholeFile, "missing")
			s.bad[e.Path] = true
		}
		if e.Seq > c.state.FlushedLSN {
			c.find(Damage, e.Path, base.WholeFile, "MANIFEST says that it holds records up to %d, but only those up to %d are in files", e.Seq, c.state.FlushedLSN)
		}
		if _, ok := c.catalog.ByID(e.SeriesID); !ok && c.known && !unknown[e.SeriesID] {
			unknown[e.SeriesID] = true
			c.find(Damage, e.Path, base.WholeFile, "its series %x is neither in the catalog nor in the log", uint64(e.SeriesID))
		}
	}
	s.disjoint()
}

// segmentFiles returns all files in directories of segment files, temporary ones apart,
// in order. What else is below segments/ is for checkNames.
func (c *checker) segmentFiles() (files []string) {
	for _, hour := range c.list(base.SegmentsDir) {
		if !isHourDir(hour) {
			continue
		}
		dir := path.Join(base.SegmentsDir, hour.Name)
		for _, f := range c.list(dir) {
			if file := path.Join(dir, f.Name); f.Regular && !base.IsTemp(file) {
				files = append(files, file)
			}
		}
	}
	return files
}

func isHourDir(e fsys.Entry) bool {
	return e.Dir && base.IsSegmentDir(path.Join(base.SegmentsDir, e.Name))
}

// list returns the entries of a directory, none if it cannot be read.
func (c *checker) list(dir string) []fsys.Entry {
	entries, err := c.fs.List(dir)
	c.fault(dir, err)
	return entries
}

// live checks a file that MANIFEST names.
func (s *segmentChecker) live(e manifest.Entry) {
	s.count(e.Path)
	s.report.Segments++
	if err := s.load(e); err != nil {
		s.bad[e.Path] = true
		s.fault(e.Path, err)
		return
	}
	s.report.Points += int64(len(s.ts))
	if h, _, err := segment.DecodeHeader(s.data); err == nil && h.Hour != e.HourBucket {
		s.find(Damage, e.Path, base.WholeFile, "its header has the hour %d, MANIFEST %d", h.Hour, e.HourBucket)
	}
	for i := 1; i < len(s.ts); i++ {
		if s.ts[i] <= s.ts[i-1] {
			s.find(Damage, e.Path, base.WholeFile, "point %d has the same time as the one before it", i)
			return
		}
	}
}

// load reads a live file into s.
func (s *segmentChecker) load(e manifest.Entry) (err error) {
	if s.data, err = segment.Load(s.fs, e, s.data); err != nil {
		return err
	}
	s.ts, s.values, err = segment.AppendColumns(s.ts[:0], s.values[:0], s.data)
	return err
}

// unnamed judges a file that no sound line of MANIFEST names.
func (s *segmentChecker) unnamed(file string) {
	if !s.whole {
		// A line that was lost may name it: at least it should be a segment file.
		s.count(file)
		_, err := segment.ReadAll(s.fs, file)
		s.fault(file, err)
		return
	}
	switch s.state.Fate(file) {
	case manifest.FateRemove:
		s.find(Leftover, file, base.WholeFile, "left by work that was cut short; the next opening removes it")
	case manifest.FateQuarantine:
		s.find(Leftover, file, base.WholeFile, "no line of MANIFEST names it; the next opening moves it to %s/", base.QuarantineDir)
	default:
		s.unknown(file)
	}
}

// disjoint looks for points that two files of one seq have: nothing says which counts.
func (s *segmentChecker) disjoint() {
	live := slices.Clone(s.state.Live)
	slices.SortFunc(live, func(a, b manifest.Entry) int {
		return cmp.Or(cmp.Compare(a.SeriesID, b.SeriesID), cmp.Compare(a.Seq, b.Seq), cmp.Compare(a.StartTS, b.StartTS))
	})
	for i, a := range live {
		for _, b := range live[i+1:] {
			if b.SeriesID != a.SeriesID || b.Seq != a.Seq || b.StartTS > a.EndTS || s.stopped() {
				break
			}
			ts, both, err := s.common(a, b)
			if s.fault(b.Path, err) || !both {
				continue
			}
			s.find(Damage, b.Path, base.WholeFile, "it has a point at %d, as has %s with the same seq %d", ts, a.Path, a.Seq)
		}
	}
}

// common returns a time that both files have, if there is one.
func (s *segmentChecker) common(a, b manifest.Entry) (ts int64, both bool, err error) {
	if s.bad[a.Path] || s.bad[b.Path] {
		return 0, false, nil
	}
	if err := s.load(a); err != nil {
		return 0, false, err
	}
	first := slices.Clone(s.ts)
	if err := s.load(b); err != nil {
		return 0, false, err
	}
	for _, t := range s.ts {
		if _, found := slices.BinarySearch(first, t); found {
			return t, true, nil
		}
	}
	return 0, false, nil
}
