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
	// ValuesXOR stores the bytes in which neighbouring values differ.
	ValuesXOR byte = 1
)

// ErrUnknown means that a column was written by a codec that this version does not
// have: a newer one, as a rule.
var ErrUnknown = errors.New("unknown codec")

// What is wrong with a column that cannot be decoded.
var (
	errShort     = errors.New("column ends too early")
	errVarint    = errors.New("varint is longer than 64 bits")
	errMarker    = errors.New("no such marker")
	errXORHeader = errors.New("sizes do not fit the bits that they describe")
)

// timestampCodec and valueCodec are the entries of the registry. minBytes returns
// the size below which count elements cannot be encoded.
type (
	timestampCodec struct {
		minBytes func(count int) int
		append   func(dst []byte, ts []int64) []byte
		decode   func(dst []int64, src []byte, start int64) ([]byte, error)
	}
	valueCodec struct {
		minBytes func(count int) int
		append   func(dst []byte, values []float64) []byte
		decode   func(dst []float64, src []byte) ([]byte, error)
	}
)

// The registry. Entry 0 is empty on purpose: a zeroed file names no codec.
var (
	timestampCodecs = [...]timestampCodec{
		TimestampsDelta2: {minDelta2Bytes, appendDelta2, decodeDelta2},
	}
	valueCodecs = [...]valueCodec{
		ValuesXOR: {minXORBytes, appendXOR, decodeXOR},
	}
)

func timestamps(id byte) (timestampCodec, error) {
	if id == 0 || int(id) >= len(timestampCodecs) {
		return timestampCodec{}, fmt.Errorf("%w %d for timestamps", ErrUnknown, id)
	}
	return timestampCodecs[id], nil
}

func values(id byte) (valueCodec, error) {
	if id == 0 || int(id) >= len(valueCodecs) {
		return valueCodec{}, fmt.Errorf("%w %d for values", ErrUnknown, id)
	}
	return valueCodecs[id], nil
}

// AppendTimestamps appends ts to dst as codec id encodes them and returns the
// longer slice. The first timestamp is not part of the encoding: DecodeTimestamps
// wants it as start. The error is ErrUnknown, wrapped; dst is returned as it was.
func AppendTimestamps(dst []byte, id byte, ts []int64) ([]byte, error) {
	c, err := timestamps(id)
	if err != nil {
		return dst, err
	}
	return c.append(dst, ts), nil
}

// AppendValues appends v to dst as codec id encodes them and returns the longer
// slice. The error is ErrUnknown, wrapped; dst is returned as it was.
func AppendValues(dst []byte, id byte, v []float64) ([]byte, error) {
	c, err := values(id)
	if err != nil {
		return dst, err
	}
	return c.append(dst, v), nil
}

// MinTimestampBytes returns the size of the smallest encoding of count timestamps.
// Whoever reads a count from a file compares before allocating room for the column.
func MinTimestampBytes(id byte, count int) (int, error) {
	c, err := timestamps(id)
	if err != nil {
		return 0, err
	}
	return c.minBytes(count), nil
}

// MinValueBytes returns the size of the smallest encoding of count values.
func MinValueBytes(id byte, count int) (int, error) {
	c, err := values(id)
	if err != nil {
		return 0, err
	}
	return c.minBytes(count), nil
}

// DecodeTimestamps fills dst from the start of src and returns what follows in
// src. The length of dst says how many timestamps there are, and start is the one
// that the encoder was given first. The error is ErrUnknown, wrapped, or a
// *base.CorruptionError; what dst holds is then undefined.
func DecodeTimestamps(dst []int64, id byte, src []byte, start int64) (rest []byte, err error) {
	c, err := timestamps(id)
	if err != nil {
		return nil, err
	}
	if len(src) < c.minBytes(len(dst)) {
		return nil, damaged(len(src), "timestamps", len(dst), errShort)
	}
	return c.decode(dst, src, start)
}

// DecodeValues fills dst from the start of src and returns what follows in src.
// The length of dst says how many values there are. The error is ErrUnknown,
// wrapped, or a *base.CorruptionError; what dst holds is then undefined.
func DecodeValues(dst []float64, id byte, src []byte) (rest []byte, err error) {
	c, err := values(id)
	if err != nil {
		return nil, err
	}
	if len(src) < c.minBytes(len(dst)) {
		return nil, damaged(len(src), "values", len(dst), errShort)
	}
	return c.decode(dst, src)
}

// damaged reports what is wrong at offset of a column: with element n, counted from
// 0, or with n elements of it.
func damaged(offset int, what string, n int, err error) error {
	return &base.CorruptionError{Offset: int64(offset), Part: fmt.Sprintf("%s %d", what, n), Err: err}
}
