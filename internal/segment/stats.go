package segment

import (
	"encoding/binary"
	"errors"
	"math"
)

// Statistics of a block in the index of a pack, in one of two forms.
//
//	decimal  +----------+-----+-----+-------+------+-----+------+
//	         | exponent | min | max | first | last | sum | drop |   zigzag varints n that
//	         | u8       |     |     |       |      |     |      |   stand for n / 10^exponent
//	         +----------+-----+-----+-------+------+-----+------+
//
//	raw      +-----+-----+-------+------+-----+------+
//	         | min | max | first | last | sum | drop |              the bits of a float64
//	         | u64 | u64 | u64   | u64  | u64 | u64  |
//	         +-----+-----+-------+------+-----+------+
//
//	exponent  0 to 14; the magnitude of n is at most 2^53
//
// Written is the decimal form, in the exponent in which the block's values are stored, if
// that gives back all six bit by bit and is the shorter one. Pinned by testdata/pack.golden,
// testdata/pack-codec1.golden and testdata/pack-entry.golden.
const (
	statsNone    = 0
	statsDecimal = 1
	statsRaw     = 2

	minStatsPoints = 64 // of a block that has statistics
	maxExponent    = 14
	maxDecimal     = 1 << 53
	rawStatsBytes  = 6 * 8
)

var errStats = errors.New("no such statistics")

// powers[e] is 10^e, exactly.
var powers = [maxExponent + 1]float64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14}

// Stats are what is known of the values of a block without decoding it. All are finite.
type Stats struct {
	Min, Max    float64 // of equal ones, such as 0 and -0, the first
	First, Last float64
	// Sum is that of all values, Drop that of those that a smaller one follows, in order of
	// time, as Neumaier adds: to the last digit as a rule, so that those of decimals are
	// decimals. In blocks of value codec 1 the terms of Drop were simply added.
	Sum, Drop float64
}

// statsOf returns the statistics of values. Too few values, or any that are not finite
// or do not add up to something finite, have none.
func statsOf(values []float64) (s Stats, ok bool) {
	if len(values) < minStatsPoints {
		return Stats{}, false
	}
	prev := values[0]
	least, most := prev, prev
	sum, sumLost, drop, dropLost := prev, 0.0, 0.0, 0.0
	for _, v := range values[1:] {
		sum, sumLost = added(sum, sumLost, v)
		fell := math.Float64bits(prev)
		if !(v < prev) {
			fell = 0 // and added all the same: whether a gauge falls cannot be predicted
		}
		drop, dropLost = added(drop, dropLost, math.Float64frombits(fell))
		if v < least {
			least = v
		}
		if v > most {
			most = v
		}
		prev = v
	}
	s = Stats{Min: least, Max: most, First: values[0], Last: prev, Sum: sum + sumLost, Drop: drop + dropLost}
	if !finite(s.Sum) || !finite(s.Drop) {
		return Stats{}, false // a NaN or an infinity among the values ends here, too
	}
	return s, true
}

// added adds v to a sum, and what that loses to what was lost before: the same as Neumaier,
// who asks first which of the two is the larger.
func added(sum, lost, v float64) (float64, float64) {
	t := sum + v
	part := t - sum
	return t, lost + ((sum - (t - part)) + (v - part))
}

// statsOf1 returns the statistics of the values of a block of value codec 1.
func statsOf1(values []float64) (s Stats, ok bool) {
	if s, ok = statsOf(values); !ok {
		return s, false
	}
	s.Drop = 0
	for i, v := range values[1:] {
		if v < values[i] {
			s.Drop += values[i]
		}
	}
	return s, finite(s.Drop)
}

func finite(v float64) bool { return math.Abs(v) <= math.MaxFloat64 }

// fields returns the places of all six in the order in which they are stored.
func (s *Stats) fields() [6]*float64 {
	return [...]*float64{&s.Min, &s.Max, &s.First, &s.Last, &s.Sum, &s.Drop}
}

// appendStats appends the statistics of a block in the shortest form, which it returns.
// Its values are stored in the given exponent, in none if that is negative.
func appendStats(dst []byte, s *Stats, exponent int) (_ []byte, form byte) {
	at := len(dst)
	if n, ok := s.decimals(exponent); ok {
		if dst = appendDecimalStats(dst, exponent, n); len(dst)-at < rawStatsBytes {
			return dst, statsDecimal
		}
	}
	return appendRawStats(dst[:at], s), statsRaw
}

// decimals returns the numbers that stand for s in the given exponent, if they do.
func (s *Stats) decimals(exponent int) (n [6]int64, ok bool) {
	if exponent < 0 {
		return n, false
	}
	power := powers[exponent]
	for i, v := range s.fields() {
		x := math.RoundToEven(*v * power)
		if !(math.Abs(x) <= maxDecimal) || math.Float64bits(x/power) != math.Float64bits(*v) || x == 0 && math.Signbit(x) {
			return n, false
		}
		n[i] = int64(x)
	}
	return n, true
}

func appendDecimalStats(dst []byte, exponent int, n [6]int64) []byte {
	dst = append(dst, byte(exponent))
	for _, v := range n {
		dst = binary.AppendVarint(dst, v)
	}
	return dst
}

func appendRawStats(dst []byte, s *Stats) []byte {
	for _, v := range s.fields() {
		dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(*v))
	}
	return dst
}

// decodeStats reads the statistics of the block in the given form.
func (b *PackBlock) decodeStats(c *cursor, form byte) error {
	b.HasStats = form != statsNone
	switch form {
	case statsNone:
		return nil
	case statsDecimal:
		exponent := c.byte()
		if exponent > maxExponent {
			return errStats
		}
		for _, v := range b.Stats.fields() {
			n := c.varint()
			if n < -maxDecimal || n > maxDecimal {
				return errStats
			}
			*v = float64(n) / powers[exponent]
		}
	case statsRaw:
		for _, v := range b.Stats.fields() {
			*v = math.Float64frombits(c.uint64())
			if !finite(*v) {
				return errStats
			}
		}
	default:
		return errFlags
	}
	if c.bad {
		return errEntryEnd
	}
	if b.Count < minStatsPoints {
		return errStats
	}
	return nil
}
