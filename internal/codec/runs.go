package codec

import "errors"

// Runs: one residual that often comes many times over is cut out.
//
//	+-------+---+------+---------+----------+
//	| value | R | gaps | lengths | literals |
//	+-------+---+------+---------+----------+
//
//	value     the residual that runs are made of; zigzag varint
//	R         how many runs, at least 1; varint
//	gaps      stream of R integers: the literals between a run and the one before
//	lengths   stream of R integers: how long each run is, less 12
//	literals  stream of all other residuals; absent if there are none
//
// The three are not made of runs themselves. Shorter runs are among the literals: cutting
// them out would take more than it saves. The order is 0 or 1.
const (
	leastRun = 12
	mostRuns = MaxPoints / leastRun
)

var (
	errRuns = errors.New("more runs than there is room for")
	errGap  = errors.New("no such length of a run, or between two")
)

// runs is how far a stream of runs has been read.
type runs struct {
	header streamHeader
	lead   bool  // the first number has not been given out
	number int64 // given out last; in order 1
	value  int64

	// gap | length-12 << 16; a column is too short for either to need more.
	pairs    [mostRuns]uint32
	n, at    int
	literals int // before the next run, not given out
	run      int // of the run behind them
	rest     int // literals behind the last run
}

func (s *stream) openRuns(count int) error {
	r := &s.runs
	var err error
	r.number, r.lead = 0, r.header.order == 1
	if r.lead {
		if r.number, err = s.varint(); err != nil {
			return err
		}
		count--
	}
	if r.value, err = s.varint(); err != nil {
		return err
	}
	n, err := s.uvarint()
	if err != nil {
		return err
	}
	if n < 1 || n > uint64(count/leastRun) {
		return errRuns
	}
	r.n, r.at = int(n), 0
	if r.rest, err = s.readPairs(count); err != nil {
		return err
	}
	literals := r.rest
	for _, pair := range r.pairs[:n] {
		literals += int(pair & 0xffff)
	}
	r.turn()
	if literals == 0 {
		return nil
	}
	return s.openInner(literals)
}

// openInner opens a stream within that of runs.
func (s *stream) openInner(count int) error {
	var h streamHeader
	if err := h.read(&s.cursor); err != nil {
		return err
	}
	if h.kind == kindRuns {
		return errHeader
	}
	return s.plain.open(h, count)
}

// readPairs reads gaps and lengths, which must leave room for each other among count
// residuals, and returns how many are behind the last run.
func (s *stream) readPairs(count int) (rest int, err error) {
	pairs := s.runs.pairs[:s.runs.n]
	rest = count - leastRun*len(pairs)
	for _, shift := range []int{0, 16} {
		if err := s.openInner(len(pairs)); err != nil {
			return 0, err
		}
		var some [64]int64
		for from := 0; from < len(pairs); from += len(some) {
			part := pairs[from:min(from+len(some), len(pairs))]
			if err := s.plain.next(some[:len(part)]); err != nil {
				return 0, err
			}
			for i, n := range some[:len(part)] {
				if n < 0 || n > int64(rest) {
					return 0, errGap
				}
				rest -= int(n)
				if shift == 0 {
					part[i] = uint32(n)
				} else {
					part[i] |= uint32(n) << shift
				}
			}
		}
	}
	return rest, nil
}

// turn goes on to the next run and the literals before it, or to those behind the last.
func (r *runs) turn() {
	if r.at == r.n {
		r.literals, r.rest = r.rest, 0
		return
	}
	pair := r.pairs[r.at]
	r.at++
	r.literals, r.run = int(pair&0xffff), int(pair>>16)+leastRun
}

func (s *stream) nextOfRuns(out []int64) error {
	r := &s.runs
	all := out
	if r.lead && len(out) > 0 {
		out[0] = r.number
		r.lead = false
		out = out[1:]
	}
	for len(out) > 0 {
		if r.literals == 0 && r.run == 0 {
			r.turn()
		}
		if k := min(r.literals, len(out)); k > 0 {
			if err := s.plain.next(out[:k]); err != nil {
				return err
			}
			r.sum(out[:k])
			r.literals -= k
			out = out[k:]
		}
		if k := min(r.run, len(out)); k > 0 && r.literals == 0 {
			r.repeat(out[:k])
			r.run -= k
			out = out[k:]
		}
	}
	r.header.apply(all)
	return nil
}

// sum turns residuals into numbers.
func (r *runs) sum(out []int64) {
	if r.header.order == 0 {
		return
	}
	number := r.number
	for i, x := range out {
		number += x
		out[i] = number
	}
	r.number = number
}

// repeat fills out with the numbers of a run.
func (r *runs) repeat(out []int64) {
	if r.header.order == 0 {
		for i := range out {
			out[i] = r.value
		}
		return
	}
	number := r.number
	for i := range out {
		number += r.value
		out[i] = number
	}
	r.number = number
}
