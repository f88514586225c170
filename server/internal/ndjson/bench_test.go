package ndjson

import (
	"fmt"
	"testing"

	"github.com/sydradb/sydradb"
	"github.com/sydradb/sydradb/server/internal/dbtest"
	"github.com/sydradb/sydradb/server/internal/intake"
	"github.com/sydradb/sydradb/server/internal/literal"
)

// lines returns a body of 1000 lines of as many series, with ten tags each.
func lines() []byte {
	var body []byte
	for i := range 1000 {
		body = fmt.Appendf(body, `{"series":"weather.room%d","ts":%d,"value":%d.%d,"tags":{`, i, 1694300000+i, i%50, i%10)
		for k := range 10 {
			body = fmt.Appendf(body, `%s"tag_%d":"value_%d"`, []string{"", ","}[min(k, 1)], k, k)
		}
		body = append(body, "}}\n"...)
	}
	return body
}

func newBench(tb testing.TB) (*handler, *intake.Intake) {
	in := intake.New(dbtest.Open(tb, sydradb.Options{}), intake.DefaultLimits(), nil)
	return &handler{in: in, readers: make(chan *reader, 1)}, in
}

// Lines of known series cost no allocation each.
func TestKnownSeriesAreFree(t *testing.T) {
	h, in := newBench(t)
	body := lines()
	if n := testing.AllocsPerRun(10, func() {
		req := in.Begin("ndjson")
		h.parse(req, body, literal.Second)
		if req.Len() != 1000 {
			t.Fatal(req.Errors())
		}
		req.End()
	}); n > 30 { // the collector may empty the pool of requests
		t.Errorf("%v allocations for 1000 lines", n)
	}
}

// BenchmarkParse is what comes before the database.
func BenchmarkParse(b *testing.B) {
	h, in := newBench(b)
	body := lines()
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		req := in.Begin("ndjson")
		h.parse(req, body, literal.Second)
		req.End()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*1000), "ns/point")
}
