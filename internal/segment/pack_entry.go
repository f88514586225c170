package segment

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/sydradb/sydradb/internal/base"
)

// An entry of the index of a pack: one series.
//
//	+--------+---------+---------+----
//	| codecs | block 0 | block 1 | ...     to the end of the entry
//	| u8     |         |         |
//	+--------+---------+---------+----
//
//	codecs  of timestamps in the low 4 bits, of values in the high ones
//
// A block:
//
//	+-------+--------+--------+--------+-------+------------+
//	| flags | column | gap    | bytes  | crc   | statistics |
//	| u8    |        | varint | varint | u32   |            |
//	+-------+--------+--------+--------+-------+------------+
//
//	flags   bits 0-1  the column of timestamps: 0 right before the values,
//	                  1 in the list of shared ones, 2 further before the values
//	        bit  2    first and span are in ms, not in ns
//	        bits 3-4  statistics: 0 none, 1 decimal, 2 raw, see stats.go
//	column  0         bytes, count, first, span: varints as in the list of shared ones
//	        1         number in the list
//	        2         distance from the start of the column to that of the values, then
//	                  bytes, count, first, span
//	gap     from the end of the values of the block before, for the first block from the
//	        start of the file, to the values
//	bytes   of the values
//	crc     CRC-32C of id u64, codec of timestamps u8, codec of values u8, count u32,
//	        first i64, last i64, the CRC-32C of the timestamps' bytes u32, and the
//	        values' bytes
//
// The blocks of a series follow one another in time and in the file.
//
// Written by appendBlock, read by decodeEntry, pinned by testdata/pack.golden and
// testdata/pack-entry.golden.
const (
	columnOwn       = 0
	columnShared    = 1
	columnElsewhere = 2
	columnMask      = 3

	flagMillis = 1 << 2
	millis     = 1_000_000 // ns

	statsShift = 3
	statsMask  = 3
	flagsKnown = columnMask | flagMillis | statsMask<<statsShift

	minBlockBytes = 1 + 1 + 1 + 1 + 4
	minEntryBytes = 1 + minBlockBytes
)

// What is wrong with an entry that cannot be decoded.
var (
	errCodecs   = errors.New("no codec has this number")
	errFlags    = errors.New("unknown flags")
	errPlace    = errors.New("place is not among the columns")
	errPoints   = errors.New("times or count of points are not possible")
	errNumber   = errors.New("no such shared column")
	errBlocks   = errors.New("blocks do not follow one another")
	errEntryEnd = errors.New("entry ends too early")
)

// PackSeries is the entry of one series in a pack. A PackReader fills it in and uses the
// memory of Blocks again.
type PackSeries struct {
	ID         base.SeriesID
	Count      int   // points
	Start, End int64 // first and last timestamp, Unix ns
	// Codecs of the columns, see package codec.
	TimestampCodec, ValueCodec byte
	// Blocks are at least one, in order of time.
	Blocks []PackBlock
}

// PackBlock is some consecutive points of a series: those of whole hours, or of a part
// of an hour that has more than 65,536.
type PackBlock struct {
	Count       int   // points, 1 to 65,536
	First, Last int64 // first and last timestamp, Unix ns
	Stats       Stats // if HasStats

	// Where the columns are in the file, and their sizes. Several blocks may share one
	// column of timestamps.
	TimestampOffset, ValueOffset int64
	TimestampBytes, ValueBytes   int

	crc      uint32
	HasStats bool
}

// blockHead appends what the checksum of a block covers before the values.
func blockHead(dst []byte, s *PackSeries, b *PackBlock, timestampCRC uint32) []byte {
	dst = binary.LittleEndian.AppendUint64(dst, uint64(s.ID))
	dst = append(dst, s.TimestampCodec, s.ValueCodec)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(b.Count))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(b.First))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(b.Last))
	return binary.LittleEndian.AppendUint32(dst, timestampCRC)
}

// appendBlock appends a block. shared is its column's number in the list of shared ones,
// or negative; valuesEnd is where the values of the block before end, and exponent that of
// the values, or negative.
func appendBlock(dst []byte, b *PackBlock, bucket int64, shared int, valuesEnd int64, exponent int) []byte {
	flags, form, unit := byte(0), byte(columnOwn), uint64(1)
	first, span := uint64(b.First-bucket), uint64(b.Last-b.First)
	distance := b.ValueOffset - b.TimestampOffset
	switch {
	case shared >= 0:
		form = columnShared
	case distance != int64(b.TimestampBytes):
		form = columnElsewhere
	}
	if shared < 0 && first%millis == 0 && span%millis == 0 {
		flags, unit = flagMillis, millis
	}
	at := len(dst)
	dst = append(dst, flags|form)
	if form == columnShared {
		dst = binary.AppendUvarint(dst, uint64(shared))
	} else {
		if form == columnElsewhere {
			dst = binary.AppendUvarint(dst, uint64(distance))
		}
		dst = binary.AppendUvarint(dst, uint64(b.TimestampBytes))
		dst = binary.AppendUvarint(dst, uint64(b.Count))
		dst = binary.AppendUvarint(dst, first/unit)
		dst = binary.AppendUvarint(dst, span/unit)
	}
	dst = binary.AppendUvarint(dst, uint64(b.ValueOffset-valuesEnd))
	dst = binary.AppendUvarint(dst, uint64(b.ValueBytes))
	dst = binary.LittleEndian.AppendUint32(dst, b.crc)
	if b.HasStats {
		var stats byte
		dst, stats = appendStats(dst, &b.Stats, exponent)
		dst[at] |= stats << statsShift
	}
	return dst
}

