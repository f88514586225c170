//go:build linux

package torture

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// What the soak asks for, and how much of the machine it may take.
const (
	soakTick    = 250 * time.Millisecond // between two points of a stream
	soakSlots   = 200                    // series that each stream writes at a time
	soakCeiling = 256 << 20              // resident memory of the server
	soakGoLimit = "192MiB"               // what the Go runtime is told
	soakGrowth  = 0.01                   // of the resident memory, in an hour, at most
)

// soakSettings are those of the server: small enough that an hour shows everything often.
var soakSettings = []string{
	"GOMEMLIMIT=" + soakGoLimit, "SYDRADB_MEM_LIMIT_BYTES=96MiB", "SYDRADB_MEMTABLE_MAX_BYTES=8MiB",
	"SYDRADB_FLUSH_INTERVAL_MS=20000", "SYDRADB_MAX_SEGMENT_FILES=20", "SYDRADB_MIN_FREE_BYTES=16MiB", "SYDRADB_RESERVE_BYTES=1MiB",
	"SYDRADB_RETENTION=recent=" + recentDays,
}

// soak is a run: one process under mixed load, and what became of it.
type soak struct {
	*box
	p       *program
	began   time.Time
	length  time.Duration
	streams []*stream

	mu      sync.Mutex
	counts  map[string]int // of what was done, by name
	faults  []error
	samples []measured
}

// One server under mixed load for as long as SYDRADB_SOAK says: every way to write, late data,
// corrections, deletions, series that come and go, retention, queries whose answers are compared,
// queries that are broken off, clients that connect anew, flushes, merges, snapshots. Its
// memory, goroutines and files are sampled, and must not grow once it is warm; what is there at
// the end is compared point by point. SYDRADB_SOAK_REPORT names the file for the report; samples
// go to a file beside it.
func TestSoak(t *testing.T) {
	text := os.Getenv("SYDRADB_SOAK")
	if text == "" {
		t.Skip("SYDRADB_SOAK, a span of time such as 1h, is not set; scripts/soak.sh sets it")
	}
	length, err := time.ParseDuration(text)
	if err != nil || length < 10*time.Second {
		t.Fatalf("SYDRADB_SOAK=%q: want 10s or more", text)
	}
	dir := scene(t, "SYDRADB_SOAK="+text)
	s := &soak{box: newBox(t, dir, seed(t), soakSettings...), length: length, counts: map[string]int{}}
	s.p = s.serve()
	s.began = time.Now()
	window := min(max(int(length/soakTick)/6, 360), 2400)
	for _, p := range protocols {
		p.step = int64(time.Minute)
		s.streams = append(s.streams, newStream(t, p, soakSlots, window, s.began.AddDate(0, 0, -60)))
	}
	idle, err := measure(s.p, s.dir, 0)
	if err != nil {
		t.Fatal(err)
	}
	s.load()
	s.readBack()
	verdict := errors.Join(append(s.faults, s.judge(idle)...)...)
	s.report(verdict)
	if verdict != nil {
		t.Error(verdict)
	}
	s.p.term()
	if code := s.p.wait(); code != 0 {
		t.Errorf("the server ended with %d", code)
	}
	s.check(s.dir)
}

// load runs everything at a time, until the time is over or something went wrong.
func (s *soak) load() {
	ctx, stop := context.WithTimeout(s.t.Context(), s.length)
	defer stop()
	var all sync.WaitGroup
	every := func(period time.Duration, what string, do func(*rand.Rand) error) {
		rng := rand.New(rand.NewPCG(s.rng.Uint64(), 7))
		all.Go(func() {
			ticker := time.NewTicker(period)
			defer ticker.Stop()
			for {
				if err := do(rng); err != nil {
					s.fault(fmt.Errorf("%s, after %v: %w", what, time.Since(s.began).Round(time.Second), err))
					stop()
					return
				}
				s.count(what, 1)
				select {
				case <-ctx.Done():
					return
				case <-ticker.C:
				}
			}
		})
	}
	for _, st := range s.streams {
		every(soakTick, "requests of points", func(rng *rand.Rand) error {
			n, err := st.tick(s.p.url)
			s.count("points", n)
			if rng.IntN(400) == 0 {
				st.http.CloseIdleConnections()
				s.count("connections made anew", 1)
			}
			return err
		})
	}
	every(500*time.Millisecond, "instant queries", s.instant)
	every(time.Second, "range queries", s.ranges)
	every(3*time.Second, "aggregating queries", s.aggregate)
	every(7*time.Second, "streamed selections", s.selection)
	every(3*time.Second, "queries about series", s.listings)
	every(2*time.Second, "queries broken off", s.breakOff)
	every(time.Second, "points that retention takes", s.recent)
	every(30*time.Second, "retention", s.retain)
	every(45*time.Second, "flushes", s.admin("flush", ""))
	every(time.Minute, "merges", s.admin("compact", ""))
	every(4*time.Minute, "snapshots", s.snapshot)
	every(5*time.Second, "samples", s.sample)
	all.Wait()
}

