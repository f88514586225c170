package prom

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"

	"github.com/grafana/regexp"
	"github.com/prometheus/common/route"
	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/model/exemplar"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/rules"
	"github.com/prometheus/prometheus/scrape"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"
	"github.com/prometheus/prometheus/util/notifications"
	v1 "github.com/prometheus/prometheus/web/api/v1"
)

// newEngine returns the engine that evaluates PromQL: that of Prometheus as it is set up by
// default.
func newEngine(c *Config, p parser.Parser) *queryEngine {
	opts := promql.EngineOpts{
		Logger:                   c.Logger,
		Reg:                      c.Registerer,
		MaxSamples:               int(c.Limits.MemoryBytes / sampleBytes),
		Timeout:                  c.Limits.Timeout,
		LookbackDelta:            c.Limits.Lookback,
		EnableAtModifier:         true,
		EnableNegativeOffset:     true,
		NoStepSubqueryIntervalFn: func(int64) int64 { return subqueryStep.Milliseconds() },
		Parser:                   p,
	}
	e := &queryEngine{promql.NewEngine(opts), nil, p, c.Limits.MemoryBytes / stepBytes}
	opts.Reg = nil // metrics can be registered once only
	opts.EnableDelayedNameRemoval = true
	e.keeping = promql.NewEngine(opts)
	return e
}

// newPrometheusAPI returns the handler of all routes that Prometheus' own API answers, below
// /api/v1. The list of arguments changes with every release; what of it must not be nil is
// what the routes mounted by this package use.
func newPrometheusAPI(c *Config, engine promql.QueryEngine, q storage.SampleAndChunkQueryable, p parser.Parser) http.Handler {
	none := nothing{}
	api := v1.NewAPI(
		engine,
		q,
		nil, nil, // appenders: remote write is not Prometheus' here
		none,
		func(context.Context) v1.ScrapePoolsRetriever { return none },
		func(context.Context) v1.TargetRetriever { return none },
		func(context.Context) v1.AlertmanagerRetriever { return none },
		func() config.Config { return prometheusConfig(c.ExternalLabels) },
		c.flags(),
		v1.GlobalURLOptions{},
		func(h http.HandlerFunc) http.HandlerFunc { return h },
		&adminStats{db: c.DB},
		"",    // directory of snapshots: the admin routes are this package's
		false, // nor are they Prometheus'
		false, 0,
		c.Logger,
		func(context.Context) v1.RulesRetriever { return none },
		int(c.Limits.MemoryBytes/sampledBytes), readsAtATime, readFrameBytes,
		false,
		regexp.MustCompile(`^\b$`), // origins: none
		c.runtimeInfo,
		&v1.PrometheusVersion{
			Version: claimedVersion, Revision: c.Version, Branch: "sydradb", GoVersion: c.goVersion(),
		},
		func() []notifications.Notification { return nil },
		func() (<-chan notifications.Notification, func(), bool) { return nil, func() {}, false },
		noChunks(),
		c.registerer(),
		nil,
		false, nil, // remote write
		false, false, false, false, // OTLP, start timestamps
		c.Limits.Lookback,
		false, false,
		errorCode,
		nil,
		v1.OpenAPIOptions{},
		p,
	)
	router := route.New().WithPrefix("/api/v1")
	api.Register(router)
	return router
}

// claimedVersion is the version of Prometheus whose API this is: clients choose by it how to
// ask. Thanos wants it bare, and Grafana no features beside it.
const claimedVersion = "3.15.0"

// errorCode overrides the status of answers where Prometheus would blame the wrong side. The
// type of the first argument has no name outside Prometheus' package.
func errorCode[N ~int](_ N, err error) (status int, override bool) {
	var (
		limit   *limitError
		samples promql.ErrTooManySamples
		timeout promql.ErrQueryTimeout
		broken  promql.ErrStorage
	)
	switch {
	case errors.As(err, &limit), errors.As(err, &samples):
		return http.StatusUnprocessableEntity, true
	case errors.As(err, &timeout), errors.Is(err, context.DeadlineExceeded):
		return http.StatusServiceUnavailable, true
	case errors.As(err, &broken):
		return http.StatusInternalServerError, true
	}
	return 0, false
}

// prometheusConfig returns what of Prometheus' configuration applies: the labels that tell
// servers apart, without which a Thanos sidecar does not start.
func prometheusConfig(external map[string]string) config.Config {
	return config.Config{GlobalConfig: config.GlobalConfig{ExternalLabels: labels.FromMap(external)}}
}

// quiet returns the logger of Prometheus' packages.
func quiet(l *slog.Logger) *slog.Logger {
	if l == nil {
		return slog.New(slog.DiscardHandler)
	}
	return l
}

// nothing stands for the parts of Prometheus that this server has not.
type nothing struct{}

func (nothing) ExemplarQuerier(context.Context) (storage.ExemplarQuerier, error) {
	return nothing{}, nil
}

func (nothing) Select(_, _ int64, _ ...[]*labels.Matcher) ([]exemplar.QueryResult, error) {
	return []exemplar.QueryResult{}, nil
}

func (nothing) ScrapePools() []string { return []string{} }

func (nothing) TargetsActive() map[string][]*scrape.Target { return nil }

func (nothing) TargetsDropped() map[string][]*scrape.Target { return nil }

func (nothing) TargetsDroppedCounts() map[string]int { return map[string]int{} }

func (nothing) ScrapePoolConfig(string) (*config.ScrapeConfig, error) {
	return nil, errors.New("nothing is scraped")
}

func (nothing) Alertmanagers() []*url.URL { return nil }

func (nothing) DroppedAlertmanagers() []*url.URL { return nil }

func (nothing) RuleGroups() []*rules.Group { return nil }

func (nothing) AlertingRules() []*rules.AlertingRule { return nil }

// CleanTombstones, Delete and Snapshot are those of routes that are not mounted.
func (*adminStats) CleanTombstones() error { return errNotMounted }

func (*adminStats) Delete(context.Context, int64, int64, ...*labels.Matcher) error {
	return errNotMounted
}

func (*adminStats) Snapshot(string, bool) error { return errNotMounted }

func (*adminStats) WALReplayStatus() (tsdb.WALReplayStatus, error) {
	return tsdb.WALReplayStatus{}, nil
}

func (*adminStats) BlockMetas() ([]tsdb.BlockMeta, error) { return []tsdb.BlockMeta{}, nil }

var errNotMounted = errors.New("not served by Prometheus' API")
