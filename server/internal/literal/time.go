package literal

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/sydradb/sydradb"
)

// Unit is the unit of a time written as a number: how many nanoseconds one is.
type Unit int64

// The units that --precision and --time-unit name.
const (
	Nanosecond  Unit = 1
	Microsecond Unit = 1e3
	Millisecond Unit = 1e6
	Second      Unit = 1e9
)

// ParseUnit reads s, ms, us or ns.
func ParseUnit(s string) (Unit, error) {
	switch s {
	case "s":
		return Second, nil
	case "ms":
		return Millisecond, nil
	case "us", "µs":
		return Microsecond, nil
	case "ns":
		return Nanosecond, nil
	}
	return 0, fmt.Errorf("unknown time unit %q: use s, ms, us or ns", s)
}

// String returns the name of the unit, as ParseUnit reads it.
func (u Unit) String() string {
	switch u {
	case Second:
		return "s"
	case Millisecond:
		return "ms"
	case Microsecond:
		return "us"
	}
	return "ns"
}

// exponent returns the power of ten that makes nanoseconds of the unit.
func (u Unit) exponent() int {
	switch u {
	case Second:
		return 9
	case Millisecond:
		return 6
	case Microsecond:
		return 3
	}
	return 0
}

// Errors of ParseTime, without the text that caused them: the caller knows it, and
// making it a part of the error would move every input to the heap.
var (
	ErrTimeSyntax = errors.New("not a time: want a decimal number or RFC 3339")
	ErrTimeFine   = errors.New("time is finer than a nanosecond")
	ErrTimeRange  = errors.New("time is outside the accepted range, 1823-11-12 to 2116-02-20")
)

// ParseTime reads a time, a decimal number of units or RFC 3339, and returns it in
// Unix nanoseconds. The result is exact: a time that needs a fraction of a nanosecond
// or lies outside the times that a database accepts is an error.
func ParseTime[T string | []byte](s T, unit Unit) (int64, error) {
	// Four digits and a dash begin a date; no number has a dash inside but after an e.
	if len(s) > 4 && s[4] == '-' && s[3] >= '0' && s[3] <= '9' {
		return parseRFC3339(string(s))
	}
	return parseDecimal(s, unit.exponent())
}

func parseRFC3339(s string) (int64, error) {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return 0, ErrTimeSyntax
	}
	if sec := t.Unix(); sec < sydradb.MinTime/1e9-1 || sec > sydradb.MaxTime/1e9+1 {
		return 0, ErrTimeRange
	}
	return checkRange(t.UnixNano())
}

func checkRange(ns int64) (int64, error) {
	if ns < sydradb.MinTime || ns > sydradb.MaxTime {
		return 0, ErrTimeRange
	}
	return ns, nil
}

// parseDecimal returns s times ten to the power of exp.
func parseDecimal[T string | []byte](s T, exp int) (int64, error) {
	i, negative := 0, false
	if i < len(s) && (s[i] == '-' || s[i] == '+') {
		negative = s[i] == '-'
		i++
	}
	// The digits, without the point, are mantissa; those that do not fit set overflow,
	// unless they are zeros, which only move the exponent.
	var mantissa uint64
	digits, overflow, zeros := 0, false, 0
	point := false
	for ; i < len(s); i++ {
		c := s[i]
		if c == '.' && !point {
			point = true
			continue
		}
		if c < '0' || c > '9' {
			break
		}
		digits++
		if point {
			exp--
		}
		if c == '0' && mantissa != 0 {
			zeros++
			continue
		}
		for ; zeros > 0 && !overflow; zeros-- {
			mantissa, overflow = shift(mantissa, 0)
		}
		if !overflow {
			mantissa, overflow = shift(mantissa, uint64(c-'0'))
		}
	}
	exp += zeros
	if digits == 0 {
		return 0, ErrTimeSyntax
	}
	if i < len(s) {
		e, err := parseExponent(s[i:])
		if err != nil {
			return 0, err
		}
		exp += e
	}
	if mantissa == 0 {
		return 0, nil
	}
	if overflow {
		// More than 19 significant digits: too large, or too fine, and mostly both.
		if exp < 0 {
			return 0, ErrTimeFine
		}
		return 0, ErrTimeRange
	}
	return scale(mantissa, exp, negative)
}

func shift(m, digit uint64) (uint64, bool) {
	if m > (1<<63-1-digit)/10 {
		return m, true
	}
	return m*10 + digit, false
}

func parseExponent[T string | []byte](s T) (int, error) {
	if s[0] != 'e' && s[0] != 'E' {
		return 0, ErrTimeSyntax
	}
	digits := s[1:]
	negative := false
	if len(digits) > 0 && (digits[0] == '-' || digits[0] == '+') {
		negative = digits[0] == '-'
		digits = digits[1:]
	}
	if len(digits) == 0 {
		return 0, ErrTimeSyntax
	}
	e := 0
	for i := range len(digits) {
		c := digits[i]
		if c < '0' || c > '9' {
			return 0, ErrTimeSyntax
		}
		e = min(e*10+int(c-'0'), 1e6) // beyond any exponent that can matter
	}
	if negative {
		e = -e
	}
	return e, nil
}

func scale(mantissa uint64, exp int, negative bool) (int64, error) {
	for ; exp > 0; exp-- {
		var overflow bool
		if mantissa, overflow = shift(mantissa, 0); overflow {
			return 0, ErrTimeRange
		}
	}
	for ; exp < 0; exp++ {
		if mantissa%10 != 0 {
			return 0, ErrTimeFine
		}
		mantissa /= 10
	}
	ns := int64(mantissa)
	if negative {
		ns = -ns
	}
	return checkRange(ns)
}

// AppendTime appends ns, Unix nanoseconds, as Unix seconds: 1694300000 or -0.5.
func AppendTime(dst []byte, ns int64) []byte {
	// The magnitude as unsigned, so that the least int64 needs no case of its own.
	magnitude := uint64(ns)
	if ns < 0 {
		dst = append(dst, '-')
		magnitude = -magnitude
	}
	dst = strconv.AppendUint(dst, magnitude/1e9, 10)
	return appendFraction(dst, magnitude%1e9)
}

// appendFraction appends the fraction of a second given in nanoseconds, if any,
// without trailing zeros.
func appendFraction(dst []byte, ns uint64) []byte {
	if ns == 0 {
		return dst
	}
	var buf [10]byte
	buf[0] = '.'
	end := len(buf)
	for i := len(buf) - 1; i > 0; i-- {
		digit := byte(ns % 10)
		ns /= 10
		buf[i] = '0' + digit
		if digit == 0 && end == i+1 {
			end = i
		}
	}
	return append(dst, buf[:end]...)
}

// AppendClock appends ns, Unix nanoseconds, as RFC 3339 in UTC with as many decimals
// as needed.
func AppendClock(dst []byte, ns int64) []byte {
	return time.Unix(0, ns).UTC().AppendFormat(dst, time.RFC3339Nano)
}
