package wal

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/sydradb/sydradb/internal/base"
)

// scrape returns rows as a scrape writes them: all series in order at one time, then
// at the next. Values are full-mantissa noise, or integers.
func scrape(rows, series int, integers bool) []base.Row {
	rng := rand.New(rand.NewPCG(1, 2))
	out := make([]base.Row, rows)
	for i := range out {
		out[i] = base.Row{TS: 1_700_000_000_000_000_000 + int64(i/series)*10_000_000_000, Ordinal: base.Ordinal(i % series), Value: rng.NormFloat64()}
		if integers {
			out[i].Value = math.Round(out[i].Value * 1000)
		}
	}
	return out
}

// shuffled is scrape in random order of series.
func shuffled(rows, series int) []base.Row {
	out := scrape(rows, series, false)
	rng := rand.New(rand.NewPCG(3, 4))
	rng.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out
}

var workloads = []struct {
	name string
	rows []base.Row
}{
	{"noise", scrape(4000, 1000, false)},
	{"integers", scrape(4000, 1000, true)},
	{"random", shuffled(4000, 4000)},
}

func BenchmarkAppendBatch(b *testing.B) {
	for _, w := range workloads {
		b.Run(fmt.Sprintf("values=%s/rows=%d", w.name, len(w.rows)), func(b *testing.B) {
			dst := AppendBatch(nil, nil, w.rows)
			b.ReportAllocs()
			for b.Loop() {
				dst = AppendBatch(dst[:0], nil, w.rows)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(w.rows)), "ns/row")
			b.ReportMetric(float64(len(dst))/float64(len(w.rows)), "B/row")
		})
	}
}

func BenchmarkDecodeBatch(b *testing.B) {
	for _, w := range workloads {
		b.Run(fmt.Sprintf("values=%s/rows=%d", w.name, len(w.rows)), func(b *testing.B) {
			f := AppendBatch(nil, nil, w.rows)
			body := f[lenSize+recordHeader : len(f)-4]
			var d BatchDecoder
			n := 0
			b.ReportAllocs()
			for b.Loop() {
				if err := d.Decode(body, nil, func(rows []base.Row) error { n += len(rows); return nil }); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(w.rows)), "ns/row")
		})
	}
}
