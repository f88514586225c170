package prom

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/golang/snappy"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/prompb"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/storage/remote"
	"github.com/prometheus/prometheus/tsdb"

	"github.com/sydradb/sydradb"
	"github.com/sydradb/sydradb/server/internal/dbtest"
)

// peers are this database and Prometheus' own behind the same API, with the same data.
type peers struct {
	t        *testing.T
	own      *server
	prom     *server
	promdb   *tsdb.DB
	lastTime int64 // of any point, in seconds
}

func newPeers(t *testing.T) *peers {
	t.Helper()
	db := dbtest.Open(t, sydradb.Options{})
	opts := tsdb.DefaultOptions()
	opts.WALSegmentSize = -1
	opts.RetentionDuration = 0
	promdb, err := tsdb.Open(t.TempDir(), nil, nil, opts, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { promdb.Close() })
	p := &peers{t: t, promdb: promdb}
	ours := &testStorage{newQueryable(db, Limits{}, nil), t}
	p.fill([]storage.Appender{ours.Appender(t.Context()), promdb.Appender(t.Context())})
	if err := db.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	external := map[string]string{"node": "n1"}
	p.own = serve(t, Config{DB: db, ExternalLabels: external})
	c := Config{DB: db, ExternalLabels: external, Limits: Limits{}.withDefaults(), Logger: quiet(nil)}
	api, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	stock := promql.NewEngine(promql.EngineOpts{
		MaxSamples: 50_000_000, Timeout: c.Limits.Timeout, LookbackDelta: c.Limits.Lookback, EnableAtModifier: true, EnableNegativeOffset: true,
		NoStepSubqueryIntervalFn: func(int64) int64 { return 60_000 },
	})
	s := httptest.NewServer(newPrometheusAPI(&c, stock, promdb, api.parser))
	t.Cleanup(s.Close)
	p.prom = &server{t, s.URL}
	return p
}

// fill writes the same series to all of appenders: gauges and counters with gaps, resets,
// stale marks and odd values, labels in capitals, which sort before __name__, and none.
func (p *peers) fill(appenders []storage.Appender) {
	p.t.Helper()
	rnd := rand.New(rand.NewPCG(3, 4))
	for i := range 40 {
		b := labels.NewBuilder(labels.FromStrings(model.MetricNameLabel, []string{"http_requests_total", "temperature", "le_bucket"}[i%3],
			"job", fmt.Sprintf("j%d", i%4), "instance", fmt.Sprintf("i%02d", i)))
		if i%5 == 0 {
			b.Set("Zone", fmt.Sprintf("z%d", i%2)).Set("empty", "")
		}
		if i%3 == 2 {
			b.Set("le", []string{"0.5", "1", "2.5", "+Inf"}[i/3%4]).Del("instance")
			b.Set("shard", fmt.Sprint(i/12))
		}
		ms, v := int64(rnd.IntN(15_000)), 0.0
		for range 400 {
			ms += 15_000
			switch r := rnd.IntN(100); {
			case r < 3:
				ms += 600_000 // a gap longer than the lookback
			case r < 5:
				v = 0 // a reset
			case r < 6:
				p.append(appenders, b.Labels(), ms, math.Float64frombits(value.StaleNaN))
				continue
			case r < 7:
				p.append(appenders, b.Labels(), ms, []float64{math.NaN(), math.Inf(1), math.Inf(-1), 1e-300}[rnd.IntN(4)])
				continue
			}
			v += float64(rnd.IntN(50))
			if i%3 == 1 {
				v = math.Round(rnd.Float64()*4000) / 100
			}
			p.append(appenders, b.Labels(), ms, v)
		}
	}
	for _, a := range appenders {
		if err := a.Commit(); err != nil {
			p.t.Fatal(err)
		}
	}
}

func (p *peers) append(appenders []storage.Appender, l labels.Labels, ms int64, v float64) {
	p.t.Helper()
	for _, a := range appenders {
		if _, err := a.Append(0, l, ms, v); err != nil {
			p.t.Fatal(err)
		}
	}
	p.lastTime = max(p.lastTime, ms/1000)
}

