package segment

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"math"
	"slices"
	"testing"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/codec"
	"github.com/sydradb/sydradb/internal/fsys"
	"github.com/sydradb/sydradb/internal/fuzzing"
	"github.com/sydradb/sydradb/internal/golden"
)

// placed fails unless err is damage with a place in n bytes, or an unknown codec.
func placed(t *testing.T, err error, n int) {
	t.Helper()
	var damage *base.CorruptionError
	if errors.As(err, &damage) && damage.Offset >= 0 && damage.Offset <= int64(n) || errors.Is(err, codec.ErrUnknown) {
		return
	}
	t.Fatalf("error without a place in %d bytes: %v", n, err)
}

// FuzzPackEntry reads any bytes as an entry: they are refused, or what they say is
// possible, and survives being written again.
func FuzzPackEntry(f *testing.F) {
	f.Add(golden.ReadHex(f, "testdata/pack-entry.golden"))
	f.Fuzz(func(t *testing.T, data []byte) {
		var s PackSeries
		var err error
		fuzzing.Bounded(t, len(data), func() { err = entryLayout.decodeEntry(&s, 1, data) })
		if err != nil {
			placed(t, err, len(data))
			return
		}
		again := []byte{s.TimestampCodec | s.ValueCodec<<4}
		end, count := int64(0), 0
		for i := range s.Blocks {
			b := &s.Blocks[i]
			if b.Count < 1 || b.First < someDay || b.Last >= someDay+base.Day || b.First > b.Last ||
				!within(b.TimestampOffset, uint64(b.TimestampBytes), b.ValueOffset) ||
				!within(b.ValueOffset, uint64(b.ValueBytes), entryLayout.columnsEnd) || b.ValueOffset < end {
				t.Fatalf("block %d: %+v behind %d", i, *b, end)
			}
			again = appendBlock(again, b, someDay, -1, end, -1)
			end = b.ValueOffset + int64(b.ValueBytes)
			count += b.Count
		}
		if s.Count != count || s.Start != s.Blocks[0].First || s.End != s.Blocks[len(s.Blocks)-1].Last {
			t.Fatalf("%+v", s)
		}
		var got PackSeries
		if err := entryLayout.decodeEntry(&got, 1, again); err != nil || !slices.Equal(got.Blocks, s.Blocks) {
			t.Fatalf("%+v became %+v, error %v", s.Blocks, got.Blocks, err)
		}
	})
}

// FuzzIndexBlock reads any bytes as an index block of up to 200 entries.
func FuzzIndexBlock(f *testing.F) {
	data := golden.ReadHex(f, "testdata/pack.golden")
	f.Add(data[0xe4:0x158], byte(3))
	f.Fuzz(func(t *testing.T, data []byte, count byte) {
		if count == 0 || count > 200 {
			return
		}
		fuzzing.Bounded(t, len(data), func() {
			b, err := parseIndexBlock(data, int(count))
			if err != nil {
				placed(t, err, len(data))
				return
			}
			next := b.body
			for i := range b.count {
				entry, offset := b.entry(i)
				if offset != next {
					t.Fatalf("entry %d at %d, not %d", i, offset, next)
				}
				next += len(entry)
			}
			if next != len(data) {
				t.Fatalf("entries end at %d of %d", next, len(data))
			}
		})
	})
}

// makeSound gives bytes the checksums of a pack where they have room for them, so that
// what lies behind the checks is reached as well.
func makeSound(data []byte) {
	if len(data) < packHeaderBytes+packFooterBytes {
		return
	}
	le := binary.LittleEndian
	foot := data[len(data)-packFooterBytes:]
	if top := le.Uint64(foot[8:]); top <= uint64(len(data)-packFooterBytes) {
		le.PutUint32(foot[topCRCOffset:], crc32.Checksum(data[top:len(data)-packFooterBytes], castagnoli))
	}
	le.PutUint32(foot[footerCRCOffset:], crc32.Checksum(foot[:footerCRCOffset], castagnoli))
	p := &Pack{size: int64(len(data))}
	if _, err := p.read(bytes.NewReader(data)); err != nil {
		return
	}
	for n := range p.blocks {
		if from, to := p.indexBlockAt(n); to-from >= 4 {
			le.PutUint32(data[to-4:], crc32.Checksum(data[from:to-4], castagnoli))
		}
	}
}

