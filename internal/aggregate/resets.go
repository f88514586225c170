package aggregate

// resets is what the increase of a counter over some points is computed from. A counter
// only grows, unless it starts again: then it falls, and what it had been is added.
type resets struct {
	count           int // of points, NaN not included
	firstTS, lastTS int64
	first, last     float64
	drop            total // sum of all values that a smaller one follows
}

// add adds points without NaN, at least one.
func (r *resets) add(ts []int64, values []float64) {
	last := len(values) - 1
	if r.count == 0 {
		r.firstTS, r.first, r.last = ts[0], values[0], values[0]
	}
	r.fall(dropOf(r.last, values))
	r.count += len(values)
	r.lastTS, r.last = ts[last], values[last]
}

// fall adds to the drop, which mostly is nothing.
func (r *resets) fall(drop total) {
	if drop != (total{}) {
		r.drop.add(drop)
	}
}

// dropOf returns the sum of all of prev and values that a smaller one follows.
func dropOf(prev float64, values []float64) total {
	var t total
	p := prev
	for _, v := range values {
		if v < p {
			sum, rest := twoSum(t.hi, p)
			t.hi, t.lo = sum, t.lo+rest
		}
		p = v
	}
	if finite(t.hi + t.lo) {
		return t
	}
	t = total{}
	for _, v := range values {
		if v < prev {
			t.add(total{hi: prev})
		}
		prev = v
	}
	return t
}

// merge adds the points of o, which come after those of r.
func (r *resets) merge(o *resets) {
	if o.count == 0 {
		return
	}
	if r.count == 0 {
		*r = *o
		return
	}
	if o.first < r.last {
		r.drop.add(total{hi: r.last})
	}
	r.fall(o.drop)
	r.count += o.count
	r.lastTS, r.last = o.lastTS, o.last
}

// gain is the increase of one series in a complete window, or the sum of those of several.
type gain struct {
	series   int // how many have one
	increase total
	rate     total // per second
}

// gain returns the increase over the points of r, none if they are fewer than two.
func (r *resets) gain() gain {
	if r.count < 2 {
		return gain{}
	}
	g := gain{series: 1, increase: total{hi: r.last}}
	g.increase.add(total{hi: -r.first})
	if r.drop != (total{}) {
		g.increase.add(r.drop)
	}
	// Times may lie further apart than an int64 can say.
	seconds := float64(uint64(r.lastTS-r.firstTS)) / 1e9
	g.rate.hi = g.increase.over(seconds)
	return g
}

// merge adds the increases of other series.
func (g *gain) merge(o *gain) {
	g.series += o.series
	g.increase.add(o.increase)
	g.rate.add(o.rate)
}
