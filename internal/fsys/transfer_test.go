package fsys_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sydradb/sydradb/internal/fsys"
	"github.com/sydradb/sydradb/internal/golden"
)

// TestTransferOrder pins what hooks and traces see of a link and of a copy, by way of
// views too.
func TestTransferOrder(t *testing.T) {
	m := fsys.NewMem()
	check(t, m.MkdirAll("data/segments"))
	check(t, m.MkdirAll("snap.tmp/segments"))
	createSynced(t, m, "data/segments/1", "abc")
	var lines strings.Builder
	trace := func(fs fsys.FS, who string) fsys.FS {
		return fsys.Trace(fs, func(op fsys.Op) { fmt.Fprintln(&lines, who, op) })
	}
	m.SetHook(func(op fsys.Op) fsys.Fault {
		fmt.Fprintln(&lines, " hook:", op)
		if op.Kind == fsys.OpLink && strings.HasSuffix(op.NewPath, "copied") {
			return fsys.Fault{Err: fmt.Errorf("no links here: %w", errors.ErrUnsupported)}
		}
		return fsys.Fault{}
	})
	top := trace(m, "trace:")
	data, snap := fsys.Sub(top, "data"), fsys.Sub(top, "snap.tmp")
	other := trace(fsys.Sub(m, "snap.tmp/segments"), "inner trace:")
	for _, step := range []struct {
		what, from, to string
		src, dst       fsys.FS
	}{
		{"below one trace", "segments/1", "segments/linked", data, snap},
		{"copied", "segments/1", "segments/copied", data, snap},
		{"to a trace of its own", "segments/1", "across", data, other},
		{"from a trace of its own", "across", "back", other, m},
	} {
		fmt.Fprintln(&lines, step.what)
		_, err := fsys.Transfer(step.src, step.from, step.dst, step.to)
		check(t, err)
	}
	fmt.Fprintln(&lines, "a prefix copied")
	check(t, fsys.Copy(data, "segments/1", snap, "CATALOG.1", 2))
	golden.Check(t, "testdata/transfer.trace", []byte(lines.String()))
}

// TestTransferFailure has each operation of a link, of a copy and of a copy to another
// file system fail in turn: either the file is at its new name, whole, or nothing is.
func TestTransferFailure(t *testing.T) {
	for name, test := range map[string]struct {
		ops      int
		linkable bool
		other    bool
	}{
		"link": {ops: 2, linkable: true}, "copy": {ops: 12}, "across": {ops: 11, other: true},
	} {
		t.Run(name, func(t *testing.T) {
			for fail := 0; ; fail++ {
				src := fsys.NewMem()
				dst := src
				if test.other {
					dst = fsys.NewMem()
				}
				check(t, createSynced(t, src, "a", "abc").Close())
				count, failed := 0, fsys.OpKind(0)
				hook := func(op fsys.Op) fsys.Fault {
					count++
					if count-1 == fail {
						failed = op.Kind
						return fsys.Fault{Err: errInjected, Written: 1}
					}
					if op.Kind == fsys.OpLink && !test.linkable {
						return fsys.Fault{Err: errors.ErrUnsupported}
					}
					return fsys.Fault{}
				}
				src.SetHook(hook)
				dst.SetHook(hook)
				linked, err := fsys.Transfer(src, "a", dst, "b")
				src.SetHook(nil)
				dst.SetHook(nil)
				if open := append(src.OpenFiles(), dst.OpenFiles()...); len(open) != 0 {
					t.Errorf("%v failed: left open %v", failed, open)
				}
				there, statErr := fsys.Exists(dst, "b")
				check(t, statErr)
				if failed == 0 {
					check(t, err)
					if fail != test.ops || linked != test.linkable || !there {
						t.Errorf("%d operations, want %d; linked %v", fail, test.ops, linked)
					}
					return
				}
				wantInjected(t, err)
				if there {
					t.Errorf("%v failed, yet there is a file: %q", failed, tree(dst))
				}
				if temp, _ := fsys.Exists(dst, "b.tmp"); temp {
					t.Errorf("%v failed: left b.tmp", failed)
				}
			}
		})
	}
}