func (s *soak) fault(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, err)
}

func (s *soak) count(what string, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts[what] += n
}

func (s *soak) sample(*rand.Rand) error {
	m, err := measure(s.p, s.dir, time.Since(s.began))
	s.mu.Lock()
	defer s.mu.Unlock()
	s.samples = append(s.samples, m)
	return err
}

// pick returns a stream and some of its ticks that can be compared, at most limit of them,
// ok false if there are none yet.
func (s *soak) pick(rng *rand.Rand, limit int) (st *stream, within span, ok bool) {
	st = s.streams[rng.IntN(len(s.streams))]
	next, _ := st.now()
	// What is kept at the end of the query depends on how long it takes; the lowest part is left out.
	lowest, end := max(0, next-st.window+floorEvery), next-settled
	if end-lowest < 10 {
		return nil, span{}, false
	}
	n := min(limit, end-lowest)
	within.first = lowest + rng.IntN(end-lowest-n+1)
	within.end = within.first + n
	return st, within, true
}

// compare fails if an answer differs from what is wanted, unless meanwhile points became so old
// that they may be gone.
func (s *soak) compare(st *stream, within span, path string, form url.Values, got, want contents) error {
	if _, floor := st.now(); floor > within.first {
		s.count("answers too old to be compared", 1)
		return nil
	}
	points := 0
	for _, p := range want {
		points += len(p)
	}
	s.count("points compared", points)
	if d := difference(got, want); d != "" {
		return fmt.Errorf("%s?%s: %s", path, form.Encode(), d)
	}
	return nil
}

// query asks, again if it is told to, and parses the answer.
func (s *soak) query(path string, form url.Values, parse func([]byte) (contents, error)) (got contents, err error) {
	return got, s.fetch(path+"?"+form.Encode(), func(body []byte) (err error) {
		got, err = parse(body)
		return err
	})
}

// fetch asks, and again for a minute if it is told to: other programs may leave the server little
// time.
func (s *soak) fetch(path string, parse func([]byte) error) error {
	return poll(time.Minute, func() (bool, error) {
		status, body, err := s.p.get(path)
		if err == nil && status == http.StatusOK {
			return true, parse(body)
		}
		later := err == nil && (status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable)
		if later {
			s.count("queries told to come again", 1)
			pass(time.Second)
		}
		return !later, fmt.Errorf("%s: status %d, %v: %.300s", path, status, err, body)
	})
}

// steps returns what PromQL shows of points at the ticks of a span: at each the latest of
// the five minutes up to it.
func (s *stream) steps(slot int, within span) contents {
	points := s.want(slot, span{within.first - 4, within.end})
	out := contents{}
	for series, values := range points {
		for i := within.first; i < within.end; i++ {
			for back := range 5 {
				if bits, there := values[s.grid.time(i-back)]; there {
					if out[series] == nil {
						out[series] = map[int64]uint64{}
					}
					out[series][s.grid.time(i)] = bits
					break
				}
			}
		}
	}
	return out
}

func (s *soak) instant(rng *rand.Rand) error {
	st, within, ok := s.pick(rng, 5)
	if !ok {
		return nil
	}
	slot, i := rng.IntN(st.slots), within.end-1
	form := url.Values{"query": {st.selector(slot)}, "time": {seconds(st.grid.time(i))}}
	got, err := s.query("/api/v1/query", form, parseProm)
	if err != nil {
		return err
	}
	return s.compare(st, within, "/api/v1/query", form, got, st.steps(slot, span{i, i + 1}))
}

func (s *soak) ranges(rng *rand.Rand) error {
	st, within, ok := s.pick(rng, 64)
	if !ok {
		return nil
	}
	slot, first := rng.IntN(st.slots), within.first+4
	form := url.Values{
		"query": {st.selector(slot)}, "step": {"60"},
		"start": {seconds(st.grid.time(first))}, "end": {seconds(st.grid.time(within.end - 1))},
	}
	got, err := s.query("/api/v1/query_range", form, parseProm)
	if err != nil {
		return err
	}
	return s.compare(st, within, "/api/v1/query_range", form, got, st.steps(slot, span{first, within.end}))
}

