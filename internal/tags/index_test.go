package tags

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/dict"
)

// testIndex is an index together with the series in it, as a catalog would hold them.
type testIndex struct {
	*Index
	series map[base.Ordinal][]base.Tag // the name among the tags
}

func newTestIndex() testIndex {
	return testIndex{New(dict.New()), map[base.Ordinal][]base.Tag{}}
}

// add puts a series into the index; tags are keys and values in turn.
func (ix testIndex) add(o base.Ordinal, name string, tags ...string) {
	list := []base.Tag{{Key: base.NameKey, Value: name}}
	for i := 0; i+1 < len(tags); i += 2 {
		list = append(list, base.Tag{Key: tags[i], Value: tags[i+1]})
	}
	ix.series[o] = list
	ix.Add(o, ix.dict.InternSeries(nil, name, list[1:]))
}

// brute selects by looking at every series.
func (ix testIndex) brute(ms []Matcher, anyOf bool) []base.Ordinal {
	var found []base.Ordinal
	for o, tags := range ix.series {
		matches := func(m Matcher) bool {
			value := ""
			for _, tag := range tags {
				if tag.Key == m.Key() {
					value = tag.Value
				}
			}
			return m.Matches(value)
		}
		unmatched := func(m Matcher) bool { return !matches(m) }
		if anyOf && slices.ContainsFunc(ms, matches) || !anyOf && !slices.ContainsFunc(ms, unmatched) {
			found = append(found, o)
		}
	}
	slices.Sort(found)
	return found
}

// having selects the series that have at least one of the tags.
func (ix testIndex) having(tags ...base.Tag) []base.Ordinal {
	var ms []Matcher
	for _, tag := range tags {
		ms = append(ms, Matcher{key: tag.Key, value: tag.Value})
	}
	return ix.Prepare(ms, true).Select()
}

