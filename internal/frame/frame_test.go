package frame

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"testing"

	"github.com/sydradb/sydradb/internal/fuzzing"
	"github.com/sydradb/sydradb/internal/golden"
)

// appendFrame appends payload as a frame to dst.
func appendFrame(dst, payload []byte) []byte {
	start := len(dst)
	return End(append(Begin(dst), payload...), start)
}

func TestGolden(t *testing.T) {
	one := appendFrame(nil, []byte{0x2a})
	many := appendFrame(nil, []byte("SydraDB frame"))
	golden.Check(t, "testdata/frame.golden", golden.Hex(
		golden.Field{Bytes: one[:4], Note: "len = 1"},
		golden.Field{Bytes: one[4:5], Note: "payload"},
		golden.Field{Bytes: one[5:], Note: "crc32 of payload"},
		golden.Field{Bytes: many[:4], Note: "len = 13"},
		golden.Field{Bytes: many[4:17], Note: `payload "SydraDB frame"`},
		golden.Field{Bytes: many[17:], Note: "crc32 of payload"},
	))
	rest := golden.ReadHex(t, "testdata/frame.golden")
	for _, want := range []string{"*", "SydraDB frame"} {
		payload, after, err := Next(rest)
		if err != nil || string(payload) != want {
			t.Fatalf("Next = %q, %v; want %q", payload, err, want)
		}
		rest = after
	}
	if len(rest) != 0 {
		t.Fatalf("%d bytes left", len(rest))
	}
}

func TestBuildInPlace(t *testing.T) {
	const prefix = "before"
	dst := appendFrame([]byte(prefix), []byte("payload"))
	frame, found := bytes.CutPrefix(dst, []byte(prefix))
	payload, rest, err := Next(frame)
	if !found || err != nil || string(payload) != "payload" || len(rest) != 0 {
		t.Fatalf("% x: payload %q, rest % x, %v", dst, payload, rest, err)
	}
}

func TestUnsealedIsRefusedUntilSealed(t *testing.T) {
	f := EndUnsealed(append(Begin(nil), "payload"...), 0)
	if _, _, err := Next(f); !errors.Is(err, ErrChecksum) {
		t.Fatalf("unsealed: %v, want ErrChecksum", err)
	}
	Seal(f)
	if p, _, err := Next(f); err != nil || string(p) != "payload" {
		t.Fatalf("sealed: %q, %v", p, err)
	}
}

func TestNextRefuses(t *testing.T) {
	header := func(n uint32) []byte { return binary.LittleEndian.AppendUint32(nil, n) }
	table := map[string]struct {
		src  []byte
		want error
	}{
		"nothing":             {nil, ErrShort},
		"part of the length":  {[]byte{1, 0, 0}, ErrShort},
		"zeros":               {make([]byte, 64), ErrLength},
		"one above the limit": {append(header(MaxPayload+1), make([]byte, 64)...), ErrLength},
		"all ones":            {bytes.Repeat([]byte{0xff}, 64), ErrLength},
		"the limit, cut off":  {append(header(MaxPayload), make([]byte, 64)...), ErrShort},
	}
	for name, c := range table {
		if _, _, err := Next(c.src); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

// TestEveryCutAndFlip shows that no cut and no flipped bit of a frame goes unnoticed.
func TestEveryCutAndFlip(t *testing.T) {
	whole := appendFrame(nil, []byte("twenty bytes of load"))
	for n := range whole {
		if _, _, err := Next(whole[:n]); !errors.Is(err, ErrShort) {
			t.Errorf("cut at %d: %v, want ErrShort", n, err)
		}
	}
	for bit := range len(whole) * 8 {
		bad := bytes.Clone(whole)
		bad[bit/8] ^= 1 << (bit % 8)
		if p, _, err := Next(bad); err == nil {
			t.Errorf("bit %d flipped: payload %q passed", bit, p)
		}
	}
}

func TestLargestPayload(t *testing.T) {
	payload := make([]byte, MaxPayload)
	payload[MaxPayload-1] = 7
	got, rest, err := Next(appendFrame(nil, payload))
	if err != nil || len(rest) != 0 || !bytes.Equal(got, payload) {
		t.Fatalf("len %d, rest %d, %v", len(got), len(rest), err)
	}
}

func FuzzNext(f *testing.F) {
	f.Add(appendFrame(nil, []byte("x")))
	f.Add(appendFrame(appendFrame(nil, []byte("first")), []byte("second")))
	f.Add(make([]byte, 32))
	f.Fuzz(func(t *testing.T, src []byte) {
		for len(src) > 0 {
			var payload, rest []byte
			var err error
			fuzzing.Bounded(t, len(src), func() { payload, rest, err = Next(src) })
			if err != nil {
				return
			}
			n := len(payload)
			if n == 0 || n+Overhead+len(rest) != len(src) {
				t.Fatalf("payload %d, rest %d of %d bytes", n, len(rest), len(src))
			}
			if !bytes.Equal(appendFrame(nil, payload), src[:n+Overhead]) {
				t.Fatal("a frame that Next accepts is not the one that End makes")
			}
			src = rest
		}
	})
}

func TestNoAllocation(t *testing.T) {
	payload := make([]byte, 1000)
	buf := make([]byte, 0, 2000)
	n := testing.AllocsPerRun(100, func() {
		f := appendFrame(buf, payload)
		if _, _, err := Next(f); err != nil {
			t.Fatal(err)
		}
	})
	if n != 0 {
		t.Fatalf("%v allocations", n)
	}
}

func TestChecksumIsIEEE(t *testing.T) {
	f := appendFrame(nil, []byte("123456789"))
	if got := binary.LittleEndian.Uint32(f[len(f)-4:]); got != 0xcbf43926 || got != crc32.ChecksumIEEE([]byte("123456789")) {
		t.Fatalf("checksum %#x", got)
	}
}

func BenchmarkFrame(b *testing.B) {
	for _, size := range []int{64, 8 << 10, 1 << 20} {
		payload := make([]byte, size)
		whole := appendFrame(nil, payload)
		b.Run(fmt.Sprintf("op=append/size=%d", size), func(b *testing.B) {
			buf := make([]byte, 0, size+Overhead)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				buf = appendFrame(buf[:0], payload)
			}
		})
		b.Run(fmt.Sprintf("op=next/size=%d", size), func(b *testing.B) {
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := Next(whole); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
