package aggregate

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// The figure to watch is ns/point. Columns have the 1,024 points of a block, 10 s apart.

const (
	blockPoints = 1024
	interval    = int64(10e9)
)

// walk returns a day or so of points: a gauge, or a counter that never starts again.
func walk(n int, counter bool) (ts []int64, values []float64) {
	r := rand.New(rand.NewPCG(7, 7))
	v := 1000.0
	for i := range n {
		ts = append(ts, int64(i)*interval)
		values = append(values, v)
		if d := r.NormFloat64(); counter {
			v += d * d
		} else {
			v += d
		}
	}
	return ts, values
}

func measure(b *testing.B, w Windows, points int, functions ...Function) {
	ts, values := walk(points, functions[0] == Increase || functions[0] == Rate)
	var s Series
	b.ReportAllocs()
	for b.Loop() {
		s.Reset(&w, functions)
		for at := 0; at < points; at += blockPoints {
			end := min(at+blockPoints, points)
			s.AddColumns(ts[at:end], values[at:end])
		}
		if s.Len() == 0 {
			b.Fatal("no rows")
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(points), "ns/point")
}

func BenchmarkFixed(b *testing.B) {
	const points = 32 * blockPoints
	for _, per := range []int{0, 360, 30, 6, 1} {
		for f := range functionCount {
			if per == 1 && f >= Increase {
				continue // of one point there is none
			}
			b.Run(fmt.Sprintf("perwindow=%d/f=%v", per, f), func(b *testing.B) {
				measure(b, Windows{End: points * interval, Step: int64(per) * interval}, points, f)
			})
		}
	}
}

func BenchmarkSliding(b *testing.B) {
	const points = 8 * blockPoints
	for _, c := range []struct {
		name        string
		step, width int64
	}{
		{"step=1m/range=5m", 6, 30},
		{"step=10s/range=1h", 1, 360},
		{"step=1h/range=5m", 360, 30},
	} {
		for _, f := range []Function{Avg, Max, Stddev, Rate} {
			b.Run(fmt.Sprintf("%s/f=%v", c.name, f), func(b *testing.B) {
				measure(b, Windows{End: points * interval, Step: c.step * interval, Range: c.width * interval}, points, f)
			})
		}
	}
}

// Windows much narrower than the distance of points must not cost anything.
func BenchmarkSparse(b *testing.B) {
	const points = 1024
	for _, width := range []int64{0, 2} {
		b.Run(fmt.Sprintf("range=%d", width), func(b *testing.B) {
			measure(b, Windows{End: points * interval, Step: interval / 1000, Range: width * interval / 1000}, points, Avg)
		})
	}
}

// BenchmarkSummaries is a block's statistics for each of its points.
func BenchmarkSummaries(b *testing.B) {
	ts, values := walk(360*blockPoints, false)
	var blocks []Summary
	for at := 0; at < len(ts); at += 360 {
		var points []point
		for i := at; i < at+360 && i < len(ts); i++ {
			points = append(points, point{ts[i], values[i]})
		}
		m, _ := summarized(points)
		blocks = append(blocks, m)
	}
	for _, step := range []int64{360, 8640} {
		b.Run(fmt.Sprintf("perwindow=%d", step/360), func(b *testing.B) {
			w := Windows{End: ts[len(ts)-1], Step: step * interval}
			var s Series
			b.ReportAllocs()
			for b.Loop() {
				s.Reset(&w, []Function{Avg})
				for i := range blocks {
					if s.Fits(blocks[i].FirstTS, blocks[i].LastTS) {
						s.AddSummary(&blocks[i])
					}
				}
				if s.Len() == 0 {
					b.Fatal("no rows")
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(blocks)), "ns/block")
		})
	}
}

func BenchmarkGroup(b *testing.B) {
	const points = 360 * 24
	ts, values := walk(points, false)
	w := Windows{End: ts[points-1], Step: 6 * interval}
	for _, f := range []Function{Avg, Max, Stddev, Rate} {
		b.Run(fmt.Sprintf("f=%v", f), func(b *testing.B) {
			functions := []Function{f}
			var s Series
			var g Group
			s.Reset(&w, functions)
			s.AddColumns(ts, values)
			g.Reset(&w, functions)
			b.ReportAllocs()
			for b.Loop() {
				g.Add(&s)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(g.Len()), "ns/row")
		})
	}
}
