package codec

import "encoding/binary"

// Streams of bits: bit k is bit k%8 of byte k/8, so 64 numbers of w bits are w
// little-endian words. The last byte is filled up with zeros.

// bitWriter appends bits to a slice.
type bitWriter struct {
	buf  []byte
	word uint64 // bits that are not in buf yet
	n    uint   // how many, below 64
}

// put appends the n low bits of v, up to 64; the others are zero.
func (w *bitWriter) put(v uint64, n uint) {
	w.word |= v << w.n
	if w.n += n; w.n < 64 {
		return
	}
	w.buf = binary.LittleEndian.AppendUint64(w.buf, w.word)
	w.n -= 64
	w.word = v >> (n - w.n) // zero where nothing is left: n-w.n is n then, and v has no more bits
}

// finish fills up the last byte and returns the slice.
func (w *bitWriter) finish() []byte {
	for ; w.n > 0; w.n -= min(w.n, 8) {
		w.buf = append(w.buf, byte(w.word))
		w.word >>= 8
	}
	return w.buf
}

// bitsAt returns the bits of src from bit at on: 57 at least, zeros behind the end.
func bitsAt(src []byte, at uint) uint64 {
	i := at / 8
	if i+8 <= uint(len(src)) {
		return binary.LittleEndian.Uint64(src[i:]) >> (at % 8)
	}
	var b [8]byte
	if i < uint(len(src)) {
		copy(b[:], src[i:])
	}
	return binary.LittleEndian.Uint64(b[:]) >> (at % 8)
}

// wordAt is bitsAt for 64 bits.
func wordAt(src []byte, at uint) uint64 {
	return bitsAt(src, at)&(1<<32-1) | bitsAt(src, at+32)<<32
}
