package remotewrite

import (
	"testing"

	"github.com/sydradb/sydradb"
	"github.com/sydradb/sydradb/server/internal/dbtest"
	"github.com/sydradb/sydradb/server/internal/intake"
	"github.com/sydradb/sydradb/server/internal/metadata"
)

func openBench(b *testing.B) *handler {
	b.Helper()
	db := dbtest.Open(b, sydradb.Options{})
	return newHandler(intake.New(db, intake.DefaultLimits(), nil), metadata.New(0))
}

// benchmark measures decoding, look-up and Add, of known series with one point each.
func benchmark(b *testing.B, protocol string, body []byte, points int) {
	h := openBench(b)
	decode := func() {
		r := h.intake.Begin(protocol)
		if err := h.decode(r, protocol, body); err != nil || r.Len() != points {
			b.Fatalf("%d points, %v", r.Len(), err)
		}
		r.End()
	}
	decode()
	b.ReportAllocs()
	for b.Loop() {
		decode()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*points), "ns/point")
}

// byMetric puts series in the order of a sender that goes through its metrics.
func byMetric(all []tseries) []tseries {
	var out []tseries
	for m := range 10 {
		for i := m; i < len(all); i += 10 {
			out = append(out, all[i])
		}
	}
	return out
}

func BenchmarkDecode(b *testing.B) {
	all := devops(500, 1_700_000_000_000)
	b.Run("version=2/order=host", func(b *testing.B) { benchmark(b, protocol2, encode2(all), len(all)) })
	b.Run("version=2/order=metric", func(b *testing.B) { benchmark(b, protocol2, encode2(byMetric(all)), len(all)) })
	for i := range all {
		all[i].typ = 0 // 1.0 has metadata in requests of their own
	}
	b.Run("version=1/order=host", func(b *testing.B) { benchmark(b, protocol1, encode1(all), len(all)) })
}
