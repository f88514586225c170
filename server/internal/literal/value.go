package literal

import (
	"errors"
	"math"
	"strconv"
	"strings"
)

// Errors of ParseValue, without the text that caused them, see ErrTimeSyntax.
var (
	ErrValueSyntax = errors.New(`not a number: want a decimal number, "NaN", "+Inf", "-Inf" or "NaN:<16 hex digits>"`)
	ErrValueRange  = errors.New("number is outside the range of a 64-bit float")
)

// nanBits are the bits of the NaN that is written as plain "NaN".
var nanBits = math.Float64bits(math.NaN())

// ParseNumber reads a finite decimal number, rounding it to the nearest float64. A
// number too large for that is an error.
func ParseNumber[T string | []byte](s T) (float64, error) {
	if v, ok := parseShort(s); ok {
		return v, nil
	}
	if len(s) == 0 {
		return 0, ErrValueSyntax
	}
	// ParseFloat knows more spellings than we accept: words, hex floats, underscores.
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && c != '-' && c != '+' && c != '.' && c != 'e' && c != 'E' {
			return 0, ErrValueSyntax
		}
	}
	v, err := strconv.ParseFloat(string(s), 64)
	if errors.Is(err, strconv.ErrRange) {
		return 0, ErrValueRange
	}
	if err != nil {
		return 0, ErrValueSyntax
	}
	return v, nil
}

// parseShort reads what most values look like: up to 15 digits and a point. Such a
// number is one division away from an exact integer, by a power of ten that is exact
// too, so the result is the nearest float64 without any further care.
func parseShort[T string | []byte](s T) (float64, bool) {
	i, negative := 0, false
	if len(s) > 0 && s[0] == '-' {
		negative = true
		i = 1
	}
	if len(s)-i > 16 || len(s) == i || s[i] == '.' {
		return 0, false
	}
	var mantissa uint64
	decimals, point, digits := 0, false, 0
	for ; i < len(s); i++ {
		c := s[i] - '0'
		switch {
		case c <= 9:
			mantissa = mantissa*10 + uint64(c)
			digits++
			if point {
				decimals++
			}
		case s[i] == '.' && !point:
			point = true
		default:
			return 0, false
		}
	}
	if digits > 15 || point && decimals == 0 {
		return 0, false
	}
	v := float64(mantissa) / powersOfTen[decimals]
	if negative {
		v = -v
	}
	return v, true
}

var powersOfTen = [16]float64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15}

// ParseWord reads what is written as a word: "NaN", "+Inf" (or "Inf"), "-Inf" and a
// NaN with given bits.
func ParseWord[T string | []byte](s T) (float64, bool) {
	switch string(s) {
	case "NaN":
		return math.NaN(), true
	case "+Inf", "Inf":
		return math.Inf(1), true
	case "-Inf":
		return math.Inf(-1), true
	}
	digits, found := strings.CutPrefix(string(s), "NaN:")
	if !found || len(digits) != 16 {
		return 0, false
	}
	bits, err := strconv.ParseUint(digits, 16, 64)
	v := math.Float64frombits(bits)
	return v, err == nil && math.IsNaN(v)
}

// ParseValue reads a value in any of its spellings.
func ParseValue[T string | []byte](s T) (float64, error) {
	if v, ok := ParseWord(s); ok {
		return v, nil
	}
	return ParseNumber(s)
}

// AppendValue appends v without quotes: 24.2, -0.0, NaN, NaN:7ff0000000000002. It
// reads back to the same bits.
func AppendValue(dst []byte, v float64) []byte {
	magnitude := math.Abs(v)
	switch {
	case magnitude > math.MaxFloat64: // infinite
		if v > 0 {
			return append(dst, "+Inf"...)
		}
		return append(dst, "-Inf"...)
	case v != v:
		return appendNaN(dst, math.Float64bits(v))
	case v == 0:
		if math.Signbit(v) {
			return append(dst, "-0.0"...)
		}
		return append(dst, '0')
	case magnitude < 1e-6 || magnitude >= 1e21:
		return strconv.AppendFloat(dst, v, 'e', -1, 64)
	}
	return strconv.AppendFloat(dst, v, 'f', -1, 64)
}

func appendNaN(dst []byte, bits uint64) []byte {
	dst = append(dst, "NaN"...)
	if bits == nanBits {
		return dst
	}
	dst = append(dst, ':')
	for shift := 60; shift >= 0; shift -= 4 {
		dst = append(dst, hexDigits[bits>>shift&15])
	}
	return dst
}

// AppendJSONValue appends v as JSON: a number, or a string for what has no number.
func AppendJSONValue(dst []byte, v float64) []byte {
	if math.Abs(v) <= math.MaxFloat64 {
		return AppendValue(dst, v)
	}
	dst = append(dst, '"')
	dst = AppendValue(dst, v)
	return append(dst, '"')
}
