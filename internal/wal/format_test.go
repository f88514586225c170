package wal

import (
	"bytes"
	"encoding/binary"
	"math"
	"strings"
	"testing"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/frame"
	"github.com/sydradb/sydradb/internal/fsys"
	"github.com/sydradb/sydradb/internal/golden"
)

// notes cuts bytes into golden fields: each step is a length and what stands there.
type step struct {
	n    int
	note string
}

func fields(t *testing.T, data []byte, steps ...step) []byte {
	t.Helper()
	var out []golden.Field
	for _, s := range steps {
		out = append(out, golden.Field{Bytes: data[:s.n], Note: s.note})
		data = data[s.n:]
	}
	if len(data) != 0 {
		t.Fatalf("%d bytes without a note", len(data))
	}
	return golden.Hex(out...)
}

func recordSteps(size string, kind string, lsn, durable string) []step {
	return []step{{4, "len = " + size}, {1, "type " + kind}, {8, "lsn " + lsn}, {8, "durable " + durable}}
}

func TestGoldenHeaderAndMark(t *testing.T) {
	header := appendHeader(nil, testUUID)
	Seal(header, 1, 0)
	golden.Check(t, "testdata/header.golden", fields(t, header,
		append(recordSteps("33", "4, Header", "1", "0"), step{16, "uuid of the database"}, step{4, "crc32"})...))

	mark := appendMark(nil)
	Seal(mark, 0x1234, 0x1233)
	golden.Check(t, "testdata/mark.golden", fields(t, mark,
		append(recordSteps("17", "5, Mark", "0x1234", "0x1233"), step{4, "crc32"})...))
}

func TestGoldenBatch(t *testing.T) {
	const now = 1_700_000_000_000_000_000
	regs := []base.Registration{
		{Ordinal: 0, ID: 0x1122334455667788, Name: "room.temp", Tags: []base.Tag{{Key: "host", Value: "a"}, {Key: "zone", Value: "eu"}}},
		{Ordinal: 1, ID: 2, Name: "room.temp", Tags: []base.Tag{{Key: "host", Value: "b"}, {Key: "zone", Value: "eu"}}},
		{Ordinal: 300, ID: 3},
	}
	rows := []base.Row{
		{TS: now, Value: 1, Ordinal: 0},
		{TS: now, Value: 0.1, Ordinal: 1},
		{TS: now, Value: 0, Ordinal: 300},
		{TS: now + 10_000_000_000, Value: -2.5, Ordinal: 0},
		{TS: now + 10_000_000_000, Value: math.Copysign(0, -1), Ordinal: 1},
		{TS: now - 1, Value: math.Float64frombits(0x7ff0000000000002), Ordinal: 1},
		{TS: now, Value: math.Inf(1), Ordinal: 2},
	}
	f := AppendBatch(nil, regs, rows)
	Seal(f, 2, 1)
	steps := append(recordSteps("145", "2, Batch", "2", "1"),
		step{1, "3 pairs"},
		step{7, `pair 0: "host" = "a"`}, step{8, `pair 1: "zone" = "eu"`}, step{7, `pair 2: "host" = "b"`},
		step{1, "3 series"},
		step{1, "ordinal 0"}, step{8, "id"}, step{10, `name "room.temp"`}, step{3, "2 tags: pairs 0, 1"},
		step{1, "ordinal 1"}, step{8, "id"}, step{10, `name "room.temp"`}, step{3, "2 tags: pairs 2, 1"},
		step{2, "ordinal 300"}, step{8, "id"}, step{1, "no name"}, step{1, "no tags"},
		step{1, "7 rows"}, step{8, "base time 1700000000 s"},
		step{3, "ordinal 0, base time, 1"},
		step{9, "ordinal 1, same time, 0.1"},
		step{3, "step 299: ordinal 300, same time, 0"},
		step{8, "step -300: ordinal 0, base + 10000 ms, -2.5"},
		step{2, "ordinal 1, same time, -0"},
		step{11, "step 0: ordinal 1, base - 1 ns, a NaN with payload"},
		step{3, "ordinal 2, base time, +Inf"},
		step{4, "crc32"})
	golden.Check(t, "testdata/batch.golden", fields(t, f, steps...))

	gotRegs, gotRows, err := decode(golden.ReadHex(t, "testdata/batch.golden"))
	must(t, err)
	for i := range max(len(rows), len(gotRows)) {
		if !sameRow(gotRows[i], rows[i]) {
			t.Errorf("row %d: %v, want %v", i, gotRows[i], rows[i])
		}
	}
	for i := range max(len(regs), len(gotRegs)) {
		if !sameRegistration(gotRegs[i], regs[i]) {
			t.Errorf("series %d: %v, want %v", i, gotRegs[i], regs[i])
		}
	}
}

