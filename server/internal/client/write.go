package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/sydradb/sydradb"
	"github.com/sydradb/sydradb/server/internal/ingest"
	"github.com/sydradb/sydradb/server/internal/render"
)

const (
	// bodyBytes is where a batch is cut into another request. Chunks of an ingest.Job are
	// smaller but for lines whose tags stand for very many fields; servers take 32 MiB.
	bodyBytes = 16 << 20
	// maxLines bounds the memory of a Writer for inputs with very many series.
	maxLines = 1 << 16
	// patience is how long a request is tried again.
	patience = 5 * time.Minute
)

// Writer stores batches on a server: one batch, one request, so that the server stores
// all of it or nothing. It is an ingest.Database. Series are resolved here, by a
// database in memory without points, and the server gets their names.
type Writer struct {
	c        *Client
	registry *sydradb.DB
	ctx      context.Context
	encoder  *zstd.Encoder
	lines    map[*sydradb.Series]*render.Line
	text     []byte
	body     []byte
	reached  bool // the server has answered before

	// Waiting, if set, is told why a request is tried again, and when.
	Waiting func(why error, after time.Duration)

	wait func(ctx context.Context, d time.Duration) error // replaced by tests
}

// NewWriter returns a writer, which must be closed. A request that waits to be tried
// again is given up when ctx ends; one that is under way is not.
func (c *Client) NewWriter(ctx context.Context) (*Writer, error) {
	registry, err := sydradb.Open("", &sydradb.Options{InMemory: true})
	if err != nil {
		return nil, err
	}
	encoder, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1))
	if err != nil {
		return nil, errors.Join(err, registry.Close())
	}
	return &Writer{
		c: c, registry: registry, ctx: ctx, encoder: encoder,
		lines: make(map[*sydradb.Series]*render.Line), wait: wait,
	}, nil
}

// Close releases what the writer holds.
func (w *Writer) Close() error { return errors.Join(w.encoder.Close(), w.registry.Close()) }

// Series returns a handle of the series with this name and these tags.
func (w *Writer) Series(name string, tags ...sydradb.Tag) (*sydradb.Series, error) {
	return w.registry.Series(name, tags...)
}

// SeriesByID returns a handle of the series with this id.
func (w *Writer) SeriesByID(id sydradb.SeriesID, tags ...sydradb.Tag) (*sydradb.Series, error) {
	return w.registry.SeriesByID(id, tags...)
}

// Horizon returns sydradb.MinTime: what is too old is for the server to say.
func (w *Writer) Horizon(string) int64 { return sydradb.MinTime }

// Write stores a batch on the server and returns when that has acknowledged it. While
// the server is busy or away, after it has answered before, Write tries again for some
// minutes. An *ingest.DeclinedError counts points that the server does not take; the
// others are stored then.
func (w *Writer) Write(ctx context.Context, b *sydradb.Batch) error {
	var (
		declined ingest.DeclinedError
		points   int
		failed   error
	)
	w.text = w.text[:0]
	send := func() {
		if failed == nil && points > 0 {
			failed = w.send(ctx, points, &declined)
		}
		w.text, points = w.text[:0], 0
	}
	b.DeleteFunc(func(s *sydradb.Series, ts int64, value float64) bool {
		w.text = w.line(s).Append(w.text, ts, value)
		if points++; len(w.text) >= bodyBytes {
			send()
		}
		return false
	})
	send()
	if failed == nil && declined.Points > 0 {
		return &declined
	}
	return failed
}

func (w *Writer) line(s *sydradb.Series) *render.Line {
	l := w.lines[s]
	if l == nil {
		if len(w.lines) >= maxLines {
			clear(w.lines)
		}
		l = render.LineOf(s)
		w.lines[s] = l
	}
	return l
}

// send stores what is in w.text, some points, and adds up those that were declined.
func (w *Writer) send(ctx context.Context, points int, declined *ingest.DeclinedError) error {
	w.body = w.encoder.EncodeAll(w.text, w.body[:0])
	began, pause := time.Duration(0), time.Second
	for {
		err := w.post(ctx, points, declined)
		if err == nil {
			w.reached = true
			return nil
		}
		after, ok := w.again(err)
		if !ok || began >= patience {
			return err
		}
		after = min(max(after, pause), time.Minute)
		pause *= 2
		if w.Waiting != nil {
			w.Waiting(err, after)
		}
		if w.wait(w.ctx, after) != nil {
			return err
		}
		began += after
	}
}

// again reports whether a request that failed may be sent once more, and after how long
// at the earliest. To write points a second time is harmless.
func (w *Writer) again(err error) (after time.Duration, ok bool) {
	var (
		refused *Error
		away    *UnreachableError
	)
	switch {
	case errors.As(err, &refused):
		return refused.RetryAfter, refused.Retryable()
	case errors.As(err, &away):
		return 0, w.reached
	}
	return 0, false
}

// post sends a request once.
func (w *Writer) post(ctx context.Context, points int, declined *ingest.DeclinedError) error {
	resp, err := w.c.do(ctx, request{method: http.MethodPost, path: "/api/v1/ingest", body: w.body, encoding: "zstd"})
	var refused *Error
	if errors.As(err, &refused) && refused.Status == http.StatusBadRequest && refused.accepted+refused.rejected == points {
		// Everything was looked at, and some of it was stored.
		decline(declined, refused.rejected, refused.why)
		return nil
	}
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var answer struct {
		Ingested int      `json:"ingested"`
		Rejected int      `json:"rejected"`
		Errors   []string `json:"errors"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return &UnreachableError{URL: w.c.URL(), Err: fmt.Errorf("the answer broke off: %w", err)}
	}
	if answer.Ingested+answer.Rejected != points {
		return fmt.Errorf("%s took %d and refused %d of %d points", w.c.URL(), answer.Ingested, answer.Rejected, points)
	}
	decline(declined, answer.Rejected, answer.Errors)
	return nil
}

var lineNumber = regexp.MustCompile(`^line \d+: `)

// decline adds n points to those that were declined. Lines are those of the request, of
// which nobody else knows.
func decline(declined *ingest.DeclinedError, n int, why []string) {
	declined.Points += n
	for _, text := range why {
		declined.Why = append(declined.Why, lineNumber.ReplaceAllString(text, ""))
	}
}

// wait waits for d, or until ctx ends, whose error it returns.
func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
