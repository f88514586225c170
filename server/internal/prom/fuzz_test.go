package prom

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/golang/snappy"
	"github.com/prometheus/prometheus/prompb"

	"github.com/sydradb/sydradb"
	"github.com/sydradb/sydradb/server/internal/dbtest"
	"github.com/sydradb/sydradb/server/internal/web"
)

// newFuzzHandler returns the API behind its frame, with limits that end what is large soon.
func newFuzzHandler(f *testing.F) http.Handler {
	f.Helper()
	db := dbtest.Open(f, sydradb.Options{})
	b := db.NewBatch()
	for _, name := range []string{`m{i="1"}`, `m{i="2"}`, `n{i="1",le="+Inf"}`} {
		s := seriesNamed(f, db, name)
		for j := range int64(50) {
			b.Add(s, j*10_000*nsPerMS, float64(j))
		}
	}
	if err := db.Write(context.Background(), b); err != nil {
		f.Fatal(err)
	}
	api, err := New(Config{DB: db, Limits: Limits{Timeout: 2 * time.Second, Samples: 10_000, MemoryBytes: 20_000 * sampleBytes}})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { api.Close() })
	frame := web.New(web.Config{})
	if err := frame.Mount(false, api.Routes()); err != nil {
		f.Fatal(err)
	}
	return frame
}

// documented are the statuses that these routes may answer.
var documented = map[int]bool{200: true, 400: true, 413: true, 422: true, 503: true}

// FuzzAPI sends text to all routes that take queries, selectors and times.
func FuzzAPI(f *testing.F) {
	h := newFuzzHandler(f)
	paths := []string{"query", "query_range", "series", "labels", "label/i/values", "format_query", "parse_query", "query_exemplars"}
	for i, c := range hostile {
		if len(c.query) < 200 {
			f.Add(uint8(i), c.query, "0", "400", "7")
		}
	}
	for i := range paths {
		f.Add(uint8(i), `rate(m{i=~"1|2"}[1m])`, "-9223309901257974", "9223309901257974", "1y")
		f.Add(uint8(i), `m{i!=""}`, "1970-01-01T00:00:00Z", "NaN", "1e300")
		f.Add(uint8(i), `{__name__=~".+"}`, "1e19", "-1e19", "NaN")
	}
	f.Fuzz(func(t *testing.T, path uint8, text, start, end, step string) {
		form := url.Values{"query": {text}, "match[]": {text}, "time": {end}, "start": {start}, "end": {end}, "step": {step}, "limit": {step}}
		r := httptest.NewRequest(http.MethodGet, "/api/v1/"+paths[int(path)%len(paths)]+"?"+form.Encode(), nil)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code == http.StatusNoContent && r.URL.Path == "/api/v1/query_exemplars" && w.Body.Len() == 0 {
			return // so does Prometheus answer for a query without selectors
		}
		if !documented[w.Code] {
			t.Errorf("%s: status %d: %s", r.URL, w.Code, w.Body)
		}
		if !strings.HasPrefix(w.Body.String(), `{"status":"`) {
			t.Errorf("%s: %s", r.URL, w.Body)
		}
	})
}

// FuzzRemoteRead sends bytes, compressed, to remote read.
func FuzzRemoteRead(f *testing.F) {
	h := newFuzzHandler(f)
	for _, kind := range []prompb.ReadRequest_ResponseType{prompb.ReadRequest_SAMPLES, prompb.ReadRequest_STREAMED_XOR_CHUNKS} {
		r := &prompb.ReadRequest{AcceptedResponseTypes: []prompb.ReadRequest_ResponseType{kind}, Queries: []*prompb.Query{{
			EndTimestampMs: 100_000, Matchers: []*prompb.LabelMatcher{{Type: prompb.LabelMatcher_RE, Name: "__name__", Value: "m|n"}},
			Hints: &prompb.ReadHints{StartMs: 10, EndMs: 1000, Func: "rate", StepMs: 1},
		}}}
		plain, err := r.Marshal()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(plain)
	}
	f.Fuzz(func(t *testing.T, plain []byte) {
		r := httptest.NewRequest(http.MethodPost, "/api/v1/read", bytes.NewReader(snappy.Encode(nil, plain)))
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if !documented[w.Code] {
			t.Errorf("status %d: %s", w.Code, w.Body)
		}
	})
}
