package codec

import (
	"errors"
	"math"
	"math/bits"
)

// Ordered: values of any bits, as integers in the same order, without the low bits that are
// zero in all of them.
//
//	0   1   2
//	+---+----+--------+
//	| 2 | tz | stream |     tz 0 to 60
//	+---+----+--------+
//
// For a float64 of bits b, u is ^b if the sign is set, else b with the top bit set, which
// turns the order of floats into that of unsigned integers. The integer in the stream is
// (u >> tz) - 2^(63-tz). No NaN is touched by a floating-point operation on the way, so all
// bits come back.
const maxZeros = 60

var errZeros = errors.New("no such number of zero bits")

// commonZeros returns how many low bits are zero in all values.
func commonZeros(v []float64) uint {
	all := uint64(1) << maxZeros
	for _, x := range v {
		all |= math.Float64bits(x)
	}
	return uint(bits.TrailingZeros64(all))
}

// orderedInts sets numbers to the integers of v.
func orderedInts(numbers []int64, v []float64, zeros uint) {
	for i, x := range v {
		b := math.Float64bits(x)
		u := b ^ (uint64(int64(b)>>63) | 1<<63)
		numbers[i] = int64(u>>(zeros&63)) - int64(uint64(1)<<(63-zeros))
	}
}

// orderedFloats is the inverse of orderedInts.
func orderedFloats(dst []float64, numbers []int64, zeros uint) {
	numbers = numbers[:len(dst)]
	zeros &= 63
	middle := int64(uint64(1) << (63 - zeros))
	for i := range dst {
		u := uint64(numbers[i]+middle) << zeros
		b := u ^ (^uint64(int64(u)>>63) | 1<<63)
		dst[i] = math.Float64frombits(b >> zeros << zeros)
	}
}
