package sydradb

import (
	"context"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"github.com/sydradb/sydradb/internal/base"
)

// The benchmarks of this file write with the default options: memtables fill up, and
// flushes run beside the writers. The points are made before the clock starts; Ordinal
// is the index of their series.

// scrapes returns the points of the fleet in the order of the scrapes. The series of every
// fourth host come up to a second late, each by itself.
func scrapes() []base.Row {
	f, rng := newFleet(), rand.New(rand.NewPCG(3, 4))
	rows := make([]base.Row, 0, benchSteps*benchSeries)
	for step := range benchSteps {
		for i, v := range f.step() {
			ts := benchStart + int64(step)*10e9
			if i/40%4 == 3 {
				ts += int64(rng.IntN(1000)) * 1e6
			}
			rows = append(rows, base.Row{TS: ts, Value: v, Ordinal: base.Ordinal(i)})
		}
	}
	return rows
}

// shuffled returns the points of each scrape in a random order.
func shuffled() []base.Row {
	rows, rng := scrapes(), rand.New(rand.NewPCG(5, 6))
	for i := 0; i < len(rows); i += benchSeries {
		scrape := rows[i : i+benchSeries]
		rng.Shuffle(len(scrape), func(i, j int) { scrape[i], scrape[j] = scrape[j], scrape[i] })
	}
	return rows
}

// late returns the points with a tenth of them 5 to 60 minutes late, and a hundredth
// written again as late with another value.
func late() []base.Row {
	rng := rand.New(rand.NewPCG(7, 8))
	due := make([][]base.Row, benchSteps+361)
	for i, r := range scrapes() {
		step := i / benchSeries
		after := step + 30 + rng.IntN(331)
		switch n := rng.IntN(100); {
		case n < 10:
			due[after] = append(due[after], r)
			continue
		case n == 10:
			again := r
			again.Value++
			due[after] = append(due[after], again)
		}
		due[step] = append(due[step], r)
	}
	rows := make([]base.Row, 0, benchSteps*benchSeries*102/100)
	for _, d := range due {
		rows = append(rows, d...)
	}
	return rows
}

// writeRows writes rows in batches of the given size. After the first million points it
// reports what the log takes.
func writeRows(b *testing.B, db *DB, series []*Series, rows []base.Row, batchSize int) {
	b.Helper()
	ctx, batch := context.Background(), db.NewBatch()
	for i := 0; i < len(rows); i += batchSize {
		batch.Reset()
		for _, r := range rows[i:min(i+batchSize, len(rows))] {
			batch.Add(series[r.Ordinal], r.TS, r.Value)
		}
		if err := db.Write(ctx, batch); err != nil {
			b.Fatal(err)
		}
		if i <= 1e6 && i+batchSize > 1e6 {
			b.ReportMetric(float64(db.Stats().WALBytes)/float64(i+batchSize), "wal-B/point")
		}
	}
}

// BenchmarkIngestOrder writes the fleet in scrape order, in random order of the series,
// and with late and rewritten points: until acknowledged, then all in, closed.
func BenchmarkIngestOrder(b *testing.B) {
	for _, w := range []struct {
		name string
		rows func() []base.Row
	}{{"scrape", scrapes}, {"random", shuffled}, {"late", late}} {
		b.Run("order="+w.name, func(b *testing.B) {
			rows := w.rows()
			for b.Loop() {
				db, err := Open(b.TempDir(), nil)
				if err != nil {
					b.Fatal(err)
				}
				series := fleetSeries(b, db)
				runtime.GC()
				start := cpuTime()
				writeRows(b, db, series, rows, 4000)
				acknowledged := cpuTime() - start
				if err := db.Close(); err != nil {
					b.Fatal(err)
				}
				reportIngest(b, acknowledged, cpuTime()-start, len(rows))
			}
		})
	}
}

// BenchmarkIngestManySeries writes 20 points of each of half a million series of ten
// tags. The peak is that of the process: run it alone.
func BenchmarkIngestManySeries(b *testing.B) {
	const n, steps = 500_000, 20
	for b.Loop() {
		db, err := Open(b.TempDir(), nil)
		if err != nil {
			b.Fatal(err)
		}
		series := make([]*Series, n)
		for i := range series {
			if series[i], err = db.Series("cpu.usage", fleetTags(i)...); err != nil {
				b.Fatal(err)
			}
		}
		rows := make([]base.Row, n)
		runtime.GC()
		start := cpuTime()
		for step := range steps {
			for i := range rows {
				rows[i] = base.Row{TS: benchStart + int64(step)*60e9, Value: float64(i%1000 + step), Ordinal: base.Ordinal(i)}
			}
			writeRows(b, db, series, rows, 4000)
		}
		acknowledged := cpuTime() - start
		if err := db.Close(); err != nil {
			b.Fatal(err)
		}
		reportIngest(b, acknowledged, cpuTime()-start, n*steps)
		b.ReportMetric(float64(peakRSS())/1e6, "peak-MB")
		runtime.KeepAlive(series)
	}
}

func reportIngest(b *testing.B, acknowledged, all time.Duration, points int) {
	b.ReportMetric(0, "ns/op") // one operation is the whole workload
	b.ReportMetric(float64(acknowledged.Nanoseconds())/float64(points), "ack-cpu-ns/point")
	b.ReportMetric(float64(all.Nanoseconds())/float64(points), "all-cpu-ns/point")
}

// BenchmarkBatchAdd fills batches.
func BenchmarkBatchAdd(b *testing.B) {
	db, err := Open(b.TempDir(), nil)
	if err != nil {
		b.Fatal(err)
	}
	series, batch := fleetSeries(b, db), db.NewBatch()
	for b.Loop() {
		batch.Reset()
		for i, s := range series {
			batch.Add(s, benchStart, float64(i))
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/benchSeries, "ns/point")
	if err := db.Close(); err != nil {
		b.Fatal(err)
	}
}
