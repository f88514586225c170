package sydradb

import (
	"errors"
	"io/fs"
	"path/filepath"
	"reflect"
	"testing"
)

func openReadOnly(t *testing.T, dir string) *DB {
	t.Helper()
	db, err := Open(dir, &Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func selectA(t *testing.T) Selector {
	t.Helper()
	sel, err := ParseSelector("a")
	if err != nil {
		t.Fatal(err)
	}
	return sel
}

// lastOf returns the last value of the series a, and how many points it has.
func lastOf(t *testing.T, db *DB) (last float64, points int) {
	t.Helper()
	it, err := db.Query(t.Context(), Query{Selector: selectA(t), Start: MinTime, End: MaxTime})
	if err != nil {
		t.Fatal(err)
	}
	defer it.Close()
	for it.Next() {
		b := it.Block()
		last, points = b.Values[len(b.Values)-1], points+len(b.Values)
	}
	if err := it.Err(); err != nil {
		t.Fatal(err)
	}
	return last, points
}

func TestReadOnlyBesideAWriter(t *testing.T) {
	dir := t.TempDir()
	writer, err := Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer writer.Close()
	s, err := writer.Series("a", Tag{Key: "k", Value: "v"})
	if err != nil {
		t.Fatal(err)
	}
	write := func(ts int64, value float64) {
		t.Helper()
		if err := addPoint(writer, s, ts, value); err != nil {
			t.Fatal(err)
		}
	}
	write(1, 1)
	if err := writer.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	write(2, 2)
	before := readTree(t, dir)
	db := openReadOnly(t, dir)
	if last, points := lastOf(t, db); last != 2 || points != 2 {
		t.Errorf("%d points, the last is %v", points, last)
	}
	if s := db.Stats(); s.State != "readonly" || s.Series != 1 || s.SegmentFiles != 1 || s.MemtablePoints != 1 || s.WALBytes == 0 {
		t.Errorf("stats: %+v", s)
	}
	if !reflect.DeepEqual(before, readTree(t, dir)) {
		t.Error("reading changed files")
	}
	// What comes later does not show, and does not hurt.
	write(3, 3)
	if err := writer.Compact(t.Context()); err != nil {
		t.Fatal(err)
	}
	if last, points := lastOf(t, db); last != 2 || points != 2 {
		t.Errorf("later %d points, the last is %v", points, last)
	}
	if last, points := lastOf(t, openReadOnly(t, dir)); last != 3 || points != 3 {
		t.Errorf("opened again: %d points, the last is %v", points, last)
	}
	if err := db.Close(); err != nil {
		t.Error(err)
	}
}

func TestReadOnlyRefusesToWrite(t *testing.T) {
	dir := t.TempDir()
	db, err := Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	known, err := db.Series("a")
	if err != nil {
		t.Fatal(err)
	}
	if err := addPoint(db, known, 1, 1); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	before := readTree(t, dir)
	db = openReadOnly(t, dir)
	if known, err = db.Series("a"); err != nil {
		t.Fatal(err)
	}
	if byID, err := db.SeriesByID(known.ID()); err != nil || byID.Name() != "a" {
		t.Errorf("%v, %v", byID, err)
	}
	_, errSeries := db.Series("new")
	_, errID := db.SeriesByID(4711)
	_, errDelete := db.Delete(t.Context(), selectA(t), MinTime, MaxTime)
	for what, err := range map[string]error{
		"Write":      addPoint(db, known, 2, 2),
		"Series":     errSeries,
		"SeriesByID": errID,
		"Flush":      db.Flush(t.Context()),
		"Delete":     errDelete,
		"Compact":    db.Compact(t.Context()),
		"Retain":     db.Retain(t.Context(), true),
		"Snapshot":   db.Snapshot(t.Context(), filepath.Join(t.TempDir(), "new")),
	} {
		if !errors.Is(err, ErrReadOnly) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := db.Close(); err != nil {
		t.Error(err)
	}
	if _, err := db.Series("a"); !errors.Is(err, ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	if !reflect.DeepEqual(before, readTree(t, dir)) {
		t.Error("files were changed")
	}
}

func TestReadOnlyMakesNothing(t *testing.T) {
	dir := t.TempDir()
	for name, c := range map[string]struct {
		dir  string
		want error
	}{
		"missing": {filepath.Join(dir, "missing", "too"), fs.ErrNotExist},
		"empty":   {dir, ErrNotDatabase},
	} {
		if _, err := Open(c.dir, &Options{ReadOnly: true}); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if made := namesIn(t, dir); len(made) > 0 {
		t.Errorf("made %q", made)
	}
	if _, err := Open("", &Options{ReadOnly: true, InMemory: true}); err == nil {
		t.Error("in memory and for reading only")
	}
}
