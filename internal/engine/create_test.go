package engine

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/fsys"
)

// TestForeignFilesStay opens directories without FORMAT that hold what no interrupted
// creation leaves. They are refused, and no byte of them changes.
func TestForeignFilesStay(t *testing.T) {
	v0 := bytes.Repeat([]byte{25, 0, 0, 0, 1, 9, 9, 9}, 1000) // the first record is damaged
	for name, files := range map[string]map[string]string{
		"log with a bad first frame":     {base.CurrentWAL: string(v0)},
		"short log with such a frame":    {base.CurrentWAL: string(v0[:33])},
		"log of zeros, too long":         {base.CurrentWAL: strings.Repeat("\x00", 42)},
		"log that was rotated":           {base.WALFile(1): ""},
		"file in wal":                    {"wal/notes": ""},
		"wal is a file":                  {base.WALDir: ""},
		"segments is a file":             {base.SegmentsDir: ""},
		"file in segments":               {base.SegmentsDir + "/notes": ""},
		"MANIFEST of something else":     {base.ManifestFile: "include README\ninclude LICENSE\n"},
		"MANIFEST of one byte":           {base.ManifestFile: "x"},
		"MANIFEST of zeros, too long":    {base.ManifestFile: strings.Repeat("\x00", 300)},
		"MANIFEST of version 0, damaged": {base.ManifestFile: `{"series_id":1,"hour_bucket":0,` + "\n"},
		"MANIFEST of a used database":    {base.ManifestFile: `{"edit":4,"prev":""`},
		"CATALOG with something in it":   {base.CatalogFile(1): "\x00"},
		"another CATALOG":                {base.CatalogFile(2): ""},
		"temporary file":                 {"notes.tmp": "x"},
		"FORMAT.tmp is a directory":      {"FORMAT.tmp/x": ""},
	} {
		t.Run(name, func(t *testing.T) {
			fs := fsys.NewMem()
			for file, data := range files {
				if dir := path.Dir(file); dir != "." {
					if err := fs.MkdirAll(dir); err != nil {
						t.Fatal(err)
					}
				}
				mustReplace(t, fs, file, []byte(data))
			}
			before := fmt.Sprint(contentsOf(t, fs))
			if _, err := Open(fs, Options{}); !errors.Is(err, ErrNotDatabase) {
				t.Errorf("error %v, want ErrNotDatabase", err)
			}
			if after := fmt.Sprint(contentsOf(t, fs)); after != before {
				t.Errorf("%.200q became %.200q", before, after)
			}
		})
	}
}

