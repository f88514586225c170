package codec

import (
	"errors"
	"math/bits"
)

// Coded residuals: each lies in a bin, a range of numbers. Its place there is written
// down, and its bin is coded by how often it occurs, as tANS does (asymmetric numeral
// systems by table; Duda, 2013), so that a frequent one takes a fraction of a bit.
//
//	0   1   2
//	+---+---+------+-----------------------------------------------+
//	| L | K | low  | bits                                          |
//	+---+---+------+-----------------------------------------------+
//
//	L     4 to 10: the weights of the bins add up to 2^L, the number of states
//	K     bins, 2 to 128
//	low   zigzag varint, where bin 0 begins
//
// The bits, the lowest first:
//
//	for each bin   weight - 1 (L bits), width (6 bits); for all but the first also the
//	               distance to where the bin before begins, less 1: its length in bits
//	               (7 bits, up to 64) and, without the top bit, the distance
//	4 states       L bits each
//	residuals      for each: some bits of the next state, then its distance to where its
//	               bin begins (width bits)
//
// Bins rise and do not overlap for the encoder; a decoder need not know.
//
// The states are dealt to the bins in strides (see deal), as many to each as it weighs.
// Residual i is that of state i%4, which then moves on: with x its rank among the states of
// its bin, plus the weight, it reads n = L - floor(log2 x) bits, and becomes
// (x << n) - 2^L plus these. Four states instead of one let the processor do four
// residuals at a time; the encoder goes from the last residual to the first.
const (
	minStateBits = 4
	maxStateBits = 10
	maxStates    = 1 << maxStateBits
	minBins      = 2
	maxBins      = 128
	widthBits    = 6
	distanceBits = 7
	lanes        = 4
)

var (
	errStateBits = errors.New("no such number of states")
	errBins      = errors.New("no such number of bins")
	errWeights   = errors.New("weights do not add up to the number of states")
	errDistance  = errors.New("more than 64 bits between bins")
)

// deal returns the bin of each state: every bin gets as many as it weighs, spread out in
// strides that meet each state once. The weights add up to states, a power of two.
func deal(bin *[maxStates]uint8, weights []uint16, states int) {
	at, stride := 0, states*3/5|1
	for i, weight := range weights {
		for range weight {
			bin[at&(maxStates-1)] = uint8(i)
			at = (at + stride) & (states - 1)
		}
	}
}

// coded is the tables of the bins and how far the residuals have been read.
//
// A state is one word, since loads are what decoding waits for: bits 0-7 what a residual
// of its bin takes altogether, 8-15 how many bits of that lead to the next state, 16-31
// the state to which these are added, 32-47 their mask, 48-63 the bin.
type coded struct {
	table [maxStates]uint64
	bins  [maxBins]bin
	dealt [maxStates]uint8
	next  [maxBins]uint16

	state [lanes]uint64
	lane  int
	at    uint // bits of src that have been read
	most  uint // bits that a residual may take
}

// bin is a range of residuals: low plus up to mask.
type bin struct {
	low  int64
	mask uint64
}

// openCoded reads the tables.
func (p *plain) openCoded() error {
	c := &p.coded
	stateBits, err := p.byte()
	if err != nil {
		return err
	}
	if stateBits < minStateBits || stateBits > maxStateBits {
		return errStateBits
	}
	count, err := p.byte()
	if err != nil {
		return err
	}
	if count < minBins || count > maxBins {
		return errBins
	}
	low, err := p.varint()
	if err != nil {
		return err
	}
	c.at = 8 * uint(p.pos)
	var weights [maxBins]uint16
	widest, err := c.readBins(p.src, weights[:count], uint(stateBits), low)
	if err != nil {
		return err
	}
	c.fill(weights[:count], uint(stateBits))
	for i := range c.state {
		c.state[i] = bitsAt(p.src, c.at) & (1<<stateBits - 1)
		c.at += uint(stateBits)
	}
	c.lane = 0
	c.most = widest + uint(stateBits)
	return p.passBits()
}

