package engine

import (
	"context"
	"sync"
)

// worker does tasks by their numbers. It belongs to one goroutine and may keep memory
// from one task to the next.
type worker[T any] interface {
	do(ctx context.Context, task int) (T, error)
	close()
}

// orderedResults does tasks at the same time and yields their results in order: at most
// two for each worker, and two more, exist. A single worker works in the goroutine that
// asks for results.
type orderedResults[T any] struct {
	cancel  context.CancelFunc
	workers sync.WaitGroup
	results chan chan result[T] // one per task, in order

	alone       worker[T]
	done, tasks int // of that worker
}

type result[T any] struct {
	value T
	err   error
}

type assignment[T any] struct {
	task   int
	result chan result[T]
}

// startOrdered begins with tasks 0 to n-1.
func startOrdered[T any](ctx context.Context, n int, workers []worker[T]) *orderedResults[T] {
	if len(workers) == 1 {
		return &orderedResults[T]{alone: workers[0], tasks: n}
	}
	ctx, cancel := context.WithCancel(ctx)
	p := &orderedResults[T]{cancel: cancel, results: make(chan chan result[T], len(workers))}
	assignments := make(chan assignment[T])
	p.workers.Go(func() {
		defer close(assignments)
		defer close(p.results)
		for i := range n {
			a := assignment[T]{i, make(chan result[T], 1)}
			select {
			case p.results <- a.result:
			case <-ctx.Done():
				return
			}
			select {
			case assignments <- a:
			case <-ctx.Done():
				a.result <- result[T]{err: ctx.Err()}
				return
			}
		}
	})
	for _, w := range workers {
		p.workers.Go(func() {
			defer w.close()
			for a := range assignments {
				value, err := w.do(ctx, a.task)
				a.result <- result[T]{value, err}
			}
		})
	}
	return p
}

// next returns the next result; ok is false at the end. It fails with the error of a
// task, and when ctx ends.
func (p *orderedResults[T]) next(ctx context.Context) (value T, ok bool, err error) {
	if p.alone != nil {
		if p.done == p.tasks || ctx.Err() != nil {
			return value, false, ctx.Err()
		}
		p.done++
		value, err = p.alone.do(ctx, p.done-1)
		return value, err == nil, err
	}
	r, ok := <-p.results
	if !ok {
		return value, false, ctx.Err()
	}
	got := <-r
	return got.value, got.err == nil, got.err
}

// close gives up what is not done yet, and waits for the workers to end.
func (p *orderedResults[T]) close() {
	if p.alone != nil {
		p.alone.close()
		return
	}
	p.cancel()
	p.workers.Wait()
}
