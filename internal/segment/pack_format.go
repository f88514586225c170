package segment

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"

	"github.com/sydradb/sydradb/internal/base"
)

// A pack: the segments of many series of one bucket, which is an hour or a day.
//
//	0        28        index                top             size-76    size
//	+--------+---------+--------------------+---------------+----------+
//	| header | columns | index blocks, one  | top level     | footer   |
//	|        |         | behind the other   |               |          |
//	+--------+---------+--------------------+---------------+----------+
//
// Header:
//
//	0          8         12       20       28
//	+----------+---------+--------+--------+
//	| SYPACK01 | version | bucket | width  |     version 1; bucket: its start; width in ns
//	|          | u32     | i64    | i64    |
//	+----------+---------+--------+--------+
//
// Columns: the payloads of blocks, a block being some consecutive points of one series,
// in the order in which the series were written. Each block adds its values, and before
// them its timestamps, unless an equal column of timestamps is there already. Nothing
// lies between payloads. What a payload is the index says, see pack_entry.go.
//
// Top level:
//
//	+---------------------------+-----------------------+
//	| shared columns, varints   | index blocks, 16 each |
//	+---------------------------+-----------------------+
//
//	shared column  offset   zigzag: less that of the one before, the first less 0
//	               bytes    of the payload
//	               count    points, 1 to 65536
//	               first    timestamp, less the start of the bucket
//	               span     last timestamp less the first
//
//	index block    id u64 of its first series, offset u32 less that of the index,
//	               count u32 of its series
//
// Footer:
//
//	0       8       16       20       24       28       36       44
//	+-------+-------+--------+--------+--------+--------+--------+
//	| index | top   | shared | index  | series | blocks | points |
//	| u64   | u64   | columns| blocks | u32    | u64    | u64    |
//	|       |       | u32    | u32    |        |        |        |
//	+-------+-------+--------+--------+--------+--------+--------+
//	44      52      60        64       68         76
//	+-------+-------+---------+--------+----------+
//	| start | end   | top crc | crc    | SYPACK01 |     start, end: first and last timestamp
//	| i64   | i64   | u32     | u32    |          |
//	+-------+-------+---------+--------+----------+
//
// All checksums are CRC-32C: that of the top level, and that of the 64 bytes before it
// in the footer, which the manifest entry repeats. The header follows from the entry.
//
// Written by PackWriter, read by OpenPack, pinned by testdata/pack.golden.
const (
	packMagic   = "SYPACK01"
	packVersion = 1

	packHeaderBytes = 8 + 4 + 8 + 8
	packFooterBytes = footerCRCOffset + 4 + 8
	topBlockBytes   = 8 + 4 + 4

	topCRCOffset    = 8 + 8 + 4 + 4 + 4 + 8 + 8 + 8 + 8
	footerCRCOffset = topCRCOffset + 4

	minSharedBytes = 5 // of a column in the list of shared ones
)

var (
	_ [28]byte = [packHeaderBytes]byte{}
	_ [76]byte = [packFooterBytes]byte{}
)

// What packs are cut at. A pack that one series alone fills further is still sound.
const (
	// MaxPackBytes is the size that a BucketWriter keeps packs below.
	MaxPackBytes = 2 << 30
	// MaxPackSegments is the greatest number of series in a pack.
	MaxPackSegments = 1 << 20

	maxBlockPoints = 1 << 16 // points of a block
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// What is wrong with a pack that cannot be read.
var (
	errPackMagic   = errors.New("not a pack")
	errPackVersion = errors.New("unknown version")
	errPackEntry   = errors.New("differs from the manifest")
	errCRC         = errors.New("checksum differs")
	errLayout      = errors.New("parts do not fit into one another")
	errTotals      = errors.New("totals differ from the index")
)

// packFooter is what the footer says.
type packFooter struct {
	index, top  int64 // where the index and its top level begin
	shared      int   // columns in the list of shared ones
	indexBlocks int
	series      int
	blocks      uint64
	points      uint64
	start, end  int64 // first and last timestamp
	topCRC      uint32
}

// sharedColumn is a column of timestamps in the list of the top level.
type sharedColumn struct {
	offset      int64
	bytes       uint32
	count       uint32
	first, last int64
}

// topBlock is an index block in the top level.
type topBlock struct {
	first  base.SeriesID // in the block
	offset uint32        // less that of the index
	count  uint32        // series
}

func appendPackHeader(dst []byte, bucket, width int64) []byte {
	dst = append(dst, packMagic...)
	dst = binary.LittleEndian.AppendUint32(dst, packVersion)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(bucket))
	return binary.LittleEndian.AppendUint64(dst, uint64(width))
}

