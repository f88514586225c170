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
		{"log", FileWAL, slices.Concat(hexFile("internal/wal/testdata/header.golden"), hexFile("internal/wal/testdata/batch.golden"), laterBatch(), hexFile("internal/wal/testdata/mark.golden"))},
		{"log of version 0", FileWAL, small["wal/999999999999.wal"]},
		{"SYSEG1", FileSegment, hexFile("internal/segment/testdata/syseg1.golden")},
		{"SYSEG2", FileSegment, hexFile("internal/segment/testdata/syseg2.golden")},
		{"MANIFEST", FileManifest, textFile(t, "internal/manifest/testdata/manifest.golden")},
		{"MANIFEST of version 0", FileManifest, small["MANIFEST"]},
		{"CATALOG", FileCatalog, hexFile("internal/catalog/testdata/catalog.golden")},
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

// What a sound database holds can be shown, and damage anywhere ends the sequence with
// its place.
func TestInspectEndsAtDamage(t *testing.T) {
	dir := t.TempDir()
	db, err := Open(dir, nil)
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
	if err := errors.Join(db.Write(t.Context(), b), db.Flush(t.Context()), db.Write(t.Context(), b), db.Close()); err != nil {
		t.Fatal(err)
	}
	segments, err := filepath.Glob(filepath.Join(dir, "segments", "*", "*.seg"))
	if err != nil || len(segments) != 1 {
		t.Fatalf("segments %q, error %v", segments, err)
	}
	for path, kind := range map[string]FileKind{
		segments[0]:                           FileSegment,
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
	if _, err := dump("object", path); err == nil || !strings.Contains(err.Error(), `"object" is no kind of file`) {
		t.Errorf("unknown kind: %v", err)
	}
	for _, kind := range []FileKind{FileWAL, FileSegment, FileManifest, FileCatalog} {
		if _, err := dump(kind, path+".missing"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v", kind, err)
		}
	}
}

func FuzzInspect(f *testing.F) {
	kinds := []FileKind{FileWAL, FileSegment, FileManifest, FileCatalog}
	f.Add(uint8(0), laterBatch())
	f.Add(uint8(1), golden.ReadHex(f, "internal/segment/testdata/syseg1.golden"))
	f.Add(uint8(2), textFile(f, "internal/manifest/testdata/manifest.golden"))
	f.Add(uint8(3), golden.ReadHex(f, "internal/catalog/testdata/catalog.golden"))
	path := filepath.Join(f.TempDir(), "file")
	f.Fuzz(func(t *testing.T, kind uint8, data []byte) {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		text, err := dump(kinds[int(kind)%len(kinds)], path)
		var damage *CorruptionError
		if errors.As(err, &damage) && damage.File != path {
			t.Errorf("after %q: error %v", text, err)
		}
	})
}
