package tombstone

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	iofs "io/fs"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/frame"
	"github.com/sydradb/sydradb/internal/fsys"
	"github.com/sydradb/sydradb/internal/fuzzing"
	"github.com/sydradb/sydradb/internal/golden"
)

const now = 1_700_000_000_000_000_000

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// randomIDs returns n ids, spread like hashes.
func randomIDs(n int) []base.SeriesID {
	rng := rand.New(rand.NewPCG(5, 6))
	ids := make([]base.SeriesID, n)
	for i := range ids {
		ids[i] = base.SeriesID(rng.Uint64())
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

func same(a, b *Tombstone) bool {
	return a.LSN == b.LSN && a.Start == b.Start && a.End == b.End && slices.Equal(a.IDs, b.IDs)
}

func TestGolden(t *testing.T) {
	want := &Tombstone{LSN: 0x1234, Start: now, End: now + base.Hour - 1, IDs: []base.SeriesID{7, 8, 137, 0x1122334455667788, math.MaxUint64}}
	data := encode(nil, want)
	rest := data
	var fields []golden.Field
	for _, f := range []struct {
		n    int
		note string
	}{
		{4, "length of the payload"}, {1, "type 1"}, {8, "lsn 0x1234"}, {8, "start 1700000000 s"}, {8, "end, 1 ns before an hour later"},
		{4, "5 series"}, {1, "id 7"}, {1, "step 0: id 8"}, {2, "step 128: id 137"}, {9, "id 1122334455667788"},
		{10, "the highest id"}, {4, "CRC-32 of the payload"},
	} {
		fields = append(fields, golden.Field{Bytes: rest[:f.n], Note: f.note})
		rest = rest[f.n:]
	}
	if len(rest) > 0 {
		t.Fatalf("%d bytes without a note", len(rest))
	}
	golden.Check(t, "testdata/delete.golden", golden.Hex(fields...))
	got, _, err := decode(golden.ReadHex(t, "testdata/delete.golden"))
	if err != nil || !same(&got, want) {
		t.Fatalf("%+v, %v", got, err)
	}
}

func TestWriteAndLoad(t *testing.T) {
	for name, c := range map[string]struct {
		t      Tombstone
		frames int
	}{
		"one series":      {Tombstone{LSN: 1, Start: 5, End: 5, IDs: []base.SeriesID{0}}, 1},
		"none":            {Tombstone{LSN: 2, Start: base.MinTime, End: base.MaxTime}, 1},
		"widest":          {Tombstone{LSN: maxLSN, Start: math.MinInt64, End: math.MaxInt64, IDs: []base.SeriesID{0, math.MaxUint64}}, 1},
		"several frames":  {Tombstone{LSN: 9, Start: -9, End: 9, IDs: randomIDs(100_000)}, 3},
		"neighbours":      {Tombstone{LSN: 9, IDs: run(300_000)}, 2},
		"exactly a frame": {Tombstone{LSN: 9, IDs: run(payloadBytes - headBytes - 9)}, 1},
		"and one more":    {Tombstone{LSN: 9, IDs: run(payloadBytes - headBytes - 8)}, 2},
	} {
		fs := fsys.NewMem()
		for _, nowMS := range []int64{7, 8} { // the second time the directory is there
			f, err := Write(fs, nowMS, &c.t)
			must(t, err)
			data, err := fsys.ReadFile(fs, f.Path)
			must(t, err)
			if f.Path != base.DeleteFile(c.t.LSN, nowMS) || f.Bytes != int64(len(data)) || f.BLAKE3 != sum(data) {
				t.Errorf("%s: described as %+v", name, f)
			}
			if n := framesOf(t, data); n != c.frames {
				t.Errorf("%s: %d frames, want %d", name, n, c.frames)
			}
			got, err := Load(fs, f)
			if err != nil || !same(got, &c.t) || got.File != f {
				t.Errorf("%s: did not come back: %v", name, err)
			}
			lsn, err := ReadLSN(fs, f.Path)
			if err != nil || lsn != c.t.LSN {
				t.Errorf("%s: ReadLSN = %d, %v", name, lsn, err)
			}
		}
	}
}

// run returns the ids from 0 to n-1: a byte each.
func run(n int) []base.SeriesID {
	ids := make([]base.SeriesID, n)
	for i := range ids {
		ids[i] = base.SeriesID(i)
	}
	return ids
}

// framesOf counts the frames of a file and sees to it that none is too long.
func framesOf(t *testing.T, data []byte) (n int) {
	t.Helper()
	for ; len(data) > 0; n++ {
		payload, rest, err := frame.Next(data)
		must(t, err)
		if len(payload) > payloadBytes {
			t.Fatalf("a payload of %d bytes", len(payload))
		}
		data = rest
	}
	return n
}

func TestWriteRefuses(t *testing.T) {
	for name, bad := range map[string]Tombstone{
		"no lsn":     {IDs: []base.SeriesID{1}},
		"lsn":        {LSN: maxLSN + 1, IDs: []base.SeriesID{1}},
		"range":      {LSN: 1, Start: 2, End: 1, IDs: []base.SeriesID{1}},
		"unsorted":   {LSN: 1, IDs: []base.SeriesID{2, 1}},
		"repetition": {LSN: 1, IDs: []base.SeriesID{1, 2, 2}},
	} {
		fs := fsys.NewMem()
		if _, err := Write(fs, 1, &bad); err == nil {
			t.Errorf("%s: written", name)
		}
		if names, err := fs.List(""); err != nil || len(names) != 0 {
			t.Errorf("%s left %v, %v", name, names, err)
		}
	}
}

// TestWriteFails lets each step of a Write fail: nothing is left under the final name,
// and a second try works.
func TestWriteFails(t *testing.T) {
	broken := errors.New("broken")
	small := &Tombstone{LSN: 1, IDs: []base.SeriesID{1}}
	for nth := 1; ; nth++ {
		fs := fsys.NewMem()
		n := 0
		fs.SetHook(func(op fsys.Op) fsys.Fault {
			if n++; n == nth && op.Kind.Mutates() {
				return fsys.Fault{Err: broken}
			}
			return fsys.Fault{}
		})
		_, err := Write(fs, 1, small)
		fs.SetHook(nil)
		if n < nth {
			return
		}
		if err != nil && !errors.Is(err, broken) {
			t.Fatalf("step %d: %v", nth, err)
		}
		if err == nil {
			continue // the step changed nothing
		}
		if exists, err := fsys.Exists(fs, base.DeleteFile(1, 1)); exists || err != nil {
			t.Fatalf("step %d: a file is there, %v", nth, err)
		}
		f, err := Write(fs, 2, small)
		must(t, err)
		_, err = Load(fs, f)
		must(t, err)
	}
}

// TestPowerCut cuts the power between any two steps of a Write: what stands under the
// final name is whole.
func TestPowerCut(t *testing.T) {
	fs := fsys.NewMem()
	must(t, fs.MkdirAll(base.DeletesDir))
	must(t, fs.SyncDir(""))
	tomb := &Tombstone{LSN: 3, IDs: randomIDs(1000)}
	data := encode(nil, tomb)
	rng := rand.New(rand.NewPCG(1, 2))
	seen := 0
	look := func() {
		for range 50 {
			got, err := fsys.ReadFile(fs.CrashClone(rng, 50), base.DeleteFile(3, 1))
			if err == nil {
				seen++
			}
			if err == nil && !bytes.Equal(got, data) || err != nil && !errors.Is(err, iofs.ErrNotExist) {
				t.Fatalf("%d of %d bytes, %v", len(got), len(data), err)
			}
		}
	}
	fs.SetHook(func(fsys.Op) fsys.Fault {
		look()
		return fsys.Fault{}
	})
	f, err := Write(fs, 1, tomb)
	must(t, err)
	fs.SetHook(nil)
	look()
	must(t, fs.SyncDir(base.DeletesDir))
	_, err = Load(fs.CrashClone(rng, 0), f)
	must(t, err)
	if seen == 0 {
		t.Error("the name never survived: nothing was tested")
	}
}

// wantDamage fails unless err reports damage of a file.
func wantDamage(t *testing.T, err error, path string) {
	t.Helper()
	var damage *base.CorruptionError
	if !errors.As(err, &damage) || damage.File != path {
		t.Fatalf("%v, want damage of %s", err, path)
	}
}

// TestDamage flips every bit of a file, cuts it at every byte and puts another sound
// one in its place.
func TestDamage(t *testing.T) {
	fs := fsys.NewMem()
	f, err := Write(fs, 1, &Tombstone{LSN: 300, Start: 1, End: 2, IDs: []base.SeriesID{1, 500, 1 << 50}})
	must(t, err)
	good, err := fsys.ReadFile(fs, f.Path)
	must(t, err)
	put := func(data []byte) {
		must(t, fsys.WriteFileAtomic(fs, f.Path, data))
	}
	for bit := range len(good) * 8 {
		bad := bytes.Clone(good)
		bad[bit/8] ^= 1 << (bit % 8)
		put(bad)
		_, err := Load(fs, f)
		wantDamage(t, err, f.Path)
		_, err = ReadLSN(fs, f.Path)
		wantDamage(t, err, f.Path)
		if _, _, err := decode(bad); err == nil {
			t.Fatalf("bit %d: decoded", bit)
		}
	}
	for n := range good {
		put(good[:n])
		_, err := Load(fs, f)
		wantDamage(t, err, f.Path)
		if want := fmt.Sprintf("has %d bytes", n); !strings.Contains(err.Error(), want) {
			t.Fatalf("%v, want %q", err, want)
		}
		_, err = ReadLSN(fs, f.Path)
		wantDamage(t, err, f.Path)
	}
	for _, other := range [][]byte{
		append(bytes.Clone(good), 0),
		append(bytes.Clone(good), good...),
		encode(nil, &Tombstone{LSN: 300, Start: 1, End: 2, IDs: []base.SeriesID{1, 501, 1 << 50}}),
	} {
		put(other)
		read := false
		fs.SetHook(func(op fsys.Op) fsys.Fault {
			read = read || op.Kind == fsys.OpRead
			return fsys.Fault{}
		})
		_, err := Load(fs, f)
		fs.SetHook(nil)
		wantDamage(t, err, f.Path)
		if int64(len(other)) != f.Bytes && read {
			t.Error("a file of the wrong size was read into memory")
		}
	}
	// Sound bytes that are none of a tombstone.
	stranger := frame.End(append(frame.Begin(nil), "hello"...), 0)
	put(stranger)
	_, err = Load(fs, File{Path: f.Path, Bytes: int64(len(stranger)), BLAKE3: sum(stranger)})
	wantDamage(t, err, f.Path)
	must(t, fs.Remove(f.Path))
	if _, err := Load(fs, f); !errors.Is(err, iofs.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
	if _, err := ReadLSN(fs, f.Path); !errors.Is(err, iofs.ErrNotExist) {
		t.Errorf("the LSN of a missing file: %v", err)
	}
}

// payload returns that of a single frame with a head and what follows it.
func payload(lsn uint64, start, end int64, count uint32, ids string) []byte {
	p := binary.LittleEndian.AppendUint64([]byte{typeDelete}, lsn)
	p = binary.LittleEndian.AppendUint64(p, uint64(start))
	p = binary.LittleEndian.AppendUint64(p, uint64(end))
	return append(binary.LittleEndian.AppendUint32(p, count), ids...)
}

func TestDecodeRefuses(t *testing.T) {
	type payloads = [][]byte
	top := string(binary.AppendUvarint(nil, math.MaxUint64))
	good := payload(1, 2, 3, 1, "\x05")
	for name, c := range map[string]struct {
		payloads payloads
		at       int64
		want     string
	}{
		"no frame":            {nil, 0, "cut off"},
		"another type":        {payloads{append([]byte{9}, good[1:]...)}, 0, "unknown type 9"},
		"half a head":         {payloads{good[:headBytes-1]}, 0, "too short"},
		"too long":            {payloads{payload(1, 2, 3, 1, strings.Repeat("\x00", payloadBytes))}, 0, "longer"},
		"lsn 0":               {payloads{payload(0, 2, 3, 1, "\x05")}, 0, "lsn 0"},
		"lsn too high":        {payloads{payload(1<<56, 2, 3, 1, "\x05")}, 0, "lsn"},
		"reversed":            {payloads{payload(1, 3, 2, 1, "\x05")}, 0, "before it starts"},
		"more than there are": {payloads{payload(1, 2, 3, 2, "\x05")}, 0, "count"},
		"far more":            {payloads{payload(1, 2, 3, math.MaxUint32, "\x05")}, 0, "count"},
		"id cut off":          {payloads{payload(1, 2, 3, 1, "\x85")}, 0, "varint"},
		"id of 70 bits":       {payloads{payload(1, 2, 3, 1, strings.Repeat("\xff", 10)+"\x01")}, 0, "varint"},
		"above the highest":   {payloads{payload(1, 2, 3, 2, top+"\x00")}, 0, "ascend"},
		"far above":           {payloads{payload(1, 2, 3, 2, "\x05"+top)}, 0, "ascend"},
		"bytes behind":        {payloads{payload(1, 2, 3, 1, "\x05\x06")}, 0, "after"},
		"another lsn":         {payloads{good, payload(2, 2, 3, 1, "\x06")}, 38, "another"},
		"another start":       {payloads{good, payload(1, 1, 3, 1, "\x06")}, 38, "another"},
		"another end":         {payloads{good, payload(1, 2, 4, 1, "\x06")}, 38, "another"},
		"the same id again":   {payloads{good, good}, 38, "ascend"},
		"a later frame":       {payloads{good, payload(1, 2, 3, 1, "\x06\x06")}, 38, "after"},
	} {
		var data []byte
		for _, p := range c.payloads {
			data = frame.End(append(frame.Begin(data), p...), len(data))
		}
		_, at, err := decode(data)
		if err == nil || !strings.Contains(err.Error(), c.want) || at != c.at {
			t.Errorf("%s: at %d %v, want %q at %d", name, at, err, c.want, c.at)
		}
	}
}

// sealAll gives frames that are whole the checksum of their payload.
func sealAll(data []byte) []byte {
	for rest := data; ; {
		n, err := frame.PayloadLen(rest)
		if err != nil || n+frame.Overhead > len(rest) {
			return data
		}
		frame.Seal(rest[:n+frame.Overhead])
		rest = rest[n+frame.Overhead:]
	}
}

// FuzzLoad reads any bytes as a file, with the checksums of what looks like frames made
// right: they are refused with a place, or their tombstone survives being written again.
func FuzzLoad(f *testing.F) {
	f.Add(encode(nil, &Tombstone{LSN: 1}))
	f.Add(encode(nil, &Tombstone{LSN: 5, Start: -1, End: now, IDs: []base.SeriesID{4, 5, math.MaxUint64}}))
	f.Add(encode(encode(nil, &Tombstone{LSN: 5, IDs: run(9)}), &Tombstone{LSN: 5, IDs: []base.SeriesID{10, 1 << 40}}))
	f.Fuzz(func(t *testing.T, data []byte) {
		data = sealAll(bytes.Clone(data))
		fs := fsys.NewMem()
		file := File{Path: base.DeleteFile(1, 1), Bytes: int64(len(data)), BLAKE3: sum(data)}
		must(t, fs.MkdirAll(base.DeletesDir))
		must(t, fsys.WriteFileAtomic(fs, file.Path, data))
		var got *Tombstone
		var err error
		fuzzing.Bounded(t, len(data), func() { got, err = Load(fs, file) })
		lsn, lsnErr := ReadLSN(fs, file.Path)
		if err != nil {
			var damage *base.CorruptionError
			if !errors.As(err, &damage) || damage.Offset < 0 || damage.Offset > int64(len(data)) {
				t.Fatalf("error without a place in %d bytes: %v", len(data), err)
			}
			return
		}
		if lsnErr != nil || lsn != got.LSN {
			t.Fatalf("ReadLSN = %d, %v; it is %d", lsn, lsnErr, got.LSN)
		}
		written, err := Write(fs, 2, got)
		must(t, err)
		again, err := Load(fs, written)
		if err != nil || !same(again, got) {
			t.Fatalf("%+v became %+v, %v", got, again, err)
		}
	})
}
