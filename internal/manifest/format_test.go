package manifest

import (
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/fsys"
	"github.com/sydradb/sydradb/internal/golden"
)

func TestGoldenFile(t *testing.T) {
	golden.Check(t, "testdata/manifest.golden", seal(0, threeEdits(), nil))
	golden.Check(t, "testdata/upkeep.golden", seal(0, upkeepEdits(), nil))
}

// The encoder is written by hand; encoding/json knows the same names from the tags.
func TestEncodeMatchesJSON(t *testing.T) {
	extreme := entryN(7)
	extreme.SeriesID, extreme.StartTS, extreme.EndTS, extreme.Seq = math.MaxUint64, math.MinInt64, math.MaxInt64, maxLSN
	edits := append(threeEdits(), editN(1, []Entry{packN(2), packN(5)}, nil))
	edits[len(edits)-1].Horizon = map[string]int64{"": math.MinInt64, "b": math.MaxInt64, "a\\\"\b\f\n\r\t\x00\x1fé": 0}
	edits = append(edits, Edit{
		Number: 1 << 50, Prev: "0123abcd", Wall: -1, NextMS: math.MinInt64, FlushedLSN: maxLSN,
		Catalog: Catalog{Generation: math.MaxUint64, Bytes: math.MaxInt64},
		Add:     []Entry{extreme}, Remove: paths(1, 4), LastLSN: maxLSN,
	})
	for _, e := range edits {
		want, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		line, crc := appendLine([]byte("x"), &e)
		text := strings.TrimSuffix(string(line[1:]), "\n")
		if body := strings.TrimSuffix(string(want), "}"); text != body+crcMember+crc+`"}` {
			t.Errorf("got %s\nwant %s and the checksum", text, body)
		}
		if got, err := checkLine([]byte(text)); err != nil || got != crc {
			t.Errorf("checkLine: %q, %v; want %q", got, err, crc)
		}
		var back Edit
		if err := decodeEdit([]byte(text), &back); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(back, e) {
			t.Errorf("decoded %+v\nwant %+v", back, e)
		}
	}
}

// Delete files share a list with entries, which encoding/json cannot draw.
func TestEncodeDeletes(t *testing.T) {
	for _, entries := range [][]Entry{nil, entries(0, 2)} {
		e := editN(1, entries, nil)
		e.AddDeletes = []DeleteFile{deleteN(3), {LSN: maxLSN, Edit: maxEdit, StartTS: math.MinInt64, EndTS: math.MaxInt64, Bytes: math.MaxInt64}}
		line, _ := appendLine(nil, &e)
		var files struct{ Add []json.RawMessage }
		if err := json.Unmarshal(line, &files); err != nil || len(files.Add) != len(entries)+2 {
			t.Fatal(len(files.Add), err)
		}
		for i, d := range e.AddDeletes {
			want, err := json.Marshal(d)
			if got := files.Add[len(entries)+i]; err != nil || string(got) != string(want) {
				t.Errorf("got %s\nwant %s, %v", got, want, err)
			}
		}
		var back Edit
		err := decodeEdit(line[:len(line)-1], &back)
		if len(back.Add) == 0 {
			back.Add = nil
		}
		if err != nil || !reflect.DeepEqual(back, e) {
			t.Errorf("decoded %+v, %v\nwant %+v", back, err, e)
		}
	}
}

// Namespaces are written as every reader of JSON understands them, and read in that form
// alone.
func TestNamespaces(t *testing.T) {
	for _, namespace := range []string{"", "a", "é", "\u2028", "<&>", "/", "\x7f", "a\"\\b", "\b\f\n\r\t", "\x00\x01\x1f", strings.Repeat("x", 1<<20)} {
		text := appendText(nil, namespace)
		var got string
		if err := json.Unmarshal(text, &got); err != nil || got != namespace {
			t.Errorf("%.40q is written as %.40q: %.40q, %v", namespace, text, got, err)
		}
		p := parser{buf: text}
		if got := p.text(); p.finish() != nil || got != namespace {
			t.Errorf("%.40q is read as %.40q, %v", text, got, p.err)
		}
	}
	for _, text := range []string{
		`a"`, `"a`, `"`, ``, `"\"`, `"\x"`, `"\/"`, `"\u0041"`, `"\u0020"`, `"\u00`, `"\u001`, `"\u00g1"`, `"\u0+11"`, `"\u00+1"`,
		`"\u1001"`, `"\ud83d\ude00"`, "\"\xff\"", "\"\xc3\"", "\"\n\"", "\"\x00\"", "\"\xed\xa0\x80\"",
	} {
		p := parser{buf: []byte(text)}
		if got := p.text(); p.finish() == nil {
			t.Errorf("%q is read as %q", text, got)
		}
	}
}

