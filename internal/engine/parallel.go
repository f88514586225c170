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

// orderedResults does tasks at the same time and yields their results in order: at most two for
// each worker, and two more, exist.
type orderedResults[T any] struct {
	cancel  context.CancelFunc
	workers sync.WaitGroup
	results chan chan result[T] // one per task, in order
}

type result[T any] struct {
	value T
	err   error
}

type assignment[T any] struct {
	task   int
	result chan result[T]
}

// startOrdered begins with tasks 0 to n-1, each worker in a goroutine of its own.
func startOrdered[T any](ctx context.Context, n int, workers []worker[T]) *orderedResults[T] {
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
	r, ok := <-p.results
	if !ok {
		return value, false, ctx.Err()
	}
	got := <-r
	return got.value, got.err == nil, got.err
}

// close gives up what is not done yet, and waits for the workers to end.
func (p *orderedResults[T]) close() {
	p.cancel()
	p.workers.Wait()
}
