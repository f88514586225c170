package segment

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"slices"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/codec"
)

const (
	// Once so many bytes were read in the order of the file, the next ones are read in
	// large pieces.
	sequentialBytes = 64 << 10
	aheadBytes      = 256 << 10

	// Decoded columns of timestamps that a reader remembers.
	decodedRows   = 1 << 8
	decodedPoints = 1 << 16 // 512 KiB
)

var errBlock = errors.New("block differs from its entry in the index")

// AppendBlock appends the points of block i of s, which Find or All filled in, to ts and
// values and returns the longer slices; with an error, both as they were. The timestamps
// rise. Columns are verified before they are decoded, unless they come from the cache. A
// column of timestamps is remembered and serves the following series that share it.
func (r *PackReader) AppendBlock(ts []int64, values []float64, s *PackSeries, i int) ([]int64, []float64, error) {
	newTS, newValues, err := r.appendBlock(ts, values, s, &s.Blocks[i])
	if err != nil {
		return ts, values, inFile(err, r.pack.path)
	}
	return newTS, newValues, nil
}

func (r *PackReader) appendBlock(ts []int64, values []float64, s *PackSeries, b *PackBlock) ([]int64, []float64, error) {
	if err := checkSizes(s, b); err != nil {
		return nil, nil, err
	}
	known, timestampCRC := r.columns.remembered(s, b)
	p, err := r.payloads(b, known == nil)
	if err != nil {
		return nil, nil, err
	}
	if known == nil {
		timestampCRC = crc32.Checksum(p.timestamps, castagnoli)
	}
	if !p.verified {
		r.columns.head = blockHead(r.columns.head[:0], s, b, timestampCRC)
		if crc32.Update(crc32.Checksum(r.columns.head, castagnoli), castagnoli, p.values) != b.crc {
			return nil, nil, blockDamage(s, b, errCRC)
		}
	}
	if known == nil {
		n := len(ts)
		ts = slices.Grow(ts, b.Count)[:n+b.Count]
		if err := decodeTimes(ts[n:], s, b, p.timestamps); err != nil {
			return nil, nil, err
		}
		r.columns.remember(ts[n:], s, b, timestampCRC)
	} else {
		ts = append(ts, known...)
	}
	n := len(values)
	values = slices.Grow(values, b.Count)[:n+b.Count]
	rest, err := codec.DecodeValues(values[n:], s.ValueCodec, p.values)
	if err == nil && len(rest) > 0 {
		err = damaged(len(p.values)-len(rest), "values", errTrailing)
	}
	if err != nil {
		return nil, nil, shiftedTo(err, b.ValueOffset)
	}
	r.keep(b, &p)
	return ts, values, nil
}

// checkSizes compares the count of a block with the sizes of its columns, so that it may
// be trusted with memory.
func checkSizes(s *PackSeries, b *PackBlock) error {
	timestampBytes, err := codec.MinTimestampBytes(s.TimestampCodec, b.Count)
	if err != nil {
		return err
	}
	valueBytes, err := codec.MinValueBytes(s.ValueCodec, b.Count)
	if err != nil {
		return err
	}
	if b.TimestampBytes < timestampBytes || b.ValueBytes < valueBytes {
		return blockDamage(s, b, errCount)
	}
	return nil
}

func blockDamage(s *PackSeries, b *PackBlock, err error) error {
	return &base.CorruptionError{Offset: b.ValueOffset, Part: fmt.Sprintf("block of series %x", uint64(s.ID)), Err: err}
}

// decodeTimes fills ts with a column of timestamps.
func decodeTimes(ts []int64, s *PackSeries, b *PackBlock, data []byte) error {
	rest, err := codec.DecodeTimestamps(ts, s.TimestampCodec, data, b.First)
	if err == nil && len(rest) > 0 {
		err = damaged(len(data)-len(rest), "timestamps", errTrailing)
	}
	if err != nil {
		return shiftedTo(err, b.TimestampOffset)
	}
	for i := 1; i < len(ts); i++ {
		if ts[i] <= ts[i-1] {
			return &base.CorruptionError{Offset: b.TimestampOffset, Part: fmt.Sprintf("timestamp %d", i), Err: errOrder}
		}
	}
	if ts[0] != b.First || ts[len(ts)-1] != b.Last {
		return blockDamage(s, b, errBlock)
	}
	return nil
}

// payloads are the columns of a block as they are in the file.
type payloads struct {
	timestamps, values []byte
	verified           bool // all of it was, when it came into the cache
	keepTimestamps     bool // were read one by one and go into the cache
	keepValues         bool
}

