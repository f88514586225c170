package blocks

import (
	"encoding/binary"
	"math"
	"runtime"
	"slices"
	"strings"
	"testing"
)

func TestArrayHoldsWhatWasWritten(t *testing.T) {
	var a Array[uint64]
	if a.Len() != 0 || a.At(0) != 0 || a.At(math.MaxUint32) != 0 {
		t.Fatal("a new array is not empty")
	}
	indexes := []uint32{5, 0, blockLen - 1, blockLen, 3*groupCap + 7, groupCap, 1 << 31}
	for _, i := range indexes {
		*a.Slot(i) = uint64(i) + 1
	}
	for _, i := range indexes {
		if got := a.At(i); got != uint64(i)+1 {
			t.Errorf("At(%d) = %d", i, got)
		}
	}
	for _, hole := range []uint32{1, 4, 6, blockLen + 1, 2 * groupCap, 1<<31 - 1, 1<<31 + 1} {
		if got := a.At(hole); got != 0 {
			t.Errorf("At(%d) = %d in a hole", hole, got)
		}
	}
	if a.Len() != 1<<31+1 {
		t.Errorf("Len = %d", a.Len())
	}
}

func TestSlotStaysInPlace(t *testing.T) {
	var a Array[uint32]
	first := a.Slot(0)
	for i := range uint32(10 * blockLen) {
		*a.Slot(i) = i
	}
	*first = 99
	if a.At(0) != 99 {
		t.Error("the first value moved while the array grew")
	}
}

func TestFromSkipsWhatWasNeverWritten(t *testing.T) {
	var a Array[uint64]
	for range a.From(0) {
		t.Error("an empty array has slots")
	}
	written := []uint32{0, 5, blockLen, 3 * groupCap, 3*groupCap + blockLen, 1 << 31, math.MaxUint32 - 1}
	for _, i := range written {
		*a.Slot(i) = uint64(i) + 1
	}
	for _, start := range append(written, 1, blockLen-1, 2*blockLen, groupCap, 1<<31+1, math.MaxUint32) {
		var got, want []uint32
		slots := 0
		for i, v := range a.From(start) {
			if slots++; v != 0 {
				got = append(got, i)
			}
			if i < start || v != a.At(i) {
				t.Fatalf("from %d: slot %d with %d", start, i, v)
			}
		}
		for _, i := range written {
			if i >= start {
				want = append(want, i)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("from %d: %d, want %d", start, got, want)
		}
		if slots > len(written)*blockLen {
			t.Errorf("from %d: %d slots", start, slots)
		}
	}
	for i := range a.From(0) {
		if i == 5 {
			break
		}
	}
}

func TestFromWhileItGrows(t *testing.T) {
	var a Array[uint32]
	*a.Slot(0) = 1
	n := uint32(0)
	for i, v := range a.From(0) {
		if v != i+1 {
			t.Fatalf("slot %d has %d", i, v)
		}
		if n++; n < 3*blockLen {
			*a.Slot(n) = n + 1
		}
	}
	if n != 3*blockLen {
		t.Errorf("%d slots", n)
	}
}

// allocated returns how many bytes fn allocates.
func allocated(fn func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	fn()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

func TestLoneHighIndexIsCheap(t *testing.T) {
	var a Array[uint64]
	if n := allocated(func() { *a.Slot(math.MaxUint32 - 1) = 1 }); n > 1<<20 {
		t.Errorf("%d bytes for one value", n)
	}
	runtime.KeepAlive(a)
}

// TestThinArrayIsCheap keeps one value in a thousand, as a table of ordinals does when
// most series are dead.
func TestThinArrayIsCheap(t *testing.T) {
	const n = 1000
	var a Array[uint64]
	got := allocated(func() {
		for i := range uint32(n) {
			*a.Slot(i * 1000) = 1
		}
	})
	if got > n*1024 {
		t.Errorf("%d bytes for each value", got/n)
	}
	runtime.KeepAlive(a)
}

func TestBlobKeepsEntries(t *testing.T) {
	var b Blob
	entries := []string{"", "a", strings.Repeat("x", 40_000), "b", strings.Repeat("y", 40_000),
		strings.Repeat("z", 3*blobBlockBytes), "c", strings.Repeat("w", blobBlockBytes)}
	var refs []Ref
	var early []string
	for _, e := range entries {
		refs = append(refs, b.Append(append(binary.AppendUvarint(nil, uint64(len(e))), e...)))
		early = append(early, b.From(refs[len(refs)-1]))
	}
	for i, e := range entries {
		n, rest := Uvarint(b.From(refs[i]))
		if int(n) != len(e) || rest[:n] != e {
			t.Errorf("entry %d is not what was stored", i)
		}
		if _, rest := Uvarint(early[i]); rest[:n] != e {
			t.Errorf("entry %d changed while the blob grew", i)
		}
	}
}

func TestUvarint(t *testing.T) {
	for _, v := range []uint32{0, 1, 127, 128, 300, 1<<14 - 1, 1 << 14, 1<<28 + 3, math.MaxUint32} {
		s := string(binary.AppendUvarint(nil, uint64(v))) + "rest"
		if got, rest := Uvarint(s); got != v || rest != "rest" {
			t.Errorf("Uvarint of %d = %d, %q", v, got, rest)
		}
	}
	for _, cut := range []string{"", "\x80", "\xff\xff", "\xff\xff\xff\xff\xff\xff"} {
		if got, rest := Uvarint(cut); got != 0 || rest != "" {
			t.Errorf("Uvarint of %q = %d, %q", cut, got, rest)
		}
	}
}
