package web

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/sydradb/sydradb/server/internal/auth"
)

// Slot says what a request takes up while it is served.
type Slot uint8

// The slots. A request that stores points waits for its slot; a query that finds none
// free is refused at once with 429.
const (
	NoSlot Slot = iota
	IngestSlot
	QuerySlot
)

// ErrorStyle is how a route answers errors, which is for its clients to say.
type ErrorStyle uint8

// The styles.
const (
	Native     ErrorStyle = iota // {"error":{"code","message","accepted","rejected"}}
	Prometheus                   // {"status":"error","errorType","error"}
	Influx                       // {"error":"message"}; {"code","message"} below /api/v2
)

// Route is an endpoint.
type Route struct {
	Pattern string       // of http.ServeMux: "POST /api/v1/ingest"
	Name    string       // short and constant: the label "handler" of metrics
	Scope   auth.Scope   // what a token must allow
	Slot    Slot         // what a request takes up
	Style   ErrorStyle   // how errors are answered
	Handler http.Handler // gets the request without its token
}

// newMux returns a ServeMux of the routes.
func (s *Server) newMux(groups [][]Route) (mux *http.ServeMux, err error) {
	mux = http.NewServeMux()
	// ServeMux reports patterns that are wrong or in conflict by a panic.
	defer func() {
		if p := recover(); p != nil {
			mux, err = nil, fmt.Errorf("routes: %v", p)
		}
	}()
	for _, routes := range groups {
		for i := range routes {
			route := routes[i]
			if route.Handler == nil || route.Name == "" {
				return nil, errors.New("routes: " + route.Pattern + " has no handler or no name")
			}
			mux.Handle(route.Pattern, s.guarded(&route))
		}
	}
	return mux, nil
}

// styleOf guesses the style of a path that has no route, or none yet.
func styleOf(path string) ErrorStyle {
	influx := strings.TrimPrefix(path, "/influx")
	switch rest, versioned := strings.CutPrefix(path, "/api/v1/"); {
	case influx == "/write", influx == "/query", influx == "/ping", strings.HasPrefix(influx, "/api/v2/"):
		return Influx
	case rest == "ingest", rest == "import", rest == "stats", strings.HasPrefix(rest, "query/"):
		return Native
	case strings.HasPrefix(rest, "admin/") && !strings.HasPrefix(rest, "admin/tsdb/"):
		return Native
	case versioned:
		return Prometheus
	}
	return Native
}
