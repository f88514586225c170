package engine

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/fsys"
	"github.com/sydradb/sydradb/internal/retention"
	"github.com/sydradb/sydradb/internal/tags"
)

// The tests of this file are small in CI and full-sized with SYDRADB_SCALE=full (`make
// scale`): a million series, ten generations of 100,000, a year of 100 series at 10 s.

func fullScale() bool { return os.Getenv("SYDRADB_SCALE") == "full" }

// scaled returns full in full-sized runs, else small.
func scaled(full, small int) int {
	if fullScale() {
		return full
	}
	return small
}

// openOnDisk opens a database in a new directory of the operating system.
func openOnDisk(t *testing.T, dir string, opts Options) *Engine {
	t.Helper()
	fs, err := fsys.OS(dir)
	if err != nil {
		t.Fatal(err)
	}
	e, err := Open(fs, opts)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// heap returns the bytes of live objects.
func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// peak returns how much the heap grows at most while fn runs, beyond what is alive
// before.
func peak(fn func()) int64 {
	before := heap()
	var (
		wg   sync.WaitGroup
		most int64
		done = make(chan struct{})
	)
	wg.Go(func() {
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				most = max(most, int64(m.HeapAlloc))
			}
		}
	})
	fn()
	close(done)
	wg.Wait()
	return most - before
}

// fleetTags are ten tags of series i of a fleet.
func fleetTags(i int) []base.Tag {
	return []base.Tag{
		{Key: "arch", Value: "amd64"}, {Key: "core", Value: fmt.Sprint(i % 100)}, {Key: "dc", Value: fmt.Sprint(i / 100_000)},
		{Key: "env", Value: "prod"}, {Key: "host", Value: fmt.Sprintf("host-%06d", i/100)}, {Key: "os", Value: "linux"},
		{Key: "rack", Value: fmt.Sprint(i / 2000)}, {Key: "service", Value: fmt.Sprint(i % 230)},
		{Key: "team", Value: fmt.Sprint(i % 17)}, {Key: "version", Value: "1.2.3"},
	}
}

// batches writes what add gives it in batches of 4,000 rows.
type batches struct {
	t      *testing.T
	e      *Engine
	rows   []base.Row
	series []*Series
}

func (b *batches) add(s *Series, ts int64, value float64) {
	b.rows = append(b.rows, base.Row{TS: ts, Value: value, Ordinal: s.Ordinal()})
	b.series = append(b.series, s)
	if len(b.rows) == 4000 {
		b.write()
	}
}

func (b *batches) write() {
	b.t.Helper()
	if _, err := b.e.Write(context.Background(), b.rows, b.series); err != nil {
		b.t.Fatal(err)
	}
	b.rows, b.series = b.rows[:0], b.series[:0]
}

