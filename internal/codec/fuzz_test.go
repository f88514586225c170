package codec

import (
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/fuzzing"
)

// The decoders take any bytes: they fail with a place in src, or yield a column
// that encodes and decodes to itself. Allocations are the caller's, and bounded by
// the size of src.

func FuzzDecodeTimestamps(f *testing.F) {
	f.Add([]byte{0, 20, 0, 0, 13, 6, 0xf4, 3}, int64(1694300400))
	f.Fuzz(func(t *testing.T, src []byte, start int64) {
		for _, count := range []int{len(src), len(src) / 2, len(src) / 5} {
			ts := make([]int64, count)
			var rest []byte
			var err error
			fuzzing.Bounded(t, len(src), func() { rest, err = decodeColumnTS(ts, TimestampsDelta2, src, start) })
			if err != nil {
				checkPlace(t, err, len(src))
				continue
			}
			if len(rest) > len(src)-count || len(ts) == 0 {
				continue
			}
			again := make([]int64, count)
			if _, err := decodeColumnTS(again, TimestampsDelta2, encodeTimestamps(t, ts), ts[0]); err != nil || !slices.Equal(again, ts) {
				t.Fatalf("%v, once more %v, error %v", ts, again, err)
			}
		}
	})
}

func FuzzDecodeValues(f *testing.F) {
	f.Add([]byte{2, 1, 2, 3, 4, 5, 6, 7, 8, 0, 1, 15, 47, 1, 3, 0})
	f.Fuzz(func(t *testing.T, src []byte) {
		for _, count := range []int{max(0, len(src)-8), len(src) / 5, len(src) / 12} {
			v := make([]float64, count)
			var rest []byte
			var err error
			fuzzing.Bounded(t, len(src), func() { rest, err = decodeColumn(v, ValuesXOR, src) })
			if err != nil {
				checkPlace(t, err, len(src))
				continue
			}
			// There is one encoding of each column, and only that is read.
			if got := encodeValues(t, v); !slices.Equal(got, src[:len(src)-len(rest)]) {
				t.Fatalf("% x encodes again as % x", src[:len(src)-len(rest)], got)
			}
		}
	})
}

// FuzzDecodeStream is for id 2, where the count does not follow from the size: any bytes
// fail with a place in src, or yield columns that encode and decode to themselves.
func FuzzDecodeStream(f *testing.F) {
	for _, v := range variants[1:] {
		for _, ts := range timestampColumns() {
			f.Add(v.timestamps(f, ts), uint16(len(ts)))
		}
		for _, values := range valueColumns() {
			f.Add(v.values(f, values), uint16(len(values)))
		}
	}
	var d Decoder
	f.Fuzz(func(t *testing.T, src []byte, count uint16) {
		ts, v := make([]int64, count), make([]float64, count)
		var err error
		fuzzing.Bounded(t, len(src), func() { _, err = d.Timestamps(ts, TimestampsStream, src, 0) })
		if err != nil {
			checkPlace(t, err, len(src))
		} else {
			roundTrip(t, ts, nil)
		}
		fuzzing.Bounded(t, len(src), func() { _, err = d.Values(v, ValuesStream, src) })
		if err != nil {
			checkPlace(t, err, len(src))
		} else {
			roundTrip(t, nil, v)
		}
	})
}

// roundTrip encodes and decodes columns in every way.
func roundTrip(t *testing.T, ts []int64, v []float64) {
	t.Helper()
	for _, way := range variants {
		var encoded, rest []byte
		e := Encoder{Policy: way.policy}
		var err error
		fuzzing.Bounded(t, 8*(len(ts)+len(v)), func() {
			if encoded, err = e.AppendTimestamps(nil, way.id, ts); err == nil {
				encoded, err = e.AppendValues(encoded, way.id, v)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		gotTS, gotV := make([]int64, len(ts)), make([]float64, len(v))
		var start int64
		if len(ts) > 0 {
			start = ts[0]
		}
		rest, err = decodeColumnTS(gotTS, way.id, encoded, start)
		if err != nil || !slices.Equal(gotTS, ts) {
			t.Fatalf("%v: timestamps %v became %v, error %v", way, ts, gotTS, err)
		}
		rest, err = decodeColumn(gotV, way.id, rest)
		if err != nil || len(rest) != 0 || !sameBits(gotV, v) {
			t.Fatalf("%v: values %x became %x, %d bytes over, error %v", way, v, gotV, len(rest), err)
		}
	}
}

// FuzzRoundTrip takes any column, in the form of the 8-byte words of its input.
func FuzzRoundTrip(f *testing.F) {
	var seed []byte
	for _, b := range []uint64{0, 1 << 63, 0x7ff0000000000002, math.MaxUint64, 1 << 62, 10, 20, 30} {
		seed = binary.LittleEndian.AppendUint64(seed, b)
	}
	f.Add(seed)
	f.Fuzz(func(t *testing.T, data []byte) {
		ts, v := make([]int64, len(data)/8), make([]float64, len(data)/8)
		for i := range ts {
			b := binary.LittleEndian.Uint64(data[8*i:])
			ts[i], v[i] = int64(b), math.Float64frombits(b)
		}
		roundTrip(t, ts, v)
	})
}

// FuzzShapes takes columns like those that there are: decimals that step up and down, stay,
// jump, and now and then are something else; and timestamps likewise. Every byte is a point.
func FuzzShapes(f *testing.F) {
	f.Add([]byte{0x11, 1, 2, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x80, 0xff, 0x7f, 5})
	f.Add(append([]byte{0xf2}, make([]byte, 100)...))
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) < 2 || len(data) > 1<<12 {
			return
		}
		exponent, unit := int(data[0]&15), int64(1)<<(data[0]>>4*4)
		ts, v := make([]int64, len(data)-1), make([]float64, len(data)-1)
		var at, number int64
		for i, b := range data[1:] {
			number += int64(int8(b)) * unit
			at += 1e10 + int64(b&3)*unit
			v[i] = float64(number) / powers[min(exponent, maxExponent)]
			switch b {
			case 0x80:
				v[i] = math.Float64frombits(0x7ff0000000000000 + uint64(i))
			case 0x81:
				v[i] = math.Copysign(0, -1)
			case 0x7f:
				number, at = number*number, at+5e10
			}
			ts[i] = at
		}
		roundTrip(t, ts, v)
	})
}

func checkPlace(t *testing.T, err error, size int) {
	t.Helper()
	var damage *base.CorruptionError
	if !errors.As(err, &damage) || damage.Offset < 0 || damage.Offset > int64(size) {
		t.Fatalf("error without a place in %d bytes: %v", size, err)
	}
}
