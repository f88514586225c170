package engine

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/tombstone"
)

// request is a batch, or a deletion, on its way through the writer loop.
type request struct {
	frame    []byte     // encoded record, without its LSNs
	rows     []base.Row // the caller's, read when the record is applied
	start    int64      // least and greatest time in rows
	end      int64
	regs     []base.Registration  // of series that the log does not know yet
	deaths   uint64               // registry.deaths when it was encoded
	deletion *tombstone.Tombstone // instead of rows; its LSN is set when it is applied
	done     chan error           // receives the outcome once
	timer    *time.Timer
}

// requests keeps requests that are not in use. Each engine has its own, as timers
// must not wander between the bubbles of tests with virtual time.
type requests struct{ pool sync.Pool }

func (p *requests) get() *request {
	if r, ok := p.pool.Get().(*request); ok {
		return r
	}
	timer := time.NewTimer(time.Hour)
	timer.Stop()
	return &request{done: make(chan error, 1), timer: timer}
}

// put takes r back. Requires: the writer loop is done with it.
func (p *requests) put(r *request) {
	r.timer.Stop()
	r.rows, r.deletion = nil, nil
	r.regs = r.regs[:0]
	if cap(r.regs) > 1<<13 {
		r.regs = nil
	}
	if cap(r.frame) > 1<<20 {
		r.frame = nil
	}
	p.pool.Put(r)
}

// queue is where batches wait for the writer loop. It holds at most limit bytes of
// encoded records, or a single larger one; beyond that, writers wait in put.
type queue struct {
	limit int
	ready chan struct{} // holds a token while requests wait for the loop

	mu struct {
		sync.Mutex
		waiting []*request
		bytes   int
		blocked int           // writers that wait for room
		room    chan struct{} // closed and replaced when bytes falls under their eyes
		closed  bool
	}
}

func newQueue(limit int) *queue {
	q := &queue{limit: limit, ready: make(chan struct{}, 1)}
	q.mu.room = make(chan struct{})
	return q
}

// put appends r, waiting for room until ctx or r.timer ends. The caller then takes what
// waits, or wakes the loop to do so.
func (q *queue) put(ctx context.Context, r *request) error {
	for {
		q.mu.Lock()
		if q.mu.closed {
			q.mu.Unlock()
			return ErrClosed
		}
		if q.mu.bytes == 0 || q.mu.bytes+len(r.frame) <= q.limit {
			q.mu.waiting = append(q.mu.waiting, r)
			q.mu.bytes += len(r.frame)
			q.mu.Unlock()
			return nil
		}
		room := q.mu.room
		q.mu.blocked++
		q.mu.Unlock()
		select {
		case <-room:
		case <-ctx.Done():
			return ctx.Err()
		case <-r.timer.C:
			return ErrOverloaded
		}
	}
}

// wait returns the outcome of r, which was put before. taken reports whether the loop
// may still use r, so that its memory must be left alone.
func (q *queue) wait(ctx context.Context, r *request) (taken bool, err error) {
	var cause error
	select {
	case err := <-r.done:
		return false, err
	case <-ctx.Done():
		cause = ctx.Err()
	case <-r.timer.C:
		cause = ErrOverloaded
	}
	if q.withdraw(r) {
		return false, cause
	}
	if cause != ErrOverloaded {
		return true, fmt.Errorf("%w: %w", cause, errUnknownOutcome)
	}
	// The loop has it, so the outcome is coming: a slow disk, but not a lost batch.
	select {
	case err := <-r.done:
		return false, err
	case <-ctx.Done():
		return true, fmt.Errorf("%w: %w", ctx.Err(), errUnknownOutcome)
	}
}

// withdraw takes r out of the queue and reports whether it was still there.
func (q *queue) withdraw(r *request) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	for i, w := range q.mu.waiting {
		if w == r {
			q.mu.waiting = append(q.mu.waiting[:i], q.mu.waiting[i+1:]...)
			q.releaseLocked(len(r.frame))
			return true
		}
	}
	return false
}

// take appends to group the requests that wait, oldest first, up to maxGroupBytes of
// records but at least one. A deletion ends its group: it may copy much of the memtable,
// with readers kept out, and the loop looks at what memory holds before the next.
func (q *queue) take(group []*request) []*request {
	q.mu.Lock()
	defer q.mu.Unlock()
	n, bytes := 0, 0
	for n < len(q.mu.waiting) && (n == 0 || bytes+len(q.mu.waiting[n].frame) <= maxGroupBytes) {
		r := q.mu.waiting[n]
		bytes += len(r.frame)
		n++
		if r.deletion != nil {
			break
		}
	}
	group = append(group, q.mu.waiting[:n]...)
	rest := copy(q.mu.waiting, q.mu.waiting[n:])
	clear(q.mu.waiting[rest:])
	q.mu.waiting = q.mu.waiting[:rest]
	if n > 0 {
		q.releaseLocked(bytes)
	}
	if rest > 0 {
		q.wake()
	}
	return group
}

// len returns how many requests wait.
func (q *queue) len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.mu.waiting)
}

// size returns how many requests wait, and the bytes of their records.
func (q *queue) size() (requests, bytes int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.mu.waiting), q.mu.bytes
}

// close refuses later puts; what waits already is still served.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.mu.closed = true
	q.releaseLocked(0)
}

// releaseLocked gives back bytes and lets writers that wait for room try again.
// Requires: q.mu.
func (q *queue) releaseLocked(bytes int) {
	q.mu.bytes -= bytes
	if q.mu.blocked > 0 {
		q.mu.blocked = 0
		close(q.mu.room)
		q.mu.room = make(chan struct{})
	}
}

// wake lets the loop know that requests wait.
func (q *queue) wake() {
	select {
	case q.ready <- struct{}{}:
	default:
	}
}
