package sydradb

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sydradb/sydradb/internal/catalog"
	"github.com/sydradb/sydradb/internal/frame"
	"github.com/sydradb/sydradb/internal/golden"
)

const (
	v0Room = SeriesID(0x9a3fd17c02be45e1)
	v0Hour = int64(1694300400)
)

// writeTree makes a directory with these files.
func writeTree(t *testing.T, files map[string][]byte) string {
	t.Helper()
	dir := t.TempDir()
	for name, data := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, data, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// v0Small is a directory of version 0, see internal/v0.
func v0Small(t *testing.T) map[string][]byte { return golden.Tree(t, "internal/v0/testdata/small") }

// v0Put is a log record of version 0.
func v0Put(id SeriesID, ts int64, value float64) []byte {
	b := binary.LittleEndian.AppendUint64([]byte{1}, uint64(id))
	b = binary.LittleEndian.AppendUint64(b, uint64(ts))
	b = binary.LittleEndian.AppendUint64(b, math.Float64bits(value))
	return frame.End(append(frame.Begin(nil), b...), 0)
}

// allPoints returns the bits of all values by series and time.
func allPoints(t *testing.T, dir string) map[SeriesID]map[int64]uint64 {
	t.Helper()
	db, err := Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	it, err := db.Query(t.Context(), Query{Start: MinTime, End: MaxTime})
	if err != nil {
		t.Fatal(err)
	}
	defer it.Close()
	got := make(map[SeriesID]map[int64]uint64)
	for it.Next() {
		b := it.Block()
		if got[b.Series.ID()] == nil {
			got[b.Series.ID()] = make(map[int64]uint64)
		}
		for i, ts := range b.Times {
			got[b.Series.ID()][ts] = math.Float64bits(b.Values[i])
		}
	}
	if err := it.Err(); err != nil {
		t.Fatal(err)
	}
	return got
}

func TestImportV0BringsEveryPointExactly(t *testing.T) {
	files := v0Small(t)
	src, dst := writeTree(t, files), filepath.Join(t.TempDir(), "new")
	stats, err := ImportV0(t.Context(), src, dst, ImportOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if stats.Series != 3 || stats.Segments != 3 || stats.LogRecords != 7 || stats.Points != 19 {
		t.Errorf("stats %+v", stats)
	}
	if n := stats.Notes; len(n) != 2 || !strings.Contains(n[0], "__name__=x") || !strings.Contains(n[1], "wal/current.wal ends in 15 bytes, from offset 99 on") {
		t.Errorf("notes %q", n)
	}
	want := map[SeriesID]map[int64]float64{
		v0Room: {v0Hour: 24.2, v0Hour + 10: -2.5, v0Hour + 20: 25, v0Hour + 33: 0,
			v0Hour + 40: math.Float64frombits(0x7ff0000000000002), v0Hour + 3599: math.Float64frombits(0x7ff0000000000002), v0Hour + 3600: 26.5},
		1:              {-3600: 1, -60: 4.5, -1: math.Inf(-1)},
		math.MaxUint64: {v0Hour + 3601: math.Inf(1)},
	}
	got := allPoints(t, dst)
	for id, points := range want {
		for ts, v := range points {
			if bits, found := got[id][ts*1e9]; !found || bits != math.Float64bits(v) {
				t.Errorf("series %d at %d: %016x (found: %v), want %v", id, ts, bits, found, v)
			}
		}
		if len(got[id]) != len(points) {
			t.Errorf("series %d has %d points, want %d", id, len(got[id]), len(points))
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d series, want %d", len(got), len(want))
	}
	if report, err := Check(t.Context(), dst); err != nil || len(report.Findings) > 0 {
		t.Errorf("check: %+v, %v", report, err)
	}
	if !maps.EqualFunc(readTree(t, src), files, bytes.Equal) {
		t.Error("the source has changed")
	}
	if names := namesIn(t, filepath.Dir(dst)); !slices.Equal(names, []string{"new"}) {
		t.Errorf("beside the new directory there are %q", names)
	}
}

// readTree is the inverse of writeTree.
func readTree(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	files := make(map[string][]byte)
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err == nil {
			files[filepath.ToSlash(rel)], err = os.ReadFile(path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func namesIn(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestImportV0BringsTags(t *testing.T) {
	dst := filepath.Join(t.TempDir(), "new")
	if _, err := ImportV0(t.Context(), writeTree(t, v0Small(t)), dst, ImportOptions{}); err != nil {
		t.Fatal(err)
	}
	db, err := Open(dst, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	sel, err := ParseSelector(`{room="küche \"1\"",host!="pi-2"}`)
	if err != nil {
		t.Fatal(err)
	}
	found, err := db.Find(t.Context(), sel, MinTime, MaxTime)
	if err != nil || len(found) != 1 {
		t.Fatalf("found %v, error %v", found, err)
	}
	s := found[0]
	if s.ID() != v0Room || s.Name() != "series:9a3fd17c02be45e1" || !slices.Equal(s.Tags(), []Tag{{Key: "host", Value: "pi-1"}, {Key: "room", Value: `küche "1"`}}) {
		t.Errorf("found %v, id %d", s, s.ID())
	}
}

// A series of version 0 goes on under its name as soon as somebody writes to that.
func TestImportedSeriesTakesItsName(t *testing.T) {
	id := catalog.KeyID([]byte(`room.temp|{"room":"hall"}`))
	src := writeTree(t, map[string][]byte{
		"wal/current.wal": v0Put(id, 10, 1.5),
		"tags.json":       fmt.Appendf(nil, `{"room=hall":[%d]}`, id),
	})
	dst := filepath.Join(t.TempDir(), "new")
	if _, err := ImportV0(t.Context(), src, dst, ImportOptions{}); err != nil {
		t.Fatal(err)
	}
	db, err := Open(dst, nil)
	if err != nil {
		t.Fatal(err)
	}
	s, err := db.Series("room.temp", Tag{Key: "room", Value: "hall"})
	if err != nil || s.ID() != id {
		t.Fatalf("series %v, error %v", s, err)
	}
	b := db.NewBatch()
	b.Add(s, 20e9, 2.5)
	if err := errors.Join(db.Write(t.Context(), b), db.Close()); err != nil {
		t.Fatal(err)
	}
	want := map[SeriesID]map[int64]uint64{id: {10e9: math.Float64bits(1.5), 20e9: math.Float64bits(2.5)}}
	if got := allPoints(t, dst); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestImportV0ReadsOtherUnits(t *testing.T) {
	src := writeTree(t, map[string][]byte{"wal/current.wal": v0Put(7, -3, 1)})
	for _, unit := range []time.Duration{time.Nanosecond, time.Millisecond, time.Minute} {
		dst := filepath.Join(t.TempDir(), "new")
		if _, err := ImportV0(t.Context(), src, dst, ImportOptions{Unit: unit}); err != nil {
			t.Fatal(err)
		}
		if _, found := allPoints(t, dst)[7][-3*int64(unit)]; !found {
			t.Errorf("unit %v: the point is not there", unit)
		}
	}
}

func TestImportV0RefusesTimesThatDoNotFit(t *testing.T) {
	for _, ts := range []int64{MaxTime/1e9 + 1, MinTime/1e9 - 1, math.MaxInt64, math.MinInt64, math.MaxInt64/1_000_000_000 + 7} {
		src := writeTree(t, map[string][]byte{"wal/current.wal": v0Put(77, ts, 1)})
		dst := filepath.Join(t.TempDir(), "new")
		_, err := ImportV0(t.Context(), src, dst, ImportOptions{})
		if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("series 77 has a point at %d times 1s", ts)) {
			t.Errorf("error %v", err)
		}
	}
	for _, ts := range []int64{MaxTime / 1e9, MinTime / 1e9} {
		src := writeTree(t, map[string][]byte{"wal/current.wal": v0Put(77, ts, 1)})
		if _, err := ImportV0(t.Context(), src, filepath.Join(t.TempDir(), "new"), ImportOptions{}); err != nil {
			t.Error(err)
		}
	}
}

// Whatever goes wrong, no half database is left, and nothing of anybody's is removed.
func TestImportV0LeavesNothingHalf(t *testing.T) {
	damaged := v0Small(t)
	damaged["wal/999999999999.wal"][20] ^= 1
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	small, bad := writeTree(t, v0Small(t)), writeTree(t, damaged)
	tests := []struct {
		name  string
		ctx   context.Context
		src   string
		files map[string]string // beside the new directory
		opts  ImportOptions
		want  error
		say   string
	}{
		{"damage", t.Context(), bad, nil, ImportOptions{}, ErrCorrupt, "wal/999999999999.wal: corrupt data at offset 0"},
		{"cancelled", ended, small, nil, ImportOptions{}, context.Canceled, ""},
		{"not version 0", t.Context(), t.TempDir(), nil, ImportOptions{}, ErrNotDatabase, "neither MANIFEST nor a log"},
		{"no source", t.Context(), filepath.Join(small, "missing"), nil, ImportOptions{}, fs.ErrNotExist, "missing"},
		{"target in use", t.Context(), small, map[string]string{"new/notes.txt": "x"}, ImportOptions{}, nil, "new is not empty: it holds notes.txt"},
		{"target is a file", t.Context(), small, map[string]string{"new": "x"}, ImportOptions{}, nil, "new"},
		{"somebody's directory", t.Context(), small, map[string]string{"new.tmp/notes.txt": "x"}, ImportOptions{}, nil, "new.tmp holds notes.txt"},
		{"negative unit", t.Context(), small, nil, ImportOptions{Unit: -1}, nil, "negative"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			files := make(map[string][]byte)
			for name, text := range test.files {
				files[name] = []byte(text)
			}
			dir := writeTree(t, files)
			_, err := ImportV0(test.ctx, test.src, filepath.Join(dir, "new"), test.opts)
			if err == nil || test.want != nil && !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.say) {
				t.Errorf("error %v", err)
			}
			if left := readTree(t, dir); !maps.EqualFunc(left, files, bytes.Equal) {
				t.Errorf("left: %q", slices.Sorted(maps.Keys(left)))
			}
		})
	}
}

func TestImportV0ReplacesWhatAnInterruptedOneLeft(t *testing.T) {
	src := writeTree(t, v0Small(t))
	dir := writeTree(t, map[string][]byte{
		"new.tmp/LOCK": nil, "new.tmp/MANIFEST": []byte("{"), "new.tmp/CATALOG.1": []byte("x"),
		"new.tmp/wal/current.wal": []byte("torn"), "new.tmp/segments/0/1-0-0-1.seg.tmp": nil, "new.tmp/FORMAT.tmp": nil,
	})
	dst := filepath.Join(dir, "new")
	if err := os.Mkdir(dst, 0o700); err != nil { // empty, so it may be replaced
		t.Fatal(err)
	}
	if _, err := ImportV0(t.Context(), src, dst+string(filepath.Separator), ImportOptions{}); err != nil {
		t.Fatal(err)
	}
	if names := namesIn(t, dir); !slices.Equal(names, []string{"new"}) {
		t.Errorf("there are %q", names)
	}
	if n := len(allPoints(t, dst)); n != 3 {
		t.Errorf("%d series", n)
	}
}

func TestImportV0LeavesARunningOneAlone(t *testing.T) {
	dir := t.TempDir()
	db, err := Open(filepath.Join(dir, "new.tmp"), nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = ImportV0(t.Context(), writeTree(t, v0Small(t)), filepath.Join(dir, "new"), ImportOptions{})
	if !errors.Is(err, ErrLocked) {
		t.Errorf("error %v", err)
	}
	if err := db.Close(); err != nil {
		t.Error(err)
	}
}
