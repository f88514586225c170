package segment

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
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
	_, _, data := goldenPackFile(f)
	f.Add(data)
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
		fuzzing.Bounded(t, len(data), func() {
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
