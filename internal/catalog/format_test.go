package catalog

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"strings"
	"testing"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/dict"
	"github.com/sydradb/sydradb/internal/fsys"
	"github.com/sydradb/sydradb/internal/fuzzing"
	"github.com/sydradb/sydradb/internal/golden"
)

// goldenCatalog has a series of each kind: two with a tag in common, one whose id was
// taken, one without tags, two known by their id, one of them with tags; and a hole.
func goldenCatalog(t testing.TB) *Catalog {
	t.Helper()
	c := newCatalog()
	tags := tagsOf("floor", "2", "room", "hall")
	taken := KeyID(AppendKey(nil, "room.temp", tags))
	for _, reg := range []base.Registration{
		{Ordinal: 0, ID: KeyID(AppendKey(nil, "room.temp", tagsOf("floor", "2", "room", "kitchen"))), Name: "room.temp", Tags: tagsOf("floor", "2", "room", "kitchen")},
		{Ordinal: 1, ID: taken},
		{Ordinal: 2, ID: taken + 1, Name: "room.temp", Tags: tags},
		{Ordinal: 300, ID: KeyID([]byte("up|{}")), Name: "up"},
		{Ordinal: 301, ID: 42, Tags: tagsOf("floor", "2")},
	} {
		if err := c.Register(reg); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

// TestGolden compares a catalog file, byte by byte, with one put together by hand.
func TestGolden(t *testing.T) {
	u64 := func(v base.SeriesID) []byte { return binary.LittleEndian.AppendUint64(nil, uint64(v)) }
	c := goldenCatalog(t)
	ids := []golden.Field{
		{Bytes: []byte{2}, Note: "type: ids"},
		{Bytes: []byte{5}, Note: "5 series"},
		{Bytes: []byte{0}, Note: "ordinal 0"},
		{Bytes: u64(0xfe2dce6f981377f5), Note: "id"},
		{Bytes: []byte{0}, Note: "ordinal 1"},
		{Bytes: u64(c.ID(1)), Note: `id, the hash of room.temp|{"floor":"2","room":"hall"}`},
		{Bytes: []byte{0}, Note: "ordinal 2"},
		{Bytes: u64(c.ID(1) + 1), Note: "id, one more than the hash"},
		{Bytes: []byte{0xa9, 0x02}, Note: "ordinal 300: 297 further than 3"},
		{Bytes: u64(c.ID(300)), Note: "id"},
		{Bytes: []byte{0}, Note: "ordinal 301"},
		{Bytes: u64(42), Note: "id"},
	}
	names := []golden.Field{
		{Bytes: []byte{1}, Note: "type: names"},
		{Bytes: []byte{2}, Note: "2 names"},
		{Bytes: []byte("\x09room.temp"), Note: "name 0"},
		{Bytes: []byte("\x02up"), Note: "name 1"},
		{Bytes: []byte{2}, Note: "2 keys"},
		{Bytes: []byte("\x05floor"), Note: "key 0"},
		{Bytes: []byte("\x04room"), Note: "key 1"},
		{Bytes: []byte{3}, Note: "3 pairs"},
		{Bytes: []byte("\x00\x012"), Note: "pair 0: floor=2"},
		{Bytes: []byte("\x01\x07kitchen"), Note: "pair 1: room=kitchen"},
		{Bytes: []byte("\x01\x04hall"), Note: "pair 2: room=hall"},
		{Bytes: []byte{4}, Note: "4 series"},
		{Bytes: []byte{0, 2, 2, 0, 1}, Note: "ordinal 0: name 0, 2 tags, pairs 0 and 1"},
		{Bytes: []byte{1, 3}, Note: "ordinal 2, for 1 has no name: name 0, an id follows"},
		{Bytes: u64(c.ID(1) + 1), Note: "id"},
		{Bytes: []byte{2, 0, 2}, Note: "2 tags, pairs 0 and 2"},
		{Bytes: []byte{0xa9, 0x02, 4, 0}, Note: "ordinal 300: name 1, no tags"},
		{Bytes: []byte{0, 1}, Note: "ordinal 301: no name, an id follows"},
		{Bytes: u64(42), Note: "id"},
		{Bytes: []byte{1, 0}, Note: "1 tag, pair 0"},
	}
	var fields []golden.Field
	for _, payload := range [][]golden.Field{ids, names} {
		var all []byte
		for _, f := range payload {
			all = append(all, f.Bytes...)
		}
		fields = append(fields, golden.Field{Bytes: binary.LittleEndian.AppendUint32(nil, uint32(len(all))), Note: "length of the payload"})
		fields = append(fields, payload...)
		fields = append(fields, golden.Field{Bytes: binary.LittleEndian.AppendUint32(nil, crc32.ChecksumIEEE(all)), Note: "CRC-32 of the payload"})
	}
	const file = "testdata/catalog.golden"
	golden.Check(t, file, golden.Hex(fields...))

	fs := fsys.NewMem()
	save(t, fs, c)
	got, err := fsys.ReadFile(fs, "CATALOG.1")
	if err != nil {
		t.Fatal(err)
	}
	if want := golden.ReadHex(t, file); !bytes.Equal(got, want) {
		t.Errorf("the file is\n% x, want\n% x", got, want)
	}
}

func TestDecodeRefuses(t *testing.T) {
	for _, c := range []struct{ what, payload, want string }{
		{"nothing", "", "does not fit"},
		{"type", "\x03\x00", "unknown type 3"},
		{"ids: count", "\x02\x02\x0012345678", "does not fit"},
		{"ids: id cut off", "\x02\x01\x80\x801234567", "does not fit"},
		{"ids: number too long", "\x02\xff\xff\xff\xff\xff\x01", "more than 32 bits"},
		{"ids: number cut off", "\x02\x80", "cut off"},
		{"ids: ordinal out of range", "\x02\x01\xff\xff\xff\xff\x0f12345678", "out of range"},
		{"ids: second ordinal out of range", "\x02\x02\xff\xff\xff\xff\x0712345678\xff\xff\xff\xff\x0712345678", "out of range"},
		{"ids: something follows", "\x02\x00\x00", "1 bytes follow"},
		{"names: empty name", "\x01\x01\x00\x00\x00\x00", "empty"},
		{"names: name cut off", "\x01\x01\x05abc", "does not fit"},
		{"names: not UTF-8", "\x01\x01\x01\xff\x00\x00\x00", "not UTF-8"},
		{"names: keys out of order", "\x01\x00\x02\x01b\x01a\x00\x00", "out of order"},
		{"names: key twice", "\x01\x00\x02\x01b\x01b\x00\x00", "out of order"},
		{"names: reserved key", "\x01\x00\x01\x08__name__\x00\x00", "reserved"},
		{"names: pair of no key", "\x01\x00\x01\x01a\x01\x01\x01v\x00", "number 1 of 1"},
		{"names: empty value", "\x01\x00\x01\x01a\x01\x00\x00\x00", "empty"},
		{"names: name of no number", "\x01\x01\x01n\x00\x00\x01\x00\x04\x00", "number 4 of 4"},
		{"names: neither name nor id", "\x01\x01\x01n\x00\x00\x01\x00\x00\x00", "neither a name nor an id"},
		{"names: tag of no pair", "\x01\x01\x01n\x00\x00\x01\x00\x02\x01\x00", "number 0 of 0"},
		{"names: tags out of order", "\x01\x01\x01n\x02\x01a\x01b\x02\x00\x01v\x01\x01v\x01\x00\x02\x02\x01\x00", "out of order"},
		{"names: key twice in a series", "\x01\x01\x01n\x01\x01a\x02\x00\x01v\x00\x01w\x01\x00\x02\x02\x00\x01", "out of order"},
		{"names: series cut off", "\x01\x01\x01n\x00\x00\x02\x00\x02\x00", "does not fit"},
	} {
		var f frameData
		if err := f.decode(c.payload); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.what, err, c.want)
		}
	}
}

