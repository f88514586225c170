package segment

import (
	"errors"
	"fmt"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/codec"
)

const (
	// Decoded columns of timestamps that a Decoder remembers.
	decodedRows   = 1 << 8
	decodedPoints = 1 << 16 // 512 KiB
)

var errBlock = errors.New("block differs from its entry in the index")

// Decoder is the memory with which files are decoded: tables of the codecs, and the
// columns of timestamps of packs that were decoded last, 600 KiB at most. One serves all
// files and PackReaders of a goroutine. The zero value is ready.
type Decoder struct {
	codec codec.Decoder
	ring  timesRing
	rows  []decodedColumn // by a hash of the offset; one that collides takes the place
	last  int64           // 1 + the place in the ring of the column returned last
}

// Column returns a number for the timestamps that the last ReadBlock of this decoder
// returned: while it is in use, equal numbers are the same column.
func (d *Decoder) Column() int64 { return d.last }

// decodedColumn is a column of timestamps in the ring, verified.
type decodedColumn struct {
	pack   *Pack // nil for none
	offset int64 // in the file
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
func (d *Decoder) remembered(p *Pack, s *PackSeries, b *PackBlock) ([]int64, uint32) {
	if d.rows == nil {
		return nil, 0
	}
	c := &d.rows[decodedRow(b.TimestampOffset)]
	if c.offset != b.TimestampOffset || c.pack != p || c.bytes != b.TimestampBytes || c.count != b.Count || c.codec != s.TimestampCodec {
		return nil, 0
	}
	ts := d.ring.get(c.at, c.count)
	if ts == nil || ts[0] != b.First || ts[len(ts)-1] != b.Last {
		return nil, 0
	}
	d.last = c.at + 1
	return ts, c.crc
}

// timestamps decodes the column of b, data with the checksum crc, and remembers it.
func (d *Decoder) timestamps(p *Pack, s *PackSeries, b *PackBlock, data []byte, crc uint32) ([]int64, error) {
	if d.rows == nil {
		d.rows = make([]decodedColumn, decodedRows)
		d.ring.limit = decodedPoints
	}
	at, ts := d.ring.take(b.Count)
	rest, err := d.codec.Timestamps(ts, s.TimestampCodec, data, b.First)
	if err == nil && len(rest) > 0 {
		err = damaged(len(data)-len(rest), "timestamps", errTrailing)
	}
	if err != nil {
		return nil, shiftedTo(err, b.TimestampOffset)
	}
	for i := 1; i < len(ts); i++ {
		if ts[i] <= ts[i-1] {
			return nil, &base.CorruptionError{Offset: b.TimestampOffset, Part: fmt.Sprintf("timestamp %d", i), Err: errOrder}
		}
	}
	if ts[0] != b.First || ts[len(ts)-1] != b.Last {
		return nil, blockDamage(s, b, errBlock)
	}
	d.last = at + 1
	d.rows[decodedRow(b.TimestampOffset)] = decodedColumn{
		pack: p, offset: b.TimestampOffset, at: at, bytes: b.TimestampBytes, count: b.Count, crc: crc, codec: s.TimestampCodec,
	}
	return ts, nil
}
