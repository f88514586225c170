package engine

import (
	"context"
	"slices"
	"sync"
)

// parallelSource reads several series at the same time and yields them in order. Each
// result is that of a whole series; at most two for each worker, and two more, exist.
type parallelSource struct {
	cancel  context.CancelFunc
	workers sync.WaitGroup
	ordered chan chan seriesResult // one per series, in order
	current []Block                // rest of the series being yielded
}

type seriesResult struct {
	blocks []Block
	err    error
}

type seriesTask struct {
	index  int
	result chan seriesResult
}

func newParallelSource(ctx context.Context, e *Engine, snap *snapshot, q Query) *parallelSource {
	ctx, cancel := context.WithCancel(ctx)
	workers := min(q.Parallel, len(snap.series))
	p := &parallelSource{cancel: cancel, ordered: make(chan chan seriesResult, workers)}
	tasks := make(chan seriesTask)
	p.workers.Go(func() {
		defer close(tasks)
		defer close(p.ordered)
		for i := range snap.series {
			task := seriesTask{i, make(chan seriesResult, 1)}
			select {
			case p.ordered <- task.result:
			case <-ctx.Done():
				return
			}
			select {
			case tasks <- task:
			case <-ctx.Done():
				task.result <- seriesResult{err: ctx.Err()}
				return
			}
		}
	})
	for range workers {
		reader := newReader(e.fs, e.cache, snap)
		p.workers.Go(func() {
			defer reader.close()
			for task := range tasks {
				blocks, err := reader.readAll(ctx, &snap.series[task.index], q.Start, q.End)
				task.result <- seriesResult{blocks, err}
			}
		})
	}
	return p
}

// readAll returns all points of a series, in memory of their own.
func (r *seriesReader) readAll(ctx context.Context, s *seriesView, start, end int64) ([]Block, error) {
	var blocks []Block
	r.open(s, start, end)
	for {
		points, err := r.next(ctx)
		if err != nil || points.len() == 0 {
			return blocks, err
		}
		blocks = append(blocks, Block{s.Series, slices.Clone(points.times), slices.Clone(points.values)})
	}
}

func (p *parallelSource) next(ctx context.Context) (Block, error) {
	for len(p.current) == 0 {
		result, ok := <-p.ordered
		if !ok {
			return Block{}, ctx.Err()
		}
		r := <-result
		if r.err != nil {
			return Block{}, r.err
		}
		p.current = r.blocks
	}
	block := p.current[0]
	p.current = p.current[1:]
	return block, nil
}

func (p *parallelSource) close() {
	p.cancel()
	p.workers.Wait()
}
