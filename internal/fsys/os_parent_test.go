package fsys_test

import (
	"errors"
	"io"
	iofs "io/fs"
	"path/filepath"
	"testing"

	"github.com/sydradb/sydradb/internal/fsys"
)

func TestOSParentReachesAPathByItsName(t *testing.T) {
	dir := t.TempDir()
	for _, path := range []string{filepath.Join(dir, "a"), dir + "/./b/../a/", filepath.Join(dir, "missing", "..", "a")} {
		fs, parent, name, err := fsys.OSParent(path)
		if err != nil || name != "a" || parent != dir {
			t.Fatalf("%s: %s holds %q, error %v", path, parent, name, err)
		}
		if _, err := fs.Stat(name); err != nil && !errors.Is(err, iofs.ErrNotExist) {
			t.Errorf("%s: %v", path, err)
		}
		if err := fs.MkdirAll(name); err != nil {
			t.Errorf("%s: %v", path, err)
		}
		if err := fs.(io.Closer).Close(); err != nil {
			t.Error(err)
		}
	}
	if fs, _, _, err := fsys.OSParent(filepath.Join(dir, "missing", "a")); !errors.Is(err, iofs.ErrNotExist) {
		t.Errorf("missing parent: %v, error %v", fs, err)
	}
	for _, path := range []string{"", filepath.VolumeName(dir) + string(filepath.Separator)} {
		if fs, _, name, err := fsys.OSParent(path); err == nil {
			t.Errorf("%q: %v, name %q", path, fs, name)
		}
	}
}

func TestMkdirParentMakesAllAbove(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a", "b", "c")
	for range 2 {
		if err := fsys.MkdirParent(path + string(filepath.Separator)); err != nil {
			t.Fatal(err)
		}
	}
	fs, _, name, err := fsys.OSParent(path)
	if err != nil {
		t.Fatal(err)
	}
	if entries, err := fs.List(""); err != nil || len(entries) > 0 {
		t.Errorf("beside %s there are %v, error %v", name, entries, err)
	}
	if err := fs.(io.Closer).Close(); err != nil {
		t.Error(err)
	}
}
