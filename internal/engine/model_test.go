package engine

import (
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/tags"
)

// model is the naive reference: what every batch so far adds up to. A state of the
// database is right if it equals the model after some number of batches, but for what
// retention hides.
type model struct {
	batches [][]modelPoint
}

// modelPoint is one point of a batch, with the key of its series. A deletion is a batch
// of points that forget: one for each series.
type modelPoint struct {
	key    string // of modelSeries
	ts     int64
	value  float64
	forget bool
	end    int64 // the last time to be forgotten; ts is the first
}

// deletionOf returns a deletion as a batch.
func deletionOf(keys []string, start, end int64) []modelPoint {
	batch := make([]modelPoint, len(keys))
	for i, key := range keys {
		batch[i] = modelPoint{key: key, ts: start, forget: true, end: end}
	}
	return batch
}

// contents maps the key of a series to its points. None is without any.
type contents map[string]map[int64]uint64

func (c contents) add(batch []modelPoint) {
	for _, p := range batch {
		if p.forget {
			c.forget(p.key, p.ts, p.end)
			continue
		}
		if c[p.key] == nil {
			c[p.key] = make(map[int64]uint64)
		}
		c[p.key][p.ts] = math.Float64bits(p.value)
	}
}

func (c contents) forget(key string, start, end int64) {
	maps.DeleteFunc(c[key], func(ts int64, _ uint64) bool { return ts >= start && ts <= end })
	if len(c[key]) == 0 {
		delete(c, key)
	}
}

// after returns what the first n batches add up to.
func (m *model) after(n int) contents {
	c := make(contents)
	for _, b := range m.batches[:n] {
		c.add(b)
	}
	return c
}

// matchPrefix returns the greatest n, from atLeast to atMost, for which got is what the
// first n batches add up to.
func (m *model) matchPrefix(got contents, atLeast, atMost int) (int, error) {
	return m.matchAbove(noLevels, got, atLeast, atMost)
}

// matchAbove is matchPrefix where retention hides points.
func (m *model) matchAbove(hidden levels, got contents, atLeast, atMost int) (int, error) {
	c := m.after(atLeast)
	found := -1
	for n := atLeast; ; n++ {
		if c.shownAs(got, hidden) {
			found = n
		}
		if n == atMost {
			break
		}
		c.add(m.batches[n])
	}
	if found < 0 {
		return 0, fmt.Errorf("not the state after any of %d to %d batches; against the last: %s",
			atLeast, atMost, got.difference(c.above(hidden)))
	}
	return found, nil
}

// shownAs reports whether got is c without what retention hides.
func (c contents) shownAs(got contents, hidden levels) bool {
	series := 0
	for _, s := range allModelSeries {
		level, points := hidden.of(s.name), 0
		for ts, v := range c[s.key] {
			if ts < level {
				continue
			}
			if other, ok := got[s.key][ts]; !ok || other != v {
				return false
			}
			points++
		}
		if points != len(got[s.key]) {
			return false
		}
		if points > 0 {
			series++
		}
	}
	return series == len(got)
}

// above returns a copy of c without what retention hides.
func (c contents) above(hidden levels) contents {
	out := make(contents, len(c))
	for _, s := range allModelSeries {
		points := maps.Clone(c[s.key])
		level := hidden.of(s.name)
		maps.DeleteFunc(points, func(ts int64, _ uint64) bool { return ts < level })
		if len(points) > 0 {
			out[s.key] = points
		}
	}
	return out
}

func (c contents) equal(o contents) bool {
	return maps.EqualFunc(c, o, maps.Equal[map[int64]uint64, map[int64]uint64])
}

// difference describes the first few points in which c and want differ.
func (c contents) difference(want contents) string {
	var out []string
	note := func(format string, args ...any) {
		if len(out) < 5 {
			out = append(out, fmt.Sprintf(format, args...))
		}
	}
	for _, key := range slices.Sorted(maps.Keys(want)) {
		for _, ts := range slices.Sorted(maps.Keys(want[key])) {
			if v, ok := c[key][ts]; !ok {
				note("%s at %d is missing", key, ts)
			} else if v != want[key][ts] {
				note("%s at %d is %x, not %x", key, ts, v, want[key][ts])
			}
		}
	}
	for _, key := range slices.Sorted(maps.Keys(c)) {
		for ts := range c[key] {
			if _, ok := want[key][ts]; !ok {
				note("%s at %d is not to be there", key, ts)
			}
		}
	}
	if len(out) == 0 {
		return "the same"
	}
	return fmt.Sprint(out)
}

