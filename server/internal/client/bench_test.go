package client_test

import (
	"context"
	"testing"

	"github.com/sydradb/sydradb"
	"github.com/sydradb/sydradb/server/internal/client"
	"github.com/sydradb/sydradb/server/internal/render"
)

// BenchmarkPoints reads 10,000 points through a server in the same process.
func BenchmarkPoints(b *testing.B) {
	const n = 10_000
	ctx := context.Background()
	_, c := newServer(b)
	w, batch := newBatch(b, c, n)
	if err := w.Write(ctx, batch); err != nil {
		b.Fatal(err)
	}
	q := everything(b)
	b.ReportAllocs()
	for b.Loop() {
		points := 0
		err := c.Points(ctx, q, func(block render.Block) error {
			points += len(block.Times)
			return nil
		})
		if err != nil || points != n {
			b.Fatal(points, err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/point")
}

// BenchmarkWrite stores chunks of 5,000 points through a server in the same process.
func BenchmarkWrite(b *testing.B) {
	const n = 5_000
	_, c := newServer(b)
	w, batch := newBatch(b, c, n)
	b.ReportAllocs()
	for b.Loop() {
		if err := w.Write(context.Background(), batch); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/point")
}

// newBatch returns a batch of n points of ten series.
func newBatch(b *testing.B, c *client.Client, n int) (*client.Writer, *sydradb.Batch) {
	b.Helper()
	w, err := c.NewWriter(context.Background())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := w.Close(); err != nil {
			b.Error(err)
		}
	})
	var series [10]*sydradb.Series
	for i := range series {
		series[i], err = w.Series("cpu_usage_user", sydradb.Tag{Key: "hostname", Value: string(rune('a' + i))}, sydradb.Tag{Key: "region", Value: "eu-west-1"})
		if err != nil {
			b.Fatal(err)
		}
	}
	batch := &sydradb.Batch{}
	for i := range n {
		batch.Add(series[i%len(series)], 1_700_000_000e9+int64(i)*1e9, float64(i%1000)/8)
	}
	return w, batch
}
