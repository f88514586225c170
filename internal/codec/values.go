package codec

import (
	"encoding/binary"
	"errors"
	"math"
)

// Values, codec 2. The first byte says how they are stored:
//
//	0   1            9
//	+---+------------+
//	| 0 | bits u64   |     one value, which all of them are
//	+---+------------+
//	| 1 | decimals   |     decimal.go; 129 with exceptions
//	+---+------------+
//	| 2 | ordered    |     ordered.go
//	+---+------------+
//
// A column that has one value throughout is decimal where that is shorter. A column of no
// values has no bytes.
//
// Written by Encoder, read by Decoder, pinned by testdata/values2.golden.
const (
	modeSame    = 0
	modeDecimal = 1
	modeOrdered = 2

	minValues2   = 2 + minStream
	sameBytes    = 1 + 8
	shortDecimal = sameBytes - 2 - 2 // bytes for the integer of one that is no longer than that
)

var errMode = errors.New("no such way to store values")

func (e *Encoder) appendValues2(dst []byte, v []float64) []byte {
	if len(v) == 0 {
		return dst
	}
	if sameThroughout(v) {
		return appendSame(dst, v[0])
	}
	if d := &e.decimals; d.fit(v) {
		return e.stream.append(d.appendHead(dst, v), d.numbers, e.coderFor(codedValues))
	}
	zeros := commonZeros(v)
	e.decimals.numbers = resized(e.decimals.numbers, len(v))
	orderedInts(e.decimals.numbers, v, zeros)
	return e.stream.append(append(dst, modeOrdered, byte(zeros)), e.decimals.numbers, e.coderFor(codedValues))
}

func sameThroughout(v []float64) bool {
	b := math.Float64bits(v[0])
	for _, x := range v[1:] {
		if math.Float64bits(x) != b {
			return false
		}
	}
	return true
}

func appendSame(dst []byte, v float64) []byte {
	if e, ok := leastExponent(v, 0); ok {
		if n, _ := decimal(v, e); varintBytes(n) <= shortDecimal {
			h := streamHeader{kind: kindConstant}
			return appendVarint(h.append(append(dst, modeDecimal, byte(e))), n)
		}
	}
	return binary.LittleEndian.AppendUint64(append(dst, modeSame), math.Float64bits(v))
}

// decodeValues2 fills dst, not empty, from the start of src and leaves the cursor behind.
func (d *Decoder) decodeValues2(dst []float64, src []byte) error {
	d.stream.cursor = cursor{src: src}
	if len(dst) > MaxPoints {
		return errCount
	}
	c := &d.stream.cursor
	mode, err := c.byte()
	if err != nil {
		return err
	}
	switch mode {
	case modeSame:
		b, err := c.word()
		if err != nil {
			return err
		}
		fill(dst, math.Float64frombits(b))
		return nil
	case modeDecimal, modeDecimal | exceptionFlag:
		return d.decodeDecimals(dst, mode&exceptionFlag != 0)
	case modeOrdered:
		return d.decodeOrdered(dst)
	}
	return errMode
}

func (d *Decoder) decodeDecimals(dst []float64, withExceptions bool) error {
	s := &d.stream
	b, err := s.byte()
	if err != nil {
		return err
	}
	exponent, quick := int(b&^quickFlag), b&quickFlag != 0
	if exponent > maxExponent {
		return errExponent
	}
	var x exceptions
	if withExceptions {
		if err := x.read(&s.cursor, len(dst)); err != nil {
			return err
		}
	}
	if err := s.open(len(dst)); err != nil {
		return err
	}
	if s.constant() {
		some := d.chunk[:1]
		if err := s.next(some); err != nil {
			return err
		}
		decimalFloats(dst[:1], some, exponent, quick)
		fill(dst, dst[0])
	} else {
		for rest := dst; len(rest) > 0; {
			part, some := d.part(rest)
			if err := s.next(some); err != nil {
				return err
			}
			decimalFloats(part, some, exponent, quick)
			rest = rest[len(part):]
		}
	}
	x.put(dst)
	return nil
}

func (d *Decoder) decodeOrdered(dst []float64) error {
	s := &d.stream
	zeros, err := s.byte()
	if err != nil {
		return err
	}
	if zeros > maxZeros {
		return errZeros
	}
	if err := s.open(len(dst)); err != nil {
		return err
	}
	for rest := dst; len(rest) > 0; {
		part, some := d.part(rest)
		if err := s.next(some); err != nil {
			return err
		}
		orderedFloats(part, some, uint(zeros))
		rest = rest[len(part):]
	}
	return nil
}

// part returns the values to be decoded next, and room for their integers. The first part
// has room for the numbers in front of the residuals, so that those that follow begin
// with a block of packed ones.
func (d *Decoder) part(rest []float64) ([]float64, []int64) {
	n := min(len(rest), packedBlock+d.stream.plain.leads)
	return rest[:n], d.chunk[:n]
}

func fill(dst []float64, v float64) {
	for i := range dst {
		dst[i] = v
	}
}
