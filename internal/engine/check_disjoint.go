package engine

import (
	"cmp"
	"errors"
	"slices"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/fsys"
	"github.com/sydradb/sydradb/internal/manifest"
	"github.com/sydradb/sydradb/internal/segment"
)

// disjoint looks for points that two files of one seq have: nothing says which counts.
// Only what overlaps in time is read again, and of packs only the index, unless a series
// is in both.
func (s *segmentChecker) disjoint() {
	var sound []*manifest.Entry
	for i := range s.state.Live {
		if e := &s.state.Live[i]; !s.damage.files[e.Path] {
			sound = append(sound, e)
		}
	}
	// Of one seq, packs come first; segment files follow by series.
	slices.SortFunc(sound, func(a, b *manifest.Entry) int {
		return cmp.Or(cmp.Compare(a.Seq, b.Seq), cmp.Compare(kindOf(a), kindOf(b)),
			cmp.Compare(a.SeriesID, b.SeriesID), cmp.Compare(a.StartTS, b.StartTS))
	})
	for from := 0; from < len(sound) && !s.stopped(); {
		to := from + 1
		for to < len(sound) && sound[to].Seq == sound[from].Seq {
			to++
		}
		s.disjointRun(sound[from:to])
		from = to
	}
}

func kindOf(e *manifest.Entry) int {
	if e.IsPack() {
		return 0
	}
	return 1
}

// disjointRun compares files of one seq, in the order that disjoint gives them.
func (s *segmentChecker) disjointRun(files []*manifest.Entry) {
	for i, a := range files {
		switch {
		case s.stopped():
			return
		case a.IsPack():
			s.fault(a.Path, s.comparePack(a, files[i+1:]))
			continue
		}
		for _, b := range files[i+1:] {
			if b.SeriesID != a.SeriesID || b.StartTS > a.EndTS {
				break
			}
			if !s.fault(b.Path, s.load(a)) {
				first := slices.Clone(s.ts)
				if !s.fault(b.Path, s.load(b)) {
					s.compareTimes(a, b, first, s.ts)
				}
			}
		}
	}
}

// compareTimes files a time that two files have of one series, if there is one.
func (s *segmentChecker) compareTimes(a, b *manifest.Entry, first, second []int64) (found bool) {
	for len(first) > 0 && len(second) > 0 {
		switch {
		case first[0] < second[0]:
			first = first[1:]
		case first[0] > second[0]:
			second = second[1:]
		default:
			s.find(Damage, b.Path, base.WholeFile, "it has a point at %d, as has %s with the same seq %d", first[0], a.Path, a.Seq)
			s.damage.twins = append(s.damage.twins, [2]manifest.Entry{*a, *b})
			return true
		}
	}
	return false
}

// comparePack compares a pack with those of others that overlap it in time.
func (s *segmentChecker) comparePack(a *manifest.Entry, others []*manifest.Entry) (err error) {
	others = slices.DeleteFunc(slices.Clone(others), func(b *manifest.Entry) bool {
		return b.StartTS > a.EndTS || b.EndTS < a.StartTS
	})
	if len(others) == 0 {
		return nil
	}
	p, err := openPackTimes(s.fs, a)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	for _, b := range others {
		if s.stopped() {
			break
		}
		if b.IsPack() {
			err = s.comparePacks(p, b)
		} else {
			err = s.compareSegment(p, b)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *segmentChecker) compareSegment(p *packTimes, b *manifest.Entry) error {
	found, err := p.find(b.SeriesID, b.StartTS, b.EndTS)
	if err != nil || !found {
		return err
	}
	if err := s.load(b); err != nil {
		return err
	}
	s.compareTimes(p.entry, b, p.ts, s.ts)
	return nil
}

// errFound ends a walk over a pack.
var errFound = errors.New("found")

func (s *segmentChecker) comparePacks(p *packTimes, b *manifest.Entry) (err error) {
	q, err := openPackTimes(s.fs, b)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, q.close()) }()
	err = q.reader.All(func(series *segment.PackSeries) error {
		found, err := p.find(series.ID, series.Start, series.End)
		if err != nil || !found {
			return err
		}
		if err := q.load(series); err != nil {
			return err
		}
		if s.compareTimes(p.entry, b, p.ts, q.ts) {
			return errFound
		}
		return s.ctx.Err()
	})
	if errors.Is(err, errFound) {
		return nil
	}
	return err
}

// packTimes reads the times of the series of a pack.
type packTimes struct {
	entry  *manifest.Entry
	file   fsys.File
	reader *segment.PackReader

	series segment.PackSeries
	ts     []int64
	values []float64
}

func openPackTimes(fs fsys.FS, e *manifest.Entry) (*packTimes, error) {
	pack, err := segment.OpenPack(fs, *e)
	if err != nil {
		return nil, err
	}
	file, err := fs.Open(e.Path)
	if err != nil {
		return nil, err
	}
	return &packTimes{entry: e, file: file, reader: pack.Reader(file, nil)}, nil
}

// find leaves the times of a series in ts, if the pack has it and its range overlaps that
// from start to end.
func (p *packTimes) find(id base.SeriesID, start, end int64) (bool, error) {
	found, err := p.reader.Find(id, &p.series)
	if err != nil || !found || p.series.Start > end || p.series.End < start {
		return false, err
	}
	return true, p.load(&p.series)
}

// load leaves the times of a series in ts.
func (p *packTimes) load(series *segment.PackSeries) (err error) {
	p.ts = p.ts[:0]
	for i := range series.Blocks {
		if p.ts, p.values, err = p.reader.AppendBlock(p.ts, p.values[:0], series, i); err != nil {
			return err
		}
	}
	return nil
}

func (p *packTimes) close() error { return p.file.Close() }
