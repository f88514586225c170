package otlp

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/sydradb/sydradb"
	"github.com/sydradb/sydradb/server/internal/dbtest"
	"github.com/sydradb/sydradb/server/internal/intake"
	"github.com/sydradb/sydradb/server/internal/metadata"
	"github.com/sydradb/sydradb/server/internal/web"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"google.golang.org/protobuf/encoding/protowire"
)

const (
	typeProtobuf = "application/x-protobuf"
	typeJSON     = "application/json"
)

// fixture is a server with the endpoints alone.
type fixture struct {
	t     testing.TB
	db    *sydradb.DB
	store *metadata.Store
	http  http.Handler
}

func open(t testing.TB, limits intake.Limits) *fixture {
	t.Helper()
	f := &fixture{t: t, db: dbtest.Open(t, sydradb.Options{}), store: metadata.New(0)}
	server := web.New(web.Config{})
	if err := server.Mount(false, Routes(intake.New(f.db, limits, nil), f.store, 0)); err != nil {
		t.Fatal(err)
	}
	f.http = server
	return f
}

func (f *fixture) send(path, contentType, encoding string, body []byte) *httptest.ResponseRecorder {
	r := httptest.NewRequest("POST", path, bytes.NewReader(body))
	r.Header.Set("Content-Type", contentType)
	if encoding != "" {
		r.Header.Set("Content-Encoding", encoding)
	}
	w := httptest.NewRecorder()
	f.http.ServeHTTP(w, r)
	return w
}

func (f *fixture) post(md pmetric.Metrics) *httptest.ResponseRecorder {
	return f.send("/v1/metrics", typeProtobuf, "", marshal(f.t, md))
}

