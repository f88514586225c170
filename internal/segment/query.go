package segment

import (
	"cmp"
	"path"
	"slices"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/fsys"
	"github.com/sydradb/sydradb/internal/manifest"
)

// QueryRange appends to dst the points of series id with start <= ts <= end and returns
// the longer slice; with an error, dst as it was. entries are live ones of the
// manifest, whose paths start at dir in fs ("" for its root); those of other series or
// without overlap are passed over. The points of a file come ascending, the files in
// the order of entries: nothing is sorted or de-duplicated across them. Every file is
// verified as Load does.
func QueryRange(fs fsys.FS, dir string, entries []manifest.Entry, id base.SeriesID, start, end int64, dst []base.Point) ([]base.Point, error) {
	var (
		out    = dst
		data   []byte
		ts     []int64
		values []float64
	)
	for _, e := range entries {
		if e.SeriesID != id || e.EndTS < start || e.StartTS > end {
			continue
		}
		file := path.Join(dir, e.Path)
		var err error
		if data, err = load(fs, file, e, data); err != nil {
			return dst, err
		}
		if ts, values, err = AppendColumns(ts[:0], values[:0], data); err != nil {
			return dst, inFile(err, file)
		}
		from, to := cut(ts, start, end)
		out = appendPoints(out, ts[from:to], values[from:to])
	}
	return out, nil
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