// countPoints returns how many points a query finds.
func countPoints(t *testing.T, e *Engine, q Query) (n int) {
	t.Helper()
	it, err := e.Query(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	defer it.Close()
	for it.Next() {
		n += len(it.Block().Times)
	}
	if it.Err() != nil {
		t.Fatal(it.Err())
	}
	return n
}

// TestScaleSeries holds many series of ten tags and twenty points each: written,
// flushed, merged, found by two tags, and opened again.
func TestScaleSeries(t *testing.T) {
	if raceEnabled {
		t.Skip("nothing runs at the same time here")
	}
	n := scaled(1_000_000, 20_000)
	dir := t.TempDir()
	e := openOnDisk(t, dir, Options{MergeOff: true})
	b := batches{t: t, e: e}
	series := make([]*Series, n)
	for i := range series {
		var err error
		if series[i], err = e.Resolve("cpu.usage", fleetTags(i)); err != nil {
			t.Fatal(err)
		}
	}
	const points = 20
	for k := range points {
		for i, s := range series {
			b.add(s, int64(k*15)*1e9, float64(i+k))
		}
	}
	b.write()
	if err := e.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	var err error
	if grown := peak(func() { err = e.Compact(t.Context()) }); err != nil || grown > 384<<20 {
		t.Fatalf("merging took %d MiB: %v", grown>>20, err)
	}
	if s := e.Stats(); s.SegmentPoints != int64(points*n) || s.SegmentFiles > 100 {
		t.Errorf("%d points in %d files", s.SegmentPoints, s.SegmentFiles)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	series, b = nil, batches{}
	began := time.Now()
	e = openOnDisk(t, dir, Options{MergeOff: true})
	opening := time.Since(began)
	defer func() { _ = e.Close() }()
	two := Selector{Matchers: matchers(t, `{host="host-000042",core="17"}`)}
	began = time.Now()
	if got := countPoints(t, e, Query{Selector: two, Start: base.MinTime, End: base.MaxTime}); got != points {
		t.Errorf("found %d points by two tags", got)
	}
	t.Logf("opened in %v, one series by two tags read in %v", opening, time.Since(began))
	if got := countPoints(t, e, Query{Start: base.MinTime, End: base.MaxTime, Parallel: 2}); got != points*n {
		t.Errorf("found %d points in all", got)
	}
	if fullScale() {
		t.Logf("peak memory of the process: %s", peakMemory())
	}
}

// peakMemory returns what the system says of the process, where it does.
func peakMemory() string {
	status, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(status)) {
		if strings.HasPrefix(line, "VmHWM") {
			return strings.TrimSpace(line)
		}
	}
	return "unknown"
}

// TestScaleGenerations writes generations of series, one a day, of which each is let
// expire before the next: memory, catalog and answers return to the size of one. The
// handles of the first are kept, and write again at the end.
func TestScaleGenerations(t *testing.T) {
	if raceEnabled {
		t.Skip("nothing runs at the same time here")
	}
	const generations = 10
	n := scaled(100_000, 5_000)
	dir := t.TempDir()
	day := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	opts := Options{Retention: retention.Rules{Default: 36 * time.Hour}, Now: func() time.Time { return day }, MergeOff: true}
	e := openOnDisk(t, dir, opts)
	var handles []*Series // of the first generation
	var first struct{ heap, catalog int64 }
	for g := range generations {
		b := batches{t: t, e: e}
		for i := range n {
			s, err := e.Resolve("pods.cpu", append(fleetTags(i), base.Tag{Key: "generation", Value: fmt.Sprint(g)}, base.Tag{Key: "pod", Value: fmt.Sprintf("%d-%d", g, i)}))
			if err != nil {
				t.Fatal(err)
			}
			b.add(s, day.UnixNano(), float64(i))
			if g == 0 && i < 100 {
				handles = append(handles, s)
			}
		}
		b.write()
		b = batches{}
		if err := errors.Join(e.Flush(t.Context()), e.Retain(t.Context(), true), e.Compact(t.Context())); err != nil {
			t.Fatal(err)
		}
		if found, err := e.Find(t.Context(), Selector{}, base.MinTime, base.MaxTime); err != nil || len(found) > 2*n {
			t.Fatalf("generation %d: found %d series: %v", g, len(found), err)
		}
		stats := e.Stats()
		now := heap()
		t.Logf("generation %d: %d series, heap %d KiB, catalog %d KiB, %d files", g, stats.Series, now>>10, stats.CatalogBytes>>10, stats.SegmentFiles)
		// Two generations are alive at once: one expires a day and a half after.
		if g == 1 {
			first.heap, first.catalog = now, stats.CatalogBytes
		}
		if g > 1 && (now > first.heap*5/4 || stats.CatalogBytes > first.catalog*5/4 || stats.Series > 2*n) {
			t.Errorf("generation %d: %d series, heap %d, catalog %d; in the second %d and %d", g, stats.Series, now, stats.CatalogBytes, first.heap, first.catalog)
		}
		day = day.Add(24 * time.Hour)
	}
	b := batches{t: t, e: e}
	for _, s := range handles {
		b.add(s, day.UnixNano(), 42)
	}
	b.write()
	check := func() {
		t.Helper()
		sel := Selector{Matchers: matchers(t, `{generation="0"}`)}
		if got := countPoints(t, e, Query{Selector: sel, Start: base.MinTime, End: base.MaxTime}); got != len(handles) {
			t.Errorf("handles of dead series wrote %d of %d points", got, len(handles))
		}
	}
	check()
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	e = openOnDisk(t, dir, opts)
	check()
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	fs, err := fsys.OS(dir)
	if err != nil {
		t.Fatal(err)
	}
	if report, err := Check(t.Context(), fs); err != nil || len(report.Findings) > 0 {
		t.Errorf("check: %v, %v", report, err)
	}
}

// TestScaleYear writes a year of 100 series, in order of time and again with its days
// shuffled, and merges it: both end in few files and the same answers, and merging takes
// little memory.
func TestScaleYear(t *testing.T) {
	if raceEnabled {
		t.Skip("nothing runs at the same time here")
	}
	const series = 100
	days := scaled(365, 12)
	step := int64(scaled(10, 60)) * 1e9
	start := time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC).UnixNano()
	order := make([]int, days)
	for i := range order {
		order[i] = i
	}
	var sums [2]uint64
	for round := range sums {
		if round == 1 {
			rand.New(rand.NewPCG(1, 2)).Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		}
		dir := t.TempDir()
		e := openOnDisk(t, dir, Options{MergeOff: true})
		writeDays(t, e, series, order, start, step)
		err := errors.Join(e.Flush(t.Context()), e.Close()) // memtables keep their memory
		if err != nil {
			t.Fatal(err)
		}
		e = openOnDisk(t, dir, Options{MergeOff: true})
		began := time.Now()
		if grown := peak(func() { err = e.Compact(t.Context()) }); err != nil || grown > 256<<20 {
			t.Fatalf("merging took %d MiB: %v", grown>>20, err)
		} else {
			stats := e.Stats()
			t.Logf("merged in %v, %d MiB: %d files, %d points, %.2f bytes a point", time.Since(began), grown>>20,
				stats.SegmentFiles, stats.SegmentPoints, float64(stats.SegmentBytes)/float64(stats.SegmentPoints))
			if stats.SegmentFiles > 800 || stats.SegmentPoints != int64(days)*series*(base.Day/step) {
				t.Errorf("%d points in %d files", stats.SegmentPoints, stats.SegmentFiles)
			}
		}
		sums[round] = sumAnswers(t, e)
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if sums[0] != sums[1] {
		t.Errorf("answers differ: %x and %x", sums[0], sums[1])
	}
}

// writeDays writes the days of the year in the given order, each of all series.
func writeDays(t *testing.T, e *Engine, series int, order []int, start, step int64) {
	t.Helper()
	handles := make([]*Series, series)
	for i := range handles {
		var err error
		if handles[i], err = e.Resolve("room.temp", []base.Tag{{Key: "room", Value: fmt.Sprint(i)}}); err != nil {
			t.Fatal(err)
		}
	}
	b := batches{t: t, e: e}
	for _, day := range order {
		for ts := start + int64(day)*base.Day; ts < start+int64(day+1)*base.Day; ts += step {
			for i, s := range handles {
				b.add(s, ts, float64((ts/step+int64(i))%977)/10)
			}
		}
	}
	b.write()
}

// sumAnswers returns a checksum of all points.
func sumAnswers(t *testing.T, e *Engine) (sum uint64) {
	t.Helper()
	it, err := e.Query(t.Context(), Query{Start: base.MinTime, End: base.MaxTime})
	if err != nil {
		t.Fatal(err)
	}
	defer it.Close()
	for it.Next() {
		block := it.Block()
		for i := range block.Times {
			sum = (sum ^ uint64(block.Times[i]) ^ math.Float64bits(block.Values[i])) * 1099511628211
		}
	}
	if it.Err() != nil {
		t.Fatal(it.Err())
	}
	return sum
}

// matchers parses a selector.
func matchers(t *testing.T, text string) []tags.Matcher {
	t.Helper()
	ms, err := tags.ParseSelector(text)
	if err != nil {
		t.Fatal(err)
	}
	return ms
}