// TestUnfinishedCreationIsRepeated opens what power cuts in the middle of a creation
// leave, all bytes torn that can be.
func TestUnfinishedCreationIsRepeated(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 1))
	for range 300 {
		fs := fsys.NewMem()
		cut := 1 + rng.IntN(26)
		var left *fsys.Mem
		fs.SetHook(func(op fsys.Op) fsys.Fault {
			if op.Kind.Mutates() {
				if cut--; cut == 0 {
					left = fs.CrashClone(rng, 70)
				}
			}
			return fsys.Fault{}
		})
		e, err := Open(fs, Options{})
		if err != nil {
			t.Fatal(err)
		}
		fs.SetHook(nil)
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
		if left == nil {
			t.Fatal("a creation takes fewer operations than that")
		}
		before := contentsOf(t, left)
		if e, err = Open(left, Options{}); err != nil {
			t.Fatalf("%q: %v", before, err)
		}
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestCreationAfterAFailure has one operation of a creation fail, and opens again, in
// the same process or, where the first one was killed at once, in another. What is
// acknowledged then is there after a power cut: no name that the failed attempt made is
// taken for durable.
func TestCreationAfterAFailure(t *testing.T) {
	for _, killed := range []bool{false, true} {
		for n := 1; ; n++ {
			fs := fsys.NewMem()
			count := 0
			var failed fsys.Op
			fs.SetHook(func(op fsys.Op) fsys.Fault {
				if !op.Kind.Mutates() || op.Path == base.LockFile {
					return fsys.Fault{}
				}
				if count++; count == n {
					failed = op
				}
				if count == n || killed && count > n {
					return fsys.Fault{Err: errInjected}
				}
				return fsys.Fault{}
			})
			e, err := Open(fs, Options{Sync: SyncAlways})
			fs.SetHook(nil)
			if count < n {
				if n < 20 || err != nil {
					t.Fatalf("only %d operations, %v", count, err)
				}
				_ = e.Close()
				break
			}
			first := err
			if err != nil {
				if e, err = Open(fs, Options{Sync: SyncAlways}); err != nil {
					t.Errorf("after %v (%v): %v", failed, first, err)
					continue
				}
			}
			if _, err := e.Write(t.Context(), rowsOf(t, e, 3, 1, 1), nil); err != nil {
				t.Fatalf("after %v (%v): %v", failed, first, err)
			}
			cut := fs.CrashClone(rand.New(rand.NewPCG(1, 1)), 0)
			_ = e.Close()
			if e, err = Open(cut, Options{}); err != nil {
				t.Errorf("after %v (%v) and a power cut: %v", failed, first, err)
				continue
			}
			if got, err := readRaw(e); got != 3 || err != nil {
				t.Errorf("after %v (%v) and a power cut: %d of 3 points, %v", failed, first, got, err)
			}
			_ = e.Close()
		}
	}
}

// TestCreationRace has another process create the database, and use it, while this one
// looks whether there is any.
func TestCreationRace(t *testing.T) {
	for _, at := range []fsys.Op{
		{Kind: fsys.OpList, Path: ""},
		{Kind: fsys.OpList, Path: base.WALDir},
		{Kind: fsys.OpLock, Path: base.LockFile},
	} {
		t.Run(at.String(), func(t *testing.T) {
			fs := fsys.NewMem()
			if err := fs.MkdirAll(base.WALDir); err != nil { // of a creation cut short
				t.Fatal(err)
			}
			raced := false
			fs.SetHook(func(op fsys.Op) fsys.Fault {
				if raced || op.Kind != at.Kind || path.Clean(op.Path) != path.Clean(at.Path) {
					return fsys.Fault{}
				}
				raced = true
				other, err := Open(fs, Options{})
				if err == nil {
					_, err = other.Write(t.Context(), rowsOf(t, other, 3, 1, 1), nil)
				}
				if err = errors.Join(err, other.Close()); err != nil {
					t.Error(err)
				}
				return fsys.Fault{}
			})
			e, err := Open(fs, Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = e.Close() }()
			if got, err := readRaw(e); !raced || got != 3 || err != nil {
				t.Errorf("raced %v, %d of 3 points, %v", raced, got, err)
			}
		})
	}
}

// TestCreationIsLookedAt has this process look at the files of a creation that another
// one repeats at that moment: it is told that the database is locked.
func TestCreationIsLookedAt(t *testing.T) {
	made := fsys.NewMem()
	if err := create(made, time.Now()); err != nil {
		t.Fatal(err)
	}
	if err := made.Remove(base.FormatFile); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{base.ManifestFile, base.CurrentWAL, base.WALDir, base.SegmentsDir} {
		fs := made.CrashClone(rand.New(rand.NewPCG(1, 1)), 100)
		lock, err := fs.Lock(base.LockFile)
		if err != nil {
			t.Fatal(err)
		}
		cleared := false
		fs.SetHook(func(op fsys.Op) fsys.Fault {
			if !cleared && (op.Kind == fsys.OpOpen || op.Kind == fsys.OpList) && op.Path == file {
				cleared = true
				if err := clearUnfinished(fs); err != nil {
					t.Error(err)
				}
			}
			return fsys.Fault{}
		})
		if _, err := Open(fs, Options{}); !errors.Is(err, fsys.ErrLocked) || !cleared {
			t.Errorf("%s: %v, cleared %v", file, err, cleared)
		}
		_ = lock.Close()
	}
}
