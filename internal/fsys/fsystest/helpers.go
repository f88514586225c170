package fsystest

import (
	"errors"
	"io"
	iofs "io/fs"
	"testing"

	"github.com/sydradb/sydradb/internal/fsys"
)

// must turns a result with an error into one that needs a test: must(f())(t).
func must[T any](value T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		check(t, err)
		return value
	}
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// put writes a file without syncing it.
func put(t testing.TB, fs fsys.FS, path, content string) {
	t.Helper()
	f := must(fs.Create(path))(t)
	write(t, f, content)
	check(t, f.Close())
}

func write(t testing.TB, f fsys.File, content string) {
	t.Helper()
	if n, err := f.Write([]byte(content)); n != len(content) || err != nil {
		t.Fatalf("Write(%q): %d, %v", content, n, err)
	}
}

func wantContent(t testing.TB, fs fsys.FS, path, want string) {
	t.Helper()
	if got := must(fsys.ReadFile(fs, path))(t); string(got) != want {
		t.Errorf("%s holds %q, want %q", path, got, want)
	}
}

func wantMissing(t testing.TB, fs fsys.FS, path string) {
	t.Helper()
	if _, err := fs.Stat(path); !errors.Is(err, iofs.ErrNotExist) {
		t.Errorf("Stat(%s): %v, want ErrNotExist", path, err)
	}
}

// handleContent reads all that a handle shows.
func handleContent(t testing.TB, f fsys.File) string {
	t.Helper()
	buf := make([]byte, must(f.Size())(t))
	if n, err := f.ReadAt(buf, 0); n != len(buf) || err != nil && !errors.Is(err, io.EOF) {
		t.Fatalf("ReadAt: %d of %d bytes, %v", n, len(buf), err)
	}
	return string(buf)
}
