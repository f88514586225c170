package codec

import "math/bits"

const (
	// So few residuals, or so small a body of another kind, are not coded: the tables
	// would take more.
	leastForCode      = 24
	leastBytesForCode = 24

	// A coded body of values is taken if so many percent of its size are less than the next
	// best has, since it takes two or three times as long to read, or if it saves half a byte
	// of each, which makes little of that of noise around zero. What runs leave over is
	// coded if that saves a twenty-fifth; timestamps, of which many series share a column,
	// if that is smaller at all.
	codedValues     = 115
	codedInRuns     = 104
	codedTimestamps = 100

	nearSpread = 32 // orders whose spread is larger by less than this part are compared closely
)

// coder is the memory for coding residuals.
type coder struct {
	percent int // codedValues or codedTimestamps

	binWriter
	weights [maxBins]uint16
	begin   [maxBins]uint16 // of the states of a bin in slots
	slots   [maxStates]uint16
	dealt   [maxStates]uint8
	steps   []uint32 // for each residual: bits that lead to the next state, how many << 12, bin << 16
}

// appendCoded appends the stream coded, unless that takes too much: best is the size of
// another body.
func (w *streamWriter) appendCoded(dst []byte, best int, c *coder) (_ []byte, done bool) {
	if len(w.residuals[0]) < leastForCode || best <= leastBytesForCode {
		return dst, false
	}
	percent := c.percent
	if w.nested {
		percent = codedInRuns
	}
	limit := max(best*100/percent, best-len(w.residuals[0])/2)
	h := w.header
	h.kind = kindCoded
	var size int
	if h.order, size = w.bestCoded(limit, c); size > 8*limit || len(c.bins) < minBins {
		return dst, false
	}
	start := len(dst)
	dst = h.append(dst)
	body := len(dst)
	dst = c.append(w.appendLeads(dst, h.order), w.residuals[h.order])
	if len(dst)-body >= limit {
		return dst[:start], false
	}
	return dst, true
}

// bestCoded returns the order in which a coded body is likely the smallest: that in which
// the residuals spread least, unless others come so close that their bins must tell. It
// leaves the bins of that order in c, and returns about how many bits they take.
func (w *streamWriter) bestCoded(limit int, c *coder) (best byte, size int) {
	var spreads [maxOrder + 1]int
	var middles [maxOrder + 1]int64
	for o := range spreads {
		if spreads[o], middles[o] = spread(w.residuals[o]); spreads[o] < spreads[best] {
			best = byte(o)
		}
	}
	find := func(o byte) int {
		return c.find(w.residuals[o], middles[o], stateBitsFor(len(w.residuals[o])), 8*limit)
	}
	near, found := spreads[best]+spreads[best]/nearSpread, byte(maxOrder+1)
	for i := range spreads {
		o := byte(maxOrder - i) // noise, where there is much to find, is of order 0, the last
		if spreads[o] > near {
			continue
		}
		if s := find(o); found > maxOrder || s < size {
			best, size = o, s
		}
		found = o
	}
	if found != best {
		size = find(best)
	}
	return best, size
}

// stateBitsFor returns how many bits a state has for so many residuals: more make the code
// better and its tables larger.
func stateBitsFor(residuals int) uint {
	return uint(min(max(bits.Len(uint(residuals))-3, minStateBits), maxStateBits-1))
}

// append appends the body of the residuals, for which find has set the bins.
func (c *coder) append(dst []byte, residuals []int64) []byte {
	stateBits := stateBitsFor(len(residuals))
	for len(c.bins) > 1<<stateBits/2 {
		stateBits++
	}
	states := 1 << stateBits
	weights := c.weights[:len(c.bins)]
	c.weigh(weights, len(residuals), states)
	dst = append(dst, byte(stateBits), byte(len(c.bins)))
	dst = appendVarint(dst, c.bins[0].low)
	w := bitWriter{buf: dst}
	for i, weight := range weights {
		b := &c.bins[i]
		w.put(uint64(weight-1), stateBits)
		w.put(uint64(b.width()), widthBits)
		if i == 0 {
			continue
		}
		distance := uint64(b.low) - uint64(c.bins[i-1].low) - 1
		size := uint(bits.Len64(distance))
		w.put(uint64(size), distanceBits)
		if size > 1 {
			w.put(distance&(1<<(size-1)-1), size-1)
		}
	}
	c.slot(weights, states)
	for _, state := range c.code(len(residuals), weights, states) {
		w.put(uint64(state), stateBits)
	}
	for i, r := range residuals {
		s := c.steps[i]
		b := &c.bins[s>>16]
		w.put(uint64(s&0xfff), uint(s>>12&15))
		w.put(uint64(r)-uint64(b.low), b.width())
	}
	return w.finish()
}

func (c *class) width() uint { return uint(bits.Len64(uint64(c.high) - uint64(c.low))) }

// weigh sets the weights of the bins: as often as they occur, at least 1, and together as
// many as there are states, which are at least twice as many as the bins.
func (c *coder) weigh(weights []uint16, residuals, states int) {
	sum, common := 0, 0
	for i := range weights {
		weight := max(1, (c.bins[i].count*states+residuals/2)/residuals)
		weights[i] = uint16(weight)
		sum += weight
		if c.bins[i].count > c.bins[common].count {
			common = i
		}
	}
	if sum < states {
		weights[common] += uint16(states - sum)
	}
	for sum > states {
		heaviest := 0
		for i, weight := range weights {
			if weight > weights[heaviest] {
				heaviest = i
			}
		}
		// A few at a time, so that the heaviest takes not all of it.
		less := min(sum-states, int(weights[heaviest])/8+1, int(weights[heaviest])-1)
		weights[heaviest] -= uint16(less)
		sum -= less
	}
}

// slot sets slots: the states of bin 0 in rising order, then those of bin 1, and so on.
func (c *coder) slot(weights []uint16, states int) {
	deal(&c.dealt, weights, states)
	at := uint16(0)
	var next [maxBins]uint16
	for i, weight := range weights {
		c.begin[i], next[i] = at, at
		at += weight
	}
	for state, bin := range c.dealt[:states] {
		c.slots[next[bin]] = uint16(state)
		next[bin]++
	}
}

// code sets steps, from the last residual to the first, and returns the states at the
// start. It is what fill and nextCoded undo.
func (c *coder) code(residuals int, weights []uint16, states int) [lanes]uint32 {
	var lane [lanes]uint32
	for i := range lane {
		lane[i] = uint32(states)
	}
	c.steps = resized(c.steps, residuals)
	for i := residuals - 1; i >= 0; i-- {
		bin := c.binOf[c.classOf[i]]
		weight, x := uint32(weights[bin]), lane[i%lanes]
		// So many bits that what is left of x is at least weight and less than twice that.
		n := uint(bits.Len32(x) - bits.Len32(weight))
		if x>>n < weight {
			n--
		}
		c.steps[i] = x&(1<<n-1) | uint32(n)<<12 | uint32(bin)<<16
		lane[i%lanes] = uint32(states) + uint32(c.slots[uint32(c.begin[bin])+x>>n-weight])
	}
	for i := range lane {
		lane[i] -= uint32(states)
	}
	return lane
}