// same asks both and compares status and JSON.
func (p *peers) same(path string, params ...string) {
	p.t.Helper()
	status, got := p.own.get(path, params...)
	wantStatus, want := p.prom.get(path, params...)
	if status != wantStatus || !sameJSON(p.t, got, want) {
		p.t.Errorf("%s %q:\ngot  %d %.1000s\nwant %d %.1000s", path, params, status, got, wantStatus, want)
	}
	if len(got) < 30 {
		p.t.Errorf("%s %q: nothing to compare: %s", path, params, got)
	}
}

// sameJSON compares answers without regard to the order of series, which is not specified.
func sameJSON(t *testing.T, a, b string) bool {
	t.Helper()
	return reflect.DeepEqual(unordered(t, a), unordered(t, b))
}

func unordered(t *testing.T, text string) any {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%.200s: %v", text, err)
	}
	list, _ := v["data"].([]any)
	if object, ok := v["data"].(map[string]any); ok {
		list, _ = object["result"].([]any)
	}
	slices.SortFunc(list, func(a, b any) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
	return v
}

func TestSameAsPrometheus(t *testing.T) {
	p := newPeers(t)
	end := fmt.Sprint(p.lastTime)
	for _, query := range []string{
		`temperature`, `{job="j1"}`, `{job=~"j1|j2",instance!~"i0.*"}`, `{__name__=~".*total"}`, `{Zone!=""}`, `{nosuch="",job="j0"}`,
		`rate(http_requests_total[5m])`, `increase(http_requests_total[1h])`, `irate(http_requests_total[2m])`, `resets(http_requests_total[2h])`,
		`sum by (job) (rate(http_requests_total[10m]))`, `topk(3, temperature)`, `quantile_over_time(0.9, temperature[30m])`,
		`histogram_quantile(0.9, sum by (le) (rate(le_bucket[10m])))`, `max_over_time(temperature[1h] offset 20m)`, `temperature @ 3000`,
		`avg_over_time(rate(http_requests_total[5m])[30m:1m])`, `absent(nosuch)`, `count({__name__=~".+"}) by (__name__)`, `timestamp(temperature)`,
		`temperature and on(job) http_requests_total`, `http_requests_total / ignoring(x) http_requests_total`, `deriv(temperature[10m])`,
		`predict_linear(temperature[10m], 60)`, `changes(temperature[20m])`, `last_over_time(temperature[1m])`, `temperature[3m]`, `1 +`, `sum(`, `{}`,
		`stddev_over_time(temperature[15m]) > 1`, `label_replace(temperature, "x", "$1", "instance", "i(.*)")`, `count_values("v", round(temperature))`,
		`sum by (__name__) (rate(temperature[5m]))`, `max by (__name__, job) (rate(temperature[5m]) or rate(http_requests_total[5m]))`,
		`label_replace(rate(temperature[5m]), "n", "$1", "__name__", "(.+)")`, `count by (__name__) ({__name__=~"temp.*|le_bucket"})`,
		`sum(rate({__name__=~"temp.*|le_bucket"}[5m])) by (job)`, `topk by (__name__) (1, {job="j1"})`,
	} {
		p.same("/api/v1/query", "query", query, "time", fmt.Sprint(p.lastTime-100))
		p.same("/api/v1/query_range", "query", query, "start", "0", "end", end, "step", "97")
		p.same("/api/v1/query_range", "query", query, "start", "1000", "end", "2000", "step", "7")
	}
	for _, params := range [][]string{
		{"match[]", "temperature"}, {"match[]", `{job="j1"}`, "match[]", `{job="j2"}`}, {"match[]", `{Zone!=""}`, "limit", "1000"}, {"match[]", "nosuch"},
		{"match[]", `temperature{job="j1"}`, "start", "0", "end", end}, {"match[]", "{}"}, {"match[]", "{"}, {},
	} {
		p.same("/api/v1/series", params...)
		p.same("/api/v1/labels", params...)
		p.same("/api/v1/label/instance/values", params...)
		p.same("/api/v1/label/__name__/values", params...)
	}
	p.same("/api/v1/labels", "limit", "2")
	p.same("/api/v1/label/job/values", "limit", "2")
	p.same("/api/v1/label/U__le/values")
	for _, after := range []string{"1", fmt.Sprint(p.lastTime + 1), fmt.Sprint(p.lastTime)} {
		p.same("/api/v1/labels", "start", after)
		p.same("/api/v1/label/job/values", "start", after)
		p.same("/api/v1/series", "start", after, "match[]", "temperature")
	}
	p.same("/api/v1/status/tsdb", "limit", "5")
}

