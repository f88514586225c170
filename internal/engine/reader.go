package engine

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"unique"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/fsys"
	"github.com/sydradb/sydradb/internal/manifest"
	"github.com/sydradb/sydradb/internal/memtable"
	"github.com/sydradb/sydradb/internal/plant"
	"github.com/sydradb/sydradb/internal/segment"
	"github.com/sydradb/sydradb/internal/tombstone"
)

// seriesReader reads one series of a snapshot after the other, as runs of points in
// ascending order. Files that overlap in time are merged piece by piece, a piece being a
// segment file or a block of a pack; between them each piece is a run of its own, so
// that memory does not grow with the range. Its buffers serve all series; it belongs to
// one goroutine.
type seriesReader struct {
	fs    fsys.FS
	cache *cache
	snap  *snapshot
	packs packReaders

	id         base.SeriesID
	start, end int64
	files      []sourceFile // not looked into yet, in order of their start
	pieces     []piece      // not read yet, in order of their start, before all of files
	memory     columns      // points of the memtables not returned yet
	fileRoom   []sourceFile // what files is part of, from its beginning
	pieceRoom  []piece      // as well
	inMemory   [2]memtable.Columns
	both       columns    // merge of the memtables
	buffers    [3]columns // of pieces and merges, used in turn
	turn       int
	hidden     []tombstone.Range
	column     int64 // number of the column that the times of next are part of; 0 for none

	home    *readers // takes the reader back; nil for that of a merge
	decoded int64    // pieces read since it was handed out
	summed  int64    // blocks whose statistics stood for them since then
}

// sourceFile is a file that may hold points of the series, with its precedence.
type sourceFile struct {
	start, end int64
	seq        base.LSN
	segment    *manifest.Entry // or
	pack       *packFile
}

// piece is a part of a file that holds points of the series.
type piece struct {
	start, end int64
	seq        base.LSN
	segment    *manifest.Entry // or
	pack       *packReader
	block      int // of the pack's series
}

// newReader returns a reader of the series in snap.
func newReader(fs fsys.FS, cache *cache, snap *snapshot) *seriesReader {
	return &seriesReader{fs: fs, cache: cache, snap: snap}
}

// readers hands out readers to queries. Their memory serves one query after the other:
// to find room for decoding would cost a small query more than all it does.
type readers struct {
	fs      fsys.FS
	cache   *cache
	damaged *damagedFiles
	idle    sync.Pool

	decoded, summed atomic.Int64 // by readers that were given back
}

func newReaders(fs fsys.FS, cacheBytes int64, damaged *damagedFiles) *readers {
	return &readers{fs: fs, cache: newCache(cacheBytes), damaged: damaged}
}

// get returns a reader of the series in snap, to be closed before snap is released.
func (h *readers) get(snap *snapshot) *seriesReader {
	r, ok := h.idle.Get().(*seriesReader)
	if !ok {
		r = newReader(h.fs, h.cache, nil)
		r.home = h
	}
	r.snap = snap
	return r
}

