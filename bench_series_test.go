package sydradb

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
)

// manySeries is the size of the fleet whose cost lies in its series, not in its points.
const manySeries = 500_000

// fleetTags are the ten tags of series i of a fleet: host and core first.
func fleetTags(i int) []Tag {
	return []Tag{
		{Key: "host", Value: fmt.Sprintf("host-%06d", i/100)}, {Key: "core", Value: fmt.Sprint(i % 100)},
		{Key: "dc", Value: fmt.Sprint(i / 100_000)}, {Key: "rack", Value: fmt.Sprint(i / 2000)},
		{Key: "os", Value: "linux"}, {Key: "arch", Value: "amd64"}, {Key: "env", Value: "prod"},
		{Key: "team", Value: fmt.Sprint(i % 17)}, {Key: "service", Value: fmt.Sprint(i % 230)},
		{Key: "version", Value: "1.2.3"},
	}
}

// registerFleet returns the handles of a fleet.
func registerFleet(b *testing.B, db *DB, n int) []*Series {
	b.Helper()
	series := make([]*Series, n)
	for i := range series {
		var err error
		if series[i], err = db.Series("cpu.usage", fleetTags(i)...); err != nil {
			b.Fatal(err)
		}
	}
	return series
}

// scrape writes one point of each series, in batches of 4,000.
func scrape(b *testing.B, db *DB, batch *Batch, series []*Series, ts int64) {
	b.Helper()
	for i, s := range series {
		batch.Add(s, ts, float64(i))
		if batch.Len() == 4000 || i == len(series)-1 {
			if err := db.Write(context.Background(), batch); err != nil {
				b.Fatal(err)
			}
			batch.Reset()
		}
	}
}

// BenchmarkSeries takes half a million series of ten tags and one point each through
// registration, first point, flush, close, open, and look-ups by tags. Its figures are for
// each series or look-up. Making the tags is part of register; generate is its share.
func BenchmarkSeries(b *testing.B) {
	dir := b.TempDir()
	db, err := Open(dir, &Options{MergeOff: true})
	if err != nil {
		b.Fatal(err)
	}
	stage := func(name string, run func(b *testing.B) int) {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				runtime.GC()
				m := startMeter()
				cpu, count := m.cpu, run(b)
				b.ReportMetric(0, "ns/op")
				b.ReportMetric(float64((cpuTime()-cpu).Nanoseconds())/float64(count), "cpu-ns/series")
			}
		})
	}
	var series []*Series
	stage("generate", func(b *testing.B) int {
		bytes := 0
		for i := range manySeries {
			bytes += len(fleetTags(i)[0].Value)
		}
		return min(manySeries, bytes)
	})
	stage("register", func(b *testing.B) int {
		series = registerFleet(b, db, manySeries)
		return manySeries
	})
	stage("first-point", func(b *testing.B) int {
		scrape(b, db, db.NewBatch(), series, benchStart)
		return manySeries
	})
	stage("flush", func(b *testing.B) int {
		if err := db.Flush(context.Background()); err != nil {
			b.Fatal(err)
		}
		return manySeries
	})
	stage("close", func(b *testing.B) int {
		if err := db.Close(); err != nil {
			b.Fatal(err)
		}
		return manySeries
	})
	stage("open", func(b *testing.B) int {
		if db, err = Open(dir, nil); err != nil {
			b.Fatal(err)
		}
		return manySeries
	})
	find := func(lookups int, matchers func(i int) []Matcher) func(b *testing.B) int {
		return func(b *testing.B) int {
			for i := range lookups {
				sel := Selector{Matchers: matchers(i * (manySeries / lookups))}
				found, err := db.Find(context.Background(), sel, MinTime, MaxTime)
				if err != nil || len(found) != 1 {
					b.Fatal(len(found), err)
				}
			}
			return lookups
		}
	}
	stage("find=first", find(1, hostAndCore))
	stage("find=two-tags/order=spread", find(2000, hostAndCore))
	stage("find=two-tags/order=again", find(2000, hostAndCore))
	stage("find=all", func(b *testing.B) int {
		found, err := db.Find(context.Background(), Selector{}, MinTime, MaxTime)
		if err != nil || len(found) != manySeries {
			b.Fatal(len(found), err)
		}
		return manySeries
	})
	if err := db.Close(); err != nil {
		b.Fatal(err)
	}
}

// hostAndCore are the conditions that series i of a fleet alone fulfils.
func hostAndCore(i int) []Matcher {
	tags := fleetTags(i)
	host, _ := NewMatcher("host", MatchEqual, tags[0].Value)
	core, _ := NewMatcher("core", MatchEqual, tags[1].Value)
	return []Matcher{host, core}
}

// BenchmarkSeriesMemory reports what a series costs whose handle the caller keeps, after a
// flush and nothing else going on: on the heap, resident, and how far above that the
// process was while it wrote and flushed. The memtable is that of the default options.
func BenchmarkSeriesMemory(b *testing.B) {
	for _, points := range []int{1, 20} {
		b.Run(fmt.Sprintf("series=%d/points=%d", manySeries, points), func(b *testing.B) {
			for b.Loop() {
				seriesMemory(b, points)
			}
		})
	}
}

func seriesMemory(b *testing.B, points int) {
	heap, resident := usedMemory(b)
	resetPeak()
	db, err := Open(b.TempDir(), nil)
	if err != nil {
		b.Fatal(err)
	}
	series := registerFleet(b, db, manySeries)
	batch := db.NewBatch()
	for i := range points {
		scrape(b, db, batch, series, benchStart+int64(i)*10e9)
	}
	if err := db.Flush(context.Background()); err != nil {
		b.Fatal(err)
	}
	peak := procStatus("VmHWM")
	heapNow, residentNow := usedMemory(b)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(heapNow-heap)/manySeries, "heap-B/series")
	if resident > 0 {
		b.ReportMetric(float64(residentNow-resident)/manySeries, "resident-B/series")
		b.ReportMetric(float64(peak-residentNow)/1e6, "peak-MB")
	}
	runtime.KeepAlive(series)
	if err := db.Close(); err != nil {
		b.Fatal(err)
	}
}

// usedMemory returns the bytes of live objects, and those of the process that are
// resident, 0 where the system does not say.
func usedMemory(b *testing.B) (heap, resident int64) {
	b.Helper()
	debug.FreeOSMemory()
	debug.FreeOSMemory()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc), procStatus("VmRSS")
}

// procStatus returns a size from the status file that Linux has of this process, in bytes,
// 0 elsewhere.
func procStatus(name string) int64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		if value, ok := strings.CutPrefix(line, name+":"); ok {
			kib, _ := strconv.ParseInt(strings.Fields(value)[0], 10, 64)
			return kib << 10
		}
	}
	return 0
}

// resetPeak makes Linux count VmHWM anew.
func resetPeak() { _ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) }
