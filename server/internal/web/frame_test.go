package web

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/sydradb/sydradb"
)

func TestErrorsInTheStyleOfTheRoute(t *testing.T) {
	var err error
	fail := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { Fail(w, r, err) })
	var noted error
	s := newServer(t, Config{OnError: func(err error) { noted = err }},
		Route{Pattern: "GET /native", Name: "n", Handler: fail},
		Route{Pattern: "GET /prometheus", Name: "p", Style: Prometheus, Handler: fail},
		Route{Pattern: "GET /influx", Name: "i", Style: Influx, Handler: fail},
		Route{Pattern: "GET /api/v2/x", Name: "i2", Style: Influx, Handler: fail})
	get := func(path string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		return w
	}
	err = &Error{Status: 400, Code: "too_old", Message: "no", Accepted: 3, Rejected: map[string]int{"too_old": 2}}
	for path, want := range map[string]string{
		"/native":     `{"error":{"code":"too_old","message":"no","accepted":3,"rejected":{"too_old":2}}}`,
		"/prometheus": `{"status":"error","errorType":"bad_data","error":"no"}`,
		"/influx":     `{"error":"no"}`,
		"/api/v2/x":   `{"code":"invalid","message":"no"}`,
	} {
		if w := get(path); w.Code != 400 || strings.TrimSpace(w.Body.String()) != want || w.Header().Get("Content-Type") != "application/json" {
			t.Errorf("%s: %d, %s", path, w.Code, w.Body)
		}
	}
	for _, tt := range []struct {
		err    error
		status int
		code   string
		kind   string // of Prometheus
	}{
		{sydradb.ErrDiskFull, 503, "disk_full", "unavailable"},
		{sydradb.ErrStorageFailed, 503, "storage_failed", "unavailable"},
		{sydradb.ErrClosed, 503, "draining", "unavailable"},
		{sydradb.ErrOverloaded, 503, "overloaded", "unavailable"},
		{sydradb.ErrBusy, 503, "overloaded", "unavailable"},
		{sydradb.ErrReadOnly, 503, "read_only", "unavailable"},
		{sydradb.ErrTooLarge, 413, "too_large", "bad_data"},
		{&http.MaxBytesError{Limit: 7}, 413, "too_large", "bad_data"},
		{sydradb.ErrSeriesLimit, 400, "series_limit", "bad_data"},
		{sydradb.ErrTooOld, 400, "too_old", "bad_data"},
		{sydradb.ErrInvalidSeries, 400, "bad_request", "bad_data"},
		{sydradb.ErrInvalidQuery, 400, "bad_request", "bad_data"},
		{sydradb.ErrLimit, 422, "query_limit", "execution"},
		{&sydradb.CorruptionError{}, 500, "corrupt_data", "internal"},
		{context.DeadlineExceeded, 503, "query_timeout", "timeout"},
		{context.Canceled, 503, "canceled", "canceled"},
		{&fs.PathError{Op: "read", Path: "/secret", Err: errors.New("EIO")}, 500, "io_error", "internal"},
		{errors.New("who knows /secret"), 500, "internal", "internal"},
	} {
		err = fmt.Errorf("while testing: %w", tt.err)
		w := get("/native")
		if w.Code != tt.status || !strings.Contains(w.Body.String(), `"code":"`+tt.code+`"`) || strings.Contains(w.Body.String(), "/secret") {
			t.Errorf("%v: %d, %s; want %d, %s", err, w.Code, w.Body, tt.status, tt.code)
		}
		if retry := w.Header().Get("Retry-After"); (retry != "") != (tt.status == 503) {
			t.Errorf("%v: Retry-After %q", err, retry)
		}
		if w := get("/prometheus"); !strings.Contains(w.Body.String(), `"errorType":"`+tt.kind+`"`) {
			t.Errorf("%v: %s; want %s", err, w.Body, tt.kind)
		}
		if noted != err {
			t.Errorf("OnError was given %v, want %v", noted, err)
		}
	}
}

func TestPathsWithoutARoute(t *testing.T) {
	s := New(Config{})
	early := []Route{{Pattern: "GET /health", Name: "health", Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})}}
	if err := s.Mount(true, early); err != nil {
		t.Fatal(err)
	}
	ask := func(method, path string) string {
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequest(method, path, nil))
		return fmt.Sprint(w.Code, " ", w.Header().Get("Allow"), " ", strings.TrimSpace(w.Body.String()))
	}
	for request, want := range map[string]string{
		"GET /health":            "200",
		"GET /api/v1/query":      `503  {"status":"error","errorType":"unavailable","error":"the server is starting`,
		"POST /write":            `503  {"error":"the server is starting`,
		"POST /api/v2/write":     `503  {"code":"unavailable","message":"the server is starting`,
		"POST /api/v1/ingest":    `503  {"error":{"code":"starting"`,
		"GET /api/v1/query/find": `503  {"error":{"code":"starting"`,

		"POST /influx/api/v2/write":        `503  {"code":"unavailable","message":"the server is starting`,
		"GET /influx/ping":                 `503  {"error":"the server is starting`,
		"GET /api/v1/query/select":         `503  {"error":{"code":"starting"`,
		"POST /api/v1/admin/delete":        `503  {"error":{"code":"starting"`,
		"POST /api/v1/admin/tsdb/snapshot": `503  {"status":"error"`,
	} {
		method, path, _ := strings.Cut(request, " ")
		if got := ask(method, path); !strings.HasPrefix(got, want) {
			t.Errorf("starting, %s: %s; want %s", request, got, want)
		}
	}
	if err := s.Mount(false, early, []Route{{Pattern: "POST /api/v1/x", Name: "x", Handler: http.HandlerFunc(echo)}}); err != nil {
		t.Fatal(err)
	}
	for request, want := range map[string]string{
		"HEAD /health":     "200",
		"DELETE /health":   `405 GET, HEAD {"error":{"code":"method_not_allowed"`,
		"GET /api/v1/x":    `405 POST {"status":"error"`,
		"POST /nothing":    `404  {"error":{"code":"not_found"`,
		"GET /api/v1/none": `404  {"status":"error","errorType":"not_found"`,
	} {
		method, path, _ := strings.Cut(request, " ")
		if got := ask(method, path); !strings.HasPrefix(got, want) {
			t.Errorf("%s: %s; want %s", request, got, want)
		}
	}
}

