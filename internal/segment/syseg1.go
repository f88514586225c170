package segment

import (
	"encoding/binary"
	"errors"
	"math"
)

// A segment file as the first version wrote it, SYSEG1: read, never written.
//
//	0        6           14       22      26       34      42
//	+--------+-----------+--------+-------+--------+-------+
//	| SYSEG1 | series id | hour   | count | start  | end   |
//	|        | u64       | i64    | u32   | i64    | i64   |
//	+--------+-----------+--------+-------+--------+-------+
//	42                 42+t            42+t+8*count
//	+------------------+---------------+
//	| timestamps, t    | values, 8     |
//	| count varints    | bytes each    |
//	+------------------+---------------+
//
//	timestamps  zigzag LEB128: the first timestamp, then the difference of each to the
//	            one before. A first varint of 0 where start is not 0 means that it is
//	            the difference to start.
//	values      raw bits, little-endian
//
// Pinned by testdata/syseg1.golden and testdata/syseg1-from-start.golden.
const header1Bytes = magicBytes + 8 + 8 + 4 + 8 + 8

var _ [42]byte = [header1Bytes]byte{}

var errVarint = errors.New("varint is cut off or longer than 64 bits")

func decodeHeader1(data []byte) (Header, []byte, error) {
	if len(data) < header1Bytes {
		return Header{}, nil, damaged(len(data), "header", errShort)
	}
	h := decodeCommon(data)
	h.Version = 1
	payload := data[header1Bytes:]
	if len(payload)/(1+8) < h.Count {
		return Header{}, nil, damaged(countOffset, "header", errCount)
	}
	return h, payload, nil
}

// decodeColumns1 fills both columns, which are of the same length, and returns what
// follows them in payload.
func decodeColumns1(ts []int64, values []float64, payload []byte, start int64) (rest []byte, err error) {
	pos, t := 0, int64(0)
	for i := range ts {
		d, n := binary.Varint(payload[pos:])
		if n <= 0 {
			return nil, damaged(pos, "timestamps", errVarint)
		}
		if i == 0 && d == 0 {
			d = start
		}
		pos += n
		t += d
		ts[i] = t
	}
	if len(payload)-pos < 8*len(values) {
		return nil, damaged(len(payload), "values", errShort)
	}
	for i := range values {
		values[i] = math.Float64frombits(binary.LittleEndian.Uint64(payload[pos+8*i:]))
	}
	return payload[pos+8*len(values):], nil
}
