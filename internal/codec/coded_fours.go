package codec

import "encoding/binary"

const (
	// A load of 8 bytes has 57 bits from any one on: room for one residual, or for two.
	oneLoadBits = 57
	twoLoadBits = oneLoadBits / 2

	// slackBytes is how many bytes of src must be left for four residuals to be read without
	// looking: the last of the loads, of 9 bytes, begins up to 3 x 73 + 10 bits behind the
	// first.
	slackBytes = 40
)

// fours reads residuals, four at a time, as long as src has room for loads of whole words,
// and returns how many. The lane is 0, before and after.
func (c *coded) fours(out []int64, src []byte) int {
	switch {
	case len(src) < slackBytes:
		return 0
	case c.most > oneLoadBits:
		return c.foursWidest(out, src)
	case c.most > twoLoadBits:
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

// foursNarrow takes two residuals from each load.
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

// foursWide takes one.
func (c *coded) foursWide(out []int64, src []byte) int {
	s0, s1, s2, s3 := c.state[0], c.state[1], c.state[2], c.state[3]
	at, limit := c.at, 8*uint(len(src)-slackBytes)
	i := 0
	for ; i+lanes <= len(out) && at <= limit; i += lanes {
		o := out[i : i+lanes : i+lanes]
		var n uint64
		o[0], s0, n = c.take(s0, binary.LittleEndian.Uint64(src[at/8:])>>(at%8))
		at += uint(n)
		o[1], s1, n = c.take(s1, binary.LittleEndian.Uint64(src[at/8:])>>(at%8))
		at += uint(n)
		o[2], s2, n = c.take(s2, binary.LittleEndian.Uint64(src[at/8:])>>(at%8))
		at += uint(n)
		o[3], s3, n = c.take(s3, binary.LittleEndian.Uint64(src[at/8:])>>(at%8))
		at += uint(n)
	}
	c.state, c.at = [lanes]uint64{s0, s1, s2, s3}, at
	return i
}

// offset reads where in its bin a residual lies, whose bin is that of the state word t and
// which goes on at bit at: up to 63 bits, for which a load and a byte are needed.
func (c *coded) offset(t uint64, src []byte, at uint) int64 {
	b := &c.bins[t>>48&(maxBins-1)]
	w := load(src, at) | uint64(src[at/8+8])<<1<<(63-at%8)
	return b.low + int64(w&b.mask)
}

// load returns the bits of src from at on, 57 of them at least.
func load(src []byte, at uint) uint64 { return binary.LittleEndian.Uint64(src[at/8:]) >> (at % 8) }

// foursWidest takes a load for each state and another for the rest: residuals of noise have
// so many bits.
func (c *coded) foursWidest(out []int64, src []byte) int {
	s0, s1, s2, s3 := c.state[0], c.state[1], c.state[2], c.state[3]
	at, limit := c.at, 8*uint(len(src)-slackBytes)
	i := 0
	for ; i+lanes <= len(out) && at <= limit; i += lanes {
		o := out[i : i+lanes : i+lanes]
		t := c.table[s0&(maxStates-1)]
		s0 = t>>16&0xffff + load(src, at)&(t>>32&0xffff)
		o[0] = c.offset(t, src, at+uint(t>>8&63))
		at += uint(t & 0xff)
		t = c.table[s1&(maxStates-1)]
		s1 = t>>16&0xffff + load(src, at)&(t>>32&0xffff)
		o[1] = c.offset(t, src, at+uint(t>>8&63))
		at += uint(t & 0xff)
		t = c.table[s2&(maxStates-1)]
		s2 = t>>16&0xffff + load(src, at)&(t>>32&0xffff)
		o[2] = c.offset(t, src, at+uint(t>>8&63))
		at += uint(t & 0xff)
		t = c.table[s3&(maxStates-1)]
		s3 = t>>16&0xffff + load(src, at)&(t>>32&0xffff)
		o[3] = c.offset(t, src, at+uint(t>>8&63))
		at += uint(t & 0xff)
	}
	c.state, c.at = [lanes]uint64{s0, s1, s2, s3}, at
	return i
}
