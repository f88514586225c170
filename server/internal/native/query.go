package native

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"

	"github.com/sydradb/sydradb"
	"github.com/sydradb/sydradb/server/internal/literal"
	"github.com/sydradb/sydradb/server/internal/render"
)

const (
	jsonType   = "application/json"
	ndjsonType = "application/x-ndjson"
)

// pointsQuery is which points of the series are asked for, or what is made of them.
type pointsQuery struct {
	start, end int64
	limit      int // 0: all
	agg        sydradb.Aggregation
	aggregates bool
}

var pointsParams = []string{"start", "end", "limit", "agg", "step"}

func (p params) points() (q pointsQuery, err error) {
	if q.start, q.end, err = p.times(); err != nil {
		return q, err
	}
	if err := parsed(p, "limit", &q.limit, parseCount); err != nil {
		return q, err
	}
	q.agg, q.aggregates, err = p.aggregation()
	return q, err
}

// rangeQuery asks for one series: by its id, or by its name and tags.
type rangeQuery struct {
	pointsQuery
	byID bool
	id   sydradb.SeriesID
	name sydradb.Matcher
	tags []sydradb.Matcher
}

var rangeParams = append([]string{"series_id", "series", "tags", "at"}, pointsParams...)

func (p params) rangeQuery() (q rangeQuery, err error) {
	if p.has("at") {
		return q, badRequest("at: this version of the server keeps no versions of the data yet; leave it out")
	}
	if q.pointsQuery, err = p.points(); err != nil {
		return q, err
	}
	if q.byID = p.has("series_id"); q.byID {
		if p.has("series") || p.has("tags") {
			return q, badRequest("series_id goes without series and tags")
		}
		return q, parsed(p, "series_id", &q.id, parseSeriesID)
	}
	name, err := p.one("series")
	if err != nil {
		return q, err
	}
	if name == "" {
		return q, badRequest("series or series_id is missing")
	}
	if q.name, err = sydradb.NewMatcher("__name__", sydradb.MatchEqual, name); err != nil {
		return q, badRequest("series: %v", err)
	}
	// A tag without a value is none, as everywhere.
	return q, parsed(p, "tags", &q.tags, func(text string) ([]sydradb.Matcher, error) {
		tags, err := parseTags(text)
		if err != nil {
			return nil, err
		}
		return conditionsOf(slices.DeleteFunc(tags, func(t sydradb.Tag) bool { return t.Value == "" }))
	})
}

// queryRange answers points or windows of one series:
// [{"ts":1694300000,"value":21.5},...].
func (a *api) queryRange(w http.ResponseWriter, r *http.Request) error {
	p, err := readParams(w, r, rangeParams...)
	if err != nil {
		return err
	}
	q, err := p.rangeQuery()
	if err != nil {
		return err
	}
	s := a.newStream(w, r, jsonType)
	defer s.close()
	s.end(a.streamRange(s, &q))
	return nil
}

func (a *api) streamRange(s *stream, q *rangeQuery) error {
	id, found, err := a.resolve(s.ctx, q)
	if err != nil {
		return err
	}
	s.buf = append(s.buf, '[')
	if found {
		first := true
		err = a.read(s.ctx, sydradb.Selector{IDs: []sydradb.SeriesID{id}}, &q.pointsQuery, func(b render.Block) error {
			for i, ts := range b.Times {
				if !first {
					s.buf = append(s.buf, ',')
				}
				first = false
				s.buf = literal.AppendTime(append(s.buf, `{"ts":`...), ts)
				s.buf = literal.AppendJSONValue(append(s.buf, `,"value":`...), b.Values[i])
				s.buf = append(s.buf, '}')
				if err := s.flush(streamBytes); err != nil {
					return err
				}
			}
			return nil
		})
	}
	s.buf = append(s.buf, "]\n"...)
	return err
}

// resolve returns the id of the series that q names: the one with exactly these tags or,
// without it, the only one that has them among others.
func (a *api) resolve(ctx context.Context, q *rangeQuery) (id sydradb.SeriesID, found bool, err error) {
	if q.byID {
		return q.id, true, nil
	}
	sel := sydradb.Selector{Matchers: append([]sydradb.Matcher{q.name}, q.tags...)}
	all, err := a.search(ctx, sel, sydradb.MinTime, sydradb.MaxTime)
	if err != nil || len(all) == 0 {
		return 0, false, err
	}
	for _, s := range all {
		if len(s.Tags()) == len(q.tags) {
			return s.ID(), true, nil
		}
	}
	if len(all) > 1 {
		return 0, false, badRequest("%d series match, such as %s and %s; name one by its tags or series_id, or use /api/v1/query/select",
			len(all), all[0], all[1])
	}
	return all[0].ID(), true, nil
}

