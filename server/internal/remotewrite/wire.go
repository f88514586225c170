package remotewrite

import (
	"encoding/binary"
	"errors"
	"math"
	"math/bits"
)

// Messages are read from b[i:end], b being the whole body: loads of eight bytes may look
// beyond end, but not beyond b. Functions return where they stopped, 0 if the bytes are no
// valid message: nothing that was read ends at 0.

// Wire types of protocol buffers.
const (
	wireVarint  = 0
	wireFixed64 = 1
	wireBytes   = 2
	wireStart   = 3 // of a group
	wireEnd     = 4 // of a group
	wireFixed32 = 5
)

// maxDepth bounds groups within groups.
const maxDepth = 100

var errWire = errors.New("not a valid protocol buffer message")

// tagOf returns the tag of a field, as it stands in front of it.
func tagOf(field, wireType uint64) uint64 { return field<<3 | wireType }

// readTag reads a tag of more than one byte, or any. Prometheus drops the upper half of
// impossible field numbers, and so do we.
func readTag(b []byte, i, end int) (tag uint64, next int) {
	v, next := uvarint(b, i, end)
	field := int32(v >> 3)
	if field <= 0 {
		return 0, 0
	}
	return tagOf(uint64(field), v&7), next
}

// uvarint reads a number of variable length.
func uvarint(b []byte, i, end int) (v uint64, next int) {
	if i < end && b[i] < 0x80 {
		return uint64(b[i]), i + 1
	}
	return longUvarint(b, i, end)
}

// longUvarint reads numbers of up to eight bytes without a branch for each: times in
// milliseconds have six.
func longUvarint(b []byte, i, end int) (v uint64, next int) {
	const more = 0x8080808080808080
	if i+8 <= len(b) {
		x := binary.LittleEndian.Uint64(b[i:])
		if last := ^x & more; last != 0 {
			n := bits.TrailingZeros64(last) + 1
			x &= math.MaxUint64 >> (64 - n) & ^uint64(more)
			x = x&0x007f007f007f007f | x>>1&0x3f803f803f803f80
			x = x&0x00003fff00003fff | x>>2&0x0fffc0000fffc000
			x = x&0x000000000fffffff | x>>4&0x00fffffff0000000
			if next = i + n/8; next > end {
				return 0, 0
			}
			return x, next
		}
	}
	for shift := 0; i < end && shift < 64; shift += 7 {
		c := b[i]
		i++
		v |= uint64(c&0x7f) << shift
		if c < 0x80 {
			return v, i
		}
	}
	return 0, 0
}

// span reads a length and returns where the bytes that it counts begin and end.
func span(b []byte, i, end int) (from, to int) {
	if i < end {
		if n := int(b[i]); n < 0x80 && n < end-i {
			return i + 1, i + 1 + n
		}
	}
	return longSpan(b, i, end)
}

func longSpan(b []byte, i, end int) (from, to int) {
	n, next := uvarint(b, i, end)
	if next == 0 || n > uint64(end-next) {
		return 0, 0
	}
	return next, next + int(n)
}

// skip passes over a field, whose tag was read, if it is none of the first known
// fields: one of these with another wire type is an error.
func skip(b []byte, i, end int, tag, known uint64) int {
	if tag>>3 <= known {
		return 0
	}
	return skipValue(b, i, end, tag&7)
}

func skipValue(b []byte, i, end int, wireType uint64) int {
	for depth := 0; ; {
		switch wireType {
		case wireVarint:
			_, i = uvarint(b, i, end)
		case wireFixed64:
			i += 8
		case wireBytes:
			_, i = span(b, i, end)
		case wireStart:
			depth++
		case wireEnd:
			depth--
		case wireFixed32:
			i += 4
		default:
			return 0
		}
		if i == 0 || i > end || depth < 0 || depth > maxDepth {
			return 0
		}
		if depth == 0 {
			return i
		}
		var tag uint64
		if tag, i = uvarint(b, i, end); i == 0 {
			return 0
		}
		wireType = tag & 7
	}
}

// maxMS is the greatest number of milliseconds that has as many nanoseconds.
const maxMS = math.MaxInt64 / 1_000_000

// nanoseconds converts a time. What does not fit becomes the nearest that does, which is
// out of the range of any database.
func nanoseconds(ms int64) int64 {
	switch {
	case ms > maxMS:
		return math.MaxInt64
	case ms < -maxMS:
		return math.MinInt64
	}
	return ms * 1_000_000
}
