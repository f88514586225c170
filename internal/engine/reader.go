package engine

import (
	"context"
	"slices"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/fsys"
	"github.com/sydradb/sydradb/internal/manifest"
	"github.com/sydradb/sydradb/internal/memtable"
	"github.com/sydradb/sydradb/internal/segment"
)

// seriesReader reads one series of a snapshot after the other, as runs of points in
// ascending order. Files that overlap in time are merged; between them each file is
// a run of its own, so that memory does not grow with the range. Its buffers serve
// all series; it belongs to one goroutine.
type seriesReader struct {
	fs    fsys.FS
	cache *cache
	snap  *snapshot

	start, end int64
	files      []sourceFile // not read yet, in order of their start
	memory     columns      // points of the memtables not returned yet
	inMemory   [2]memtable.Columns
	both       columns    // merge of the memtables
	buffers    [3]columns // of files and merges, used in turn
	turn       int
}

// open begins with series s from start to end.
func (r *seriesReader) open(s *seriesView, start, end int64) {
	r.start, r.end = start, end
	r.files = r.snap.files.of(r.files[:0], s.ID, start, end)
	r.memory = columns{}
	for i := range r.snap.tables {
		c := &r.inMemory[i]
		c.Reset()
		if r.snap.tables[i].table != nil {
			r.snap.tables[i].cells.AppendRange(c, s.positions[i], start, end)
		}
	}
	switch older, newer := columnsOf(&r.inMemory[0]), columnsOf(&r.inMemory[1]); {
	case older.len() == 0:
		r.memory = newer
	case newer.len() == 0:
		r.memory = older
	default:
		r.both.reset()
		mergeInto(&r.both, older, newer)
		r.memory = r.both
	}
}

// next returns the next points of the series, none at its end. They are valid until
// the next call.
func (r *seriesReader) next(ctx context.Context) (columns, error) {
	for len(r.files) > 0 {
		if err := ctx.Err(); err != nil {
			return columns{}, err
		}
		overlapping, end := r.takeOverlapping()
		points, err := r.readFiles(overlapping)
		if err != nil {
			return columns{}, err
		}
		n := r.memory.len()
		if len(r.files) > 0 {
			n, _ = slices.BinarySearch(r.memory.times, end+1)
		}
		if n > 0 {
			points = r.merge(points, r.memory.slice(0, n))
			r.memory = r.memory.slice(n, r.memory.len())
		}
		if points.len() > 0 {
			return points, nil
		}
	}
	points := r.memory
	r.memory = columns{}
	return points, nil
}

// takeOverlapping takes the next file and all that overlap it, directly or by way of
// one another, in order of precedence; end is the last time in any of them.
func (r *seriesReader) takeOverlapping() (files []sourceFile, end int64) {
	end = r.files[0].EndTS
	n := 1
	for n < len(r.files) && r.files[n].StartTS <= end {
		end = max(end, r.files[n].EndTS)
		n++
	}
	files, r.files = r.files[:n], r.files[n:]
	slices.SortFunc(files, func(a, b sourceFile) int {
		if a.seq < b.seq {
			return -1
		}
		return 1
	})
	return files, end
}

// readFiles merges the points of files, the later of which take precedence, within
// the range.
func (r *seriesReader) readFiles(files []sourceFile) (columns, error) {
	var points columns
	for i := range files {
		newer, err := r.readFile(&files[i].Entry)
		if err != nil {
			return columns{}, err
		}
		if i == 0 {
			points = newer
		} else {
			points = r.merge(points, newer)
		}
	}
	return points, nil
}

// readFile returns the points of one file within the range, in a buffer.
func (r *seriesReader) readFile(e *manifest.Entry) (columns, error) {
	data := r.cache.get(e.Path)
	if data == nil {
		var err error
		if data, err = segment.Load(r.fs, *e, nil); err != nil {
			return columns{}, err
		}
		r.cache.put(e.Path, data)
	}
	dst := r.buffer()
	var err error
	dst.times, dst.values, err = segment.AppendColumns(dst.times[:0], dst.values[:0], data)
	if err != nil {
		return columns{}, &base.CorruptionError{File: e.Path, Offset: base.WholeFile, Part: "segment", Err: err}
	}
	lo, hi := 0, dst.len()
	if e.StartTS < r.start {
		lo, _ = slices.BinarySearch(dst.times, r.start)
	}
	if e.EndTS > r.end {
		hi, _ = slices.BinarySearch(dst.times, r.end+1)
	}
	return dst.slice(lo, hi), nil
}

// merge returns older and newer in one; newer wins. The result is in a buffer.
func (r *seriesReader) merge(older, newer columns) columns {
	dst := r.buffer()
	dst.reset()
	mergeInto(dst, older, newer)
	return *dst
}

// buffer returns the buffer that was not used by the last two calls: while a merge
// reads two of them, it writes the third.
func (r *seriesReader) buffer() *columns {
	r.turn = (r.turn + 1) % len(r.buffers)
	return &r.buffers[r.turn]
}
