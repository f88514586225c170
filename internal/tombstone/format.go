package tombstone

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/frame"
)

// A delete file is a run of frames (package frame) without a header, at least one. Each
// payload is at most 256 KiB and can be read alone. Integers are little-endian, uv is an
// unsigned LEB128 varint.
//
//	0      1         9           17        25          29
//	+------+---------+-----------+---------+-----------+---------------+
//	| type | lsn u64 | start i64 | end i64 | count u32 | count uv step |
//	+------+---------+-----------+---------+-----------+---------------+
//
//	type        1
//	lsn         of the Delete record; points of earlier records are hidden
//	start, end  the range of time, both inclusive, start <= end
//	count       series in this frame
//	step        id - the one before - 1, so that ids ascend; the first of a frame is
//	            the id itself, which is above those of the frames before
//
// lsn, start and end are the same in all frames. What the Delete record has in one piece
// is cut here, so that damage, and the memory to find it, stay small.
const (
	typeDelete = 1

	lsnOffset   = 1
	startOffset = 9
	endOffset   = 17
	countOffset = 25
	headBytes   = 29

	// payloadBytes is how long a payload grows at most.
	payloadBytes = 256 << 10

	// maxLSN bounds every log sequence number: the top byte stays free.
	maxLSN = base.LSN(1)<<56 - 1
)

var (
	errHead  = errors.New("too short for a tombstone")
	errLong  = errors.New("longer than a frame of a delete file")
	errCount = errors.New("count is greater than the frame")
	errStep  = errors.New("bad varint")
	errOrder = errors.New("series ids do not ascend")
	errAfter = errors.New("bytes after the last series")
	errOther = errors.New("of another tombstone than the frame before")
)

// validate says what keeps t from being a tombstone.
func (t *Tombstone) validate() error {
	if t.LSN == 0 || t.LSN > maxLSN {
		return fmt.Errorf("lsn %d out of range", t.LSN)
	}
	if t.Start > t.End {
		return fmt.Errorf("the range ends before it starts: %d to %d", t.Start, t.End)
	}
	for i := 1; i < len(t.IDs); i++ {
		if t.IDs[i] <= t.IDs[i-1] {
			return fmt.Errorf("series %d: %w", i, errOrder)
		}
	}
	return nil
}

// encode appends the frames of t, which is valid, to dst.
func encode(dst []byte, t *Tombstone) []byte {
	ids := t.IDs
	for first := true; first || len(ids) > 0; first = false {
		start := len(dst)
		dst = frame.Begin(dst)
		payload := len(dst)
		dst = append(dst, typeDelete)
		dst = binary.LittleEndian.AppendUint64(dst, uint64(t.LSN))
		dst = binary.LittleEndian.AppendUint64(dst, uint64(t.Start))
		dst = binary.LittleEndian.AppendUint64(dst, uint64(t.End))
		dst = binary.LittleEndian.AppendUint32(dst, 0)
		n, least := 0, base.SeriesID(0)
		for n < len(ids) && len(dst)-payload <= payloadBytes-binary.MaxVarintLen64 {
			dst = binary.AppendUvarint(dst, uint64(ids[n]-least))
			least = ids[n] + 1
			n++
		}
		binary.LittleEndian.PutUint32(dst[payload+countOffset:], uint32(n))
		dst = frame.End(dst, start)
		ids = ids[n:]
	}
	return dst
}

// decode reads a whole file. An error says what is wrong with the frame at offset.
func decode(data []byte) (t Tombstone, offset int64, err error) {
	var payloads [][]byte
	count := 0 // known before the ids are, as a slice that grows takes several times as much
	for rest, first := data, true; first || len(rest) > 0; first = false {
		offset = int64(len(data) - len(rest))
		var payload []byte
		if payload, rest, err = frame.Next(rest); err != nil {
			return t, offset, err
		}
		head, n, err := decodeHead(payload)
		if err != nil {
			return t, offset, err
		}
		if !first && (head.LSN != t.LSN || head.Start != t.Start || head.End != t.End) {
			return t, offset, errOther
		}
		t = head
		count += n
		payloads = append(payloads, payload)
	}
	t.IDs = make([]base.SeriesID, 0, count)
	offset = 0
	for _, payload := range payloads {
		if t.IDs, err = appendIDs(t.IDs, payload); err != nil {
			return t, offset, err
		}
		offset += int64(len(payload)) + frame.Overhead
	}
	return t, offset, nil
}

// decodeHead reads what stands before the ids of a frame, and their number.
func decodeHead(payload []byte) (t Tombstone, count int, err error) {
	switch {
	case payload[0] != typeDelete:
		return t, 0, fmt.Errorf("unknown type %d", payload[0])
	case len(payload) < headBytes:
		return t, 0, errHead
	case len(payload) > payloadBytes:
		return t, 0, errLong
	}
	t.LSN = base.LSN(binary.LittleEndian.Uint64(payload[lsnOffset:]))
	t.Start = int64(binary.LittleEndian.Uint64(payload[startOffset:]))
	t.End = int64(binary.LittleEndian.Uint64(payload[endOffset:]))
	count = int(binary.LittleEndian.Uint32(payload[countOffset:]))
	if count > len(payload)-headBytes {
		return t, 0, errCount
	}
	return t, count, t.validate()
}

// appendIDs appends the ids of a frame whose head is sound.
func appendIDs(ids []base.SeriesID, payload []byte) ([]base.SeriesID, error) {
	src := payload[headBytes:]
	least := base.SeriesID(0)
	for i := range binary.LittleEndian.Uint32(payload[countOffset:]) {
		step, n := binary.Uvarint(src)
		if n <= 0 {
			return ids, fmt.Errorf("series %d: %w", i, errStep)
		}
		src = src[n:]
		id := least + base.SeriesID(step)
		// A sum beyond 64 bits is not above the id before it either.
		if last := len(ids) - 1; last >= 0 && id <= ids[last] {
			return ids, fmt.Errorf("series %d: %w", i, errOrder)
		}
		ids = append(ids, id)
		least = id + 1
	}
	if len(src) > 0 {
		return ids, errAfter
	}
	return ids, nil
}
