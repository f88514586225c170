package influx

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/sydradb/sydradb"
	"github.com/sydradb/sydradb/server/internal/dbtest"
	"github.com/sydradb/sydradb/server/internal/intake"
	"github.com/sydradb/sydradb/server/internal/lineproto"
)

var cpuFields = []string{"usage_user", "usage_system", "usage_idle", "usage_nice", "usage_iowait", "usage_irq", "usage_softirq", "usage_steal", "usage_guest", "usage_guest_nice"}

// devops returns bodies of 1000 lines, each of ten tags and ten fields; hosts take turns.
func devops(hosts int, value func(*rand.Rand) string) (bodies [][]byte) {
	rng := rand.New(rand.NewPCG(1, 2))
	var body []byte
	for i := range max(hosts, 10000) {
		h := i % hosts
		body = fmt.Appendf(body, "cpu,hostname=host_%d,region=eu-central-%d,datacenter=eu-central-%d%c,rack=%d,os=Ubuntu16.04LTS,arch=x64,team=%s,service=%d,service_version=%d,service_environment=production ",
			h, h%3, h%3, "abc"[h%2], h%100, []string{"SF", "NYC", "LON"}[h%3], h%20, h%2)
		for k, name := range cpuFields {
			body = fmt.Appendf(body, "%s%s=%s", []string{"", ","}[min(k, 1)], name, value(rng))
		}
		body = fmt.Appendf(body, " %d\n", 1694300000000000000+int64(i/hosts)*1e10)
		if (i+1)%1000 == 0 {
			bodies = append(bodies, append(make([]byte, 0, len(body)+64), body...))
			body = body[:0]
		}
	}
	return bodies
}

var benchValues = []struct {
	name  string
	value func(*rand.Rand) string
}{
	{"ints", func(r *rand.Rand) string { return fmt.Sprintf("%di", r.IntN(101)) }},
	{"decimals", func(r *rand.Rand) string { return fmt.Sprintf("%.2f", r.Float64()*100) }},
}

// benchmark runs one body after the other and reports the processor time of a point.
func benchmark(b *testing.B, run func(b *testing.B, hosts int, bodies [][]byte) func(body []byte)) {
	for _, hosts := range []int{500, 50000} {
		for _, v := range benchValues {
			b.Run(fmt.Sprintf("hosts=%d/values=%s", hosts, v.name), func(b *testing.B) {
				bodies := devops(hosts, v.value)
				one := run(b, hosts, bodies)
				for _, body := range bodies {
					one(body) // from now on, all series are known
				}
				b.ReportAllocs()
				i := 0
				cpu := cpuTime()
				for b.Loop() {
					one(bodies[i%len(bodies)])
					i++
				}
				b.ReportMetric(float64((cpuTime()-cpu).Nanoseconds())/float64(i*1000*len(cpuFields)), "cpu-ns/point")
			})
		}
	}
}

// BenchmarkParse is what comes before the database: parsing, looking up, the checks, and
// the batch.
func BenchmarkParse(b *testing.B) {
	benchmark(b, func(b *testing.B, _ int, _ [][]byte) func([]byte) {
		in := intake.New(dbtest.Open(b, sydradb.Options{}), intake.DefaultLimits(), nil)
		h := newWriter(in, lineproto.NewTable(0, 0), precisionsV1)
		return func(body []byte) {
			req := in.Begin("influx")
			h.parse(req, body, 1)
			if req.Len() != 1000*len(cpuFields) {
				b.Fatal(req.Len(), req.Errors())
			}
			req.End()
		}
	})
}

// BenchmarkWrite is all of a request but the network: the points are overwritten again and
// again, in memory.
func BenchmarkWrite(b *testing.B) {
	benchmark(b, func(b *testing.B, _ int, _ [][]byte) func([]byte) {
		s := serve(b, dbtest.Open(b, sydradb.Options{}), intake.DefaultLimits())
		return func(body []byte) {
			r := httptest.NewRequest("POST", "/write", bytes.NewReader(body))
			w := httptest.NewRecorder()
			s.ServeHTTP(w, r)
			if w.Code != http.StatusNoContent {
				b.Fatal(w.Code, w.Body)
			}
		}
	})
}
