package tags

import (
	"cmp"
	"slices"
	"strings"
)

// Cardinality says how many values a tag key takes, and how many series have it. The
// key base.NameKey stands for the names of series.
type Cardinality struct {
	Key    string
	Values int // that some series has
	Series int
}

// ValueCount says how many series have a value of some key.
type ValueCount struct {
	Value  string
	Series int
}

// countMany is how many values are counted at a time, with writers kept out: keys may take
// millions of them.
const countMany = 4096

// Top returns the n keys with the most values, all keys if n is 0, the most first, and
// of equals that which more series have. It takes no lock for long.
func (ix *Index) Top(n int) []Cardinality {
	var found []Cardinality
	var pairs []uint32
	for _, key := range ix.dict.Keys() {
		c := Cardinality{Key: key}
		pairs = ix.dict.AppendValues(pairs[:0], key, 0)
		for some := range slices.Chunk(pairs, countMany) {
			ix.mu.RLock()
			for _, pair := range some {
				if count := ix.mu.count(pair); count > 0 {
					c.Values++
					c.Series += count // the lists of a key are disjoint: T2
				}
			}
			ix.mu.RUnlock()
		}
		if c.Values > 0 {
			found = append(found, c)
		}
	}
	return top(found, n, func(a, b Cardinality) int {
		return cmp.Or(cmp.Compare(b.Values, a.Values), cmp.Compare(b.Series, a.Series), strings.Compare(a.Key, b.Key))
	})
}

// TopValues returns the n values of a key that the most series have, all values if n is
// 0, the most first, equals in the order of their bytes. It takes no lock for long.
func (ix *Index) TopValues(key string, n int) []ValueCount {
	var found []ValueCount
	for some := range slices.Chunk(ix.dict.AppendValues(nil, key, 0), countMany) {
		counts := make([]int, len(some))
		ix.mu.RLock()
		for i, pair := range some {
			counts[i] = ix.mu.count(pair)
		}
		ix.mu.RUnlock()
		for i, pair := range some {
			if counts[i] > 0 {
				_, value := ix.dict.Pair(pair)
				found = append(found, ValueCount{value, counts[i]})
			}
		}
		// Only those that may be among the first stay.
		if n > 0 && len(found) > 2*n+countMany {
			found = top(found, n, moreSeries)
		}
	}
	return top(found, n, moreSeries)
}

func moreSeries(a, b ValueCount) int {
	return cmp.Or(cmp.Compare(b.Series, a.Series), strings.Compare(a.Value, b.Value))
}

// top sorts all and returns the first n of it, all of it if n is 0.
func top[T any](all []T, n int, compare func(a, b T) int) []T {
	slices.SortFunc(all, compare)
	if n > 0 && n < len(all) {
		all = slices.Clip(all[:n])
	}
	return all
}
