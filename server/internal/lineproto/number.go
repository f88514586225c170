package lineproto

import (
	"encoding/binary"
	"errors"
	"math"
	"math/bits"
	"strconv"

	"github.com/sydradb/sydradb/server/internal/literal"
)

// load returns the eight bytes at b[i:], the first in the low byte.
func load(b []byte, i int) uint64 { return binary.LittleEndian.Uint64(b[i:]) }

// digits8 returns the number that the leading digits of the eight bytes of w make, and how
// many digits those are.
func digits8(w uint64) (v uint64, n int) {
	w ^= 0x3030303030303030 // digits become 0 to 9, all else more
	// The lowest byte above 9 is found rightly: a carry only reaches those behind it.
	other := (w + 0x7676767676767676 | w) & 0x8080808080808080
	n = bits.TrailingZeros64(other) / 8
	w <<= uint(8-n) * 8 // zeros in front
	w = (w*10 + w>>8) & 0x00ff00ff00ff00ff
	w = (w*100 + w>>16) & 0x0000ffff0000ffff
	w = (w*10000 + w>>32) & 0xffffffff
	return w, n
}

var powersOfTen = [16]uint64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15}

var floatPowers = [16]float64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15}

// digits15 returns the number that the digits at b[i:] make, and how many those are: up to
// 15, while 16 stands for more. There must be 16 bytes.
func digits15(b []byte, i int) (v uint64, n int) {
	v, n = digits8(load(b, i))
	if n < 8 {
		return v, n
	}
	low, m := digits8(load(b, i+8))
	return v*powersOfTen[m] + low, 8 + m
}

// kind is what a field holds.
type kind uint8

const (
	kindFloat kind = iota
	kindInt
	kindUint
	kindBool
	kindString
)

var (
	// ErrString is why a field with a text is refused.
	ErrString = errors.New("strings are not stored")

	errBool    = errors.New("not a boolean: want t, T, true, True, TRUE, f, F, false, False or FALSE")
	errInteger = errors.New("not an integer")
	errFloat   = errors.New("not a number")
)

// shortNumber reads the value of a field at b[i:] if it is a number of at most 15 digits
// without an exponent, as nearly all are, and returns where it ends. There must be 40 bytes.
// ok is false if it is something else, valid or not.
//
// A number of that length is an exact integer, divided by a power of ten that is exact too,
// so the quotient is the nearest float64.
func shortNumber(b []byte, i int) (value float64, end int, ok bool) {
	negative := b[i] == '-'
	if negative {
		i++
	}
	v, n := digits15(b, i)
	if n == 0 || n > 15 {
		return 0, 0, false
	}
	i += n
	switch b[i] {
	case 'i':
		if negative {
			return float64(-int64(v)), i + 1, true
		}
		return float64(v), i + 1, true
	case '.':
		low, m := digits15(b, i+1)
		if m == 0 || n+m > 15 {
			return 0, 0, false
		}
		value = float64(v*powersOfTen[m]+low) / floatPowers[m]
		i += 1 + m
	default:
		value = float64(v)
	}
	if negative {
		value = -value
	}
	return value, i, true
}

// number reads the whole text of a value. rounded means that it is an integer that a
// float64 cannot hold.
func number(k kind, text []byte) (value float64, rounded bool, err error) {
	switch k {
	case kindFloat:
		value, err = float(text)
		return value, false, err
	case kindInt:
		n, err := strconv.ParseInt(string(text), 10, 64)
		if err != nil {
			return 0, false, outOfRange(err, errInteger)
		}
		value = float64(n)
		return value, value >= 1<<63 || int64(value) != n, nil
	case kindUint:
		n, err := strconv.ParseUint(string(text), 10, 64)
		if err != nil {
			return 0, false, outOfRange(err, errInteger)
		}
		value = float64(n)
		return value, value >= 1<<64 || uint64(value) != n, nil
	case kindBool:
		truth, err := strconv.ParseBool(string(text))
		if err != nil {
			return 0, false, errBool
		}
		if truth {
			value = 1
		}
		return value, false, nil
	}
	return 0, false, ErrString
}

// float reads a finite number in any spelling of Go's, which line protocol shares: 1e-3,
// 0x1p-2.
func float(text []byte) (float64, error) {
	value, err := strconv.ParseFloat(string(text), 64)
	if err != nil {
		return 0, outOfRange(err, errFloat)
	}
	if math.IsInf(value, 0) || math.IsNaN(value) {
		return 0, errFloat
	}
	return value, nil
}

// outOfRange returns the error for a text that strconv refused: syntax, or that of a number
// that is too large.
func outOfRange(err, syntax error) error {
	if errors.Is(err, strconv.ErrRange) {
		return literal.ErrValueRange
	}
	return syntax
}

// valueEnd returns where the value at b[i:] that is no string ends.
func valueEnd(b []byte, i int) int {
	for i < len(b) && classes[b[i]]&valueChar != 0 {
		i++
	}
	return i
}

// kindOf returns what a value with this text is, and the text without the letter that says
// so. ok is false if no value begins like that. The text must not be empty.
func kindOf(text []byte) (k kind, digits []byte, ok bool) {
	switch c := text[0]; {
	case c == 't' || c == 'T' || c == 'f' || c == 'F':
		return kindBool, text, true
	case c != '-' && c != '.' && (c < '0' || c > '9'):
		return 0, nil, false
	}
	switch last := len(text) - 1; text[last] {
	case 'i':
		return kindInt, text[:last], true
	case 'u':
		return kindUint, text[:last], true
	}
	return kindFloat, text, true
}
