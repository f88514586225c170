//go:build linux

package torture

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

// deadly are queries that are made to take all time or all memory, over 2,000 series of load_v
// with 100 points each, from 1700000000 on, every 10 s.
var deadly = []string{
	// Text: deep, long, and with patterns that grow.
	strings.Repeat("(", 8000) + "1" + strings.Repeat(")", 8000),
	strings.Repeat("-", 16000) + "1",
	strings.Repeat("abs(", 3000) + "load_v" + strings.Repeat(")", 3000),
	strings.Repeat("sum(", 1000) + "load_v" + strings.Repeat(")", 1000),
	strings.Repeat("load_v or ", 1500) + "load_v",
	strings.Repeat("1^", 8000) + "1",
	`{__name__=~"(((((((((a+)+)+)+)+)+)+)+)+)+b"}`,
	`{__name__=~"(a{1000}){1000}"}`,
	`{a=~"` + strings.Repeat("a?", 4000) + strings.Repeat("a", 4000) + `"}`,
	`load_v{a=~"` + strings.Repeat("([a-z0-9]+.*)*", 1000) + `"}`,
	`load_v{a!~"` + strings.Repeat("x|", 7000) + `y"}`,
	`{__name__=~".*",a=~".*.*.*.*.*.*.*.*.*.*"}`,
	// Ranges and subqueries.
	`load_v[100y]`,
	`max_over_time(load_v[100y:1s])`,
	`sum_over_time(vector(1)[1000d:1ms])`,
	`max_over_time(max_over_time(max_over_time(load_v[1h:1s])[1h:1s])[1h:1s])`,
	`sum(rate(load_v[1h:1s]))`,
	`quantile_over_time(0.5, load_v[1h:100ms])`,
	`absent_over_time(nosuch[100y])`,
	`avg_over_time((load_v * on() group_left sum(load_v))[1h:1s])`,
	`deriv(load_v[1h:10ms])`,
	`holt_winters(load_v[1h], 0.5, 0.5)`,
	// Far away.
	`load_v @ 9223372036854775`, `load_v @ -9223372036854775`, `load_v @ 1e300`, `load_v offset 290y`, `load_v offset -290y`,
	`sum_over_time(load_v[1h] @ 9223372036854775 offset 290y)`,
	// All of everything.
	`{__name__!=""}`, `count by (a, b, __name__) ({__name__!=""})`, `absent({__name__!=""})`, `quantile(0.99, {__name__!=""})`, `quantile by (a) (0.5, load_v)`,
	`topk(1e18, {__name__!=""})`, `sort_desc({__name__!=""})`, `sort_by_label(load_v, "a", "b")`, `stddev({__name__!=""})`,
	`count_values("v", load_v)`, `count_values("v", load_v * 0.1234567 + time())`, `count_values("v", rate(load_v[5m]))`, `count_values("v", {__name__!=""}) by (a)`,
	// Joins.
	`load_v * on() group_left load_v`, `load_v * on(b) group_left load_v`, `load_v * on(b) group_right load_v`, `load_v and on() load_v`, `load_v unless on() load_v`,
	`(load_v or load_v * 2) + ignoring(a, b) group_left load_v`, `load_v == bool on(a) load_v > load_v < load_v`,
	// Labels that grow.
	`label_replace(load_v, "x", "` + strings.Repeat("$1", 1000) + `", "a", "(.*)")`,
	strings.Repeat("label_join(", 300) + "load_v" + strings.Repeat(`,"a","","a","a")`, 300),
	strings.Repeat("label_replace(", 20) + "load_v" + strings.Repeat(`,"a","$1$1","a","(.*)")`, 20),
	`label_join(load_v, "x", "` + strings.Repeat("y", 10_000) + `", "a", "b")`,
	`label_replace(load_v, "x", "$1", "a", "` + strings.Repeat("(.*)", 1000) + `")`,
	`label_replace(load_v, "__name__", "$1", "a", "(.*)")`,
	// Histograms that are none.
	`histogram_quantile(0.9, load_v)`, `histogram_quantile(0.9, sum by (le) (rate(load_v[100d])))`,
}

