package tags

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/dict"
)

// pairs appends the pairs of a series: what a catalog does for Remove.
func (ix testIndex) pairs(dst []uint32, o base.Ordinal) []uint32 {
	for _, tag := range ix.series[o] {
		dst = append(dst, ix.dict.Intern(tag.Key, tag.Value))
	}
	return dst
}

// remove takes series out of the index and of what it is compared with.
func (ix testIndex) remove(ordinals ...base.Ordinal) {
	ix.Remove(ordinals, ix.pairs)
	for _, o := range ordinals {
		delete(ix.series, o)
	}
}

func TestRemove(t *testing.T) {
	ix := newTestIndex()
	for o := range base.Ordinal(7) {
		ix.add(o, "cpu", "host", fmt.Sprint("h", o), "zone", fmt.Sprint(o%2))
	}
	ix.Add(9, nil) // known by its id only
	ix.remove(5, 1, 1, 9, 77, 1<<32-1)
	if ix.Len() != 5 || ix.Contains(1) || ix.Contains(9) || !ix.Contains(2) {
		t.Errorf("%d series", ix.Len())
	}
	for _, c := range []struct {
		selector string
		want     []base.Ordinal
	}{
		{`{}`, []base.Ordinal{0, 2, 3, 4, 6}},
		{`cpu`, []base.Ordinal{0, 2, 3, 4, 6}},
		{`{zone="1"}`, []base.Ordinal{3}},
		{`{zone!="0"}`, []base.Ordinal{3}},
		{`{host="h5"}`, nil},
		{`{host=~"h[1-3]"}`, []base.Ordinal{2, 3}},
	} {
		ms, err := ParseSelector(c.selector)
		if err != nil {
			t.Fatal(err)
		}
		if got := ix.Prepare(ms, false).Select(); !slices.Equal(got, c.want) {
			t.Errorf("%s selects %d, want %d", c.selector, got, c.want)
		}
	}
	snapshot, _ := ix.AppendSnapshot(nil, Stamp{}, idOf, 1<<20)
	again := newTestIndex()
	for o, tags := range ix.series {
		again.Add(o, again.dict.InternSeries(nil, tags[0].Value, tags[1:]))
	}
	if want, _ := again.AppendSnapshot(nil, Stamp{}, idOf, 1<<20); string(snapshot) != string(want) {
		t.Errorf("the snapshot is\n%s\nwant\n%s", snapshot, want)
	}
	ix.add(1, "cpu", "host", "h1", "zone", "1") // ordinals are not used again, but it would work
	if got := ix.having(base.Tag{Key: "zone", Value: "1"}); !slices.Equal(got, []base.Ordinal{1, 3}) {
		t.Errorf("%d", got)
	}
}

// TestRemoveUnknownPairs has the dictionary know more pairs than the index.
func TestRemoveUnknownPairs(t *testing.T) {
	ix := newTestIndex()
	ix.add(1, "cpu", "host", "a")
	late := ix.dict.Intern("host", "never indexed")
	ix.Remove([]base.Ordinal{1}, func(dst []uint32, _ base.Ordinal) []uint32 { return append(dst, 0, late, 1) })
	if ix.Len() != 0 || len(ix.having(base.Tag{Key: "host", Value: "a"})) != 0 {
		t.Errorf("%d series", ix.Len())
	}
}

// TestSetRemove takes a part of sets of each form away, at both ends and all over.
func TestSetRemove(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for _, span := range []uint32{6000, 100_000, 1 << 31} {
		for _, gone := range []func(o uint32) bool{
			func(uint32) bool { return false },
			func(uint32) bool { return true },
			func(o uint32) bool { return o < span/2 },
			func(o uint32) bool { return o >= span/2 },
			func(o uint32) bool { return o%7 != 0 },
			func(o uint32) bool { return o%500 != 0 },
		} {
			var s set
			want := map[uint32]bool{}
			var dead []uint32
			for range 5000 {
				o := 1<<20 + rng.Uint32N(span)
				s.add(o)
				want[o] = true
			}
			for o := range want {
				if gone(o - 1<<20) {
					dead = append(dead, o)
				}
			}
			dead = append(dead, 0, 1<<20-1, 1<<32-2) // not in the set
			for i := range uint32(130) {
				dead = append(dead, 1<<20+span+i)
			}
			slices.Sort(dead)
			s.remove(dead)
			for _, o := range dead {
				delete(want, o)
			}
			checkSet(t, &s, want)
			if s.bits != nil && len(s.bits)*64 > s.n*130 || cap(s.list) > 2*s.n {
				t.Errorf("span %d: %d ordinals take %d words, %d places", span, s.n, len(s.bits), cap(s.list))
			}
			for range 3000 { // and it goes on
				o := 1<<20 + rng.Uint32N(span)
				if s.add(o) == want[o] {
					t.Fatalf("span %d: adding %d", span, o)
				}
				want[o] = true
			}
			checkSet(t, &s, want)
		}
	}
}

