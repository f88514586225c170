package aggregate

// total is a sum that forgets nothing of what it adds, but for some 2^-100 of the largest
// number: its value is the exact sum of hi and lo, rounded. It overflows only if its value
// does, since it goes over to a larger unit where hi would; what infinities and NaN add up
// to is in hi, and lo is 0 then.
type total struct {
	hi, lo float64
	large  bool // both are in units of largeUnit
}

// largeUnit is a power of two: changing over to it is exact, but for digits far below
// those that an overflowing sum can keep.
const largeUnit = 0x1p600

// twoSum returns the rounded sum of a and b, and exactly what rounding took from it.
func twoSum(a, b float64) (sum, rest float64) {
	sum = a + b
	t := sum - a
	return sum, (a - (sum - t)) + (b - t)
}

func finite(v float64) bool { return v-v == 0 }

// add adds x to t.
func (t *total) add(x total) {
	if t.large == x.large {
		hi, rest := twoSum(t.hi, x.hi)
		rest += t.lo + x.lo
		if sum := hi + rest; finite(sum) {
			t.hi, t.lo = sum, rest-(sum-hi)
			return
		}
	}
	t.addLarge(x)
}

// addLarge is add where a unit has to change, or where something is not finite.
func (t *total) addLarge(x total) {
	if !finite(t.hi) || !finite(x.hi) {
		*t = total{hi: t.hi + x.hi}
		return
	}
	t.enlarge()
	x.enlarge()
	hi, rest := twoSum(t.hi, x.hi)
	rest += t.lo + x.lo
	t.hi = hi + rest
	t.lo = rest - (t.hi - hi)
}

func (t *total) enlarge() {
	if !t.large {
		*t = total{t.hi / largeUnit, t.lo / largeUnit, true}
	}
}

// over returns the value of t divided by d.
func (t *total) over(d float64) float64 {
	v := (t.hi + t.lo) / d
	if t.large {
		v *= largeUnit
	}
	return v
}

// value returns the sum.
func (t *total) value() float64 { return t.over(1) }

// sumOf returns the sum of values.
func sumOf(values []float64) total {
	var t total
	v := values
	if len(v) >= 16 {
		t, v = sumOfLanes(v)
	}
	hi, lo := t.hi, t.lo
	for _, x := range v {
		sum, rest := twoSum(hi, x)
		hi, lo = sum, lo+rest
	}
	if finite(hi + lo) {
		return total{hi: hi, lo: lo}
	}
	t = total{}
	for _, x := range values {
		t.add(total{hi: x})
	}
	return t
}

// sumOfLanes adds in four lanes, since each addition waits for the one before it; four are
// as many as the processor can have under way. It leaves a rest of less than four values.
// If something overflows the result is not finite.
func sumOfLanes(v []float64) (t total, rest []float64) {
	var hi0, hi1, hi2, hi3, lo0, lo1, lo2, lo3 float64
	for len(v) >= 4 {
		sum, rest := twoSum(hi0, v[0])
		hi0, lo0 = sum, lo0+rest
		sum, rest = twoSum(hi1, v[1])
		hi1, lo1 = sum, lo1+rest
		sum, rest = twoSum(hi2, v[2])
		hi2, lo2 = sum, lo2+rest
		sum, rest = twoSum(hi3, v[3])
		hi3, lo3 = sum, lo3+rest
		v = v[4:]
	}
	hi01, rest01 := twoSum(hi0, hi1)
	hi23, rest23 := twoSum(hi2, hi3)
	hi, rest0 := twoSum(hi01, hi23)
	return total{hi: hi, lo: ((lo0 + lo1) + (lo2 + lo3)) + (rest0 + rest01 + rest23)}, v
}

// roughSum returns the sum of values as it comes, in a fifth of the time. It is NaN if one
// of them is.
func roughSum(values []float64) float64 {
	var a, b, c, d float64
	for len(values) >= 4 {
		a += values[0]
		b += values[1]
		c += values[2]
		d += values[3]
		values = values[4:]
	}
	for _, x := range values {
		a += x
	}
	return (a + b) + (c + d)
}
