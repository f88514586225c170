//go:build unix

package fsys

import (
	"errors"
	"io"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// exhaust opens files until no more may be open, and returns what closes them again. As
// so many descriptors as there may be by default would take long, there may be fewer.
func exhaust(t *testing.T) (release func()) {
	t.Helper()
	var old unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &old); err != nil {
		t.Fatal(err)
	}
	few := old
	few.Cur = 200
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &few); err != nil {
		t.Skip(err)
	}
	var taken []*os.File
	release = func() {
		for _, f := range taken {
			_ = f.Close()
		}
		taken = nil
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &old); err != nil {
			t.Error(err)
		}
	}
	for {
		f, err := os.Open(os.DevNull)
		if errors.Is(err, unix.EMFILE) {
			return release
		}
		if err != nil {
			release()
			t.Fatal(err)
		}
		taken = append(taken, f)
	}
}

// TestWritersHaveSpareFiles lets a process run out of descriptors. Who holds a lock can go
// on writing, in directories below each other; who reads is told why not.
func TestWritersHaveSpareFiles(t *testing.T) {
	fs, err := OS(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	work := func() error {
		const file = "a/b/c"
		if err := fs.MkdirAll("a/b"); err != nil {
			return err
		}
		if err := WriteFileAtomic(fs, file, []byte("x")); err != nil {
			return err
		}
		if err := fs.Rename(file, "a/d"); err != nil {
			return err
		}
		return errors.Join(fs.Remove("a/d"), fs.SyncDir("a"))
	}
	for name, step := range map[string]struct {
		locks int
		want  error
	}{"no lock": {0, unix.EMFILE}, "a lock": {1, nil}, "two locks, one given back": {2, nil}} {
		var locks []io.Closer
		for _, file := range []string{"LOCK", "copy/LOCK"}[:step.locks] {
			if err := fs.MkdirAll("copy"); err != nil {
				t.Fatal(err)
			}
			l, err := fs.Lock(file)
			if err != nil {
				t.Fatal(err)
			}
			locks = append(locks, l)
		}
		if len(locks) == 2 {
			if err := locks[1].Close(); err != nil {
				t.Fatal(err)
			}
			locks = locks[:1]
		}
		release := exhaust(t)
		if _, err := fs.Open("LOCK"); step.locks > 0 && !(errors.Is(err, unix.EMFILE) && errors.Is(err, ErrTooManyFiles)) {
			t.Errorf("%s: reading: %v", name, err)
		}
		for range 2 * spareFiles {
			if err := work(); !errors.Is(err, step.want) {
				t.Errorf("%s: %v", name, err)
				break
			}
		}
		release()
		for _, l := range locks {
			if err := l.Close(); err != nil {
				t.Error(err)
			}
		}
		if n := len(fs.(*osFS).spares.held); n != 0 {
			t.Errorf("%s: %d descriptors are still held", name, n)
		}
	}
	if err := fs.(io.Closer).Close(); err != nil {
		t.Error(err)
	}
}

// A file system that can only be read keeps writers out all the same.
func TestReadOnlyFileSystemIsRecognised(t *testing.T) {
	for errno, want := range map[unix.Errno]bool{unix.EROFS: true, unix.EACCES: false} {
		if err := (&os.PathError{Op: "open", Path: "LOCK", Err: errno}); isReadOnlyFS(err) != want {
			t.Errorf("%v is taken for something else", err)
		}
	}
}
