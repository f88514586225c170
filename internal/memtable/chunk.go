package memtable

import (
	"math"
	"unsafe"
)

// A series in memory, in cells of 16 bytes. Cells are numbered through all slabs
// of a table: the upper 16 bits of a number choose the slab, the lower 16 the
// cell in it. Number 0 means "none"; the first 64 bytes of a table's first slab
// are left unused for that.
//
//	series { pos, end, head, n }
//	           |    |     |
//	           |    |     +------------------------------+
//	           |    +------------------------------------|----------------+
//	           +-----------------------------------------|---------+      |
//	                                                     v         v      v
//	+--------+------+------+------+        +--------+------+-----+------+
//	| header | cell | cell | cell | <----- | header | cell | ... | free |
//	+--------+------+------+------+  prev  +--------+------+-----+------+
//
//	cell    ts i64, value u64 (the bits of the float)
//	header  ts i64: that of the cell before the chunk, math.MinInt64 if none;
//	        u64: number of the header before (low 32 bits), cells that follow
//
// A header in the place of the cell before lets the writer find out whether a
// point is late by looking at cell pos-1, which is on the line that it is about
// to write. Chunks hold 3, 3, 7, 7, 15, 15, 31 and then always 63 cells, so that
// with their header they are whole cache lines: small for the many series that
// get few points, and 1.6 % of overhead for those that get many.
type cell struct {
	ts   int64
	bits uint64
}

const (
	slabBits  = 16
	slabCells = 1 << slabBits // 1 MiB of cells
	slabMask  = slabCells - 1
	cellBytes = 16
	slabBytes = slabCells * cellBytes

	// reservedCells keeps the number 0 free and the chunks aligned.
	reservedCells = 4

	// maxSlabs keeps cell numbers and counts of points below 1 << 31.
	maxSlabs = 1 << 15
)

// The cells are addressed in lines of 64 bytes: their size must not change.
var _ [cellBytes]byte = [unsafe.Sizeof(cell{})]byte{}

type slab [slabCells]cell

// noTime stands in the header of a series' first chunk. Accepted timestamps are
// all above it.
const noTime = math.MinInt64

// chunkCells returns how many points the next chunk of a series with n points
// holds.
func chunkCells(n uint32) uint32 {
	switch {
	case n < 2*3:
		return 3
	case n < 2*3+2*7:
		return 7
	case n < 2*3+2*7+2*15:
		return 15
	case n < 2*3+2*7+2*15+31:
		return 31
	default:
		return 63
	}
}

// headerCell makes the header of a chunk of size cells after the header prev.
func headerCell(last int64, prev, size uint32) cell {
	return cell{ts: last, bits: uint64(prev) | uint64(size)<<32}
}

// prev returns the number of the header before, 0 at the first chunk.
func (c cell) prev() uint32 { return uint32(c.bits) }

// size returns the number of points that the chunk of this header has room for.
func (c cell) size() uint32 { return uint32(c.bits >> 32) }