// Every query of death is answered soon, by an answer or by a limit, in bounded memory, and
// the next query of somebody else as if nothing had been.
func TestDeadlyQueries(t *testing.T) {
	t.Parallel()
	const (
		series, points = 2000, 100
		from, step     = 1_700_000_000, 10
		soon           = 20 * time.Second // on a machine that has a lot else to do
	)
	p := serve(t, stage(t), "SYDRADB_QUERY_TIMEOUT=300ms", "SYDRADB_QUERY_MEMORY_BYTES=16MiB", "SYDRADB_QUERY_MAX_SAMPLES=1000000", "SYDRADB_QUERY_SLOTS=2", "GOMEMLIMIT=200MiB")
	var body strings.Builder
	for k := range points {
		for i := range series {
			fmt.Fprintf(&body, "load,a=a%d,b=%d v=%d.5 %d\n", i, i%7, i*k, from+k*step)
		}
		if k%25 == 24 {
			p.want(204, "POST", "/write?precision=s", body.String(), "")
			body.Reset()
		}
	}
	start := p.memoryOf("VmRSS")
	p.forgetPeak()
	refused := 0
	ask := func(path string, form url.Values) {
		t.Helper()
		began := time.Now()
		status, answer, err := p.post(path, "application/x-www-form-urlencoded", []byte(form.Encode()))
		if err != nil || !slices.Contains([]int{200, 400, 422, 503}, status) || time.Since(began) > soon {
			t.Errorf("%s %.200s: %d, %.200s, %v after %v", path, form.Get("query"), status, answer, err, time.Since(began))
		}
		if status != 200 {
			refused++
		}
	}
	end := fmt.Sprint(from + points*step)
	// Where other tests have the processors, even a modest query may run out of so short a time.
	modest := func(after string) {
		t.Helper()
		if err := poll(soon, func() (bool, error) {
			status, answer, err := p.get("/api/v1/query?query=count(load_v)&time=" + end)
			if status == 503 {
				return false, fmt.Errorf("%d, %s", status, answer)
			}
			if err == nil && (status != 200 || !strings.Contains(string(answer), fmt.Sprintf(`"%d"]`, series))) {
				err = fmt.Errorf("%d, %.300s", status, answer)
			}
			return true, err
		}); err != nil {
			t.Errorf("a modest query after %.200s: %v", after, err)
		}
	}
	for _, query := range deadly {
		ask("/api/v1/query", url.Values{"query": {query}, "time": {end}})
		modest(query)
		if t.Failed() {
			break
		}
	}
	for _, query := range []string{`load_v`, `sum(load_v)`, `max_over_time(load_v[100d])`, `count_values("v", load_v)`, `load_v * on(b) group_left load_v`, `label_replace(load_v, "x", "$1$1$1", "a", "(.*)")`, `absent(nosuch)`} {
		ask("/api/v1/query_range", url.Values{"query": {query}, "start": {fmt.Sprint(from - 100_000)}, "end": {fmt.Sprint(from + 9_999)}, "step": {"10"}}) // 11,000 steps
		ask("/api/v1/query_range", url.Values{"query": {query}, "start": {"0"}, "end": {end}, "step": {"1"}})
		ask("/api/v1/query_range", url.Values{"query": {query}, "start": {"-9223372036"}, "end": {"9223372036"}, "step": {"1677800"}})
	}
	for _, form := range []url.Values{
		{"selector": {"{}"}, "step": {"1ns"}, "agg": {"avg"}}, {"selector": {"{}"}, "step": {"1s"}, "window": {"300000h"}, "agg": {"stddev"}},
		{"selector": {`load_v{a=~"` + strings.Repeat("(a+)+", 1000) + `"}`}}, {"selector": {"{}"}}, {"selector": {"{}"}, "by": {"a", "b"}, "agg": {"rate"}, "step": {"1ms"}},
	} {
		ask("/api/v1/query/select", form)
	}
	if refused < len(deadly)/4 {
		t.Errorf("only %d of the queries met a limit", refused)
	}
	if took := p.memoryOf("VmHWM") - start; took > 200*mib {
		t.Errorf("memory grew by %d MiB", took/mib)
	}
	modest("all of them")
}
