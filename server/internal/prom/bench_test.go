package prom

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"

	"github.com/sydradb/sydradb"
)

// The load of the benchmarks: hosts that report ten metrics with ten tags every ten seconds
// for thirteen hours. SYDRADB_BENCH_HOSTS sets how many hosts there are.
const (
	benchHosts  = 50
	benchHours  = 13
	benchStepMS = 10_000
	benchStart  = 1_700_000_000_000 / 3_600_000 * 3_600_000 // in milliseconds, on the hour
)

var benchMetrics = []string{"usage_user", "usage_system", "usage_idle", "usage_nice", "usage_iowait", "usage_irq", "usage_softirq", "usage_steal", "usage_guest", "usage_guest_nice"}

func hosts(b *testing.B) int {
	n, err := strconv.Atoi(os.Getenv("SYDRADB_BENCH_HOSTS"))
	if err != nil {
		n = benchHosts
	}
	return max(n, 8)
}

// hostTags returns the tags of a host.
func hostTags(host int) []sydradb.Tag {
	value := func(prefix string, n int) string { return prefix + strconv.Itoa((host*7919+len(prefix))%n) }
	return []sydradb.Tag{
		{Key: "arch", Value: value("x", 2)}, {Key: "datacenter", Value: value("eu-west-1-", 9)}, {Key: "hostname", Value: fmt.Sprintf("host_%d", host)},
		{Key: "os", Value: value("Ubuntu16.", 3)}, {Key: "rack", Value: value("", 100)}, {Key: "region", Value: value("eu-west-", 9)},
		{Key: "service", Value: value("", 20)}, {Key: "service_environment", Value: value("env", 3)}, {Key: "service_version", Value: value("", 2)}, {Key: "team", Value: value("team", 4)},
	}
}

// walk calls use with every point of the load, in order of time: the values of a series
// are whole numbers from 0 to 100 that change by one on average.
func walk(hosts int, use func(series int, ms int64, v float64), hour func()) {
	values := make([]float64, hosts*len(benchMetrics))
	rnd := rand.New(rand.NewPCG(1, 2))
	for i := range values {
		values[i] = float64(rnd.IntN(101))
	}
	for ms := int64(0); ms < benchHours*3_600_000; ms += benchStepMS {
		for i := range values {
			values[i] = float64(int(max(0, min(100, values[i]+rnd.NormFloat64()))))
			use(i, benchStart+ms, values[i])
		}
		if (ms+benchStepMS)%3_600_000 == 0 {
			hour()
		}
	}
}

// loadSydra returns a database with the load, merged.
func loadSydra(b *testing.B, hosts int) *sydradb.DB {
	b.Helper()
	db, err := sydradb.Open(b.TempDir(), &sydradb.Options{Sync: sydradb.SyncNone})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { db.Close() })
	var series []*sydradb.Series
	for host := range hosts {
		for _, m := range benchMetrics {
			s, err := db.Series("cpu_"+m, hostTags(host)...)
			if err != nil {
				b.Fatal(err)
			}
			series = append(series, s)
		}
	}
	batch := db.NewBatch()
	flush := func() {
		if err := db.Write(context.Background(), batch); err != nil {
			b.Fatal(err)
		}
		batch.Reset()
	}
	walk(hosts, func(i int, ms int64, v float64) {
		batch.Add(series[i], ms*nsPerMS, v)
		if batch.Len() == 100_000 {
			flush()
		}
	}, flush)
	if err := db.Compact(context.Background()); err != nil {
		b.Fatal(err)
	}
	return db
}

