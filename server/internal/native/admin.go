package native

import (
	"net/http"

	"github.com/sydradb/sydradb/server/internal/upkeep"
	"github.com/sydradb/sydradb/server/internal/web"
)

// How much of what there is much of is shown.
const (
	usualTop = 20
	maxTop   = 10_000 // what 0 stands for, too
)

// stats answers counters and sizes or, with top=tags or top=names, a list of what has the
// most series.
func (a *api) stats(w http.ResponseWriter, r *http.Request) error {
	p, err := readParams(w, r, "top", "limit")
	if err != nil {
		return err
	}
	limit := usualTop
	if err := parsed(p, "limit", &limit, parseCount); err != nil {
		return err
	}
	if limit == 0 || limit > maxTop {
		limit = maxTop
	}
	switch top, err := p.one("top"); {
	case err != nil:
		return err
	case top == "tags":
		web.WriteJSON(w, http.StatusOK, upkeep.TopTags(a.DB, limit))
	case top == "names":
		web.WriteJSON(w, http.StatusOK, upkeep.TopNames(a.DB, limit))
	case top != "":
		return badRequest("top %.40q: want tags or names", top)
	default:
		web.WriteJSON(w, http.StatusOK, a.DB.Stats())
	}
	return nil
}

// answer answers v, unless there is an error, which it returns.
func answer(w http.ResponseWriter, v any, err error) error {
	if err == nil {
		web.WriteJSON(w, http.StatusOK, v)
	}
	return err
}

func (a *api) flush(w http.ResponseWriter, r *http.Request) error {
	done, err := upkeep.Flush(r.Context(), a.DB)
	return answer(w, done, err)
}

func (a *api) compact(w http.ResponseWriter, r *http.Request) error {
	done, err := upkeep.Compact(r.Context(), a.DB)
	return answer(w, done, err)
}

// retain lets points expire by the rules of the server; now=1 believes its clock.
func (a *api) retain(w http.ResponseWriter, r *http.Request) error {
	p, err := readParams(w, r, "now")
	force := false
	if err == nil {
		err = parsed(p, "now", &force, parseBool)
	}
	if err != nil {
		return err
	}
	before := upkeep.Horizons(a.DB, a.Rules)
	done, err := upkeep.Retain(r.Context(), a.DB, a.Rules, before, a.Now(), force)
	return answer(w, done, err)
}

// delete deletes the points from start to end, which must both be given, of the series
// of a selector.
func (a *api) delete(w http.ResponseWriter, r *http.Request) error {
	p, err := readParams(w, r, "selector", "any", "series_id", "start", "end")
	if err != nil {
		return err
	}
	sel, err := p.selector()
	if err != nil {
		return err
	}
	start, end, err := p.times()
	if err == nil && !(p.has("start") && p.has("end")) {
		err = badRequest("delete needs start and end, both inclusive")
	}
	if err != nil {
		return err
	}
	var done struct {
		Series int `json:"series"`
	}
	done.Series, err = a.DB.Delete(r.Context(), sel, start, end)
	return answer(w, done, err)
}

// snapshot makes a snapshot below the data directory, whose name it answers.
func (a *api) snapshot(w http.ResponseWriter, r *http.Request) error {
	if a.DataDir == "" {
		return badRequest("this database has no directory, and so no snapshots")
	}
	var done struct {
		Name string `json:"name"`
	}
	var err error
	done.Name, err = upkeep.Snapshot(r.Context(), a.DB, a.DataDir, a.Now())
	return answer(w, done, err)
}
