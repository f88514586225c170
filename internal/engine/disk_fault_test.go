//go:build unix

package engine

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/fsys"
)

// onDisk returns a directory of the operating system as a file system.
func onDisk(t *testing.T, dir string) fsys.FS {
	t.Helper()
	fs, err := fsys.OS(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = fs.(io.Closer).Close() })
	return fs
}

// withoutDescriptors calls fn while the process may open no more files.
func withoutDescriptors(t *testing.T, fn func()) {
	t.Helper()
	var old syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &old); err != nil {
		t.Fatal(err)
	}
	few := old
	few.Cur = 200 // more would take long to use up
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &few); err != nil {
		t.Skip(err)
	}
	var taken []*os.File
	defer func() {
		for _, f := range taken {
			_ = f.Close()
		}
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &old); err != nil {
			t.Error(err)
		}
	}()
	for {
		f, err := os.Open(os.DevNull)
		if errors.Is(err, syscall.EMFILE) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		taken = append(taken, f)
	}
	fn()
}

// TestNoDescriptorsLeft lets the process run out of descriptors while a database is open. It
// goes on storing points and writing them to files; queries that need a file are told.
func TestNoDescriptorsLeft(t *testing.T) {
	fs := onDisk(t, t.TempDir())
	e := openTest(t, fs, Options{Sync: SyncAlways, MergeOff: true, CacheBytes: -1})
	s := resolve(t, e, "a")
	put(t, e, s, 0, 0)
	flush(t, e)
	withoutDescriptors(t, func() {
		if _, err := readRaw(e); !errors.Is(err, syscall.EMFILE) || errors.Is(err, base.ErrCorrupt) {
			t.Errorf("a query is answered with %v", err)
		}
		for i := range int64(3) {
			put(t, e, s, (i+1)*base.Hour, 1)
			flush(t, e)
		}
	})
	if n := countPoints(t, e, everything); n != 4 {
		t.Errorf("%d points, want 4", n)
	}
	if s := e.Stats(); s.State != "ok" || s.SegmentPoints != 4 || s.DamagedFiles != 0 {
		t.Errorf("state %s, %d points in files, %d damaged files", s.State, s.SegmentPoints, s.DamagedFiles)
	}
}

// moveOutside puts a file or directory outside of the database, and a symbolic link to it
// in its place.
func moveOutside(t *testing.T, dir, outside, name string) {
	t.Helper()
	from, to := filepath.Join(dir, name), filepath.Join(outside, filepath.Base(name))
	if err := errors.Join(os.Rename(from, to), os.Symlink(to, from)); err != nil {
		t.Fatal(err)
	}
}

// TestPlantedLinks puts symbolic links in the place of what a database is made of. None is
// followed out of the directory, even where all would be well: an opening, or a query, says
// why not, and what they lead to stays as it is.
func TestPlantedLinks(t *testing.T) {
	for _, name := range []string{
		base.LockFile, base.FormatFile, base.ManifestFile, base.CatalogFile(1), base.CurrentWAL, base.TagsFile,
		base.WALDir, base.SegmentsDir, "a segment file",
	} {
		dir, outside := t.TempDir(), t.TempDir()
		fs := onDisk(t, dir)
		segment, _ := twoSeries(t, fs, NeverPack)
		if name == "a segment file" {
			name = segment
		}
		moveOutside(t, dir, outside, filepath.FromSlash(name))
		out := onDisk(t, outside)
		before := contentsOf(t, out)
		e, err := Open(fs, Options{MergeOff: true})
		if err == nil {
			_, err = pointsNamed(t, e, "a")
			if closed := e.Close(); closed != nil {
				t.Errorf("%s: %v", name, closed)
			}
		}
		if name == base.TagsFile { // the next close has put a file in its place
			if entry, statErr := fs.Stat(name); err != nil || statErr != nil || !entry.Regular {
				t.Errorf("%s: %v, %v, %v", name, err, entry, statErr)
			}
		} else if err == nil || errors.Is(err, base.ErrCorrupt) {
			t.Errorf("%s: error %v", name, err)
		} else if text := err.Error(); !strings.Contains(text, "not a regular file") && !strings.Contains(text, "escapes") {
			t.Errorf("%s: the error does not say what is wrong: %v", name, err)
		}
		for file, want := range before {
			if got := string(mustRead(t, out, file)); got != want {
				t.Errorf("%s: %s outside has changed", name, file)
			}
		}
		if files := filesOf(t, out, ""); len(files) != max(len(before), 1) { // contentsOf leaves out LOCK
			t.Errorf("%s: there are %q outside now", name, files)
		}
	}
}

// TestDirectoryMayBeALink opens a database by way of a symbolic link to its directory.
func TestDirectoryMayBeALink(t *testing.T) {
	dir := t.TempDir()
	twoSeries(t, onDisk(t, dir), NeverPack)
	link := filepath.Join(t.TempDir(), "data")
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	if n := countPoints(t, openTest(t, onDisk(t, link), Options{}), everything); n != 2*faultSeries {
		t.Errorf("%d points", n)
	}
}

// TestFilesAreForTheirOwner looks at the modes of all that a database makes.
func TestFilesAreForTheirOwner(t *testing.T) {
	top := filepath.Join(t.TempDir(), "data")
	if err := fsys.MkdirRoot(top); err != nil {
		t.Fatal(err)
	}
	fs := onDisk(t, top)
	twoSeries(t, fs, NeverPack)
	twoSeriesWithDeletion(t, fs)
	seen := 0
	err := filepath.WalkDir(top, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		want := os.FileMode(0o600)
		if d.IsDir() {
			want = 0o700
		}
		if seen++; info.Mode().Perm() != want {
			t.Errorf("%s has mode %o, want %o", path, info.Mode().Perm(), want)
		}
		return nil
	})
	if err != nil || seen < 10 {
		t.Errorf("%d files and directories, %v", seen, err)
	}
}

// twoSeriesWithDeletion deletes something of the database of twoSeries, and compacts it.
func twoSeriesWithDeletion(t *testing.T, fs fsys.FS) {
	t.Helper()
	e := openTest(t, fs, Options{MergeOff: true})
	if _, err := e.Delete(t.Context(), Selector{}, 0, 1); err != nil {
		t.Fatal(err)
	}
	flush(t, e)
	if err := e.Compact(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
}
