package segment

import (
	"cmp"
	"errors"
	"fmt"
	"path"
	"slices"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/fsys"
	"github.com/sydradb/sydradb/internal/manifest"
)

// QueryRange appends to dst the points of series id with start <= ts <= end and returns
// the longer slice; with an error, dst as it was. entries are live ones of the
// manifest, whose paths start at dir in fs ("" for its root); those of other series or
// without overlap are passed over, packs are searched for the series. The points of a
// file come ascending, the files in the order of entries: nothing is sorted or
// de-duplicated across them. Segment files are verified as Load does, packs as OpenPack
// and PackReader do.
func QueryRange(fs fsys.FS, dir string, entries []manifest.Entry, id base.SeriesID, start, end int64, dst []base.Point) ([]base.Point, error) {
	var (
		out     = dst
		data    []byte
		ts      []int64
		values  []float64
		decoder Decoder
	)
	for _, e := range entries {
		if !e.IsPack() && e.SeriesID != id || e.EndTS < start || e.StartTS > end {
			continue
		}
		file := path.Join(dir, e.Path)
		var err error
		if e.IsPack() {
			if ts, values, err = readSeries(fs, file, e, id, start, end, ts[:0], values[:0]); err != nil {
				return dst, err
			}
			from, to := cut(ts, start, end)
			out = appendPoints(out, ts[from:to], values[from:to])
			continue
		}
		if data, err = load(fs, file, e, data); err != nil {
			return dst, err
		}
		if ts, values, err = decoder.AppendColumns(ts[:0], values[:0], data); err != nil {
			return dst, inFile(err, file)
		}
		from, to := cut(ts, start, end)
		out = appendPoints(out, ts[from:to], values[from:to])
	}
	return out, nil
}

// readSeries appends the blocks of series id that overlap start to end of the pack that
// lies at file.
func readSeries(fs fsys.FS, file string, e manifest.Entry, id base.SeriesID, start, end int64, ts []int64, values []float64) (_ []int64, _ []float64, err error) {
	p, err := openPack(fs, file, e)
	if err != nil {
		return ts, values, err
	}
	f, err := fs.Open(file)
	if err != nil {
		return ts, values, fmt.Errorf("open pack: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	r := p.Reader(f, nil)
	var s PackSeries
	if found, err := r.Find(id, &s); err != nil || !found {
		return ts, values, err
	}
	return r.appendRange(ts, values, &s, start, end)
}

// appendRange appends the blocks of s that overlap start to end.
func (r *PackReader) appendRange(ts []int64, values []float64, s *PackSeries, start, end int64) (_ []int64, _ []float64, err error) {
	for i := range s.Blocks {
		if b := &s.Blocks[i]; b.Last < start || b.First > end {
			continue
		}
		if ts, values, err = r.AppendBlock(ts, values, s, i); err != nil {
			break
		}
	}
	return ts, values, err
}

// cut returns the positions in ts, which never falls, of the first timestamp from
// start on and of the first one after end.
func cut(ts []int64, start, end int64) (from, to int) {
	from, _ = slices.BinarySearch(ts, start)
	to, _ = slices.BinarySearchFunc(ts, end, func(t, end int64) int {
		if t == end {
			return -1 // equal ones lie before the end
		}
		return cmp.Compare(t, end)
	})
	return from, max(from, to)
}
