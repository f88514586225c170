package prom

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/prometheus/prompb"
	"github.com/prometheus/prometheus/promql"

	"github.com/sydradb/sydradb"
	"github.com/sydradb/sydradb/server/internal/dbtest"
)

// crowd writes n series of points each, ten seconds apart from 0.
func crowd(t testing.TB, db *sydradb.DB, n, points int) {
	t.Helper()
	batch := db.NewBatch()
	for i := range n {
		s := seriesNamed(t, db, fmt.Sprintf(`m{i="%d",even="%v"}`, i, i%2 == 0))
		for j := range int64(points) {
			batch.Add(s, j*10_000*nsPerMS, float64(j))
		}
	}
	if err := db.Write(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
}

// TestLimits goes over each limit, and asks for something modest after it.
func TestLimits(t *testing.T) {
	db := dbtest.Open(t, sydradb.Options{})
	crowd(t, db, 100, 200)
	s := serve(t, Config{DB: db, Limits: Limits{Samples: 1000, Series: 50, MemoryBytes: 500 * sampleBytes, TextBytes: 100}})
	long := `m{i="0",` + strings.Repeat("x", 100) + `=""}`
	for _, c := range []struct {
		name, path string
		params     []string
		status     int
		text       string
	}{
		{"series", "/api/v1/query", []string{"query", "count(m)", "time", "100"}, 422, "selects more than 50 series"},
		{"series in two selectors", "/api/v1/query", []string{"query", `m{i=~"[0-3].?"} or m{i=~"[4-8].?"}`, "time", "100"}, 422, "selects more than 50 series"},
		{"series listed", "/api/v1/series", []string{"match[]", "m"}, 422, "selects more than 50 series"},
		{"series in two lists", "/api/v1/series", []string{"match[]", `m{i=~"[0-3].?"}`, "match[]", `m{i=~"[4-8].?"}`}, 422, "selects more than 50 series"},
		{"samples read", "/api/v1/query", []string{"query", `sum(max_over_time(m{i=~".?"}[1h]))`, "time", "2000"}, 422, "reads more than 1000 samples"},
		{"samples held", "/api/v1/query", []string{"query", `m{i=~"[123]"}[1h]`, "time", "2000"}, 422, "too many samples"},
		{"text", "/api/v1/query", []string{"query", long, "time", "2000"}, 422, "more than 100"},
		{"selectors", "/api/v1/series", []string{"match[]", long}, 422, "more than 100"},
		{"selectors together", "/api/v1/labels", []string{"match[]", long[:60], "match[]", long[:60]}, 422, "more than 100"},
		{"version", "/api/v1/query", []string{"query", "m", "at", "main~1"}, 400, "versions of the data are not there yet"},
		{"steps", "/api/v1/query_range", []string{"query", `m{i="1"}`, "start", "0", "end", "11001", "step", "1"}, 400, "11,000 points"},
		{"timeout", "/api/v1/query", []string{"query", `m{i="1"}`, "time", "100", "timeout", "0.000000001"}, 503, "timed out"},
	} {
		status, body := s.post(c.path, c.params...)
		if c.path == "/api/v1/labels" {
			status, body = s.get(c.path, c.params...)
		}
		if status != c.status || !strings.Contains(body, c.text) || !strings.Contains(body, `"status":"error"`) {
			t.Errorf("%s: %d %s", c.name, status, body)
		}
		if status, body := s.post("/api/v1/query", "query", `max_over_time(m{i="1"}[10m])`, "time", "2000"); status != 200 {
			t.Errorf("after %s: %d %s", c.name, status, body)
		}
	}
	if status, body := s.get("/api/v1/label/i/values", "match[]", "m"); status != 200 || strings.Count(body, ",") < 99 {
		t.Errorf("values of many series: %d %s", status, body)
	}
}

// TestLimitsOfRemoteRead goes over the limits before an answer has begun, and after.
func TestLimitsOfRemoteRead(t *testing.T) {
	db := dbtest.Open(t, sydradb.Options{})
	crowd(t, db, 100, 200)
	s := serve(t, Config{DB: db, Limits: Limits{Samples: 1000, Series: 50}})
	sampled := []prompb.ReadRequest_ResponseType{prompb.ReadRequest_SAMPLES}
	streamed := []prompb.ReadRequest_ResponseType{prompb.ReadRequest_STREAMED_XOR_CHUNKS}
	query := func(pattern string) []*prompb.Query {
		return []*prompb.Query{{EndTimestampMs: 10_000_000, Matchers: []*prompb.LabelMatcher{{Type: prompb.LabelMatcher_RE, Name: "i", Value: pattern}}}}
	}
	for _, c := range []struct {
		pattern string
		kinds   []prompb.ReadRequest_ResponseType
		status  int
		text    string
	}{
		{".*", sampled, 422, "more than 50 series"},
		{".*", streamed, 422, "more than 50 series"},
		{"[0-9]", sampled, 422, "more than 1000 samples"},
	} {
		resp, err := s.read(&prompb.ReadRequest{Queries: query(c.pattern), AcceptedResponseTypes: c.kinds})
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != c.status || !strings.Contains(string(body), c.text) {
			t.Errorf("%s: %d %.200q", c.pattern, resp.StatusCode, body)
		}
	}
	// Queries that are modest by themselves.
	held := serve(t, Config{DB: db, Limits: Limits{Samples: 1000, MemoryBytes: 300 * sampledBytes}})
	for n, want := range map[int]int{1: 200, 2: 422} {
		resp, err := held.read(&prompb.ReadRequest{Queries: slices.Repeat(query("1"), n), AcceptedResponseTypes: sampled})
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("%d queries of 200 samples where 300 fit into memory: %d, want %d", n, resp.StatusCode, want)
		}
	}
	// Whether the client sees the beginning depends on how much fits into buffers.
	resp, err := s.read(&prompb.ReadRequest{Queries: query("[0-9]"), AcceptedResponseTypes: streamed})
	if err == nil {
		_, err = io.ReadAll(resp.Body)
		resp.Body.Close()
	}
	if err == nil {
		t.Error("a stream cut short looks whole")
	}
	if got := s.remoteRead(query("1")[0], streamed[0]); len(got) != 1 {
		t.Errorf("after that: %d series", len(got))
	}
}

