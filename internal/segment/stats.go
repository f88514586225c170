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
// Blocks of value codec 1 have the raw form. Pinned by testdata/pack.golden and
// testdata/pack-entry.golden.
const (
	statsNone    = 0
	statsDecimal = 1
	statsRaw     = 2

	minStatsPoints = 64 // of a block that has statistics
	maxExponent    = 14
	maxDecimal     = 1 << 53
)

var errStats = errors.New("no such statistics")

// powers[e] is 10^e, exactly.
var powers = [maxExponent + 1]float64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14}

// Stats are what is known of the values of a block without decoding it. All are finite.
type Stats struct {
	Min, Max    float64 // of equal ones, such as 0 and -0, the first
	First, Last float64
	Sum         float64 // in order of time, as Neumaier adds
	Drop        float64 // sum of the values that a smaller one follows, in order of time
}

// statsOf returns the statistics of values. Too few values, or any that are not finite
// or do not add up to something finite, have none.
func statsOf(values []float64) (s Stats, ok bool) {
	if len(values) < minStatsPoints {
		return Stats{}, false
	}
	prev := values[0]
	s = Stats{Min: prev, Max: prev, First: prev}
	sum, rest := prev, 0.0
	for _, v := range values[1:] {
		// Neumaier: what a sum loses is that of the smaller magnitude.
		t := sum + v
		if math.Abs(sum) >= math.Abs(v) {
			rest += (sum - t) + v
		} else {
			rest += (v - t) + sum
		}
		sum = t
		if v < s.Min {
			s.Min = v
		}
		if v > s.Max {
			s.Max = v
		}
		if v < prev {
			s.Drop += prev
		}
		prev = v
	}
	s.Last, s.Sum = prev, sum+rest
	if !finite(s.Sum) || !finite(s.Drop) {
		return Stats{}, false // a NaN or an infinity among the values ends here, too
	}
	return s, true
}

func finite(v float64) bool { return math.Abs(v) <= math.MaxFloat64 }

// fields returns the places of all six in the order in which they are stored.
func (s *Stats) fields() [6]*float64 {
	return [...]*float64{&s.Min, &s.Max, &s.First, &s.Last, &s.Sum, &s.Drop}
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