// readBins reads the bins and sets weights to what they weigh.
func (c *coded) readBins(src []byte, weights []uint16, stateBits uint, low int64) (widest uint, err error) {
	sum := 0
	for i := range weights {
		head := bitsAt(src, c.at)
		weights[i] = uint16(head&(1<<stateBits-1)) + 1
		width := uint(head >> stateBits & (1<<widthBits - 1))
		c.at += stateBits + widthBits
		if i > 0 {
			size := uint(bitsAt(src, c.at) & (1<<distanceBits - 1))
			c.at += distanceBits
			if size > 64 {
				return 0, errDistance
			}
			distance := uint64(0)
			if size > 0 {
				distance = wordAt(src, c.at)&(1<<(size-1)-1) | 1<<(size-1)
				c.at += size - 1
			}
			low += int64(distance) + 1
		}
		c.bins[i] = bin{low, 1<<width - 1}
		widest = max(widest, width)
		sum += int(weights[i])
	}
	switch {
	case c.at > 8*uint(len(src)):
		return 0, errShort
	case sum != 1<<stateBits:
		return 0, errWeights
	}
	return widest, nil
}

// fill makes the table of the states.
func (c *coded) fill(weights []uint16, stateBits uint) {
	states := 1 << stateBits
	deal(&c.dealt, weights, states)
	copy(c.next[:], weights)
	for s := range c.table[:states] {
		b := c.dealt[s] & (maxBins - 1)
		x := c.next[b]
		c.next[b]++
		n := stateBits + 1 - uint(bits.Len16(x))
		total := n + uint(bits.Len64(c.bins[b].mask))
		c.table[s] = uint64(total) | uint64(n)<<8 | (uint64(x)<<n-uint64(states))<<16 | (1<<n-1)<<32 | uint64(b)<<48
	}
}

// nextCoded fills out with the next numbers.
func (p *plain) nextCoded(out []int64) error {
	c := &p.coded
	i := 0
	for ; i < len(out) && c.lane != 0; i++ {
		out[i] = c.one(p.src)
	}
	i += c.fours(out[i:], p.src)
	if len(out)-i >= lanes && c.at/8 < uint(len(p.src)) {
		// The last ones go on in a copy with zeros behind, so that loads have room.
		var end [2 * slackBytes]byte
		from := c.at / 8
		copy(end[:slackBytes], p.src[from:])
		c.at %= 8
		i += c.fours(out[i:], end[:])
		c.at += 8 * from
	}
	for ; i < len(out); i++ {
		out[i] = c.one(p.src)
	}
	p.sum(out)
	return p.passBits()
}

// passBits moves the cursor behind the bits that have been read.
func (p *plain) passBits() error {
	if p.coded.at > 8*uint(len(p.src)) {
		p.pos = len(p.src)
		return errShort
	}
	p.pos = int((p.coded.at + 7) / 8)
	return nil
}

// sum turns residuals into numbers.
func (p *plain) sum(out []int64) {
	number, step := p.number, p.step
	switch p.header.order {
	case 1:
		for i, r := range out {
			number += r
			out[i] = number
		}
	case 2:
		for i, r := range out {
			step += r
			number += step
			out[i] = number
		}
	}
	p.number, p.step = number, step
}

// one reads a residual, with zeros behind the end of src.
func (c *coded) one(src []byte) int64 {
	state := &c.state[c.lane]
	c.lane = (c.lane + 1) % lanes
	t := c.table[*state&(maxStates-1)]
	b := &c.bins[t>>48&(maxBins-1)]
	*state = t>>16&0xffff + bitsAt(src, c.at)&(t>>32&0xffff)
	r := b.low + int64(wordAt(src, c.at+uint(t>>8&63))&b.mask)
	c.at += uint(t & 0xff)
	return r
}