// TestSameRemoteRead compares remote read in both of its forms.
func TestSameRemoteRead(t *testing.T) {
	p := newPeers(t)
	for _, query := range []*prompb.Query{
		{StartTimestampMs: 0, EndTimestampMs: p.lastTime * 1000, Matchers: []*prompb.LabelMatcher{{Type: prompb.LabelMatcher_EQ, Name: "__name__", Value: "temperature"}}},
		{StartTimestampMs: 1_000_000, EndTimestampMs: 2_000_000, Matchers: []*prompb.LabelMatcher{{Type: prompb.LabelMatcher_RE, Name: "job", Value: "j1|j2"}, {Type: prompb.LabelMatcher_EQ, Name: "node", Value: "n1"}}},
		{StartTimestampMs: 0, EndTimestampMs: p.lastTime * 1000, Matchers: []*prompb.LabelMatcher{{Type: prompb.LabelMatcher_NEQ, Name: "Zone", Value: ""}}},
		{StartTimestampMs: 0, EndTimestampMs: p.lastTime * 1000, Matchers: []*prompb.LabelMatcher{{Type: prompb.LabelMatcher_EQ, Name: "job", Value: "j1"}},
			Hints: &prompb.ReadHints{StartMs: 0, EndMs: p.lastTime * 1000, Func: "series"}},
	} {
		for _, kind := range []prompb.ReadRequest_ResponseType{prompb.ReadRequest_SAMPLES, prompb.ReadRequest_STREAMED_XOR_CHUNKS} {
			got, want := p.own.remoteRead(query, kind), p.prom.remoteRead(query, kind)
			if len(want) == 0 || !reflect.DeepEqual(got, want) {
				t.Errorf("%v %v: got %d series, want %d\ngot  %.300q\nwant %.300q", query, kind, len(got), len(want), got, want)
			}
		}
	}
}

// remoteRead returns what a server answers, a line for each series with its samples.
func (s *server) remoteRead(q *prompb.Query, kind prompb.ReadRequest_ResponseType) []string {
	s.t.Helper()
	resp, err := s.read(&prompb.ReadRequest{Queries: []*prompb.Query{q}, AcceptedResponseTypes: []prompb.ReadRequest_ResponseType{kind}})
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(resp.Body)
		s.t.Fatalf("status %d: %s", resp.StatusCode, body)
	}
	var set storage.SeriesSet
	if kind == prompb.ReadRequest_STREAMED_XOR_CHUNKS {
		r := remote.NewChunkedReader(resp.Body, 1<<20, nil)
		set = remote.NewChunkedSeriesSet(r, resp.Body, q.StartTimestampMs, q.EndTimestampMs, func(error) {})
	} else {
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			s.t.Fatal(err)
		}
		plain, err := snappy.Decode(nil, body)
		if err != nil {
			s.t.Fatal(err)
		}
		var answer prompb.ReadResponse
		if err := answer.Unmarshal(plain); err != nil {
			s.t.Fatal(err)
		}
		set = remote.FromQueryResult(true, answer.Results[0])
	}
	var lines []string
	for set.Next() {
		var line strings.Builder
		line.WriteString(set.At().Labels().String())
		n := 0
		for it := set.At().Iterator(nil); it.Next() != 0; n++ {
			ms, v := it.At()
			fmt.Fprintf(&line, " %d:%x", ms, math.Float64bits(v))
		}
		if n > 0 || q.Hints != nil { // which may want the labels only
			lines = append(lines, line.String())
		}
	}
	if err := set.Err(); err != nil {
		s.t.Fatal(err)
	}
	return lines
}

func (s *server) read(request *prompb.ReadRequest) (*http.Response, error) {
	s.t.Helper()
	plain, err := request.Marshal()
	if err != nil {
		s.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, s.url+"/api/v1/read", bytes.NewReader(snappy.Encode(nil, plain)))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-protobuf")
	req.Header.Set("Content-Encoding", "snappy")
	return http.DefaultClient.Do(req)
}
