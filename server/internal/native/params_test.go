package native

import (
	"errors"
	"net/http"
	"testing"

	"github.com/sydradb/sydradb"
	"github.com/sydradb/sydradb/server/internal/web"
)

// FuzzParams gives hostile parameters to the parser of query/range and query/select: it
// must answer a query that makes sense, or 400.
func FuzzParams(f *testing.F) {
	for _, seed := range []struct{ query, body string }{
		{"series_id=18117565319915605411&start=1694300000&end=1694300060.5", ""},
		{"", `{"series":"room.temp","tags":{"room":"hall"},"start":"2023-09-09T22:53:20Z","step":"5m","agg":"avg"}`},
		{"series=a&tags=%7B%22a%22:%22b%22%7D&limit=5", "step=60&agg=rate"},
		{"selector=%7Ba%3D~%22b.*%22%7D&any=1&by=host&by=", "window=1h&step=1m"},
		{"", `{"series":["a","b"],"x":{"y":[null,true,1e5]}}`},
		{"start=-4611686018.427387904&end=4611686018.427387904", "%7b"},
	} {
		f.Add(seed.query, []byte(seed.body))
	}
	f.Fuzz(func(t *testing.T, query string, body []byte) {
		refused := func(err error) bool {
			var e *web.Error
			if err != nil && (!errors.As(err, &e) || e.Status != http.StatusBadRequest || e.Message == "") {
				t.Fatalf("an error that is not 400: %v", err)
			}
			return err != nil
		}
		if p, err := parseParams(query, body, rangeParams); !refused(err) {
			if q, err := p.rangeQuery(); !refused(err) {
				checkPoints(t, &q.pointsQuery)
				if !q.byID && q.name == (sydradb.Matcher{}) {
					t.Error("no series")
				}
			}
		}
		if p, err := parseParams(query, body, selectParams); !refused(err) {
			if sel, err := p.selector(); !refused(err) && len(sel.IDs) > 0 && len(sel.Matchers) > 0 {
				t.Error("ids and matchers")
			}
			if q, err := p.points(); !refused(err) {
				checkPoints(t, &q)
			}
		}
	})
}

func checkPoints(t *testing.T, q *pointsQuery) {
	if q.start > q.end || q.start < sydradb.MinTime || q.end > sydradb.MaxTime || q.limit < 0 {
		t.Errorf("from %d to %d, limit %d", q.start, q.end, q.limit)
	}
	if q.aggregates && (len(q.agg.Functions) != 1 || q.agg.Step < 0 || q.agg.Range < 0 || q.agg.Range > 0 && q.agg.Step == 0) {
		t.Errorf("%+v", q.agg)
	}
}
