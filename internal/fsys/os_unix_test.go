//go:build unix

package fsys

import (
	"errors"
	"io"
	iofs "io/fs"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

func TestPipesAreRefusedWithoutWaiting(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mkfifo(filepath.Join(dir, "pipe"), 0o600); err != nil {
		t.Skip(err)
	}
	fs, err := OS(dir)
	if err != nil {
		t.Fatal(err)
	}
	for name, open := range map[string]func(string) (File, error){
		"Open": fs.Open, "Create": fs.Create, "OpenAppend": fs.OpenAppend,
	} {
		if _, err := open("pipe"); err == nil {
			t.Errorf("%s opened a pipe", name)
		}
	}
}

func TestFullDeviceMatchesErrNoSpace(t *testing.T) {
	for errno, want := range map[unix.Errno]bool{unix.ENOSPC: true, unix.EDQUOT: true, unix.EIO: false} {
		err := osError(&iofs.PathError{Op: "write", Path: "a", Err: errno})
		if errors.Is(err, ErrNoSpace) != want || !errors.Is(err, errno) {
			t.Errorf("%v became %v", errno, err)
		}
	}
	if osError(nil) != nil {
		t.Error("nil became an error")
	}
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip(err)
	}
	f := &osFile{f: full, path: "full", writable: true}
	if n, err := f.Write([]byte("x")); n != 0 || !errors.Is(err, ErrNoSpace) {
		t.Errorf("write to a full device: %d, %v", n, err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
}

func TestLinksThatCannotBeAreToldApart(t *testing.T) {
	for errno, want := range map[unix.Errno]bool{
		unix.EXDEV: true, unix.EPERM: true, unix.EMLINK: true,
		unix.EEXIST: false, unix.ENOENT: false, unix.EIO: false, unix.ENOSPC: false, unix.EACCES: false,
	} {
		m := NewMem()
		if err := WriteFileAtomic(m, "a", []byte("abc")); err != nil {
			t.Fatal(err)
		}
		m.SetHook(func(op Op) Fault {
			if op.Kind != OpLink {
				return Fault{}
			}
			return Fault{Err: &os.LinkError{Op: "link", Old: "a", New: "b", Err: errno}}
		})
		linked, err := Transfer(m, "a", m, "b")
		if copied := err == nil; linked || copied != want || !copied && !errors.Is(err, errno) {
			t.Errorf("%v: linked %v, %v; copied %v, want %v", errno, linked, err, copied, want)
		}
	}
}

func TestLockNoticesAReplacedFile(t *testing.T) {
	dir := t.TempDir()
	fs, err := OS(dir)
	if err != nil {
		t.Fatal(err)
	}
	held, err := fs.Lock("LOCK")
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	file := held.(*osLock).file
	if err := fs.(*osFS).stillAt("LOCK", file); err != nil {
		t.Error(err)
	}
	if err := fs.Remove("LOCK"); err != nil {
		t.Fatal(err)
	}
	if fs.(*osFS).stillAt("LOCK", file) == nil {
		t.Error("a removed lock file passed")
	}
	if err := os.WriteFile(filepath.Join(dir, "LOCK"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if fs.(*osFS).stillAt("LOCK", file) == nil {
		t.Error("a replaced lock file passed")
	}
}

// Who removes the lock file of a database that is open cannot lock it again.
func TestLockOutlivesItsFile(t *testing.T) {
	for _, path := range []string{"LOCK", "copy/LOCK"} {
		fs, err := OS(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		if err := fs.MkdirAll("copy"); err != nil {
			t.Fatal(err)
		}
		held, err := fs.Lock(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := fs.Remove(path); err != nil {
			t.Fatal(err)
		}
		if _, err := fs.Lock(path); !errors.Is(err, ErrLocked) {
			t.Errorf("%s: the second lock: %v", path, err)
		}
		if err := held.Close(); err != nil {
			t.Fatal(err)
		}
		again, err := fs.Lock(path)
		if err != nil {
			t.Fatalf("%s, given back: %v", path, err)
		}
		if err := errors.Join(again.Close(), fs.(io.Closer).Close()); err != nil {
			t.Error(err)
		}
	}
}
