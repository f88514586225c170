package e2e

import (
	"fmt"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// scrapeTime is how long Prometheus scrapes before the answers are compared.
const scrapeTime = 60 * time.Second

// prometheus starts one that listens on the address, with the given configuration, and keeps
// its data in dir.
func prometheus(t *testing.T, address, config, dir string) api {
	t.Helper()
	p := start(t, tool(t, "prometheus"),
		"--config.file="+file(t, "prometheus.yml", config),
		"--storage.tsdb.path="+dir,
		"--web.listen-address="+address,
		"--web.enable-admin-api")
	a := api{url: "http://" + address}
	a.ready(t, p, "/-/ready")
	return a
}

// The whole way of a user of Prometheus: it scrapes and writes to us, both answer the same,
// another Prometheus reads from us, promtool asks us, and vmctl brings its data over.
func TestPrometheus(t *testing.T) {
	t.Parallel()
	ours := serve(t)
	address, dir := freeAddress(t), t.TempDir()
	theirs := prometheus(t, address, fmt.Sprintf(`
global: {scrape_interval: 1s, scrape_timeout: 1s}
scrape_configs:
- job_name: prometheus
  static_configs: [{targets: [%q]}]
- job_name: sydradb
  authorization: {credentials: %s}
  static_configs: [{targets: [%q]}]
`, address, token, ours.address)+page(t, "remote_write", "prometheus.md", "localhost:8080", ours.address), dir)
	begin := now()
	pass(t, scrapeTime/2)
	// Its scrapes of us fail for a moment, which ends series with a marker, and what it could
	// not write it writes later.
	ours.stop(t)
	ours.begin(t)
	pass(t, scrapeTime/2)
	end := settle(t, theirs, ours.api, begin)

	t.Run("metadata", func(t *testing.T) { sameMetadata(t, theirs, ours.api) })
	t.Run("catalog", func(t *testing.T) { sameCatalog(t, theirs, ours.api, begin, end) })
	t.Run("promql", func(t *testing.T) { sameQueries(t, theirs, ours.api, begin, end) })
	t.Run("remote_read", func(t *testing.T) { testRemoteRead(t, theirs, ours, begin, end) })
	t.Run("promtool", func(t *testing.T) { testPromtool(t, theirs, ours, begin, end) })
	t.Run("vmctl", func(t *testing.T) { testVmctl(t, dir, theirs, begin, end) })
}

// everything selects all series in a form that both servers take.
const everything = `{__name__=~".+"}`

// settle returns the end, in milliseconds, of what is compared: a moment that no sample
// falls on, some of them still in flight when it is chosen. It waits until those arrived and
// the answers of both servers for all series agree sample by sample, as text.
func settle(t *testing.T, theirs, ours api, begin int64) int64 {
	t.Helper()
	last := theirs.mustQuery(t, `timestamp(up{job="prometheus"})`, now())
	if len(last) != 1 {
		t.Fatalf("prometheus does not scrape itself: %v", last)
	}
	// The scrapes of a job stand a second apart: between two of them is the safe place for
	// the borders of ranges, which one version counts as inside and the other does not.
	end := between(t, theirs, now())
	selector := everything + "[" + all(begin, end) + "]"
	var points int
	eventually(t, 20*time.Second, "both have the same samples", func() error {
		want, err := theirs.query(t.Context(), selector, end)
		if err != nil {
			return err
		}
		got, err := ours.query(t.Context(), selector, end)
		if err != nil {
			return err
		}
		points = want.points()
		return compare(want, got, 0)
	})
	if least := 500 * int(scrapeTime/time.Second) / 2; points < least {
		t.Fatalf("only %d samples compared, want %d", points, least)
	}
	t.Logf("%d samples are equal", points)
	return end
}

// between returns the latest time before at whose fraction of a second is as far as can be
// from those of the scrapes.
func between(t *testing.T, a api, at int64) int64 {
	t.Helper()
	var used []int64
	for _, samples := range a.mustQuery(t, `up[10s]`, at) {
		for _, s := range samples {
			used = append(used, s.T%1000)
		}
	}
	best, widest := int64(0), int64(-1)
	for fraction := range int64(1000) {
		nearest := int64(1000)
		for _, u := range used {
			d := max(u-fraction, fraction-u)
			nearest = min(nearest, d, 1000-d)
		}
		if nearest > widest {
			best, widest = fraction, nearest
		}
	}
	if widest < 5 {
		t.Fatalf("the scrapes leave no gap in the second: %v", used)
	}
	return at/1000*1000 - 1000 + best
}

func sameMetadata(t *testing.T, theirs, ours api) {
	type entry struct{ Type, Help string }
	type families map[string][]entry
	eventually(t, 40*time.Second, "metadata arrives", func() error {
		var want, got families
		if err := theirs.get(t.Context(), "/api/v1/metadata", nil, &want); err != nil {
			return err
		}
		if err := ours.get(t.Context(), "/api/v1/metadata", nil, &got); err != nil {
			return err
		}
		if len(want) < 100 {
			return fmt.Errorf("prometheus has metadata of %d families only", len(want))
		}
		for family, entries := range want {
			if len(entries) == 1 && !slices.Equal(got[family], entries) {
				return fmt.Errorf("%s: %v, want %v", family, got[family], entries)
			}
		}
		return nil
	})
}

// sameCatalog compares names, values and series. Prometheus also lists what came after the
// window, so ours may lack of its list what no sample of the window has, and nothing else.
func sameCatalog(t *testing.T, theirs, ours api, begin, end int64) {
	window := url.Values{"start": {seconds(begin)}, "end": {seconds(end)}}
	var present strings.Builder // the labels of all series that have a sample
	for key := range theirs.mustQuery(t, everything+"["+all(begin, end)+"]", end) {
		present.WriteString(key + "\n")
	}
	check := func(what, form string, ask func(api) ([]string, error)) {
		want, err := ask(theirs)
		if err != nil {
			t.Fatal(err)
		}
		got, err := ask(ours)
		if err != nil {
			t.Fatal(err)
		}
		want = slices.DeleteFunc(want, func(s string) bool {
			return !slices.Contains(got, s) && !strings.Contains(present.String(), fmt.Sprintf(form, s))
		})
		if len(want) == 0 || !slices.Equal(got, want) {
			t.Errorf("%s: %d, want %d\n%.500q\n%.500q", what, len(got), len(want), got, want)
		}
	}
	check("labels", "%s=", func(a api) ([]string, error) { return a.names(t.Context(), "/api/v1/labels", window) })
	for _, label := range []string{"__name__", "job", "le", "handler"} {
		check("values of "+label, label+"=%q ", func(a api) ([]string, error) {
			return a.names(t.Context(), "/api/v1/label/"+label+"/values", window)
		})
	}
	for _, selector := range []string{everything, `{job="prometheus",le!=""}`, `go_gc_duration_seconds{quantile=~"0|0.0|1|1.0"}`} {
		check("series of "+selector, "%s\n", func(a api) ([]string, error) { return a.series(t.Context(), selector, begin, end) })
	}
}

// queries are evaluated over the range by both servers. Numbers may differ in the last
// digits: newer versions of the engine sum with compensation.
var queries = []string{
	`up`,
	`absent(nope{job="x"})`,
	`absent(up)`,
	`rate(prometheus_http_requests_total[15s])`,
	`irate(prometheus_tsdb_head_samples_appended_total[10s])`,
	`increase(prometheus_tsdb_head_samples_appended_total[20s])`,
	`sum by (handler) (rate(prometheus_http_request_duration_seconds_bucket[20s]))`,
	`histogram_quantile(0.9, sum by (le) (rate(prometheus_http_request_duration_seconds_bucket[30s])))`,
	`histogram_quantile(0.5, prometheus_http_response_size_bytes_bucket)`,
	// Of numbers that are hardly ever equal: which of two equal ones is left out is open.
	`topk(2, {__name__=~"go_goroutines|go_threads|process_open_fds|go_info", job="prometheus"})`,
	`bottomk(2, {__name__=~"go_goroutines|go_threads|process_open_fds|go_info", job="prometheus"})`,
	`go_goroutines offset 10s`,
	`go_goroutines - go_goroutines offset 5s`,
	`max_over_time(rate(go_memstats_alloc_bytes_total[10s])[20s:5s])`,
	`avg_over_time(go_goroutines[15s])`,
	`stddev_over_time(go_memstats_heap_alloc_bytes[15s])`,
	`quantile_over_time(0.9, go_memstats_heap_alloc_bytes[15s])`,
	`count_over_time(up[10s])`,
	`changes(go_goroutines[20s])`,
	`resets(go_memstats_heap_alloc_bytes[20s])`,
	`deriv(go_memstats_alloc_bytes_total[20s])`,
	`count by (job) ({__name__=~"go_.*"})`,
	`count_values("v", up)`,
	`sum(go_memstats_heap_inuse_bytes) / on() sum(go_memstats_sys_bytes{job="prometheus"})`,
	`go_memstats_heap_inuse_bytes / ignoring(x) go_memstats_sys_bytes`,
	`label_replace(up, "port", "$1", "instance", ".*:(.*)")`,
	`go_goroutines > bool 10`,
	`go_goroutines and on(job) up{job="sydradb"}`,
	`go_goroutines unless up`,
	`timestamp(up)`,
	`time()`,
	`go_goroutines @ end()`,
	`quantile(0.5, go_memstats_heap_alloc_bytes)`,
	`{__name__=~"prometheus_tsdb_head_.*_total", job="prometheus"}`,
}

func sameQueries(t *testing.T, theirs, ours api, begin, end int64) {
	// Not from the very beginning: where a counter begins within the range of a rate, newer
	// versions of the engine guess less of what was before.
	start := end - (end-begin)/2000*1000
	filled := 0
	for _, q := range queries {
		want, err := theirs.queryRange(t.Context(), q, start, end, 3*time.Second)
		if err != nil {
			t.Error(err)
			continue
		}
		got, err := ours.queryRange(t.Context(), q, start, end, 3*time.Second)
		if err == nil {
			err = compare(want, got, 1e-9)
		}
		if err != nil {
			t.Errorf("%s: %v", q, err)
		}
		if len(want) > 0 {
			filled++
		}
	}
	if empty := len(queries) - filled; empty > 2 { // absent(up) and unless have no answer
		t.Errorf("%d queries have no answer: what is compared?", empty)
	}
}

// A Prometheus with nothing of its own reads all from us and answers what the one says that
// scraped.
func testRemoteRead(t *testing.T, theirs api, ours *server, begin, end int64) {
	reader := prometheus(t, freeAddress(t), page(t, "remote_read", "prometheus.md", "localhost:8080", ours.address), t.TempDir())
	selector := everything + "[" + all(begin, end) + "]"
	if err := compare(theirs.mustQuery(t, selector, end), reader.mustQuery(t, selector, end), 0); err != nil {
		t.Error(err)
	}
	for _, q := range queries {
		want, err := theirs.queryRange(t.Context(), q, begin+5000, end, 5*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		got, err := reader.queryRange(t.Context(), q, begin+5000, end, 5*time.Second)
		if err == nil {
			err = compare(want, got, 1e-12)
		}
		if err != nil {
			t.Errorf("%s: %v", q, err)
		}
	}
	want, err := theirs.names(t.Context(), "/api/v1/label/__name__/values", nil)
	if err != nil {
		t.Fatal(err)
	}
	// Prometheus asks for names by remote read only with a selector.
	got, err := reader.series(t.Context(), `{job="prometheus"}`, begin, end)
	if err != nil || len(got) == 0 {
		t.Errorf("series by remote read: %d of %d names: %v", len(got), len(want), err)
	}
}

// promtool prints the same whether it asks Prometheus or us.
func testPromtool(t *testing.T, theirs api, ours *server, begin, end int64) {
	bin := tool(t, "promtool")
	same := func(command func(url string) []string) {
		t.Helper()
		want := sortedLines(output(t, bin, command(theirs.url)...))
		got := sortedLines(output(t, bin, command(ours.login())...))
		if want == "" || got != want {
			t.Errorf("promtool %q prints\n%.1000s\nwant\n%.1000s", command("URL"), got, want)
		}
	}
	at, from := seconds(end), seconds(begin+5000)
	same(func(u string) []string {
		return []string{"query", "instant", "--time=" + at, u, `sort(prometheus_http_requests_total{handler="/metrics"})`}
	})
	same(func(u string) []string {
		return []string{"query", "instant", "-o", "json", "--time=" + at, u, `up{job="prometheus"}[5s]`}
	})
	same(func(u string) []string {
		return []string{"query", "range", "--start=" + from, "--end=" + at, "--step=5s", u, `go_goroutines{job="prometheus"}`}
	})
	same(func(u string) []string {
		return []string{"query", "series", "--match=up", "--start=" + from, "--end=" + at, u}
	})
	same(func(u string) []string {
		return []string{"query", "labels", "--start=" + from, "--end=" + at, u, "job"}
	})
	// The token may also be given as a header, where the command takes one.
	output(t, bin, "query", "range", "--header=Authorization=Bearer "+token, "--start="+from, "--end="+at, "--step=5s", ours.url, "up")
}

// sortedLines is for answers whose order says nothing.
func sortedLines(text string) string {
	return strings.Join(slices.Sorted(strings.Lines(text)), "")
}

// What vmctl says about samples.
var (
	samplesRead = regexp.MustCompile(`\n  samples: (\d+);`)
	samplesSent = regexp.MustCompile(`\n  total samples: (\d+);`)
)

// vmctl copies a snapshot of Prometheus into an empty server, point by point.
func testVmctl(t *testing.T, dir string, theirs api, begin, end int64) {
	answer, err := theirs.do(t.Context(), "POST", "/api/v1/admin/tsdb/snapshot", nil, "")
	if err != nil {
		t.Fatal(err)
	}
	snapshots, err := filepath.Glob(filepath.Join(dir, "snapshots", "*"))
	if err != nil || len(snapshots) != 1 {
		t.Fatalf("snapshots: %v %v %s", snapshots, err, answer)
	}
	into := serve(t)
	command := page(t, "vmctl", "prometheus.md",
		"/var/lib/prometheus/metrics2/snapshots/NAME", snapshots[0], "localhost:8080", into.address)
	// vmctl wants a terminal for its bars, even when told to show none. It may end before it has
	// sent the last series, and says so only by its counts: then it is run again.
	eventually(t, 30*time.Second, "vmctl sends all that it read", func() error {
		said := output(t, "script", "-qec", filepath.Dir(tool(t, "vmctl"))+"/"+command, "/dev/null")
		read := samplesRead.FindStringSubmatch(said)
		sent := samplesSent.FindStringSubmatch(said)
		if read == nil || sent == nil || read[1] != sent[1] {
			return fmt.Errorf("read %q, sent %q", read, sent)
		}
		return nil
	})
	selector := everything + "[" + all(begin, end) + "]"
	want, got := theirs.mustQuery(t, selector, end), into.mustQuery(t, selector, end)
	// What vmctl reads as the mark that a series ends, it writes as NaN: JSON has no other. Those
	// are more than Prometheus shows, and all that may be.
	marks := 0
	for key, samples := range got {
		got[key] = slices.DeleteFunc(samples, func(s sample) bool {
			mark := s.V == "NaN" && !slices.Contains(want[key], s)
			if mark {
				marks++
			}
			return mark
		})
	}
	if err := compare(want, got, 0); err != nil {
		t.Error(err)
	}
	t.Logf("%d samples came over, and %d marks as NaN", got.points(), marks)
}
