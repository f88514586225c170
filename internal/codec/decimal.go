package codec

import (
	"encoding/binary"
	"errors"
	"math"
)

// Decimals: values that are integers over one power of ten.
//
//	0   1   2
//	+---+---+------------+--------+
//	| 1 | e | exceptions | stream |
//	+---+---+------------+--------+
//
//	e, bits 0-6  exponent, 0 to 14: a value is its integer over 10^e
//	e, bit  7    so is integer * 10^(14-e) * 1e-14 for all of them but the exceptions, and
//	             that is faster
//
// Values that are none of this are exceptions. They are there if bit 7 of the first byte is
// set:
//
//	+---+-----+------+-----
//	| X | gap | bits | ...     X and X gaps, varints; then X times 8 bytes
//	+---+-----+------+-----
//
// with 1 <= X <= count and, for each, how many values are between it and the one before. In
// the stream an exception is what stands before it, which costs next to nothing.
const (
	maxExponent   = 14
	quickFlag     = 1 << 7
	exceptionFlag = 1 << 7

	// Products beyond are not converted: what becomes of them is up to the processor.
	maxProduct = 9e18
	// Above exponent 0, integers up to this size are all float64.
	maxExact = 1 << 53

	leastForSample  = 64 // values: to try fewer of them takes no longer than to sample
	sampledValues   = 24
	misfitsPart     = 4  // finite values that are no decimals are at most this part
	exceptionsPart  = 12 // exceptions are at most this part of the values
	exceptionsExtra = 2  // and so many more
)

var (
	errExponent   = errors.New("no such exponent")
	errExceptions = errors.New("exceptions do not fit the column")
)

// powers[e] is 10^e, exactly.
var powers = [maxExponent + 1]float64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14}

// decimal returns the integer that is v at the exponent, to the bit. A negative zero and
// what is not finite have none.
func decimal(v float64, exponent int) (n int64, ok bool) {
	x := v * powers[exponent]
	if !(x > -maxProduct && x < maxProduct) {
		return 0, false
	}
	n = int64(math.RoundToEven(x))
	return n, math.Float64bits(float64(n)/powers[exponent]) == math.Float64bits(v)
}

// leastExponent returns the least exponent from the given one on at which v is decimal.
func leastExponent(v float64, from int) (exponent int, ok bool) {
	if math.Abs(v) > math.MaxFloat64 || v != v {
		return 0, false // would not be found at any
	}
	for e := from; e <= maxExponent; e++ {
		if n, ok := decimal(v, e); ok {
			return e, e == 0 || n <= maxExact && n >= -maxExact
		}
	}
	return 0, false
}

// decimals is a column of decimals, and the memory for it.
type decimals struct {
	exponent   int
	numbers    []int64
	exceptions []int // indices, rising
}

// fit sets all fields to what they are for v. It reports false if v is better stored
// otherwise.
func (d *decimals) fit(v []float64) bool {
	d.exponent = 0
	if len(v) >= leastForSample {
		likely, ok := sampledExponent(v)
		if !ok {
			return false
		}
		d.exponent = likely
	}
	for {
		larger, ok := d.try(v)
		if larger == 0 {
			return ok
		}
		d.exponent = larger
	}
}

// sampledExponent returns an exponent at which some of the values are all decimal. Too
// many that are not make it fail.
func sampledExponent(v []float64) (exponent int, ok bool) {
	n, misfits := min(len(v), sampledValues), 0
	for i := range n {
		x := v[i*len(v)/n]
		if math.Abs(x) > math.MaxFloat64 || x != x {
			continue
		}
		if e, ok := leastExponent(x, exponent); ok {
			exponent = e
			continue
		}
		// Division by a larger power may fail where a smaller one does not.
		if exponent > 0 {
			if _, ok := leastExponent(x, 0); ok {
				continue
			}
		}
		if misfits++; misfits*misfitsPart > n {
			return 0, false
		}
	}
	return exponent, true
}

