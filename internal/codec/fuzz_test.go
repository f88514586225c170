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
			fuzzing.Bounded(t, len(src), func() { rest, err = DecodeTimestamps(ts, TimestampsDelta2, src, start) })
			if err != nil {
				checkPlace(t, err, len(src))
				continue
			}
			if len(rest) > len(src)-count || len(ts) == 0 {
				continue
			}
			again := make([]int64, count)
			if _, err := DecodeTimestamps(again, TimestampsDelta2, encodeTimestamps(t, ts), ts[0]); err != nil || !slices.Equal(again, ts) {
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
			fuzzing.Bounded(t, len(src), func() { rest, err = DecodeValues(v, ValuesXOR, src) })
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
		if len(ts) == 0 {
			return
		}
		var encoded []byte
		var err error
		fuzzing.Bounded(t, len(data), func() {
			encoded, err = AppendValues(encodeTimestamps(t, ts), ValuesXOR, v)
		})
		if err != nil {
			t.Fatal(err)
		}
		gotTS, gotV := make([]int64, len(ts)), make([]float64, len(v))
		rest, err := DecodeTimestamps(gotTS, TimestampsDelta2, encoded, ts[0])
		if err != nil || !slices.Equal(gotTS, ts) {
			t.Fatalf("timestamps %v became %v, error %v", ts, gotTS, err)
		}
		rest, err = DecodeValues(gotV, ValuesXOR, rest)
		if err != nil || len(rest) != 0 || !sameBits(gotV, v) {
			t.Fatalf("values %x became %x, %d bytes over, error %v", v, gotV, len(rest), err)
		}
	})
}

func checkPlace(t *testing.T, err error, size int) {
	t.Helper()
	var damage *base.CorruptionError
	if !errors.As(err, &damage) || damage.Offset < 0 || damage.Offset > int64(size) {
		t.Fatalf("error without a place in %d bytes: %v", size, err)
	}
}
