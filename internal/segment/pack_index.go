package segment

import (
	"encoding/binary"
	"errors"

	"github.com/sydradb/sydradb/internal/base"
)

// An index block of a pack: some entries, one for each series, ascending by id.
//
//	0          8*n           8*n+l         size-4  size
//	+----------+-------------+-------------+-------+
//	| ids      | lengths     | entries     | crc   |     n stands in the top level,
//	| n x u64  | n varints   |             | u32   |     size follows from it
//	+----------+-------------+-------------+-------+
//
// The entries are drawn in pack_entry.go. Written by PackWriter, read by parseIndexBlock,
// pinned by testdata/pack.golden.
const (
	// An index block is closed at so many entries, which finding one passes by one after the
	// other, or before it grows beyond so many bytes. One entry alone may be larger.
	maxIndexEntries = 128
	indexBlockBytes = 4 << 10
)

var errIDs = errors.New("series are not in order")

// indexBlock is an index block whose checksum was compared.
type indexBlock struct {
	data  []byte // without the checksum
	count int
	body  int // offset of the entries
}

// parseIndexBlock looks at an index block without its checksum. Offsets in errors are
// those in data.
func parseIndexBlock(data []byte, count int) (indexBlock, error) {
	b := indexBlock{data: data, count: count}
	if len(data)/(8+1+minEntryBytes) < count {
		return b, damaged(len(data), "index block", errShort)
	}
	var total int
	if b.body, total = b.sizes(count); total < 0 || total != len(data)-b.body {
		return b, damaged(8*count, "index block", errLayout)
	}
	return b, nil
}

// ordered reports whether the ids rise, and all lie from first up to, but without, limit.
func (b *indexBlock) ordered(first, limit base.SeriesID, last bool) bool {
	for i := 1; i < b.count; i++ {
		if b.id(i) <= b.id(i-1) {
			return false
		}
	}
	return b.id(0) == first && (last || b.id(b.count-1) < limit)
}

// sizes adds up the lengths of the first n entries, and returns where those of the next
// ones stand. The total is negative if they cannot be read.
func (b *indexBlock) sizes(n int) (pos, total int) {
	pos = 8 * b.count
	for range n {
		// Nearly all lengths take one byte or two.
		if pos+1 < len(b.data) {
			low, high := b.data[pos], b.data[pos+1]
			if low < 0x80 {
				total += int(low)
				pos++
				continue
			}
			if high < 0x80 {
				total += int(low&0x7f) | int(high)<<7
				pos += 2
				continue
			}
		}
		v, size := binary.Uvarint(b.data[pos:])
		if size <= 0 || v > uint64(len(b.data)) {
			return pos, -1
		}
		total += int(v)
		pos += size
	}
	return pos, total
}

func (b *indexBlock) id(i int) base.SeriesID {
	return base.SeriesID(binary.LittleEndian.Uint64(b.data[8*i:]))
}

// find returns the number of the entry of series id.
func (b *indexBlock) find(id base.SeriesID) (int, bool) {
	lo, hi := 0, b.count
	for lo < hi {
		mid := int(uint(lo+hi) / 2)
		if b.id(mid) < id {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo, lo < b.count && b.id(lo) == id
}

// entry returns the bytes of entry i, and where they begin in the block.
func (b *indexBlock) entry(i int) (data []byte, offset int) {
	pos, before := b.sizes(i)
	size, _ := binary.Uvarint(b.data[pos:])
	offset = b.body + before
	return b.data[offset : offset+int(size)], offset
}

// cursor reads numbers from bytes. Once it has run over their end it is bad, and all
// that it reads is 0.
type cursor struct {
	data []byte
	pos  int
	bad  bool
}

func (c *cursor) uvarint() uint64 {
	if c.pos < len(c.data) && c.data[c.pos] < 0x80 {
		c.pos++
		return uint64(c.data[c.pos-1])
	}
	v, n := binary.Uvarint(c.data[c.pos:])
	if n <= 0 {
		c.fail()
		return 0
	}
	c.pos += n
	return v
}

// varint reads a zigzag varint.
func (c *cursor) varint() int64 {
	u := c.uvarint()
	return int64(u>>1) ^ -int64(u&1)
}

func (c *cursor) byte() byte {
	if c.pos == len(c.data) {
		c.fail()
		return 0
	}
	c.pos++
	return c.data[c.pos-1]
}

func (c *cursor) uint32() uint32 {
	if len(c.data)-c.pos < 4 {
		c.fail()
		return 0
	}
	c.pos += 4
	return binary.LittleEndian.Uint32(c.data[c.pos-4:])
}

func (c *cursor) uint64() uint64 {
	if len(c.data)-c.pos < 8 {
		c.fail()
		return 0
	}
	c.pos += 8
	return binary.LittleEndian.Uint64(c.data[c.pos-8:])
}

func (c *cursor) fail() { c.bad, c.pos = true, len(c.data) }