// FuzzPack reads any bytes as a pack, with the checksums of its index made right: they are
// refused with a place, or what is read is what the index says.
func FuzzPack(f *testing.F) {
	for _, name := range []string{"pack", "pack-codec1"} {
		f.Add(golden.ReadHex(f, "testdata/"+name+".golden"))
	}
	fs := fsys.NewMem()
	many := make([]column, 300)
	for i := range many {
		many[i] = column{base.SeriesID(i * 1000), []int64{someDay + int64(i)*base.Hour/20, someDay + base.Day - 1}, []float64{1, float64(i)}}
	}
	e := writePack(f, fs, PackOptions{Bucket: someDay, Width: base.Day}, many)
	data, err := fsys.ReadFile(fs, e.Path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Fuzz(func(t *testing.T, data []byte) {
		data = slices.Clone(data)
		makeSound(data)
		// The columns that are read last, and those that are remembered, grow step by step.
		fuzzing.Bounded(t, len(data)+4*longColumns, func() {
			p := &Pack{size: int64(len(data))}
			if len(data) < packHeaderBytes+packFooterBytes {
				return // refused by its size
			}
			if _, err := p.read(bytes.NewReader(data)); err != nil {
				placed(t, err, len(data))
				return
			}
			readEverything(t, p.Reader(bytes.NewReader(data), nil), len(data))
		})
	})
}

// readEverything reads all series that can be read.
func readEverything(t *testing.T, r *PackReader, n int) {
	var ts []int64
	var values []float64
	err := r.All(func(s *PackSeries) error {
		for i := range s.Blocks {
			b := &s.Blocks[i]
			var err error
			if ts, values, err = r.AppendBlock(ts[:0], values[:0], s, i); err != nil {
				placed(t, err, n)
				continue
			}
			if len(ts) != b.Count || len(values) != b.Count || ts[0] != b.First || ts[b.Count-1] != b.Last {
				t.Fatalf("block %+v read as %v", *b, ts)
			}
		}
		return nil
	})
	if err != nil {
		placed(t, err, n)
	}
}

// FuzzPackRoundTrip writes points as a pack, whose blocks are those of an hour or of several,
// and as segment files: under each policy they come back bit by bit. Three bytes are a point:
// how long after the one before, and what of a value.
func FuzzPackRoundTrip(f *testing.F) {
	f.Add([]byte{0x12, 1, 2, 3, 4, 5, 6, 7, 8, 9})
	f.Add(append(bytes.Repeat([]byte{0x23, 10, 0, 1}, 300), bytes.Repeat([]byte{0xff, 0x80, 0xf0}, 40)...))
	var d Decoder
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) < 4 || len(data) > 3<<12 {
			return
		}
		ts, values := fuzzedPoints(data)
		for _, policy := range []codec.Policy{codec.Fast, codec.Balanced} {
			fs := fsys.NewMem()
			w, err := CreatePack(fs, PackOptions{NowMS: 1, Bucket: someDay, Width: base.Day, Policy: policy})
			if err != nil {
				t.Fatal(err)
			}
			for id := range base.SeriesID(2) { // the second shares the times of the first
				if err := w.Append(id, ts, values); err != nil {
					t.Fatal(err)
				}
			}
			e, err := w.Finish()
			if err == nil {
				err = VerifyPack(fs, e, nil)
			}
			if err != nil {
				t.Fatal(err)
			}
			r := openReader(t, fs, e, nil)
			r.DecodeWith(&d)
			for id := range base.SeriesID(2) {
				got, err := readAllOf(r, id)
				if err != nil || !samePoints(got.ts, got.values, ts, values) {
					t.Fatalf("policy %d: %v %x became %v %x, error %v", policy, ts, values, got.ts, got.values, err)
				}
			}
		}
	})
}

// fuzzedPoints makes points of a day from bytes.
func fuzzedPoints(data []byte) (ts []int64, values []float64) {
	unit := []int64{1, 1e6, 1e9, 60e9}[data[0]&3]
	power := powers[data[0]>>2&15%(maxExponent+1)]
	at, number := someDay, int64(0)
	for data = data[1:]; len(data) >= 3; data = data[3:] {
		number += int64(int8(data[1])) << (data[2] & 15)
		v := float64(number) / power
		if data[2] >= 0xf0 {
			v = math.Float64frombits(uint64(data[1])<<56 | uint64(data[2])) // of any kind
		}
		ts, values = append(ts, at), append(values, v)
		if at += (int64(data[0]) + 1) * unit; at >= someDay+base.Day {
			break
		}
	}
	return ts, values
}
