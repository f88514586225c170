package prom

import (
	"context"
	"fmt"
	"net/http"

	"github.com/sydradb/sydradb/server/internal/auth"
	"github.com/sydradb/sydradb/server/internal/web"
)

// Routes returns the routes of the API.
func (a *API) Routes() []web.Route {
	query := a.limited(a.routes)
	read := func(pattern, name string, slot web.Slot, h http.Handler) web.Route {
		return web.Route{Pattern: pattern, Name: name, Scope: auth.Read, Slot: slot, Style: web.Prometheus, Handler: h}
	}
	routes := []web.Route{
		read("GET /api/v1/label/{name}/values", "label_values", web.QuerySlot, query),
		read("POST /api/v1/read", "remote_read", web.QuerySlot, a.limited(a.readHandler(a.routes))),
		read("GET /api/v1/metadata", "metadata", web.NoSlot, http.HandlerFunc(a.serveMetadata)),
	}
	for _, name := range []string{"query", "query_range", "query_exemplars", "format_query", "parse_query", "series", "labels"} {
		for _, method := range []string{"GET", "POST"} {
			routes = append(routes, read(method+" /api/v1/"+name, name, web.QuerySlot, query))
		}
	}
	for _, name := range []string{"targets", "rules", "alerts", "alertmanagers"} {
		routes = append(routes, read("GET /api/v1/"+name, name, web.NoSlot, query))
	}
	for _, name := range []string{"config", "buildinfo", "runtimeinfo", "flags", "tsdb", "walreplay"} {
		slot := web.NoSlot
		if name == "tsdb" { // goes through all values of all labels
			slot = web.QuerySlot
		}
		routes = append(routes, read("GET /api/v1/status/"+name, "status_"+name, slot, a.routes))
	}
	for name, h := range map[string]http.HandlerFunc{
		"delete_series": a.deleteSeries, "snapshot": a.snapshot, "clean_tombstones": a.cleanTombstones,
	} {
		for _, method := range []string{"POST", "PUT"} {
			routes = append(routes, web.Route{
				Pattern: method + " /api/v1/admin/tsdb/" + name, Name: name,
				Scope: auth.Admin, Style: web.Prometheus, Handler: h,
			})
		}
	}
	return routes
}

// limited holds requests to the limits of a query: the length of its text, the time it
// takes, and what it reads.
func (a *API) limited(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := a.checkTexts(r); err != nil {
			web.Fail(w, r, err)
			return
		}
		ctx, cancel := context.WithTimeout(withBudget(r.Context(), newBudget(a.config.Limits, a.failed)), a.config.Limits.Timeout)
		defer cancel()
		h.ServeHTTP(w, r.WithContext(ctx))
	})
}

// checkTexts refuses queries and selectors that are too long, and questions about versions
// of the data.
func (a *API) checkTexts(r *http.Request) error {
	if err := r.ParseForm(); err != nil {
		return &web.Error{Status: http.StatusBadRequest, Code: web.CodeBadRequest, Message: "the form cannot be read: " + err.Error(), Err: err}
	}
	if r.Form.Has("at") {
		return badRequest("at: versions of the data are not there yet; queries answer for the data as they are now")
	}
	for _, key := range []string{"query", "match[]"} {
		total := 0
		for _, text := range r.Form[key] {
			total += len(text)
		}
		if most := a.config.Limits.TextBytes; total > most {
			return &web.Error{
				Status: http.StatusUnprocessableEntity, Code: web.CodeQueryLimit,
				Message: fmt.Sprintf("%s has %d bytes, more than %d", key, total, most),
			}
		}
	}
	return nil
}

func badRequest(format string, args ...any) error {
	return &web.Error{Status: http.StatusBadRequest, Code: web.CodeBadRequest, Message: fmt.Sprintf(format, args...)}
}

// respond answers in the form of Prometheus' API.
func respond(w http.ResponseWriter, data any) {
	web.WriteJSON(w, http.StatusOK, struct {
		Status string `json:"status"`
		Data   any    `json:"data"`
	}{"success", data})
}
