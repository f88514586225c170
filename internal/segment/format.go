package segment

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/codec"
)

// A segment file, SYSEG2. Integers are little-endian.
//
//	0        6           14       22      26       34      42    43    44
//	+--------+-----------+--------+-------+--------+-------+-----+-----+
//	| SYSEG2 | series id | hour   | count | start  | end   | tsc | vlc |
//	|        | u64       | i64    | u32   | i64    | i64   | u8  | u8  |
//	+--------+-----------+--------+-------+--------+-------+-----+-----+
//	44              44+t            44+t+v
//	+---------------+---------------+
//	| timestamps, t | values, v     |
//	+---------------+---------------+
//
//	hour        start of the bucket, in the unit of the timestamps
//	count       points, at least 1
//	start, end  first and last timestamp
//	tsc, vlc    codecs of the two columns, see package codec
//	t, v        are written nowhere: a column ends where its last point does, and
//	            the file with the second column
//
// Written by Encode and Create, read by DecodeHeader and AppendColumns, pinned by
// testdata/syseg2.golden and testdata/syseg2-codec2.golden.
const (
	magicBytes  = 6
	headerBytes = magicBytes + 8 + 8 + 4 + 8 + 8 + 1 + 1

	hourOffset      = magicBytes + 8
	countOffset     = hourOffset + 8
	startOffset     = countOffset + 4
	endOffset       = startOffset + 8
	tsCodecOffset   = endOffset + 8
	maxPoints       = math.MaxUint32
	maxBytesPerPair = 10 + 12 // the longest timestamp and value of codec 1
)

var _ [44]byte = [headerBytes]byte{}

const (
	magic1 = "SYSEG1"
	magic2 = "SYSEG2"
)

// What is refused on the way in.
var (
	errEmpty    = errors.New("no points")
	errColumns  = errors.New("columns of different length")
	errUnsorted = errors.New("timestamps are not rising")
	errHour     = errors.New("not within the hour")
)

// What is wrong with bytes that cannot be decoded.
var (
	errShort    = errors.New("file ends too early")
	errMagic    = errors.New("not a segment file")
	errCount    = errors.New("more points than the file can hold")
	errRange    = errors.New("range does not fit the points")
	errOrder    = errors.New("timestamps fall")
	errTrailing = errors.New("bytes behind the last point")
)

// Header is what the head of a segment file says. Times are in the unit of the file:
// nanoseconds, in version 0 seconds.
type Header struct {
	Version    int // 1 or 2: SYSEG1 or SYSEG2
	SeriesID   base.SeriesID
	Hour       int64 // start of the bucket
	Start, End int64 // first and last timestamp
	Count      int   // points, at least 1
	// Codecs of the columns; 0 in SYSEG1, which has none to choose from.
	TimestampCodec, ValueCodec byte
}

// Encode appends the segment file of one series and hour to dst, in codec 1, and returns
// the longer slice; the file's bytes are what was appended. It refuses columns that are
// empty, differ in length, do not rise or leave [hour, hour+1h): dst is then returned
// as it was. Equal points give equal bytes. Nothing of ts and values is kept.
func Encode(dst []byte, id base.SeriesID, hour int64, ts []int64, values []float64) ([]byte, error) {
	return appendFile(dst, nil, id, hour, ts, values)
}

// appendFile is Encode in codec 2 if e is not nil and the codec takes so many points.
func appendFile(dst []byte, e *codec.Encoder, id base.SeriesID, hour int64, ts []int64, values []float64) ([]byte, error) {
	if err := validate(hour, ts, values); err != nil {
		return dst, fmt.Errorf("segment of series %x, hour %d: %w", uint64(id), hour, err)
	}
	out := slices.Grow(dst, headerBytes)
	out = append(out, magic2...)
	out = binary.LittleEndian.AppendUint64(out, uint64(id))
	out = binary.LittleEndian.AppendUint64(out, uint64(hour))
	out = binary.LittleEndian.AppendUint32(out, uint32(len(ts)))
	out = binary.LittleEndian.AppendUint64(out, uint64(ts[0]))
	out = binary.LittleEndian.AppendUint64(out, uint64(ts[len(ts)-1]))
	tsCodec, valueCodec := codec.TimestampsStream, codec.ValuesStream
	if e == nil || len(ts) > codec.MaxPoints {
		tsCodec, valueCodec = codec.TimestampsDelta2, codec.ValuesXOR
		e = new(codec.Encoder)
	}
	out = append(out, tsCodec, valueCodec)
	out, err := e.AppendTimestamps(out, tsCodec, ts)
	if err == nil {
		out, err = e.AppendValues(out, valueCodec, values)
	}
	if err != nil {
		return dst, fmt.Errorf("segment of series %x, hour %d: %w", uint64(id), hour, err)
	}
	return out, nil
}

func validate(hour int64, ts []int64, values []float64) error {
	if len(ts) == 0 {
		return errEmpty
	}
	if len(ts) != len(values) || uint64(len(ts)) > maxPoints {
		return errColumns
	}
	for i := 1; i < len(ts); i++ {
		if ts[i] <= ts[i-1] {
			return fmt.Errorf("%w: %d after %d", errUnsorted, ts[i], ts[i-1])
		}
	}
	first, last := ts[0], ts[len(ts)-1]
	if first < hour || uint64(last)-uint64(hour) >= uint64(base.Hour) {
		return fmt.Errorf("%w: points from %d to %d", errHour, first, last)
	}
	return nil
}

