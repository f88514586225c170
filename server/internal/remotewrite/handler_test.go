package remotewrite

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golang/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/sydradb/sydradb"
	"github.com/sydradb/sydradb/server/internal/dbtest"
	"github.com/sydradb/sydradb/server/internal/intake"
	"github.com/sydradb/sydradb/server/internal/metadata"
	"github.com/sydradb/sydradb/server/internal/web"
)

const (
	type1 = "application/x-protobuf"
	type2 = "application/x-protobuf;proto=io.prometheus.write.v2.Request"

	ms = int64(1_700_000_000_000) // when the tests take place, about
)

// fixture is a server with the endpoint alone.
type fixture struct {
	t     testing.TB
	db    *sydradb.DB
	h     *handler
	http  http.Handler
	store *metadata.Store
}

func open(t testing.TB, options sydradb.Options, limits intake.Limits) *fixture {
	t.Helper()
	db := dbtest.Open(t, options)
	f := &fixture{t: t, db: db, store: metadata.New(0)}
	routes := Routes(intake.New(db, limits, nil), f.store)
	f.h = routes[0].Handler.(*handler)
	server := web.New(web.Config{})
	if err := server.Mount(false, routes); err != nil {
		t.Fatal(err)
	}
	f.http = server
	return f
}

func openDefault(t testing.TB) *fixture {
	return open(t, sydradb.Options{}, intake.DefaultLimits())
}

// post sends a message, compressed by snappy.
func (f *fixture) post(contentType string, message []byte) *httptest.ResponseRecorder {
	return f.send(contentType, "snappy", snappy.Encode(nil, message))
}

func (f *fixture) send(contentType, encoding string, body []byte) *httptest.ResponseRecorder {
	r := httptest.NewRequest("POST", "/api/v1/write", bytes.NewReader(body))
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	if encoding != "" {
		r.Header.Set("Content-Encoding", encoding)
	}
	w := httptest.NewRecorder()
	f.http.ServeHTTP(w, r)
	return w
}

// stored returns all points, as "series ms value", the value by its bits if it is a NaN.
func (f *fixture) stored() []string {
	f.t.Helper()
	it, err := f.db.Query(f.t.Context(), sydradb.Query{Start: sydradb.MinTime, End: sydradb.MaxTime})
	if err != nil {
		f.t.Fatal(err)
	}
	defer it.Close()
	var out []string
	for it.Next() {
		b := it.Block()
		for i, ts := range b.Times {
			v := fmt.Sprint(b.Values[i])
			if math.IsNaN(b.Values[i]) {
				v = fmt.Sprintf("%#x", math.Float64bits(b.Values[i]))
			}
			out = append(out, fmt.Sprintf("%v %d %s", b.Series, ts/1e6-ms, v))
		}
	}
	if err := it.Err(); err != nil {
		f.t.Fatal(err)
	}
	return out
}

