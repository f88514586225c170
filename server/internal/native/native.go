package native

import (
	"cmp"
	"net/http"
	"time"

	"github.com/sydradb/sydradb"
	"github.com/sydradb/sydradb/server/internal/auth"
	"github.com/sydradb/sydradb/server/internal/upkeep"
	"github.com/sydradb/sydradb/server/internal/web"
)

// Config is what the API is made of. Only DB is required.
type Config struct {
	DB      *sydradb.DB
	DataDir string           // of DB; empty if it has none: snapshots are then refused
	Rules   upkeep.Rules     // that DB was opened with
	Limits  Limits           // of queries
	Now     func() time.Time // default time.Now
}

// Limits bound what one query may take. The zero value of each field means its default.
type Limits struct {
	// Timeout is for the work of the server, default 30s. Waiting for the client to take
	// what is sent does not count, but all in all a query ends after twenty times as long.
	Timeout time.Duration
	Series  int // that a query selects, default 100,000
	Points  int // that a query answers, default 50 million
	// Windows of time that an aggregation has, empty ones included: memory for them is taken
	// for each series that is being read. Default 1 million.
	Windows int
}

const totalTimeouts = 20

func (l Limits) withDefaults() Limits {
	return Limits{
		Timeout: cmp.Or(l.Timeout, 30*time.Second),
		Series:  cmp.Or(l.Series, 100_000),
		Points:  cmp.Or(l.Points, 50_000_000),
		Windows: cmp.Or(l.Windows, 1_000_000),
	}
}

// api serves the routes.
type api struct{ Config }

// handler answers a request, or returns the error to be answered. What has begun to stream
// ends by itself.
type handler func(w http.ResponseWriter, r *http.Request) error

// ServeHTTP implements http.Handler.
func (h handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := h(w, r); err != nil {
		web.Fail(w, r, err)
	}
}

// Routes returns the routes of the API.
func Routes(c Config) []web.Route {
	c.Limits = c.Limits.withDefaults()
	if c.Now == nil {
		c.Now = time.Now
	}
	a := &api{c}
	var routes []web.Route
	query := func(name string, h handler) {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			routes = append(routes, web.Route{
				Pattern: method + " /api/v1/query/" + name, Name: "native_" + name,
				Scope: auth.Read, Slot: web.QuerySlot, Handler: h,
			})
		}
	}
	query("range", a.queryRange)
	query("find", a.find)
	query("select", a.selectPoints)
	query("series", a.selectSeries)
	routes = append(routes, web.Route{
		Pattern: "GET /api/v1/stats", Name: "native_stats", Scope: auth.Read, Handler: handler(a.stats),
	})
	for name, h := range map[string]handler{
		"flush": a.flush, "compact": a.compact, "retain": a.retain, "delete": a.delete, "snapshot": a.snapshot,
	} {
		routes = append(routes, web.Route{
			Pattern: "POST /api/v1/admin/" + name, Name: "native_" + name, Scope: auth.Admin, Handler: h,
		})
	}
	return routes
}
