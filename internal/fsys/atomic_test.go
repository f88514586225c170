package fsys_test

import (
	"strings"
	"testing"

	"github.com/sydradb/sydradb/internal/fsys"
	"github.com/sydradb/sydradb/internal/golden"
)

// TestAtomicOrder pins the order of operations: a sync that goes missing shows here.
func TestAtomicOrder(t *testing.T) {
	m := fsys.NewMem()
	check(t, m.MkdirAll("d"))
	var lines strings.Builder
	fs := fsys.Trace(m, func(op fsys.Op) { lines.WriteString(op.String() + "\n") })
	check(t, fsys.WriteFileAtomic(fs, "d/one", []byte("abc")))
	check(t, fsys.WriteFileUnlisted(fs, "d/two", []byte("in"), []byte("pieces")))
	check(t, fsys.SyncParent(fs, "d/two"))
	_, err := fsys.ReadFile(fs, "d/two")
	check(t, err)
	golden.Check(t, "testdata/atomic.trace", []byte(lines.String()))
}

// TestAtomicIsOldOrNew cuts the power before each operation of WriteFileAtomic.
func TestAtomicIsOldOrNew(t *testing.T) {
	m := fsys.NewMem()
	createSynced(t, m, "a", "old")
	rng := newRand(1)
	m.SetHook(func(op fsys.Op) fsys.Fault {
		for range 200 {
			for _, keep := range []int{0, 50, 100} {
				data, err := fsys.ReadFile(m.CrashClone(rng, keep), "a")
				if err != nil || string(data) != "old" && string(data) != "new" {
					t.Fatalf("power cut before %v, keep %d: %q, %v", op, keep, data, err)
				}
			}
		}
		return fsys.Fault{}
	})
	check(t, fsys.WriteFileAtomic(m, "a", []byte("new")))
	m.SetHook(nil)
	wantOutcomes(t, outcomes(m, 0, tree), "a=new")
}

// TestAtomicFailure has each operation of WriteFileAtomic fail in turn.
func TestAtomicFailure(t *testing.T) {
	for fail := 0; ; fail++ {
		m := fsys.NewMem()
		check(t, createSynced(t, m, "a", "old").Close())
		count, failed := 0, fsys.OpKind(0)
		m.SetHook(func(op fsys.Op) fsys.Fault {
			count++
			if count-1 != fail {
				return fsys.Fault{}
			}
			failed = op.Kind
			return fsys.Fault{Err: errInjected, Written: 1}
		})
		err := fsys.WriteFileAtomic(m, "a", []byte("new"))
		m.SetHook(nil)
		if open := m.OpenFiles(); len(open) != 0 {
			t.Errorf("%v failed: left open %v", failed, open)
		}
		if failed == 0 {
			check(t, err)
			if fail != 7 {
				t.Errorf("%d operations, want 7", fail)
			}
			return
		}
		wantInjected(t, err)
		want := "a=old"
		if failed == fsys.OpSyncDir {
			want = "a=new"
		}
		if got := tree(m); got != want {
			t.Errorf("%v failed: %q, want %q", failed, got, want)
		}
	}
}

func TestReadFileReportsFaults(t *testing.T) {
	for _, kind := range []fsys.OpKind{fsys.OpOpen, fsys.OpSize, fsys.OpRead, fsys.OpClose} {
		m := fsys.NewMem()
		check(t, create(t, m, "a", "abc").Close())
		failNext(m, kind, 1)
		data, err := fsys.ReadFile(m, "a")
		wantInjected(t, err)
		if data != nil || len(m.OpenFiles()) != 0 {
			t.Errorf("%v failed: data %q, open %v", kind, data, m.OpenFiles())
		}
	}
	m := fsys.NewMem()
	failNext(m, fsys.OpStat, 0)
	there, err := fsys.Exists(m, "a")
	wantInjected(t, err)
	if there {
		t.Error("Exists is true with an error")
	}
}

func TestReadFileOfAFileCutMeanwhile(t *testing.T) {
	m := fsys.NewMem()
	f := create(t, m, "a", "abcdef")
	m.SetHook(func(op fsys.Op) fsys.Fault {
		if op.Kind == fsys.OpRead {
			m.SetHook(nil)
			check(t, f.Truncate(2))
		}
		return fsys.Fault{}
	})
	if data, err := fsys.ReadFile(m, "a"); err == nil {
		t.Errorf("read %q", data)
	}
}

func TestOpKinds(t *testing.T) {
	mutating := 0
	names := map[string]bool{}
	for kind := fsys.OpOpen; kind <= fsys.OpClose; kind++ {
		names[kind.String()] = true
		if kind.Mutates() {
			mutating++
		}
	}
	if len(names) != int(fsys.OpClose) || mutating != 10 {
		t.Errorf("%d names of %d kinds, %d mutate, want 10", len(names), fsys.OpClose, mutating)
	}
	if got := fsys.OpKind(99).String(); got != "op(99)" {
		t.Errorf("unknown kind is %q", got)
	}
	if fsys.OpRead.Mutates() || fsys.OpClose.Mutates() || !fsys.OpSync.Mutates() {
		t.Error("Mutates is wrong about read, close or sync")
	}
}

// A power cut in the middle of a rename may leave the temporary name on the file itself.
// Writing anew must not go through that name.
func TestWriteFileAtomicSparesAFileWithTwoNames(t *testing.T) {
	m := fsys.NewMem()
	if err := fsys.WriteFileAtomic(m, "a", []byte("old")); err != nil {
		t.Fatal(err)
	}
	if err := m.Link("a", "a.tmp"); err != nil {
		t.Fatal(err)
	}
	m.SetHook(func(op fsys.Op) fsys.Fault {
		if op.Kind == fsys.OpWrite {
			return fsys.Fault{Err: fsys.ErrNoSpace}
		}
		return fsys.Fault{}
	})
	if err := fsys.WriteFileAtomic(m, "a", []byte("new")); err == nil {
		t.Fatal("no error")
	}
	if data, err := fsys.ReadFile(m, "a"); err != nil || string(data) != "old" {
		t.Errorf("a holds %q, %v", data, err)
	}
}
