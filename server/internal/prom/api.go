package prom

import (
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"runtime"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/promql/parser"
	v1 "github.com/prometheus/prometheus/web/api/v1"

	"github.com/sydradb/sydradb"
	"github.com/sydradb/sydradb/server/internal/metadata"
)

// Config is what an API is made of. Only DB is required.
type Config struct {
	DB      *sydradb.DB
	DataDir string       // of DB; empty if it has none: snapshots are then refused
	Logger  *slog.Logger // nil: nothing is logged
	// Registerer takes the metrics of Prometheus' engine and remote read; nil: they are
	// not kept.
	Registerer prometheus.Registerer
	Metadata   *metadata.Store // what /api/v1/metadata answers; nil: nothing
	// ExternalLabels tell this server from others, such as replicas. They are not stored
	// with series but added to what remote read answers, and shown by status/config.
	ExternalLabels map[string]string
	Flags          map[string]string // shown by status/flags, beside those that Thanos asks for
	Version        string            // of this server; shown as the revision in status/buildinfo
	Started        time.Time         // of the process, for status/runtimeinfo
	Retention      time.Duration     // 0: points are kept for ever; for status/runtimeinfo
	Limits         Limits
	// OnError, if set, is told when a query finds the storage failing or damaged, for who
	// watches its state: Prometheus' handlers answer such errors by themselves.
	OnError func(error)
}

// API answers the Prometheus HTTP API. It is safe for concurrent use.
type API struct {
	config Config
	parser parser.Parser
	engine *queryEngine
	routes http.Handler // those of Prometheus
}

// New returns the API of a database, which must outlive it.
func New(c Config) (*API, error) {
	if c.DB == nil {
		return nil, errors.New("prometheus api: no database")
	}
	c.Limits = c.Limits.withDefaults()
	c.Logger = quiet(c.Logger)
	a := &API{config: c, parser: parser.NewParser(parser.Options{})}
	a.engine = newEngine(&a.config, a.parser)
	a.routes = newPrometheusAPI(&a.config, a.engine, newQueryable(c.DB, c.Limits, a.failed), a.parser)
	return a, nil
}

// failed notes an error of the storage.
func (a *API) failed(err error) {
	a.config.Logger.Error("query failed in the storage", "err", err)
	if a.config.OnError != nil {
		a.config.OnError(err)
	}
}

// Close releases what the engine holds. No request may be under way.
func (a *API) Close() error { return a.engine.Close() }

// flags returns what status/flags shows. Thanos compares the two lengths of blocks, and
// takes servers where they differ for ones that compact what it uploads.
func (c *Config) flags() map[string]string {
	flags := map[string]string{
		"storage.tsdb.min-block-duration": "2h",
		"storage.tsdb.max-block-duration": "2h",
		"query.lookback-delta":            c.Limits.Lookback.String(),
		"query.timeout":                   c.Limits.Timeout.String(),
	}
	maps.Copy(flags, c.Flags)
	return flags
}

// registerer returns where metrics go that nobody may have asked for.
func (c *Config) registerer() prometheus.Registerer {
	if c.Registerer == nil {
		return prometheus.NewRegistry()
	}
	return c.Registerer
}

func (*Config) goVersion() string { return runtime.Version() }

func (c *Config) runtimeInfo() (v1.RuntimeInfo, error) {
	retention := "0s"
	if c.Retention > 0 {
		retention = c.Retention.String()
	}
	host, err := os.Hostname()
	if err != nil {
		host = ""
	}
	return v1.RuntimeInfo{
		StartTime: c.Started, LastConfigTime: c.Started, ServerTime: time.Now().UTC(),
		CWD: c.DataDir, Hostname: host, ReloadConfigSuccess: true,
		GoroutineCount: runtime.NumGoroutine(), GOMAXPROCS: runtime.GOMAXPROCS(0),
		GOGC: os.Getenv("GOGC"), GODEBUG: os.Getenv("GODEBUG"),
		StorageRetention: retention,
	}, nil
}
