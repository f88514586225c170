package wal

import (
	"encoding/binary"
	"math"
	"math/bits"
	"slices"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/frame"
)

// The body of a Batch: what one write holds. uv is an unsigned LEB128 varint, zz a
// zigzag varint.
//
//	uv pairs    each: uv klen, key, uv vlen, value    klen, vlen > 0; numbered from 0,
//	                                                  in this record only
//	uv series   each: uv ordinal, id u64, uv name length, name,
//	                  uv tags, tags x uv pair number  keys strictly ascending;
//	                                                  no name: known by id only
//	uv rows     base i64 (ts of the first row; 0 without rows), then row by row:
//
//	  +------+----------------------+----------------+--------------------+
//	  | ctrl | zz ordinal step, if  | zz time, if    | top nb bytes of    |
//	  |      | bit 4 of ctrl is set | mode is 2 or 3 | the value's 8      |
//	  +------+----------------------+----------------+--------------------+
//
//	  ctrl  bits 0-3  nb, 0..8: the value's bits >> (64-8*nb), low byte first; the
//	                  bytes below are zero and not stored
//	        bit 4     0: ordinal is the previous row's + 1; 1: that row's + the step.
//	                  Before the first row stands ordinal -1.
//	        bits 5-6  mode of ts: 0 the previous row's (at first: base), 1 base,
//	                  2 base + time * 1 ms, 3 base + time * 1 ns
//	        bit 7     0
//
// Rows come as they were written, so that of two with one series and time the later
// wins. A scrape, which walks series with neighbouring ordinals at one time, costs one
// byte a row beside its value. XOR with the series' last value would save another byte,
// but has to be done in LSN order, that is in the writer loop.
const (
	valueMask = 0x0f
	stepBit   = 0x10
	modeShift = 5
	modeMask  = 0x60
	highBit   = 0x80

	modePrevious = 0
	modeBase     = 1
	modeMillis   = 2
	modeNanos    = 3

	// maxRow is the longest row: ctrl, step, time, value. Writers keep as much room
	// and readers as much input, so that neither tests bounds byte by byte.
	maxRow   = 1 + binary.MaxVarintLen32 + binary.MaxVarintLen64 + 8
	rowChunk = 256 // rows for which a writer makes room at once
)

const (
	nanosPerMilli = 1_000_000
	// inv15625 * 15625 = 1 modulo 2^64: a number divisible by 15625 times it is the
	// quotient. 1 ms = 64 * 15625 ns.
	inv15625  = 0x790fb65668c26139
	maxMillis = math.MaxInt64 / nanosPerMilli
)

// AppendBatch appends a whole Batch frame to dst, but for lsn, durable and checksum,
// which Seal or Log.Append fill in; so that it can run in any goroutine. It keeps
// nothing of regs and rows. Order and repetition of rows are kept; Tags must be sorted
// by key, without empty values.
func AppendBatch(dst []byte, regs []base.Registration, rows []base.Row) []byte {
	start := len(dst)
	dst = begin(dst, TypeBatch)
	dst = appendRegistrations(dst, regs)
	dst = appendRows(dst, rows)
	return frame.EndUnsealed(dst, start)
}

func appendRegistrations(dst []byte, regs []base.Registration) []byte {
	if len(regs) == 0 {
		return append(dst, 0, 0)
	}
	pairs := pairPool.Get().(*pairNumbers)
	defer pairs.release()
	for i := range regs {
		pairs.add(regs[i].Tags)
	}
	dst = binary.AppendUvarint(dst, uint64(len(pairs.list)))
	for _, p := range pairs.list {
		dst = appendString(dst, p.Key)
		dst = appendString(dst, p.Value)
	}
	dst = binary.AppendUvarint(dst, uint64(len(regs)))
	numbers := pairs.uses
	for i := range regs {
		r := &regs[i]
		dst = binary.AppendUvarint(dst, uint64(r.Ordinal))
		dst = binary.LittleEndian.AppendUint64(dst, uint64(r.ID))
		dst = appendString(dst, r.Name)
		dst = binary.AppendUvarint(dst, uint64(len(r.Tags)))
		for _, n := range numbers[:len(r.Tags)] {
			dst = binary.AppendUvarint(dst, uint64(n))
		}
		numbers = numbers[len(r.Tags):]
	}
	return dst
}

func appendString(dst []byte, s string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}

func appendRows(dst []byte, rows []base.Row) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(rows)))
	var first int64
	if len(rows) > 0 {
		first = rows[0].TS
	}
	dst = binary.LittleEndian.AppendUint64(dst, uint64(first))
	w := rowWriter{base: first, ts: first, ordinal: -1}
	for len(rows) > 0 {
		n := min(len(rows), rowChunk)
		dst = slices.Grow(dst, n*maxRow)
		p := w.write(dst[len(dst):len(dst)+n*maxRow], rows[:n])
		dst = dst[:len(dst)+p]
		rows = rows[n:]
	}
	return dst
}

// rowWriter is what the encoding of a row depends on.
type rowWriter struct {
	base, ts int64
	ordinal  int64
}

// write encodes rows into dst, which has maxRow bytes for each, and returns the length.
func (w *rowWriter) write(dst []byte, rows []base.Row) int {
	p, ts, ordinal := 0, w.ts, w.ordinal
	for i := range rows {
		r := &rows[i]
		v := math.Float64bits(r.Value)
		zeros := uint(bits.TrailingZeros64(v)) &^ 7 // 64 for a value of 0
		ctrl := 8 - zeros>>3
		at := p
		p++
		ordinal++
		if o := int64(r.Ordinal); o != ordinal {
			ctrl |= stepBit
			p += putZigzag(dst[p:], o-ordinal+1)
			ordinal = o
		}
		if r.TS != ts {
			ts = r.TS
			mode, delta := timeMode(ts - w.base)
			ctrl |= mode << modeShift
			if mode != modeBase {
				p += putZigzag(dst[p:], delta)
			}
		}
		dst[at] = byte(ctrl)
		binary.LittleEndian.PutUint64(dst[p:], v>>zeros)
		p += int(ctrl & valueMask)
	}
	w.ts, w.ordinal = ts, ordinal
	return p
}

// timeMode chooses how the distance of a row from base is written.
func timeMode(d int64) (mode uint, delta int64) {
	if d == 0 {
		return modeBase, 0
	}
	q := int64(uint64(d) * inv15625)
	if ms := q >> 6; q&63 == 0 && uint64(ms+maxMillis) <= 2*maxMillis {
		return modeMillis, ms
	}
	return modeNanos, d
}

func putZigzag(dst []byte, v int64) int {
	u := uint64(v)<<1 ^ uint64(v>>63)
	if u < 0x80 {
		dst[0] = byte(u)
		return 1
	}
	return binary.PutUvarint(dst, u)
}
