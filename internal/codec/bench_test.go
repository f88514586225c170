package codec

import "testing"

// The figures to watch are ns/point and B/point; columns are an hour at 10 s, some longer.

func perPoint(b *testing.B, points int) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(points), "ns/point")
}

func BenchmarkTimestamps(b *testing.B) {
	for _, shape := range []string{"clockwork", "jitter", "waits"} {
		ts := timestampColumns()[shape]
		for _, v := range variants {
			encoded := v.timestamps(b, ts)
			b.Run("op=encode/"+v.String()+"/shape="+shape, func(b *testing.B) {
				b.ReportAllocs()
				b.SetBytes(int64(8 * len(ts)))
				e := Encoder{Policy: v.policy}
				buf := make([]byte, 0, 1<<16)
				for b.Loop() {
					buf, _ = e.AppendTimestamps(buf[:0], v.id, ts)
				}
				perPoint(b, len(ts))
				b.ReportMetric(float64(len(encoded))/float64(len(ts)), "B/point")
			})
			b.Run("op=decode/"+v.String()+"/shape="+shape, func(b *testing.B) {
				b.ReportAllocs()
				b.SetBytes(int64(8 * len(ts)))
				got := make([]int64, len(ts))
				var d Decoder
				for b.Loop() {
					if _, err := d.Timestamps(got, v.id, encoded, ts[0]); err != nil {
						b.Fatal(err)
					}
				}
				perPoint(b, len(ts))
			})
		}
	}
}

func BenchmarkValues(b *testing.B) {
	for _, shape := range []string{"same", "idle", "gauge", "single", "bytes", "bursts", "noise"} {
		values := valueColumns()[shape]
		for _, v := range variants {
			encoded := v.values(b, values)
			b.Run("op=encode/"+v.String()+"/shape="+shape, func(b *testing.B) {
				b.ReportAllocs()
				b.SetBytes(int64(8 * len(values)))
				e := Encoder{Policy: v.policy}
				buf := make([]byte, 0, 1<<16)
				for b.Loop() {
					buf, _ = e.AppendValues(buf[:0], v.id, values)
				}
				perPoint(b, len(values))
				b.ReportMetric(float64(len(encoded))/float64(len(values)), "B/point")
			})
			b.Run("op=decode/"+v.String()+"/shape="+shape, func(b *testing.B) {
				b.ReportAllocs()
				b.SetBytes(int64(8 * len(values)))
				got := make([]float64, len(values))
				var d Decoder
				for b.Loop() {
					if _, err := d.Values(got, v.id, encoded); err != nil {
						b.Fatal(err)
					}
				}
				perPoint(b, len(values))
			})
		}
	}
}

// What the functions cost that clear a Decoder each time.
func BenchmarkDecodeValuesWithoutDecoder(b *testing.B) {
	values := valueColumns()["gauge"]
	encoded := variant{2, Fast}.values(b, values)
	got := make([]float64, len(values))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := decodeColumn(got, 2, encoded); err != nil {
			b.Fatal(err)
		}
	}
	perPoint(b, len(values))
}
