package codec

import (
	"math"
	"math/bits"
)

// commonFactor returns the greatest common divisor of the distances of all numbers to the
// first. If it is 1, or they lie too far apart to be divided as int64, it returns 0.
func commonFactor(numbers []int64) uint64 {
	first := numbers[0]
	least, most := first, first
	var d divisor
	for _, n := range numbers[1:] {
		least, most = min(least, n), max(most, n)
		distance := uint64(n) - uint64(first)
		if n < first {
			distance = -distance
		}
		if distance == 0 || d.value != 0 && d.divides(distance) {
			continue
		}
		if d = newDivisor(greatest(d.value, distance)); d.value == 1 {
			return 0
		}
	}
	if uint64(most)-uint64(least) >= 1<<62 {
		return 0
	}
	return d.value
}

// greatest returns the greatest common divisor of a and b; that of 0 and b is b.
func greatest(a, b uint64) uint64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// divisor is a number by which others are divided without a division: what is odd of it has
// an inverse among the integers modulo 2^64, and a number is a multiple of it if the product
// of both is no larger than a quotient can be.
type divisor struct {
	value   uint64
	zeros   int    // low bits of value that are 0
	inverse uint64 // of value without them
	most    uint64 // quotient of a number that is not negative
}

func newDivisor(value uint64) divisor {
	zeros := bits.TrailingZeros64(value)
	odd := value >> zeros
	inverse := odd // to 3 bits; each step doubles them
	for range 5 {
		inverse *= 2 - odd*inverse
	}
	return divisor{value: value, zeros: zeros, inverse: inverse, most: math.MaxUint64 / odd}
}

func (d *divisor) divides(n uint64) bool {
	return n&(1<<(d.zeros&63)-1) == 0 && n>>(d.zeros&63)*d.inverse <= d.most
}

// divide sets quotients to the distances of numbers to the first one, over factor, which
// divides them all.
func divide(quotients, numbers []int64, factor uint64) {
	d := newDivisor(factor)
	first, zeros, inverse := numbers[0], d.zeros&63, int64(d.inverse)
	quotients = quotients[:len(numbers)]
	for i, n := range numbers {
		quotients[i] = (n - first) >> zeros * inverse
	}
}