// open begins with series s from start to end.
func (r *seriesReader) open(s *seriesView, start, end int64) {
	r.id, r.start, r.end = s.id, max(start, r.snap.horizons.of(s.name)), end
	r.findFiles()
	r.pieces = nil
	r.memory = columns{}
	var parts [2]columns
	for i := range r.snap.tables {
		parts[i] = r.readTable(i, s)
	}
	switch older, newer := parts[0], parts[1]; {
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

// readTable returns the points that a memtable has of s.
func (r *seriesReader) readTable(i int, s *seriesView) columns {
	c, t := &r.inMemory[i], &r.snap.tables[i]
	c.Reset()
	if t.table == nil {
		return columns{}
	}
	t.cells.AppendRange(c, s.positions[i], r.start, r.end)
	return r.hide(columnsOf(c), t.seq)
}

// findFiles lists the files that may have points of the series, in order of time.
func (r *seriesReader) findFiles() {
	r.files = r.fileRoom[:0]
	for _, run := range r.snap.files.runs {
		if !run.overlaps(r.start, r.end) {
			continue
		}
		files := run.segmentsOf(r.id, r.start, r.end)
		for i := range files {
			f := &files[i]
			r.files = append(r.files, sourceFile{f.StartTS, f.EndTS, run.seq, f, nil})
		}
		for _, p := range run.packs {
			if p.StartTS <= r.end && p.EndTS >= r.start {
				r.files = append(r.files, sourceFile{p.StartTS, p.EndTS, run.seq, nil, p})
			}
		}
	}
	r.fileRoom = r.files
	slices.SortFunc(r.files, func(a, b sourceFile) int {
		return cmp.Or(cmp.Compare(a.start, b.start), cmp.Compare(a.seq, b.seq))
	})
}

// next returns the next points of the series, none at its end. They are valid until
// the next call.
func (r *seriesReader) next(ctx context.Context) (columns, error) {
	for len(r.pieces) > 0 || len(r.files) > 0 {
		if err := ctx.Err(); err != nil {
			return columns{}, err
		}
		if len(r.pieces) == 0 {
			if err := r.findPieces(); err != nil {
				return columns{}, err
			}
			continue
		}
		overlapping, end := r.takeOverlapping()
		r.column = 0
		points, err := r.readPieces(overlapping)
		if err != nil {
			return columns{}, err
		}
		n := r.memory.len()
		if len(r.pieces) > 0 || len(r.files) > 0 {
			n, _ = slices.BinarySearch(r.memory.times, end+1)
		}
		if n > 0 {
			points = r.merge(points, r.memory.slice(0, n))
			r.memory = r.memory.slice(n, r.memory.len())
			r.column = 0
		}
		if points.len() > 0 {
			return points, nil
		}
	}
	points := r.memory
	r.memory, r.column = columns{}, 0
	return points, nil
}

// findPieces takes the next file and all that overlap it, directly or by way of one
// another, and finds the pieces of them that hold points of the series.
func (r *seriesReader) findPieces() error {
	r.pieces = r.pieceRoom[:0]
	r.packs.recall()
	end := r.files[0].end
	n := 0
	for ; n < len(r.files) && r.files[n].start <= end; n++ {
		f := &r.files[n]
		end = max(end, f.end)
		if f.segment != nil {
			r.pieces = append(r.pieces, piece{start: f.start, end: f.end, seq: f.seq, segment: f.segment})
			continue
		}
		if err := r.findBlocks(f); err != nil {
			return r.note(err)
		}
	}
	r.files, r.pieceRoom = r.files[n:], r.pieces
	slices.SortFunc(r.pieces, func(a, b piece) int {
		return cmp.Or(cmp.Compare(a.start, b.start), cmp.Compare(a.seq, b.seq))
	})
	return nil
}

// findBlocks appends the blocks of a pack that hold points of the series.
func (r *seriesReader) findBlocks(f *sourceFile) error {
	pack, err := r.packs.open(r.fs, r.cache, f.pack)
	if err != nil {
		return err
	}
	found, err := pack.reader.Find(r.id, &pack.series)
	if err != nil || !found {
		return err
	}
	for i := range pack.series.Blocks {
		b := &pack.series.Blocks[i]
		if b.First <= r.end && b.Last >= r.start {
			r.pieces = append(r.pieces, piece{start: b.First, end: b.Last, seq: f.seq, pack: pack, block: i})
		}
	}
	return nil
}

// note returns an error of reading a file, of which note is taken if it is about damage. Those
// of a merge, maintenance takes note of.
func (r *seriesReader) note(err error) error {
	if r.home != nil {
		r.home.damaged.note(err)
	}
	return err
}

// takeOverlapping takes the next piece and all that overlap it, directly or by way of
// one another, in order of precedence; end is the last time in any of them.
func (r *seriesReader) takeOverlapping() (pieces []piece, end int64) {
	end = r.pieces[0].end
	n := 1
	for n < len(r.pieces) && r.pieces[n].start <= end {
		end = max(end, r.pieces[n].end)
		n++
	}
	pieces, r.pieces = r.pieces[:n], r.pieces[n:]
	slices.SortStableFunc(pieces, func(a, b piece) int { return cmp.Compare(a.seq, b.seq) })
	return pieces, end
}

// readPieces merges the points of pieces, the later of which take precedence, within
// the range.
func (r *seriesReader) readPieces(pieces []piece) (columns, error) {
	if len(pieces) == 1 {
		return r.readAlone(&pieces[0])
	}
	var points columns
	for i := range pieces {
		newer, err := r.readPiece(&pieces[i])
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

// readAlone is readPiece for a piece that is not merged with others: times that it shares
// with other blocks are not copied.
func (r *seriesReader) readAlone(p *piece) (columns, error) {
	if p.pack == nil || r.hides(p) {
		return r.readPiece(p)
	}
	r.decoded++
	dst := r.buffer()
	dst.reset()
	times, values, err := p.pack.reader.ReadBlock(dst.values, &p.pack.series, p.block)
	if err != nil {
		return columns{}, r.note(err)
	}
	dst.values = values
	r.column = r.packs.decoder.Column()
	return r.within(p, columns{times, values}), nil
}

// hides reports whether a deletion hides points of p.
func (r *seriesReader) hides(p *piece) bool {
	return len(r.snap.tombstones) > 0 && len(r.snap.tombstones.For(r.hidden[:0], r.id, p.seq, p.start, p.end)) > 0
}

// readPiece returns the points of one piece within the range that no deletion hides, in
// a buffer.
func (r *seriesReader) readPiece(p *piece) (columns, error) {
	dst := r.buffer()
	dst.reset()
	r.decoded++
	var err error
	if p.segment != nil {
		err = r.readSegment(dst, p.segment)
	} else {
		dst.times, dst.values, err = p.pack.reader.AppendBlock(dst.times, dst.values, &p.pack.series, p.block)
	}
	if errors.Is(err, base.ErrCorrupt) && plant.Bug(plant.DamageSkipped) {
		return columns{}, nil
	}
	if err != nil {
		return columns{}, r.note(err)
	}
	return r.hide(r.within(p, *dst), p.seq), nil
}

// within returns the points of p, which are c, that are within the range.
func (r *seriesReader) within(p *piece, c columns) columns {
	lo, hi := 0, c.len()
	if p.start < r.start {
		lo, _ = slices.BinarySearch(c.times, r.start)
	}
	if p.end > r.end {
		hi, _ = slices.BinarySearch(c.times, r.end+1)
	}
	return c.slice(lo, hi)
}

// readSegment appends the points of a segment file.
func (r *seriesReader) readSegment(dst *columns, e *manifest.Entry) error {
	key := cacheKey{unique.Make(e.Path), wholeFile}
	data := r.cache.get(key)
	if data == nil {
		var err error
		if data, err = segment.Load(r.fs, *e, nil); err != nil {
			return err
		}
		r.cache.put(key, data)
	}
	var err error
	dst.times, dst.values, err = r.packs.decoder.AppendColumns(dst.times, dst.values, data)
	if err != nil {
		return &base.CorruptionError{File: e.Path, Offset: base.WholeFile, Part: "segment", Err: err}
	}
	return nil
}

// hide takes out the points that deletions hide in a source with the given seq.
func (r *seriesReader) hide(c columns, seq base.LSN) columns {
	if len(r.snap.tombstones) == 0 || c.len() == 0 {
		return c
	}
	r.hidden = r.snap.tombstones.For(r.hidden[:0], r.id, seq, c.times[0], c.times[c.len()-1])
	if len(r.hidden) == 0 {
		return c
	}
	times, values := tombstone.Hide(c.times, c.values, r.hidden)
	return columns{times, values}
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

// close closes the files that the reader has open, and gives it back.
func (r *seriesReader) close() {
	r.packs.close()
	h := r.home
	if h == nil {
		return
	}
	h.decoded.Add(r.decoded)
	h.summed.Add(r.summed)
	r.decoded, r.summed = 0, 0
	r.snap, r.memory, r.files, r.pieces = nil, columns{}, nil, nil
	clearUsed(r.fileRoom) // they point to files and packs
	clearUsed(r.pieceRoom)
	if !r.large() {
		h.idle.Put(r)
	}
}

// clearUsed clears what has been in room since the last time, without going through all
// that a longer query has left of it: room is filled from its beginning, and nothing in it
// is zero.
func clearUsed[T comparable](room []T) {
	var zero T
	room = room[:cap(room)]
	for i := 0; i < len(room) && room[i] != zero; i++ {
		room[i] = zero
	}
}

// large reports whether the reader has taken more memory than an idle one may hold.
func (r *seriesReader) large() bool {
	const most = 128 << 10 // points
	n := max(cap(r.both.times), len(r.fileRoom), len(r.pieceRoom))
	for i := range r.buffers {
		n = max(n, cap(r.buffers[i].times))
	}
	for i := range r.inMemory {
		n = max(n, cap(r.inMemory[i].TS))
	}
	return n > most
}
