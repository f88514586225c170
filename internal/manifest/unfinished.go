package manifest

import (
	"bytes"
	"strconv"
	"strings"
)

// IsUnfinished reports whether data may be what Create with the edit first leaves of
// its file when it is cut short, or what it leaves when it is not. Wall and NextMS of
// the edit may be any number not below 0, the same one for both. A power cut keeps some
// bytes of the line, in their places, and zeros or nothing in place of the others.
func IsUnfinished(data []byte, first Edit) bool {
	const mostDigits = 19 // of an int64
	for digits := 1; digits <= mostDigits; digits++ {
		if isPiece(data, firstPattern(first, digits)) {
			return true
		}
	}
	return false
}

// anyDigit stands for any hexadecimal digit in a pattern.
const anyDigit = "#"

// firstPattern returns the first line with a time of so many digits.
func firstPattern(e Edit, digits int) []byte {
	number := strings.Repeat("7", digits)
	e.Prev = ""
	e.Wall, _ = strconv.ParseInt(number, 10, 64)
	e.NextMS = e.Wall
	line, crc := appendLine(nil, &e)
	for _, hide := range [][2]string{{":", number}, {crcMember, crc}} {
		line = bytes.ReplaceAll(line, []byte(hide[0]+hide[1]), []byte(hide[0]+strings.Repeat(anyDigit, len(hide[1]))))
	}
	return line
}

func isPiece(data, pattern []byte) bool {
	if len(data) > len(pattern) {
		return false
	}
	for i, b := range data {
		digit := pattern[i] == anyDigit[0] && isHex(b)
		if b != 0 && b != pattern[i] && !digit {
			return false
		}
	}
	return true
}
