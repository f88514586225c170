package wal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/sydradb/sydradb/internal/base"
)

// rowsAtOnce is how many rows a BatchDecoder hands over in one call: 96 KiB, which
// stay in the processor's cache until they are applied.
const rowsAtOnce = 4096

var (
	errVarint   = errors.New("bad varint")
	errCount    = errors.New("count is greater than the record")
	errString   = errors.New("string is empty or longer than the record")
	errPair     = errors.New("pair number beyond the record's pairs")
	errTagOrder = errors.New("tag keys do not ascend")
	errControl  = errors.New("bad control byte")
	errOrdinal  = errors.New("ordinal out of range")
	errRowsCut  = errors.New("rows are cut off")
	errTrailing = errors.New("bytes after the last row")
)

// BatchDecoder decodes Batch bodies. It hands out pieces instead of the whole, because
// a row of one byte becomes one of 24, and a tag of one byte one of 32: memory stays
// bounded whatever a record holds. The zero value is ready. Reusing one spares
// allocations: none per row. It is not safe for concurrent use.
type BatchDecoder struct {
	pairs []base.Tag
	tags  []base.Tag
	rows  []base.Row
}

// Decode calls reg once for each registration of body, then rows with one to 4,096 rows
// at a time, in order. The Tags of a registration and the rows are valid only during
// the call; strings may be kept. An error of reg or rows ends the decoding and is
// returned as it is. Any other error says what is wrong with body: what was handed out
// until then was not the whole record. Whether an ordinal is registered is for the
// caller to check.
func (d *BatchDecoder) Decode(body []byte, reg func(base.Registration) error, rows func([]base.Row) error) error {
	r := reader{src: body}
	if err := d.readPairs(&r); err != nil {
		return fmt.Errorf("pair %d: %w", len(d.pairs), err)
	}
	n, err := r.count(minSeries)
	if err != nil {
		return fmt.Errorf("number of series: %w", err)
	}
	for i := range n {
		series, err := d.readSeries(&r)
		if err != nil {
			return fmt.Errorf("series %d: %w", i, err)
		}
		if err = reg(series); err != nil {
			return err
		}
	}
	return d.readRows(&r, rows)
}

// The least bytes that a pair, a series and a row take.
const (
	minPair   = 4
	minSeries = 11
	minRow    = 1
)

func (d *BatchDecoder) readPairs(r *reader) error {
	d.pairs = d.pairs[:0]
	n, err := r.count(minPair)
	if err != nil {
		return err
	}
	d.pairs = slices.Grow(d.pairs, n)
	for range n {
		key, err := r.text(1)
		if err != nil {
			return err
		}
		value, err := r.text(1)
		if err != nil {
			return err
		}
		d.pairs = append(d.pairs, base.Tag{Key: key, Value: value})
	}
	return nil
}

func (d *BatchDecoder) readSeries(r *reader) (s base.Registration, err error) {
	ordinal, err := r.uvarint()
	if err != nil {
		return s, err
	}
	if ordinal > math.MaxUint32 {
		return s, errOrdinal
	}
	id, err := r.uint64()
	if err != nil {
		return s, err
	}
	name, err := r.text(0)
	if err != nil {
		return s, err
	}
	n, err := r.count(1)
	if err != nil {
		return s, err
	}
	// Ascending keys are distinct pairs; so this bounds what is allocated.
	if n > len(d.pairs) {
		return s, errCount
	}
	d.tags = slices.Grow(d.tags[:0], n)
	for range n {
		p, err := r.uvarint()
		if err != nil {
			return s, err
		}
		if p >= uint64(len(d.pairs)) {
			return s, errPair
		}
		tag := d.pairs[p]
		if last := len(d.tags) - 1; last >= 0 && d.tags[last].Key >= tag.Key {
			return s, errTagOrder
		}
		d.tags = append(d.tags, tag)
	}
	return base.Registration{Ordinal: base.Ordinal(ordinal), ID: base.SeriesID(id), Name: name, Tags: d.tags}, nil
}

func (d *BatchDecoder) readRows(r *reader, use func([]base.Row) error) error {
	n, err := r.count(minRow)
	if err != nil {
		return fmt.Errorf("number of rows: %w", err)
	}
	first, err := r.uint64()
	if err != nil {
		return fmt.Errorf("base time: %w", err)
	}
	if d.rows == nil && n > 0 {
		d.rows = make([]base.Row, rowsAtOnce)
	}
	in := rowReader{base: int64(first), ts: int64(first), ordinal: -1, src: r.src}
	for done := 0; done < n; {
		piece := d.rows[:min(n-done, rowsAtOnce)]
		if err := in.read(piece); err != nil {
			return fmt.Errorf("rows %d to %d: %w", done, done+len(piece)-1, err)
		}
		if err := use(piece); err != nil {
			return err
		}
		done += len(piece)
	}
	if len(in.src) > 0 {
		return errTrailing
	}
	return nil
}

