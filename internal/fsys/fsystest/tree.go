package fsystest

import (
	"errors"
	"io"
	iofs "io/fs"
	"strings"
	"testing"

	"github.com/sydradb/sydradb/internal/fsys"
)

// transfer moves files within fs, where they must be linked, and to and from another
// file system, where they can only be copied.
func transfer(t *testing.T, fs fsys.FS) {
	check(t, fs.MkdirAll("d/e"))
	put(t, fs, "d/a", "content")
	other := fsys.NewMem()
	below := fsys.Sub(fs, "d")
	for _, test := range []struct {
		name     string
		src      fsys.FS
		from     string
		dst      fsys.FS
		to, seen string
		linked   bool
	}{
		{"within", fs, "d/a", fs, "linked", "linked", true},
		{"out of a view", below, "a", fs, "out", "out", true},
		{"into a view", fs, "d/a", below, "e/in", "d/e/in", true},
		{"between views", below, "a", fsys.Sub(below, "e"), "between", "d/e/between", true},
		{"out", fs, "d/a", other, "copied", "", false},
		{"in", other, "copied", fs, "back", "back", false},
	} {
		linked, err := fsys.Transfer(test.src, test.from, test.dst, test.to)
		if err != nil || linked != test.linked {
			t.Fatalf("%s: linked %v, %v", test.name, linked, err)
		}
		wantContent(t, test.dst, test.to, "content")
		if _, err := fsys.Transfer(test.src, test.from, test.dst, test.to); !errors.Is(err, iofs.ErrExist) {
			t.Errorf("%s, again: %v, want ErrExist", test.name, err)
		}
		for path, want := range map[string]error{"no": iofs.ErrNotExist, ".": nil} {
			_, err := fsys.Transfer(test.src, path, test.dst, "x")
			if err == nil || want != nil && !errors.Is(err, want) {
				t.Errorf("%s, from %q: %v", test.name, path, err)
			}
		}
		if _, err := fsys.Transfer(test.src, test.from, test.dst, "no/x"); !errors.Is(err, iofs.ErrNotExist) {
			t.Errorf("%s, into a missing directory: %v, want ErrNotExist", test.name, err)
		}
	}
	f := must(fs.OpenAppend("d/a"))(t)
	write(t, f, ", more")
	check(t, f.Close())
	for path, linked := range map[string]bool{"linked": true, "out": true, "d/e/in": true, "d/e/between": true, "back": false} {
		want := "content"
		if linked {
			want += ", more"
		}
		wantContent(t, fs, path, want)
	}
}

func copyBytes(t *testing.T, fs fsys.FS) {
	long := strings.Repeat("0123456789", 60_000) // more than goes at a time
	put(t, fs, "a", long)
	check(t, fs.MkdirAll("d"))
	for _, size := range []int{0, 1, 256 << 10, 256<<10 + 1, len(long)} {
		check(t, fsys.Copy(fs, "a", fs, "d/b", int64(size)))
		if got := string(must(fsys.ReadFile(fs, "d/b"))(t)); got != long[:size] {
			t.Errorf("%d bytes instead of %d, or others", len(got), size)
		}
	}
	check(t, fsys.Copy(fs, "a", fs, "d/b", 3))
	wantContent(t, fs, "d/b", "012")
	if err := fsys.Copy(fs, "a", fs, "d/b", int64(len(long)+1)); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("more than there is: %v, want ErrUnexpectedEOF", err)
	}
	if err := fsys.Copy(fs, "no", fs, "d/b", 1); !errors.Is(err, iofs.ErrNotExist) {
		t.Errorf("of a missing file: %v, want ErrNotExist", err)
	}
	if err := fsys.Copy(fs, "a", fs, "no/b", 1); !errors.Is(err, iofs.ErrNotExist) {
		t.Errorf("into a missing directory: %v, want ErrNotExist", err)
	}
	wantContent(t, fs, "d/b", "012")
	if got := must(fs.List("d"))(t); len(got) != 1 {
		t.Errorf("left behind: %v", got)
	}
}

func trees(t *testing.T, fs fsys.FS) {
	check(t, fs.MkdirAll("d/e/f"))
	check(t, fs.MkdirAll("d/empty"))
	put(t, fs, "d/a", "12345")
	put(t, fs, "d/e/f/b", "678")
	put(t, fs, "c", "9")
	for dir, want := range map[string]int64{"": 9, "d": 8, "d/e": 3, "d/empty": 0, "no": 0} {
		if got := must(fsys.DiskUsage(fs, dir))(t); got != want {
			t.Errorf("DiskUsage(%q) = %d, want %d", dir, got, want)
		}
	}
	if _, err := fsys.DiskUsage(fs, "c"); err == nil {
		t.Error("a file was measured as a directory")
	}
	check(t, fsys.SyncTree(fs, "d"))
	if err := fsys.SyncTree(fs, "no"); !errors.Is(err, iofs.ErrNotExist) {
		t.Errorf("SyncTree of nothing: %v, want ErrNotExist", err)
	}
	check(t, fsys.RemoveAll(fs, "d"))
	check(t, fsys.RemoveAll(fs, "d"))
	wantMissing(t, fs, "d")
	wantContent(t, fs, "c", "9")
}
