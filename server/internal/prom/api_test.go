package prom

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/prompb"

	"github.com/sydradb/sydradb"
	"github.com/sydradb/sydradb/server/internal/auth"
	"github.com/sydradb/sydradb/server/internal/dbtest"
	"github.com/sydradb/sydradb/server/internal/metadata"
	"github.com/sydradb/sydradb/server/internal/web"
)

// TestAnswers has one request for each route, with what clients look for in its answer.
func TestAnswers(t *testing.T) {
	db := dbtest.Open(t, sydradb.Options{})
	write(t, db, `up{job="a"}`, 1000, 1, 2000, 2)
	m := metadata.New(0)
	m.Set("up", "gauge", "", "Whether it is up.")
	m.Set("requests", "counter", "bytes", "Requests.")
	s := serve(t, Config{
		DB: db, ExternalLabels: map[string]string{"node": "n1"}, Metadata: m, Version: "1.2.3", Retention: 48 * time.Hour,
		Flags: map[string]string{"data_dir": "x"}, Registerer: prometheus.NewRegistry(),
	})
	for _, c := range []struct{ path, want string }{
		{"/api/v1/query?query=up&time=2", `{"resultType":"vector","result":[{"metric":{"__name__":"up","job":"a"},"value":[2,"2"]}]}`},
		{"/api/v1/query?query=1%2B1&time=2", `{"resultType":"scalar","result":[2,"2"]}`},
		{"/api/v1/query_range?query=up&start=1&end=2&step=1", `{"resultType":"matrix","result":[{"metric":{"__name__":"up","job":"a"},"values":[[1,"1"],[2,"2"]]}]}`},
		{"/api/v1/query_exemplars?query=up", `[]`},
		{"/api/v1/format_query?query=sum(up)by(job)", `"sum by (job) (up)"`},
		{"/api/v1/parse_query?query=1", `{"type":"numberLiteral","val":"1"}`},
		{"/api/v1/labels", `["__name__","job"]`},
		{"/api/v1/labels?match[]=up&start=3", `[]`},
		{"/api/v1/label/job/values", `["a"]`},
		{"/api/v1/label/__name__/values?match[]={job='a'}", `["up"]`},
		{"/api/v1/series?match[]=up", `[{"__name__":"up","job":"a"}]`},
		{"/api/v1/series?match[]=up&start=-9223309901257974&end=9223309901257974", `[{"__name__":"up","job":"a"}]`},
		{"/api/v1/series?match[]=up&end=0.999", `[]`},
		{"/api/v1/metadata", `{"requests":[{"type":"counter","unit":"bytes","help":"Requests."}],"up":[{"type":"gauge","unit":"","help":"Whether it is up."}]}`},
		{"/api/v1/metadata?metric=up", `{"up":[{"type":"gauge","unit":"","help":"Whether it is up."}]}`},
		{"/api/v1/metadata?limit=1", `{"requests":[{"type":"counter","unit":"bytes","help":"Requests."}]}`},
		{"/api/v1/metadata?limit=0&limit_per_metric=1", `{}`},
		{"/api/v1/targets?state=any", `{"activeTargets":[],"droppedTargets":[],"droppedTargetCounts":{}}`},
		{"/api/v1/rules?type=alert", `{"groups":[]}`},
		{"/api/v1/alerts", `{"alerts":[]}`},
		{"/api/v1/alertmanagers", `{"activeAlertmanagers":[],"droppedAlertmanagers":[]}`},
		{"/api/v1/status/config", `{"yaml":"global:\n  external_labels:\n    node: n1\n"}`},
		{"/api/v1/status/flags", `{"data_dir":"x","query.lookback-delta":"5m0s","query.timeout":"30s","storage.tsdb.max-block-duration":"2h","storage.tsdb.min-block-duration":"2h"}`},
		{"/api/v1/status/walreplay", `{"min":0,"max":0,"current":0}`},
		{"/api/v1/status/tsdb", `{"headStats":{"numSeries":1,"numLabelPairs":2,"chunkCount":0,"minTime":1000,"maxTime":2000},` +
			`"seriesCountByMetricName":[{"name":"up","value":1}],"labelValueCountByLabelName":[{"name":"__name__","value":1},{"name":"job","value":1}],` +
			`"memoryInBytesByLabelName":[{"name":"__name__","value":10},{"name":"job","value":4}],` +
			`"seriesCountByLabelValuePair":[{"name":"__name__=up","value":1},{"name":"job=a","value":1}]}`},
	} {
		status, body := s.get(c.path)
		if status != 200 {
			t.Errorf("%s: status %d: %s", c.path, status, body)
		} else if got := data(t, body); got != c.want {
			t.Errorf("%s:\ngot  %s\nwant %s", c.path, got, c.want)
		}
	}
	if _, body := s.get("/api/v1/status/buildinfo"); !strings.Contains(body, `"version":"3.15.0","revision":"1.2.3"`) || strings.Contains(body, "features") {
		t.Errorf("buildinfo: %s", body)
	}
	if _, body := s.get("/api/v1/status/runtimeinfo"); !strings.Contains(body, `"storageRetention":"48h0m0s"`) {
		t.Errorf("runtimeinfo: %s", body)
	}
	if status, body := s.post("/api/v1/query", "query", "up", "time", "2"); status != 200 || !strings.Contains(body, `"up"`) {
		t.Errorf("query in a form: %d %s", status, body)
	}
}

