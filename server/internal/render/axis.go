package render

import (
	"math"
	"strconv"
	"time"
)

// valueAxis maps values to rows of a chart. Each row stands for a round number.
type valueAxis struct {
	low  float64 // value of row 0
	step float64 // between two rows
	rows int     // number of the top row
}

// newValueAxis covers the values from low to high with about the given number of
// rows. All numbers are scaled down where their difference would overflow.
func newValueAxis(low, high float64, rows int) valueAxis {
	span := high/2 - low/2 // half of it, which is always finite
	if span == 0 {
		span = max(math.Abs(low)/20, math.SmallestNonzeroFloat64)
		if low == 0 {
			span = 0.5
		}
		low, high = low-span, high+span
	}
	step := roundStep(span / float64(rows) * 2)
	a := valueAxis{low: math.Floor(low/step) * step, step: step}
	if math.IsInf(a.low, 0) {
		a.low = low
	}
	a.rows = max(1, int(math.Ceil(high/step-a.low/step-1e-9)))
	return a
}

// roundStep returns the least of 1, 2, 2.5 and 5 times a power of ten that is not
// less than x.
func roundStep(x float64) float64 {
	if x < 1e-300 {
		return 1e-300
	}
	power := math.Pow(10, math.Floor(math.Log10(x)))
	for _, m := range []float64{1, 2, 2.5, 5} {
		if m*power >= x*(1-1e-9) {
			return m * power
		}
	}
	return 10 * power
}

// height returns where v lies, in rows from the bottom.
func (a valueAxis) height(v float64) float64 {
	return min(max(v/a.step-a.low/a.step, 0), float64(a.rows))
}

// value returns what a row stands for.
func (a valueAxis) value(row float64) float64 {
	v := (a.low/a.step + row) * a.step
	return max(min(v, math.MaxFloat64), -math.MaxFloat64)
}

// label returns the value of a row as text.
func (a valueAxis) label(row float64) string {
	v := a.value(math.Round(row))
	if math.Abs(v) < a.step/2 {
		v = 0
	}
	top := max(math.Abs(a.low), math.Abs(a.value(float64(a.rows))))
	if top >= 1e18 || top < 1e-3 {
		return strconv.FormatFloat(v, 'g', 4, 64)
	}
	divisor, suffix := scaleOf(top)
	decimals := 0
	for unit := a.step / divisor; decimals < 6 && math.Abs(unit-math.Round(unit)) > 1e-6*unit; unit *= 10 {
		decimals++
	}
	return strconv.FormatFloat(v/divisor, 'f', decimals, 64) + suffix
}

// scaleOf returns the divisor, and the letter for it, that keep a number up to top
// short.
func scaleOf(top float64) (float64, string) {
	switch {
	case top >= 1e15:
		return 1e15, "P"
	case top >= 1e12:
		return 1e12, "T"
	case top >= 1e9:
		return 1e9, "G"
	case top >= 1e6:
		return 1e6, "M"
	case top >= 1e4:
		return 1e3, "k"
	}
	return 1, ""
}

// brief returns a value with four digits, for a legend.
func brief(v float64) string {
	magnitude := math.Abs(v)
	if magnitude != 0 && (magnitude >= 1e18 || magnitude < 1e-3) {
		return strconv.FormatFloat(v, 'g', 4, 64)
	}
	divisor, suffix := scaleOf(magnitude)
	v, magnitude = v/divisor, magnitude/divisor
	decimals := 3
	for magnitude >= 10 && decimals > 0 {
		magnitude /= 10
		decimals--
	}
	text := strconv.FormatFloat(v, 'f', decimals, 64)
	if decimals > 0 {
		for text[len(text)-1] == '0' {
			text = text[:len(text)-1]
		}
		if text[len(text)-1] == '.' {
			text = text[:len(text)-1]
		}
	}
	return text + suffix
}

// timeFormat returns the layout of the labels under a chart of that span, and their
// width.
func timeFormat(span uint64) (layout string, width int) {
	switch d := time.Duration(min(span, math.MaxInt64)); {
	case d < 10*time.Microsecond:
		layout = "15:04:05.000000000"
	case d < 10*time.Millisecond:
		layout = "15:04:05.000000"
	case d < 10*time.Second:
		layout = "15:04:05.000"
	case d < time.Hour:
		layout = "15:04:05"
	case d < 24*time.Hour:
		layout = "15:04"
	case d < 60*24*time.Hour:
		layout = "01-02 15:04"
	default:
		layout = "2006-01-02"
	}
	return layout, len(layout)
}