// TestRemoveAgainstBruteForce adds and removes many series, whose values some, many or
// all of them share, and compares with looking at each.
func TestRemoveAgainstBruteForce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ix := newTestIndex()
		next := base.Ordinal(0)
		conditions := [][]Matcher{nil}
		for _, text := range []string{`m`, `{own="17"}`, `{few=~"1.*"}`, `{many!="1"}`, `{many="0",all="x"}`, `{few!~"1|2",many=""}`, `{own=~".*9"}`} {
			ms, err := ParseSelector(text)
			if err != nil {
				t.Fatal(err)
			}
			conditions = append(conditions, ms)
		}
		var queries []*Query // prepared before series come and go
		for _, ms := range conditions {
			queries = append(queries, ix.Prepare(ms, false))
		}
		for range rapid.IntRange(1, 4).Draw(t, "rounds") {
			for range rapid.IntRange(0, 3000).Draw(t, "added") {
				ix.add(next, "m", "own", fmt.Sprint(next), "few", fmt.Sprint(next/6), "many", fmt.Sprint(next%3), "all", "x")
				next += base.Ordinal(rapid.IntRange(1, 2).Draw(t, "step"))
			}
			first := base.Ordinal(rapid.Uint32Range(0, uint32(next)).Draw(t, "first"))
			last := base.Ordinal(rapid.Uint32Range(0, uint32(next)).Draw(t, "last"))
			each := base.Ordinal(rapid.SampledFrom([]int{1, 1, 3, 10}).Draw(t, "each"))
			var dead []base.Ordinal
			for o := first; o <= last; o += each {
				dead = append(dead, o)
			}
			slices.Reverse(dead)
			ix.remove(dead...)
			for i, ms := range conditions {
				want := ix.brute(ms, false)
				if got := queries[i].Select(); !slices.Equal(got, want) {
					t.Fatalf("%v selects %d series, want %d", ms, len(got), len(want))
				}
			}
			checkTop(t, ix)
		}
	})
}

// checkTop compares Top and TopValues with counting.
func checkTop(t *rapid.T, ix testIndex) {
	counts := map[string]map[string]int{}
	for _, tags := range ix.series {
		for _, tag := range tags {
			if counts[tag.Key] == nil {
				counts[tag.Key] = map[string]int{}
			}
			counts[tag.Key][tag.Value]++
		}
	}
	all := ix.Top(0)
	if len(all) != len(counts) {
		t.Fatalf("%d keys, want %d", len(all), len(counts))
	}
	for i, c := range all {
		series := 0
		for _, n := range counts[c.Key] {
			series += n
		}
		if c.Values != len(counts[c.Key]) || c.Series != series || i > 0 && all[i-1].Values < c.Values {
			t.Fatalf("%v, want %d values of %d series", all, len(counts[c.Key]), series)
		}
		values := ix.TopValues(c.Key, 0)
		if len(values) != c.Values || !slices.IsSortedFunc(values, moreSeries) {
			t.Fatalf("key %s: %d values, want %d", c.Key, len(values), c.Values)
		}
		for _, v := range values {
			if counts[c.Key][v.Value] != v.Series {
				t.Fatalf("%s=%s has %d series, want %d", c.Key, v.Value, v.Series, counts[c.Key][v.Value])
			}
		}
		n := min(3, len(values))
		if got := ix.TopValues(c.Key, 3); !slices.Equal(got, values[:n]) {
			t.Fatalf("the first of %s are %v, want %v", c.Key, got, values[:n])
		}
		n = min(2, len(all))
		if got := ix.Top(2); !slices.Equal(got, all[:n]) {
			t.Fatalf("the first are %v, want %v", got, all[:n])
		}
	}
}

