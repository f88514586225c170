package serve

import (
	"fmt"
	"math"
	"strings"

	"github.com/sydradb/sydradb/bench/engine"
	"github.com/sydradb/sydradb/bench/workload"
)

// question is a range query of the suite and what must come back.
type question struct {
	name  string
	text  string
	hours int   // from the first evaluation to the last
	step  int64 // seconds, and how far each evaluation looks back

	first   int // of the hosts
	hosts   int // from that on
	metrics int // the first ones
	average bool
}

// questions are those of the suite that PromQL can ask, in the form that it uses for
// VictoriaMetrics. Ranges do not include their left end.
func questions(hosts int) []question {
	some := min(8, hosts)
	return []question{
		{
			name: "one metric of one host, greatest of each minute, 1 h", hours: 1, step: 60, first: 1, hosts: 1, metrics: 1,
			text: `max(max_over_time(cpu_usage_user{hostname='host_1'}[1m])) by (__name__)`,
		},
		{
			name: "5 metrics of 8 hosts, greatest of each minute, 8 h", hours: 8, step: 60, hosts: some, metrics: 5,
			text: fmt.Sprintf(`max(max_over_time({__name__=~'%s',hostname=~'%s'}[1m])) by (__name__)`, names(5), hostnames(some)),
		},
		{
			name: "10 metrics of 8 hosts, greatest of each hour, 8 h", hours: 8, step: 3600, hosts: some, metrics: 10,
			text: fmt.Sprintf(`max(max_over_time({__name__=~'%s',hostname=~'%s'}[1h])) by (__name__)`, names(10), hostnames(some)),
		},
		{
			name: "10 metrics of each host, average of each hour, 12 h", hours: 12, step: 3600, hosts: hosts, metrics: 10,
			average: true,
			text:    fmt.Sprintf(`avg(avg_over_time({__name__=~'%s'}[1h])) by (__name__, hostname)`, names(10)),
		},
	}
}

// names matches the names of the first n metrics.
func names(n int) string {
	return workload.DevOpsMeasurement + "_(" + strings.Join(workload.DevOpsFields[:n], "|") + ")"
}

// hostnames matches the first n hosts.
func hostnames(n int) string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf("host_%d", i)
	}
	return strings.Join(all, "|")
}

// table is every value of the load, by series and scrape.
type table struct {
	values [][]uint8
	start  int64 // seconds
	step   int64
}

func newTable(load *workload.Workload) *table {
	steps := int(load.Points / int64(load.Series))
	t := &table{values: make([][]uint8, load.Series), start: load.Start / 1000, step: (load.End - load.Start) / 1000 / int64(steps)}
	for i := range t.values {
		t.values[i] = make([]uint8, 0, steps)
	}
	source := load.Open()
	var points []engine.Point
	for points = source.Next(nil); len(points) > 0; points = source.Next(points[:0]) {
		for _, p := range points {
			t.values[p.Series] = append(t.values[p.Series], uint8(p.Value))
		}
	}
	return t
}

// window returns the values of a series after `after` up to `upTo`, in seconds.
func (t *table) window(series int, after, upTo int64) []uint8 {
	all := t.values[series]
	first := max(0, (after-t.start)/t.step+1)
	limit := min(int64(len(all)), (upTo-t.start)/t.step+1)
	if first >= limit {
		return nil
	}
	return all[first:limit]
}

// expect returns the answer, by what groups are called in answers, from start in seconds.
func (q *question) expect(t *table, start int64) map[string][]float64 {
	out := map[string][]float64{}
	per := len(workload.DevOpsFields)
	for at := start; at <= start+int64(q.hours)*3600; at += q.step {
		for metric := range q.metrics {
			name := workload.DevOpsMeasurement + "_" + workload.DevOpsFields[metric]
			greatest := math.Inf(-1)
			for host := q.first; host < q.first+q.hosts; host++ {
				window := t.window(host*per+metric, at-q.step, at)
				if !q.average {
					for _, v := range window {
						greatest = max(greatest, float64(v))
					}
					continue
				}
				sum := 0
				for _, v := range window {
					sum += int(v)
				}
				key := fmt.Sprintf("%s host_%d", name, host)
				out[key] = append(out[key], float64(sum)/float64(len(window)))
			}
			if !q.average {
				out[name] = append(out[name], greatest)
			}
		}
	}
	return out
}

// Questions returns the names of the questions, by which results have them.
func (p *Plan) Questions() []string {
	var out []string
	for _, q := range questions(p.Hosts) {
		out = append(out, q.name)
	}
	return out
}