// rowReader is what the decoding of a row depends on, and the rows still to be read.
type rowReader struct {
	base, ts int64
	ordinal  int64
	src      []byte
}

// read fills dst.
func (r *rowReader) read(dst []base.Row) error {
	n, used, err := r.fast(dst, r.src)
	if err != nil {
		return err
	}
	dst, r.src = dst[n:], r.src[used:]
	if len(dst) == 0 {
		return nil
	}
	// Fewer than maxRow bytes are left: read on in a copy with zeros behind it, and
	// see afterwards whether the rows stayed within what there is.
	var padded [3 * maxRow]byte
	left := copy(padded[:], r.src)
	dst = dst[:min(len(dst), left+1)] // a row takes a byte, so left+1 rows cannot be there
	n, used, err = r.fast(dst, padded[:])
	if err != nil {
		return err
	}
	if n < len(dst) || used > left {
		return errRowsCut
	}
	r.src = r.src[used:]
	return nil
}

// fast decodes rows as long as maxRow bytes of src are left. It returns how many rows
// and how many bytes that were.
func (r *rowReader) fast(dst []base.Row, src []byte) (rows, used int, err error) {
	p, ts, ordinal := 0, r.ts, r.ordinal
	for rows < len(dst) && p+maxRow <= len(src) {
		ctrl := uint(src[p])
		nb := ctrl & valueMask
		p++
		if nb > 8 || ctrl&highBit != 0 {
			return rows, p, errControl
		}
		ordinal++
		if ctrl&stepBit != 0 {
			step, n := zigzag(src[p : p+binary.MaxVarintLen32])
			if n <= 0 {
				return rows, p, errVarint
			}
			ordinal += step - 1
			p += n
		}
		if uint64(ordinal) > math.MaxUint32 {
			return rows, p, errOrdinal
		}
		if mode := ctrl & modeMask >> modeShift; mode != modePrevious {
			var delta int64
			if mode != modeBase {
				n := 0
				if delta, n = zigzag(src[p : p+binary.MaxVarintLen64]); n <= 0 {
					return rows, p, errVarint
				}
				p += n
				if mode == modeMillis {
					delta *= nanosPerMilli
				}
			}
			ts = r.base + delta
		}
		v := binary.LittleEndian.Uint64(src[p:]) << (64 - 8*nb)
		p += int(nb)
		dst[rows] = base.Row{TS: ts, Value: math.Float64frombits(v), Ordinal: base.Ordinal(ordinal)}
		rows++
	}
	r.ts, r.ordinal = ts, ordinal
	return rows, p, nil
}

// zigzag is binary.Varint with a shorter way for one byte. n <= 0 means a bad varint.
func zigzag(src []byte) (v int64, n int) {
	if b := src[0]; b < 0x80 {
		return int64(b>>1) ^ -int64(b&1), 1
	}
	return binary.Varint(src)
}

// reader reads the parts of a body that come before the rows.
type reader struct{ src []byte }

func (r *reader) uvarint() (uint64, error) {
	v, n := binary.Uvarint(r.src)
	if n <= 0 {
		return 0, errVarint
	}
	r.src = r.src[n:]
	return v, nil
}

// count reads a number of things that take at least size bytes each.
func (r *reader) count(size int) (int, error) {
	n, err := r.uvarint()
	if err != nil {
		return 0, err
	}
	if n > uint64(len(r.src)/size) {
		return 0, errCount
	}
	return int(n), nil
}

func (r *reader) uint64() (uint64, error) {
	if len(r.src) < 8 {
		return 0, errRowsCut
	}
	v := binary.LittleEndian.Uint64(r.src)
	r.src = r.src[8:]
	return v, nil
}

// text reads a length of at least atLeast, and as many bytes.
func (r *reader) text(atLeast uint64) (string, error) {
	n, err := r.uvarint()
	if err != nil {
		return "", err
	}
	if n < atLeast || n > uint64(len(r.src)) {
		return "", errString
	}
	s := string(r.src[:n])
	r.src = r.src[n:]
	return s, nil
}
