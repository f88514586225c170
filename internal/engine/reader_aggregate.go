package engine

import (
	"context"
	"slices"

	"github.com/sydradb/sydradb/internal/aggregate"
	"github.com/sydradb/sydradb/internal/plant"
)

// aggregate adds the points of the series that r was opened with. The statistics of a
// block stand for its points where these are all in the same windows, none of them is
// hidden, and no other source has points among them.
func (r *seriesReader) aggregate(ctx context.Context, to *aggregate.Series) error {
	for {
		summary, ok, err := r.nextSummary(ctx, to)
		if err != nil {
			return err
		}
		if ok {
			r.summed++
			to.AddSummary(&summary)
			continue
		}
		points, err := r.next(ctx)
		if err != nil || points.len() == 0 {
			return err
		}
		to.AddColumns(points.times, points.values)
	}
}

// nextSummary passes over the next piece and returns what stands for it; ok is false if
// nothing may. Points of the memtables that lie before it are added.
func (r *seriesReader) nextSummary(ctx context.Context, to *aggregate.Series) (_ aggregate.Summary, ok bool, err error) {
	for len(r.pieces) == 0 && len(r.files) > 0 {
		if err := ctx.Err(); err != nil {
			return aggregate.Summary{}, false, err
		}
		if err := r.findPieces(); err != nil {
			return aggregate.Summary{}, false, err
		}
	}
	if len(r.pieces) == 0 || !r.alone(&r.pieces[0]) {
		return aggregate.Summary{}, false, nil
	}
	p := &r.pieces[0]
	if !to.Fits(p.start, p.end) {
		return aggregate.Summary{}, false, nil
	}
	n, among := slices.BinarySearch(r.memory.times, p.start)
	if among || n < r.memory.len() && r.memory.times[n] <= p.end {
		return aggregate.Summary{}, false, nil
	}
	if n > 0 {
		to.AddColumns(r.memory.times[:n], r.memory.values[:n])
		r.memory = r.memory.slice(n, r.memory.len())
	}
	r.pieces = r.pieces[1:]
	b := &p.pack.series.Blocks[p.block]
	return aggregate.Summary{
		Count: b.Count, FirstTS: b.First, LastTS: b.Last,
		Min: b.Stats.Min, Max: b.Stats.Max, First: b.Stats.First, Last: b.Stats.Last, Sum: b.Stats.Sum, Drop: b.Stats.Drop,
	}, true, nil
}

// alone reports whether p, the next piece, is a block with statistics that no other piece
// overlaps and of which nothing is hidden.
func (r *seriesReader) alone(p *piece) bool {
	if p.pack == nil || !p.pack.series.Blocks[p.block].HasStats || p.start < r.start || p.end > r.end {
		return false
	}
	if len(r.pieces) > 1 && r.pieces[1].start <= p.end {
		return false
	}
	return plant.Bug(plant.StatsOfHidden) || !r.hides(p)
}
