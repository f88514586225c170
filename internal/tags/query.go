package tags

import (
	"math/bits"
	"slices"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/sydradb/sydradb/internal/base"
)

// Query is a set of conditions whose costly part, running regular expressions over the
// values of a key, has been done. It belongs to one goroutine and may be used again.
type Query struct {
	ix    *Index
	any   bool
	terms []term
}

// term is a condition resolved to pairs.
type term struct {
	m Matcher
	// except turns the meaning of pairs around: the condition is fulfilled by series
	// without the key, so pairs are those that do not fulfil it. They are fewer, as a
	// rule, and the series without the key are in no list.
	except bool
	pairs  []uint32
	seen   uint32 // pairs below it have been looked at
	total  int    // ordinals of pairs, at the time of Select
}

// Prepare resolves conditions to pairs. With anyOf the query selects the series that
// fulfil at least one of them, else those that fulfil all. Without conditions it
// selects every series. Prepare takes no lock for long and may itself take long.
func (ix *Index) Prepare(ms []Matcher, anyOf bool) *Query {
	q := &Query{ix: ix, any: anyOf && len(ms) > 0, terms: make([]term, len(ms))}
	for i, m := range ms {
		q.terms[i] = term{m: m, except: m.Matches("")}
	}
	q.resolve()
	return q
}

// Select returns the series that the query selects at this moment, ascending. Values
// that came up since Prepare are taken in. The slice is the caller's.
func (q *Query) Select() []base.Ordinal {
	q.resolve()
	ps := &q.ix.mu
	ps.RLock()
	defer ps.RUnlock()
	if !q.any || len(q.terms) == 1 {
		return ordinals(q.ix.matchLocked(q.terms))
	}
	found := roaring.New()
	for i := range q.terms {
		found.AddMany(q.ix.matchLocked(q.terms[i : i+1]))
	}
	return ordinals(found.ToArray())
}

// resolve looks at the pairs that are new since the last time.
func (q *Query) resolve() {
	known := q.ix.dict.Len()
	for i := range q.terms {
		t := &q.terms[i]
		if t.seen == known && known > 0 {
			continue
		}
		if values, ok := t.exactly(); ok {
			t.pairs = t.pairs[:0]
			for _, value := range values {
				if pair, ok := q.ix.dict.Lookup(t.m.key, value); ok {
					t.pairs = append(t.pairs, pair)
				}
			}
		} else {
			for _, pair := range q.ix.dict.AppendValues(nil, t.m.key, t.seen) {
				if pair >= known {
					break // came up meanwhile: for the next time
				}
				if _, value := q.ix.dict.Pair(pair); t.m.Matches(value) != t.except {
					t.pairs = append(t.pairs, pair)
				}
			}
		}
		t.seen = known
	}
}

// exactly returns the values that pairs are about where they are known without a look
// at all values of the key: those that x="v" or x=~"v|w" names, and those that
// x!="v" or x!~"v|w" excepts.
func (t *term) exactly() ([]string, bool) {
	negative := t.m.matchType == NotEqual || t.m.matchType == NotRegexp
	if negative != t.except {
		return nil, false
	}
	return t.m.values()
}

// matchLocked returns the series that fulfil all conditions, ascending. It begins with
// the condition that the fewest series fulfil and drops from those what does not
// fulfil the others. Requires: ix.mu, for reading at least.
func (ix *Index) matchLocked(terms []term) []uint32 {
	ps := &ix.mu.postings
	order := make([]*term, len(terms))
	for i := range terms {
		t := &terms[i]
		t.total = ps.total(t.pairs)
		order[i] = t
		if t.total == 0 && !t.except {
			return nil
		}
	}
	slices.SortFunc(order, func(a, b *term) int {
		if a.except != b.except {
			if b.except {
				return -1
			}
			return 1
		}
		return a.total - b.total
	})
	var found []uint32
	if len(order) == 0 || order[0].except {
		found = ix.mu.all.appendTo(nil)
	} else {
		n := 0
		found, n = ps.first(order)
		order = order[n:]
	}
	for _, t := range order {
		if len(found) == 0 {
			return nil
		}
		found = ps.filter(found, t)
	}
	return found
}

// first returns the ordinals that fulfil the first n conditions of several.
func (ps *postings) first(order []*term) (found []uint32, n int) {
	pairs := order[0].pairs
	if len(pairs) > 1 {
		return ps.union(pairs).ToArray(), 1
	}
	smallest := ps.bitmap(pairs[0])
	if smallest == nil {
		return ps.appendTo(nil, pairs[0]), 1
	}
	// Bitmaps are combined word by word, which beats asking for each ordinal.
	words := smallest.bits
	for n = 1; n < len(order) && !order[n].except && len(order[n].pairs) == 1; n++ {
		other := ps.bitmap(order[n].pairs[0])
		if other == nil {
			break
		}
		if n == 1 {
			words = slices.Clone(words)
		}
		other.and(words, smallest.base)
	}
	count := 0
	for _, word := range words {
		count += bits.OnesCount64(word)
	}
	return appendBits(make([]uint32, 0, count), smallest.base, words), n
}

// and clears in words, which begin with number base, what is not in s, a bitmap.
func (s *set) and(words []uint64, base uint32) {
	for i := range words {
		w := base + uint32(i) - s.base // wraps around below s.base
		if w < uint32(len(s.bits)) {
			words[i] &= s.bits[w]
		} else {
			words[i] = 0
		}
	}
}

// filter keeps of found, which it changes, what fulfils a condition.
func (ps *postings) filter(found []uint32, t *term) []uint32 {
	var has func(o uint32) bool
	switch {
	case len(t.pairs) == 1:
		pair := t.pairs[0]
		if list := ps.list(pair); list != nil {
			return filterList(found, list, t.except)
		}
		has = func(o uint32) bool { return ps.contains(pair, o) }
	case len(found)*len(t.pairs) <= 4*t.total:
		has = func(o uint32) bool {
			return slices.ContainsFunc(t.pairs, func(pair uint32) bool { return ps.contains(pair, o) })
		}
	default:
		has = ps.union(t.pairs).Contains
	}
	return slices.DeleteFunc(found, func(o uint32) bool { return has(o) == t.except })
}

// filterList keeps of found, which it changes, what is in list, or with except what is
// not. Both ascend, so that the search for each begins where the one before ended.
func filterList(found, list []uint32, except bool) []uint32 {
	kept := found[:0]
	for _, o := range found {
		list = seek(list, o)
		if (len(list) > 0 && list[0] == o) != except {
			kept = append(kept, o)
		}
	}
	return kept
}

// seek returns the part of list, which ascends, from o on. It takes the longer the further
// that is: what is looked up lies close together, as a rule.
func seek(list []uint32, o uint32) []uint32 {
	step := 1
	for step <= len(list) && list[step-1] < o {
		list = list[step:]
		step *= 2
	}
	i, _ := slices.BinarySearch(list[:min(step, len(list))], o)
	return list[i:]
}

func ordinals(found []uint32) []base.Ordinal {
	out := make([]base.Ordinal, len(found))
	for i, o := range found {
		out[i] = base.Ordinal(o)
	}
	return out
}
