package codec

import (
	"encoding/binary"
	"math/bits"
	"slices"
)

// Timestamps, codec 1: one varint for each timestamp.
//
//	+------+------+------+-----
//	|  0   | dod1 | dod2 | ...     dod(i) = (t(i) - t(i-1)) - (t(i-1) - t(i-2))
//	+------+------+------+-----
//
//	dod  zigzag LEB128 (1 to 10 bytes): 0, -1, 1, -2 ... are 0, 1, 2, 3 ...
//	     Before the first timestamp t stands at start with difference 0, and as
//	     start is the first timestamp itself, the first varint is 0. Differences
//	     wrap around, so that any two int64 may be neighbours.
//
// A series that is read like clockwork takes one zero byte a point.
//
// Written by appendDelta2, read by decodeDelta2, pinned by testdata/delta2.golden.

const (
	maxVarintBytes = binary.MaxVarintLen64

	// The top bits of 8 bytes, set where a varint goes on in the next byte.
	varintMore = 0x8080808080808080
	// Varints up to this size are packed and unpacked within one 64-bit word.
	wordVarintBytes = 8
)

func minDelta2Bytes(count int) int { return count }

func appendDelta2(dst []byte, ts []int64) []byte {
	if len(ts) == 0 {
		return dst
	}
	// Whole words are stored below, hence the room behind the longest encoding.
	dst = slices.Grow(dst, len(ts)*maxVarintBytes+wordVarintBytes)
	n := len(dst)
	buf := dst[:cap(dst)]
	prev, delta := ts[0], int64(0)
	for _, t := range ts {
		d := t - prev
		dod := d - delta
		prev, delta = t, d
		u := uint64(dod<<1) ^ uint64(dod>>63)
		switch {
		case u < 1<<7:
			buf[n] = byte(u)
			n++
		case u < 1<<(7*wordVarintBytes):
			size := (bits.Len64(u) + 6) / 7
			more := uint64(varintMore) & (1<<(8*size-8) - 1)
			binary.LittleEndian.PutUint64(buf[n:], spread7(u)|more)
			n += size
		default:
			n += binary.PutUvarint(buf[n:], u)
		}
	}
	return buf[:n]
}

func decodeDelta2(dst []int64, src []byte, start int64) ([]byte, error) {
	t, delta := start, int64(0)
	i, pos := 0, 0
	for i < len(dst) && pos >= 0 && pos <= len(src)-8 {
		w := word(src, pos)
		if w == 0 && len(dst)-i >= 8 {
			// Eight points in step.
			d := dst[i : i+8 : i+8]
			d[0], d[1], d[2], d[3] = t+delta, t+2*delta, t+3*delta, t+4*delta
			d[4], d[5], d[6], d[7] = t+5*delta, t+6*delta, t+7*delta, t+8*delta
			t += 8 * delta
			i, pos = i+8, pos+8
			continue
		}
		var u uint64
		if last := ^w & varintMore; last == 0 {
			// More than a word: nine or ten bytes, or damage.
			v, n := binary.Uvarint(src[pos:])
			if n <= 0 {
				return nil, damaged(pos, "timestamp", i, varintError(n))
			}
			u = v
			pos += n
		} else {
			// The bytes up to and with the first that has no continuation bit.
			u = gather7(w & (last ^ (last - 1)))
			pos += bits.TrailingZeros64(last)/8 + 1
		}
		delta += int64(u>>1) ^ -int64(u&1)
		t += delta
		dst[i] = t
		i++
	}
	// The last few bytes of src, one varint at a time.
	for ; i < len(dst); i++ {
		u, n := binary.Uvarint(src[pos:])
		if n <= 0 {
			return nil, damaged(pos, "timestamp", i, varintError(n))
		}
		pos += n
		delta += int64(u>>1) ^ -int64(u&1)
		t += delta
		dst[i] = t
	}
	return src[pos:], nil
}

// varintError names the reason for which binary.Uvarint returned n <= 0.
func varintError(n int) error {
	if n == 0 {
		return errShort
	}
	return errVarint
}

// spread7 moves each 7 bits of u to the low bits of a byte of their own. The upper
// 8 bits of u are lost.
func spread7(u uint64) uint64 {
	u = u&0x0fffffff | u&0x00fffffff0000000<<4
	u = u&0x00003fff00003fff | u&0x0fffc0000fffc000<<2
	return u&0x007f007f007f007f | u&0x3f803f803f803f80<<1
}

// gather7 is the inverse of spread7; the top bit of each byte does not count.
func gather7(w uint64) uint64 {
	w = w&0x007f007f007f007f | w&0x7f007f007f007f00>>1
	w = w&0x00003fff00003fff | w&0x3fff00003fff0000>>2
	return w&0x0fffffff | w&0x0fffffff00000000>>4
}
