package sydradb

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/golden"
	"github.com/sydradb/sydradb/internal/wal"
)

// dump renders what Inspect yields, one record a line.
func dump(kind FileKind, path string) (text string, err error) {
	var b strings.Builder
	for rec, err := range Inspect(kind, path) {
		if err != nil {
			return b.String(), err
		}
		fmt.Fprintf(&b, "%d %s", rec.Offset, rec.Kind)
		for _, f := range rec.Fields {
			switch v := f.Value.(type) {
			case string, []Tag:
				fmt.Fprintf(&b, " %s=%q", f.Name, v)
			case int64, uint64, float64:
				fmt.Fprintf(&b, " %s=%v", f.Name, v)
			default:
				return "", fmt.Errorf("%s is a %T", f.Name, v)
			}
		}
		b.WriteByte('\n')
	}
	return b.String(), nil
}

// fileWith returns the path of a new file.
func fileWith(t *testing.T, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func textFile(t testing.TB, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.FromSlash(path))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// The files that pin the formats, as people see them.
func TestInspectShowsEveryKindOfFile(t *testing.T) {
	hexFile := func(path string) []byte { return golden.ReadHex(t, filepath.FromSlash(path)) }
	small := v0Small(t)
	tests := []struct {
		name string
		kind FileKind
		data []byte
	}{
		{"log", FileWAL, slices.Concat(hexFile("internal/wal/testdata/header.golden"), hexFile("internal/wal/testdata/batch.golden"), laterBatch(), hexFile("internal/wal/testdata/delete.golden"), deletion(), hexFile("internal/wal/testdata/mark.golden"))},
		{"log of version 0", FileWAL, small["wal/999999999999.wal"]},
		{"SYSEG1", FileSegment, hexFile("internal/segment/testdata/syseg1.golden")},
		{"SYSEG2", FileSegment, hexFile("internal/segment/testdata/syseg2.golden")},
		{"pack", FilePack, hexFile("internal/segment/testdata/pack.golden")},
		{"MANIFEST", FileManifest, textFile(t, "internal/manifest/testdata/manifest.golden")},
		{"MANIFEST with packs, deletions and horizons", FileManifest, textFile(t, "internal/manifest/testdata/upkeep.golden")},
		{"MANIFEST of version 0", FileManifest, small["MANIFEST"]},
		{"CATALOG", FileCatalog, hexFile("internal/catalog/testdata/catalog.golden")},
		{"delete file", FileDelete, hexFile("internal/tombstone/testdata/delete.golden")},
		{"object", FileObject, hexFile("internal/objectstore/testdata/object.golden")},
	}
	var all strings.Builder
	for _, test := range tests {
		text, err := dump(test.kind, fileWith(t, test.data))
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
		}
		fmt.Fprintf(&all, "# %s\n%s\n", test.name, text)
	}
	golden.Check(t, filepath.Join("testdata", "inspect.golden"), []byte(all.String()))
}

// laterBatch is a record whose rows are of a series that another record introduced, of
// one that none did, and of one without a name.
func laterBatch() []byte {
	f := wal.AppendBatch(nil, []base.Registration{{Ordinal: 9, ID: 0xff}}, []base.Row{
		{Ordinal: 0, TS: 7, Value: 1}, {Ordinal: 8, TS: 8, Value: 2}, {Ordinal: 9, TS: 9, Value: 3},
	})
	wal.Seal(f, 100, 99)
	return f
}

// deletion is a record about series that the log has introduced, and one that it has not.
func deletion() []byte {
	f := wal.AppendDelete(nil, -5, 5, []base.SeriesID{2, 0xff, 0x100})
	wal.Seal(f, 101, 99)
	return f
}

