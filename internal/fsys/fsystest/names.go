package fsystest

import (
	"errors"
	iofs "io/fs"
	"slices"
	"testing"

	"github.com/sydradb/sydradb/internal/fsys"
)

func renameReplaces(t *testing.T, fs fsys.FS) {
	put(t, fs, "a", "new")
	put(t, fs, "b", "old")
	reader := must(fs.Open("b"))(t)
	defer reader.Close()
	check(t, fs.Rename("a", "b"))
	wantMissing(t, fs, "a")
	wantContent(t, fs, "b", "new")
	if got := handleContent(t, reader); got != "old" {
		t.Errorf("handle on the replaced file reads %q", got)
	}
	check(t, fs.MkdirAll("d"))
	check(t, fs.Rename("b", "d/c"))
	wantContent(t, fs, "d/c", "new")
	wantMissing(t, fs, "b")
}

func renameKeepsHandles(t *testing.T, fs fsys.FS) {
	f := must(fs.Create("a"))(t)
	defer f.Close()
	write(t, f, "1")
	check(t, fs.Rename("a", "b"))
	write(t, f, "2")
	check(t, f.Sync())
	wantContent(t, fs, "b", "12")
	wantMissing(t, fs, "a")
}

func renameSameFile(t *testing.T, fs fsys.FS) {
	put(t, fs, "a", "x")
	check(t, fs.Rename("a", "a"))
	wantContent(t, fs, "a", "x")
	check(t, fs.Link("a", "b"))
	check(t, fs.Rename("a", "b"))
	wantContent(t, fs, "b", "x")
}

func renameDirectory(t *testing.T, fs fsys.FS) {
	check(t, fs.MkdirAll("a/inner"))
	check(t, fs.MkdirAll("to"))
	put(t, fs, "a/inner/f", "x")
	put(t, fs, "a/g", "y")
	for _, step := range [][2]string{{"a", "b"}, {"b", "to/c"}, {"to/c/inner", "inner"}, {"inner", "to/c/again"}} {
		check(t, fs.Rename(step[0], step[1]))
		wantMissing(t, fs, step[0])
		if e := must(fs.Stat(step[1]))(t); !e.Dir {
			t.Errorf("%s is %+v", step[1], e)
		}
	}
	wantContent(t, fs, "to/c/g", "y")
	wantContent(t, fs, "to/c/again/f", "x")
	check(t, fs.SyncDir(""))
	check(t, fs.SyncDir("to"))
	put(t, fs, "a", "the old name is free")
	wantContent(t, fs, "a", "the old name is free")
}

func renameReplacesNoDirectory(t *testing.T, fs fsys.FS) {
	check(t, fs.MkdirAll("a"))
	check(t, fs.MkdirAll("empty"))
	put(t, fs, "a/f", "x")
	put(t, fs, "file", "y")
	for _, to := range []string{"empty", "a", "file"} {
		if err := fs.Rename("a", to); !errors.Is(err, iofs.ErrExist) {
			t.Errorf("a directory to %s: %v, want ErrExist", to, err)
		}
	}
	if err := fs.Rename("file", "empty"); !errors.Is(err, iofs.ErrExist) {
		t.Errorf("a file to a directory: %v, want ErrExist", err)
	}
	if err := fs.Rename("no", "empty"); !errors.Is(err, iofs.ErrNotExist) {
		t.Errorf("a missing file to a directory: %v, want ErrNotExist", err)
	}
	for _, path := range []string{"a/b", "a/f/b", ".", ""} {
		if fs.Rename("a", path) == nil {
			t.Errorf("a directory was moved to %q", path)
		}
	}
	if fs.Rename("", "b") == nil || fs.Remove("") == nil || fs.Remove(".") == nil {
		t.Error("the root was moved or removed")
	}
	wantContent(t, fs, "a/f", "x")
	wantContent(t, fs, "file", "y")
	check(t, fs.Remove("empty"))
	check(t, fs.Rename("a", "empty"))
	wantContent(t, fs, "empty/f", "x")
}

func link(t *testing.T, fs fsys.FS) {
	put(t, fs, "a", "one")
	check(t, fs.MkdirAll("d"))
	check(t, fs.Link("a", "d/b"))
	f := must(fs.OpenAppend("d/b"))(t)
	write(t, f, "two")
	check(t, f.Close())
	wantContent(t, fs, "a", "onetwo")
	check(t, fs.Remove("a"))
	wantContent(t, fs, "d/b", "onetwo")
	put(t, fs, "c", "c")
	if err := fs.Link("c", "d/b"); !errors.Is(err, iofs.ErrExist) {
		t.Errorf("Link to a name that exists: %v, want ErrExist", err)
	}
	wantContent(t, fs, "d/b", "onetwo")
}

func removeDirectory(t *testing.T, fs fsys.FS) {
	check(t, fs.MkdirAll("d/e"))
	put(t, fs, "d/e/f", "x")
	if fs.Remove("d/e") == nil {
		t.Error("a full directory was removed")
	}
	check(t, fs.Remove("d/e/f"))
	check(t, fs.Remove("d/e"))
	wantMissing(t, fs, "d/e")
	check(t, fs.SyncDir("d"))
}