// payloads gets the values of a block and, if they are wanted, its timestamps. They are
// valid until the next call.
func (r *PackReader) payloads(b *PackBlock, timestamps bool) (p payloads, err error) {
	c := &r.columns
	if r.cache != nil {
		p.values = sized(r.cache.Get(b.ValueOffset), b.ValueBytes)
		if timestamps {
			p.timestamps = sized(r.cache.Get(b.TimestampOffset), b.TimestampBytes)
		}
	}
	readTimestamps := timestamps && p.timestamps == nil
	p.verified = p.values != nil && !readTimestamps
	switch {
	case p.verified:
	case p.values == nil && readTimestamps && b.TimestampOffset+int64(b.TimestampBytes) == b.ValueOffset:
		both, ahead, err := c.read(r.file, b.TimestampOffset, b.TimestampBytes+b.ValueBytes, r.pack.columnsEnd)
		if err != nil {
			return p, err
		}
		p.timestamps, p.values = both[:b.TimestampBytes], both[b.TimestampBytes:]
		p.keepTimestamps, p.keepValues = !ahead, !ahead
	default:
		if readTimestamps {
			if p.timestamps, err = c.readOne(r.file, b.TimestampOffset, b.TimestampBytes); err != nil {
				return p, err
			}
			p.keepTimestamps = true
		}
		if p.values == nil {
			var ahead bool
			if p.values, ahead, err = c.read(r.file, b.ValueOffset, b.ValueBytes, r.pack.columnsEnd); err != nil {
				return p, err
			}
			p.keepValues = !ahead
		}
	}
	return p, nil
}

// sized returns data if it has n bytes, else nil.
func sized(data []byte, n int) []byte {
	if len(data) != n {
		return nil
	}
	return data
}

// keep gives to the cache what was read and has proved sound.
func (r *PackReader) keep(b *PackBlock, p *payloads) {
	if r.cache == nil {
		return
	}
	if p.keepTimestamps {
		r.cache.Put(b.TimestampOffset, slices.Clone(p.timestamps))
	}
	if p.keepValues {
		r.cache.Put(b.ValueOffset, slices.Clone(p.values))
	}
}

// columnReader is the memory with which a PackReader reads and decodes columns.
type columnReader struct {
	ring    timesRing
	decoded []decodedColumn // by a hash of the offset; one that collides takes the place

	ahead       []byte // of the file, from aheadOffset on
	aheadOffset int64
	next        int64 // end of the last read
	run         int   // bytes read in order

	one, several []byte // read one by one
	head         []byte
}

// decodedColumn is a column of timestamps in the ring, verified.
type decodedColumn struct {
	offset int64 // in the file; 0 for none
	at     int64 // in the ring
	bytes  int
	count  int
	crc    uint32
	codec  byte
}

func decodedRow(offset int64) int {
	return int(uint64(offset) * 0x9e3779b97f4a7c15 >> 56 % decodedRows)
}

// remembered returns the timestamps of b and the checksum of their bytes, nil if they are
// to be decoded.
func (c *columnReader) remembered(s *PackSeries, b *PackBlock) ([]int64, uint32) {
	if c.decoded == nil {
		return nil, 0
	}
	d := &c.decoded[decodedRow(b.TimestampOffset)]
	if d.offset != b.TimestampOffset || d.bytes != b.TimestampBytes || d.count != b.Count || d.codec != s.TimestampCodec {
		return nil, 0
	}
	ts := c.ring.get(d.at, d.count)
	if ts == nil || ts[0] != b.First || ts[len(ts)-1] != b.Last {
		return nil, 0
	}
	return ts, d.crc
}

func (c *columnReader) remember(ts []int64, s *PackSeries, b *PackBlock, crc uint32) {
	if c.decoded == nil {
		c.decoded = make([]decodedColumn, decodedRows)
		c.ring.limit = decodedPoints
	}
	c.decoded[decodedRow(b.TimestampOffset)] = decodedColumn{
		offset: b.TimestampOffset, at: c.ring.put(ts), bytes: b.TimestampBytes, count: b.Count, crc: crc, codec: s.TimestampCodec,
	}
}

// read returns n bytes of the file, valid until the next call, and whether they were read
// together with more. limit is where the columns end.
func (c *columnReader) read(file io.ReaderAt, offset int64, n int, limit int64) (data []byte, ahead bool, err error) {
	if offset >= c.next && offset-c.next <= sequentialBytes {
		c.run += n
	} else {
		c.run = n
	}
	c.next = offset + int64(n)
	if data := c.fromAhead(offset, n); data != nil {
		return data, true, nil
	}
	if c.run <= sequentialBytes || n > aheadBytes {
		c.several = slices.Grow(c.several[:0], n)[:n]
		return c.several, false, readFull(file, c.several, offset)
	}
	size := int(min(aheadBytes, limit-offset))
	c.ahead = slices.Grow(c.ahead[:0], size)[:size]
	c.aheadOffset = offset
	if err := readFull(file, c.ahead, offset); err != nil {
		c.ahead = c.ahead[:0]
		return nil, false, err
	}
	return c.ahead[:n], true, nil
}

// readOne returns n bytes out of the order of the file, valid until it is called again.
func (c *columnReader) readOne(file io.ReaderAt, offset int64, n int) ([]byte, error) {
	c.one = slices.Grow(c.one[:0], n)[:n]
	if data := c.fromAhead(offset, n); data != nil {
		copy(c.one, data)
		return c.one, nil
	}
	return c.one, readFull(file, c.one, offset)
}

// fromAhead returns n bytes of what was read ahead, nil if they are not all there.
func (c *columnReader) fromAhead(offset int64, n int) []byte {
	from := offset - c.aheadOffset
	if from < 0 || from+int64(n) > int64(len(c.ahead)) {
		return nil
	}
	return c.ahead[from : from+int64(n)]
}