func TestBadRemoteRead(t *testing.T) {
	s := serve(t, Config{DB: dbtest.Open(t, sydradb.Options{})})
	for _, body := range []string{"", "x", "\xff\xff\xff\xff\x7f", "\x04\x0c\xff\xff\xff\xff"} {
		if status, text := s.do(http.MethodPost, "/api/v1/read", strings.NewReader(body)); status != 400 {
			t.Errorf("%q: %d %s", body, status, text)
		}
	}
	for pattern, want := range map[string]int{"(": 400, "m|\x85": 200} { // Prometheus compiles the second one
		resp, err := s.read(&prompb.ReadRequest{Queries: []*prompb.Query{{Matchers: []*prompb.LabelMatcher{{Type: prompb.LabelMatcher_RE, Name: "a", Value: pattern}}}}})
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("pattern %q: %d, want %d", pattern, resp.StatusCode, want)
		}
	}
}

// hostile are queries that are made to take much: each ends soon, with one of the statuses
// of a query.
var hostile = []struct {
	query  string
	status int
}{
	{`vector(1)[1000y:1ms]`, 400}, {`vector(1)[100y:1ms]`, 422}, {`max_over_time(vector(1)[6s:1ms])`, 200}, {`count_over_time(vector(1)[100y:1ms])`, 422}, {`sum_over_time(sum_over_time(m[1h:1ms])[1h:1ms])`, 422},
	{`m[292y]`, 200}, {`m offset 1000y`, 400}, {`m offset -292y`, 200}, {`m @ 9223372036854775`, 200}, {`m @ -9223372036854775`, 200}, {`m @ 1e300`, 400}, {`m @ NaN`, 400},
	{`topk(1e18, m)`, 200}, {`topk(NaN, m)`, 422}, {`bottomk(-1e18, m)`, 200}, {`quantile(1e300, m)`, 200}, {`limitk(5, m)`, 400},
	{`m * on() group_left m`, 422}, {`m * on(even) m`, 422}, {`m == on(i) m`, 200}, {`{__name__=~"(((((a+)+)+)+)+)+b"}`, 200},
	{`{__name__=~"(a{1000}){1000}"}`, 400}, {`{i=~"` + strings.Repeat("(", 2000) + strings.Repeat(")", 2000) + `"}`, 400},
	{`{i=~"` + strings.Repeat("a?", 3000) + strings.Repeat("a", 3000) + `"}`, 200},
	{`label_replace(m, "x", "` + strings.Repeat("$1", 400) + `", "i", "(.*)")`, 422}, {`label_replace(m, "x", ("$1"), "i", "(.*)")`, 422},
	{strings.Repeat("label_join(", 400) + "m" + strings.Repeat(`,"i","","i","i")`, 400), 422}, {`count_values("` + strings.Repeat("x", 5000) + `", m)`, 422},
	{`label_replace(m, "x", "` + strings.Repeat("y", 5000) + `", "i", "(.*)")`, 422}, {`label_join(label_join(m, "x", "-", "i", "even"), "y", "-", "x", "i")`, 200}, {`label_replace(m, "i", "", "i", ".*")`, 422},
	{strings.Repeat("(", 4000) + "1" + strings.Repeat(")", 4000), 200}, {strings.Repeat("-", 16000) + "1", 200}, {strings.Repeat("1+", 3000) + "1", 200},
	{strings.Repeat("abs(", 3000) + "m" + strings.Repeat(")", 3000), 200}, {strings.Repeat("m or ", 1000) + "m", 200}, {strings.Repeat("sum(", 4000), 400},
	{`count_values("v", m) * scalar(m)`, 200}, {`sort_desc(m) / 0`, 200}, {`"` + strings.Repeat("é", 500) + `"`, 200}, {`"` + strings.Repeat("é", 7000) + `"`, 422}, {"\x00", 400}, {"\xff", 400}, {``, 400},
	{`{x="` + strings.Repeat("a", 17000) + `"}`, 422}, {`histogram_quantile(0.5, m)`, 200}, {`absent(m{i="nosuch"})`, 200},
	{`{i=~"m|\x85"}`, 200}, {`predict_linear(m[1h], 1e300)`, 200}, {`info(m)`, 400}, {`max_over_time(max_over_time(max_over_time(m[1h:1s])[1h:1s])[1h:1s])`, 422},
}

