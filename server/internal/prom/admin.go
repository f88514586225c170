package prom

import (
	"context"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/sydradb/sydradb"
	"github.com/sydradb/sydradb/server/internal/upkeep"
	"github.com/sydradb/sydradb/server/internal/web"
)

// deleteSeries hides the points of the series that match[] selects, from start to end.
func (a *API) deleteSeries(w http.ResponseWriter, r *http.Request) {
	selectors, start, end, err := a.deletion(r)
	if err != nil {
		web.Fail(w, r, err)
		return
	}
	for _, sel := range selectors {
		if _, err := a.config.DB.Delete(r.Context(), sel, start, end); err != nil {
			web.Fail(w, r, err)
			return
		}
	}
	w.WriteHeader(http.StatusNoContent)
}

// deletion reads what a request wants deleted. All of it is checked before anything is.
func (a *API) deletion(r *http.Request) (selectors []sydradb.Selector, start, end int64, err error) {
	if err := a.checkTexts(r); err != nil {
		return nil, 0, 0, err
	}
	if len(r.Form["match[]"]) == 0 {
		return nil, 0, 0, badRequest("no match[] parameter provided")
	}
	for _, text := range r.Form["match[]"] {
		matchers, err := a.parser.ParseMetricSelector(text)
		if err != nil {
			return nil, 0, 0, badRequest("invalid parameter \"match[]\": %v", err)
		}
		if matchesAll(matchers) {
			return nil, 0, 0, badRequest("match[] must contain at least one non-empty matcher")
		}
		sel, found, err := a.selectorOnly(r.Context(), matchers)
		if err != nil {
			return nil, 0, 0, err
		}
		if found {
			selectors = append(selectors, sel)
		}
	}
	if start, err = timeOf(r, "start", sydradb.MinTime, startNS); err != nil {
		return nil, 0, 0, err
	}
	if end, err = timeOf(r, "end", sydradb.MaxTime, endNS); err != nil {
		return nil, 0, 0, err
	}
	if end < start {
		return nil, 0, 0, badRequest("end timestamp must not be before start time")
	}
	return selectors, start, end, nil
}

// matchesAll reports whether matchers are fulfilled by a series without labels, so that they
// select more than anybody may have meant.
func matchesAll(matchers []*labels.Matcher) bool { return fulfils(labels.EmptyLabels(), matchers) }

// selectorOnly returns the selector of what fulfils all of matchers and of nothing else; found
// is false if that is known to be nothing.
func (a *API) selectorOnly(ctx context.Context, matchers []*labels.Matcher) (sel sydradb.Selector, found bool, err error) {
	sel, certain, err := selector(matchers)
	if err != nil {
		return sel, false, badRequest("invalid parameter \"match[]\": %v", err)
	}
	if certain {
		return sel, true, nil
	}
	all, err := a.config.DB.Find(ctx, sel, sydradb.MinTime, sydradb.MaxTime)
	if err != nil {
		return sel, false, err
	}
	sel = sydradb.Selector{}
	b := labels.NewScratchBuilder(16)
	for _, s := range all {
		if fulfils(labelsOf(&b, s), matchers) {
			sel.IDs = append(sel.IDs, s.ID())
		}
	}
	return sel, len(sel.IDs) > 0, nil // without ids it would select everything
}

// timeOf returns a time of the request, Unix seconds or RFC 3339, in nanoseconds: edge of its
// millisecond, since that is as exactly as times are shown.
func timeOf(r *http.Request, key string, missing int64, edge func(millis) int64) (int64, error) {
	text := r.Form.Get(key)
	if text == "" {
		return missing, nil
	}
	if seconds, err := strconv.ParseFloat(text, 64); err == nil && !math.IsNaN(seconds) {
		// As Prometheus does: beyond milliseconds a float has only noise.
		return edge(int64(math.Round(max(-1e15, min(1e15, seconds)) * 1000))), nil
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return 0, badRequest("invalid parameter %q: cannot parse %q to a valid timestamp", key, text)
	}
	return edge(t.UnixMilli()), nil
}

// snapshot writes a copy of the database below its directory.
func (a *API) snapshot(w http.ResponseWriter, r *http.Request) {
	if a.config.DataDir == "" {
		web.Fail(w, r, badRequest("the database is in memory only, so there is nowhere to write a snapshot"))
		return
	}
	name, err := upkeep.Snapshot(r.Context(), a.config.DB, a.config.DataDir, time.Now())
	if err != nil {
		web.Fail(w, r, err)
		return
	}
	respond(w, map[string]string{"name": name})
}

// cleanTombstones takes deleted points from the disk.
func (a *API) cleanTombstones(w http.ResponseWriter, r *http.Request) {
	if err := a.config.DB.Compact(r.Context()); err != nil {
		web.Fail(w, r, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}
