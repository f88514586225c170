package metrics_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/sydradb/sydradb"
	"github.com/sydradb/sydradb/server/internal/auth"
	"github.com/sydradb/sydradb/server/internal/intake"
	"github.com/sydradb/sydradb/server/internal/metrics"
	"github.com/sydradb/sydradb/server/internal/node"
	"github.com/sydradb/sydradb/server/internal/web"
)

const page = "../../../docs/metrics.md"

// newMetrics returns the metrics of a server with a database that is open.
func newMetrics(t testing.TB, opts sydradb.Options) (*metrics.Metrics, *sydradb.DB) {
	t.Helper()
	opts.InMemory = true
	return metricsOf(t, "", opts)
}

// metricsOf does so with the database of a directory.
func metricsOf(t testing.TB, dir string, opts sydradb.Options) (*metrics.Metrics, *sydradb.DB) {
	t.Helper()
	db, err := sydradb.Open(dir, &opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	m := metrics.New("1.2.3")
	err = m.Watch(metrics.Sources{
		DB:     func() *sydradb.DB { return db },
		Status: func() node.Status { return node.Status{State: node.OK, Recovery: node.Recovery{Done: 5, Total: 7}} },
		Load: func() web.Load {
			return web.Load{IngestBusy: 1, IngestWaiting: 2, QueryBusy: 3, QueryWaiting: 5, BodiesBytes: 4}
		},
		Namespaces: []string{"weather"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return m, db
}

func write(t *testing.T, db *sydradb.DB, ts int64) {
	t.Helper()
	s, err := db.Series("room.temp")
	if err != nil {
		t.Fatal(err)
	}
	b := db.NewBatch()
	b.Add(s, ts, 1)
	if err := db.Write(context.Background(), b); err != nil {
		t.Fatal(err)
	}
}

// scrape returns what /metrics answers.
func scrape(t *testing.T, m *metrics.Metrics) string {
	t.Helper()
	s := web.New(web.Config{})
	if err := s.Mount(true, m.Routes()); err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	if w.Code != http.StatusOK {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	return w.Body.String()
}

func wantLines(t *testing.T, text string, lines ...string) {
	t.Helper()
	for _, line := range lines {
		if !strings.Contains(text, line+"\n") {
			name, _, _ := strings.Cut(line, " ")
			name, _, _ = strings.Cut(name, "{")
			t.Errorf("no line %q; there are\n%s", line, strings.Join(regexp.MustCompile("(?m)^"+name+"[ {].*$").FindAllString(text, -1), "\n"))
		}
	}
}

func TestScrape(t *testing.T) {
	m, db := newMetrics(t, sydradb.Options{})
	m.Observe("influx", 10, map[intake.Reason]int{intake.TooOld: 2, "unheard_of": 1})
	m.Observe("gopher", 3, nil)
	m.ObserveRequest("write", 204, 3*time.Millisecond)
	m.ObservePanic("write")
	write(t, db, 1_500_000_000)
	if err := db.Flush(context.Background()); err != nil {
		t.Fatal(err)
	}
	wantLines(t, scrape(t, m),
		`sydradb_points_accepted_total{protocol="influx"} 10`,
		`sydradb_points_accepted_total{protocol="other"} 3`,
		`sydradb_points_rejected_total{protocol="influx",reason="too_old"} 2`,
		`sydradb_points_rejected_total{protocol="influx",reason="other"} 1`,
		`sydradb_points_rejected_total{protocol="otlp",reason="native_histogram"} 0`,
		`sydradb_http_requests_total{code="204",handler="write"} 1`,
		`sydradb_http_request_duration_seconds_bucket{handler="write",le="0.005"} 1`,
		`sydradb_http_panics_total{handler="write"} 1`,
		`sydradb_state{state="ok"} 1`,
		`sydradb_state{state="failed"} 0`,
		`sydradb_recovery_read_bytes 5`,
		`sydradb_recovery_log_bytes 7`,
		`sydradb_http_slots_busy{slot="ingest"} 1`,
		`sydradb_http_slots_busy{slot="query"} 3`,
		`sydradb_http_slots_waiting{slot="ingest"} 2`,
		`sydradb_http_slots_waiting{slot="query"} 5`,
		`sydradb_http_body_bytes 4`,
		`sydradb_series 1`,
		`sydradb_segment_points 1`,
		`sydradb_flush_duration_seconds_count 1`,
		`sydradb_flush_duration_seconds_bucket{le="+Inf"} 1`,
		`sydradb_last_point_timestamp_seconds 1.5`,
		`prometheus_tsdb_lowest_timestamp_seconds 1`,
	)
}

// Thanos asks for the least time: at once after older points came in, and rounded so that
// none of them lies before it.
func TestLowestTimestamp(t *testing.T) {
	m, db := newMetrics(t, sydradb.Options{})
	lowest := func(want float64) {
		t.Helper()
		wantLines(t, scrape(t, m), fmt.Sprintf("prometheus_tsdb_lowest_timestamp_seconds %g", want))
	}
	lowest(math.MaxInt64)
	write(t, db, 1_694_300_000_999_999_999)
	lowest(1_694_300_000)
	write(t, db, 1_000_000_000_000_000_000)
	lowest(1_000_000_000)
	write(t, db, -1)
	lowest(-1)
}

// Syncs of the log show, each with the time that it took, and so does a file that is missing.
func TestWhatADiskDoes(t *testing.T) {
	dir := t.TempDir()
	m, db := metricsOf(t, dir, sydradb.Options{Sync: sydradb.SyncAlways})
	write(t, db, 1_500_000_000)
	write(t, db, 2_500_000_000)
	if err := errors.Join(db.Flush(t.Context()), db.Close()); err != nil { // nothing goes on behind the figures
		t.Fatal(err)
	}
	text, syncs := scrape(t, m), db.Stats().WALSync
	if syncs.Count < 2 || syncs.Sum <= 0 {
		t.Errorf("%d syncs took %v s", syncs.Count, syncs.Sum)
	}
	wantLines(t, text,
		"sydradb_damaged_files 0",
		fmt.Sprintf("sydradb_wal_sync_duration_seconds_count %d", syncs.Count),
		fmt.Sprintf("sydradb_wal_sync_duration_seconds_sum %v", syncs.Sum),
		fmt.Sprintf(`sydradb_wal_sync_duration_seconds_bucket{le="+Inf"} %d`, syncs.Count),
	)
	for i, bound := range syncs.Bounds {
		wantLines(t, text, fmt.Sprintf(`sydradb_wal_sync_duration_seconds_bucket{le="%v"} %d`, bound, syncs.Counts[i]))
	}

	removed := 0
	err := filepath.WalkDir(filepath.Join(dir, "segments"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		removed++
		return os.Remove(path)
	})
	if err != nil || removed != 1 {
		t.Fatalf("%d files removed: %v", removed, err)
	}
	m, _ = metricsOf(t, dir, sydradb.Options{})
	wantLines(t, scrape(t, m), "sydradb_damaged_files 1")
}

// Without a database the server says how it is all the same.
func TestStarting(t *testing.T) {
	m := metrics.New("1.2.3")
	err := m.Watch(metrics.Sources{
		DB:     func() *sydradb.DB { return nil },
		Status: func() node.Status { return node.Status{State: node.Starting} },
		Load:   func() web.Load { return web.Load{} },
	})
	if err != nil {
		t.Fatal(err)
	}
	text := scrape(t, m)
	wantLines(t, text, `sydradb_state{state="starting"} 1`)
	if strings.Contains(text, "sydradb_series") || strings.Contains(text, "lowest_timestamp") {
		t.Error("metrics of a database that is not open")
	}
}

func TestScope(t *testing.T) {
	const secret = "0123456789abcdef0123456789abcdef"
	tokens, err := auth.Parse([]byte("read " + secret + "\n"))
	if err != nil {
		t.Fatal(err)
	}
	s := web.New(web.Config{Guard: auth.NewGuard(tokens, nil)})
	if err := s.Mount(false, metrics.New("1").Routes()); err != nil {
		t.Fatal(err)
	}
	for token, want := range map[string]int{"": 401, secret: 200} {
		r := httptest.NewRequest("GET", "/metrics", nil)
		if token != "" {
			r.Header.Set("Authorization", "Bearer "+token)
		}
		w := httptest.NewRecorder()
		if s.ServeHTTP(w, r); w.Code != want {
			t.Errorf("token %q: %d, want %d", token, w.Code, want)
		}
	}
}

// gatherer returns the registry with a series of each metric.
func gatherer(t *testing.T) prometheus.Gatherer {
	now := time.Now()
	m, db := newMetrics(t, sydradb.Options{Retention: 24 * time.Hour})
	m.ObserveRequest("write", 204, time.Millisecond)
	m.ObservePanic("write")
	write(t, db, now.UnixNano())
	if err := db.Retain(context.Background(), true); err != nil {
		t.Fatal(err)
	}
	return m.Registerer().(prometheus.Gatherer)
}

func TestNamesFollowConventions(t *testing.T) {
	problems, err := testutil.GatherAndLint(gatherer(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		if !strings.HasPrefix(p.Metric, "go_") && !strings.HasPrefix(p.Metric, "process_") {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	}
}

// The page has one row for each metric, with its type and labels, and no other rows.
func TestPage(t *testing.T) {
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	families, err := gatherer(t).Gather()
	if err != nil {
		t.Fatal(err)
	}
	rows := make(map[string]bool)
	for _, row := range regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\| ([a-z]+) \\| (.*?) \\| .+ \\| .+ \\|$").FindAllStringSubmatch(string(text), -1) {
		head := strings.Join(row[1:4], " ")
		if rows[head] {
			t.Errorf("%s: two rows of %s", page, row[1])
		}
		rows[head] = true
	}
	for _, f := range families {
		if strings.HasPrefix(f.GetName(), "go_") || strings.HasPrefix(f.GetName(), "process_") {
			continue
		}
		var labels []string
		for _, l := range f.GetMetric()[0].GetLabel() {
			labels = append(labels, "`"+l.GetName()+"`")
		}
		slices.Sort(labels)
		head := fmt.Sprintf("%s %s %s", f.GetName(), strings.ToLower(f.GetType().String()), strings.Join(labels, ", "))
		if head = strings.TrimSuffix(head, " "); len(labels) == 0 {
			head += " -"
		}
		if !rows[head] {
			t.Errorf("%s: no row of %q", page, head)
		}
		delete(rows, head)
	}
	for row := range rows {
		t.Errorf("%s: there is no metric %q", page, row)
	}
}

func TestObserveDoesNotAllocate(t *testing.T) {
	m := metrics.New("1")
	rejected := map[intake.Reason]int{intake.Invalid: 1}
	if n := testing.AllocsPerRun(100, func() { m.Observe("influx", 1000, rejected) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkObserve(b *testing.B) {
	m := metrics.New("1")
	b.ReportAllocs()
	for b.Loop() {
		m.Observe("influx", 1000, nil)
	}
}

func BenchmarkScrape(b *testing.B) {
	m, _ := newMetrics(b, sydradb.Options{})
	s := web.New(web.Config{})
	if err := s.Mount(true, m.Routes()); err != nil {
		b.Fatal(err)
	}
	r := httptest.NewRequest("GET", "/metrics", nil)
	b.ReportAllocs()
	for b.Loop() {
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		_, _ = io.Copy(io.Discard, w.Body)
	}
}