func mustMatch(t testing.TB, mt MatchType, key, value string) Matcher {
	t.Helper()
	m, err := NewMatcher(mt, key, value)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestSelect(t *testing.T) {
	ix := newTestIndex()
	ix.add(1, "cpu", "host", "a", "zone", "x")
	ix.add(2, "cpu", "host", "b", "zone", "x")
	ix.add(5, "cpu", "host", "c")
	ix.add(7, "mem", "host", "a", "zone", "y")
	ix.add(9, "mem.free", "host", "ab")
	ix.Add(11, nil) // known by its id only
	for _, c := range []struct {
		selector string
		want     []base.Ordinal
	}{
		{`{}`, []base.Ordinal{1, 2, 5, 7, 9, 11}},
		{`cpu`, []base.Ordinal{1, 2, 5}},
		{`cpu{host="a"}`, []base.Ordinal{1}},
		{`{host="a"}`, []base.Ordinal{1, 7}},
		{`{host="a",zone="y"}`, []base.Ordinal{7}},
		{`{host="a",host="b"}`, nil},
		{`{host="z"}`, nil},
		{`{rack="1"}`, nil},
		{`{host!="a"}`, []base.Ordinal{2, 5, 9, 11}},
		{`{host!="z"}`, []base.Ordinal{1, 2, 5, 7, 9, 11}},
		{`{zone=""}`, []base.Ordinal{5, 9, 11}},
		{`{zone!=""}`, []base.Ordinal{1, 2, 7}},
		{`{rack=""}`, []base.Ordinal{1, 2, 5, 7, 9, 11}},
		{`{rack!=""}`, nil},
		{`{host=~"a"}`, []base.Ordinal{1, 7}},
		{`{host=~"a.*"}`, []base.Ordinal{1, 7, 9}},
		{`{host=~"a.+"}`, []base.Ordinal{9}},
		{`{host=~"a|b|z"}`, []base.Ordinal{1, 2, 7}},
		{`{host=~"[ab]"}`, []base.Ordinal{1, 2, 7}},
		{`{host=~".*"}`, []base.Ordinal{1, 2, 5, 7, 9, 11}},
		{`{host=~".+"}`, []base.Ordinal{1, 2, 5, 7, 9}},
		{`{zone=~"x|"}`, []base.Ordinal{1, 2, 5, 9, 11}},
		{`{zone=~"x?"}`, []base.Ordinal{1, 2, 5, 9, 11}},
		{`{host!~"a.*"}`, []base.Ordinal{2, 5, 11}},
		{`{host!~"a|b"}`, []base.Ordinal{5, 9, 11}},
		{`{zone!~"x|"}`, []base.Ordinal{7}},
		{`{zone!~".+"}`, []base.Ordinal{5, 9, 11}},
		{`{zone!~".*"}`, nil},
		{`{__name__=~"mem.*",zone=""}`, []base.Ordinal{9}},
		{`{__name__!="cpu"}`, []base.Ordinal{7, 9, 11}},
		{`{__name__=""}`, []base.Ordinal{11}},
		{`{host=~"[^a]",zone!="y",__name__=~"(?i)CPU"}`, []base.Ordinal{2, 5}},
	} {
		ms, err := ParseSelector(c.selector)
		if err != nil {
			t.Fatal(err)
		}
		if got := ix.Prepare(ms, false).Select(); !slices.Equal(got, c.want) {
			t.Errorf("%s selects %d, want %d", c.selector, got, c.want)
		}
	}
}

func TestAny(t *testing.T) {
	ix := newTestIndex()
	ix.add(1, "cpu", "host", "a")
	ix.add(2, "mem", "host", "b")
	ix.add(3, "cpu", "host", "c")
	for _, c := range []struct {
		tags []base.Tag
		want []base.Ordinal
	}{
		{[]base.Tag{{Key: "host", Value: "b"}}, []base.Ordinal{2}},
		{[]base.Tag{{Key: "host", Value: "b"}, {Key: "host", Value: "a"}, {Key: "none", Value: "a"}}, []base.Ordinal{1, 2}},
		{[]base.Tag{{Key: "host", Value: "b"}, {Key: base.NameKey, Value: "cpu"}}, []base.Ordinal{1, 2, 3}},
	} {
		if got := ix.having(c.tags...); !slices.Equal(got, c.want) {
			t.Errorf("any of %v: %d, want %d", c.tags, got, c.want)
		}
	}
	if got := ix.Prepare(nil, true).Select(); len(got) != 3 {
		t.Errorf("no conditions select %d", got)
	}
	ms := []Matcher{mustMatch(t, NotEqual, "host", "a"), mustMatch(t, Regexp, base.NameKey, "c.*")}
	if got := ix.Prepare(ms, true).Select(); len(got) != 3 {
		t.Errorf("any of %v: %d", ms, got)
	}
}

// TestPreparedQuerySeesNewSeries adds series, with values new and old, between Prepare
// and Select.
func TestPreparedQuerySeesNewSeries(t *testing.T) {
	ix := newTestIndex()
	var queries []*Query
	conditions := [][]Matcher{
		{mustMatch(t, Equal, "host", "new")},
		{mustMatch(t, NotEqual, "host", "new")},
		{mustMatch(t, Regexp, "host", "n.*")},
		{mustMatch(t, NotRegexp, "host", "n.*")},
		{mustMatch(t, Regexp, "host", "new|old")},
		{mustMatch(t, Equal, "host", "")},
		nil,
	}
	for _, ms := range conditions {
		queries = append(queries, ix.Prepare(ms, false))
	}
	for o, host := range []string{"old", "new", "other", "n2", "new"} {
		ix.add(base.Ordinal(o), "cpu", "host", host)
		for i, q := range queries {
			if got, want := q.Select(), ix.brute(conditions[i], false); !slices.Equal(got, want) {
				t.Errorf("%v after %s: %d, want %d", conditions[i], host, got, want)
			}
		}
	}
}

// TestSelectAgainstBruteForce compares random conditions over random series, in random
// order of ordinals, with looking at each series.
func TestSelectAgainstBruteForce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ix := newTestIndex()
		value := rapid.SampledFrom([]string{"", "a", "b", "ab", "abc", "é", "a\nb", "x.y"})
		for _, o := range rapid.SliceOfNDistinct(rapid.Uint32Range(0, 300), 0, 60, rapid.ID).Draw(t, "ordinals") {
			var tags []string
			for _, key := range []string{"j", "k", "l"} {
				if v := value.Draw(t, key); v != "" {
					tags = append(tags, key, v)
				}
			}
			ix.add(base.Ordinal(o), "n"+value.Draw(t, "name"), tags...)
		}
		for range 5 {
			var ms []Matcher
			for range rapid.IntRange(1, 4).Draw(t, "conditions") {
				mt := MatchType(rapid.IntRange(0, 3).Draw(t, "type"))
				of := value
				if mt >= Regexp {
					of = rapid.SampledFrom([]string{"", "a", "a.*", "a.+", ".*", ".+", "a|b", "a?b?", "(a|x).*", "[^a].*", "n.*", ".*b", "(?i)AB", "a|"})
				}
				key := rapid.SampledFrom([]string{"j", "k", "l", "m", base.NameKey}).Draw(t, "key")
				m, err := NewMatcher(mt, key, of.Draw(t, "value"))
				if err != nil {
					t.Fatal(err)
				}
				ms = append(ms, m)
			}
			anyOf := rapid.Bool().Draw(t, "any")
			if got, want := ix.Prepare(ms, anyOf).Select(), ix.brute(ms, anyOf); !slices.Equal(got, want) {
				t.Fatalf("%v (any %v) selects %d, want %d", ms, anyOf, got, want)
			}
		}
	})
}