func marshal(t testing.TB, md pmetric.Metrics) []byte {
	t.Helper()
	body, err := pmetricotlp.NewExportRequestFromMetrics(md).MarshalProto()
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// expectFine sends a request that must be fine, after one that was not.
func (f *fixture) expectFine() {
	f.t.Helper()
	md := pmetric.NewMetrics()
	gauge(metrics(md, nil), "fine", at, 1)
	w := f.post(md)
	if w.Code != 200 || w.Body.Len() != 0 {
		f.t.Errorf("the next request: %d %q", w.Code, w.Body)
	}
}

// expect compares what is stored, in seconds after at, with what should be.
func (f *fixture) expect(want ...string) {
	f.t.Helper()
	it, err := f.db.Query(f.t.Context(), sydradb.Query{Start: sydradb.MinTime, End: sydradb.MaxTime})
	if err != nil {
		f.t.Fatal(err)
	}
	defer it.Close()
	var got []string
	for it.Next() {
		b := it.Block()
		for i, ts := range b.Times {
			got = append(got, fmt.Sprintf("%v %v %v", b.Series, float64(ts-at.UnixNano())/1e9, b.Values[i]))
		}
	}
	if err := it.Err(); err != nil {
		f.t.Fatal(err)
	}
	if !slices.Equal(got, want) {
		f.t.Errorf("stored\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// partial reads the answer to a request that was taken, at least in part.
func partial(t testing.TB, w *httptest.ResponseRecorder) (rejected int64, message string) {
	t.Helper()
	response := pmetricotlp.NewExportResponse()
	var err error
	if w.Header().Get("Content-Type") == typeJSON {
		err = response.UnmarshalJSON(w.Body.Bytes())
	} else {
		err = response.UnmarshalProto(w.Body.Bytes())
	}
	if err != nil || w.Code != 200 {
		t.Fatalf("%d %q: %v", w.Code, w.Body, err)
	}
	return response.PartialSuccess().RejectedDataPoints(), response.PartialSuccess().ErrorMessage()
}

var at = time.Unix(1_700_000_000, 0)

func metrics(md pmetric.Metrics, resource map[string]any) pmetric.MetricSlice {
	rm := md.ResourceMetrics().AppendEmpty()
	if err := rm.Resource().Attributes().FromRaw(resource); err != nil {
		rm.SetSchemaUrl(err.Error())
	}
	return rm.ScopeMetrics().AppendEmpty().Metrics()
}

func gauge(ms pmetric.MetricSlice, name string, t time.Time, value float64) pmetric.NumberDataPoint {
	m := ms.AppendEmpty()
	m.SetName(name)
	p := m.SetEmptyGauge().DataPoints().AppendEmpty()
	p.SetTimestamp(pcommon.NewTimestampFromTime(t))
	p.SetDoubleValue(value)
	return p
}

func sum(ms pmetric.MetricSlice, name string, temporality pmetric.AggregationTemporality, values ...int64) {
	m := ms.AppendEmpty()
	m.SetName(name)
	s := m.SetEmptySum()
	s.SetAggregationTemporality(temporality)
	s.SetIsMonotonic(true)
	for i, v := range values {
		p := s.DataPoints().AppendEmpty()
		p.SetTimestamp(pcommon.NewTimestampFromTime(at.Add(time.Duration(i) * time.Second)))
		p.SetIntValue(v)
	}
}

func service() map[string]any {
	return map[string]any{"service.name": "shop", "service.namespace": "eu", "service.instance.id": "1", "os.type": "linux"}
}

// all has one metric of each type that is stored.
func all() pmetric.Metrics {
	md := pmetric.NewMetrics()
	ms := metrics(md, service())
	p := gauge(ms, "room.temperature", at, 21.5)
	p.Attributes().PutStr("room.name", "kitchen")
	p.Attributes().PutStr("empty", "")
	ms.At(0).SetUnit("Cel")
	ms.At(0).SetDescription("How warm it is.")
	sum(ms, "requests", pmetric.AggregationTemporalityCumulative, 5, 7)
	h := ms.AppendEmpty()
	h.SetName("latency")
	h.SetUnit("s")
	h.SetEmptyHistogram().SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	hp := h.Histogram().DataPoints().AppendEmpty()
	hp.SetTimestamp(pcommon.NewTimestampFromTime(at))
	hp.SetCount(6)
	hp.SetSum(12.5)
	hp.ExplicitBounds().FromRaw([]float64{1, 5})
	hp.BucketCounts().FromRaw([]uint64{1, 2, 3})
	s := ms.AppendEmpty()
	s.SetName("size")
	sp := s.SetEmptySummary().DataPoints().AppendEmpty()
	sp.SetTimestamp(pcommon.NewTimestampFromTime(at))
	sp.SetCount(2)
	sp.SetSum(30)
	q := sp.QuantileValues().AppendEmpty()
	q.SetQuantile(0.5)
	q.SetValue(15)
	return md
}

const target = `instance="1",job="eu/shop"`

var allStored = []string{
	`latency_seconds_bucket{` + target + `,le="+Inf"} 0 6`,
	`latency_seconds_bucket{` + target + `,le="1"} 0 1`,
	`latency_seconds_bucket{` + target + `,le="5"} 0 3`,
	`latency_seconds_count{` + target + `} 0 6`,
	`latency_seconds_sum{` + target + `} 0 12.5`,
	`requests_total{` + target + `} 0 5`,
	`requests_total{` + target + `} 1 7`,
	`room_temperature_celsius{` + target + `,room_name="kitchen"} 0 21.5`,
	`size{` + target + `,quantile="0.5"} 0 15`,
	`size_count{` + target + `} 0 2`,
	`size_sum{` + target + `} 0 30`,
	`target_info{` + target + `,os_type="linux"} 0 1`,
	`target_info{` + target + `,os_type="linux"} 1 1`,
}

func TestMetrics(t *testing.T) {
	inProtobuf := marshal(t, all())
	inJSON, err := pmetricotlp.NewExportRequestFromMetrics(all()).MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	_, _ = z.Write(inProtobuf)
	_ = z.Close()
	packed, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		path, typ, encoding string
		body                []byte
		answer              string
	}{
		{"/v1/metrics", typeProtobuf, "", inProtobuf, ""},
		{"/v1/metrics", typeProtobuf, "gzip", zipped.Bytes(), ""},
		{"/api/v1/otlp/v1/metrics", typeProtobuf, "zstd", packed.EncodeAll(inProtobuf, nil), ""},
		{"/api/v1/otlp/v1/metrics", typeJSON + "; charset=utf-8", "", inJSON, "{}"},
	} {
		f := open(t, intake.DefaultLimits())
		for range 2 { // sent again, it is the same
			w := f.send(tt.path, tt.typ, tt.encoding, tt.body)
			typ, _, _ := strings.Cut(tt.typ, ";")
			if w.Code != 200 || w.Header().Get("Content-Type") != typ || w.Body.String() != tt.answer {
				t.Errorf("%s %s %s: %d %q %v", tt.path, tt.typ, tt.encoding, w.Code, w.Body, w.Header())
			}
		}
		f.expect(allStored...)
		want := "[{gauge celsius How warm it is.}]"
		if got := fmt.Sprint(f.store.Get("room_temperature_celsius", 0)["room_temperature_celsius"]); got != want {
			t.Errorf("metadata %s, want %s", got, want)
		}
	}
}

// Data points are refused, for a reason, and the others are stored.
func TestPartialSuccess(t *testing.T) {
	for _, tt := range []struct {
		name     string
		add      func(pmetric.MetricSlice)
		rejected int64
		message  string
	}{
		{"delta sum", func(ms pmetric.MetricSlice) { sum(ms, "x", pmetric.AggregationTemporalityDelta, 1, 2, 3) }, 3, `cumulative`},
		{"no temporality", func(ms pmetric.MetricSlice) { sum(ms, "x", 0, 1) }, 1, `cumulative`},
		{"delta histogram", func(ms pmetric.MetricSlice) {
			h := ms.AppendEmpty().SetEmptyHistogram()
			h.SetAggregationTemporality(pmetric.AggregationTemporalityDelta)
			h.DataPoints().AppendEmpty()
		}, 1, "cumulative"},
		{"exponential histogram", func(ms pmetric.MetricSlice) {
			m := ms.AppendEmpty()
			m.SetName("latency")
			h := m.SetEmptyExponentialHistogram()
			h.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
			h.DataPoints().AppendEmpty()
			h.DataPoints().AppendEmpty()
		}, 2, `exponential histograms are not stored; let the client use explicit buckets: "latency"`},
		{"future", func(ms pmetric.MetricSlice) { gauge(ms, "x", time.Now().Add(2*time.Hour), 1) }, 1, `future: "x"`},
		{"end of time", func(ms pmetric.MetricSlice) { gauge(ms, "x", at, 1).SetTimestamp(math.MaxUint64) }, 1, "future"},
		{"no time", func(ms pmetric.MetricSlice) { gauge(ms, "x", at, 1).SetTimestamp(0) }, 1, "no time"},
		{"no value", func(ms pmetric.MetricSlice) {
			p := ms.AppendEmpty().SetEmptyGauge().DataPoints().AppendEmpty()
			p.SetTimestamp(pcommon.NewTimestampFromTime(at))
		}, 1, "no value"},
		{"long name", func(ms pmetric.MetricSlice) { gauge(ms, strings.Repeat("x", maxName+1), at, 1) }, 1, "4 KiB"},
		{"no name", func(ms pmetric.MetricSlice) { gauge(ms, "", at, 1) }, 1, ""},
		{"attribute without a name", func(ms pmetric.MetricSlice) { gauge(ms, "x", at, 1).Attributes().PutStr("", "v") }, 1, ""},
		{"long value", func(ms pmetric.MetricSlice) {
			gauge(ms, "x", at, 1).Attributes().PutStr("a", strings.Repeat("v", 4097))
		}, 1, "4097 bytes"},
		{"too many attributes", func(ms pmetric.MetricSlice) {
			p := gauge(ms, "x", at, 1)
			for i := range 41 {
				p.Attributes().PutStr(fmt.Sprint("a", i), "v")
			}
		}, 1, "40 tags"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := open(t, intake.DefaultLimits())
			md := pmetric.NewMetrics()
			ms := metrics(md, nil)
			gauge(ms, "good", at, 7)
			tt.add(ms)
			gauge(ms, "better", at, 8)
			rejected, message := partial(t, f.post(md))
			if rejected != tt.rejected || message == "" || !strings.Contains(message, tt.message) {
				t.Errorf("%d rejected: %s", rejected, message)
			}
			f.expect("better 0 8", "good 0 7")
			f.expectFine()
		})
	}
}

// The attributes of a resource are repeated by each of its data points.
func TestLargeResource(t *testing.T) {
	many := map[string]any{}
	for i := range 30 {
		many[fmt.Sprint("a", i)] = strings.Repeat("x", 4000)
	}
	for _, attributes := range []map[string]any{{"service.name": strings.Repeat("x", 1<<20)}, many} {
		f := open(t, intake.DefaultLimits())
		md := pmetric.NewMetrics()
		sum(metrics(md, attributes), "x", pmetric.AggregationTemporalityCumulative, 1, 2)
		gauge(metrics(md, nil), "good", at, 7)
		if rejected, message := partial(t, f.post(md)); rejected != 2 || !strings.Contains(message, "64 KiB in all") {
			t.Errorf("%d rejected: %s", rejected, message)
		}
		f.expect("good 0 7")
		f.expectFine()
	}
}

func TestExemplarsAlone(t *testing.T) {
	f := open(t, intake.DefaultLimits())
	md := pmetric.NewMetrics()
	ms := metrics(md, nil)
	sum(ms, "requests", pmetric.AggregationTemporalityCumulative, 5)
	ms.At(0).Sum().DataPoints().At(0).Exemplars().AppendEmpty() // without a value the converter fails on it
	w := f.post(md)
	if rejected, message := partial(t, w); rejected != 0 || message != "" || w.Header().Get(headerRejected) != "exemplar=1" {
		t.Errorf("%d rejected: %s %v", rejected, message, w.Header())
	}
	f.expect("requests_total 0 5")
}

func TestRounded(t *testing.T) {
	f := open(t, intake.DefaultLimits())
	md := pmetric.NewMetrics()
	sum(metrics(md, nil), "requests", pmetric.AggregationTemporalityCumulative, 1<<53+1, 1<<53, 1<<54, -1<<63, 1<<63-1)
	w := f.post(md)
	if rejected, message := partial(t, w); rejected != 0 || message != "" || w.Header().Get(headerRounded) != "2" {
		t.Errorf("%d rejected: %s %v", rejected, message, w.Header())
	}
}

// What is less than a millisecond is cut off, so that points of one millisecond are one: the
// last of them.
func TestTimesAreWholeMilliseconds(t *testing.T) {
	f := open(t, intake.DefaultLimits())
	for i, ns := range []time.Duration{0, 999_999, 1_000_000, 1_999_999} {
		md := pmetric.NewMetrics()
		gauge(metrics(md, nil), "x", at.Add(ns), float64(i))
		if rejected, message := partial(t, f.post(md)); rejected != 0 || message != "" {
			t.Fatal(rejected, message)
		}
	}
	f.expect("x 0 1", "x 0.001 3")
}

func TestStaleMarker(t *testing.T) {
	f := open(t, intake.DefaultLimits())
	md := pmetric.NewMetrics()
	p := gauge(metrics(md, nil), "x", at, 1)
	p.SetFlags(pmetric.DefaultDataPointFlags.WithNoRecordedValue(true))
	if w := f.post(md); w.Code != 200 {
		t.Fatal(w.Code)
	}
	want := fmt.Sprintf("x %d %#x", at.UnixNano(), staleNaN)
	if got := contents(t, f.db); !slices.Equal(got, []string{want}) {
		t.Errorf("stored %v, want %s", got, want)
	}
}

// Two data points far apart must not make millions of points of target_info.
func TestTargetInfoIsBounded(t *testing.T) {
	f := open(t, intake.DefaultLimits())
	md := pmetric.NewMetrics()
	ms := metrics(md, service())
	gauge(ms, "x", time.Unix(1, 0), 1)
	gauge(ms, "x", at, 2)
	if rejected, message := partial(t, f.post(md)); rejected != 1 || !strings.Contains(message, "target_info") {
		t.Errorf("%d rejected: %s", rejected, message)
	}
	if n := len(contents(t, f.db)); n != 2+spareTargets+4 {
		t.Errorf("%d points stored", n)
	}
	f.expectFine()
}

// nested returns a request with a value in so many others.
func nested(levels int) []byte {
	var parts [][]byte
	size := 0
	add := func(field protowire.Number) {
		head := protowire.AppendVarint(protowire.AppendTag(nil, field, protowire.BytesType), uint64(size))
		parts = append(parts, head)
		size += len(head)
	}
	for range levels {
		add(1) // values of an array
		add(5) // an array as a value
	}
	for _, field := range []protowire.Number{2, 1, 1, 1} { // attribute, resource, metrics, request
		add(field)
	}
	slices.Reverse(parts)
	return slices.Concat(parts...)
}

func nestedJSON(levels int) []byte {
	return []byte(`{"resourceMetrics":[{"resource":{"attributes":[{"key":"a","value":` +
		strings.Repeat(`{"arrayValue":{"values":[`, levels) + strings.Repeat(`]}}`, levels) + `}]}}]}`)
}

func TestRefusedRequests(t *testing.T) {
	for _, tt := range []struct {
		name, typ string
		body      []byte
		status    int
		code      int
	}{
		{"media type", "text/plain", nil, 415, 3},
		{"no protocol buffer", typeProtobuf, []byte{0xff}, 400, 3},
		{"no message", typeProtobuf, []byte{1<<3 | 2, 1, 0xff}, 400, 3},
		{"no JSON", typeJSON, []byte(`{"resourceMetrics":[`), 400, 3},
		{"deep", typeProtobuf, nested(1_000_000), 400, 3},
		{"deep JSON", typeJSON, nestedJSON(1_000_000), 400, 3},
		{"many parts", typeProtobuf, bytes.Repeat([]byte{1<<3 | 2, 0}, 1<<20), 413, 8},
		{"many parts in JSON", typeJSON, []byte(`{"resourceMetrics":[` + strings.Repeat("{},", 1<<20) + "{}]}"), 413, 8},
		{"too large", typeProtobuf, make([]byte, 32<<20+1), 413, 8},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := open(t, intake.DefaultLimits())
			w := f.send("/v1/metrics", tt.typ, "", tt.body)
			if w.Code != tt.status {
				t.Fatalf("%d %.200s", w.Code, w.Body)
			}
			if tt.typ == typeJSON {
				var status struct {
					Code    int
					Message string
				}
				if err := json.Unmarshal(w.Body.Bytes(), &status); err != nil || status.Code != tt.code || status.Message == "" {
					t.Errorf("%v: %s", err, w.Body)
				}
			} else if want := typeProtobuf; w.Header().Get("Content-Type") != want || !bytes.HasPrefix(w.Body.Bytes(), []byte{1 << 3, byte(tt.code), 2<<3 | 2}) {
				t.Errorf("%q %v", w.Body, w.Header())
			}
			f.expectFine()
		})
	}
	// What people send is far from these bounds.
	for _, body := range [][]byte{nested(10), marshal(t, all())} {
		if err := weigh(body); err != nil {
			t.Error(err)
		}
	}
	if err := weighJSON(nestedJSON(10)); err != nil {
		t.Error(err)
	}
}

func TestDatabaseFails(t *testing.T) {
	f := open(t, intake.DefaultLimits())
	if err := f.db.Close(); err != nil {
		t.Fatal(err)
	}
	w := f.post(all())
	if w.Code != 503 || w.Header().Get("Retry-After") == "" || !bytes.HasPrefix(w.Body.Bytes(), []byte{1 << 3, 14}) {
		t.Errorf("%d %q %v", w.Code, w.Body, w.Header())
	}
}

// FuzzHandler sends anything. Nothing but the documented answers may come back.
func FuzzHandler(f *testing.F) {
	f.Add(true, marshal(f, all()))
	f.Add(true, nested(5))
	inJSON, err := pmetricotlp.NewExportRequestFromMetrics(all()).MarshalJSON()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(false, inJSON)
	f.Add(false, nestedJSON(3))
	f.Fuzz(func(t *testing.T, inProtobuf bool, body []byte) {
		s := open(t, intake.DefaultLimits())
		typ := typeJSON
		if inProtobuf {
			typ = typeProtobuf
		}
		switch w := s.send("/v1/metrics", typ, "", body); w.Code {
		case 200:
			partial(t, w)
		case 400, 413:
		default:
			t.Fatalf("%d %s", w.Code, w.Body)
		}
	})
}
