package codec

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// Every width, from the unpackers and from whole blocks, against bits taken one by one.
func TestUnpackEachWidth(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for width := uint(1); width <= maxWidth; width++ {
		src := make([]byte, 8*width)
		for i := range src {
			src[i] = byte(rng.Uint32())
		}
		var want, got [64]uint64
		for bit := range 64 * width {
			want[bit/width] |= uint64(src[bit/8]>>(bit%8)&1) << (bit % width)
		}
		unpack(width, &got, src)
		if got != want {
			t.Errorf("%d bits: %x, want %x", width, got, want)
		}
		w := bitWriter{}
		for _, n := range want {
			w.put(n, width)
		}
		if packed := w.finish(); !bytes.Equal(packed, src) {
			t.Errorf("%d bits: written % x, want % x", width, packed, src)
		}
	}
}

func TestBitsAt(t *testing.T) {
	src := []byte{0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 0xfe, 0xdc, 0xba}
	for at := uint(0); at < 120; at++ {
		var want uint64
		for k := range uint(64) {
			if bit := at + k; bit/8 < uint(len(src)) {
				want |= uint64(src[bit/8]>>(bit%8)&1) << k
			}
		}
		if got := bitsAt(src, at); got&(1<<57-1) != want&(1<<57-1) {
			t.Errorf("bits at %d: %x, want %x", at, got, want)
		}
		if got := wordAt(src, at); got != want {
			t.Errorf("word at %d: %x, want %x", at, got, want)
		}
	}
}

// Packed bodies of every width and of lengths around those of blocks and halves of them,
// in each order.
func TestPackedRoundTrip(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	var d Decoder
	for width := uint(0); width <= maxWidth; width++ {
		for _, n := range []int{1, 2, 3, 15, 16, 63, 64, 65, 127, 128, 129, 130, 200, 300} {
			want := make([]int64, n)
			for i := range want {
				want[i] = -5
				if width > 0 {
					want[i] += int64(rng.Uint64() >> (64 - width))
				}
			}
			for order := byte(0); order <= maxOrder && int(order) < n; order++ {
				w := streamWriter{}
				w.residuals[0] = want
				for o := range order {
					d := make([]int64, len(w.residuals[o])-1)
					for i := range d {
						d[i] = w.residuals[o][i+1] - w.residuals[o][i]
					}
					w.residuals[o+1] = d
				}
				h := streamHeader{kind: kindPacked, order: order}
				body := appendPacked(w.appendLeads(nil, order), w.residuals[order])
				if size := w.leadBytes(order) + packedBytes(w.residuals[order]); size != len(body) {
					t.Fatalf("%d bits, %d numbers, order %d: %d bytes, %d foretold", width, n, order, len(body), size)
				}
				got := make([]int64, n)
				rest, err := d.Timestamps(got, TimestampsStream, append(h.append(nil), body...), want[0])
				if err != nil || len(rest) > 0 || !slices.Equal(got, want) {
					t.Fatalf("%d bits, %d numbers, order %d: %v, want %v, error %v", width, n, order, got, want, err)
				}
			}
		}
	}
}

// However a column is read in pieces, it is the same.
func TestStreamInPieces(t *testing.T) {
	var s stream
	for name, want := range timestampColumns() {
		for _, v := range variants[1:] {
			encoded := v.timestamps(t, want)
			if len(want) == 0 || encoded[0] == lineByte {
				continue
			}
			for _, piece := range []int{1, 3, 64, 127, 128, 129} {
				s.cursor = cursor{src: encoded}
				if err := s.open(len(want)); err != nil {
					t.Fatal(err)
				}
				got := make([]int64, len(want))
				for rest := got; len(rest) > 0; {
					n := min(piece, len(rest))
					if err := s.next(rest[:n]); err != nil {
						t.Fatal(err)
					}
					rest = rest[n:]
				}
				if !slices.Equal(got, want) || s.left() != 0 {
					t.Errorf("%v, %q by %d: %v, %d bytes left", v, name, piece, got, s.left())
				}
			}
		}
	}
}

// The kinds that the columns of the tests are written in: all of them.
func TestEveryKindIsWritten(t *testing.T) {
	seen := map[string]bool{}
	for _, v := range variants[1:] {
		for _, ts := range timestampColumns() {
			if len(ts) == 0 {
				continue
			}
			if b := v.timestamps(t, ts)[0]; b == lineByte {
				seen["line"] = true
			} else {
				seen[fmt.Sprintf("kind %d order %d factor %v", b&3, b>>orderShift&3, b&factorFlag != 0)] = true
			}
		}
		for _, values := range valueColumns() {
			if len(values) > 0 {
				b := v.values(t, values)
				seen[fmt.Sprintf("mode %d", b[0])] = true
				if b[0] == modeDecimal {
					seen[fmt.Sprintf("quick %v", b[1]&quickFlag != 0)] = true
					seen[fmt.Sprintf("kind %d order %d factor %v", b[2]&3, b[2]>>orderShift&3, b[2]&factorFlag != 0)] = true
				}
			}
		}
	}
	for _, want := range []string{
		"line", "mode 0", "mode 1", "mode 2", "mode 129", "quick false", "quick true",
		"kind 0 order 0 factor false", "kind 0 order 1 factor false",
		"kind 1 order 0 factor false", "kind 1 order 1 factor false", "kind 1 order 0 factor true", "kind 1 order 1 factor true", "kind 1 order 2 factor false",
		"kind 2 order 0 factor false", "kind 2 order 0 factor true", "kind 2 order 1 factor false",
		"kind 3 order 0 factor false", "kind 3 order 1 factor false", "kind 3 order 1 factor true",
	} {
		if !seen[want] {
			t.Errorf("no column was written as %s", want)
		}
	}
	if t.Failed() {
		t.Log(seen)
	}
}