// find answers the ids of the series that have all of some tags, or any of them.
func (a *api) find(w http.ResponseWriter, r *http.Request) error {
	p, err := readParams(w, r, "tags", "op")
	if err != nil {
		return err
	}
	var sel sydradb.Selector
	if err = parsed(p, "tags", &sel.Matchers, parseConditions); err == nil {
		err = parsed(p, "op", &sel.Any, parseOperator)
	}
	if err == nil && len(sel.Matchers) == 0 {
		err = badRequest(`tags is missing: want a JSON object of strings, such as {"room":"hall"}`)
	}
	if err != nil {
		return err
	}
	s := a.newStream(w, r, jsonType)
	defer s.close()
	found, err := a.search(s.ctx, sel, sydradb.MinTime, sydradb.MaxTime)
	s.buf = append(s.buf, '[')
	for i, series := range found {
		if i > 0 {
			s.buf = append(s.buf, ',')
		}
		s.buf = strconv.AppendUint(s.buf, uint64(series.ID()), 10)
	}
	s.buf = append(s.buf, "]\n"...)
	s.end(err)
	return nil
}

// parseOperator reports whether one of the tags is enough.
func parseOperator(text string) (any bool, err error) {
	switch text {
	case "and":
		return false, nil
	case "or":
		return true, nil
	}
	return false, fmt.Errorf("want and, or or")
}

// search finds series within the limit, for which all count that match, with points or
// without: it is known before anything is done for each of them.
func (a *api) search(ctx context.Context, sel sydradb.Selector, start, end int64) ([]*sydradb.Series, error) {
	matching, err := a.DB.Select(ctx, sydradb.Query{Selector: sel, MaxSeries: a.Limits.Series})
	if err != nil {
		return nil, err
	}
	matching.Close()
	return a.DB.Find(ctx, sel, start, end)
}

var selectParams = append([]string{"selector", "any", "series_id", "window", "by"}, pointsParams...)

// selectPoints answers points or windows of a selector, a line for each block:
// {"series_id":7,"series":"room.temp","tags":{},"points":[[1694300000,21.5],...]}.
func (a *api) selectPoints(w http.ResponseWriter, r *http.Request) error {
	p, err := readParams(w, r, selectParams...)
	if err != nil {
		return err
	}
	sel, err := p.selector()
	if err != nil {
		return err
	}
	q, err := p.points()
	if err != nil {
		return err
	}
	s := a.newStream(w, r, ndjsonType)
	defer s.close()
	s.lines = true
	var (
		last render.Series
		head []byte
	)
	s.end(a.read(s.ctx, sel, &q, func(b render.Block) error {
		if b.Series != last {
			last = b.Series
			head = render.AppendSeries(head[:0], b.Series)
			head = append(head[:len(head)-1], `,"points":[`...)
		}
		s.buf = append(s.buf, head...)
		for i, ts := range b.Times {
			if i > 0 {
				s.buf = append(s.buf, ',')
			}
			s.buf = literal.AppendTime(append(s.buf, '['), ts)
			s.buf = literal.AppendJSONValue(append(s.buf, ','), b.Values[i])
			s.buf = append(s.buf, ']')
		}
		s.buf = append(s.buf, "]}\n"...)
		return s.flush(streamBytes)
	}))
	return nil
}

// selectSeries answers the series of a selector that have points, a line for each.
func (a *api) selectSeries(w http.ResponseWriter, r *http.Request) error {
	p, err := readParams(w, r, "selector", "any", "series_id", "start", "end")
	if err != nil {
		return err
	}
	sel, err := p.selector()
	if err != nil {
		return err
	}
	start, end, err := p.times()
	if err != nil {
		return err
	}
	s := a.newStream(w, r, ndjsonType)
	defer s.close()
	s.lines = true
	found, err := a.search(s.ctx, sel, start, end)
	for _, series := range found {
		s.buf = append(render.AppendSeries(s.buf, series), '\n')
		if err = s.flush(streamBytes); err != nil {
			break
		}
	}
	s.end(err)
	return nil
}
