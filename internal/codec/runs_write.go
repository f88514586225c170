package codec

import "encoding/binary"

const (
	// Runs are looked for in so many numbers, and cut out where they are more than this
	// part of them.
	leastForRuns = 16
	runsPart     = 6
)

// runWriter is the memory for cutting runs out of a stream.
type runWriter struct {
	gaps, lengths, literals []int64

	inner streamWriter
	body  []byte
}

// cutRuns looks for runs in the residuals of order 0 and of order 1, and makes a body of
// them. Without enough of them it returns nil.
func (w *streamWriter) cutRuns(c *coder) (order byte, body []byte) {
	if w.nested || len(w.residuals[0]) < leastForRuns {
		return 0, nil
	}
	var value int64
	most := len(w.residuals[0]) / runsPart
	found := false
	for o, residuals := range w.residuals[:2] {
		if inAnyRuns(residuals) <= most {
			continue
		}
		likely := sampledMode(residuals)
		if n := inRuns(residuals, likely); n > most {
			order, value, most, found = byte(o), likely, n, true
		}
	}
	if !found {
		return 0, nil
	}
	if w.runs == nil {
		w.runs = &runWriter{inner: streamWriter{nested: true}}
	}
	r := w.runs
	r.find(w.residuals[order], value)
	r.body = w.appendLeads(r.body[:0], order)
	r.body = appendVarint(r.body, value)
	r.body = binary.AppendUvarint(r.body, uint64(len(r.gaps)))
	r.body = r.inner.append(r.body, r.gaps, c)
	r.body = r.inner.append(r.body, r.lengths, c)
	if len(r.literals) > 0 {
		r.body = r.inner.append(r.body, r.literals, c)
	}
	return order, r.body
}

// inAnyRuns returns how many of the residuals are in runs, whatever these are made of.
func inAnyRuns(residuals []int64) int {
	n, begin, value := 0, 0, residuals[0]
	for i, r := range residuals {
		if r == value {
			continue
		}
		if i-begin >= leastRun {
			n += i - begin
		}
		begin, value = i, r
	}
	if run := len(residuals) - begin; run >= leastRun {
		n += run
	}
	return n
}

// inRuns returns how many of the residuals are in runs of value.
func inRuns(residuals []int64, value int64) int {
	n, run := 0, 0
	for _, r := range residuals {
		if r == value {
			run++
			continue
		}
		if run >= leastRun {
			n += run
		}
		run = 0
	}
	if run >= leastRun {
		n += run
	}
	return n
}

// find sets gaps, lengths and literals to what they are for runs of value.
func (r *runWriter) find(residuals []int64, value int64) {
	r.gaps, r.lengths, r.literals = r.gaps[:0], r.lengths[:0], r.literals[:0]
	begin := 0 // of the literals behind the last run
	for i := 0; i < len(residuals); {
		if residuals[i] != value {
			i++
			continue
		}
		end := i + 1
		for end < len(residuals) && residuals[end] == value {
			end++
		}
		if end-i >= leastRun {
			r.gaps = append(r.gaps, int64(i-begin))
			r.lengths = append(r.lengths, int64(end-i-leastRun))
			r.literals = append(r.literals, residuals[begin:i]...)
			begin = end
		}
		i = end
	}
	r.literals = append(r.literals, residuals[begin:]...)
}