// decodePackHeader returns the bucket of a pack that begins with data.
func decodePackHeader(data []byte) (bucket, width int64, err error) {
	if len(data) < packHeaderBytes || string(data[:8]) != packMagic {
		return 0, 0, damaged(0, "header", errPackMagic)
	}
	if v := binary.LittleEndian.Uint32(data[8:]); v != packVersion {
		return 0, 0, damaged(8, "header", fmt.Errorf("%w: %d, not %d", errPackVersion, v, packVersion))
	}
	bucket = int64(binary.LittleEndian.Uint64(data[12:]))
	width = int64(binary.LittleEndian.Uint64(data[20:]))
	if err := validBucket(bucket, width); err != nil {
		return 0, 0, damaged(12, "header", err)
	}
	return bucket, width, nil
}

// validBucket reports what is wrong with a bucket, if anything.
func validBucket(bucket, width int64) error {
	switch {
	case bucket < base.MinTime-base.Day || bucket > base.MaxTime:
	case width == base.Hour && base.BucketStart(bucket) == bucket:
		return nil
	case width == base.Day && base.DayStart(bucket) == bucket:
		return nil
	}
	return fmt.Errorf("no bucket of %d ns starts at %d", width, bucket)
}

// appendFooter appends the footer and returns its checksum too.
func appendFooter(dst []byte, f *packFooter) ([]byte, uint32) {
	at := len(dst)
	for _, v := range [...]int64{f.index, f.top} {
		dst = binary.LittleEndian.AppendUint64(dst, uint64(v))
	}
	for _, v := range [...]int{f.shared, f.indexBlocks, f.series} {
		dst = binary.LittleEndian.AppendUint32(dst, uint32(v))
	}
	for _, v := range [...]uint64{f.blocks, f.points, uint64(f.start), uint64(f.end)} {
		dst = binary.LittleEndian.AppendUint64(dst, v)
	}
	dst = binary.LittleEndian.AppendUint32(dst, f.topCRC)
	crc := crc32.Checksum(dst[at:], castagnoli)
	dst = binary.LittleEndian.AppendUint32(dst, crc)
	return append(dst, packMagic...), crc
}

// decodeFooter reads the footer of a pack of size bytes, and its checksum. Offsets in
// errors are those in data.
func decodeFooter(data []byte, size int64) (f packFooter, crc uint32, err error) {
	if string(data[footerCRCOffset+4:]) != packMagic {
		return f, 0, damaged(footerCRCOffset+4, "footer", errPackMagic)
	}
	crc = binary.LittleEndian.Uint32(data[footerCRCOffset:])
	if crc32.Checksum(data[:footerCRCOffset], castagnoli) != crc {
		return f, 0, damaged(0, "footer", errCRC)
	}
	u32 := func(at int) int { return int(binary.LittleEndian.Uint32(data[at:])) }
	u64 := func(at int) uint64 { return binary.LittleEndian.Uint64(data[at:]) }
	f = packFooter{
		index: int64(u64(0)), top: int64(u64(8)),
		shared: u32(16), indexBlocks: u32(20), series: u32(24),
		blocks: u64(28), points: u64(36), start: int64(u64(44)), end: int64(u64(52)),
		topCRC: uint32(u32(topCRCOffset)),
	}
	end := size - packFooterBytes
	switch {
	case f.index < packHeaderBytes || f.top < f.index || f.top > end || f.top-f.index > math.MaxUint32:
		err = errLayout
	case int64(f.indexBlocks)*topBlockBytes+int64(f.shared)*minSharedBytes > end-f.top:
		err = errLayout
	case int64(f.series)*(entryRefBytes+minEntryBytes)+int64(f.indexBlocks)*4 > f.top-f.index:
		err = errLayout
	case f.series < 1 || f.indexBlocks < 1 || f.start > f.end:
		err = errLayout
	}
	if err != nil {
		return f, 0, damaged(0, "footer", err)
	}
	return f, crc, nil
}