func mkdirAll(t *testing.T, fs fsys.FS) {
	check(t, fs.MkdirAll("a/b/c"))
	check(t, fs.MkdirAll("a/b/c"))
	check(t, fs.MkdirAll("a"))
	check(t, fs.MkdirAll(""))
	check(t, fs.MkdirAll("."))
	put(t, fs, "a/b/c/f", "x")
	wantContent(t, fs, "a/b/c/f", "x")
	if fs.MkdirAll("a/b/c/f/g") == nil {
		t.Error("a directory was made below a file")
	}
	if fs.MkdirAll("a/b/c/f") == nil {
		t.Error("a file passed for a directory")
	}
}

func list(t *testing.T, fs fsys.FS) {
	if got := must(fs.List(""))(t); len(got) != 0 {
		t.Errorf("a new file system holds %v", got)
	}
	check(t, fs.MkdirAll("b"))
	put(t, fs, "c", "ccc")
	put(t, fs, "a", "")
	put(t, fs, "b/inner", "x")
	want := []fsys.Entry{{Name: "a", Regular: true}, {Name: "b", Dir: true}, {Name: "c", Size: 3, Regular: true}}
	for _, path := range []string{"", "."} {
		if got := must(fs.List(path))(t); !slices.Equal(got, want) {
			t.Errorf("List(%q) = %v, want %v", path, got, want)
		}
	}
	if got := must(fs.List("b"))(t); len(got) != 1 || got[0].Name != "inner" {
		t.Errorf("List(b) = %v", got)
	}
}

func stat(t *testing.T, fs fsys.FS) {
	check(t, fs.MkdirAll("d"))
	put(t, fs, "d/f", "four")
	if got, want := must(fs.Stat("d/f"))(t), (fsys.Entry{Name: "f", Size: 4, Regular: true}); got != want {
		t.Errorf("Stat(d/f) = %v, want %v", got, want)
	}
	if got, want := must(fs.Stat("d"))(t), (fsys.Entry{Name: "d", Dir: true}); got != want {
		t.Errorf("Stat(d) = %v, want %v", got, want)
	}
	for _, root := range []string{"", "."} {
		if got, want := must(fs.Stat(root))(t), (fsys.Entry{Name: ".", Dir: true}); got != want {
			t.Errorf("Stat(%q) = %v, want %v", root, got, want)
		}
	}
	if there, err := fsys.Exists(fs, "d/f"); !there || err != nil {
		t.Errorf("Exists(d/f) = %v, %v", there, err)
	}
	if there, err := fsys.Exists(fs, "d/g"); there || err != nil {
		t.Errorf("Exists(d/g) = %v, %v", there, err)
	}
}

func missing(t *testing.T, fs fsys.FS) {
	put(t, fs, "there", "x")
	_, openErr := fs.Open("no")
	_, appendErr := fs.OpenAppend("no")
	_, createErr := fs.Create("no/file")
	_, listErr := fs.List("no")
	_, statErr := fs.Stat("no")
	_, readErr := fsys.ReadFile(fs, "no")
	_, lockErr := fs.Lock("no/LOCK")
	for name, err := range map[string]error{
		"Open": openErr, "OpenAppend": appendErr, "Create": createErr, "List": listErr, "Stat": statErr,
		"ReadFile": readErr, "Remove": fs.Remove("no"), "Rename": fs.Rename("no", "new"),
		"Rename into": fs.Rename("there", "no/there"), "Link": fs.Link("no", "new"), "SyncDir": fs.SyncDir("no"),
		"Lock": lockErr,
	} {
		if !errors.Is(err, iofs.ErrNotExist) {
			t.Errorf("%s: %v, want ErrNotExist", name, err)
		}
	}
	wantContent(t, fs, "there", "x")
}

func directoriesAreNotFiles(t *testing.T, fs fsys.FS) {
	check(t, fs.MkdirAll("d"))
	put(t, fs, "f", "x")
	for name, open := range map[string]func(string) (fsys.File, error){
		"Open": fs.Open, "Create": fs.Create, "OpenAppend": fs.OpenAppend,
	} {
		for _, path := range []string{"d", ""} {
			if _, err := open(path); err == nil {
				t.Errorf("%s(%q) succeeded", name, path)
			}
		}
	}
	if fs.Rename("f", "d") == nil {
		t.Error("a file replaced a directory")
	}
	if fs.Link("d", "e") == nil {
		t.Error("a directory was linked")
	}
	wantContent(t, fs, "f", "x")
}

func filesAreNotDirectories(t *testing.T, fs fsys.FS) {
	put(t, fs, "f", "x")
	_, openErr := fs.Open("f/g")
	_, createErr := fs.Create("f/g")
	_, listErr := fs.List("f")
	_, statErr := fs.Stat("f/g")
	for name, err := range map[string]error{
		"Open": openErr, "Create": createErr, "List": listErr, "Stat": statErr,
		"Remove": fs.Remove("f/g"), "Rename": fs.Rename("f", "f/g"), "Link": fs.Link("f", "f/g"),
	} {
		if err == nil {
			t.Errorf("%s through a file succeeded", name)
		}
	}
	wantContent(t, fs, "f", "x")
}
