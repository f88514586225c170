package segment

import (
	"fmt"
	"hash/crc32"
	"slices"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/codec"
)

// ReadBlock returns the points of block i of s, which Find or All filled in: the values
// appended to values, the timestamps, which rise, in a slice that blocks with equal ones
// share. It must not be changed, and is valid until the decoder of r is used again, by r
// or by another reader. With an error, values are returned as they were. Columns are
// verified before they are decoded, unless they come from the cache.
func (r *PackReader) ReadBlock(values []float64, s *PackSeries, i int) (ts []int64, _ []float64, err error) {
	ts, newValues, err := r.readBlock(values, s, &s.Blocks[i])
	if err != nil {
		return nil, values, inFile(err, r.pack.path)
	}
	return ts, newValues, nil
}

// AppendBlock is ReadBlock with timestamps that are the caller's, appended to ts.
func (r *PackReader) AppendBlock(ts []int64, values []float64, s *PackSeries, i int) ([]int64, []float64, error) {
	shared, values, err := r.ReadBlock(values, s, i)
	return append(ts, shared...), values, err
}

func (r *PackReader) readBlock(values []float64, s *PackSeries, b *PackBlock) ([]int64, []float64, error) {
	if err := checkSizes(s, b); err != nil {
		return nil, nil, err
	}
	if r.decoder == nil {
		r.decoder = new(Decoder)
	}
	ts, timestampCRC := r.decoder.remembered(r.pack, s, b)
	p, err := r.payloads(b, ts == nil)
	if err != nil {
		return nil, nil, err
	}
	if ts == nil {
		timestampCRC = crc32.Checksum(p.timestamps, castagnoli)
	}
	if !p.verified {
		r.columns.head = blockHead(r.columns.head[:0], s, b, timestampCRC)
		if crc32.Update(crc32.Checksum(r.columns.head, castagnoli), castagnoli, p.values) != b.crc {
			return nil, nil, blockDamage(s, b, errCRC)
		}
	}
	if ts == nil {
		if ts, err = r.decoder.timestamps(r.pack, s, b, p.timestamps, timestampCRC); err != nil {
			return nil, nil, err
		}
	}
	n := len(values)
	values = slices.Grow(values, b.Count)[:n+b.Count]
	rest, err := r.decoder.codec.Values(values[n:], s.ValueCodec, p.values)
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

// payloads are the columns of a block as they are in the file.
type payloads struct {
	timestamps, values []byte
	verified           bool // all of it was, when it came into the cache
	keepTimestamps     bool // were read and go into the cache
	keepValues         bool
}

// payloads gets the values of a block and, if they are wanted, its timestamps. They are
// valid until the next call.
func (r *PackReader) payloads(b *PackBlock, timestamps bool) (p payloads, err error) {
	c := &r.columns
	c.total += int64(b.ValueBytes)
	cached := r.cache != nil && c.total <= longBytes
	if cached {
		p.values = sized(r.cache.Get(b.ValueOffset), b.ValueBytes)
		if timestamps {
			p.timestamps = sized(r.cache.Get(b.TimestampOffset), b.TimestampBytes)
		}
	}
	readTimestamps, readValues := timestamps && p.timestamps == nil, p.values == nil
	p.verified = !readValues && !readTimestamps
	p.keepTimestamps, p.keepValues = cached && readTimestamps, cached && readValues
	end := r.pack.columnsEnd
	if readTimestamps && readValues && b.TimestampOffset+int64(b.TimestampBytes) == b.ValueOffset {
		both, err := c.read(r.file, b.TimestampOffset, b.TimestampBytes+b.ValueBytes, end)
		if err != nil {
			return p, err
		}
		p.timestamps, p.values = both[:b.TimestampBytes], both[b.TimestampBytes:]
		return p, nil
	}
	if readTimestamps {
		if p.timestamps, err = c.read(r.file, b.TimestampOffset, b.TimestampBytes, end); err != nil {
			return p, err
		}
	}
	if readValues {
		p.values, err = c.read(r.file, b.ValueOffset, b.ValueBytes, end)
	}
	return p, err
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
	if p.keepTimestamps {
		r.cache.Put(b.TimestampOffset, slices.Clone(p.timestamps))
	}
	if p.keepValues {
		r.cache.Put(b.ValueOffset, slices.Clone(p.values))
	}
}
