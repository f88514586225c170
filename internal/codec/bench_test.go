package codec

import "testing"

// The figure to watch is ns/point; columns are an hour at 10 s.

func perPoint(b *testing.B, points int) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(points), "ns/point")
}

func BenchmarkTimestamps(b *testing.B) {
	for _, shape := range []string{"clockwork", "jitter"} {
		ts := timestampColumns()[shape]
		encoded := encodeTimestamps(b, ts)
		b.Run("op=encode/shape="+shape, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(8 * len(ts)))
			buf := make([]byte, 0, 1<<16)
			for b.Loop() {
				buf, _ = AppendTimestamps(buf[:0], TimestampsDelta2, ts)
			}
			perPoint(b, len(ts))
			b.ReportMetric(float64(len(encoded))/float64(len(ts)), "B/point")
		})
		b.Run("op=decode/shape="+shape, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(8 * len(ts)))
			got := make([]int64, len(ts))
			for b.Loop() {
				if _, err := DecodeTimestamps(got, TimestampsDelta2, encoded, ts[0]); err != nil {
					b.Fatal(err)
				}
			}
			perPoint(b, len(ts))
		})
	}
}

func BenchmarkValues(b *testing.B) {
	for _, shape := range []string{"same", "idle", "gauge", "noise"} {
		v := valueColumns()[shape]
		encoded := encodeValues(b, v)
		b.Run("op=encode/shape="+shape, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(8 * len(v)))
			buf := make([]byte, 0, 1<<16)
			for b.Loop() {
				buf, _ = AppendValues(buf[:0], ValuesXOR, v)
			}
			perPoint(b, len(v))
			b.ReportMetric(float64(len(encoded))/float64(len(v)), "B/point")
		})
		b.Run("op=decode/shape="+shape, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(8 * len(v)))
			got := make([]float64, len(v))
			for b.Loop() {
				if _, err := DecodeValues(got, ValuesXOR, encoded); err != nil {
					b.Fatal(err)
				}
			}
			perPoint(b, len(v))
		})
	}
}