// FuzzCatalog decodes payloads. What can be decoded is loaded, written and loaded
// again, and comes out the same.
func FuzzCatalog(f *testing.F) {
	c := goldenCatalog(f)
	all := []base.Ordinal{0, 1, 2, 300, 301}
	ids, _ := c.appendIDs(nil, all)
	names, _ := c.appendNames(nil, all)
	f.Add(ids)
	f.Add(names)
	f.Fuzz(func(t *testing.T, payload []byte) {
		var data frameData
		var err, loadErr error
		fuzzing.Bounded(t, len(payload), func() { err = data.decode(string(payload)) })
		l := loader{c: New(dict.New(), Options{})}
		// Series whose ordinals lie far apart, as they may, take a block of the catalog each.
		fuzzing.InTime(t, len(payload), func() { loadErr = l.load(payload) })
		if err != nil && loadErr == nil {
			t.Fatalf("a frame that cannot be decoded was loaded: %v", err)
		} else if loadErr != nil {
			return
		}
		var all []base.Ordinal
		for _, s := range data.series {
			all = append(all, s.ordinal)
		}
		want := l.c.appendRegistrationsLocked(nil, all)
		ids, _ := l.c.appendIDs(nil, all)
		names, _ := l.c.appendNames(nil, all)
		again := loader{c: New(dict.New(), Options{})}
		for _, payload := range [][]byte{ids, names} {
			if len(payload) == 0 {
				continue
			}
			if err := again.load(payload); err != nil {
				t.Fatal(err)
			}
		}
		if got := again.c.appendRegistrationsLocked(nil, all); !sameSeries(got, want) {
			t.Fatalf("%v came back as %v", want, got)
		}
	})
}
