package influx

import (
	"net/http"

	"github.com/sydradb/sydradb/server/internal/auth"
	"github.com/sydradb/sydradb/server/internal/intake"
	"github.com/sydradb/sydradb/server/internal/lineproto"
	"github.com/sydradb/sydradb/server/internal/web"
)

// version is what the server says it is. Clients take from it what they may send.
const version = "1.8.0"

// Routes returns the endpoints, which store by in. tableBytes bounds the memory for known
// series, about, in bytes; 0 stands for lineproto.DefaultBytes.
func Routes(in *intake.Intake, tableBytes int64) []web.Route {
	table := lineproto.NewTable(0, tableBytes)
	v1, v2 := newWriter(in, table, precisionsV1), newWriter(in, table, precisionsV2)
	var routes []web.Route
	add := func(method, path, name string, scope auth.Scope, slot web.Slot, h http.Handler) {
		for _, prefix := range []string{"", "/influx"} {
			routes = append(routes, web.Route{
				Pattern: method + " " + prefix + path, Name: name, Scope: scope, Slot: slot, Style: web.Influx, Handler: h,
			})
		}
	}
	add("POST", "/write", "influx_write", auth.Write, web.IngestSlot, v1)
	add("POST", "/api/v2/write", "influx_write", auth.Write, web.IngestSlot, v2)
	add("GET", "/ping", "influx_ping", auth.Open, web.NoSlot, http.HandlerFunc(ping))
	add("GET", "/query", "influx_query", auth.Write, web.NoSlot, http.HandlerFunc(query))
	add("POST", "/query", "influx_query", auth.Write, web.NoSlot, http.HandlerFunc(query))
	return routes
}

// ping answers GET and HEAD: there is a server, and it is one of these.
func ping(w http.ResponseWriter, r *http.Request) {
	introduce(w)
	if verbose := r.URL.Query().Get("verbose"); verbose != "" && verbose != "0" && verbose != "false" {
		web.WriteJSON(w, http.StatusOK, map[string]string{"version": version})
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// introduce sets the headers that clients look at.
func introduce(w http.ResponseWriter) {
	h := w.Header()
	h.Set("X-Influxdb-Version", version)
	h.Set("X-Influxdb-Build", "SydraDB")
}
