package node

import (
	"net/http"

	"github.com/sydradb/sydradb/server/internal/auth"
	"github.com/sydradb/sydradb/server/internal/web"
)

// Routes returns the routes that say how the server is. They need no token: a load
// balancer or a supervisor has none.
func (n *Node) Routes() []web.Route {
	alive := http.HandlerFunc(health)
	ready := http.HandlerFunc(n.ready)
	return []web.Route{
		{Pattern: "GET /health", Name: "health", Scope: auth.Open, Handler: alive},
		{Pattern: "GET /-/healthy", Name: "health", Scope: auth.Open, Handler: alive},
		{Pattern: "GET /ready", Name: "ready", Scope: auth.Open, Handler: ready},
		{Pattern: "GET /-/ready", Name: "ready", Scope: auth.Open, Handler: ready},
	}
}

// healthy is what clients of InfluxDB want to read.
type healthy struct {
	Name    string   `json:"name"`
	Message string   `json:"message"`
	Status  string   `json:"status"`
	Checks  []string `json:"checks"`
}

// health answers that the process lives, whatever its database does.
func health(w http.ResponseWriter, _ *http.Request) {
	web.WriteJSON(w, http.StatusOK, healthy{"influxdb", "ready for queries and writes", "pass", []string{}})
}

// ready answers 200 if all requests are served, and else 503 with the reason.
func (n *Node) ready(w http.ResponseWriter, _ *http.Request) {
	status := n.Status()
	code := http.StatusOK
	if status.State != OK {
		code = http.StatusServiceUnavailable
		w.Header().Set("Retry-After", "1")
	}
	web.WriteJSON(w, code, status)
}
