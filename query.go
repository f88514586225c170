package sydradb

import (
	"context"

	"github.com/sydradb/sydradb/internal/engine"
	"github.com/sydradb/sydradb/internal/tags"
)

// MatchType is the comparison that a [Matcher] makes.
type MatchType uint8

// The comparisons. Regular expressions are RE2 and match the whole value.
const (
	MatchEqual     MatchType = MatchType(tags.Equal)     // =
	MatchNotEqual  MatchType = MatchType(tags.NotEqual)  // !=
	MatchRegexp    MatchType = MatchType(tags.Regexp)    // =~
	MatchNotRegexp MatchType = MatchType(tags.NotRegexp) // !~
)

// Matcher is a condition on one tag of a series. A tag that a series lacks has the
// value "". The key "__name__" stands for the series' name. Make one with [NewMatcher]
// or [ParseSelector].
type Matcher struct {
	m tags.Matcher
}

// NewMatcher returns the condition "key type value". It fails for a regular
// expression that does not compile.
func NewMatcher(key string, t MatchType, value string) (Matcher, error) {
	m, err := tags.NewMatcher(tags.MatchType(t), key, value)
	return Matcher{m}, err
}

// String returns the condition as [ParseSelector] reads it inside braces.
func (m Matcher) String() string { return m.m.String() }

// Selector says which series are meant. The zero value selects all of them.
type Selector struct {
	// Matchers are the conditions that a series must satisfy, all of them unless Any
	// is set.
	Matchers []Matcher
	// Any selects series that satisfy at least one of Matchers.
	Any bool
	// IDs, if not empty, selects the series with these ids instead.
	IDs []SeriesID
}

// ParseSelector reads a selector such as
//
//	room.temp{floor="2",room=~"kitchen|hall",window!="open"}
//
// The name, the part in braces, or both may be given. Names need no quotes unless
// they hold white space, quotes, commas or one of {}=!~. The error says at which
// character the text cannot be understood.
func ParseSelector(text string) (Selector, error) {
	ms, err := tags.ParseSelector(text)
	if err != nil {
		return Selector{}, err
	}
	sel := Selector{Matchers: make([]Matcher, len(ms))}
	for i, m := range ms {
		sel.Matchers[i] = Matcher{m}
	}
	return sel, nil
}

// FormatSelector returns name and tags as [ParseSelector] reads them:
// name{key="value",...}.
func FormatSelector(name string, t []Tag) string { return tags.FormatSelector(name, t) }

func (s Selector) engine() engine.Selector {
	out := engine.Selector{Any: s.Any, IDs: s.IDs, Matchers: make([]tags.Matcher, len(s.Matchers))}
	for i, m := range s.Matchers {
		out.Matchers[i] = m.m
	}
	return out
}

// Query says which points to read.
type Query struct {
	Selector Selector
	// Start and End bound the times, both inclusive, in Unix nanoseconds. They have no
	// defaults: [MinTime] and [MaxTime] ask for everything.
	Start, End int64
	// MaxSeries and MaxPoints, if not 0, end the query with [ErrLimit] when it would
	// return more.
	MaxSeries, MaxPoints int
	// Parallel is the number of series decoded at the same time. 0 and 1 mean one; more
	// takes memory for as many whole results.
	Parallel int
}

// Block is a run of points of one series in ascending order of time. Times and Values
// have the same length, at least 1; they belong to the iterator, are valid until its next
// call and must not be changed. Blocks of one series follow one another without overlap.
type Block struct {
	Series *Series
	Times  []int64
	Values []float64
}

// Query starts reading the points that q names. The result is that of one moment:
// batches acknowledged before the call are in it whole, batches that begin after it
// are not in it at all. Series come in order of name and tags.
//
// The iterator must be closed. It stops with an error when ctx ends.
func (db *DB) Query(ctx context.Context, q Query) (*Iterator, error) {
	it, err := db.e.Query(ctx, engine.Query{
		Selector: q.Selector.engine(),
		Start:    q.Start, End: q.End,
		MaxSeries: q.MaxSeries, MaxPoints: q.MaxPoints,
		Parallel: q.Parallel,
	})
	if err != nil {
		return nil, err
	}
	return &Iterator{it}, nil
}

// Find returns the series that sel selects and that have at least one point from
// start to end, both inclusive, in order of name and tags.
func (db *DB) Find(ctx context.Context, sel Selector, start, end int64) ([]*Series, error) {
	found, err := db.e.Find(ctx, sel.engine(), start, end)
	if err != nil {
		return nil, err
	}
	out := make([]*Series, len(found))
	for i, s := range found {
		out[i] = (*Series)(s)
	}
	return out, nil
}

// Iterator walks the result of a query:
//
//	for it.Next() {
//		use(it.Block())
//	}
//	if err := it.Err(); err != nil { ... }
type Iterator struct {
	it *engine.Iterator
}

// Next moves to the next block. It returns false at the end and on an error.
func (it *Iterator) Next() bool { return it.it.Next() }

// Block returns the current block. It is valid until the next call of Next or Close.
func (it *Iterator) Block() Block {
	b := it.it.Block()
	return Block{Series: (*Series)(b.Series), Times: b.Times, Values: b.Values}
}

// Err returns the error that ended the iteration, or nil at its normal end. Points
// returned before an error are correct.
func (it *Iterator) Err() error { return it.it.Err() }

// Close releases what the iterator holds. It may be called more than once.
func (it *Iterator) Close() { it.it.Close() }
