package engine

import (
	"cmp"
	"context"
	"slices"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/catalog"
	"github.com/sydradb/sydradb/internal/compact"
	"github.com/sydradb/sydradb/internal/manifest"
	"github.com/sydradb/sydradb/internal/plant"
	"github.com/sydradb/sydradb/internal/segment"
	"github.com/sydradb/sydradb/internal/tombstone"
)

// mergeCacheBytes bounds what a merge keeps of its inputs. The cache of queries is not
// used: a merge would sweep it clean.
const mergeCacheBytes = 64 << 20

// mergeSource reads the inputs of a merge: points that deletions or retention hide are
// left out, but for deletions that are in no file yet, see canApply.
type mergeSource struct {
	reader  *seriesReader
	catalog *catalog.Catalog
	series  []base.SeriesID
	applied base.LSN // deletions up to it are left out
}

func (m *maintenance) newMergeSource(job *compact.Job) (*mergeSource, error) {
	_, tombstones, horizons := m.state.moment()
	applicable := tombstones.Without(func(t *tombstone.Tombstone) bool { return !canApply(t) && !plant.Bug(plant.DeletionTooEarly) })
	s := &mergeSource{catalog: m.reg.now().catalog}
	if n := len(applicable); n > 0 {
		s.applied = applicable[n-1].LSN
	}
	snap := &snapshot{files: newFileSet(job.Inputs), tombstones: applicable, horizons: horizons}
	s.reader = newReader(m.fs, newCache(mergeCacheBytes), snap)
	if err := s.findSeries(); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// findSeries collects the series of the inputs, in the order in which they are to lie
// in the output: that of their ordinals, by which series written together are read
// together.
func (s *mergeSource) findSeries() error {
	for _, run := range s.reader.snap.files.runs {
		for i := range run.segments {
			if id := run.segments[i].SeriesID; len(s.series) == 0 || s.series[len(s.series)-1] != id {
				s.series = append(s.series, id)
			}
		}
		for _, p := range run.packs {
			pack, err := s.reader.packs.open(s.reader.fs, s.reader.cache, p)
			if err != nil {
				return err
			}
			if err := pack.reader.All(func(e *segment.PackSeries) error {
				s.series = append(s.series, e.ID)
				return nil
			}); err != nil {
				return err
			}
			s.reader.packs.recall()
		}
	}
	slices.Sort(s.series)
	s.series = slices.Compact(s.series)
	type place struct {
		id      base.SeriesID
		ordinal base.Ordinal
	}
	places := make([]place, len(s.series))
	for i, id := range s.series {
		o, known := s.catalog.ByID(id)
		if !known {
			o = ^base.Ordinal(0)
		}
		places[i] = place{id, o}
	}
	slices.SortFunc(places, func(a, b place) int {
		return cmp.Or(cmp.Compare(a.ordinal, b.ordinal), cmp.Compare(a.id, b.id))
	})
	for i := range places {
		s.series[i] = places[i].id
	}
	return nil
}

// Series implements compact.Source.
func (s *mergeSource) Series() []base.SeriesID { return s.series }

// Read implements compact.Source.
func (s *mergeSource) Read(ctx context.Context, id base.SeriesID, fn func(ts []int64, values []float64) error) error {
	view := seriesView{id: id}
	if o, known := s.catalog.ByID(id); known && len(s.reader.snap.horizons) > 0 {
		view.name = s.catalog.Name(o)
	}
	s.reader.open(&view, base.MinTime, base.MaxTime)
	for {
		points, err := s.reader.next(ctx)
		if err != nil || points.len() == 0 {
			return err
		}
		if err := fn(points.times, points.values); err != nil {
			return err
		}
	}
}

func (s *mergeSource) close() { s.reader.close() }

// list returns the entries of all files of the set.
func (s *fileSet) list() []manifest.Entry {
	n := 0
	for _, r := range s.runs {
		n += len(r.segments) + len(r.packs)
	}
	all := make([]manifest.Entry, 0, n)
	for e := range s.entries {
		all = append(all, *e)
	}
	return all
}

// pack returns the pack of an entry, nil if it is not in the set.
func (s *fileSet) pack(e *manifest.Entry) *packFile {
	for _, r := range s.runs {
		if r.seq != e.Seq {
			continue
		}
		for _, p := range r.packs {
			if p.Path == e.Path {
				return p
			}
		}
	}
	return nil
}