func TestTop(t *testing.T) {
	ix := newTestIndex()
	if len(ix.Top(5)) != 0 || len(ix.TopValues("host", 5)) != 0 {
		t.Error("an empty index has keys")
	}
	for o := range base.Ordinal(6) {
		ix.add(o, "cpu", "host", fmt.Sprint("h", o/2), "zone", "x")
	}
	ix.add(6, "mem", "host", "h0", "rack", "1", "disk", "2")
	ix.dict.InternSeries(nil, "x", []base.Tag{{Key: "new", Value: "1"}}) // of a series that never reached the log
	want := []Cardinality{{"host", 3, 7}, {base.NameKey, 2, 7}, {"zone", 1, 6}, {"disk", 1, 1}, {"rack", 1, 1}}
	if got := ix.Top(0); !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if got := ix.Top(3); !slices.Equal(got, want[:3]) {
		t.Errorf("%v, want %v", got, want[:3])
	}
	values := []ValueCount{{"h0", 3}, {"h1", 2}, {"h2", 2}}
	if got := ix.TopValues("host", 0); !slices.Equal(got, values) {
		t.Errorf("%v, want %v", got, values)
	}
	if got := ix.TopValues("host", 2); !slices.Equal(got, values[:2]) {
		t.Errorf("%v, want %v", got, values[:2])
	}
	ix.remove(0, 6, 1)
	if got := ix.TopValues("host", 0); !slices.Equal(got, values[1:]) {
		t.Errorf("%v, want %v", got, values[1:])
	}
	if got := ix.Top(0); len(got) != 3 {
		t.Errorf("keys of the dead are there: %v", got)
	}
}

// TestTopOfManyValues has more values than TopValues keeps at a time.
func TestTopOfManyValues(t *testing.T) {
	ix := New(dict.New())
	for o := range base.Ordinal(20_000) {
		ix.Add(o, []uint32{ix.dict.Intern("k", fmt.Sprint("v", o/(1+o/10_000)))})
	}
	got := ix.TopValues("k", 3)
	if want := []ValueCount{{"v5000", 3}, {"v5001", 3}, {"v5002", 3}}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// TestConcurrentRemove selects while series come and go.
func TestConcurrentRemove(t *testing.T) {
	ix := New(dict.New())
	stays, goes := ix.dict.Intern("k", "stays"), ix.dict.Intern("k", "goes")
	const n = 6000
	for o := range base.Ordinal(n) {
		ix.Add(o, []uint32{[]uint32{stays, goes}[o%2]})
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := range base.Ordinal(n / 2) {
			ix.Remove([]base.Ordinal{2*i + 1}, func(dst []uint32, _ base.Ordinal) []uint32 { return append(dst, goes) })
			ix.Add(n+i, []uint32{stays})
		}
	})
	wg.Go(func() {
		q := ix.Prepare([]Matcher{mustMatch(t, Regexp, "k", "s.*")}, false)
		for range 100 {
			if got := len(q.Select()); got < n/2 || got > n {
				t.Errorf("%d series", got)
			}
			ix.Top(1)
			ix.TopValues("k", 1)
		}
	})
	wg.Wait()
	if got := ix.TopValues("k", 0); !slices.Equal(got, []ValueCount{{"stays", n}}) || ix.Len() != n {
		t.Errorf("%v, %d series", got, ix.Len())
	}
}

// TestGenerationsReturnMemory lets generations of series, which share values with one
// another, live one after the other. The last takes no more memory than the first.
func TestGenerationsReturnMemory(t *testing.T) {
	const n = 20_000
	d := dict.New()
	ix := New(d)
	pairs := func(dst []uint32, o base.Ordinal) []uint32 {
		i := o % n
		return append(dst, d.Intern("own", fmt.Sprint(i)), d.Intern("host", fmt.Sprint(i/7)), d.Intern("rack", fmt.Sprint(i/1000)), d.Intern("all", fmt.Sprint(i%5)))
	}
	first := uint64(0)
	for generation := range base.Ordinal(10) {
		var dead []base.Ordinal
		for i := range base.Ordinal(n) {
			o := generation*n + i
			ix.Add(o, pairs(nil, o))
			if generation > 0 {
				dead = append(dead, o-n)
			}
		}
		ix.Remove(dead, pairs)
		if pair, _ := d.Lookup("all", "1"); ix.Len() != n || ix.mu.bitmap(pair) == nil {
			t.Fatalf("%d series, and bitmaps %v", ix.Len(), ix.mu.bitmap(pair) != nil)
		}
		heap := heapBytes()
		if generation == 0 {
			first = heap
		} else if heap > first+first/4 {
			t.Errorf("generation %d takes %d bytes, the first took %d", generation, heap, first)
		}
	}
	runtime.KeepAlive(ix)
}