func appendTop(dst []byte, bucket int64, shared []sharedColumn, blocks []topBlock) []byte {
	prev := int64(0)
	for i := range shared {
		c := &shared[i]
		dst = binary.AppendVarint(dst, c.offset-prev)
		dst = binary.AppendUvarint(dst, uint64(c.bytes))
		dst = binary.AppendUvarint(dst, uint64(c.count))
		dst = binary.AppendUvarint(dst, uint64(c.first-bucket))
		dst = binary.AppendUvarint(dst, uint64(c.last-c.first))
		prev = c.offset
	}
	for _, b := range blocks {
		dst = binary.LittleEndian.AppendUint64(dst, uint64(b.first))
		dst = binary.LittleEndian.AppendUint32(dst, b.offset)
		dst = binary.LittleEndian.AppendUint32(dst, b.count)
	}
	return dst
}

// decodeTop reads the top level, data, of a pack with footer f: the shared columns into
// l, which has the rest, and the index blocks. Offsets in errors are those in data.
func (l *layout) decodeTop(data []byte, f *packFooter) ([]topBlock, error) {
	if crc32.Checksum(data, castagnoli) != f.topCRC {
		return nil, damaged(0, "top level", errCRC)
	}
	c := cursor{data: data[:len(data)-f.indexBlocks*topBlockBytes]}
	shared := make([]sharedColumn, f.shared)
	prev := int64(0)
	for i := range shared {
		at := c.pos
		offset, size := prev+c.varint(), c.uvarint()
		count, first, last, err := l.decodePoints(&c, 1)
		if err == nil && (!within(offset, size, f.index) || size > math.MaxUint32) {
			err = errPlace
		}
		if err != nil {
			return nil, damaged(at, fmt.Sprintf("shared column %d", i), err)
		}
		shared[i] = sharedColumn{offset, uint32(size), uint32(count), first, last}
		prev = offset
	}
	if c.pos != len(c.data) {
		return nil, damaged(c.pos, "shared columns", errTrailing)
	}
	l.shared = shared
	blocks, err := decodeTopBlocks(data[c.pos:], f)
	return blocks, shifted(err, c.pos)
}

func decodeTopBlocks(data []byte, f *packFooter) ([]topBlock, error) {
	at, total := 0, 0
	blocks := make([]topBlock, f.indexBlocks)
	for i := range blocks {
		b := &blocks[i]
		b.first = base.SeriesID(binary.LittleEndian.Uint64(data[at:]))
		b.offset = binary.LittleEndian.Uint32(data[at+8:])
		b.count = binary.LittleEndian.Uint32(data[at+12:])
		sound := b.count > 0 && b.count <= maxIndexEntries && int64(b.offset) < f.top-f.index
		if i == 0 {
			sound = sound && b.offset == 0
		} else {
			sound = sound && b.first > blocks[i-1].first && b.offset > blocks[i-1].offset
		}
		if !sound {
			return nil, damaged(at, fmt.Sprintf("index block %d", i), errLayout)
		}
		at += topBlockBytes
		total += int(b.count)
	}
	if total != f.series {
		return nil, damaged(0, "index blocks", errTotals)
	}
	return blocks, nil
}