func TestReadV0Golden(t *testing.T) {
	fs := fsys.NewMem()
	data := golden.ReadHex(t, "testdata/v0.hex")
	putFile(t, fs, base.ManifestFile, data)
	want := []Entry{
		{SeriesID: 1, HourBucket: 0, StartTS: 0, EndTS: 9, Count: 10, Path: "segments/0/1-0-9-5.seg"},
		{SeriesID: math.MaxUint64, HourBucket: -3600, StartTS: -1, EndTS: -1, Count: 1,
			Path: "segments/-3600/ffffffffffffffff--1--1-1700000000000.seg"},
	}
	got, err := ReadV0(fs, base.ManifestFile)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v", got, err)
	}
	s := mustRead(t, fs)
	if !s.V0 || !reflect.DeepEqual(s.Live, want) || s.Bytes != int64(len(data)) {
		t.Errorf("state %+v", s)
	}
	if _, err := Open(fs, s); err == nil {
		t.Error("a file of version 0 was opened for writing")
	}
}

func TestReadV0(t *testing.T) {
	const good = `{"series_id":1,"hour_bucket":0,"start_ts":0,"end_ts":9,"count":10,"path":"segments/0/1-0-9-5.seg"}`
	edits := string(seal(0, threeEdits(), nil))
	tests := []struct {
		name, text string
		entries    int
		offset     int64 // of the damage, -1 for none
	}{
		{"empty", "", 0, -1},
		{"one", good + "\n", 1, -1},
		{"no newline at the end", good + "\n" + good, 2, -1},
		{"white space", "{ \"series_id\" : 1 ,\t" + good[len(`{"series_id":1,`):] + "\r\n", 1, -1},
		{"other order", `{"path":"segments/0/1-0-9-5.seg","count":10,"end_ts":9,"start_ts":0,"hour_bucket":0,"series_id":1}`, 1, -1},
		{"empty line", good + "\n\n" + good + "\n", 1, int64(len(good)) + 1},
		{"cut", good + "\n" + good[:50], 1, int64(len(good)) + 1},
		{"member of an edit", strings.Replace(good, `}`, `,"seq":1}`, 1), 0, 0},
		{"unknown member", strings.Replace(good, `count`, `cuont`, 1), 0, 0},
		{"an edit among them", good + "\n" + edits, 1, int64(len(good)) + 1},
		{"path up", strings.Replace(good, `segments/0`, `segments/..`, 1), 0, 0},
		{"a pack", strings.Replace(good, `5.seg`, `5-0.pack`, 1), 0, 0},
		{"times swapped", strings.Replace(good, `"start_ts":0`, `"start_ts":10`, 1), 0, 0},
		{"no points", strings.Replace(good, `"count":10`, `"count":0`, 1), 0, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			fs := fsys.NewMem()
			putFile(t, fs, base.ManifestFile, []byte(tt.text))
			got, err := ReadV0(fs, base.ManifestFile)
			if len(got) != tt.entries {
				t.Errorf("%d entries, want %d", len(got), tt.entries)
			}
			wantDamage(t, err, tt.offset)
			if errors.Is(err, ErrNewer) {
				t.Errorf("%v: version 0 has no newer version", err)
			}
		})
	}
	fs := fsys.NewMem()
	putFile(t, fs, base.ManifestFile, []byte(edits))
	if _, err := ReadV0(fs, base.ManifestFile); err == nil || errors.Is(err, base.ErrCorrupt) {
		t.Errorf("edits read as version 0: %v", err)
	}
}

