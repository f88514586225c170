package codec

import "encoding/binary"

// slackBytes is how many bytes of src must be left for four residuals to be read without
// looking: they take up to 4 x 73 bits, and the last load begins up to 63 bits before their
// end and is 9 bytes long.
const slackBytes = 48

// fours reads residuals, four at a time, as long as src has room for loads of whole words,
// and returns how many. The lane is 0, before and after.
func (c *coded) fours(out []int64, src []byte) int {
	if len(src) < slackBytes {
		return 0
	}
	if c.wide {
		return c.foursWide(out, src)
	}
	return c.foursNarrow(out, src)
}

// take reads one residual from w, the bits at hand: it returns it, the state that comes
// next, and how many bits it took.
func (c *coded) take(state, w uint64) (r int64, next, total uint64) {
	t := c.table[state&(maxStates-1)]
	b := &c.bins[t>>48&(maxBins-1)]
	return b.low + int64(w>>(t>>8&63)&b.mask), t>>16&0xffff + w&(t>>32&0xffff), t & 63
}

// foursNarrow is for residuals of at most 28 bits: one load serves two.
func (c *coded) foursNarrow(out []int64, src []byte) int {
	s0, s1, s2, s3 := c.state[0], c.state[1], c.state[2], c.state[3]
	at, limit := c.at, 8*uint(len(src)-slackBytes)
	i := 0
	for ; i+lanes <= len(out) && at <= limit; i += lanes {
		o := out[i : i+lanes : i+lanes]
		var n uint64
		w := binary.LittleEndian.Uint64(src[at/8:]) >> (at % 8)
		o[0], s0, n = c.take(s0, w)
		w >>= n
		at += uint(n)
		o[1], s1, n = c.take(s1, w)
		at += uint(n)
		w = binary.LittleEndian.Uint64(src[at/8:]) >> (at % 8)
		o[2], s2, n = c.take(s2, w)
		w >>= n
		at += uint(n)
		o[3], s3, n = c.take(s3, w)
		at += uint(n)
	}
	c.state, c.at = [lanes]uint64{s0, s1, s2, s3}, at
	return i
}

// takeWide is take for residuals of any size.
func (c *coded) takeWide(state uint64, src []byte, at uint) (r int64, next uint64, behind uint) {
	t := c.table[state&(maxStates-1)]
	b := &c.bins[t>>48&(maxBins-1)]
	w := binary.LittleEndian.Uint64(src[at/8:]) >> (at % 8)
	next = t>>16&0xffff + w&(t>>32&0xffff)
	from := at + uint(t>>8&63)
	// Nine bytes: the 64 bits may begin anywhere in the first.
	w = binary.LittleEndian.Uint64(src[from/8:])>>(from%8) | uint64(src[from/8+8])<<1<<(63-from%8)
	return b.low + int64(w&b.mask), next, at + uint(t&0xff)
}

// foursWide is for residuals of any size.
func (c *coded) foursWide(out []int64, src []byte) int {
	s0, s1, s2, s3 := c.state[0], c.state[1], c.state[2], c.state[3]
	at, limit := c.at, 8*uint(len(src)-slackBytes)
	i := 0
	for ; i+lanes <= len(out) && at <= limit; i += lanes {
		o := out[i : i+lanes : i+lanes]
		o[0], s0, at = c.takeWide(s0, src, at)
		o[1], s1, at = c.takeWide(s1, src, at)
		o[2], s2, at = c.takeWide(s2, src, at)
		o[3], s3, at = c.takeWide(s3, src, at)
	}
	c.state, c.at = [lanes]uint64{s0, s1, s2, s3}, at
	return i
}
