package engine

import (
	"cmp"
	"context"
	"fmt"
	"slices"
)

// Query says which points to read, see the root package.
type Query struct {
	Selector
	Start, End           int64
	MaxSeries, MaxPoints int
	Parallel             int
}

// Block is a run of points of one series, ascending, at least one. The slices are
// valid until the next call of the iterator.
type Block struct {
	Series *Series
	Times  []int64
	Values []float64
}

// Query captures the series that q selects and returns an iterator over their points.
func (e *Engine) Query(ctx context.Context, q Query) (*Iterator, error) {
	if err := e.usable(); err != nil {
		return nil, err
	}
	snap, err := e.state.snapshot(q.Selector, q.MaxSeries)
	if err != nil {
		return nil, err
	}
	it := &Iterator{ctx: ctx, query: q, snap: snap}
	if q.Parallel > 1 && len(snap.series) > 1 {
		it.source = newParallelSource(ctx, e, snap, q)
	} else {
		it.source = &serialSource{reader: e.readers.get(snap), snap: snap, query: q}
	}
	return it, nil
}

// Iterator walks the result of a query. It belongs to one goroutine.
type Iterator struct {
	ctx    context.Context
	query  Query
	snap   *snapshot
	source source
	block  Block
	points int
	err    error
}

// source yields the blocks of a snapshot in order.
type source interface {
	// next returns a block without points at the end.
	next(ctx context.Context) (Block, error)
	// close ends the work of the source and waits for it.
	close()
}

// Next moves to the next block; false means the end, or an error.
func (it *Iterator) Next() bool {
	if it.source == nil || it.err != nil {
		return false
	}
	block, err := it.source.next(it.ctx)
	if err == nil && len(block.Times) > 0 {
		it.points += len(block.Times)
		if limit := it.query.MaxPoints; limit > 0 && it.points > limit {
			err = fmt.Errorf("%w: more than %d points", ErrLimit, limit)
		}
	}
	if err != nil {
		it.err, it.block = err, Block{}
		return false
	}
	it.block = block
	return len(block.Times) > 0
}

// Block returns the current block.
func (it *Iterator) Block() Block { return it.block }

// Err returns what ended the iteration early, or nil.
func (it *Iterator) Err() error { return it.err }

// Close releases the snapshot. It may be called more than once.
func (it *Iterator) Close() {
	if it.source == nil {
		return
	}
	it.source.close()
	it.snap.release()
	it.source, it.block = nil, Block{}
}

// serialSource reads one series after the other in the caller's goroutine.
type serialSource struct {
	reader *seriesReader
	snap   *snapshot
	query  Query
	opened int // series opened so far
}

func (s *serialSource) next(ctx context.Context) (Block, error) {
	for {
		if s.opened > 0 {
			points, err := s.reader.next(ctx)
			if err != nil || points.len() > 0 {
				return Block{s.snap.series[s.opened-1].Series, points.times, points.values}, err
			}
		}
		if err := ctx.Err(); err != nil || s.opened == len(s.snap.series) {
			return Block{}, err
		}
		s.reader.open(&s.snap.series[s.opened], s.query.Start, s.query.End)
		s.opened++
	}
}

func (s *serialSource) close() { s.reader.close() }

// parallelSource reads several series at the same time. Each result is that of a whole
// series.
type parallelSource struct {
	*orderedResults[[]Block]
	current []Block // rest of the series being yielded
}

func newParallelSource(ctx context.Context, e *Engine, snap *snapshot, q Query) *parallelSource {
	workers := make([]worker[[]Block], min(q.Parallel, len(snap.series)))
	for i := range workers {
		workers[i] = &wholeSeries{e.readers.get(snap), q}
	}
	return &parallelSource{orderedResults: startOrdered(ctx, len(snap.series), workers)}
}

func (p *parallelSource) next(ctx context.Context) (Block, error) {
	for len(p.current) == 0 {
		blocks, ok, err := p.orderedResults.next(ctx)
		if !ok {
			return Block{}, err
		}
		p.current = blocks
	}
	block := p.current[0]
	p.current = p.current[1:]
	return block, nil
}

// wholeSeries reads series into memory of their own.
type wholeSeries struct {
	reader *seriesReader
	query  Query
}

func (w *wholeSeries) do(ctx context.Context, task int) (blocks []Block, err error) {
	s := &w.reader.snap.series[task]
	w.reader.open(s, w.query.Start, w.query.End)
	for {
		points, err := w.reader.next(ctx)
		if err != nil || points.len() == 0 {
			return blocks, err
		}
		blocks = append(blocks, Block{s.Series, slices.Clone(points.times), slices.Clone(points.values)})
	}
}

func (w *wholeSeries) close() { w.reader.close() }

// Find returns the series that sel selects and that have a point from start to end.
func (e *Engine) Find(ctx context.Context, sel Selector, start, end int64) ([]*Series, error) {
	if err := e.usable(); err != nil {
		return nil, err
	}
	snap, err := e.state.snapshot(sel, 0)
	if err != nil {
		return nil, err
	}
	defer snap.release()
	reader := e.readers.get(snap)
	defer reader.close()
	selected := make([]bool, len(snap.series))
	for _, i := range snap.byID() {
		if selected[i], err = reader.has(ctx, &snap.series[i], start, end); err != nil {
			return nil, err
		}
	}
	var found []*Series
	for i, is := range selected {
		if is {
			found = append(found, snap.series[i].Series)
		}
	}
	return found, nil
}

// byID returns the places of the series in the order of their ids, which is that of the
// index of a pack: looking up many of them goes through it once.
func (s *snapshot) byID() []int {
	places := make([]int, len(s.series))
	for i := range places {
		places[i] = i
	}
	slices.SortFunc(places, func(a, b int) int { return cmp.Compare(s.series[a].id, s.series[b].id) })
	return places
}

// has reports whether the series has a point from start to end. A piece is read only
// if its bounds do not tell.
func (r *seriesReader) has(ctx context.Context, s *seriesView, start, end int64) (bool, error) {
	r.id, r.start, r.end = s.id, max(start, r.snap.horizons.of(s.name)), end
	for i := range r.snap.tables {
		if r.tableHas(i, s) {
			return true, nil
		}
	}
	r.findFiles()
	for len(r.files) > 0 {
		if err := ctx.Err(); err != nil {
			return false, err
		}
		if err := r.findPieces(); err != nil {
			return false, err
		}
		for i := range r.pieces {
			if has, err := r.pieceHas(&r.pieces[i]); has || err != nil {
				return has, err
			}
		}
	}
	return false, nil
}

func (r *seriesReader) tableHas(i int, s *seriesView) bool {
	t := &r.snap.tables[i]
	if t.table == nil || !t.cells.Contains(s.positions[i], r.start, r.end) {
		return false
	}
	if len(r.snap.tombstones.For(r.hidden[:0], s.id, t.seq, r.start, r.end)) == 0 {
		return true
	}
	return r.readTable(i, s).len() > 0
}

func (r *seriesReader) pieceHas(p *piece) (bool, error) {
	if !r.hides(p) && (p.start >= r.start && p.start <= r.end || p.end >= r.start && p.end <= r.end) {
		return true, nil
	}
	points, err := r.readPiece(p)
	return points.len() > 0, err
}