// try sets numbers and exceptions. If a value needs a larger exponent it returns that.
func (d *decimals) try(v []float64) (larger int, ok bool) {
	d.numbers = resized(d.numbers, len(v))
	d.exceptions = d.exceptions[:0]
	before, misfits := int64(0), 0
	for i, x := range v {
		n, ok := decimal(x, d.exponent)
		if !ok {
			if e, ok := leastExponent(x, d.exponent+1); ok {
				return e, false
			}
			if finite := x-x == 0; finite {
				misfits++
			}
			if len(d.exceptions) >= len(v)/exceptionsPart+exceptionsExtra || misfits*misfitsPart > len(v) {
				return 0, false
			}
			d.exceptions = append(d.exceptions, i)
			n = before
		}
		before = n
		d.numbers[i] = n
	}
	// In front of the first number there is none to repeat: those take that one.
	first := 0
	for first < len(d.exceptions) && d.exceptions[first] == first {
		first++
	}
	if first < len(v) {
		for i := range first {
			d.numbers[i] = d.numbers[first]
		}
	}
	return 0, true
}

// quick reports whether two multiplications give every value but the exceptions.
func (d *decimals) quick(v []float64) bool {
	if d.exponent == 0 {
		return false // no division to be saved
	}
	exceptions := d.exceptions
	for i, x := range v {
		if math.Float64bits(float64(d.numbers[i])*powers[maxExponent-d.exponent]*1e-14) == math.Float64bits(x) {
			continue
		}
		for len(exceptions) > 0 && exceptions[0] < i {
			exceptions = exceptions[1:]
		}
		if len(exceptions) == 0 || exceptions[0] != i {
			return false
		}
	}
	return true
}

// appendHead appends all but the stream.
func (d *decimals) appendHead(dst []byte, v []float64) []byte {
	mode, exponent := byte(modeDecimal), byte(d.exponent)
	if d.quick(v) {
		exponent |= quickFlag
	}
	if len(d.exceptions) == 0 {
		return append(dst, mode, exponent)
	}
	dst = append(dst, mode|exceptionFlag, exponent)
	dst = binary.AppendUvarint(dst, uint64(len(d.exceptions)))
	before := -1
	for _, i := range d.exceptions {
		dst = binary.AppendUvarint(dst, uint64(i-before-1))
		before = i
	}
	for _, i := range d.exceptions {
		dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(v[i]))
	}
	return dst
}

// exceptions is where those of a column stand.
type exceptions struct {
	count int
	gaps  cursor
	bits  int // offset of the first 8 bytes
}

// read checks all of them and moves c behind them.
func (x *exceptions) read(c *cursor, values int) error {
	count, err := c.uvarint()
	if err != nil {
		return err
	}
	if count < 1 || count > uint64(values) {
		return errExceptions
	}
	x.count, x.gaps = int(count), *c
	free := values - x.count
	for range x.count {
		gap, err := c.uvarint()
		if err != nil {
			return err
		}
		if gap > uint64(free) {
			return errExceptions
		}
		free -= int(gap)
	}
	x.bits = c.pos
	if c.left()/8 < x.count {
		return errShort
	}
	c.pos += 8 * x.count
	return nil
}

// put puts them where they belong, after read found them sound.
func (x *exceptions) put(dst []float64) {
	at := 0
	for i := range x.count {
		gap, err := x.gaps.uvarint()
		if err != nil {
			return
		}
		at += int(gap)
		dst[at] = math.Float64frombits(word(x.gaps.src, x.bits+8*i))
		at++
	}
}

// decimalFloats turns integers into values.
func decimalFloats(dst []float64, numbers []int64, exponent int, quick bool) {
	numbers = numbers[:len(dst)]
	switch {
	case exponent == 0:
		for i := range dst {
			dst[i] = float64(numbers[i])
		}
	case quick:
		// Each product is rounded by itself: two operations that no compiler may fuse.
		power := powers[maxExponent-exponent]
		for i := range dst {
			dst[i] = float64(numbers[i]) * power * 1e-14
		}
	default:
		power := powers[exponent]
		for i := range dst {
			dst[i] = float64(numbers[i]) / power
		}
	}
}
