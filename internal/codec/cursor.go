package codec

import (
	"encoding/binary"
	"math/bits"
	"slices"
)

// cursor reads a column from front to back. Its errors are causes without a place: pos
// stays where the damage is, for whoever reports it.
type cursor struct {
	src []byte
	pos int
}

// left returns how many bytes have not been read.
func (c *cursor) left() int { return len(c.src) - c.pos }

func (c *cursor) byte() (byte, error) {
	if c.pos >= len(c.src) {
		return 0, errShort
	}
	c.pos++
	return c.src[c.pos-1], nil
}

func (c *cursor) uvarint() (uint64, error) {
	if c.pos < len(c.src) && c.src[c.pos] < 0x80 {
		c.pos++
		return uint64(c.src[c.pos-1]), nil
	}
	u, n := binary.Uvarint(c.src[c.pos:])
	if n <= 0 {
		return 0, varintError(n)
	}
	c.pos += n
	return u, nil
}

// varint reads a zigzag varint.
func (c *cursor) varint() (int64, error) {
	u, err := c.uvarint()
	return int64(u>>1) ^ -int64(u&1), err
}

// word reads 8 bytes.
func (c *cursor) word() (uint64, error) {
	if c.left() < 8 {
		return 0, errShort
	}
	c.pos += 8
	return word(c.src, c.pos-8), nil
}

func zigzag(v int64) uint64 { return uint64(v<<1) ^ uint64(v>>63) }

func appendVarint(dst []byte, v int64) []byte { return binary.AppendUvarint(dst, zigzag(v)) }

// varintBytes returns how many bytes appendVarint appends.
func varintBytes(v int64) int { return (bits.Len64(zigzag(v)|1) + 6) / 7 }

// resized returns a slice of n elements in the memory of s, or in new memory if that has
// no room. What is in it is undefined.
func resized[E any](s []E, n int) []E {
	return slices.Grow(s[:0], n)[:n]
}
