package aggregate

import "math"

// spread is what the standard deviation is computed from: the mean of count values, and
// square, the sum of the squared distances from it. Both are kept as pairs, hi and lo, so
// that a small deviation from a large mean survives any number of merges.
//
// A square of a float64 has twice its range of exponents, so the numbers are in units of
// 2^(600*unit), unit being -1, 0 or 1, and those of square in units of 2^(1200*unit).
// Almost always unit is 0.
type spread struct {
	count            int64
	mean, meanLow    float64
	square, rounding float64
	unit             int8
}

const (
	tinySquare = 0x1p-900 // below it, squares of distances may have lost digits
	tinyMean   = 0x1p-300 // above it, means that differ at all differ by more than that
)

// spreadOf returns that of values, at least one and none of them NaN. rough is about their
// sum; a bad guess costs time only.
func spreadOf(values []float64, rough float64) spread {
	s := spreadIn(0, values, rough/float64(len(values)))
	if !finite(s.square) {
		return spreadIn(1, values, values[0])
	}
	if s.square < tinySquare && math.Abs(s.mean) < tinyMean && !constant(values) {
		return spreadIn(-1, values, values[0])
	}
	return s
}

// unitScale returns 2^(600*unit).
func unitScale(unit int8) float64 { return [...]float64{0x1p-600, 1, 0x1p600}[unit+1] }

// spreadIn computes it in the given unit from the distances to center, and once more from a
// better center as long as the mean turns out to be far off: then the squares say more of
// that than of the deviation.
func spreadIn(unit int8, values []float64, center float64) spread {
	scale, n := 1/unitScale(unit), float64(len(values))
	center *= scale
	sum, squares := distances(values, scale, center)
	for range 3 {
		if sum*sum <= n*squares/4 || !finite(sum*sum) {
			break
		}
		center += sum / n
		sum, squares = distances(values, scale, center)
	}
	s := spread{count: int64(len(values)), unit: unit, square: max(0, squares-sum*sum/n)}
	s.mean, s.meanLow = twoSum(center, sum/n)
	return s
}

// distances returns the sum of the distances from center and that of their squares.
func distances(values []float64, scale, center float64) (sum, squares float64) {
	var sum2, squares2 float64
	for len(values) >= 2 {
		d, e := values[0]*scale-center, values[1]*scale-center
		sum += d
		sum2 += e
		squares += d * d
		squares2 += e * e
		values = values[2:]
	}
	for _, v := range values {
		d := v*scale - center
		sum += d
		squares += d * d
	}
	return sum + sum2, squares + squares2
}

func constant(values []float64) bool {
	for _, v := range values {
		if v != values[0] {
			return false
		}
	}
	return true
}

// merge adds the values of o.
func (s *spread) merge(o *spread) {
	if o.count == 0 {
		return
	}
	if s.count == 0 {
		*s = *o
		return
	}
	unit := max(s.unit, o.unit)
	m := joined(s.in(unit), o.in(unit))
	switch {
	case unit < 1 && !finite(m.square):
		m = joined(s.in(1), o.in(1))
	case unit == 0 && m.square < tinySquare && math.Abs(m.mean) < tinyMean &&
		(s.square != 0 || o.square != 0 || s.mean != o.mean || s.meanLow != o.meanLow):
		m = joined(s.in(-1), o.in(-1))
	}
	*s = m
}

// in returns s in another unit.
func (s spread) in(unit int8) spread {
	for s.unit != unit {
		scale := 0x1p600
		if s.unit < unit {
			scale = 0x1p-600
			s.unit++
		} else {
			s.unit--
		}
		s.mean *= scale
		s.meanLow *= scale
		s.square *= scale
		s.square *= scale
		s.rounding *= scale
		s.rounding *= scale
	}
	return s
}

// joined returns the spread of the values of both, which are in the same unit: each mean
// is moved to the common one, and the squares grow by what that takes.
func joined(a, b spread) spread {
	n := float64(a.count + b.count)
	share := float64(b.count) / n
	apart := (b.mean - a.mean) + (b.meanLow - a.meanLow)

	m := spread{count: a.count + b.count, unit: a.unit}
	mean, rest := twoSum(a.mean, apart*share)
	rest += a.meanLow
	m.mean = mean + rest
	m.meanLow = rest - (m.mean - mean)

	square, rest := twoSum(a.square, b.square)
	square, rest2 := twoSum(square, apart*apart*share*float64(a.count))
	rest += rest2 + a.rounding + b.rounding
	m.square = square + rest
	m.rounding = rest - (m.square - square)
	return m
}

// deviation returns the standard deviation, NaN if a value was not finite.
func (s *spread) deviation() float64 {
	if !finite(s.square) {
		return math.NaN()
	}
	return math.Sqrt(s.square/float64(s.count)) * unitScale(s.unit)
}
