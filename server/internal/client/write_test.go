package client

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/sydradb/sydradb"
)

// scripted answers requests by a list, and the last one for ever. A status of 0 cuts the
// connection.
type scripted struct {
	answers []scriptedAnswer
	n       int
}

type scriptedAnswer struct {
	status     int
	retryAfter string
	body       string
}

func (s *scripted) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	a := s.answers[min(s.n, len(s.answers)-1)]
	s.n++
	if a.status == 0 {
		panic(http.ErrAbortHandler)
	}
	if a.retryAfter != "" {
		w.Header().Set("Retry-After", a.retryAfter)
	}
	w.WriteHeader(a.status)
	_, _ = io.WriteString(w, a.body)
}

// A request is sent again while the server asks for it, as late as it asks for.
func TestRetries(t *testing.T) {
	fine := scriptedAnswer{200, "", `{"ingested":1,"rejected":0,"errors":[]}`}
	full := scriptedAnswer{503, "20", `{"error":{"code":"disk_full","message":"full"}}`}
	for name, tt := range map[string]struct {
		answers []scriptedAnswer
		waits   []time.Duration // the first ones
		want    error
		total   int // requests
	}{
		"at once":          {[]scriptedAnswer{fine}, nil, nil, 1},
		"busy":             {[]scriptedAnswer{{429, "3", ""}, {503, "", ""}, {502, "0", ""}, fine}, []time.Duration{3 * time.Second, 2 * time.Second, 4 * time.Second}, nil, 4},
		"much too late":    {[]scriptedAnswer{{503, "9999", ""}, fine}, []time.Duration{time.Minute}, nil, 2},
		"for ever":         {[]scriptedAnswer{full}, []time.Duration{20 * time.Second, 20 * time.Second}, sydradb.ErrDiskFull, 0},
		"failed disk":      {[]scriptedAnswer{{503, "1", `{"error":{"code":"storage_failed","message":"x"}}`}}, nil, sydradb.ErrStorageFailed, 1},
		"only reads":       {[]scriptedAnswer{{503, "60", `{"error":{"code":"read_only","message":"x"}}`}}, nil, sydradb.ErrReadOnly, 1},
		"bad request":      {[]scriptedAnswer{{400, "1", `{"error":{"code":"bad_request","message":"x"}}`}}, nil, errAny, 1},
		"never there":      {[]scriptedAnswer{{}}, nil, errAny, 1},
		"another number":   {[]scriptedAnswer{{200, "", `{"ingested":2}`}}, nil, errAny, 1},
		"answer cut first": {[]scriptedAnswer{{200, "", `{"ingested"`}}, nil, errAny, 1},
	} {
		script := &scripted{answers: tt.answers}
		waits, err := writeTo(t, script, 1)
		if tt.want == nil && err != nil || tt.want == errAny && err == nil || tt.want != nil && tt.want != errAny && !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		}
		if tt.total > 0 && script.n != tt.total || len(waits) < len(tt.waits) {
			t.Errorf("%s: %d requests, waited %s", name, script.n, waits)
			continue
		}
		for i, want := range tt.waits {
			if waits[i] != want {
				t.Errorf("%s: waited %s, want %s", name, waits, tt.waits)
			}
		}
		var sum time.Duration
		for _, d := range waits {
			sum += d
		}
		if sum > patience+time.Minute {
			t.Errorf("%s: waited for %s", name, sum)
		}
	}
	// A server that was there may come back.
	script := &scripted{answers: []scriptedAnswer{fine, {}, {}, fine}}
	if waits, err := writeTo(t, script, 2); err != nil || len(waits) != 2 {
		t.Errorf("%v, waited %s", err, waits)
	}
}

var errAny = errors.New("any error")

// writeTo writes n batches of one point and returns for how long it was waited between.
func writeTo(t *testing.T, handler http.Handler, n int) (waits []time.Duration, err error) {
	t.Helper()
	server := httptest.NewServer(handler)
	defer server.Close()
	// Without connections that are kept, each request is sent once.
	c, err := New(Options{URL: server.URL, Transport: &http.Transport{DisableKeepAlives: true}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	w, err := c.NewWriter(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	told := 0
	w.Waiting = func(error, time.Duration) { told++ }
	w.wait = func(_ context.Context, d time.Duration) error {
		waits = append(waits, d)
		return nil
	}
	s, err := w.Series("a")
	if err != nil {
		t.Fatal(err)
	}
	var b sydradb.Batch
	b.Add(s, 1, 1)
	for range n {
		if err = w.Write(context.Background(), &b); err != nil {
			break
		}
	}
	if told != len(waits) {
		t.Errorf("told %d times, waited %d times", told, len(waits))
	}
	return waits, err
}

// The end of its context ends the waiting.
func TestWait(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := wait(ctx, time.Hour); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if err := wait(context.Background(), 0); err != nil {
		t.Error(err)
	}
}
