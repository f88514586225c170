package codec

import (
	"errors"
	"math/bits"
)

//go:generate sh -c "go run genunpack.go -dispatch > unpack.go"
//go:generate sh -c "go run genunpack.go -low 1 -high 24 > unpack_narrow.go"
//go:generate sh -c "go run genunpack.go -low 25 -high 46 > unpack_middle.go"
//go:generate sh -c "go run genunpack.go -low 47 -high 64 > unpack_wide.go"

// Packed residuals stand in blocks of 128, the last one with the rest.
//
//	0   1
//	+---+-----+--------------------+
//	| w | min | k numbers of w bits|     min zigzag varint; w 0 to 64
//	+---+-----+--------------------+
//
// A residual is min plus its number. The bits are filled up to whole bytes; w = 0 has none.
const (
	packedBlock = 128
	maxWidth    = 64
)

var errWidth = errors.New("more than 64 bits a number")

// span returns the least of the residuals of a block and the width of their numbers.
func span(block []int64) (least int64, width uint) {
	least, most := block[0], block[0]
	for _, r := range block[1:] {
		least, most = min(least, r), max(most, r)
	}
	return least, uint(bits.Len64(uint64(most) - uint64(least)))
}

// packedBytes returns the size of what appendPacked appends.
func packedBytes(residuals []int64) int {
	n := 0
	for len(residuals) > 0 {
		k := min(len(residuals), packedBlock)
		least, width := span(residuals[:k])
		n += 1 + varintBytes(least) + (int(width)*k+7)/8
		residuals = residuals[k:]
	}
	return n
}

func appendPacked(dst []byte, residuals []int64) []byte {
	for len(residuals) > 0 {
		block := residuals[:min(len(residuals), packedBlock)]
		residuals = residuals[len(block):]
		least, width := span(block)
		dst = append(dst, byte(width))
		dst = appendVarint(dst, least)
		if width == 0 {
			continue
		}
		w := bitWriter{buf: dst}
		for _, r := range block {
			w.put(uint64(r)-uint64(least), width)
		}
		dst = w.finish()
	}
	return dst
}

// packed is how far a block has been read.
type packed struct {
	rest     int // residuals behind the block
	block    int // of the block, not unpacked yet
	width    uint
	least    int64
	at, n    int // those of unpacked that next has not given out
	unpacked [64]uint64
}

func (b *packed) open(residuals int) {
	b.rest, b.block, b.at, b.n = residuals, 0, 0, 0
}

// nextPacked fills out with the next numbers.
func (p *plain) nextPacked(out []int64) error {
	b := &p.packed
	for len(out) > 0 {
		if b.at == b.n {
			if err := p.unpackSome(); err != nil {
				return err
			}
		}
		k := min(len(out), b.n-b.at)
		if b.width == 0 {
			p.repeat(out[:k], b.least)
		} else {
			p.add(out[:k], b.unpacked[b.at:b.at+k], b.least)
		}
		b.at += k
		out = out[k:]
	}
	return nil
}

// unpackSome unpacks up to 64 residuals, or all of a block of width 0.
func (p *plain) unpackSome() error {
	b := &p.packed
	if b.block == 0 {
		b.block = min(b.rest, packedBlock)
		b.rest -= b.block
		width, err := p.byte()
		if err != nil {
			return err
		}
		if width > maxWidth {
			return errWidth
		}
		b.width = uint(width)
		if b.least, err = p.varint(); err != nil {
			return err
		}
		if p.left() < (int(width)*b.block+7)/8 {
			return errShort
		}
	}
	if b.width == 0 {
		b.at, b.n, b.block = 0, b.block, 0
		return nil
	}
	b.at, b.n = 0, min(b.block, len(b.unpacked))
	b.block -= b.n
	if src := p.src[p.pos:]; len(src) >= 8*int(b.width) {
		unpack(b.width, &b.unpacked, src)
	} else {
		// 64 numbers would end behind src: what unpack makes of that is never looked at.
		var whole [8 * maxWidth]byte
		copy(whole[:], src)
		unpack(b.width, &b.unpacked, whole[:])
	}
	p.pos += (int(b.width)*b.n + 7) / 8
	return nil
}

// add fills out with the next numbers, whose residuals are least plus those of packed.
func (p *plain) add(out []int64, packed []uint64, least int64) {
	packed = packed[:len(out)]
	number, step := p.number, p.step
	switch p.header.order {
	case 0:
		for i := range out {
			out[i] = int64(packed[i]) + least
		}
	case 1:
		for i := range out {
			number += int64(packed[i]) + least
			out[i] = number
		}
	default:
		for i := range out {
			step += int64(packed[i]) + least
			number += step
			out[i] = number
		}
	}
	p.number, p.step = number, step
}

// repeat fills out with the next numbers, whose residuals are all r.
func (p *plain) repeat(out []int64, r int64) {
	number, step := p.number, p.step
	switch p.header.order {
	case 0:
		for i := range out {
			out[i] = r
		}
	case 1:
		for i := range out {
			number += r
			out[i] = number
		}
	default:
		for i := range out {
			step += r
			number += step
			out[i] = number
		}
	}
	p.number, p.step = number, step
}
