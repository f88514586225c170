package fsys_test

import (
	"errors"
	iofs "io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/sydradb/sydradb/internal/fsys"
)

// openDir returns dir as a file system.
func openDir(t *testing.T, dir string) fsys.FS {
	t.Helper()
	fs, err := fsys.OS(dir)
	check(t, err)
	t.Cleanup(func() { check(t, fs.(interface{ Close() error }).Close()) })
	return fs
}

func TestMkdirRootMakesWhatIsMissing(t *testing.T) {
	top := t.TempDir()
	dir := filepath.Join(top, "a", "b")
	check(t, fsys.MkdirRoot(dir))
	check(t, fsys.MkdirRoot(dir))
	check(t, create(t, openDir(t, dir), "f", "x").Close())
	for path, want := range map[string]os.FileMode{"a": 0o700, "a/b": 0o700, "a/b/f": 0o600} {
		info, err := os.Stat(filepath.Join(top, path))
		check(t, err)
		if got := info.Mode().Perm(); got != want && runtime.GOOS != "windows" {
			t.Errorf("%s has mode %o, want %o", path, got, want)
		}
	}
	if fsys.MkdirRoot(filepath.Join(dir, "f")) == nil {
		t.Error("a file passed for a directory")
	}
	if fsys.MkdirRoot(filepath.Join(dir, "f", "g")) == nil {
		t.Error("a directory was made below a file")
	}
}

func TestMkdirRootLeavesModesAlone(t *testing.T) {
	dir := t.TempDir()
	check(t, os.Chmod(dir, 0o750))
	check(t, fsys.MkdirRoot(dir))
	info, err := os.Stat(dir)
	check(t, err)
	if got := info.Mode().Perm(); got != 0o750 && runtime.GOOS != "windows" {
		t.Errorf("mode became %o", got)
	}
}

func TestOSNeedsADirectory(t *testing.T) {
	dir := t.TempDir()
	if _, err := fsys.OS(filepath.Join(dir, "no")); !errors.Is(err, iofs.ErrNotExist) {
		t.Errorf("missing: %v, want ErrNotExist", err)
	}
	check(t, os.WriteFile(filepath.Join(dir, "f"), nil, 0o600))
	if _, err := fsys.OS(filepath.Join(dir, "f")); err == nil {
		t.Error("a file passed for a directory")
	}
}

func TestSymbolicLinksAreRefused(t *testing.T) {
	outside, dir := t.TempDir(), t.TempDir()
	fs := openDir(t, dir)
	target := filepath.Join(outside, "target")
	check(t, os.WriteFile(target, []byte("precious"), 0o600))
	check(t, create(t, fs, "inside", "precious").Close())
	for name, to := range map[string]string{"absolute": target, "relative": "inside", "dangling": "no", "up": outside} {
		if err := os.Symlink(to, filepath.Join(dir, name)); err != nil {
			t.Skip(err)
		}
	}
	for _, name := range []string{"absolute", "relative", "dangling", "up", "up/target"} {
		_, openErr := fs.Open(name)
		_, createErr := fs.Create(name)
		_, appendErr := fs.OpenAppend(name)
		_, lockErr := fs.Lock(name)
		for op, err := range map[string]error{"Open": openErr, "Create": createErr, "OpenAppend": appendErr, "Lock": lockErr} {
			if err == nil {
				t.Errorf("%s followed the link %s", op, name)
			}
		}
	}
	if fs.MkdirAll("up/new") == nil {
		t.Error("MkdirAll went outside")
	}
	if _, err := fs.List("up"); err == nil {
		t.Error("List went outside")
	}
	if e, err := fs.Stat("relative"); err != nil || e.Regular || e.Dir {
		t.Errorf("Stat of a link: %v, %v", e, err)
	}
	for _, path := range []string{target, filepath.Join(dir, "inside")} {
		if data, err := os.ReadFile(path); string(data) != "precious" {
			t.Errorf("%s holds %q, %v", path, data, err)
		}
	}
}

func TestOpenFilesOutliveTheRoot(t *testing.T) {
	fs, err := fsys.OS(t.TempDir())
	check(t, err)
	f := create(t, fs, "a", "x")
	check(t, fs.(interface{ Close() error }).Close())
	write(t, f, "y")
	check(t, f.Sync())
	check(t, f.Close())
	if _, err := fs.Open("a"); err == nil {
		t.Error("Open works on a closed root")
	}
}

// TestLockExcludesOtherProcesses runs itself as the other process.
func TestLockExcludesOtherProcesses(t *testing.T) {
	const env = "FSYS_TEST_LOCK_DIR"
	if dir := os.Getenv(env); dir != "" {
		if _, err := openDir(t, dir).Lock("LOCK"); !errors.Is(err, fsys.ErrLocked) {
			t.Fatalf("Lock: %v, want ErrLocked", err)
		}
		return
	}
	dir := t.TempDir()
	held, err := openDir(t, dir).Lock("LOCK")
	check(t, err)
	other := func() ([]byte, error) {
		cmd := exec.Command(os.Args[0], "-test.run=^TestLockExcludesOtherProcesses$")
		cmd.Env = append(os.Environ(), env+"="+dir)
		return cmd.CombinedOutput()
	}
	if out, err := other(); err != nil {
		t.Errorf("while held: %v\n%s", err, out)
	}
	check(t, held.Close())
	if out, err := other(); err == nil {
		t.Errorf("after the release the other process was still refused:\n%s", out)
	}
}