func TestRoutesThatCannotBe(t *testing.T) {
	s := New(Config{})
	fine := http.HandlerFunc(echo)
	for _, routes := range [][]Route{
		{{Pattern: "GET /a", Name: "a", Handler: fine}, {Pattern: "GET /a", Name: "b", Handler: fine}},
		{{Pattern: "not a pattern", Name: "a", Handler: fine}},
		{{Pattern: "GET /a", Handler: fine}},
		{{Pattern: "GET /a", Name: "a"}},
	} {
		if err := s.Mount(false, routes); err == nil {
			t.Errorf("%v: no error", routes)
		}
	}
}

// counts is an Observer.
type counts map[string]int

func (c counts) ObserveRequest(handler string, status int, _ time.Duration) {
	c[fmt.Sprint(handler, " ", status)]++
}
func (c counts) ObservePanic(handler string) { c[handler+" panics"]++ }

func TestPanicsAreAnswered(t *testing.T) {
	var log bytes.Buffer
	seen := counts{}
	s := newServer(t, Config{Logger: slog.New(slog.NewTextHandler(&log, nil)), Observer: seen},
		Route{Pattern: "GET /panic", Name: "p", Slot: QuerySlot, Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			var none []int
			none[len(r.URL.Path)] = 1
		})})
	r := httptest.NewRequest("GET", "/panic?secret=query-canary", nil)
	r.Header.Set("X-Custom", "header-canary")
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	wantFail(t, s, w, 500, CodeInternal)
	if !strings.Contains(log.String(), "frame_test.go") || strings.Contains(log.String(), "canary") {
		t.Errorf("the log: %s", &log)
	}
	if seen["p panics"] != 1 || seen["p 500"] != 1 || seen["echo 200"] != 1 || s.Load() != (Load{}) {
		t.Errorf("seen: %v, load %+v", seen, s.Load())
	}
}

func TestHeadersOfEveryAnswer(t *testing.T) {
	s := newServer(t, Config{}, Route{Pattern: "GET /page", Name: "p", Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Security-Policy", "default-src 'self'")
	})})
	for path, policy := range map[string]string{"/page": "default-src 'self'", "/none": "default-src 'none'"} {
		r := httptest.NewRequest("GET", path, nil)
		r.Header.Set("Origin", "https://elsewhere.example")
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		h := w.Header()
		if h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Cache-Control") != "no-store" || h.Get("Content-Security-Policy") != policy || h.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: %v", path, h)
		}
	}
}

func TestOtherSitesCannotWrite(t *testing.T) {
	s := newServer(t, Config{})
	for _, header := range [][2]string{{"Sec-Fetch-Site", "cross-site"}, {"Origin", "https://elsewhere.example"}} {
		r := httptest.NewRequest("POST", "/echo", strings.NewReader("x"))
		r.Header.Set(header[0], header[1])
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		wantFail(t, s, w, 403, "forbidden")
	}
}

func TestRefuse(t *testing.T) {
	refusal := error(sydradb.ErrDiskFull)
	s := newServer(t, Config{Refuse: func(r *Route) error {
		if r.Slot == IngestSlot {
			return refusal
		}
		return nil
	}})
	w := post(s, "/echo", "", []byte("x"))
	refusal = nil
	wantFail(t, s, w, 503, CodeDiskFull)
}

// An answer that cannot be finished is cut off, so that nobody takes it for the whole.
func TestAnErrorInTheMiddleCutsTheAnswer(t *testing.T) {
	s := newServer(t, Config{}, Route{Pattern: "GET /half", Name: "h", Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, strings.Repeat("x", 100_000))
		w.(http.Flusher).Flush()
		Fail(w, r, sydradb.ErrCorrupt)
	})})
	h := httptest.NewServer(s)
	defer h.Close()
	response, err := h.Client().Get(h.URL + "/half")
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(response.Body)
	if err == nil || response.StatusCode != 200 || strings.Contains(string(body), "corrupt") {
		t.Errorf("%d, %d bytes, %v: it looks whole", response.StatusCode, len(body), err)
	}
	_ = response.Body.Close()
}

// Handlers that are tested without a server get its defaults.
func TestHandlersAlone(t *testing.T) {
	w := httptest.NewRecorder()
	r := httptest.NewRequest("POST", "/echo", bytes.NewReader(compressions["gzip"]([]byte("text"))))
	r.Header.Set("Content-Encoding", "gzip")
	echo(w, r)
	if w.Code != 200 || w.Body.String() != "text" {
		t.Errorf("%d, %s", w.Code, w.Body)
	}
	w = httptest.NewRecorder()
	Fail(w, httptest.NewRequest("GET", "/api/v1/query", nil), sydradb.ErrLimit)
	if w.Code != 422 || !strings.Contains(w.Body.String(), "errorType") {
		t.Errorf("%d, %s", w.Code, w.Body)
	}
}
