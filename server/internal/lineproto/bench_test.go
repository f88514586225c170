package lineproto

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/sydradb/sydradb"
	"github.com/sydradb/sydradb/server/internal/dbtest"
)

// resolver gives real series, as a database has them in memory.
type resolver struct{ db *sydradb.DB }

func (r resolver) Series(name string, tags []sydradb.Tag, _ int64) (*sydradb.Series, error) {
	return r.db.Series(name, tags...)
}

var cpuFields = []string{"usage_user", "usage_system", "usage_idle", "usage_nice", "usage_iowait", "usage_irq", "usage_softirq", "usage_steal", "usage_guest", "usage_guest_nice"}

// devops returns bodies of 1000 lines each: ten tags, ten fields, hosts in turn.
func devops(hosts, lines int, value func(*rand.Rand) string) (bodies [][]byte) {
	rng := rand.New(rand.NewPCG(1, 2))
	var body []byte
	for i := range lines {
		h := i % hosts
		body = fmt.Appendf(body, "cpu,hostname=host_%d,region=eu-central-%d,datacenter=eu-central-%d%c,rack=%d,os=Ubuntu16.04LTS,arch=x64,team=%s,service=%d,service_version=%d,service_environment=production ",
			h, h%3, h%3, "abc"[h%2], h%100, []string{"SF", "NYC", "LON"}[h%3], h%20, h%2)
		for k, name := range cpuFields {
			if k > 0 {
				body = append(body, ',')
			}
			body = append(body, name...)
			body = append(body, '=')
			body = append(body, value(rng)...)
		}
		body = fmt.Appendf(body, " %d\n", 1694300000000000000+int64(i/hosts)*1e10)
		if (i+1)%1000 == 0 || i == lines-1 {
			bodies = append(bodies, append(make([]byte, 0, len(body)+slack), body...))
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
	{"floats", func(r *rand.Rand) string { return fmt.Sprint(r.Float64() * 100) }},
}

// BenchmarkNext reports the time of one point: parsing and looking up, without a batch.
func BenchmarkNext(b *testing.B) {
	for _, hosts := range []int{500, 50000} {
		for _, v := range benchValues {
			b.Run(fmt.Sprintf("hosts=%d/values=%s", hosts, v.name), func(b *testing.B) {
				bodies := devops(hosts, max(hosts, 10000), v.value)
				p := NewParser(NewTable(0, 0))
				r := resolver{dbtest.Open(b, sydradb.Options{})}
				points := 0
				run := func(body []byte) {
					p.Reset(body, r, Options{})
					for l := p.Next(); l != nil; l = p.Next() {
						points += len(l.Points)
						if len(l.Refused) > 0 {
							b.Fatal(l.Refused[0].Err)
						}
					}
				}
				for _, body := range bodies {
					run(body)
				}
				points = 0
				i := 0
				b.ReportAllocs()
				for b.Loop() {
					run(bodies[i%len(bodies)])
					i++
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(points), "ns/point")
			})
		}
	}
}
