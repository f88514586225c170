package fsys_test

import (
	"errors"
	iofs "io/fs"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/sydradb/sydradb/internal/fsys"
)

// newHeld holds "a", "d/b" and what "d" and "e/f" listed, of a file system in which all
// of it is gone or changed since.
func newHeld(t *testing.T, fs fsys.FS) *fsys.HeldFS {
	t.Helper()
	check(t, fs.MkdirAll("d"))
	check(t, fs.MkdirAll("e/f"))
	for path, content := range map[string]string{"a": "aaa", "d/b": "bb", "d/loose": "l", "e/f/g": "g"} {
		check(t, create(t, fs, path, content).Close())
	}
	held, err := fsys.Hold(fs, []string{"a", "d/b"})
	check(t, err)
	t.Cleanup(func() { check(t, held.Close()) })
	check(t, held.AddDir("d"))
	check(t, held.AddDir("e/f"))

	check(t, fs.Remove("a"))
	check(t, create(t, fs, "a", "another").Close())
	check(t, fsys.RemoveAll(fs, "d"))
	check(t, fs.Rename("e", "gone"))
	return held
}

// eachFS runs a test on Mem, on the operating system and on views of both.
func eachFS(t *testing.T, run func(*testing.T, fsys.FS)) {
	for name, open := range map[string]func(*testing.T) fsys.FS{
		"mem":   func(*testing.T) fsys.FS { return fsys.NewMem() },
		"os":    openOS,
		"trace": func(*testing.T) fsys.FS { return fsys.Trace(fsys.NewMem(), func(fsys.Op) {}) },
	} {
		t.Run(name, func(t *testing.T) { run(t, open(t)) })
	}
}

func TestHeldFilesOutliveTheirNames(t *testing.T) {
	eachFS(t, func(t *testing.T, fs fsys.FS) {
		held := newHeld(t, fs)
		for path, want := range map[string]string{"a": "aaa", "d/b": "bb"} {
			for range 2 { // closing one handle leaves the file for the next
				if data, err := fsys.ReadFile(held, path); err != nil || string(data) != want {
					t.Errorf("%s holds %q, %v, want %q", path, data, err, want)
				}
			}
			if data, err := fsys.ReadFile(fsys.Sub(held, "d"), "b"); err != nil || string(data) != "bb" {
				t.Errorf("through a view: %q, %v", data, err)
			}
		}
		if n := held.Len(); n != 2 {
			t.Errorf("%d files held, want 2", n)
		}
	})
}

func TestHeldDirectoriesAreAsTheyWere(t *testing.T) {
	eachFS(t, func(t *testing.T, fs fsys.FS) {
		held := newHeld(t, fs)
		want := []fsys.Entry{{Name: "b", Size: 2, Regular: true}, {Name: "loose", Size: 1, Regular: true}}
		for range 2 {
			got, err := held.List("d")
			if err != nil || !slices.Equal(got, want) {
				t.Fatalf("List(d) = %v, %v, want %v", got, err, want)
			}
			got[0].Name = "the caller's"
		}
		for path, want := range map[string]fsys.Entry{
			"":        {Name: ".", Dir: true},
			"a":       {Name: "a", Size: 3, Regular: true},
			"d":       {Name: "d", Dir: true},
			"d/b":     {Name: "b", Size: 2, Regular: true},
			"d/loose": {Name: "loose", Size: 1, Regular: true},
			"e":       {Name: "e", Dir: true},
			"e/f/g":   {Name: "g", Size: 1, Regular: true},
		} {
			if got, err := held.Stat(path); err != nil || got != want {
				t.Errorf("Stat(%s) = %v, %v, want %v", path, got, err, want)
			}
		}
	})
}

func TestHeldRefusesTheRest(t *testing.T) {
	fs := fsys.NewMem()
	held := newHeld(t, fs)
	before := tree(fs)
	_, createErr := held.Create("new")
	_, appendErr := held.OpenAppend("a")
	_, lockErr := held.Lock("LOCK")
	f, err := held.Open("a")
	check(t, err)
	_, writeErr := f.Write([]byte("x"))
	for name, err := range map[string]error{
		"Create": createErr, "OpenAppend": appendErr, "Lock": lockErr, "Rename": held.Rename("a", "b"),
		"Link": held.Link("a", "b"), "Remove": held.Remove("a"), "MkdirAll": held.MkdirAll("d"),
		"SyncDir": held.SyncDir("d"), "Write": writeErr, "Truncate": f.Truncate(0), "Sync": f.Sync(),
	} {
		if !errors.Is(err, fsys.ErrReadOnly) {
			t.Errorf("%s: %v, want ErrReadOnly", name, err)
		}
	}
	check(t, f.Close())
	_, readErr := f.ReadAt(make([]byte, 1), 0)
	_, sizeErr := f.Size()
	for name, err := range map[string]error{"ReadAt": readErr, "Size": sizeErr, "Close": f.Close(), "Sync": f.Sync()} {
		if !errors.Is(err, iofs.ErrClosed) {
			t.Errorf("%s of a closed handle: %v", name, err)
		}
	}
	for path, missing := range map[string]bool{
		"no": true, "d/no": true, "no/no": true, "d/loose": false, "e/f/g": false, "d": false, "../a": false,
	} {
		_, err := held.Open(path)
		if err == nil || errors.Is(err, iofs.ErrNotExist) != missing {
			t.Errorf("Open(%s): %v", path, err)
		}
	}
	for path, missing := range map[string]bool{"no": true, "e": false, ".": false, "a": false, "/d": false} {
		_, err := held.List(path)
		if err == nil || errors.Is(err, iofs.ErrNotExist) != missing {
			t.Errorf("List(%s): %v", path, err)
		}
	}
	if free, err := held.Space(); err != nil || free == 0 {
		t.Errorf("Space = %d, %v", free, err)
	}
	if after := tree(fs); after != before {
		t.Errorf("%q became %q", before, after)
	}
}

