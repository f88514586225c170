package sydradb

import (
	"context"
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// filledDB opens a database in dir with one point in files and one in the log.
func filledDB(t *testing.T, dir string, opts *Options) (*DB, map[SeriesID]map[int64]uint64) {
	t.Helper()
	db, err := Open(dir, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	s, err := db.Series("room.temp", Tag{Key: "room", Value: "hall"})
	if err != nil {
		t.Fatal(err)
	}
	want := map[SeriesID]map[int64]uint64{s.ID(): {}}
	for i := range 2 {
		if err := addPoint(db, s, int64(i), float64(i)); err != nil {
			t.Fatal(err)
		}
		want[s.ID()][int64(i)] = math.Float64bits(float64(i))
		if i == 0 {
			if err := db.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	return db, want
}

func addPoint(db *DB, s *Series, ts int64, value float64) error {
	b := db.NewBatch()
	b.Add(s, ts, value)
	return db.Write(context.Background(), b)
}

// dataFiles returns the names of the segment files and packs below dir.
func dataFiles(t *testing.T, dir string) (files []string) {
	t.Helper()
	for name := range readTree(t, filepath.Join(dir, "segments")) {
		files = append(files, filepath.Join(dir, "segments", filepath.FromSlash(name)))
	}
	return files
}

func TestSnapshotAndRestore(t *testing.T) {
	base := t.TempDir()
	data := filepath.Join(base, "data")
	for name, snapshot := range map[string]string{
		"beside":             filepath.Join(base, "snap"),
		"below missing ones": filepath.Join(base, "backups", "of", "today") + string(filepath.Separator),
		"in the directory":   filepath.Join(data, "snapshots", "20240102T030405Z-01234567"),
	} {
		t.Run(name, func(t *testing.T) {
			db, want := filledDB(t, data, nil)
			if err := db.Snapshot(t.Context(), snapshot); err != nil {
				t.Fatal(err)
			}
			s, err := db.Series("room.temp", Tag{Key: "room", Value: "hall"})
			if err == nil {
				err = addPoint(db, s, 1, 100) // is not in the snapshot
			}
			if err = errors.Join(err, db.Close()); err != nil {
				t.Fatal(err)
			}
			restored := filepath.Join(t.TempDir(), "restored")
			if err := Restore(t.Context(), snapshot, restored); err != nil {
				t.Fatal(err)
			}
			for _, dir := range []string{snapshot, restored} {
				if report, err := Check(t.Context(), dir); err != nil || len(report.Findings) > 0 {
					t.Errorf("%s: check: %+v, %v", dir, report, err)
				}
				if got := allPoints(t, dir); !reflect.DeepEqual(got, want) {
					t.Errorf("%s holds %v, want %v", dir, got, want)
				}
				if names := namesIn(t, filepath.Dir(dir)); slices.ContainsFunc(names, func(n string) bool { return strings.HasSuffix(n, ".tmp") }) {
					t.Errorf("there are %q", names)
				}
			}
			again, _ := filledDB(t, data, nil)
			if err := again.Close(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// Files of data are one file under two names, where that is possible.
func TestSnapshotSharesDataFiles(t *testing.T) {
	dir := t.TempDir()
	data, snapshot := filepath.Join(dir, "data"), filepath.Join(dir, "snap")
	db, _ := filledDB(t, data, nil)
	if err := errors.Join(db.Snapshot(t.Context(), snapshot), db.Close()); err != nil {
		t.Fatal(err)
	}
	files := dataFiles(t, snapshot)
	if len(files) != 2 {
		t.Errorf("the snapshot has the data files %q", files)
	}
	for _, file := range files {
		a, errA := os.Stat(file)
		b, errB := os.Stat(data + strings.TrimPrefix(file, snapshot))
		if err := errors.Join(errA, errB); err != nil {
			t.Fatal(err)
		}
		if !os.SameFile(a, b) {
			t.Errorf("%s was copied", file)
		}
	}
}

func TestSnapshotOfADatabaseInMemory(t *testing.T) {
	db, want := filledDB(t, "", &Options{InMemory: true})
	snapshot := filepath.Join(t.TempDir(), "snap")
	if err := db.Snapshot(t.Context(), snapshot); err != nil {
		t.Fatal(err)
	}
	if report, err := Check(t.Context(), snapshot); err != nil || len(report.Findings) > 0 {
		t.Errorf("check: %+v, %v", report, err)
	}
	if got := allPoints(t, snapshot); !reflect.DeepEqual(got, want) {
		t.Errorf("the snapshot holds %v, want %v", got, want)
	}
}

// Whatever goes wrong, no half database is left, and nothing of anybody's is removed.
func TestSnapshotLeavesNothingHalf(t *testing.T) {
	db, _ := filledDB(t, filepath.Join(t.TempDir(), "data"), nil)
	closed, _ := filledDB(t, filepath.Join(t.TempDir(), "data"), nil)
	if err := closed.Close(); err != nil {
		t.Fatal(err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	tests := []struct {
		name  string
		ctx   context.Context
		db    *DB
		files map[string][]byte // beside the new directory
		want  error
		say   string
	}{
		{"cancelled", ended, db, nil, context.Canceled, ""},
		{"closed", t.Context(), closed, nil, ErrClosed, ""},
		{"target in use", t.Context(), db, map[string][]byte{"new/notes.txt": nil}, nil, "new is not empty: it holds notes.txt"},
		{"target is a file", t.Context(), db, map[string][]byte{"new": nil}, nil, "new"},
		{"somebody's directory", t.Context(), db, map[string][]byte{"new.tmp/notes.txt": nil}, nil, "new.tmp holds notes.txt"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := writeTree(t, test.files)
			err := test.db.Snapshot(test.ctx, filepath.Join(dir, "new"))
			if err == nil || test.want != nil && !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.say) {
				t.Errorf("error %v", err)
			}
			if left := readTree(t, dir); len(left) != len(test.files) {
				t.Errorf("left: %q", left)
			}
			if names := namesIn(t, dir); len(names) != len(test.files) {
				t.Errorf("left: %q", names)
			}
		})
	}
}

func TestSnapshotLeavesARunningOneAlone(t *testing.T) {
	dir := t.TempDir()
	running, _ := filledDB(t, filepath.Join(dir, "new.tmp"), nil)
	db, _ := filledDB(t, filepath.Join(dir, "data"), nil)
	if err := db.Snapshot(t.Context(), filepath.Join(dir, "new")); !errors.Is(err, ErrLocked) {
		t.Errorf("error %v", err)
	}
	if err := running.Close(); err != nil {
		t.Error(err)
	}
}

func TestRestoreRefuses(t *testing.T) {
	damaged := filepath.Join(t.TempDir(), "damaged")
	db, _ := filledDB(t, damaged, nil)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	bad := dataFiles(t, damaged)[0]
	data, err := os.ReadFile(bad)
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)/2] ^= 1
	if err := os.WriteFile(bad, data, 0o600); err != nil {
		t.Fatal(err)
	}
	open := filepath.Join(t.TempDir(), "open")
	filledDB(t, open, nil)
	tests := []struct {
		name, src string
		want      error
		say       string
	}{
		{"damage", damaged, ErrCorrupt, "segments/0/" + filepath.Base(bad)},
		{"in use", open, ErrLocked, open},
		{"empty", t.TempDir(), ErrNotDatabase, ""},
		{"version 0", writeTree(t, v0Small(t)), ErrNotDatabase, "version 0"},
		{"missing", filepath.Join(open, "missing"), fs.ErrNotExist, "missing"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			err := Restore(t.Context(), test.src, filepath.Join(dir, "new"))
			if !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.say) {
				t.Errorf("error %v", err)
			}
			if names := namesIn(t, dir); len(names) > 0 {
				t.Errorf("left: %q", names)
			}
		})
	}
}
