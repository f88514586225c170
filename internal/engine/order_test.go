package engine

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/fsys"
)

// compareSeries is the order of results, said plainly: by name and tags, then by id for
// series that have neither.
func compareSeries(a, b *Series) int {
	return cmp.Or(
		strings.Compare(a.Name(), b.Name()),
		slices.CompareFunc(a.Tags(), b.Tags(), func(x, y base.Tag) int {
			return cmp.Or(strings.Compare(x.Key, y.Key), strings.Compare(x.Value, y.Value))
		}),
		cmp.Compare(a.ID(), b.ID()),
	)
}

// TestResultsAreInOrder finds series whose names and tags begin alike, some known by their
// id only: few of them, which are compared by their texts, and all, which are ranked.
func TestResultsAreInOrder(t *testing.T) {
	e, err := Open(fsys.NewMem(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	values := []string{"", "a", "b", "aa", "10", "9", "é"}
	var rows []base.Row
	for i := range 7 * 7 * 7 {
		tags := []base.Tag{{Key: "x", Value: values[i%7]}, {Key: "xy", Value: values[i/7%7]}, {Key: "b", Value: values[i/49]}}
		s, err := e.Resolve([]string{"m", "metric", "series:5", "a"}[i%4], tags)
		if i%10 == 0 {
			s, err = e.ResolveID(base.SeriesID(i), tags[:i%3])
		}
		if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, base.Row{TS: 1, Ordinal: s.Ordinal()})
	}
	if _, err := e.Write(t.Context(), rows, nil); err != nil {
		t.Fatal(err)
	}
	pairs := int(e.reg.now().dict.Len())
	for selector, ranked := range map[string]bool{`{}`: true, `{x="a",xy="9"}`: false, `{b="b"}`: true, `{b="b",x="b"}`: false} {
		found, err := e.Find(t.Context(), Selector{Matchers: matchers(t, selector)}, base.MinTime, base.MaxTime)
		if err != nil {
			t.Fatal(err)
		}
		tags := 0
		for _, s := range found {
			tags += len(s.Tags())
		}
		if len(found) < 2 || ranked != (tags > pairs) {
			t.Errorf("%s finds %d series with %d tags; there are %d pairs", selector, len(found), tags, pairs)
		}
		if !slices.IsSortedFunc(found, compareSeries) {
			t.Errorf("%s: out of order: %s", selector, describeAll(found))
		}
	}
}

func describeAll(series []*Series) string {
	var out []string
	for _, s := range series {
		out = append(out, fmt.Sprint(s.Name(), s.Tags()))
	}
	return strings.Join(out, "\n")
}
