package native

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/sydradb/sydradb"
	"github.com/sydradb/sydradb/server/internal/render"
	"github.com/sydradb/sydradb/server/internal/web"
)

// streamBytes is what is sent at a time.
const streamBytes = 64 << 10

// stream is an answer that is sent while it is made. The time for making it stands still
// while the client takes what was sent.
type stream struct {
	ctx    context.Context // ends when the time is up, or the client goes away
	cancel context.CancelCauseFunc
	w      http.ResponseWriter
	r      *http.Request
	lines  bool // the client reads lines, of which one can be an error

	buf   []byte // not sent yet
	begun bool   // something was sent
	timer *time.Timer
	since time.Time     // when the time went on
	left  time.Duration // then
}

// newStream begins an answer; close must be called.
func (a *api) newStream(w http.ResponseWriter, r *http.Request, contentType string) *stream {
	s := &stream{w: w, r: r, since: time.Now(), left: a.Limits.Timeout}
	s.ctx, s.cancel = context.WithCancelCause(r.Context())
	s.timer = time.AfterFunc(s.left, func() { s.cancel(context.DeadlineExceeded) })
	total, stop := context.WithTimeout(s.ctx, totalTimeouts*s.left)
	context.AfterFunc(s.ctx, stop)
	s.ctx = total
	w.Header().Set("Content-Type", contentType)
	return s
}

func (s *stream) close() {
	s.timer.Stop()
	s.cancel(nil)
}

// flush sends what is there if it is at least so much.
func (s *stream) flush(least int) error {
	if len(s.buf) < least || len(s.buf) == 0 {
		return nil
	}
	s.timer.Stop()
	if s.left -= time.Since(s.since); s.left < 0 {
		return context.DeadlineExceeded
	}
	s.begun = true
	_, err := s.w.Write(s.buf)
	s.buf = s.buf[:0]
	s.since = time.Now()
	s.timer.Reset(s.left)
	return err
}

// end ends the answer: with what is left or, if err is not nil, so that nobody takes it
// for a whole one.
func (s *stream) end(err error) {
	if err == nil {
		err = s.flush(1)
	}
	if err == nil {
		return
	}
	if cause := context.Cause(s.ctx); cause != nil {
		err = cause
	}
	if s.begun && s.lines {
		s.sendError(err)
	}
	if !s.begun {
		s.buf = nil
	}
	web.Fail(s.w, s.r, err)
}

// sendError sends what is left, whole lines, and one that says why no more follow: the
// error as it would be answered.
func (s *stream) sendError(err error) {
	line := errorLine{header: make(http.Header)}
	web.Fail(&line, &http.Request{URL: &url.URL{}}, err)
	s.buf = append(s.buf, line.text...)
	if _, err := s.w.Write(s.buf); err == nil {
		_ = http.NewResponseController(s.w).Flush() // what follows cuts the connection
	}
}

// errorLine takes the answer to an error, which is one line of JSON.
type errorLine struct {
	header http.Header
	text   []byte
}

func (l *errorLine) Header() http.Header { return l.header }
func (l *errorLine) WriteHeader(int)     {}
func (l *errorLine) Write(b []byte) (int, error) {
	l.text = append(l.text, b...)
	return len(b), nil
}

// errEnough ends a reading that has reached its limit.
var errEnough = errors.New("enough points")

// read calls do with the points of sel, or the windows of agg, up to limit unless it is 0.
func (a *api) read(ctx context.Context, sel sydradb.Selector, q *pointsQuery, do func(render.Block) error) error {
	left := q.limit
	limited := func(b render.Block) error {
		if q.limit == 0 {
			return do(b)
		}
		n := min(left, len(b.Times))
		left -= n
		b.Times, b.Values = b.Times[:n], b.Values[:n]
		if err := do(b); err != nil || left > 0 {
			return err
		}
		return errEnough
	}
	var err error
	if q.aggregates {
		err = a.readWindows(ctx, sel, q, limited)
	} else {
		err = a.readPoints(ctx, sel, q, limited)
	}
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}

func (a *api) readPoints(ctx context.Context, sel sydradb.Selector, q *pointsQuery, do func(render.Block) error) error {
	it, err := a.DB.Query(ctx, sydradb.Query{
		Selector: sel, Start: q.start, End: q.end, MaxSeries: a.Limits.Series, MaxPoints: a.Limits.Points,
	})
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

func (a *api) readWindows(ctx context.Context, sel sydradb.Selector, q *pointsQuery, do func(render.Block) error) error {
	agg := q.agg
	agg.Selector, agg.Start, agg.End = sel, q.start, q.end
	agg.MaxSeries, agg.MaxPoints, agg.MaxWindows = a.Limits.Series, a.Limits.Points, a.Limits.Windows
	it, err := a.DB.Aggregate(ctx, agg)
	if err != nil {
		return err
	}
	defer it.Close()
	for it.Next() {
		r := it.Result()
		if err := do(render.Block{Series: render.WindowsOf(&r, agg.Functions[0]), Times: r.Times, Values: r.Values[0]}); err != nil {
			return err
		}
	}
	return it.Err()
}
