package native

import (
	"net/http"

	"github.com/sydradb/sydradb/server/internal/upkeep"
	"github.com/sydradb/sydradb/server/internal/web"
)

// maxTop is how much of what there is much of is shown by default.
const maxTop = 20

// stats answers counters and sizes or, with top=tags or top=names, a list of what has the
// most series.
func (a *api) stats(w http.ResponseWriter, r *http.Request) {
	p, err := readParams(w, r, "top", "limit")
	if err != nil {
		web.Fail(w, r, err)
		return
	}
	limit := maxTop
	if err := parsed(p, "limit", &limit, parseCount); err != nil {
		web.Fail(w, r, err)
		return
	}
	switch top, err := p.one("top"); {
	case err != nil:
		web.Fail(w, r, err)
	case top == "tags":
		web.WriteJSON(w, http.StatusOK, upkeep.TopTags(a.DB, limit))
	case top == "names":
		web.WriteJSON(w, http.StatusOK, upkeep.TopNames(a.DB, limit))
	case top != "":
		web.Fail(w, r, badRequest("top %.40q: want tags or names", top))
	default:
		web.WriteJSON(w, http.StatusOK, a.DB.Stats())
	}
}

// answer answers v, or the error.
func answer(w http.ResponseWriter, r *http.Request, v any, err error) {
	if err != nil {
		web.Fail(w, r, err)
		return
	}
	web.WriteJSON(w, http.StatusOK, v)
}

func (a *api) flush(w http.ResponseWriter, r *http.Request) {
	done, err := upkeep.Flush(r.Context(), a.DB)
	answer(w, r, done, err)
}

func (a *api) compact(w http.ResponseWriter, r *http.Request) {
	done, err := upkeep.Compact(r.Context(), a.DB)
	answer(w, r, done, err)
}

// retain lets points expire by the rules of the server; now=1 believes its clock.
func (a *api) retain(w http.ResponseWriter, r *http.Request) {
	p, err := readParams(w, r, "now")
	force := false
	if err == nil {
		err = parsed(p, "now", &force, parseBool)
	}
	if err != nil {
		web.Fail(w, r, err)
		return
	}
	before := upkeep.Horizons(a.DB, a.Rules)
	done, err := upkeep.Retain(r.Context(), a.DB, a.Rules, before, a.Now(), force)
	answer(w, r, done, err)
}

// delete deletes the points from start to end, which must both be given, of the series
// of a selector.
func (a *api) delete(w http.ResponseWriter, r *http.Request) {
	p, err := readParams(w, r, "selector", "any", "series_id", "start", "end")
	if err != nil {
		web.Fail(w, r, err)
		return
	}
	sel, err := p.selector()
	if err != nil {
		web.Fail(w, r, err)
		return
	}
	start, end, err := p.times()
	if err == nil && !(p.has("start") && p.has("end")) {
		err = badRequest("delete needs start and end, both inclusive")
	}
	if err != nil {
		web.Fail(w, r, err)
		return
	}
	var done struct {
		Series int `json:"series"`
	}
	done.Series, err = a.DB.Delete(r.Context(), sel, start, end)
	answer(w, r, done, err)
}

// snapshot makes a snapshot below the data directory, whose name it answers.
func (a *api) snapshot(w http.ResponseWriter, r *http.Request) {
	if a.DataDir == "" {
		web.Fail(w, r, badRequest("this database has no directory, and so no snapshots"))
		return
	}
	var done struct {
		Name string `json:"name"`
	}
	var err error
	done.Name, err = upkeep.Snapshot(r.Context(), a.DB, a.DataDir, a.Now())
	answer(w, r, done, err)
}