// What a sound database holds can be shown, and damage anywhere ends the sequence with
// its place.
func TestInspectEndsAtDamage(t *testing.T) {
	dir := t.TempDir()
	for _, files := range []int{NeverPack, AlwaysPack} {
		db, err := Open(dir, &Options{MaxSegmentFiles: files, MergeOff: true})
		if err != nil {
			t.Fatal(err)
		}
		s, err := db.Series("room.temp", Tag{Key: "room", Value: "hall"})
		if err != nil {
			t.Fatal(err)
		}
		b := db.NewBatch()
		for i := range int64(10) {
			b.Add(s, i*1e9, float64(i))
		}
		if err := db.Write(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		_, err = db.Delete(t.Context(), Selector{}, 5, 1e9)
		if err := errors.Join(err, db.Flush(t.Context()), db.Write(t.Context(), b), db.Close()); err != nil {
			t.Fatal(err)
		}
	}
	found := func(pattern string) string {
		files, err := filepath.Glob(filepath.Join(dir, filepath.FromSlash(pattern)))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: files %q, error %v", pattern, files, err)
		}
		return files[0]
	}
	for path, kind := range map[string]FileKind{
		found("segments/*/*.seg"):             FileSegment,
		found("segments/*/*.pack"):            FilePack,
		found("deletes/*.del"):                FileDelete,
		filepath.Join(dir, "MANIFEST"):        FileManifest,
		filepath.Join(dir, "CATALOG.1"):       FileCatalog,
		filepath.Join(dir, "wal/current.wal"): FileWAL,
	} {
		whole, err := dump(kind, path)
		if err != nil || whole == "" {
			t.Errorf("%s: %q, error %v", path, whole, err)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		cut := fileWith(t, data[:len(data)-1])
		text, err := dump(kind, cut)
		var damage *CorruptionError
		if !errors.As(err, &damage) || damage.File != cut || strings.Count(text, "\n") >= strings.Count(whole, "\n") {
			t.Errorf("%s, cut: %q, error %v", path, text, err)
		}
	}
}

var fileKinds = []FileKind{FileWAL, FileSegment, FileManifest, FileCatalog, FilePack, FileDelete, FileObject}

// Files that say of themselves what they hold end in an error wherever a byte is wrong.
func TestInspectOfChangedBytes(t *testing.T) {
	for kind, name := range map[FileKind]string{
		FilePack: "internal/segment/testdata/pack.golden", FileDelete: "internal/tombstone/testdata/delete.golden",
		FileObject: "internal/objectstore/testdata/object.golden",
	} {
		data := golden.ReadHex(t, filepath.FromSlash(name))
		path := fileWith(t, data)
		if kind == FileObject { // which only its name vouches for
			path = filepath.Join(filepath.Dir(path), "a0d243e83dc3a401c410e9142a0e0d0d371fb6d0b69fcaf7805f197015d0a404")
		}
		for at := range data {
			changed := slices.Clone(data)
			changed[at] ^= 4
			if err := os.WriteFile(path, changed, 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := dump(kind, path)
			var damage *CorruptionError
			if !errors.As(err, &damage) || damage.File != path {
				t.Errorf("%s with byte %d changed: error %v", kind, at, err)
			}
		}
	}
}

func TestExportSegment(t *testing.T) {
	data := golden.ReadHex(t, filepath.FromSlash("internal/segment/testdata/pack.golden"))
	path := fileWith(t, data)
	const id, hour = SeriesID(8738), int64(1694300400e9)
	for _, ts := range []int64{hour, hour + 1, hour + base.Hour - 1} {
		exported, err := ExportSegment(path, id, ts)
		if err != nil {
			t.Fatal(err)
		}
		text, err := dump(FileSegment, fileWith(t, exported))
		if want := "0 header version=2 id=8738 hour=1694300400000000000 count=64 start_ts=1694300400000000001 "; err != nil || !strings.HasPrefix(text, want) || strings.Count(text, "\n") != 65 {
			t.Errorf("exported %s, %v", text, err)
		}
	}
	for _, tt := range []struct {
		id SeriesID
		ts int64
	}{{id, hour - 1}, {id, hour + base.Hour}, {id + 1, hour}, {id, MinTime}, {id, MaxTime}} {
		if _, err := ExportSegment(path, tt.id, tt.ts); !errors.Is(err, ErrNotInPack) {
			t.Errorf("series %d at %d: error %v", tt.id, tt.ts, err)
		}
	}
	if _, err := ExportSegment(path+".missing", id, hour); !errors.Is(err, fs.ErrNotExist) || errors.Is(err, ErrCorrupt) {
		t.Errorf("a file that is not there: %v", err)
	}
	cut := fileWith(t, data[:len(data)-1])
	var damage *CorruptionError
	if _, err := ExportSegment(cut, id, hour); !errors.As(err, &damage) || damage.File != cut {
		t.Errorf("a file that was cut: %v", err)
	}
}

func TestInspectStopsWhenAsked(t *testing.T) {
	path := fileWith(t, v0Small(t)["wal/999999999999.wal"])
	n := 0
	for _, err := range Inspect(FileWAL, path) {
		if n++; err != nil {
			t.Error(err)
		}
		break
	}
	if n != 1 {
		t.Errorf("%d records", n)
	}
}

func TestInspectReportsOtherErrors(t *testing.T) {
	path := fileWith(t, nil)
	if _, err := dump("odd", path); err == nil || !strings.Contains(err.Error(), `"odd" is no kind of file`) {
		t.Errorf("unknown kind: %v", err)
	}
	for _, kind := range fileKinds {
		if _, err := dump(kind, path+".missing"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v", kind, err)
		}
	}
}

func FuzzInspect(f *testing.F) {
	f.Add(uint8(0), laterBatch())
	f.Add(uint8(1), golden.ReadHex(f, "internal/segment/testdata/syseg1.golden"))
	f.Add(uint8(2), textFile(f, "internal/manifest/testdata/manifest.golden"))
	f.Add(uint8(3), golden.ReadHex(f, "internal/catalog/testdata/catalog.golden"))
	f.Add(uint8(4), golden.ReadHex(f, "internal/segment/testdata/pack.golden"))
	f.Add(uint8(5), golden.ReadHex(f, "internal/tombstone/testdata/delete.golden"))
	f.Add(uint8(6), golden.ReadHex(f, "internal/objectstore/testdata/object.golden"))
	f.Add(uint8(0), deletion())
	path := filepath.Join(f.TempDir(), "file")
	f.Fuzz(func(t *testing.T, kind uint8, data []byte) {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		text, err := dump(fileKinds[int(kind)%len(fileKinds)], path)
		var damage *CorruptionError
		if errors.As(err, &damage) && damage.File != path {
			t.Errorf("after %q: error %v", text, err)
		}
	})
}
