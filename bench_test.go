package sydradb

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/manifest"
	"github.com/sydradb/sydradb/internal/segment"
)

// The workload of the benchmarks: a fleet that is scraped every ten seconds for six
// hours. A quarter each of the series are integer walks, gauges of two decimals,
// counters with idle stretches, and noise of full mantissa.
const (
	benchSeries = 4000
	benchSteps  = 6 * 360
	benchStart  = int64(1_750_000_000_000_000_000) / int64(time.Hour) * int64(time.Hour)
)

// fleet makes the values of the workload, one scrape after the other.
type fleet struct {
	rng    *rand.Rand
	values []float64
}

func newFleet() *fleet {
	return &fleet{rng: rand.New(rand.NewPCG(1, 2)), values: make([]float64, benchSeries)}
}

// step moves every series on by one scrape.
func (f *fleet) step() []float64 {
	for i := range f.values {
		switch i % 4 {
		case 0:
			f.values[i] += float64(f.rng.IntN(11) - 5)
		case 1:
			f.values[i] = math.Round(f.values[i]*100+float64(f.rng.IntN(101)-50)) / 100
		case 2:
			if f.rng.IntN(3) == 0 {
				f.values[i] += float64(f.rng.IntN(100))
			}
		case 3:
			f.values[i] = 50 + 10*f.rng.NormFloat64()
		}
	}
	return f.values
}

// meter measures the processor time and the allocations of this process.
type meter struct {
	cpu    time.Duration
	wall   time.Time
	allocs uint64
}

func startMeter() meter {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return meter{cpu: cpuTime(), wall: time.Now(), allocs: m.Mallocs}
}

// report adds what it took since the start, for n points, to the results of b.
func (s meter) report(b *testing.B, n int) {
	cpu, wall := cpuTime()-s.cpu, time.Since(s.wall)
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	points := float64(n)
	b.ReportMetric(0, "ns/op") // one operation is the whole workload
	b.ReportMetric(float64(cpu.Nanoseconds())/points, "cpu-ns/point")
	b.ReportMetric(points/cpu.Seconds()/1e6, "Mpoints/cpu-s")
	b.ReportMetric(float64(wall.Nanoseconds())/points, "wall-ns/point")
	b.ReportMetric(float64(m.Mallocs-s.allocs)/points, "allocs/point")
}

// openBench opens a database on disk with a memtable that holds all points.
func openBench(b *testing.B, dir string, maxSegmentFiles int) (*DB, []*Series) {
	b.Helper()
	db, err := Open(dir, &Options{MemtableBytes: 2 << 30, MaxSegmentFiles: maxSegmentFiles, MergeOff: true})
	if err != nil {
		b.Fatal(err)
	}
	return db, fleetSeries(b, db)
}

// fleetSeries returns the handles of the fleet: 40 series of each of 100 hosts.
func fleetSeries(b *testing.B, db *DB) []*Series {
	b.Helper()
	series := make([]*Series, benchSeries)
	for i := range series {
		var err error
		series[i], err = db.Series(fmt.Sprintf("fleet.metric%d", i%40),
			Tag{Key: "host", Value: fmt.Sprintf("host-%03d", i/40)}, Tag{Key: "region", Value: fmt.Sprintf("r%d", i/40%4)})
		if err != nil {
			b.Fatal(err)
		}
	}
	return series
}

// ingest writes steps scrapes in batches of the given size and returns the points.
func ingest(b *testing.B, db *DB, series []*Series, steps, batchSize int) int {
	b.Helper()
	ctx, batch, f := context.Background(), db.NewBatch(), newFleet()
	write := func() {
		if err := db.Write(ctx, batch); err != nil {
			b.Fatal(err)
		}
		batch.Reset()
	}
	for step := range steps {
		ts := benchStart + int64(step)*10e9
		for i, v := range f.step() {
			batch.Add(series[i], ts, v)
			if batch.Len() == batchSize {
				write()
			}
		}
	}
	if batch.Len() > 0 {
		write()
	}
	return steps * len(series)
}

// BenchmarkIngest writes through prepared handles until acknowledged, all points held
// in memory. The generator of values is part of it; BenchmarkGenerator is its share.
func BenchmarkIngest(b *testing.B) {
	for _, size := range []int{1, 10, 100, 1000, 4000} {
		b.Run(fmt.Sprintf("batch=%d", size), func(b *testing.B) {
			steps := min(benchSteps, 25*size)
			for b.Loop() {
				b.StopTimer()
				db, series := openBench(b, b.TempDir(), 0)
				runtime.GC()
				b.StartTimer()
				m := startMeter()
				n := ingest(b, db, series, steps, size)
				m.report(b, n)
				b.ReportMetric(float64(db.Stats().WALBytes)/float64(n), "wal-B/point")
				b.StopTimer()
				if err := db.Close(); err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
			}
		})
	}
}