func TestHostileQueries(t *testing.T) {
	db := dbtest.Open(t, sydradb.Options{})
	crowd(t, db, 20, 400)
	// Less memory than by default, so that the limit is met sooner.
	s := serve(t, Config{DB: db, Limits: Limits{Timeout: 5 * time.Second, MemoryBytes: 100_000 * sampleBytes}})
	for _, c := range hostile {
		status, body := s.post("/api/v1/query", "query", c.query, "time", "3000")
		if status != c.status || status != 200 && !strings.Contains(body, `"status":"error"`) {
			t.Errorf("%.80q: got %d, want %d: %.300s", c.query, status, c.status, body)
		}
	}
	if status, body := s.post("/api/v1/query", "query", "count(m)", "time", "3000"); status != 200 || !strings.Contains(body, `"20"`) {
		t.Errorf("after all of them: %d %s", status, body)
	}
}

// TestErrorsOfStorage has the status and type that each error of the database leads to.
func TestErrorsOfStorage(t *testing.T) {
	for _, c := range []struct {
		err    error
		status int
		failed bool // whether who watches the storage is told
	}{
		{sydradb.ErrLimit, 422, false},
		{context.DeadlineExceeded, 503, false},
		{sydradb.ErrCorrupt, 500, true},
		{sydradb.ErrClosed, 500, true},
		{&fs.PathError{Op: "read", Path: "segments/x", Err: syscall.EIO}, 500, true},
		{&limitError{"too much"}, 422, false},
		{context.Canceled, 0, false},
	} {
		told := false
		b := newBudget(Limits{}.withDefaults(), func(error) { told = true })
		err := b.storageError(fmt.Errorf("reading: %w", c.err))
		status, _ := errorCode(0, fmt.Errorf("expanding series: %w", err))
		if status != c.status || told != c.failed {
			t.Errorf("%v: status %d, told %v", c.err, status, told)
		}
	}
	if status, _ := errorCode(0, promql.ErrTooManySamples("x")); status != 422 {
		t.Errorf("too many samples: %d", status)
	}
}

// TestDamageIsAnswered queries a database with a damaged file.
func TestDamageIsAnswered(t *testing.T) {
	dir := t.TempDir()
	db, err := sydradb.Open(dir, &sydradb.Options{CacheBytes: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	crowd(t, db, 1, 1000)
	if err := db.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	damaged := 0
	err = filepath.WalkDir(filepath.Join(dir, "segments"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for i := len(content) / 2; i < len(content)/2+8; i++ {
			content[i] ^= 0xff
		}
		damaged++
		return os.WriteFile(path, content, 0o600)
	})
	if err != nil || damaged == 0 {
		t.Fatalf("%d files damaged: %v", damaged, err)
	}
	var told error
	s := serve(t, Config{DB: db, OnError: func(err error) { told = err }})
	for _, path := range []string{"/api/v1/query?query=sum(m)&time=5000", "/api/v1/query_range?query=sum(m)&start=0&end=5000&step=60"} {
		if status, body := s.get(path); status != 500 || !strings.Contains(body, `"errorType":"internal"`) || !errors.Is(told, sydradb.ErrCorrupt) {
			t.Errorf("%s: %d %s, told %v", path, status, body, told)
		}
	}
}
