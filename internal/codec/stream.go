package codec

import (
	"encoding/binary"
	"errors"
)

// The stream of integers is what both codecs of id 2 come down to: any int64, as many as
// whoever reads it knows beforehand. It says itself where it ends.
//
//	0   1
//	+---+-----------------+------+      only if the numbers have a common factor:
//	| h | factor, base    | body |      factor varint, base zigzag varint
//	+---+-----------------+------+
//
//	h, bits 0-1  kind of the body: 0 constant, 1 packed, 2 coded, 3 runs
//	h, bit  2-3  order: what stands in the body are the numbers themselves (0), their
//	             differences (1), or the differences of those (2)
//	h, bit  4    there is a factor: the numbers are base + factor * what the rest says
//	h, bits 5-7  0
//
// The body of a constant, which has no factor:
//
//	order 0  +--------+             order 1  +-------+------+
//	         | number |                      | first | step |       zigzag varints
//	         +--------+                      +-------+------+
//
// Those of the other kinds begin with the first numbers: none in order 0, the first in
// order 1, in order 2 also the difference of the second to it, as zigzag varints. Then
// come the residuals, one for each number that is left: see packed.go, coded.go, runs.go.
//
// All arithmetic wraps around, so that any int64 may be neighbours.
//
// Written by streamWriter, read by stream, pinned by testdata/timestamps2.golden and
// testdata/values2.golden.
const (
	kindConstant = 0
	kindPacked   = 1
	kindCoded    = 2
	kindRuns     = 3

	orderShift  = 2
	factorFlag  = 1 << 4
	headerBits  = 1<<5 - 1
	maxOrder    = 2
	minStream   = 2 // bytes: a constant
	leastFactor = 2
)

var (
	errHeader = errors.New("no such kind of stream")
	errFactor = errors.New("no such factor")
	errOrder  = errors.New("fewer numbers than the order needs")
)

// streamHeader is what all kinds have.
type streamHeader struct {
	kind, order byte
	factor      int64 // 0 for none
	base        int64
}

func (h *streamHeader) append(dst []byte) []byte {
	b := h.kind | h.order<<orderShift
	if h.factor == 0 {
		return append(dst, b)
	}
	dst = append(dst, b|factorFlag)
	dst = binary.AppendUvarint(dst, uint64(h.factor))
	return appendVarint(dst, h.base)
}

func (h *streamHeader) read(c *cursor) error {
	b, err := c.byte()
	if err != nil {
		return err
	}
	h.kind, h.order = b&3, b>>orderShift&3
	h.factor, h.base = 0, 0
	most := byte(maxOrder)
	if h.kind == kindConstant || h.kind == kindRuns {
		most = 1
	}
	if b > headerBits || h.order > most {
		return errHeader
	}
	if b&factorFlag == 0 {
		return nil
	}
	if h.kind == kindConstant {
		return errHeader
	}
	factor, err := c.uvarint()
	if err != nil {
		return err
	}
	if factor < leastFactor {
		return errFactor
	}
	h.factor = int64(factor)
	h.base, err = c.varint()
	return err
}

// apply turns numbers of the body into those that they stand for.
func (h *streamHeader) apply(numbers []int64) {
	if h.factor == 0 {
		return
	}
	factor, base := h.factor, h.base
	for i, x := range numbers {
		numbers[i] = base + factor*x
	}
}

// stream reads a stream of integers piece by piece.
type stream struct {
	plain
	runs runs
}

// open reads up to the first residual. There are count numbers, at least one.
func (s *stream) open(count int) error {
	var h streamHeader
	if err := h.read(&s.cursor); err != nil {
		return err
	}
	s.runs.header = h
	if h.kind == kindRuns {
		return s.openRuns(count)
	}
	return s.plain.open(h, count)
}

// next fills out with the next numbers. Together they must not be more than count.
func (s *stream) next(out []int64) error {
	if s.runs.header.kind == kindRuns {
		return s.nextOfRuns(out)
	}
	return s.plain.next(out)
}

// constant reports whether all numbers are equal for the simplest reason.
func (s *stream) constant() bool {
	return s.runs.header.kind == kindConstant && s.runs.header.order == 0
}

// plain reads a stream of any kind but runs, which have plain ones inside.
type plain struct {
	cursor
	header streamHeader
	leads  int   // numbers before the residuals that next has not given out
	number int64 // the one given out last; of a constant, the next one
	step   int64 // the difference to the one before, of order 2; of a constant, to the next one
	packed packed
	coded  coded
}

func (p *plain) open(h streamHeader, count int) error {
	p.header = h
	var err error
	if h.kind == kindConstant {
		p.step = 0
		if p.number, err = p.varint(); err == nil && h.order == 1 {
			p.step, err = p.varint()
		}
		return err
	}
	p.leads, p.number, p.step = int(h.order), 0, 0
	if count < p.leads {
		return errOrder
	}
	if h.order >= 1 {
		if p.number, err = p.varint(); err != nil {
			return err
		}
	}
	if h.order == 2 {
		if p.step, err = p.varint(); err != nil {
			return err
		}
	}
	residuals := count - p.leads
	if h.kind == kindPacked {
		p.packed.open(residuals)
		return nil
	}
	return p.openCoded()
}

func (p *plain) next(out []int64) error {
	if p.header.kind == kindConstant {
		for i := range out {
			out[i] = p.number
			p.number += p.step
		}
		return nil
	}
	given := 0
	for ; p.leads > 0 && given < len(out); given++ {
		if p.leads == 1 && p.header.order == 2 {
			p.number += p.step
		}
		out[given] = p.number
		p.leads--
	}
	var err error
	if p.header.kind == kindPacked {
		err = p.nextPacked(out[given:])
	} else {
		err = p.nextCoded(out[given:])
	}
	p.header.apply(out)
	return err
}
