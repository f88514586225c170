package engine

import (
	"fmt"
	"path"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/fsys"
	"github.com/sydradb/sydradb/internal/manifest"
	"github.com/sydradb/sydradb/internal/segment"
)

// segmentChecker reads segment files and packs, with memory that it uses again.
type segmentChecker struct {
	*checker
	data      []byte
	ts        []int64
	values    []float64
	decoder   segment.Decoder
	strangers map[base.SeriesID]bool // series of segment files that nothing has introduced
}

// checkSegments reads every segment file and pack that is there, and misses those that
// are not.
func (c *checker) checkSegments() {
	s := segmentChecker{checker: c, strangers: make(map[base.SeriesID]bool)}
	found := make(map[string]bool)
	for _, file := range c.segmentFiles() {
		if c.stopped() {
			return
		}
		found[file] = true
		if entry, live := c.state.Entry(file); live {
			s.live(&entry)
		} else {
			s.unnamed(file)
		}
	}
	if !c.whole {
		return // a later line may have removed what is missing
	}
	for i := range c.state.Live {
		e := &c.state.Live[i]
		if !found[e.Path] {
			c.find(Damage, e.Path, base.WholeFile, "missing")
			c.damage.bad(e.Path)
		}
		if e.Seq > c.state.FlushedLSN {
			c.find(Damage, e.Path, base.WholeFile, "MANIFEST says that it holds records up to %d, but only those up to %d are in files", e.Seq, c.state.FlushedLSN)
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
func (s *segmentChecker) live(e *manifest.Entry) {
	s.count(e.Path)
	s.report.Segments++
	check := s.segment
	if e.IsPack() {
		s.report.Packs++
		check = s.pack
	}
	if err := check(e); err != nil {
		s.damage.bad(e.Path)
		s.fault(e.Path, err)
	}
}

// segment checks a segment file.
func (s *segmentChecker) segment(e *manifest.Entry) error {
	if err := s.load(e); err != nil {
		return err
	}
	s.report.Points += int64(len(s.ts))
	if !s.isKnown(e.SeriesID) && !s.strangers[e.SeriesID] {
		s.strangers[e.SeriesID] = true
		s.damage.strangers = true
		s.find(Damage, e.Path, base.WholeFile, "its series %x is neither in the catalog nor in the log", uint64(e.SeriesID))
	}
	h, _, err := segment.DecodeHeader(s.data)
	if err != nil {
		return err
	}
	if h.Hour != e.HourBucket {
		return whole(e.Path, fmt.Errorf("its header has the hour %d, MANIFEST %d", h.Hour, e.HourBucket))
	}
	for i := 1; i < len(s.ts); i++ {
		if s.ts[i] <= s.ts[i-1] {
			return whole(e.Path, fmt.Errorf("point %d has the same time as the one before it", i))
		}
	}
	return nil
}

// pack checks a pack.
func (s *segmentChecker) pack(e *manifest.Entry) error {
	strangers, first := 0, base.SeriesID(0)
	err := segment.VerifyPack(s.fs, *e, func(p *segment.PackSeries, _ []int64) error {
		if !s.isKnown(p.ID) {
			if strangers++; strangers == 1 {
				first = p.ID
			}
		}
		return s.ctx.Err()
	})
	if err != nil {
		return err
	}
	s.report.Points += int64(e.Count)
	if strangers > 0 {
		s.damage.strangers = true
		s.find(Damage, e.Path, base.WholeFile, "%d of its series, one of them %x, are neither in the catalog nor in the log", strangers, uint64(first))
	}
	return nil
}

// isKnown reports whether a series may exist.
func (s *segmentChecker) isKnown(id base.SeriesID) bool {
	_, ok := s.catalog.ByID(id)
	return ok || !s.known
}

// whole returns the error for damage that has no place in a file.
func whole(file string, err error) error {
	return &base.CorruptionError{File: file, Offset: base.WholeFile, Err: err}
}

// load reads a live segment file into s.
func (s *segmentChecker) load(e *manifest.Entry) (err error) {
	if s.data, err = segment.Load(s.fs, *e, s.data); err != nil {
		return err
	}
	s.ts, s.values, err = s.decoder.AppendColumns(s.ts[:0], s.values[:0], s.data)
	return err
}

// unnamed judges a file that no sound line of MANIFEST names.
func (s *segmentChecker) unnamed(file string) {
	if !s.whole {
		// A line that was lost may name it: at least it should be sound in itself. Without
		// its hash, what is damaged in it may look like what a newer version writes.
		newer := s.damage.newer
		s.count(file)
		s.fault(file, s.verifyUnnamed(file))
		s.damage.newer = newer
		return
	}
	s.leftover(file, s.state.Fate(file))
}

func (s *segmentChecker) verifyUnnamed(file string) error {
	if !base.IsPackFile(file) {
		_, err := segment.ReadAll(s.fs, file)
		return err
	}
	e, err := segment.DescribePack(s.fs, file)
	if err == nil {
		err = segment.VerifyPack(s.fs, e, func(*segment.PackSeries, []int64) error { return s.ctx.Err() })
	}
	return err
}

// leftover files what becomes of a file that MANIFEST does not name.
func (c *checker) leftover(file string, fate manifest.Fate) {
	switch fate {
	case manifest.FateRemove:
		c.find(Leftover, file, base.WholeFile, "left by work that was cut short; the next opening removes it")
	case manifest.FateQuarantine:
		c.find(Leftover, file, base.WholeFile, "no line of MANIFEST names it; the next opening moves it to %s/", base.QuarantineDir)
	default:
		c.unknown(file)
	}
}
