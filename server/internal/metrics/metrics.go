package metrics

import (
	"runtime"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/sydradb/sydradb/server/internal/auth"
	"github.com/sydradb/sydradb/server/internal/intake"
	"github.com/sydradb/sydradb/server/internal/web"
)

// Metrics is the registry of a server and the counters in it. It implements
// [intake.Observer] and [web.Observer].
type Metrics struct {
	registry *prometheus.Registry

	points    map[string]*pointCounters // by protocol
	requests  *prometheus.CounterVec
	durations *prometheus.HistogramVec
	panics    *prometheus.CounterVec
}

// pointCounters are those of one protocol.
type pointCounters struct {
	accepted prometheus.Counter
	rejected map[intake.Reason]prometheus.Counter
}

// other is the label of what has none of its own.
const other = "other"

// The values of labels, so that a series of each is there from the start.
var (
	protocols = []string{"ndjson", "influx", "remote_write_1", "remote_write_2", "otlp", "import", other}
	reasons   = []intake.Reason{
		intake.Invalid, intake.TooOld, intake.TooFarInFuture, intake.SeriesLimit, intake.LabelLimit,
		intake.Unsupported, intake.NativeHistogram, intake.Exemplar, other,
	}
)

// New returns the metrics of a server of some version.
func New(version string) *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry(), points: make(map[string]*pointCounters)}
	accepted := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "sydradb_points_accepted_total", Help: "Points that were stored.",
	}, []string{"protocol"})
	rejected := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "sydradb_points_rejected_total", Help: "Points that were not stored, by why.",
	}, []string{"protocol", "reason"})
	for _, protocol := range protocols {
		c := &pointCounters{accepted: accepted.WithLabelValues(protocol), rejected: make(map[intake.Reason]prometheus.Counter)}
		for _, reason := range reasons {
			c.rejected[reason] = rejected.WithLabelValues(protocol, string(reason))
		}
		m.points[protocol] = c
	}
	m.requests = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "sydradb_http_requests_total", Help: "HTTP requests that have ended, by status.",
	}, []string{"handler", "code"})
	m.durations = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "sydradb_http_request_duration_seconds", Help: "Time from the header of a request to the end of its answer.",
		Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60},
	}, []string{"handler"})
	m.panics = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "sydradb_http_panics_total", Help: "Requests whose handler panicked.",
	}, []string{"handler"})
	build := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "sydradb_build_info", Help: "Always 1.",
		ConstLabels: prometheus.Labels{"version": version, "goversion": runtime.Version()},
	}, func() float64 { return 1 })
	m.registry.MustRegister(accepted, rejected, m.requests, m.durations, m.panics, build,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Registerer takes the metrics of other parts of the server.
func (m *Metrics) Registerer() prometheus.Registerer { return m.registry }

// Observe counts the points of a request. See [intake.Observer].
func (m *Metrics) Observe(protocol string, accepted int, rejected map[intake.Reason]int) {
	c, ok := m.points[protocol]
	if !ok {
		c = m.points[other]
	}
	c.accepted.Add(float64(accepted))
	for reason, n := range rejected {
		counter, ok := c.rejected[reason]
		if !ok {
			counter = c.rejected[other]
		}
		counter.Add(float64(n))
	}
}

// ObserveRequest counts a request. See [web.Observer].
func (m *Metrics) ObserveRequest(handler string, status int, took time.Duration) {
	m.requests.WithLabelValues(handler, strconv.Itoa(status)).Inc()
	m.durations.WithLabelValues(handler).Observe(took.Seconds())
}

// ObservePanic counts a panic. See [web.Observer].
func (m *Metrics) ObservePanic(handler string) { m.panics.WithLabelValues(handler).Inc() }

// Routes returns /metrics, which needs no open database. It takes the scope read where
// the server asks for tokens.
func (m *Metrics) Routes() []web.Route {
	return []web.Route{{
		Pattern: "GET /metrics", Name: "metrics", Scope: auth.Read,
		Handler: promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{}),
	}}
}
