package cli

import (
	"context"

	"github.com/sydradb/sydradb"
	"github.com/sydradb/sydradb/server/internal/render"
	"github.com/sydradb/sydradb/server/internal/upkeep"
)

// store is what commands need of a database, wherever it is: a local one, or that of a
// server (*client.Client).
type store interface {
	// Points calls do with the points that q names, until do fails, whose error it returns.
	Points(ctx context.Context, q sydradb.Query, do func(render.Block) error) error
	// Windows does the same with what agg makes of points with its first function.
	Windows(ctx context.Context, agg sydradb.Aggregation, do func(render.Block) error) error
	Find(ctx context.Context, sel sydradb.Selector, start, end int64) ([]render.Stored, error)
	Stats(ctx context.Context) (sydradb.Stats, error)
	TopTags(ctx context.Context, n int) ([]upkeep.Top, error)
	TopNames(ctx context.Context, n int) ([]upkeep.Top, error)
	Flush(ctx context.Context) (upkeep.Flushed, error)
	Compact(ctx context.Context) (upkeep.Compacted, error)
	Delete(ctx context.Context, sel sydradb.Selector, start, end int64) error
}

// local is the store that this process has open.
type local struct{ db *sydradb.DB }

func (l local) Points(ctx context.Context, q sydradb.Query, do func(render.Block) error) error {
	it, err := l.db.Query(ctx, q)
	if err != nil {
		return err
	}
	defer it.Close()
	for it.Next() {
		b := it.Block()
		if err := do(render.Block{Series: b.Series, Times: b.Times, Values: b.Values}); err != nil {
			return err
		}
	}
	return it.Err()
}

func (l local) Windows(ctx context.Context, agg sydradb.Aggregation, do func(render.Block) error) error {
	it, err := l.db.Aggregate(ctx, agg)
	if err != nil {
		return err
	}
	defer it.Close()
	for it.Next() {
		r := it.Result()
		b := render.Block{Series: render.WindowsOf(&r, agg.Functions[0]), Times: r.Times, Values: r.Values[0]}
		if err := do(b); err != nil {
			return err
		}
	}
	return it.Err()
}

func (l local) Find(ctx context.Context, sel sydradb.Selector, start, end int64) ([]render.Stored, error) {
	found, err := l.db.Find(ctx, sel, start, end)
	out := make([]render.Stored, len(found))
	for i, s := range found {
		out[i] = s
	}
	return out, err
}

func (l local) Stats(context.Context) (sydradb.Stats, error) { return l.db.Stats(), nil }

func (l local) TopTags(_ context.Context, n int) ([]upkeep.Top, error) {
	return upkeep.TopTags(l.db, n), nil
}

func (l local) TopNames(_ context.Context, n int) ([]upkeep.Top, error) {
	return upkeep.TopNames(l.db, n), nil
}

func (l local) Flush(ctx context.Context) (upkeep.Flushed, error) { return upkeep.Flush(ctx, l.db) }

func (l local) Compact(ctx context.Context) (upkeep.Compacted, error) {
	return upkeep.Compact(ctx, l.db)
}

func (l local) Delete(ctx context.Context, sel sydradb.Selector, start, end int64) error {
	_, err := l.db.Delete(ctx, sel, start, end)
	return err
}
