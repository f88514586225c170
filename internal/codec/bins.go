package codec

import (
	"math"
	"math/bits"
	"slices"
)

// Bins are found in two steps. Residuals are counted by classes of how far they lie from
// their middle, narrow ones near it and four to each power of two farther out. Then
// neighbouring classes are merged into the bins that take the fewest bits, tables included.
const (
	exactClasses = 16 // distances below, a class each
	sideClasses  = exactClasses + 60*4
	classes      = 2 * sideClasses
	mostClasses  = 96 // in use, for merging; at most maxBins. More are merged two by two before
)

// class is the residuals of a class, or of several that stand together.
type class struct {
	low, high int64
	count     int
	last      int // number of the last class that it covers
}

// binWriter is the memory for finding bins.
type binWriter struct {
	counted [classes]class
	present [classes / 64]uint64 // bit k: class k has residuals
	used    []class
	classOf []uint16 // of each residual
	bins    []class
	binOf   [classes]uint8 // bin of a class
}

// side returns the class of a distance to the middle, on one side of it.
func side(distance uint64) int {
	if distance < exactClasses {
		return int(distance)
	}
	n := bits.Len64(distance)
	return exactClasses + (n-5)*4 + int(distance>>(n-3)&3)
}

// count sorts the residuals into classes of how far they lie from middle.
func (b *binWriter) count(residuals []int64, middle int64) {
	b.present = [classes / 64]uint64{}
	b.classOf = resized(b.classOf, len(residuals))
	for i, r := range residuals {
		var k int
		if r >= middle {
			k = sideClasses + side(uint64(r)-uint64(middle))
		} else {
			k = sideClasses - 1 - side(uint64(middle)-uint64(r)-1)
		}
		b.classOf[i] = uint16(k)
		c, bit := &b.counted[k], uint64(1)<<(k&63)
		if b.present[k>>6]&bit == 0 {
			b.present[k>>6] |= bit
			*c = class{r, r, 0, k}
		}
		c.low, c.high = min(c.low, r), max(c.high, r)
		c.count++
	}
	b.used = b.used[:0]
	for i, word := range b.present {
		for ; word != 0; word &= word - 1 {
			b.used = append(b.used, b.counted[64*i+bits.TrailingZeros64(word)])
		}
	}
	for len(b.used) > mostClasses {
		b.used = halved(b.used)
	}
}

// halved merges each two neighbours, unless they are so far apart that no bin could hold
// both.
func halved(used []class) []class {
	out := used[:0]
	for i := 0; i < len(used); i++ {
		c := used[i]
		if i+1 < len(used) && uint64(used[i+1].high)-uint64(c.low) < 1<<63 {
			i++
			c.high, c.last = used[i].high, used[i].last
			c.count += used[i].count
		}
		out = append(out, c)
	}
	return out
}

// find sets bins to the cheapest ones of all residuals, of which middle is one, for so many
// states, and returns about how many bits they all take. If that is surely more than limit
// it only says so. No bin has more than 63 bits, since no class has.
func (b *binWriter) find(residuals []int64, middle int64, stateBits uint, limit int) int {
	b.count(residuals, middle)
	if least := b.leastBits(len(residuals)); least > limit {
		return least
	}
	const (
		tableBits = widthBits + 3 // of a bin, beside its weight and what follows
		nearBits  = 8             // of a distance, which is mostly that short; those of noise are not
	)
	var cost [mostClasses + 1]int64 // of what is before a class
	var head [mostClasses + 1]int64 // that, and the head of a bin which begins there
	var from [mostClasses + 1]int
	head[0] = int64(stateBits+tableBits) << logShift
	all, most := logarithm(uint64(len(residuals))), int64(stateBits)<<logShift
	for j := 1; j <= len(b.used); j++ {
		cost[j] = math.MaxInt64
		high, count := b.used[j-1].high, 0
		for i := j - 1; i >= 0; i-- {
			count += b.used[i].count
			width := bits.Len64(uint64(high) - uint64(b.used[i].low))
			if width == 64 {
				break
			}
			each := min(all-logarithm(uint64(count)), most) + int64(width)<<logShift
			if c := head[i] + int64(count)*each; c < cost[j] {
				cost[j], from[j] = c, i
			}
		}
		if j < len(b.used) {
			distance := uint64(b.used[j].low) - uint64(b.used[from[j]].low)
			far := max(bits.Len64(distance), nearBits) - nearBits
			head[j] = cost[j] + int64(stateBits+tableBits+uint(far))<<logShift
		}
	}
	b.bins = b.bins[:0]
	for j := len(b.used); j > 0; j = from[j] {
		c := b.used[from[j]]
		for _, more := range b.used[from[j]+1 : j] {
			c.high, c.last = more.high, more.last
			c.count += more.count
		}
		b.bins = append(b.bins, c)
	}
	slices.Reverse(b.bins)
	b.index()
	return int(cost[len(b.used)] >> logShift)
}

// leastBits returns how many bits the residuals take at least, whatever their bins, the
// tables left out: as many as if each class were as narrow as what is in it. Merging makes
// that no less.
func (b *binWriter) leastBits(residuals int) int {
	all, sum := logarithm(uint64(residuals)), int64(0)
	for i := range b.used {
		c := &b.used[i]
		sum += int64(c.count) * (all - logarithm(uint64(c.count)) + logarithm(uint64(c.high)-uint64(c.low)+1))
	}
	return int(sum >> logShift)
}

// index sets binOf.
func (b *binWriter) index() {
	k := 0
	for i, bin := range b.bins {
		for ; k <= bin.last; k++ {
			b.binOf[k] = uint8(i)
		}
	}
}

// Logarithms to base 2 are in units of 1/1024: sums of integers are the same on every
// machine, and so are the bins.
const (
	logShift    = 10
	logExact    = 512
	logMantissa = 9
)

var logTable = func() (table [logExact]int64) {
	for i := 1; i < logExact; i++ {
		table[i] = int64(math.Round(math.Log2(float64(i)) * (1 << logShift)))
	}
	return table
}()

// logarithm returns the logarithm of n, at least 1; beyond the table by its first bits.
func logarithm(n uint64) int64 {
	if n < logExact {
		return logTable[n]
	}
	shift := bits.Len64(n) - logMantissa
	return logTable[n>>shift] + int64(shift)<<logShift
}
