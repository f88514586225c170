package wal

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/frame"
)

// The body of a Delete: series that lose all points of earlier records in a range of
// time. uv is an unsigned LEB128 varint.
//
//	0           8         16
//	+-----------+---------+--------+-----------------------+
//	| start i64 | end i64 | uv ids | ids x uv step         |
//	+-----------+---------+--------+-----------------------+
//
//	start, end  the range, both inclusive, start <= end
//	step        id - the one before - 1, so that ids ascend; the first is the id itself
//
// Series stand there by id and not by ordinal, as in the delete file that the next flush
// makes of the record: it outlives the ordinals. The ids of a million series, spread
// evenly as hashes are, lie 2^44 apart: seven bytes each.
const (
	deleteRange = 16 // start and end
	minID       = 1  // the least bytes that an id takes
)

var (
	errReversed = errors.New("the range ends before it starts")
	errIDs      = errors.New("series id beyond 64 bits")
	errAfterIDs = errors.New("bytes after the last series")
)

// AppendDelete appends a whole Delete frame to dst, but for lsn, durable and checksum,
// as AppendBatch does; it can run in any goroutine. start and end, both inclusive, are
// Unix nanoseconds, start <= end; ids ascend strictly. A frame above MaxBatchBytes, which
// takes more than four million ids, must not be written: the caller refuses it.
func AppendDelete(dst []byte, start, end int64, ids []base.SeriesID) []byte {
	first := len(dst)
	dst = begin(dst, TypeDelete)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(start))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(end))
	dst = binary.AppendUvarint(dst, uint64(len(ids)))
	least := base.SeriesID(0)
	for _, id := range ids {
		dst = binary.AppendUvarint(dst, uint64(id-least))
		least = id + 1
	}
	return frame.EndUnsealed(dst, first)
}

// DecodeDelete decodes the body of a TypeDelete record. The ids ascend and are the
// caller's; they take at most eight times the memory of body. An error says what is
// wrong with body. Whether times and ids make sense is for the caller to check.
func DecodeDelete(body []byte) (start, end int64, ids []base.SeriesID, err error) {
	if len(body) < deleteRange {
		return 0, 0, nil, errShortRecord
	}
	start = int64(binary.LittleEndian.Uint64(body))
	end = int64(binary.LittleEndian.Uint64(body[8:]))
	if start > end {
		return 0, 0, nil, fmt.Errorf("%w: %d to %d", errReversed, start, end)
	}
	r := reader{src: body[deleteRange:]}
	n, err := r.count(minID)
	if err != nil {
		return 0, 0, nil, fmt.Errorf("number of series: %w", err)
	}
	ids = make([]base.SeriesID, n)
	for i := range ids {
		step, err := r.uvarint()
		if err != nil {
			return 0, 0, nil, fmt.Errorf("series %d: %w", i, err)
		}
		ids[i] = base.SeriesID(step)
		if i == 0 {
			continue
		}
		if ids[i] += ids[i-1] + 1; ids[i] <= ids[i-1] {
			return 0, 0, nil, fmt.Errorf("series %d: %w", i, errIDs)
		}
	}
	if len(r.src) > 0 {
		return 0, 0, nil, errAfterIDs
	}
	return start, end, ids, nil
}