// A record that was read becomes the frame that it was read from.
func TestAppendRecordTakesRecordsOver(t *testing.T) {
	fs := fsys.NewMem()
	f := AppendDelete(nil, -5, 7, []base.SeriesID{3, 1 << 60})
	Seal(f, 9, 8)
	file, err := fs.Create("x")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.Write(f); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	var again []byte
	if err := Scan(fs, "x", func(r Record) error {
		again = AppendRecord([]byte("before"), r)[len("before"):]
		Seal(again, r.LSN, r.Durable)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(again, f) {
		t.Errorf("frame %x, want %x", again, f)
	}
}

// TestPutIsRead reads a log of version 0, written down by hand.
func TestPutIsRead(t *testing.T) {
	fs := fsys.NewMem()
	must(t, fs.MkdirAll(base.WALDir))
	writeFile(t, fs, base.CurrentWAL, golden.ReadHex(t, "testdata/put.golden"))
	type point struct {
		id    base.SeriesID
		ts    int64
		value uint64
	}
	var got []point
	err := Scan(fs, base.CurrentWAL, func(r Record) error {
		id, ts, value, err := DecodePut(r.Body)
		got = append(got, point{id, ts, math.Float64bits(value)})
		return err
	})
	must(t, err)
	want := []point{{1, 1694300000, math.Float64bits(24.2)}, {math.MaxUint64, -1, 0x7ff8000000000001}}
	if len(got) != 2 || got[0] != want[0] || got[1] != want[1] {
		t.Fatalf("got %x, want %x", got, want)
	}
	if _, _, _, err := DecodePut(make([]byte, 23)); err == nil {
		t.Fatal("a short Put was decoded")
	}
}

func TestPutInOurLogIsDamage(t *testing.T) {
	fs := fsys.NewMem()
	must(t, mustCreate(t, fs).Close())
	log := readFile(t, fs, base.CurrentWAL)
	writeFile(t, fs, base.CurrentWAL, append(log, golden.ReadHex(t, "testdata/put.golden")...))
	_, _, _, err := reopen(fs, OpenOptions{})
	wantDamage(t, err, base.CurrentWAL, int64(len(log)))
}

// TestDecodeRefuses alters single parts of a good body.
func TestDecodeRefuses(t *testing.T) {
	uv := func(n uint64) string { return string(binary.AppendUvarint(nil, n)) }
	id := strings.Repeat("\x01", 8)
	pair := "\x01a\x01b"
	series := "\x00" + id + "\x01n"
	rows := "\x01" + id
	for name, c := range map[string]struct{ body, want string }{
		"nothing":                   {"", "varint"},
		"pairs beyond the record":   {uv(1 << 40), "count"},
		"empty key":                 {"\x01\x00\x01b\x00\x00", "string"},
		"empty value":               {"\x01\x01a\x00\x00\x00", "string"},
		"key beyond the record":     {"\x01\x7fabcd", "string"},
		"series beyond the record":  {"\x00\x05" + id, "count"},
		"ordinal above 32 bits":     {"\x00\x01" + uv(1<<32) + id + "\x00\x00\x00" + id, "ordinal"},
		"id cut off":                {"\x00\x01" + uv(math.MaxUint32) + "idiidd", "cut"},
		"more tags than pairs":      {"\x01" + pair + "\x01" + series + "\x02\x00\x00", "count"},
		"pair number too high":      {"\x01" + pair + "\x01" + series + "\x01\x01", "pair number"},
		"the same key twice":        {"\x02" + pair + pair + "\x01" + series + "\x02\x00\x01", "ascend"},
		"keys fall":                 {"\x02\x01b\x01b" + pair + "\x01" + series + "\x02\x00\x01", "ascend"},
		"rows beyond the record":    {"\x00\x00\x7f" + id, "count"},
		"no base time":              {"\x00\x00\x00", "base time"},
		"bytes behind":              {"\x00\x00\x00" + id + "\x00", "after"},
		"9 value bytes":             {"\x00\x00" + rows + "\x09" + strings.Repeat("a", 40), "control"},
		"high bit":                  {"\x00\x00" + rows + "\x80" + strings.Repeat("a", 40), "control"},
		"value cut off":             {"\x00\x00" + rows + "\x08aaaaaaa", "cut off"},
		"step cut off":              {"\x00\x00" + rows + "\x10\x82", "cut off"},
		"step too long":             {"\x00\x00" + rows + "\x10" + strings.Repeat("\xff", 40), "varint"},
		"time too long":             {"\x00\x00" + rows + "\x60" + strings.Repeat("\xff", 40), "varint"},
		"ordinal below 0":           {"\x00\x00" + rows + "\x10\x01", "ordinal"},
		"ordinal above the highest": {"\x00\x00" + rows + "\x10" + uv(2<<32+2), "ordinal"},
		"fewer rows than said":      {"\x00\x00\x09" + id + "\x00\x00", "cut off"},
	} {
		var d BatchDecoder
		err := d.Decode([]byte(c.body), func(base.Registration) error { return nil }, func([]base.Row) error { return nil })
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

func TestAppendRefusesWhatIsNoRecord(t *testing.T) {
	l := mustCreate(t, fsys.NewMem())
	good := batch(1, 1)
	for name, f := range map[string][]byte{
		"nothing":     nil,
		"no header":   frame.End(append(frame.Begin(nil), TypeBatch), 0),
		"cut off":     good[:len(good)-1],
		"two in one":  append(good[:len(good):len(good)], good...),
		"only zeroes": make([]byte, 64),
	} {
		if _, err := l.Append([][]byte{good, f}); err == nil {
			t.Errorf("%s: appended", name)
		}
	}
	if l.Last() != 1 || l.failed != nil {
		t.Fatalf("last %d, %v", l.Last(), l.failed)
	}
}
