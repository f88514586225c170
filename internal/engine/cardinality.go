package engine

import (
	"slices"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/tags"
)

// Cardinality says how many values a tag takes among the series that queries find, and
// how many of them have it.
type Cardinality = tags.Cardinality

// ValueCount says how many series have a value of some tag.
type ValueCount = tags.ValueCount

// TagCardinality returns the n tags with the most values, the most first, all if n is 0.
// The names of series are not among them.
func (e *Engine) TagCardinality(n int) []Cardinality {
	more := 0
	if n > 0 {
		more = n + 1 // the names, which the index keeps like a tag
	}
	found := e.reg.now().index.Top(more)
	found = slices.DeleteFunc(found, func(c Cardinality) bool { return c.Key == base.NameKey })
	if n > 0 {
		found = found[:min(n, len(found))]
	}
	return found
}

// ValueCardinality returns the n values of a tag that the most series have, the most
// first, all if n is 0. base.NameKey stands for the names.
func (e *Engine) ValueCardinality(key string, n int) []ValueCount {
	return e.reg.now().index.TopValues(key, n)
}
