package prom

import (
	"context"
	"sort"

	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/tsdb/chunkenc"

	"github.com/sydradb/sydradb"
)

// source is what all iterators of a selection read from. One reader serves them: an
// iterator that needs it takes it over from another one, which then keeps a copy of the
// run it is in. Nearly all queries read one series after the other and copy nothing; the
// others take memory for a run of each series instead of a reader.
type source struct {
	ctx        context.Context
	reader     *sydradb.Reader
	budget     *budget
	columns    columns
	owner      *iterator // the one whose series the reader is in
	start, end int64     // of the selection, in nanoseconds
}

// iterator walks the samples of a series. It does nothing for each sample but count:
// all work is done for runs of them.
type iterator struct {
	ms     []int64 // of the current run
	values []float64
	pos    int

	// after is the run that follows the current one, as far as it was read.
	after run
	// last is the last sample that was read. It is kept back, since the next run may have
	// a later point of the same millisecond.
	last    sample
	hasLast bool
	alone   struct { // a run of one sample
		ms     [1]int64
		values [1]float64
	}

	source *source
	series int
	next   int64 // where to go on reading, in nanoseconds
	done   bool  // everything was read
	err    error

	msRoom    []int64   // times that no other series share
	valueRoom []float64 // values that are not the reader's any more
}

// millis is a time in milliseconds since 1970.
type millis = int64

type run struct {
	ms     []int64
	values []float64
}

type sample struct {
	ms    int64
	value float64
}

// reset begins with another series.
func (it *iterator) reset(s *source, series int) {
	if it.source != nil && it.source.owner == it {
		it.source.owner = nil
	}
	*it = iterator{
		source: s, series: series, next: s.start, pos: -1,
		msRoom: it.msRoom, valueRoom: it.valueRoom,
	}
}

// Next implements chunkenc.Iterator.
func (it *iterator) Next() chunkenc.ValueType {
	if it.pos++; it.pos < len(it.ms) {
		return chunkenc.ValFloat
	}
	if it.load() {
		return chunkenc.ValFloat
	}
	return chunkenc.ValNone
}

// At implements chunkenc.Iterator.
func (it *iterator) At() (int64, float64) { return it.ms[it.pos], it.values[it.pos] }

// AtT implements chunkenc.Iterator.
func (it *iterator) AtT() int64 { return it.ms[it.pos] }

// Seek implements chunkenc.Iterator.
func (it *iterator) Seek(t millis) chunkenc.ValueType {
	it.pos = max(it.pos, 0)
	for {
		if it.pos < len(it.ms) && it.ms[len(it.ms)-1] >= t {
			it.pos += gallop(it.ms[it.pos:], t)
			return chunkenc.ValFloat
		}
		it.skip(t)
		if !it.load() {
			return chunkenc.ValNone
		}
	}
}

// gallop returns the index of the first of ms, ascending, that is at least t; one is. Most
// seeks go a few samples far.
func gallop(ms []int64, t int64) int {
	lo, step := 0, 1
	for step < len(ms) && ms[step] < t {
		lo = step + 1
		step *= 2
	}
	hi := min(step, len(ms)-1)
	return lo + sort.Search(hi-lo, func(i int) bool { return ms[lo+i] >= t })
}

// skip goes on reading at t if that is so far behind the current run that blocks between
// them need not be decoded.
func (it *iterator) skip(t int64) {
	first := it.next == it.source.start
	far := len(it.ms) > 0 && len(it.after.ms) == 0 && t-it.ms[len(it.ms)-1] > 2*(it.ms[len(it.ms)-1]-it.ms[0])
	if at := startNS(t); (first || far) && at > it.next && !it.done {
		if it.source.owner == it {
			it.source.owner = nil
		}
		it.next, it.hasLast = at, false
	}
}

// load makes the next run the current one, and its first sample the current one.
func (it *iterator) load() bool {
	it.pos = 0
	if len(it.after.ms) > 0 {
		it.ms, it.values = it.after.ms, it.after.values
		it.after = run{}
		return true
	}
	it.ms, it.values = nil, nil
	for !it.done {
		r, err := it.read()
		if err != nil {
			it.err, it.done = it.source.budget.storageError(err), true
			return false
		}
		held, hadLast := it.last, it.hasLast
		n := len(r.ms) - 1
		if n < 0 {
			it.done, it.hasLast = true, false
			return hadLast && it.yield(held)
		}
		it.last, it.hasLast = sample{r.ms[n], r.values[n]}, true
		rest := run{r.ms[:n], r.values[:n]}
		if hadLast && held.ms != r.ms[0] {
			it.after = rest
			return it.yield(held)
		}
		if n > 0 {
			it.ms, it.values = rest.ms, rest.values
			return true
		}
	}
	return false
}

// yield makes a run of one sample the current one.
func (it *iterator) yield(s sample) bool {
	it.alone.ms[0], it.alone.values[0] = s.ms, s.value
	it.ms, it.values = it.alone.ms[:], it.alone.values[:]
	return true
}

// read returns the next points of the series, none at its end.
func (it *iterator) read() (run, error) {
	s := it.source
	if s.owner != it {
		if s.owner != nil {
			s.owner.keep()
		}
		s.owner = it
		s.reader.Open(it.series, it.next, s.end)
	}
	points, err := s.reader.Next(s.ctx)
	if err != nil || len(points.Times) == 0 {
		return run{}, err
	}
	it.next = points.Times[len(points.Times)-1] + 1
	if err := s.budget.takeSamples(len(points.Times)); err != nil {
		return run{}, err
	}
	var r run
	var repeats bool
	r.values = points.Values
	r.ms, repeats, it.msRoom = s.columns.milliseconds(points, it.msRoom)
	if repeats {
		it.msRoom = append(it.msRoom[:0], r.ms...)
		it.valueRoom = append(it.valueRoom[:0], r.values...)
		r.ms, r.values = thin(it.msRoom, it.valueRoom)
	}
	return r, nil
}

// keep copies what is left of the current run: the reader is about to be used for
// another series.
func (it *iterator) keep() {
	if len(it.after.ms) > 0 {
		it.valueRoom = append(it.valueRoom[:0], it.after.values...)
		it.after.values = it.valueRoom
	} else if len(it.ms) > 0 && &it.values[0] != &it.alone.values[0] {
		at := min(it.pos, len(it.ms))
		it.valueRoom = append(it.valueRoom[:0], it.values[at:]...)
		it.ms, it.values, it.pos = it.ms[at:], it.valueRoom, 0
	}
}

// Err implements chunkenc.Iterator.
func (it *iterator) Err() error { return it.err }

// AtST implements chunkenc.Iterator: start timestamps are not stored.
func (*iterator) AtST() int64 { return 0 }

// AtHistogram implements chunkenc.Iterator, which never asks: all samples are floats.
func (*iterator) AtHistogram(*histogram.Histogram) (int64, *histogram.Histogram) { return 0, nil }

// AtFloatHistogram implements chunkenc.Iterator as AtHistogram does.
func (*iterator) AtFloatHistogram(*histogram.FloatHistogram) (int64, *histogram.FloatHistogram) {
	return 0, nil
}