// DecodeHeader reads the head of a segment file of either version and returns it with
// the bytes behind it. data is the whole file: the count is compared with its length,
// so that Count may be trusted with memory. The error is a *base.CorruptionError
// without a file name, or codec.ErrUnknown, wrapped.
func DecodeHeader(data []byte) (h Header, payload []byte, err error) {
	if len(data) < magicBytes {
		return Header{}, nil, damaged(0, "header", errShort)
	}
	switch string(data[:magicBytes]) {
	case magic1:
		h, payload, err = decodeHeader1(data)
	case magic2:
		h, payload, err = decodeHeader2(data)
	default:
		return Header{}, nil, damaged(0, "header", errMagic)
	}
	if err != nil {
		return Header{}, nil, err
	}
	if h.Count == 0 {
		return Header{}, nil, damaged(countOffset, "header", errEmpty)
	}
	if h.Start > h.End || h.Count == 1 && h.Start != h.End {
		return Header{}, nil, damaged(startOffset, "header", errRange)
	}
	return h, payload, nil
}

func decodeHeader2(data []byte) (Header, []byte, error) {
	if len(data) < headerBytes {
		return Header{}, nil, damaged(len(data), "header", errShort)
	}
	h := decodeCommon(data)
	h.Version = 2
	h.TimestampCodec, h.ValueCodec = data[tsCodecOffset], data[tsCodecOffset+1]
	payload := data[headerBytes:]
	tsBytes, err := codec.MinTimestampBytes(h.TimestampCodec, h.Count)
	if err != nil {
		return Header{}, nil, err
	}
	valueBytes, err := codec.MinValueBytes(h.ValueCodec, h.Count)
	if err != nil {
		return Header{}, nil, err
	}
	if len(payload) < tsBytes+valueBytes {
		return Header{}, nil, damaged(countOffset, "header", errCount)
	}
	return h, payload, nil
}

// decodeCommon reads the fields that stand at the same place in both versions.
func decodeCommon(data []byte) Header {
	return Header{
		SeriesID: base.SeriesID(binary.LittleEndian.Uint64(data[magicBytes:])),
		Hour:     int64(binary.LittleEndian.Uint64(data[hourOffset:])),
		Count:    int(binary.LittleEndian.Uint32(data[countOffset:])),
		Start:    int64(binary.LittleEndian.Uint64(data[startOffset:])),
		End:      int64(binary.LittleEndian.Uint64(data[endOffset:])),
	}
}

// AppendColumns is the method of Decoder for those who read a single file.
func AppendColumns(ts []int64, values []float64, data []byte) ([]int64, []float64, error) {
	var d Decoder
	return d.AppendColumns(ts, values, data)
}

// AppendColumns appends the points of a segment file of either version to ts and
// values and returns the longer slices; with an error, both as they were. data is the
// whole file, verified by the caller. The timestamps never fall; in a file that this
// package wrote they rise. Errors are those of DecodeHeader.
func (d *Decoder) AppendColumns(ts []int64, values []float64, data []byte) ([]int64, []float64, error) {
	h, payload, err := DecodeHeader(data)
	if err != nil {
		return ts, values, err
	}
	allTS := slices.Grow(ts, h.Count)[:len(ts)+h.Count]
	allValues := slices.Grow(values, h.Count)[:len(values)+h.Count]
	newTS, newValues := allTS[len(ts):], allValues[len(values):]
	var rest []byte
	if h.Version == 1 {
		rest, err = decodeColumns1(newTS, newValues, payload, h.Start)
	} else {
		rest, err = d.columns2(newTS, newValues, payload, h)
	}
	at := len(data) - len(payload)
	if err != nil {
		return ts, values, shifted(err, at)
	}
	if len(rest) != 0 {
		return ts, values, damaged(len(data)-len(rest), "end", errTrailing)
	}
	if newTS[0] != h.Start || newTS[h.Count-1] != h.End {
		return ts, values, damaged(startOffset, "header", errRange)
	}
	for i := 1; i < len(newTS); i++ {
		if newTS[i] < newTS[i-1] {
			return ts, values, damaged(at, fmt.Sprintf("timestamp %d", i), errOrder)
		}
	}
	return allTS, allValues, nil
}

func (d *Decoder) columns2(ts []int64, values []float64, payload []byte, h Header) ([]byte, error) {
	behind, err := d.codec.Timestamps(ts, h.TimestampCodec, payload, h.Start)
	if err != nil {
		return nil, err
	}
	rest, err := d.codec.Values(values, h.ValueCodec, behind)
	if err != nil {
		return nil, shifted(err, len(payload)-len(behind))
	}
	return rest, nil
}

func damaged(offset int, part string, err error) error {
	return &base.CorruptionError{Offset: int64(offset), Part: part, Err: err}
}

// shifted moves the offset of a CorruptionError from a part of a file that begins at
// offset to the whole. Other errors are returned as they are.
func shifted(err error, offset int) error {
	var damage *base.CorruptionError
	if !errors.As(err, &damage) {
		return err
	}
	moved := *damage
	moved.Offset += int64(offset)
	return &moved
}