// TestSelectFromBitmaps has postings of every form meet one another.
func TestSelectFromBitmaps(t *testing.T) {
	ix := newTestIndex()
	for o := range base.Ordinal(12_000) {
		ix.add(o, fmt.Sprint("n", o%2), "third", fmt.Sprint(o%3), "hundred", fmt.Sprint(o/100), "own", fmt.Sprint(o))
	}
	if pair, _ := ix.dict.Lookup("third", "1"); ix.mu.bitmap(pair) == nil {
		t.Fatal("no bitmap")
	}
	for _, selector := range []string{
		`n0{third="1"}`, `n1{third!="1"}`, `n0{third="1",hundred="7"}`, `{third=~"1|2"}`, `n1{third=~"1|2"}`,
		`{third="1",hundred=~"1.*"}`, `{own=~"1.*",third="2"}`, `{hundred=~"1.+",own!~".*7"}`, `n0{hundred=~".*5"}`,
		`{own="77"}`, `n1{own="77",third="2"}`, `n0{own="77"}`, `{third!~"0|1"}`, `n0{own!~"1.*"}`, `n0{third="1",hundred!="3"}`,
	} {
		ms, err := ParseSelector(selector)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := ix.Prepare(ms, false).Select(), ix.brute(ms, false); !slices.Equal(got, want) {
			t.Errorf("%s selects %d series, want %d", selector, len(got), len(want))
		}
	}
	if got := ix.having(base.Tag{Key: "third", Value: "0"}, base.Tag{Key: base.NameKey, Value: "n0"}); len(got) != 8000 {
		t.Errorf("any: %d series", len(got))
	}
}

func TestConcurrentUse(t *testing.T) {
	ix := New(dict.New())
	const n = 3000
	m := mustMatch(t, Regexp, "own", ".*7")
	var wg sync.WaitGroup
	wg.Go(func() {
		for o := range base.Ordinal(n) {
			ix.Add(o, ix.dict.InternSeries(nil, "cpu", []base.Tag{{Key: "own", Value: fmt.Sprint(o)}}))
		}
	})
	wg.Go(func() {
		before := 0
		for range 30 {
			found := ix.Prepare([]Matcher{m}, false).Select()
			if len(found) < before {
				t.Errorf("%d series after %d", len(found), before)
			}
			before = len(found)
		}
	})
	wg.Wait()
	if got := ix.Prepare([]Matcher{m}, false).Select(); len(got) != n/10 {
		t.Errorf("%d series", len(got))
	}
}