func TestEmptyDatabase(t *testing.T) {
	s := serve(t, Config{DB: dbtest.Open(t, sydradb.Options{})})
	for path, want := range map[string]string{
		"/api/v1/labels": `[]`, "/api/v1/label/job/values": `[]`, "/api/v1/series?match[]=up": `[]`,
		"/api/v1/query?query=up": `{"resultType":"vector","result":[]}`, "/api/v1/metadata": `{}`,
	} {
		if status, body := s.get(path); status != 200 || data(t, body) != want {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
	if status, body := s.get("/api/v1/status/tsdb"); status != 200 {
		t.Errorf("status/tsdb: %d %s", status, body)
	}
}

func TestRoutesSayWhoMay(t *testing.T) {
	api, err := New(Config{DB: dbtest.Open(t, sydradb.Options{})})
	if err != nil {
		t.Fatal(err)
	}
	defer api.Close()
	seen := map[string]bool{}
	for _, r := range api.Routes() {
		admin := strings.Contains(r.Pattern, "/admin/")
		if seen[r.Pattern] || r.Style != web.Prometheus || (r.Scope == auth.Admin) != admin || r.Scope == auth.Open {
			t.Errorf("route %+v", r)
		}
		seen[r.Pattern] = true
	}
	if _, err := New(Config{}); err == nil {
		t.Error("an API without a database")
	}
}

func TestDeleteSeries(t *testing.T) {
	db := dbtest.Open(t, sydradb.Options{})
	write(t, db, `a{x="1"}`, 1000, 1, 2000, 2, 3000, 3)
	write(t, db, `b{x="1"}`, 1000, 1)
	write(t, db, `d{x="3"}`, 1000, 1)
	s := serve(t, Config{DB: db})
	for _, c := range []struct {
		params []string
		status int
		text   string
	}{
		{nil, 400, "no match[] parameter provided"},
		{[]string{"match[]", "a{"}, 400, "match[]"},
		{[]string{"match[]", `{}`}, 400, "non-empty matcher"},
		{[]string{"match[]", `{x=~".*"}`}, 400, "non-empty matcher"},
		{[]string{"match[]", "a", "start", "x"}, 400, "start"},
		{[]string{"match[]", "a", "start", "2", "end", "1"}, 400, "end"},
		{[]string{"match[]", "a", "match[]", "c", "start", "1.5", "end", "1970-01-01T00:00:02Z"}, 204, ""},
		// Patterns that only Prometheus compiles.
		{[]string{"match[]", `{x=~"nosuch|\x85"}`}, 204, ""},
		{[]string{"match[]", `{x=~"3|\x85"}`}, 204, ""},
	} {
		if status, body := s.post("/api/v1/admin/tsdb/delete_series", c.params...); status != c.status || !strings.Contains(body, c.text) {
			t.Errorf("%q: %d %s", c.params, status, body)
		}
	}
	if _, body := s.get("/api/v1/query?query=a[1m]&time=10"); !strings.Contains(body, `"values":[[1,"1"],[3,"3"]]`) {
		t.Errorf("after the deletion: %s", body)
	}
	if status, _ := s.post("/api/v1/admin/tsdb/clean_tombstones"); status != 204 {
		t.Errorf("clean_tombstones: %d", status)
	}
	if _, body := s.get("/api/v1/query?query=b&time=1"); !strings.Contains(body, `"1"`) {
		t.Errorf("what was not deleted: %s", body)
	}
	if _, body := s.get("/api/v1/query?query=d&time=1"); !strings.Contains(body, `"result":[]`) {
		t.Errorf("what was deleted: %s", body)
	}
}

func TestSnapshot(t *testing.T) {
	if status, body := serve(t, Config{DB: dbtest.Open(t, sydradb.Options{})}).post("/api/v1/admin/tsdb/snapshot"); status != 400 || !strings.Contains(body, "memory") {
		t.Errorf("snapshot of memory: %d %s", status, body)
	}
	dir := t.TempDir()
	db, err := sydradb.Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	write(t, db, `a{x="1"}`, 1000, 1)
	status, body := serve(t, Config{DB: db, DataDir: dir}).post("/api/v1/admin/tsdb/snapshot", "skip_head", "true")
	name := regexp.MustCompile(`^\{"name":"(\d{8}T\d{6}Z-[0-9a-f]{8})"\}$`).FindStringSubmatch(data(t, body))
	if status != 200 || name == nil {
		t.Fatalf("snapshot: %d %s", status, body)
	}
	if _, err := os.Stat(filepath.Join(dir, "snapshots", name[1])); err != nil {
		t.Error(err)
	}
	copied, err := sydradb.Open(filepath.Join(dir, "snapshots", name[1]), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer copied.Close()
	if copied.Stats().Series != 1 {
		t.Error("the copy has no series")
	}
}

// TestSeriesKnownByID has series as databases of version 0 hold them: without names, which
// show as their ids.
func TestSeriesKnownByID(t *testing.T) {
	db := dbtest.Open(t, sydradb.Options{})
	b := db.NewBatch()
	for id := range sydradb.SeriesID(2) {
		s, err := db.SeriesByID(0xab00+id, sydradb.Tag{Key: "room", Value: "a"})
		if err != nil {
			t.Fatal(err)
		}
		b.Add(s, 1e9, float64(id))
	}
	if err := db.Write(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	s := serve(t, Config{DB: db})
	const first = `[{"__name__":"series:ab00","room":"a"}]`
	for query, want := range map[string]string{
		`series:ab00`:           first,
		`series:ab00{room="a"}`: first,
		`series:ab00{room="b"}`: `[]`,
		`series:ab07`:           `[]`,
		`{room="a"}`:            `[{"__name__":"series:ab00","room":"a"},{"__name__":"series:ab01","room":"a"}]`,
	} {
		if _, body := s.get("/api/v1/series", "match[]", query); data(t, body) != want {
			t.Errorf("%s: got %s, want %s", query, body, want)
		}
	}
	if _, body := s.get("/api/v1/query", "query", "series:ab01", "time", "1"); !strings.Contains(body, `[1,"1"]`) {
		t.Errorf("query by id: %s", body)
	}
	if _, body := s.get("/api/v1/label/room/values", "match[]", "series:ab01"); data(t, body) != `["a"]` {
		t.Errorf("values by id: %s", body)
	}
	for _, c := range []struct{ selector, left string }{
		{`series:ab00{room="b"}`, `"2"`}, {`series:ab07`, `"2"`}, {`series:ab00{room="a"}`, `"1"`},
	} {
		if status, body := s.post("/api/v1/admin/tsdb/delete_series", "match[]", c.selector); status != 204 {
			t.Errorf("deleting %s: %d %s", c.selector, status, body)
		}
		if _, body := s.get("/api/v1/query", "query", `count({room="a"})`, "time", "1"); !strings.Contains(body, c.left) {
			t.Errorf("after deleting %s: %s, want %s", c.selector, body, c.left)
		}
	}
}

// TestDeleteWithinMillisecond deletes points by the times that queries show for them.
func TestDeleteWithinMillisecond(t *testing.T) {
	db := dbtest.Open(t, sydradb.Options{})
	write(t, db, "a", 999.999999, 1, 1000.5, 2, 1001, 3)
	s := serve(t, Config{DB: db})
	for _, at := range []string{"1", "1970-01-01T00:00:01Z"} {
		if status, body := s.post("/api/v1/admin/tsdb/delete_series", "match[]", "a", "start", at, "end", at); status != 204 {
			t.Errorf("%d %s", status, body)
		}
		if _, body := s.get("/api/v1/query?query=a[1m]&time=10"); !strings.Contains(body, `"values":[[0.999,"1"],[1.001,"3"]]`) {
			t.Errorf("after deleting what is shown at %s: %s", at, body)
		}
		write(t, db, "a", 1000.5, 2)
	}
}

func TestExternalLabelsInRemoteRead(t *testing.T) {
	db := dbtest.Open(t, sydradb.Options{})
	write(t, db, `up{job="a"}`, 1000, 1)
	s := serve(t, Config{DB: db, ExternalLabels: map[string]string{"node": "n1"}})
	query := &prompb.Query{EndTimestampMs: 5000, Matchers: []*prompb.LabelMatcher{{Name: "__name__", Value: "up"}, {Name: "node", Value: "n1"}}}
	for _, kind := range []prompb.ReadRequest_ResponseType{prompb.ReadRequest_SAMPLES, prompb.ReadRequest_STREAMED_XOR_CHUNKS} {
		got := s.remoteRead(query, kind)
		if want := `{__name__="up", job="a", node="n1"} 1000:3ff0000000000000`; len(got) != 1 || got[0] != want {
			t.Errorf("%v: got %q, want %q", kind, got, want)
		}
	}
}

// TestManyAtATime queries while points are written, flushed and deleted.
func TestManyAtATime(t *testing.T) {
	db := dbtest.Open(t, sydradb.Options{})
	crowd(t, db, 20, 500)
	s := serve(t, Config{DB: db})
	var wg sync.WaitGroup
	for _, query := range []string{`count(m)`, `sum(max_over_time(m[1h]))`, `max(timestamp(m))`, `count(rate(m[10m]) or m)`} {
		wg.Go(func() {
			for range 10 {
				// A status of 429 is right, too: only so many queries run at a time.
				if status, body := s.get("/api/v1/query", "query", query, "time", "4000"); status != 429 && (status != 200 || !strings.Contains(body, `"value":[4000`)) {
					t.Errorf("%s: %d %s", query, status, body)
				}
			}
		})
	}
	for i := range 10 {
		write(t, db, `m{i="x"}`, float64(4_000_000+i), 1)
		if err := db.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		if status, body := s.post("/api/v1/admin/tsdb/delete_series", "match[]", `m{i="x"}`); status != 204 {
			t.Errorf("deletion: %d %s", status, body)
		}
	}
	wg.Wait()
}