// layout is what a decoder of entries must know of the pack.
type layout struct {
	bucket, width int64
	columnsEnd    int64
	shared        []sharedColumn
}

// decodeEntry fills s with the entry of series id. Offsets in errors are those in data.
func (l *layout) decodeEntry(s *PackSeries, id base.SeriesID, data []byte) error {
	if len(data) < minEntryBytes {
		return damaged(0, "entry", errEntryEnd)
	}
	*s = PackSeries{ID: id, TimestampCodec: data[0] & 15, ValueCodec: data[0] >> 4, Blocks: s.Blocks[:0]}
	if s.TimestampCodec == 0 || s.ValueCodec == 0 {
		return damaged(0, "codecs", errCodecs)
	}
	s.Blocks = slices.Grow(s.Blocks, (len(data)-1)/minBlockBytes)
	c := cursor{data: data, pos: 1}
	valuesEnd := int64(0)
	for c.pos < len(data) {
		at, n := c.pos, len(s.Blocks)
		s.Blocks = append(s.Blocks, PackBlock{})
		b := &s.Blocks[n]
		err := l.decodeBlock(b, &c, valuesEnd)
		if err == nil && n > 0 && b.First <= s.Blocks[n-1].Last {
			err = errBlocks
		}
		if err != nil {
			return damaged(at, fmt.Sprintf("entry of series %x, block %d", uint64(id), n), err)
		}
		valuesEnd = b.ValueOffset + int64(b.ValueBytes)
		s.Count += b.Count
	}
	s.Start, s.End = s.Blocks[0].First, s.Blocks[len(s.Blocks)-1].Last
	return nil
}

func (l *layout) decodeBlock(b *PackBlock, c *cursor, valuesEnd int64) error {
	flags := c.byte()
	if flags&^flagsKnown != 0 {
		return errFlags
	}
	var distance uint64
	switch flags & columnMask {
	case columnShared:
		n := c.uvarint()
		if n >= uint64(len(l.shared)) || flags&flagMillis != 0 {
			return errNumber
		}
		s := &l.shared[n]
		b.TimestampOffset, b.TimestampBytes = s.offset, int(s.bytes)
		b.Count, b.First, b.Last = int(s.count), s.first, s.last
	case columnElsewhere:
		distance = c.uvarint()
		fallthrough
	case columnOwn:
		if err := l.decodeColumn(b, c, flags); err != nil {
			return err
		}
	default:
		return errFlags
	}
	gap, size := c.uvarint(), c.uvarint()
	b.crc = c.uint32()
	if c.bad {
		return errEntryEnd
	}
	if gap > uint64(l.columnsEnd-valuesEnd) || !within(valuesEnd+int64(gap), size, l.columnsEnd) {
		return errPlace
	}
	b.ValueOffset, b.ValueBytes = valuesEnd+int64(gap), int(size)
	switch flags & columnMask {
	case columnOwn:
		b.TimestampOffset = b.ValueOffset - int64(b.TimestampBytes)
	case columnElsewhere:
		if distance > uint64(b.ValueOffset) {
			return errPlace
		}
		b.TimestampOffset = b.ValueOffset - int64(distance)
	}
	if !within(b.TimestampOffset, uint64(b.TimestampBytes), b.ValueOffset) {
		return errPlace
	}
	return b.decodeStats(c, flags>>statsShift&statsMask)
}

// decodeColumn reads what a block says of a column that is not in the list.
func (l *layout) decodeColumn(b *PackBlock, c *cursor, flags byte) error {
	size := c.uvarint()
	unit := uint64(1)
	if flags&flagMillis != 0 {
		unit = millis
	}
	if size > uint64(l.columnsEnd) {
		return errPlace
	}
	b.TimestampBytes = int(size)
	var err error
	b.Count, b.First, b.Last, err = l.decodePoints(c, unit)
	return err
}

// decodePoints reads count, first and span of a column, in the given unit.
func (l *layout) decodePoints(c *cursor, unit uint64) (count int, first, last int64, err error) {
	n, from, span := c.uvarint(), c.uvarint(), c.uvarint()
	if c.bad {
		return 0, 0, 0, errEntryEnd
	}
	limit := uint64(l.width-1) / unit
	if n < 1 || n > maxBlockPoints || from > limit || span > limit-from || n-1 > span*unit {
		return 0, 0, 0, errPoints
	}
	first = l.bucket + int64(from*unit)
	return int(n), first, first + int64(span*unit), nil
}

// within reports whether a payload of size bytes at offset lies among the columns, and
// before limit.
func within(offset int64, size uint64, limit int64) bool {
	return offset >= packHeaderBytes && offset <= limit && size > 0 && size <= uint64(limit-offset)
}
