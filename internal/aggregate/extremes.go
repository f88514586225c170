package aggregate

// least returns the least of m and values, of equal ones the first. m may be NaN, values
// may not. It looks at every fourth value in turn: no comparison waits for the one before.
func least(m float64, values []float64) float64 {
	a, v := values[0], values
	if len(v) >= 8 {
		b, c, d := v[1], v[2], v[3]
		for len(v) >= 4 {
			if v[0] < a {
				a = v[0]
			}
			if v[1] < b {
				b = v[1]
			}
			if v[2] < c {
				c = v[2]
			}
			if v[3] < d {
				d = v[3]
			}
			v = v[4:]
		}
		a = min(a, b, c, d)
	}
	for _, x := range v {
		if x < a {
			a = x
		}
	}
	if a == 0 {
		a = firstZero(values)
	}
	if m != m || a < m {
		return a
	}
	return m
}

// greatest is least for the greatest.
func greatest(m float64, values []float64) float64 {
	a, v := values[0], values
	if len(v) >= 8 {
		b, c, d := v[1], v[2], v[3]
		for len(v) >= 4 {
			if v[0] > a {
				a = v[0]
			}
			if v[1] > b {
				b = v[1]
			}
			if v[2] > c {
				c = v[2]
			}
			if v[3] > d {
				d = v[3]
			}
			v = v[4:]
		}
		a = max(a, b, c, d)
	}
	for _, x := range v {
		if x > a {
			a = x
		}
	}
	if a == 0 {
		a = firstZero(values)
	}
	if m != m || a > m {
		return a
	}
	return m
}

// firstZero returns the first of values that is 0 or -0, which no comparison tells apart.
func firstZero(values []float64) float64 {
	for _, v := range values {
		if v == 0 {
			return v
		}
	}
	return 0
}