// TestCopyIsWholeOrNotThere cuts the power before each operation of a copy that goes to
// a name not in use.
func TestCopyIsWholeOrNotThere(t *testing.T) {
	m := fsys.NewMem()
	createSynced(t, m, "a", "content")
	rng := newRand(1)
	var seen []string
	m.SetHook(func(op fsys.Op) fsys.Fault {
		for range 100 {
			data, err := fsys.ReadFile(m.CrashClone(rng, 50), "b")
			if err == nil && string(data) != "conte" {
				t.Fatalf("power cut before %v: %q", op, data)
			}
		}
		seen = append(seen, op.Kind.String())
		return fsys.Fault{}
	})
	check(t, fsys.Copy(m, "a", m, "b", 5))
	check(t, fsys.SyncParent(m, "b"))
	m.SetHook(nil)
	if !slices.Contains(seen, "rename") {
		t.Errorf("operations seen: %v", seen)
	}
	wantOutcomes(t, outcomes(m, 0, tree), "a=content b=conte")
}

// As TestWriteFileAtomicSparesAFileWithTwoNames, where the copy succeeds.
func TestCopySparesAFileWithTwoNames(t *testing.T) {
	m := fsys.NewMem()
	check(t, create(t, m, "a", "new").Close())
	check(t, create(t, m, "old", "old").Close())
	check(t, m.Link("old", "b.tmp"))
	check(t, fsys.Copy(m, "a", m, "b", 3))
	if got := tree(m); got != "a=new b=new old=old" {
		t.Errorf("%q", got)
	}
}

// TestTransferLinksAcrossDirectories is the case of a database and its snapshot, each
// opened by itself.
func TestTransferLinksAcrossDirectories(t *testing.T) {
	top := t.TempDir()
	for _, dir := range []string{"data/segments/0", "backup/snap.tmp/segments/0"} {
		check(t, fsys.MkdirRoot(filepath.Join(top, dir)))
	}
	data := openDir(t, filepath.Join(top, "data"))
	backup := openDir(t, filepath.Join(top, "backup"))
	check(t, create(t, data, "segments/0/1.seg", "abc").Close())
	check(t, create(t, data, "root.seg", "def").Close())
	snap := fsys.Sub(backup, "snap.tmp")
	for from, to := range map[string]string{"segments/0/1.seg": "segments/0/1.seg", "root.seg": "root.seg"} {
		linked, err := fsys.Transfer(data, from, snap, to)
		if err != nil || !linked {
			t.Fatalf("%s: linked %v, %v", from, linked, err)
		}
		a, errA := os.Stat(filepath.Join(top, "data", from))
		b, errB := os.Stat(filepath.Join(top, "backup/snap.tmp", to))
		if errA != nil || errB != nil || !os.SameFile(a, b) {
			t.Errorf("%s is another file: %v, %v", to, errA, errB)
		}
	}
	// What happens to the directories' names does not matter to a root that is open.
	check(t, backup.Rename("snap.tmp", "snap"))
	if linked, err := fsys.Transfer(data, "root.seg", backup, "snap/segments/again"); err != nil || !linked {
		t.Errorf("after the rename: linked %v, %v", linked, err)
	}
	if err := os.Symlink("root.seg", filepath.Join(top, "data", "symlink")); err == nil {
		if linked, err := fsys.Transfer(data, "symlink", backup, "symlink"); err == nil {
			t.Errorf("a symbolic link was transferred, linked %v", linked)
		}
	}
}

func TestOpenFileLimit(t *testing.T) {
	if limit, ok := fsys.OpenFileLimit(); ok && (limit < 16 || limit > 1<<40) {
		t.Errorf("limit %d", limit)
	}
}

// TestRemovedMeanwhileIsNoError has another remove what DiskUsage and RemoveAll are
// about to look at.
func TestRemovedMeanwhileIsNoError(t *testing.T) {
	for _, kind := range []fsys.OpKind{fsys.OpList, fsys.OpRemove} {
		for _, victim := range []string{"d/e/f", "d/e", "d/a"} {
			m := fsys.NewMem()
			check(t, m.MkdirAll("d/e"))
			check(t, create(t, m, "d/a", "12").Close())
			check(t, create(t, m, "d/e/f", "345").Close())
			m.SetHook(func(op fsys.Op) fsys.Fault {
				if op.Kind == kind && op.Path != "d" {
					m.SetHook(nil)
					check(t, fsys.RemoveAll(m, "d/e"))
					if victim != "d/e" {
						check(t, fsys.RemoveAll(m, "d"))
					}
				}
				return fsys.Fault{}
			})
			if n, err := fsys.DiskUsage(m, "d"); err != nil || n != 2 && n != 5 {
				t.Errorf("DiskUsage = %d, %v", n, err)
			}
			check(t, fsys.RemoveAll(m, "d"))
			if got := tree(m); got != "" {
				t.Errorf("left %q", got)
			}
		}
	}
}