func TestHeldFilesShowThatTheyGrow(t *testing.T) {
	eachFS(t, func(t *testing.T, fs fsys.FS) {
		log := create(t, fs, "log", "one")
		held, err := fsys.Hold(fs, nil)
		check(t, err)
		defer held.Close()
		check(t, held.Add("log"))
		write(t, log, "two")
		check(t, held.Add("log"))
		if e, err := held.Stat("log"); err != nil || e.Size != 3 {
			t.Errorf("Stat: %v, %v, want what was there when it was added", e, err)
		}
		if data, err := fsys.ReadFile(held, "log"); err != nil || string(data) != "onetwo" {
			t.Errorf("read %q, %v", data, err)
		}
		if err := held.Add("no"); !errors.Is(err, iofs.ErrNotExist) {
			t.Errorf("a missing file: %v", err)
		}
		if err := held.AddDir("no"); !errors.Is(err, iofs.ErrNotExist) {
			t.Errorf("a missing directory: %v", err)
		}
		if held.Add("../log") == nil || held.AddDir("/") == nil {
			t.Error("paths may lead outside")
		}
		check(t, held.AddDir(""))
		if got, err := held.List("."); err != nil || len(got) != 1 || got[0].Size != 6 {
			t.Errorf("List = %v, %v", got, err)
		}
	})
}

func TestHeldGivesAllBack(t *testing.T) {
	fs := fsys.NewMem()
	for _, path := range []string{"a", "b", "c"} {
		check(t, create(t, fs, path, path).Close())
	}
	held, err := fsys.Hold(fs, []string{"a", "b", "c"})
	check(t, err)
	f, err := held.Open("a")
	check(t, err)
	if open := strings.Join(fs.OpenFiles(), " "); open != "a b c" {
		t.Errorf("open: %s", open)
	}
	check(t, held.Close())
	check(t, held.Close())
	if open := fs.OpenFiles(); len(open) != 0 {
		t.Errorf("still open: %v", open)
	}
	_, readErr := f.ReadAt(make([]byte, 1), 0)
	_, openErr := held.Open("a")
	_, listErr := held.List("")
	_, statErr := held.Stat("a")
	for name, err := range map[string]error{
		"ReadAt": readErr, "Open": openErr, "List": listErr, "Stat": statErr,
		"Add": held.Add("a"), "AddDir": held.AddDir(""),
	} {
		if !errors.Is(err, iofs.ErrClosed) {
			t.Errorf("%s after Close: %v, want ErrClosed", name, err)
		}
	}
	if n := held.Len(); n != 0 {
		t.Errorf("%d held after Close", n)
	}
}

// TestHoldFailure has each operation of Hold fail in turn: nothing stays open.
func TestHoldFailure(t *testing.T) {
	for fail := range 6 {
		fs := fsys.NewMem()
		check(t, create(t, fs, "a", "a").Close())
		check(t, create(t, fs, "b", "b").Close())
		count := 0
		fs.SetHook(func(fsys.Op) fsys.Fault {
			count++
			if count-1 == fail {
				return fsys.Fault{Err: errInjected}
			}
			return fsys.Fault{}
		})
		held, err := fsys.Hold(fs, []string{"a", "b"})
		if fail < 4 { // open and size of two files
			wantInjected(t, err)
			if open := fs.OpenFiles(); held != nil || len(open) != 0 {
				t.Errorf("operation %d failed: open %v", fail, open)
			}
			continue
		}
		check(t, err)
		err = held.Close() // a failing close is told, and the other file closed
		wantInjected(t, err)
		if open := fs.OpenFiles(); len(open) != 0 {
			t.Errorf("close %d failed: open %v", fail, open)
		}
	}
}

func TestHeldIsSafeForConcurrentUse(t *testing.T) {
	fs := fsys.NewMem()
	paths := []string{"a", "d/b", "d/c"}
	check(t, fs.MkdirAll("d"))
	for _, path := range paths {
		check(t, create(t, fs, path, "content").Close())
	}
	held, err := fsys.Hold(fs, paths[:1])
	check(t, err)
	var busy sync.WaitGroup
	for range 4 {
		busy.Go(func() {
			for range 50 {
				for _, path := range paths {
					if err := held.Add(path); err != nil {
						t.Error(err)
					}
					if data, err := fsys.ReadFile(held, path); err != nil || string(data) != "content" {
						t.Errorf("%s: %q, %v", path, data, err)
					}
				}
				if err := held.AddDir("d"); err != nil {
					t.Error(err)
				}
				if got, err := held.List("d"); err != nil || len(got) != 2 {
					t.Errorf("List: %v, %v", got, err)
				}
			}
		})
	}
	busy.Wait()
	if n := held.Len(); n != len(paths) || len(fs.OpenFiles()) != n {
		t.Errorf("%d held, open %v", n, fs.OpenFiles())
	}
	check(t, held.Close())
}