// loadPrometheus returns Prometheus' own storage with the load, in blocks.
func loadPrometheus(b *testing.B, hosts int) *tsdb.DB {
	b.Helper()
	opts := tsdb.DefaultOptions()
	opts.WALSegmentSize = -1
	db, err := tsdb.Open(b.TempDir(), nil, nil, opts, nil)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { db.Close() })
	var lsets []labels.Labels
	for host := range hosts {
		for _, m := range benchMetrics {
			builder := labels.NewScratchBuilder(12)
			builder.Add(model.MetricNameLabel, "cpu_"+m)
			for _, t := range hostTags(host) {
				builder.Add(t.Key, t.Value)
			}
			builder.Sort()
			lsets = append(lsets, builder.Labels())
		}
	}
	refs := make([]storage.SeriesRef, len(lsets))
	app := db.Appender(context.Background())
	walk(hosts, func(i int, ms int64, v float64) {
		ref, err := app.Append(refs[i], lsets[i], ms, v)
		if err != nil {
			b.Fatal(err)
		}
		refs[i] = ref
	}, func() {
		if err := app.Commit(); err != nil {
			b.Fatal(err)
		}
		if err := db.Compact(context.Background()); err != nil {
			b.Fatal(err)
		}
		app = db.Appender(context.Background())
	})
	if err := app.Rollback(); err != nil {
		b.Fatal(err)
	}
	return db
}

// benchQueries are what dashboards ask of such data.
var benchQueries = []struct {
	name, text string
	length     time.Duration
	step       time.Duration
}{
	{"single-groupby-1-1-1", `max(max_over_time(cpu_usage_user{hostname='host_1'}[1m])) by (__name__)`, time.Hour, time.Minute},
	{"single-groupby-5-8-8", `max(max_over_time({__name__=~'cpu_(usage_user|usage_system|usage_idle|usage_nice|usage_iowait)',hostname=~'host_0|host_1|host_2|host_3|host_4|host_5|host_6|host_7'}[1m])) by (__name__)`, 8 * time.Hour, time.Minute},
	{"cpu-max-all-8", `max(max_over_time({__name__=~'cpu_(usage_user|usage_system|usage_idle|usage_nice|usage_iowait|usage_irq|usage_softirq|usage_steal|usage_guest|usage_guest_nice)',hostname=~'host_0|host_1|host_2|host_3|host_4|host_5|host_6|host_7'}[1h])) by (__name__)`, 8 * time.Hour, time.Hour},
	{"double-groupby-all", `avg(avg_over_time({__name__=~'cpu_(usage_user|usage_system|usage_idle|usage_nice|usage_iowait|usage_irq|usage_softirq|usage_steal|usage_guest|usage_guest_nice)'}[1h])) by (__name__, hostname)`, 12 * time.Hour, time.Hour},
	{"instant", `sum by (region) (cpu_usage_user)`, 0, 0},
	{"timestamp", `max(timestamp(cpu_usage_user))`, time.Hour, time.Minute},
}

func BenchmarkQuery(b *testing.B) {
	n := hosts(b)
	p := parser.NewParser(parser.Options{})
	config := Config{Limits: Limits{}.withDefaults()}
	engine := newEngine(&config, p)
	sydra := newQueryable(loadSydra(b, n), config.Limits, nil)
	stores := []struct {
		name string
		storage.Queryable
	}{{"sydradb", sydra}}
	if os.Getenv("SYDRADB_BENCH_PEERS") != "" {
		stores = append(stores, struct {
			name string
			storage.Queryable
		}{"prometheus", loadPrometheus(b, n)})
	}
	for _, q := range benchQueries {
		for _, s := range stores {
			b.Run(fmt.Sprintf("query=%s/hosts=%d/store=%s", q.name, n, s.name), func(b *testing.B) {
				b.ReportAllocs()
				start := cpuTime()
				for b.Loop() {
					runBench(b, engine, s.Queryable, q.text, q.length, q.step)
				}
				b.ReportMetric(float64(cpuTime()-start)/float64(b.N), "cpu-ns/op")
			})
		}
	}
}

func runBench(b *testing.B, engine promql.QueryEngine, q storage.Queryable, text string, length, step time.Duration) {
	end := time.UnixMilli(benchStart + benchHours*3_600_000 - benchStepMS)
	var query promql.Query
	var err error
	if length == 0 {
		query, err = engine.NewInstantQuery(b.Context(), q, nil, text, end)
	} else {
		query, err = engine.NewRangeQuery(b.Context(), q, nil, text, end.Add(-length), end, step)
	}
	if err != nil {
		b.Fatal(err)
	}
	defer query.Close()
	if result := query.Exec(b.Context()); result.Err != nil {
		b.Fatal(result.Err)
	}
}
