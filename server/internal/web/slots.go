package web

import (
	"context"
	"net/http"
	"sync/atomic"
	"time"
)

// slots bound how many requests of a kind are served at a time.
type slots struct {
	free    chan struct{}
	waiting atomic.Int64
}

func newSlots(n int) *slots { return &slots{free: make(chan struct{}, n)} }

// acquire takes a slot, waiting for it no longer than wait and ctx allow.
func (s *slots) acquire(ctx context.Context, wait time.Duration) bool {
	select {
	case s.free <- struct{}{}:
		return true
	default:
	}
	s.waiting.Add(1)
	defer s.waiting.Add(-1)
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case s.free <- struct{}{}:
		return true
	case <-timer.C:
	case <-ctx.Done():
	}
	return false
}

func (s *slots) release() { <-s.free }

// heldSlot is the slot of a request. While the request waits for its client it gives the
// slot to others: a few slow clients would block all the rest otherwise.
type heldSlot struct {
	slots *slots
	wait  time.Duration
	query bool // else it is one for storing points
	held  bool
}

// acquire takes the slot. The nil slot is one that needs no room.
func (h *heldSlot) acquire(ctx context.Context) error {
	if h == nil || h.held {
		return nil
	}
	if h.held = h.slots.acquire(ctx, h.wait); h.held {
		return nil
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if h.query {
		return &Error{Status: 429, Code: CodeTooManyQueries, Message: "too many queries at a time; try again in a moment", RetryAfter: time.Second}
	}
	return &Error{Status: 503, Code: CodeOverloaded, Message: "too many requests wait to be stored; nothing of this one was, sending it again later is safe", RetryAfter: 10 * time.Second}
}

func (h *heldSlot) release() {
	if h != nil && h.held {
		h.held = false
		h.slots.release()
	}
}

// takeSlot gives a request its slot, after its body has come in: that of a query is
// collected here, and other handlers get their slot when they have read.
func (s *Server) takeSlot(c *call, slot Slot, r *http.Request) error {
	switch slot {
	case IngestSlot:
		c.slot = &heldSlot{slots: s.ingest, wait: s.limits.IngestWait}
		if c.body != nil {
			return nil
		}
	case QuerySlot:
		if err := c.collectQuery(r); err != nil {
			return err
		}
		c.slot = &heldSlot{slots: s.query, wait: s.limits.QueryWait, query: true}
	}
	return c.slot.acquire(c.ctx)
}

// Load is how busy a server is.
type Load struct {
	IngestBusy, IngestWaiting int   // requests that store points
	QueryBusy, QueryWaiting   int   // queries
	BodiesBytes               int64 // bodies held in memory
}

// Load returns how busy the server is at this moment.
func (s *Server) Load() Load {
	return Load{
		IngestBusy:    len(s.ingest.free),
		IngestWaiting: int(s.ingest.waiting.Load()),
		QueryBusy:     len(s.query.free),
		QueryWaiting:  int(s.query.waiting.Load()),
		BodiesBytes:   s.bodies.used.Load(),
	}
}

// budget is a number of bytes to be shared.
type budget struct {
	max  int64
	used atomic.Int64
}

// take takes n bytes, if there are so many.
func (b *budget) take(n int64) bool {
	if b.used.Add(n) <= b.max {
		return true
	}
	b.used.Add(-n)
	return false
}

func (b *budget) give(n int64) { b.used.Add(-n) }
