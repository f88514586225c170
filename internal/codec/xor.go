package codec

import (
	"encoding/binary"
	"math"
	"math/bits"
	"slices"
)

// Values, codec 1: one marker for each value, little-endian.
//
//	first       0   1              9
//	            +---+--------------+
//	            | 2 | bits u64     |
//	            +---+--------------+
//	same as     0   1
//	before      +---+
//	            | 0 |
//	            +---+
//	another     0   1    2    3        4             4+nbytes
//	            +---+----+----+--------+-------------+
//	            | 1 | lz | tz | nbytes | xor >> tz   |
//	            +---+----+----+--------+-------------+
//
//	xor     the bits of this value and of the one before, exclusive or; not 0
//	lz, tz  how many zero bits xor begins and ends with
//	nbytes  the size of what lies between, (64 - lz - tz) bits in whole bytes
//
// lz could be computed, and nbytes from lz and tz. Reading compares all three with
// the xor that they describe, which finds most damage to them: the only check there
// is for files that came without a checksum.
//
// Written by appendXOR, read by decodeXOR, pinned by testdata/xor.golden.
const (
	markerSame  = 0
	markerXOR   = 1
	markerFirst = 2

	firstValueBytes = 1 + 8
	xorHeaderBytes  = 4
	maxXORBytes     = xorHeaderBytes + 8
)

func minXORBytes(count int) int {
	if count == 0 {
		return 0
	}
	return firstValueBytes + count - 1
}

func appendXOR(dst []byte, v []float64) []byte {
	if len(v) == 0 {
		return dst
	}
	dst = slices.Grow(dst, len(v)*maxXORBytes)
	n := len(dst)
	buf := dst[:cap(dst)]
	prev := math.Float64bits(v[0])
	buf[n] = markerFirst
	binary.LittleEndian.PutUint64(buf[n+1:], prev)
	n += firstValueBytes
	for _, f := range v[1:] {
		b := math.Float64bits(f)
		x := b ^ prev
		if x == 0 {
			buf[n] = markerSame
			n++
			continue
		}
		prev = b
		h := xorHeader(x)
		out := buf[n : n+maxXORBytes]
		binary.LittleEndian.PutUint32(out, h)
		binary.LittleEndian.PutUint64(out[xorHeaderBytes:], x>>(h>>16&63))
		n += xorHeaderBytes + int(h>>24)
	}
	return buf[:n]
}

// xorHeader returns marker, lz, tz and nbytes for x, which is not 0, as they are
// stored.
func xorHeader(x uint64) uint32 {
	lz, tz := uint32(bits.LeadingZeros64(x)), uint32(bits.TrailingZeros64(x))
	return markerXOR | lz<<8 | tz<<16 | (71-lz-tz)>>3<<24
}

// lowBytes[n] masks the n low bytes of a word. Sizes above 8 are damage; they mask all.
var lowBytes = [16]uint64{0, 1<<8 - 1, 1<<16 - 1, 1<<24 - 1, 1<<32 - 1, 1<<40 - 1, 1<<48 - 1, 1<<56 - 1, 1<<64 - 1}

func decodeXOR(dst []float64, src []byte) ([]byte, error) {
	if len(dst) == 0 {
		return src, nil
	}
	if src[0] != markerFirst {
		return nil, damaged(0, "value", 0, errMarker)
	}
	prev := binary.LittleEndian.Uint64(src[1:])
	dst[0] = math.Float64frombits(prev)
	i, pos := 1, firstValueBytes
	for i < len(dst) && pos >= 0 && pos <= len(src)-maxXORBytes {
		w := word(src, pos)
		switch byte(w) {
		case markerXOR:
			h := uint32(w)
			// Not by word: the compiler would load the bytes that both share one by one.
			low := binary.LittleEndian.Uint64(src[pos+xorHeaderBytes:])
			x, ok := xorOf(h, low&lowBytes[h>>24&15])
			if !ok {
				return nil, damaged(pos, "value", i, errXORHeader)
			}
			prev ^= x
			dst[i] = math.Float64frombits(prev)
			i++
			pos += xorHeaderBytes + int(h>>24)
		case markerSame:
			// Each zero byte up to the next other one is a marker too.
			run := min(bits.TrailingZeros64(w)/8, len(dst)-i)
			f := math.Float64frombits(prev)
			for j := range dst[i : i+run] {
				dst[i+j] = f
			}
			i, pos = i+run, pos+run
		default:
			return nil, damaged(pos, "value", i, errMarker)
		}
	}
	return decodeXORTail(dst, src, i, pos, prev)
}

// decodeXORTail decodes dst[i:] from src[pos:] where too few bytes are left to load
// the longest form without looking.
func decodeXORTail(dst []float64, src []byte, i, pos int, prev uint64) ([]byte, error) {
	for ; i < len(dst); i++ {
		if pos == len(src) {
			return nil, damaged(pos, "value", i, errShort)
		}
		switch src[pos] {
		case markerXOR:
			var in [maxXORBytes]byte
			n := copy(in[:], src[pos:])
			h := binary.LittleEndian.Uint32(in[:])
			if n < xorHeaderBytes || n < xorHeaderBytes+int(h>>24) {
				return nil, damaged(pos, "value", i, errShort)
			}
			x, ok := xorOf(h, word(in[:], xorHeaderBytes)&lowBytes[h>>24&15])
			if !ok {
				return nil, damaged(pos, "value", i, errXORHeader)
			}
			prev ^= x
			pos += xorHeaderBytes + int(h>>24)
		case markerSame:
			pos++
		default:
			return nil, damaged(pos, "value", i, errMarker)
		}
		dst[i] = math.Float64frombits(prev)
	}
	return src[pos:], nil
}

// xorOf returns the exclusive or that header h and the bytes behind it, low, stand for.
// It refuses what appendXOR would not write.
func xorOf(h uint32, low uint64) (x uint64, ok bool) {
	tz := h >> 16 & 63
	x = low << tz
	return x, x != 0 && x>>tz == low && xorHeader(x) == h
}
