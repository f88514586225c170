package aggregate

import "math"

// Summary is what is known of the points of one series in some stretch of time without
// having them, such as a block's statistics. All values that it stands for are finite.
type Summary struct {
	Count           int   // at least 1
	FirstTS, LastTS int64 // times of the first and the last point
	First, Last     float64
	Min, Max        float64 // of equal ones, such as 0 and -0, the first
	Sum             float64 // right to the last bit or nearly, as Neumaier adds
	Drop            float64 // sum of all values that a smaller one follows
}

// partial is what has to be known of some points of one series, in order of time, to go on
// when more come; or of the points of a group in one window. Only the parts that the
// functions need are kept; the others mean nothing.
type partial struct {
	count    int   // of points, NaN included
	since    int64 // time of the first one, while points are still to come
	sum      total
	min, max float64 // NaN: none yet
	ends     ends
	resets   resets
	gain     gain
	spread   spread
}

// ends are the first and the last point.
type ends struct {
	firstTS, lastTS int64
	first, last     float64
}

// staleMarker is the NaN by which Prometheus says that a series has ended. It is no point.
const staleMarker = 0x7ff0000000000002

// chunkPoints bounds what is gone through several times, so that it stays in the first
// cache; sums of so few squares need no care.
const chunkPoints = 1024

func (p *partial) clear() { *p = partial{min: math.NaN(), max: math.NaN()} }

// add adds points, which come after all that p has, as far as the functions need them.
func (p *partial) add(ts []int64, values []float64, need parts) {
	for len(values) > chunkPoints {
		p.addChunk(ts[:chunkPoints], values[:chunkPoints], need)
		ts, values = ts[chunkPoints:], values[chunkPoints:]
	}
	p.addChunk(ts, values, need)
}

// addChunk looks for NaN by the sum, which is NaN if there is one: cheaper than asking each
// value, and the sum may be wanted anyway.
func (p *partial) addChunk(ts []int64, values []float64, need parts) {
	for len(values) > 0 {
		sum := chunkSum(values, need)
		if sum.hi == sum.hi {
			p.addNumbers(ts, values, sum, need)
			return
		}
		n := 0
		for n < len(values) && values[n] == values[n] {
			n++
		}
		if n > 0 {
			p.addNumbers(ts[:n], values[:n], chunkSum(values[:n], need), need)
		}
		if n < len(values) {
			p.addNaN(ts[n], values[n], need)
			n++
		}
		ts, values = ts[n:], values[n:]
	}
}

// chunkSum returns the sum of values, a rough one if it is not among what is needed.
func chunkSum(values []float64, need parts) total {
	if need.has(partSum) {
		return sumOf(values)
	}
	return total{hi: roughSum(values)}
}

// addNumbers adds points without NaN, at least one. sum is what chunkSum returns for them.
func (p *partial) addNumbers(ts []int64, values []float64, sum total, need parts) {
	last := len(values) - 1
	if p.count == 0 {
		p.since = ts[0]
	}
	if need.has(partEnds) {
		p.ends.merge(&ends{ts[0], ts[last], values[0], values[last]}, p.count == 0)
	}
	p.count += len(values)
	if need.has(partSum) {
		p.sum.add(sum)
	}
	if need.has(partMin) {
		p.min = least(p.min, values)
	}
	if need.has(partMax) {
		p.max = greatest(p.max, values)
	}
	if need.has(partResets) {
		p.resets.add(ts, values)
	}
	if need.has(partSpread) {
		s := spreadOf(values, sum.over(1))
		p.spread.merge(&s)
	}
}

// addNaN adds a point that is no number, or nothing if it is a staleness marker.
func (p *partial) addNaN(ts int64, v float64, need parts) {
	if math.Float64bits(v) == staleMarker {
		return
	}
	if p.count == 0 {
		p.since = ts
	}
	if need.has(partEnds) {
		p.ends.merge(&ends{ts, ts, v, v}, p.count == 0)
	}
	p.count++
	p.sum.add(total{hi: v})
	p.spread.merge(&spread{count: 1, mean: v, square: v})
}

// summarize makes p that of the points that s stands for. It has no spread.
func (p *partial) summarize(s *Summary) {
	*p = partial{
		count: s.Count, since: s.FirstTS, sum: total{hi: s.Sum}, min: s.Min, max: s.Max,
		ends: ends{s.FirstTS, s.LastTS, s.First, s.Last},
		resets: resets{
			count: s.Count, firstTS: s.FirstTS, lastTS: s.LastTS, first: s.First, last: s.Last,
			drop: total{hi: s.Drop},
		},
	}
}

// merge adds the points of o. They come after those of p in time or, if both are complete
// windows, are those of series after those of p.
func (p *partial) merge(o *partial, need parts) {
	if o.count == 0 {
		return
	}
	if p.count == 0 {
		p.since = o.since
	}
	if need.has(partEnds) {
		p.ends.merge(&o.ends, p.count == 0)
	}
	p.count += o.count
	if need.has(partSum) {
		p.sum.add(o.sum)
	}
	if need.has(partMin) && !(p.min <= o.min) && o.min == o.min {
		p.min = o.min
	}
	if need.has(partMax) && !(p.max >= o.max) && o.max == o.max {
		p.max = o.max
	}
	if need.has(partResets) {
		p.resets.merge(&o.resets)
	}
	if need.has(partGain) {
		p.gain.merge(&o.gain)
	}
	if need.has(partSpread) {
		p.spread.merge(&o.spread)
	}
}

// merge takes in o, whose points come later or, at equal times, of a later series. Nothing
// is in e yet if it is empty.
func (e *ends) merge(o *ends, empty bool) {
	if empty || o.firstTS < e.firstTS {
		e.firstTS, e.first = o.firstTS, o.first
	}
	if empty || o.lastTS >= e.lastTS {
		e.lastTS, e.last = o.lastTS, o.last
	}
}