// aggregate counts the points of each series in the hours before a tick.
func (s *soak) aggregate(rng *rand.Rand) error {
	st, within, ok := s.pick(rng, 120)
	if !ok {
		return nil
	}
	at := st.grid.time(within.end - 1)
	query := fmt.Sprintf(`count_over_time(soak{c="%s"}[%dm])`, st.protocol.name, within.end-within.first)
	form := url.Values{"query": {query}, "time": {seconds(at)}}
	got, err := s.query("/api/v1/query", form, parseProm)
	if err != nil {
		return err
	}
	want := contents{}
	for series, points := range st.want(-1, within) {
		_, tags, _ := strings.Cut(series, "{")
		want["{"+tags] = map[int64]uint64{at: math.Float64bits(float64(len(points)))}
	}
	return s.compare(st, within, "/api/v1/query", form, got, want)
}

func (s *soak) selection(rng *rand.Rand) error {
	st, within, ok := s.pick(rng, 1000)
	if !ok {
		return nil
	}
	form := url.Values{
		"selector": {st.selector(-1)},
		"start":    {seconds(st.grid.time(within.first))}, "end": {seconds(st.grid.time(within.end - 1))},
	}
	got, err := s.query("/api/v1/query/select", form, parseSelected)
	if err != nil {
		return err
	}
	return s.compare(st, within, "/api/v1/query/select", form, got, st.want(-1, within))
}

// listings asks what a dashboard asks for.
func (s *soak) listings(rng *rand.Rand) error {
	paths := []string{
		"/api/v1/labels", "/api/v1/label/pod/values", "/api/v1/label/__name__/values", "/api/v1/series?match[]=soak",
		"/api/v1/stats", "/api/v1/stats?top=tags", "/api/v1/status/tsdb", "/ready", "/health", "/", "/api/v1/query/series?selector=soak",
	}
	return s.fetch(paths[rng.IntN(len(paths))], func([]byte) error { return nil })
}

// breakOff asks for much and goes away: before the answer, or in its midst.
func (s *soak) breakOff(rng *rand.Rand) error {
	start, end := s.streams[0].grid.Start, time.Now().UnixNano()
	form := url.Values{"start": {seconds(start)}, "end": {seconds(end)}}
	path := "/api/v1/query/select"
	if rng.IntN(2) == 0 {
		path = "/api/v1/query_range"
		form.Set("query", `sum by (slot) (rate(soak[2h])) / sum by (slot) (max_over_time(soak[1h]))`)
		form.Set("step", "600")
	} else {
		form.Set("selector", "soak")
	}
	ctx, stop := context.WithTimeout(s.t.Context(), time.Duration(1+rng.IntN(40))*time.Millisecond)
	defer stop()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.p.url+path+"?"+form.Encode(), nil)
	if err != nil {
		return err
	}
	client := newHTTP()
	defer client.CloseIdleConnections()
	resp, err := client.Do(req)
	if err != nil {
		return nil // that is what was wanted
	}
	defer resp.Body.Close()
	io.CopyN(io.Discard, resp.Body, int64(rng.IntN(1<<20))) // its error is the end of ctx
	if resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusServiceUnavailable && resp.StatusCode != http.StatusTooManyRequests {
		return fmt.Errorf("%s?%s: status %d", path, form.Encode(), resp.StatusCode)
	}
	return nil
}

// The series below "recent" are written at the time of the clock, and kept for three minutes.
const (
	recentDays = "0.0020834"
	recentSpan = 3 * time.Minute
)

func (s *soak) recent(*rand.Rand) error {
	now := time.Now().Unix()
	var body strings.Builder
	for i := range 20 {
		fmt.Fprintf(&body, `{"series":"recent.s","ts":%d,"value":%d,"tags":{"i":"%d"}}`+"\n", now, now, i)
	}
	status, answer, err := s.p.post("/api/v1/ingest", "", []byte(body.String()))
	if err != nil || status != http.StatusOK {
		return fmt.Errorf("status %d, %v: %s", status, err, answer)
	}
	return nil
}

// retain lets points expire, and looks whether the right ones have.
func (s *soak) retain(*rand.Rand) error {
	before := time.Now()
	if err := s.admin("retain", "now=1")(nil); err != nil {
		return err
	}
	got, err := s.query("/api/v1/query/select", url.Values{"selector": {"recent.s"}}, parseSelected)
	if err != nil {
		return err
	}
	oldest := before.Add(-recentSpan).Unix() - 1
	for series, points := range got {
		for ts := range points {
			if ts/1e9 < oldest {
				return fmt.Errorf("%s has a point at %d, and all before %d has expired", series, ts/1e9, oldest)
			}
		}
	}
	return nil
}

