package prom

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"pgregory.net/rapid"

	"github.com/sydradb/sydradb"
	"github.com/sydradb/sydradb/server/internal/dbtest"
)

// TestMatchersMeanTheSame selects series by matchers drawn at random, and asks Prometheus'
// matchers about each series there is.
func TestMatchersMeanTheSame(t *testing.T) {
	db := dbtest.Open(t, sydradb.Options{})
	values := []string{"", "a", "ab", "abc", "b", "A", "a\nb", "\n", "é", "a.b", "a|b", "ab)", "^a$"}
	batch := db.NewBatch()
	var all []labels.Labels
	for i, x := range values {
		for _, y := range values[:4] {
			s, err := db.Series(fmt.Sprintf("m%d", i%2), sydradb.Tag{Key: "x", Value: x}, sydradb.Tag{Key: "y", Value: y})
			if err != nil {
				t.Fatal(err)
			}
			batch.Add(s, 1, 1)
			all = append(all, labels.FromStrings(model.MetricNameLabel, s.Name(), "x", x, "y", y))
		}
	}
	if err := db.Write(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
	part := rapid.SampledFrom([]string{"a", "b", "ab", ".", ".*", ".+", "a?", "[ab]", "[^a]", "(?i:A)", "^", "$", "|", "(a|ab)", "(?:b)*", "\\.", "\n", "é", "\\|", "(a|)", "a{2}", "(?-s:.)", "(?s:.)", "\\b", "\x85"})
	matcher := rapid.Custom(func(t *rapid.T) *labels.Matcher {
		kind := rapid.SampledFrom([]labels.MatchType{labels.MatchEqual, labels.MatchNotEqual, labels.MatchRegexp, labels.MatchNotRegexp}).Draw(t, "type")
		name := rapid.SampledFrom([]string{"x", "y", "z", model.MetricNameLabel}).Draw(t, "name")
		value := rapid.SampledFrom(append(slices.Clone(values), "m0", "m1")).Draw(t, "value")
		if kind == labels.MatchRegexp || kind == labels.MatchNotRegexp {
			value = ""
			for _, p := range rapid.SliceOfN(part, 0, 4).Draw(t, "parts") {
				value += p
			}
		}
		m, err := labels.NewMatcher(kind, name, value)
		if err != nil {
			t.Skip(err)
		}
		return m
	})
	rapid.Check(t, func(t *rapid.T) {
		matchers := rapid.SliceOfN(matcher, 0, 3).Draw(t, "matchers")
		q := newQueryable(db, Limits{}, nil).querier(0, 10)
		defer q.Close()
		var got, want []string
		set := q.Select(t.Context(), true, nil, matchers...)
		for set.Next() {
			got = append(got, set.At().Labels().String())
		}
		if set.Err() != nil {
			t.Fatal(set.Err())
		}
		for _, lset := range all {
			if fulfils(lset, matchers) {
				want = append(want, lset.WithoutEmpty().String())
			}
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Fatalf("%v: got %q, want %q", matchers, got, want)
		}
	})
}

func TestTimes(t *testing.T) {
	for ms, want := range map[int64]int64{0: 0, 1: 1_000_000, -1: -1_000_000, math.MinInt64: sydradb.MinTime, -9223309901257974000: sydradb.MinTime} {
		if got := startNS(ms); got != want {
			t.Errorf("%d ms begins at %d, want %d", ms, got, want)
		}
	}
	for ms, want := range map[int64]int64{0: 999_999, 1: 1_999_999, -1: -1, math.MaxInt64: sydradb.MaxTime, 9223309901257974000: sydradb.MaxTime} {
		if got := endNS(ms); got != want {
			t.Errorf("%d ms ends at %d, want %d", ms, got, want)
		}
	}
	if startNS(math.MaxInt64) <= sydradb.MaxTime || endNS(math.MinInt64) >= sydradb.MinTime {
		t.Error("a range outside of time is not empty")
	}
	for ns, want := range map[int64]int64{0: 0, 999_999: 0, 1_000_000: 1, -1: -1, -1_000_000: -1, -1_000_001: -2} {
		if got := floorMS(ns); got != want {
			t.Errorf("%d ns: %d ms, want %d", ns, got, want)
		}
	}
}

// TestSortedAsPrometheus has labels that come before __name__, which is not the order of
// the database.
func TestSortedAsPrometheus(t *testing.T) {
	db := dbtest.Open(t, sydradb.Options{})
	for _, s := range []string{`b{Zone="1"}`, `a{Zone="2"}`, `a{zone="1"}`, `a`, `c{A="3"}`} {
		write(t, db, s, 1, 1)
	}
	q := newQueryable(db, Limits{}, nil).querier(0, 10)
	defer q.Close()
	set := q.Select(t.Context(), true, nil)
	var got []labels.Labels
	for set.Next() {
		got = append(got, set.At().Labels())
	}
	if len(got) != 5 || !slices.IsSortedFunc(got, labels.Compare) {
		t.Errorf("order %v", got)
	}
}
