package codec

import (
	"errors"
	"fmt"

	"github.com/sydradb/sydradb/internal/base"
)

// The codecs of timestamp columns and of value columns. The numbers are stored in
// files and never change their meaning.
const (
	// TimestampsDelta2 stores the difference of neighbouring differences as varints.
	TimestampsDelta2 byte = 1
	// TimestampsStream stores integers in as few bits as they need, for up to MaxPoints.
	TimestampsStream byte = 2

	// ValuesXOR stores the bytes in which neighbouring values differ.
	ValuesXOR byte = 1
	// ValuesStream stores values as integers in as few bits as they need, for up to
	// MaxPoints.
	ValuesStream byte = 2
)

// MaxPoints is the size of the longest column that the codecs of id 2 take. A few bytes
// can stand for so many points: it bounds what a reader allocates.
const MaxPoints = 1 << 16

var (
	// ErrUnknown means that a column was written by a codec that this version does not
	// have: a newer one, as a rule.
	ErrUnknown = errors.New("unknown codec")

	// ErrTooLong means that a column is to be written that has more points than its codec
	// takes.
	ErrTooLong = errors.New("column is too long for its codec")
)

// What is wrong with a column that cannot be decoded.
var (
	errShort     = errors.New("column ends too early")
	errVarint    = errors.New("varint is longer than 64 bits")
	errMarker    = errors.New("no such marker")
	errXORHeader = errors.New("sizes do not fit the bits that they describe")
	errCount     = errors.New("more points than the codec takes")
)

func unknownTimestamps(id byte) error { return fmt.Errorf("%w %d for timestamps", ErrUnknown, id) }
func unknownValues(id byte) error     { return fmt.Errorf("%w %d for values", ErrUnknown, id) }

func tooLong(id byte, points int) error {
	return fmt.Errorf("%w: %d points for codec %d, which takes %d", ErrTooLong, points, id, MaxPoints)
}

// MinTimestampBytes returns the size of the smallest encoding of count timestamps.
// Whoever reads a count from a file compares before allocating room for the column. For
// id 2 that bounds nothing up to MaxPoints; a longer column has at least a byte for each
// point as far as this goes, and is refused by a Decoder.
func MinTimestampBytes(id byte, count int) (int, error) {
	switch id {
	case TimestampsDelta2:
		return minDelta2Bytes(count), nil
	case TimestampsStream:
		return minStreamBytes(count, minStream), nil
	}
	return 0, unknownTimestamps(id)
}

// MinValueBytes returns the size of the smallest encoding of count values, see
// MinTimestampBytes.
func MinValueBytes(id byte, count int) (int, error) {
	switch id {
	case ValuesXOR:
		return minXORBytes(count), nil
	case ValuesStream:
		return minStreamBytes(count, minValues2), nil
	}
	return 0, unknownValues(id)
}

// minStreamBytes returns least for any column but an empty one and one that is too long.
func minStreamBytes(count, least int) int {
	switch {
	case count == 0:
		return 0
	case count > MaxPoints:
		return count
	}
	return least
}

// Exponent returns e where an encoded column of values, not an empty one, was stored as
// integers over 10^e, 0 to 14. Some of the values may be stored otherwise nevertheless. It
// reports false for columns that were not, and for those of other codecs.
func Exponent(id byte, src []byte) (e int, ok bool) {
	if id != ValuesStream || len(src) < minValues2 || src[0]&^exceptionFlag != modeDecimal {
		return 0, false
	}
	e = int(src[1] &^ quickFlag)
	return e, e <= maxExponent
}

// damaged reports what is wrong at offset of a column: with element n, counted from
// 0, or with n elements of it.
func damaged(offset int, what string, n int, err error) error {
	return &base.CorruptionError{Offset: int64(offset), Part: fmt.Sprintf("%s %d", what, n), Err: err}
}