// modelSeries is a series of the tests: a few names and tags, so that selectors have
// something to tell apart.
type modelSeries struct {
	key  string
	name string
	tags []base.Tag
}

var allModelSeries = func() []modelSeries {
	var out []modelSeries
	for i := range 7 {
		s := modelSeries{name: fmt.Sprintf("m%d.x", i%3)}
		s.tags = []base.Tag{{Key: "host", Value: fmt.Sprintf("h%d", i)}, {Key: "dc", Value: string(rune('a' + i%2))}}
		if i == 5 {
			s.tags = nil
		}
		if i == 6 {
			s.tags = append(s.tags, base.Tag{Key: "odd\"\\\x01é", Value: "\n=\""})
		}
		s.key = fmt.Sprint(s.name, i)
		out = append(out, s)
	}
	return out
}()

// readAll reads what sel selects from start to end, and verifies what must hold of
// every result: series in order, times ascending.
func readAll(e *Engine, q Query) (contents, error) {
	it, err := e.Query(context.Background(), q)
	if err != nil {
		return nil, err
	}
	defer it.Close()
	return drainIterator(e, it)
}

func drainIterator(e *Engine, it *Iterator) (contents, error) { return drainInto(io.Discard, it) }

// drainInto reads it and writes to answers what it returns, byte by byte, however it is
// cut into blocks.
func drainInto(answers io.Writer, it *Iterator) (contents, error) {
	c := make(contents)
	var bytes []byte
	var last *Series
	lastTS := int64(math.MinInt64)
	for it.Next() {
		b := it.Block()
		if len(b.Times) == 0 || len(b.Times) != len(b.Values) {
			return nil, fmt.Errorf("block of %d times and %d values", len(b.Times), len(b.Values))
		}
		if last != nil && last != b.Series && compareSeries(last, b.Series) >= 0 {
			return nil, fmt.Errorf("series %v after %v", b.Series, last)
		}
		if last != b.Series {
			lastTS = math.MinInt64
		}
		last = b.Series
		key, err := modelKey(b.Series)
		if err != nil {
			return nil, err
		}
		if c[key] == nil {
			c[key] = make(map[int64]uint64)
			bytes = append(bytes, key...)
		}
		for i, ts := range b.Times {
			if ts <= lastTS {
				return nil, fmt.Errorf("%s: time %d after %d", key, ts, lastTS)
			}
			lastTS = ts
			c[key][ts] = math.Float64bits(b.Values[i])
			bytes = binary.LittleEndian.AppendUint64(bytes, uint64(ts))
			bytes = binary.LittleEndian.AppendUint64(bytes, c[key][ts])
		}
		_, _ = answers.Write(bytes)
		bytes = bytes[:0]
	}
	return c, it.Err()
}

// modelKey finds the series of the tests that s is.
func modelKey(s *Series) (string, error) {
	for _, m := range allModelSeries {
		want := slices.Clone(m.tags)
		slices.SortFunc(want, func(a, b base.Tag) int { return cmp.Compare(a.Key, b.Key) })
		if m.name == s.Name() && slices.Equal(want, s.Tags()) {
			return m.key, nil
		}
	}
	return "", fmt.Errorf("series %v was never written", s)
}

// everything is the query for all points.
var everything = Query{Start: base.MinTime, End: base.MaxTime}

// filter returns what of c a query selects, by brute force.
func (c contents) filter(ms []tags.Matcher, anyOf bool, start, end int64, hidden levels) contents {
	out := make(contents)
	for _, s := range allModelSeries {
		if !s.matches(ms, anyOf) {
			continue
		}
		for ts, v := range c[s.key] {
			if ts >= max(start, hidden.of(s.name)) && ts <= end {
				if out[s.key] == nil {
					out[s.key] = make(map[int64]uint64)
				}
				out[s.key][ts] = v
			}
		}
	}
	return out
}

func (s modelSeries) matches(ms []tags.Matcher, anyOf bool) bool {
	for _, m := range ms {
		value := ""
		if m.Key() == base.NameKey {
			value = s.name
		}
		for _, t := range s.tags {
			if t.Key == m.Key() {
				value = t.Value
			}
		}
		if m.Matches(value) == anyOf {
			return anyOf
		}
	}
	return !anyOf || len(ms) == 0
}
