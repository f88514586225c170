package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/manifest"
	"github.com/sydradb/sydradb/internal/segment"
)

// salvage is a file of which a part is saved in a new one, with the same place in write
// order: a damaged pack, whose blocks are verified one by one; or a file that has points
// of another one with the same seq.
type salvage struct {
	entry  manifest.Entry
	except []manifest.Entry // files whose points are left out
	jobMS  int64            // number of the job that writes what is saved

	series []base.SeriesID // of which something is saved
	points int64
}

// planSalvage finds out what can be saved of a file. It reads what Apply reads again.
func (r *Repair) planSalvage(s salvage) (salvage, error) {
	s.jobMS = r.jobMS
	r.jobMS++
	err := r.eachSound(r.check.ctx, &s, func(id base.SeriesID, ts []int64, _ []float64) error {
		if n := len(s.series); n == 0 || s.series[n-1] != id {
			s.series = append(s.series, id)
		}
		s.points += int64(len(ts))
		return nil
	})
	return s, err
}

// eachSound calls fn with the points of a file that are sound and wanted, series by
// series in the order in which they are to lie in a file.
func (r *Repair) eachSound(ctx context.Context, s *salvage, fn func(id base.SeriesID, ts []int64, values []float64) error) error {
	filtered := func(id base.SeriesID, ts []int64, values []float64) error {
		for i := range s.except {
			other, err := r.timesOf(&s.except[i], id)
			if err != nil {
				return err
			}
			ts, values = without(ts, values, other)
		}
		if len(ts) == 0 {
			return nil
		}
		return fn(id, ts, values)
	}
	if s.entry.IsPack() {
		return r.eachSoundBlock(ctx, &s.entry, filtered)
	}
	data, err := segment.Load(r.fs, s.entry, nil)
	if err != nil {
		return ignoreDamage(err)
	}
	ts, values, err := segment.AppendColumns(nil, nil, data)
	if err != nil {
		return ignoreDamage(err)
	}
	return filtered(s.entry.SeriesID, ts, values)
}

// eachSoundBlock calls fn with every block of a pack that is sound. Series are looked for
// by their ids: a damaged part of the index then hides no more than what it describes.
func (r *Repair) eachSoundBlock(ctx context.Context, e *manifest.Entry, fn func(id base.SeriesID, ts []int64, values []float64) error) (err error) {
	p, err := openPackTimes(r.fs, e)
	if err != nil {
		return ignoreDamage(err)
	}
	defer func() { err = errors.Join(err, p.close()) }()
	var more []base.SeriesID // that the catalog has lost
	err = p.reader.All(func(s *segment.PackSeries) error {
		if _, known := r.catalog.series.ByID(s.ID); !known {
			more = append(more, s.ID)
		}
		return ctx.Err()
	})
	if err := ignoreDamage(err); err != nil {
		return err
	}
	for o := range r.catalog.series.Living() {
		if err := p.eachSoundBlock(ctx, r.catalog.series.ID(o), fn); err != nil {
			return err
		}
	}
	for _, id := range more {
		if err := p.eachSoundBlock(ctx, id, fn); err != nil {
			return err
		}
	}
	return nil
}

func (p *packTimes) eachSoundBlock(ctx context.Context, id base.SeriesID, fn func(id base.SeriesID, ts []int64, values []float64) error) error {
	found, err := p.reader.Find(id, &p.series)
	if err != nil || !found {
		return ignoreDamage(err)
	}
	for i := range p.series.Blocks {
		p.ts, p.values, err = p.reader.AppendBlock(p.ts[:0], p.values[:0], &p.series, i)
		if err != nil {
			if err := ignoreDamage(err); err != nil {
				return err
			}
			continue
		}
		if err := fn(id, p.ts, p.values); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// ignoreDamage returns nil for damaged bytes, and err for everything else.
func ignoreDamage(err error) error {
	if errors.Is(err, base.ErrCorrupt) {
		return nil
	}
	return err
}

// timesOf returns the times that a sound file has of a series.
func (r *Repair) timesOf(e *manifest.Entry, id base.SeriesID) (ts []int64, err error) {
	if !e.IsPack() {
		if e.SeriesID != id {
			return nil, nil
		}
		data, err := segment.Load(r.fs, *e, nil)
		if err == nil {
			ts, _, err = segment.AppendColumns(nil, nil, data)
		}
		return ts, err
	}
	p, err := openPackTimes(r.fs, e)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	if _, err := p.find(id, e.StartTS, e.EndTS); err != nil {
		return nil, err
	}
	return p.ts, nil
}

// without takes the points at other times out of ascending columns, in place.
func without(ts []int64, values []float64, other []int64) ([]int64, []float64) {
	kept := 0
	for i, t := range ts {
		if _, found := slices.BinarySearch(other, t); !found {
			ts[kept], values[kept] = t, values[i]
			kept++
		}
	}
	return ts[:kept], values[:kept]
}

// write writes what is saved and returns its entries, durable but for their names.
func (r *Repair) writeSalvage(ctx context.Context, s *salvage) ([]manifest.Entry, error) {
	files := -1 // a segment file stays one
	if s.entry.IsPack() {
		files = 0
	}
	w, err := segment.NewBucketWriter(r.fs, segment.BucketOptions{
		NowMS: s.jobMS, Bucket: s.entry.HourBucket, Width: s.entry.BucketWidth(), Segments: len(s.series), MaxSegmentFiles: files,
		SegmentCodec1: true, // what every version reads
	})
	if err != nil {
		return nil, err
	}
	defer w.Abort()
	if err := r.eachSound(ctx, s, w.Append); err != nil {
		return nil, fmt.Errorf("save what is sound of %s: %w", s.entry.Path, err)
	}
	entries, err := w.Finish()
	for i := range entries {
		e := &entries[i]
		e.Seq, e.Wall, e.Applied = s.entry.Seq, s.entry.Wall, s.entry.Applied
	}
	return entries, err
}
