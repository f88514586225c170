package codec

import "math/bits"

// streamWriter writes streams of integers, each in the kind that takes the fewest bytes.
// The zero value is ready.
type streamWriter struct {
	header    streamHeader // of the kinds that may have a factor
	scaled    []int64
	memory    [maxOrder][]int64
	residuals [maxOrder + 1][]int64 // of each order; those of order 0 are the numbers

	nested bool // within a stream of runs: has none itself
	runs   *runWriter
}

// append appends the stream of numbers, at least one. Without a coder nothing is coded.
func (w *streamWriter) append(dst []byte, numbers []int64, c *coder) []byte {
	if dst, done := appendConstant(dst, numbers); done {
		return dst
	}
	w.prepare(numbers)
	order, size := w.bestPacked()
	h := w.header
	h.kind, h.order = kindPacked, order
	runsOrder, runs := w.cutRuns(c)
	if runs != nil && len(runs) < size {
		h.kind, h.order = kindRuns, runsOrder
		size = len(runs)
	}
	if c != nil {
		if dst, done := w.appendCoded(dst, size, c); done {
			return dst
		}
	}
	dst = h.append(dst)
	if h.kind == kindRuns {
		return append(dst, runs...)
	}
	return appendPacked(w.appendLeads(dst, order), w.residuals[order])
}

// appendConstant appends numbers that are all equal or, three or more of them, rise evenly.
func appendConstant(dst []byte, numbers []int64) (_ []byte, done bool) {
	first := numbers[0]
	step := int64(0)
	if len(numbers) > 1 {
		step = numbers[1] - first
	}
	if step != 0 && len(numbers) == 2 {
		return dst, false
	}
	for i, n := range numbers[1:] {
		if n-numbers[i] != step {
			return dst, false
		}
	}
	h := streamHeader{kind: kindConstant}
	if step == 0 {
		return appendVarint(h.append(dst), first), true
	}
	h.order = 1
	return appendVarint(appendVarint(h.append(dst), first), step), true
}

// prepare sets header and residuals.
func (w *streamWriter) prepare(numbers []int64) {
	w.header = streamHeader{}
	if factor := commonFactor(numbers); factor >= leastFactor {
		w.header.factor, w.header.base = int64(factor), numbers[0]
		w.scaled = resized(w.scaled, len(numbers))
		divide(w.scaled, numbers, factor)
		numbers = w.scaled
	}
	w.residuals[0] = numbers
	for o := range maxOrder {
		r := w.residuals[o]
		d := resized(w.memory[o], len(r)-1)
		for i := range d {
			d[i] = r[i+1] - r[i]
		}
		w.memory[o], w.residuals[o+1] = d, d
	}
}

// leadBytes returns the size of what appendLeads appends.
func (w *streamWriter) leadBytes(order byte) int {
	n := 0
	for o := range order {
		n += varintBytes(w.residuals[o][0])
	}
	return n
}

// appendLeads appends the first numbers: of the numbers, then of the differences.
func (w *streamWriter) appendLeads(dst []byte, order byte) []byte {
	for o := range order {
		dst = appendVarint(dst, w.residuals[o][0])
	}
	return dst
}

// bestPacked returns the order in which a packed body is the smallest, and its size.
func (w *streamWriter) bestPacked() (order byte, size int) {
	size = packedBytes(w.residuals[0])
	for o := byte(1); o <= maxOrder && len(w.residuals[o]) > 0; o++ {
		if n := w.leadBytes(o) + packedBytes(w.residuals[o]); n < size {
			order, size = o, n
		}
	}
	return order, size
}

// spread returns how many bits the residuals take around their middle, roughly, and that:
// where it is the least, so are they when they are coded.
func spread(residuals []int64) (n int, middle int64) {
	middle = sampledMedian(residuals)
	for _, r := range residuals {
		n += bits.Len64(zigzag(r - middle))
	}
	return n, middle
}