func (f *fixture) expectStored(want ...string) {
	f.t.Helper()
	if got := f.stored(); !slices.Equal(got, want) {
		f.t.Errorf("stored\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// expectFine sends a request that must be fine, after one that was not.
func (f *fixture) expectFine() {
	f.t.Helper()
	for typ, encode := range versions {
		s := tseries{labels: []string{nameLabel, "fine"}, points: []point{{ms + 999, 1}}}
		if w := f.post(typ, encode([]tseries{s})); w.Code != 204 {
			f.t.Errorf("the next request: %d %s", w.Code, w.Body)
		}
	}
}

var versions = map[string]func([]tseries) []byte{type1: encode1, type2: encode2}

// rejection is what an error says.
type rejection struct {
	Error struct {
		Code     string
		Message  string
		Accepted int
		Rejected map[string]int
	}
}

func rejectionOf(t testing.TB, w *httptest.ResponseRecorder) rejection {
	t.Helper()
	var r rejection
	if err := json.Unmarshal(w.Body.Bytes(), &r); err != nil {
		t.Fatalf("%d %q: %v", w.Code, w.Body, err)
	}
	return r
}

var two = []tseries{
	{labels: []string{nameLabel, "a", "host", "h1"}, points: []point{{ms, 1.5}, {ms + 10, -2}}},
	{labels: []string{nameLabel, "b"}, points: []point{{ms, math.Float64frombits(0x7ff0000000000002)}, {ms + 1, 0}}},
}

var twoStored = []string{`a{host="h1"} 0 1.5`, `a{host="h1"} 10 -2`, `b 0 0x7ff0000000000002`, `b 1 0`}

func TestWrite(t *testing.T) {
	packed, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	one, second := encode1(two), encode2(two)
	for _, tt := range []struct {
		name, typ, encoding string
		body                []byte
	}{
		{"1.0", type1, "snappy", snappy.Encode(nil, one)},
		{"1.0 by name", type1 + "; proto=prometheus.WriteRequest", "snappy", snappy.Encode(nil, one)},
		{"1.0 without headers", "", "", snappy.Encode(nil, one)},
		{"1.0 of vmagent", type1, "zstd", packed.EncodeAll(one, nil)},
		{"2.0", type2, "snappy", snappy.Encode(nil, second)},
		{"2.0 with zstd", type2, "zstd", packed.EncodeAll(second, nil)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := openDefault(t)
			for range 3 { // the second time the series are known, and guessed
				w := f.send(tt.typ, tt.encoding, tt.body)
				if w.Code != 204 || w.Body.Len() != 0 {
					t.Fatalf("%d %q", w.Code, w.Body)
				}
				want := ""
				if tt.typ == type2 {
					want = "4 0 0"
				}
				h := w.Header()
				got := strings.TrimSpace(h.Get(headerSamples) + " " + h.Get(headerHistograms) + " " + h.Get(headerExemplars))
				if got != want {
					t.Errorf("written: %q, want %q", got, want)
				}
			}
			f.expectStored(twoStored...)
		})
	}
}

func TestUnsupportedMedia(t *testing.T) {
	f := openDefault(t)
	for _, tt := range []struct {
		typ, encoding string
		status        int
	}{
		{"application/json", "snappy", 415},
		{"application/x-protobuf;proto=io.prometheus.write.v3.Request", "snappy", 415},
		{"application/x-protobuf;proto", "snappy", 415},
		{type1, "br", 415},
		{type1, "snappy, gzip", 415},
		{type1, "zstd", 400},
		{type2, "gzip", 400},
	} {
		w := f.send(tt.typ, tt.encoding, snappy.Encode(nil, encode1(two)))
		if w.Code != tt.status {
			t.Errorf("%s, %s: %d %s", tt.typ, tt.encoding, w.Code, w.Body)
		}
		f.expectFine()
	}
	if w := f.send(type1, "snappy", []byte{0xff, 0xff, 0xff, 0xff, 0x7, 1, 2, 3}); w.Code != 413 {
		t.Errorf("2 GiB claimed: %d %s", w.Code, w.Body)
	}
	f.expectFine()
	f.expectStored("fine 999 1")
}

func manyLabels(n int) []string {
	labels := []string{nameLabel, "many"}
	for i := range n {
		labels = append(labels, fmt.Sprintf("l%03d", i), "v")
	}
	return labels
}

// Part of a request is refused, for a reason, and the rest is stored.
func TestPartialWrites(t *testing.T) {
	p := []point{{ms, 1}, {ms + 1, 2}}
	future := time.Now().Add(2 * time.Hour).UnixMilli()
	for _, tt := range []struct {
		name     string
		bad      tseries
		accepted int // besides the good one
		rejected map[string]int
		explains string
	}{
		{"future", tseries{labels: []string{nameLabel, "a"}, points: []point{{ms, 1}, {future, 1}}}, 1, map[string]int{"too_far_in_future": 1}, "too far in the future: \\\"a\\\""},
		{"no time at all", tseries{labels: []string{nameLabel, "a"}, points: []point{{math.MaxInt64, 1}, {ms, 1}}}, 1, map[string]int{"too_far_in_future": 1}, "too far"},
		{"before time", tseries{labels: []string{nameLabel, "a"}, points: []point{{math.MinInt64, 1}}}, 0, map[string]int{"bad_request": 1}, "before 1823"},
		{"no name", tseries{labels: []string{"host", "a"}, points: p}, 0, map[string]int{"bad_request": 2}, "without __name__: \\\"{host=a}\\\""},
		{"empty name", tseries{labels: []string{nameLabel, ""}, points: p}, 0, map[string]int{"bad_request": 2}, "without __name__"},
		{"no labels", tseries{points: p}, 0, map[string]int{"bad_request": 2}, "without __name__"},
		{"no name, in the future", tseries{labels: []string{"host", "a"}, points: []point{{future, 1}}}, 0, map[string]int{"bad_request": 1}, "without __name__"},
		{"label twice, in the future", tseries{labels: []string{nameLabel, "a", "x", "1", "x", "2"}, points: []point{{future, 1}}}, 0, map[string]int{"bad_request": 1}, "appears twice"},
		{"label twice", tseries{labels: []string{nameLabel, "a", "x", "1", "x", "2"}, points: p}, 0, map[string]int{"bad_request": 2}, "appears twice"},
		{"label twice, once empty", tseries{labels: []string{nameLabel, "a", "x", "1", "x", ""}, points: p}, 0, map[string]int{"bad_request": 2}, "appears twice"},
		{"name twice", tseries{labels: []string{nameLabel, "a", nameLabel, "a"}, points: p}, 0, map[string]int{"bad_request": 2}, "appears twice"},
		{"no label name", tseries{labels: []string{nameLabel, "a", "", "1"}, points: p}, 0, map[string]int{"bad_request": 2}, ""},
		{"not UTF-8", tseries{labels: []string{nameLabel, "a", "x", "\xff"}, points: p}, 0, map[string]int{"bad_request": 2}, "UTF-8"},
		{"too many labels", tseries{labels: manyLabels(41), points: p}, 0, map[string]int{"label_limit": 2}, "40 tags"},
		{"long label name", tseries{labels: []string{nameLabel, "a", strings.Repeat("x", 257), "1"}, points: p}, 0, map[string]int{"label_limit": 2}, "257"},
		{"long label value", tseries{labels: []string{nameLabel, "a", "x", strings.Repeat("x", 4097)}, points: p}, 0, map[string]int{"label_limit": 2}, "4097"},
		{"native histograms", tseries{labels: []string{nameLabel, "a"}, histograms: 3}, 0, map[string]int{"native_histogram": 3}, "native histograms"},
		{"histograms and exemplars", tseries{labels: []string{nameLabel, "a"}, points: p, histograms: 1, exemplars: 2}, 2, map[string]int{"native_histogram": 1, "exemplar": 2}, "exemplars"},
	} {
		for typ, encode := range versions {
			t.Run(tt.name+"/"+map[string]string{type1: "1.0", type2: "2.0"}[typ], func(t *testing.T) {
				f := openDefault(t)
				good := tseries{labels: []string{nameLabel, "good"}, points: []point{{ms, 7}}}
				for range 2 {
					w := f.post(typ, encode([]tseries{good, tt.bad}))
					if w.Code != 400 {
						t.Fatalf("%d %s", w.Code, w.Body)
					}
					got := rejectionOf(t, w).Error
					if got.Accepted != 1+tt.accepted || fmt.Sprint(got.Rejected) != fmt.Sprint(tt.rejected) {
						t.Errorf("accepted %d, rejected %v", got.Accepted, got.Rejected)
					}
					if len(tt.rejected) == 1 && tt.rejected[got.Code] == 0 {
						t.Errorf("code %q", got.Code)
					}
					if !strings.Contains(w.Body.String(), tt.explains) {
						t.Errorf("no %q in %s", tt.explains, w.Body)
					}
					if written := w.Header().Get(headerSamples); typ == type2 && written != fmt.Sprint(1+tt.accepted) {
						t.Errorf("written: %q", written)
					}
				}
				if n := len(f.stored()); n != 1+tt.accepted {
					t.Errorf("%d points stored", n)
				}
				f.expectFine()
			})
		}
	}
}

func TestExemplarsAlone(t *testing.T) {
	for typ, encode := range versions {
		f := openDefault(t)
		s := []tseries{
			{labels: []string{nameLabel, "a"}, points: []point{{ms, 1}}, exemplars: 2},
			{labels: []string{nameLabel, "a"}, exemplars: 1},
			{labels: []string{nameLabel, "never_seen"}, exemplars: 1},
		}
		for range 2 {
			w := f.post(typ, encode(s))
			if w.Code != 204 || w.Header().Get(headerRejected) != "exemplar=4" {
				t.Errorf("%s: %d %v", typ, w.Code, w.Header())
			}
			if typ == type2 && (w.Header().Get(headerExemplars) != "0" || w.Header().Get(headerSamples) != "1") {
				t.Errorf("%s: %v", typ, w.Header())
			}
		}
		f.expectStored("a 0 1")
	}
}

func TestSeriesLimit(t *testing.T) {
	for typ, encode := range versions {
		f := open(t, sydradb.Options{MaxSeries: 1}, intake.DefaultLimits())
		for range 2 {
			w := f.post(typ, encode(two))
			if got := rejectionOf(t, w).Error; w.Code != 400 || got.Code != "series_limit" || got.Accepted != 2 || got.Rejected["series_limit"] != 2 {
				t.Errorf("%s: %d %s", typ, w.Code, w.Body)
			}
		}
		if w := f.post(typ, encode(two[:1])); w.Code != 204 {
			t.Errorf("%s: the next request: %d", typ, w.Code)
		}
		f.expectStored(twoStored[:2]...)
	}
}

func TestTooOld(t *testing.T) {
	for typ, encode := range versions {
		f := open(t, sydradb.Options{Retention: 24 * time.Hour, MaxSeries: 1}, intake.DefaultLimits())
		if err := f.db.Retain(t.Context(), true); err != nil {
			t.Fatal(err)
		}
		now := time.Now().UnixMilli()
		// A series that never gets a point takes up no room.
		old := tseries{labels: []string{nameLabel, "old"}, points: []point{{now - 100*3600e3, 1}, {now - 99*3600e3, 1}, {now + 100*3600e3, 1}}}
		if got := rejectionOf(t, f.post(typ, encode([]tseries{old}))).Error; got.Accepted != 0 || got.Rejected["too_old"] != 3 {
			t.Errorf("%s: an old series: %+v", typ, got)
		}
		s := tseries{labels: []string{nameLabel, "a"}, points: []point{{now - 100*3600e3, 1}, {now, 2}}}
		w := f.post(typ, encode([]tseries{s}))
		if got := rejectionOf(t, w).Error; w.Code != 400 || got.Code != "too_old" || got.Accepted != 1 || got.Rejected["too_old"] != 1 {
			t.Errorf("%s: %d %s", typ, w.Code, w.Body)
		}
		if written := w.Header().Get(headerSamples); typ == type2 && written != "1" {
			t.Errorf("written: %q", written)
		}
		s.points = s.points[1:]
		if w := f.post(typ, encode([]tseries{s})); w.Code != 204 {
			t.Errorf("%s: the next request: %d", typ, w.Code)
		}
	}
}

func TestDatabaseFails(t *testing.T) {
	for typ, encode := range versions {
		f := openDefault(t)
		if err := f.db.Close(); err != nil {
			t.Fatal(err)
		}
		w := f.post(typ, encode(two))
		if w.Code != 503 || w.Header().Get("Retry-After") == "" {
			t.Errorf("%s: %d %v", typ, w.Code, w.Header())
		}
		if typ == type2 && w.Header().Get(headerSamples) != "0" {
			t.Errorf("written: %v", w.Header())
		}
	}
}

func TestMetadata(t *testing.T) {
	s := []tseries{
		{labels: []string{nameLabel, "requests_total"}, points: []point{{ms, 1}}, typ: 1, help: "Requests.", unit: ""},
		{labels: []string{nameLabel, "latency_bucket", "le", "1"}, points: []point{{ms, 1}}, typ: 3, help: "Latency.", unit: "seconds"},
	}
	f := openDefault(t)
	for range 3 {
		if w := f.post(type2, encode2(s)); w.Code != 204 {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
	}
	want := map[string][]metadata.Entry{
		"requests_total": {{Type: "counter", Help: "Requests."}},
		"latency":        {{Type: "histogram", Unit: "seconds", Help: "Latency."}},
	}
	if got := f.store.Get("", 0); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("2.0: %v, want %v", got, want)
	}
	// What is said later is taken, too, of a series that is known.
	s[0].help = "All requests."
	f.post(type2, encode2(s))
	if got := f.store.Get("requests_total", 0)["requests_total"]; len(got) != 2 {
		t.Errorf("after a change: %v", got)
	}

	f = openDefault(t)
	s[1].labels[1] = "latency" // 1.0 names the family
	for range 2 {
		if w := f.post(type1, encode1(s)); w.Code != 204 {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
	}
	want["requests_total"][0].Help = "All requests."
	if got := f.store.Get("", 0); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("1.0: %v, want %v", got, want)
	}
}

// What Prometheus' own encoders make; a test of package otlp keeps the files.
func TestCapturedMessages(t *testing.T) {
	const target = `instance="localhost:9090",job="prometheus"}`
	want := []string{
		"go_memstats_alloc_bytes{" + target + " 0 2.7182818284590453e+07",
		"gone{" + target + " 0 0x7ff0000000000002",
		`requests_total{code="200",` + target + " 0 1027",
		"up{" + target + " 0 1",
		"up{" + target + " 15000 0",
	}
	for file, tt := range map[string]struct {
		typ      string
		status   int
		families int
	}{
		"prometheus_1.0.snappy": {type1, 204, 2},
		"prometheus_2.0.snappy": {type2, 400, 2}, // it has a native histogram
	} {
		body, err := os.ReadFile("testdata/" + file)
		if err != nil {
			t.Fatal(err)
		}
		f := openDefault(t)
		for range 2 {
			if w := f.send(tt.typ, "snappy", body); w.Code != tt.status {
				t.Errorf("%s: %d %s", file, w.Code, w.Body)
			}
		}
		f.expectStored(want...)
		if n := f.store.Len(); n != tt.families {
			t.Errorf("%s: metadata of %d families: %v", file, n, f.store.Get("", 0))
		}
	}
}