// wantDamage checks that err reports damage at offset, or is nil for -1.
func wantDamage(t *testing.T, err error, offset int64) {
	t.Helper()
	if offset < 0 {
		if err != nil {
			t.Errorf("error %v", err)
		}
		return
	}
	var c *base.CorruptionError
	if !errors.As(err, &c) || c.Offset != offset || c.File != base.ManifestFile {
		t.Errorf("error %v, want damage at offset %d", err, offset)
	}
}

func TestDecodeEditRefuses(t *testing.T) {
	const good = `{"edit":1,"prev":"","wall":2,"next_ms":3,"flushed_lsn":4,"catalog":{"generation":5,"bytes":6},"add":[],"remove":["a","b"],"last_lsn":7,"crc32":"00000000"}`
	const entry = `{"series_id":1,"hour_bucket":0,"start_ts":0,"end_ts":9,"count":10,"path":"","seq":3,"edit":1,"wall":1,"bytes":1,"blake3":""}`
	var e Edit
	whole := strings.Replace(good, `"add":[]`, `"horizon":{"":-1},"add":[`+entry+`]`, 1)
	if err := decodeEdit([]byte(whole), &e); err != nil || len(e.Add) != 1 || len(e.Horizon) != 1 {
		t.Fatalf("%+v, %v", e, err)
	}
	if err := decodeEdit([]byte(good), &e); err != nil || len(e.Remove) != 2 {
		t.Fatalf("%+v, %v", e, err)
	}
	tests := []struct{ name, old, new string }{
		{"member twice", `"wall":2`, `"wall":2,"wall":2`},
		{"member missing", `"wall":2,`, ``},
		{"catalog half", `"generation":5,`, ``},
		{"trailing comma in an object", `"wall":2,`, `"wall":2,,`},
		{"trailing comma in a list", `"b"]`, `"b",]`},
		{"list not closed", `"b"]`, `"b"`},
		{"leading comma", `{"edit"`, `{,"edit"`},
		{"float", `"wall":2`, `"wall":2.0`},
		{"exponent", `"wall":2`, `"wall":2e3`},
		{"leading zero", `"wall":2`, `"wall":02`},
		{"plus", `"wall":2`, `"wall":+2`},
		{"minus zero", `"wall":2`, `"wall":-0`},
		{"minus alone", `"wall":2`, `"wall":-`},
		{"no number", `"wall":2`, `"wall":`},
		{"too large", `"wall":2`, `"wall":9223372036854775808`},
		{"much too large", `"wall":2`, `"wall":99999999999999999999999`},
		{"too small", `"wall":2`, `"wall":-9223372036854775809`},
		{"negative unsigned", `"flushed_lsn":4`, `"flushed_lsn":-4`},
		{"LSN out of range", `"flushed_lsn":4`, `"flushed_lsn":72057594037927936`},
		{"string for a number", `"wall":2`, `"wall":"2"`},
		{"number for a string", `"prev":""`, `"prev":0`},
		{"null", `"wall":2`, `"wall":null`},
		{"zero byte", `"wall":2`, "\"wall\":\x002"},
		{"text after the end", `"00000000"}`, `"00000000"} x`},
		{"no end", `"00000000"}`, `"00000000"`},
		{"open string", `"00000000"}`, `"00000000`},
		{"not an object", good, `[]`},
		{"nothing", good, ``},
		{"entry without seq", `"add":[]`, `"add":[` + strings.Replace(entry, `"seq":3,`, ``, 1) + `]`},
		{"entry with an LSN", `"add":[]`, `"add":[` + strings.Replace(entry, `"seq"`, `"lsn":1,"seq"`, 1) + `]`},
		{"pack without footer", `"add":[]`, `"add":[` + strings.Replace(entry, `"seq"`, `"segments":1,"seq"`, 1) + `]`},
		{"pack without segments", `"add":[]`, `"add":[` + strings.Replace(entry, `"seq"`, `"footer_crc":"00000000","seq"`, 1) + `]`},
		{"pack of no series", `"add":[]`, `"add":[` + strings.Replace(entry, `"seq"`, `"segments":0,"footer_crc":"00000000","seq"`, 1) + `]`},
		{"applied twice", `"add":[]`, `"add":[` + strings.Replace(entry, `"seq"`, `"applied":3,"applied":3,"seq"`, 1) + `]`},
		{"delete file without times", `"add":[]`, `"add":[{"path":"","lsn":1,"edit":1,"bytes":1,"blake3":""}]`},
		{"horizon is a list", `"add":[]`, `"horizon":[]`},
		{"horizon twice", `"add":[]`, `"horizon":{"a":1},"horizon":{}`},
		{"namespace twice", `"add":[]`, `"horizon":{"a":1,"b":1,"a":1}`},
		{"namespace twice, escaped", `"add":[]`, `"horizon":{"\u0009":1,"\t":1}`},
		{"horizon is a string", `"add":[]`, `"horizon":{"a":"1"}`},
		{"horizon missing", `"add":[]`, `"horizon":{"a"}`},
		{"trailing comma in horizon", `"add":[]`, `"horizon":{"a":1,}`},
	}
	for _, tt := range tests {
		text := strings.Replace(good, tt.old, tt.new, 1)
		if text == good {
			t.Fatalf("%s: changes nothing", tt.name)
		}
		if err := decodeEdit([]byte(text), &e); err == nil || errors.Is(err, errUnknown) {
			t.Errorf("%s: %q read as %+v, error %v", tt.name, text, e, err)
		}
	}
	for _, text := range []string{
		strings.Replace(good, `"last_lsn"`, `"retire":[],"last_lsn"`, 1),
		strings.Replace(good, `"bytes":6`, `"bytes":6,"footer":1`, 1),
		strings.Replace(good, `"add":[]`, `"add":[{"series_id":1,"left":2}]`, 1),
		strings.Replace(good, `"add":[]`, `"add":[{"lsn":1,"left":2}]`, 1),
	} {
		if err := decodeEdit([]byte(text), &e); !errors.Is(err, errUnknown) {
			t.Errorf("%q: error %v, want that of an unknown member", text, err)
		}
	}
}

