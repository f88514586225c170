package ingest

import (
	"fmt"
	"strings"
	"testing"
)

// BenchmarkParse reports the time of one line; the metric points/s counts points.
func BenchmarkParse(b *testing.B) {
	const series = 1000
	var fields10, tags10, json10 strings.Builder
	for i := range 10 {
		fmt.Fprintf(&fields10, "%cfield_%d=%di", " ,"[min(i, 1)], i, 1000+i)
		fmt.Fprintf(&tags10, ",tag_%d=value_%d", i, i)
		fmt.Fprintf(&json10, `,"tag_%d":"value_%d"`, i, i)
	}
	tests := []struct {
		name   string
		format Format
		header string
		line   func(i int) string
	}{
		{"format=ndjson/tags=1", NDJSON, "", func(i int) string {
			return fmt.Sprintf(`{"series":"weather.room%d","ts":%d,"value":%d.%d,"tags":{"floor":"2"}}`, i%series, 1694300000+i, i%50, i%10)
		}},
		{"format=ndjson/tags=10", NDJSON, "", func(i int) string {
			return fmt.Sprintf(`{"series":"weather.room%d","ts":%d,"value":%d.%d,"tags":{%s}}`, i%series, 1694300000+i, i%50, i%10, json10.String()[1:])
		}},
		{"format=influx/tags=1/fields=1", Influx, "", func(i int) string {
			return fmt.Sprintf("cpu,host=h%d usage=%d.%d %d", i%series, i%50, i%10, 1694300000000000000+i)
		}},
		{"format=influx/tags=10/fields=10", Influx, "", func(i int) string {
			return fmt.Sprintf("cpu,host=h%d%s%s %d", i%series, tags10.String(), fields10.String(), 1694300000000000000+i)
		}},
		{"format=csv/tags=1", CSV, "ts,series,floor,value", func(i int) string {
			return fmt.Sprintf("%d,weather.room%d,2,%d.%d", 1694300000+i, i%series, i%50, i%10)
		}},
	}
	for _, tt := range tests {
		b.Run(tt.name, func(b *testing.B) {
			lines := make([][]byte, 2*series)
			bytes := 0
			for i := range lines {
				lines[i] = []byte(tt.line(i))
				bytes += len(lines[i])
			}
			p := NewParser(tt.format, NewCache(newFakeDB(b)), ParserOptions{})
			var out discard
			if tt.header != "" {
				p.Parse([]byte(tt.header), &out)
			}
			for _, l := range lines {
				if o := p.Parse(l, &out); o.Refused > 0 {
					b.Fatal(o.Err)
				}
			}
			b.SetBytes(int64(bytes / len(lines)))
			b.ReportAllocs()
			out.n = 0
			i := 0
			for b.Loop() {
				p.Parse(lines[i%len(lines)], &out)
				i++
			}
			b.ReportMetric(float64(out.n)/b.Elapsed().Seconds(), "points/s")
		})
	}
}
