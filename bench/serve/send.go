package serve

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sydradb/sydradb/bench/target"
	"github.com/sydradb/sydradb/bench/wire"
)

const (
	ahead      = 8                     // requests of a connection that are made before they can be sent
	againAfter = 10 * time.Millisecond // when a server is busy
)

// sent is what went to a server.
type sent struct {
	points, requests, bytes int64
	busy                    int64 // answers that said to come again later
}

// request is a body that is to be sent.
type request struct {
	body   []byte
	points int
}

// sender sends the requests of a load.
type sender struct {
	server *target.Server
	path   string
	header map[string]string
	writer *wire.Writer
	made   []chan request // to be sent, by connection if in order
	used   chan request   // whose memory is free

	points, requests, bytes, busy atomic.Int64
}

// send sends the whole load over so many connections, as fast as the server takes it. In
// order, each has series of its own, as in Prometheus, and there are no more of them than
// requests in a scrape; else whichever is free sends the next request.
func (p *Plan) send(ctx context.Context, s *target.Server, format wire.Format, clients int, inOrder bool) (sent, error) {
	each := p.Each
	if each == 0 {
		each = format.Each
	}
	w, err := wire.NewWriter(format, p.Work(), each)
	if err != nil {
		return sent{}, err
	}
	lines := 1
	if inOrder {
		clients = min(clients, w.Parts())
		lines = clients
	}
	out := &sender{
		server: s, path: s.Kind.Write[format.Name], header: format.Header, writer: w,
		made: make([]chan request, lines),
		used: make(chan request, lines*ahead+clients+1),
	}
	for i := range out.made {
		out.made[i] = make(chan request, ahead)
	}
	for range cap(out.used) {
		out.used <- request{}
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var group sync.WaitGroup
	group.Go(func() {
		if err := out.make(ctx); err != nil {
			stop(err)
		}
	})
	for i := range clients {
		group.Go(func() {
			if err := out.post(ctx, out.made[i%lines]); err != nil {
				stop(err)
			}
		})
	}
	group.Wait()
	return sent{out.points.Load(), out.requests.Load(), out.bytes.Load(), out.busy.Load()}, context.Cause(ctx)
}

// make makes the requests.
func (s *sender) make(ctx context.Context) error {
	defer func() {
		for _, made := range s.made {
			close(made)
		}
	}()
	for part := 0; ; part = (part + 1) % s.writer.Parts() {
		var r request
		select {
		case r = <-s.used:
		case <-ctx.Done():
			return nil
		}
		var err error
		if r.body, r.points, err = s.writer.Next(r.body); err != nil || r.points == 0 {
			return err
		}
		select {
		case s.made[part%len(s.made)] <- r:
		case <-ctx.Done():
			return nil
		}
	}
}

// post sends requests, one after the other, over a connection.
func (s *sender) post(ctx context.Context, made <-chan request) error {
	for r := range made {
		for {
			_, err := s.server.Do(ctx, http.MethodPost, s.path, s.header, r.body)
			if err == nil {
				break
			}
			var refused *target.StatusError
			if !errors.As(err, &refused) || refused.Status != http.StatusServiceUnavailable && refused.Status != http.StatusTooManyRequests {
				return err
			}
			s.busy.Add(1)
			select {
			case <-time.After(againAfter):
			case <-ctx.Done():
				return nil
			}
		}
		s.points.Add(int64(r.points))
		s.requests.Add(1)
		s.bytes.Add(int64(len(r.body)))
		s.used <- r
	}
	return nil
}