func TestValidPath(t *testing.T) {
	good := []string{"segments/0/1-0-9-5.seg", "segments/0/0-9-5-0.pack", "segments/-86400/-1--1-5-0.pack", "segments/-3600/ff--1--1-5.seg", "segments/123456789012/a.seg"}
	bad := []string{
		"", "segments", "segments/", "segments/0", "segments/0/", "segments/0/.seg", "segments/0/.pack", "segments//a.seg", "segments/0/../a.pack", "segments/0/a.seg.pack",
		"segments/-/a.seg", "segments/--1/a.seg", "segments/1234567890123/a.seg", "segments/0/a.packs",
		"segments/0/../a.seg", "segments/../a.seg", "/segments/0/a.seg", "segments/0/a.seg.tmp",
		"segments/0/A.seg", "segments/0/b/a.seg", "segments/0/a\x00.seg", "segments/0x/a.seg",
		"deletes/0/a.seg", "segments\\0\\a.seg", "segments/0/" + strings.Repeat("a", 129) + ".seg",
	}
	for _, p := range good {
		if !validPath(p) {
			t.Errorf("%q is refused", p)
		}
	}
	for _, p := range bad {
		if validPath(p) {
			t.Errorf("%q passes", p)
		}
	}
}

// TestCatalogChecksum writes lines with the checksum of the catalog, which those of before
// lack, and with one that none can be.
func TestCatalogChecksum(t *testing.T) {
	for crc, ok := range map[string]bool{"": true, "00000000": true, "5a0f21c7": true, "5A0F21C7": false, "5a0f21c": false} {
		fs := fsys.NewMem()
		log, err := Create(fs, Edit{Catalog: Catalog{Generation: 1, Bytes: 7, CRC: crc}})
		if !ok {
			if err == nil {
				t.Errorf("crc %q was taken", crc)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := log.Close(); err != nil {
			t.Fatal(err)
		}
		if s, _, err := Read(fs, base.ManifestFile); err != nil || s.Catalog.CRC != crc {
			t.Errorf("crc %q came back as %q, %v", crc, s.Catalog.CRC, err)
		}
	}
}