// admin has the server do something, which another program may make it put off.
func (s *soak) admin(what, form string) func(*rand.Rand) error {
	return func(*rand.Rand) error {
		return poll(time.Minute, func() (bool, error) {
			status, answer, err := s.p.post("/api/v1/admin/"+what, "application/x-www-form-urlencoded", []byte(form))
			if err == nil && status == http.StatusOK {
				return true, nil
			}
			return err != nil || status != http.StatusServiceUnavailable, fmt.Errorf("%s: status %d, %v: %s", what, status, err, answer)
		})
	}
}

// snapshot makes a snapshot, which is then removed.
func (s *soak) snapshot(*rand.Rand) error {
	status, answer, err := s.p.post("/api/v1/admin/snapshot", "", nil)
	var made struct{ Name string }
	if err == nil {
		err = json.Unmarshal(answer, &made)
	}
	if err != nil || status != http.StatusOK || made.Name == "" {
		return fmt.Errorf("status %d, %v: %s", status, err, answer)
	}
	return os.RemoveAll(filepath.Join(s.dir, "snapshots", made.Name))
}

// readBack compares all points of all streams.
func (s *soak) readBack() {
	for _, st := range s.streams {
		next, floor := st.now()
		got, err := s.query("/api/v1/query/select", url.Values{"selector": {st.selector(-1)}}, parseSelected)
		if err == nil {
			err = s.compare(st, span{floor, next}, "all of", url.Values{"selector": {st.selector(-1)}}, got, st.want(-1, span{floor, next}))
		}
		if err != nil {
			s.fault(fmt.Errorf("read back: %w", err))
		}
	}
}

// judge says what is wrong with the samples. idle is the first one, of a server without load.
func (s *soak) judge(idle measured) (faults []error) {
	complain := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	for _, st := range s.streams {
		st.http.CloseIdleConnections()
	}
	// Those that served connections and queries go with them.
	err := poll(90*time.Second, func() (bool, error) {
		m, err := measure(s.p, s.dir, time.Since(s.began))
		if err != nil {
			return true, err
		}
		if extra := m.values["goroutines"] - idle.values["goroutines"]; extra > 5 {
			return false, fmt.Errorf("%v more than before the load", extra)
		}
		return true, nil
	})
	if err != nil {
		complain("goroutines are left: %w", err)
	}
	if peak, err := peakRSS(s.p.cmd.Process.Pid); err != nil || peak > soakCeiling {
		complain("the server took %d bytes of memory, its ceiling is %d: %v", peak, soakCeiling, err)
	}
	if len(minutes(s.samples)) < 30 {
		return faults // too short for slopes
	}
	if r := trendOf(s.samples, "rss_bytes"); r.grows(soakGrowth * r.median) {
		complain("resident memory grows by %.0f bytes in an hour (+- %.0f)", r.slope, r.doubt)
	}
	for _, name := range []string{"goroutines", "open_files", "disk_bytes", "series", "segment_files"} {
		if r := trendOf(s.samples, name); r.grows(0.1 * r.median) {
			complain("%s grow by %.0f in an hour (+- %.0f), from %.0f", name, r.slope, r.doubt, r.median)
		}
	}
	return faults
}

// report tells what happened, and writes it to the file that is asked for.
func (s *soak) report(verdict error) {
	var b strings.Builder
	fmt.Fprintf(&b, "soak of %v, GOMEMLIMIT=%s, ceiling %d MiB\n\n", time.Since(s.began).Round(time.Second), soakGoLimit, soakCeiling>>20)
	for _, what := range slices.Sorted(maps.Keys(s.counts)) {
		fmt.Fprintf(&b, "%12d %s\n", s.counts[what], what)
	}
	b.WriteString("\n")
	writeTrends(&b, s.samples)
	if peak, err := peakRSS(s.p.cmd.Process.Pid); err == nil {
		fmt.Fprintf(&b, "\npeak of the resident memory: %.1f MiB\n", float64(peak)/(1<<20))
	}
	if n := len(s.samples); n > 1 {
		first, last := s.samples[0], s.samples[n-1]
		fmt.Fprintf(&b, "processors kept busy by the server: %.2f\n", (last.values["cpu_seconds"]-first.values["cpu_seconds"])/(last.at-first.at).Seconds())
	}
	if verdict == nil {
		b.WriteString("verdict: passed\n")
	} else {
		fmt.Fprintf(&b, "verdict: FAILED\n%v\n", verdict)
	}
	s.t.Log("\n" + b.String())
	path := os.Getenv("SYDRADB_SOAK_REPORT")
	if path == "" {
		return
	}
	if err := errors.Join(os.WriteFile(path, []byte(b.String()), 0o644), writeSamples(path+".csv", s.samples)); err != nil {
		s.t.Error(err)
	}
}