// BenchmarkGenerator is what making the values costs.
func BenchmarkGenerator(b *testing.B) {
	for b.Loop() {
		m := startMeter()
		f := newFleet()
		for range benchSteps {
			f.step()
		}
		m.report(b, benchSteps*benchSeries)
	}
}

// scan reads every point and adds the values up.
func scan(b *testing.B, db *DB) (points int) {
	b.Helper()
	points, sum := readAll(b, db, Query{Start: MinTime, End: MaxTime})
	if math.IsNaN(sum) {
		b.Fatal(sum)
	}
	return points
}

// reportBytes adds to the results of b what the database takes on disk for n points:
// columns, everything by which they are found, and the log.
func reportBytes(b *testing.B, db *DB, n int) {
	b.Helper()
	state, _, err := manifest.Read(db.fs, base.ManifestFile)
	if err != nil {
		b.Fatal(err)
	}
	s := db.Stats()
	data, index := s.SegmentBytes, s.ManifestBytes+s.CatalogBytes
	for _, e := range state.Live {
		if e.IsPack() {
			pack, err := segment.OpenPack(db.fs, e)
			if err != nil {
				b.Fatal(err)
			}
			data -= pack.Info().IndexBytes
			index += pack.Info().IndexBytes
		}
	}
	points := float64(n)
	b.ReportMetric(float64(s.SegmentFiles), "files")
	b.ReportMetric(float64(data)/points, "data-B/point")
	b.ReportMetric(float64(index)/points, "index-B/point")
	b.ReportMetric(float64(s.WALBytes)/points, "wal-B/point")
}

// BenchmarkStages takes the workload through the stages of a database's life: scan from
// memory, flush, scan from files, merge, scan again, close, open. The files are those of
// the default options, packs, or single ones.
func BenchmarkStages(b *testing.B) {
	b.Run("files=packs", func(b *testing.B) { benchStages(b, 0) })
	b.Run("files=single", func(b *testing.B) { benchStages(b, NeverPack) })
}

func benchStages(b *testing.B, maxSegmentFiles int) {
	stage := func(name string, run func(b *testing.B) (points int)) {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				runtime.GC()
				m := startMeter()
				m.report(b, run(b))
			}
		})
	}
	dir := b.TempDir()
	db, series := openBench(b, dir, maxSegmentFiles)
	n := ingest(b, db, series, benchSteps, benchSeries)
	check := func(b *testing.B, points int) int {
		if points != n {
			b.Fatalf("%d points, not %d", points, n)
		}
		return points
	}
	stage("scan=memtable", func(b *testing.B) int { return check(b, scan(b, db)) })
	stage("flush", func(b *testing.B) int {
		if err := db.Flush(context.Background()); err != nil {
			b.Fatal(err)
		}
		reportBytes(b, db, n)
		return n
	})
	stage("scan=flushed", func(b *testing.B) int { return check(b, scan(b, db)) })
	stage("merge", func(b *testing.B) int {
		if err := db.Compact(context.Background()); err != nil {
			b.Fatal(err)
		}
		reportBytes(b, db, n)
		return n
	})
	stage("scan=merged", func(b *testing.B) int { return check(b, scan(b, db)) })
	stage("close", func(b *testing.B) int {
		if err := db.Close(); err != nil {
			b.Fatal(err)
		}
		return n
	})
	stage("open", func(b *testing.B) int {
		var err error
		if db, err = Open(dir, nil); err != nil {
			b.Fatal(err)
		}
		return n
	})
	if err := db.Close(); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkReplay opens a database all of whose points are in the log alone.
func BenchmarkReplay(b *testing.B) {
	dir := b.TempDir()
	db, series := openBench(b, dir, 0)
	n := ingest(b, db, series, benchSteps, benchSeries)
	crashed := b.TempDir()
	if err := os.CopyFS(crashed, os.DirFS(dir)); err != nil {
		b.Fatal(err)
	}
	if err := db.Close(); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		runtime.GC()
		m := startMeter()
		db, err := Open(crashed, &Options{MemtableBytes: 2 << 30})
		if err != nil {
			b.Fatal(err)
		}
		took := time.Since(m.wall)
		m.report(b, n)
		b.StopTimer()
		b.ReportMetric(took.Seconds()/(float64(db.Stats().WALBytes)/(1<<30)), "s/GiB")
		if points := scan(b, db); points != n {
			b.Fatalf("%d points, not %d", points, n)
		}
		b.StartTimer()
		if err := db.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
