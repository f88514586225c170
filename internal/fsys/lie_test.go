package fsys_test

import (
	"strings"
	"testing"

	"github.com/sydradb/sydradb/internal/fsys"
)

// failNext has the next operation of one kind fail, and only that.
func failNext(m *fsys.Mem, kind fsys.OpKind, written int) {
	m.SetHook(func(op fsys.Op) fsys.Fault {
		if op.Kind != kind {
			return fsys.Fault{}
		}
		m.SetHook(nil)
		return fsys.Fault{Err: errInjected, Written: written}
	})
}

func wantInjected(t *testing.T, err error) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), errInjected.Error()) {
		t.Fatalf("error %v, want the injected one", err)
	}
}

func TestFailedSyncSavesNothingEvenWhenRetried(t *testing.T) {
	m := fsys.NewMem()
	f := createSynced(t, m, "a", "x")
	write(t, f, "y")
	failNext(m, fsys.OpSync, 0)
	wantInjected(t, f.Sync())
	check(t, f.Sync())
	if got := tree(m); got != "a=xy" {
		t.Errorf("reads show %q", got)
	}
	wantOutcomes(t, outcomes(m, 0, tree), "a=x")
	wantOutcomes(t, outcomes(m, 100, tree), "a=x", "a=x\x00", "a=xy")

	write(t, f, "z")
	check(t, f.Sync())
	wantOutcomes(t, outcomes(m, 0, tree), "a=x\x00z")
	wantOutcomes(t, outcomes(m, 100, tree), "a=x\x00z", "a=xyz")

	write(t, f, "w")
	failNext(m, fsys.OpSync, 0)
	wantInjected(t, f.Sync())
	check(t, f.Sync())
	wantOutcomes(t, outcomes(m, 0, tree), "a=x\x00z")
}

func TestFailedSyncDropsATruncate(t *testing.T) {
	m := fsys.NewMem()
	f := createSynced(t, m, "a", "abcd")
	check(t, f.Truncate(2))
	failNext(m, fsys.OpSync, 0)
	wantInjected(t, f.Sync())
	check(t, f.Sync())
	wantOutcomes(t, outcomes(m, 0, tree), "a=abcd")
	check(t, f.Truncate(0))
	write(t, f, "whole")
	check(t, f.Sync())
	wantOutcomes(t, outcomes(m, 50, tree), "a=whole")
}

func TestFailedSyncDirSavesNothingEvenWhenRetried(t *testing.T) {
	m := fsys.NewMem()
	check(t, m.MkdirAll("d"))
	createSynced(t, m, "a", "x")
	createSynced(t, m, "gone", "")
	check(t, m.Rename("a", "b"))
	check(t, m.Rename("gone", "d/arrived"))
	failNext(m, fsys.OpSyncDir, 0)
	wantInjected(t, m.SyncDir(""))
	check(t, m.SyncDir(""))
	if got := tree(m); got != "b=x d/ d/arrived=" {
		t.Errorf("reads show %q", got)
	}
	wantOutcomes(t, outcomes(m, 0, tree), "a=x d/ gone=")

	// What comes later is saved, in the same directory too.
	check(t, m.Rename("b", "c"))
	check(t, m.Remove("d/arrived"))
	check(t, m.SyncDir(""))
	check(t, m.SyncDir("d"))
	if got := tree(m.CrashClone(newRand(1), 0)); !strings.Contains(got, "c=x") {
		t.Errorf("a later rename was lost: %q", got)
	}
}

func TestDroppedArrivalHoldsDepartureBack(t *testing.T) {
	m := fsys.NewMem()
	check(t, m.MkdirAll("d"))
	createSynced(t, m, "a", "x")
	check(t, m.Rename("a", "d/b"))
	failNext(m, fsys.OpSyncDir, 0)
	wantInjected(t, m.SyncDir("d"))
	check(t, m.SyncDir(""))
	wantOutcomes(t, outcomes(m, 0, tree), "a=x d/")
	wantOutcomes(t, outcomes(m, 100, tree), "a=x d/", "a=x d/ d/b=x", "d/ d/b=x")
}

func TestFailedCloseIsAFailedSyncAndReleases(t *testing.T) {
	m := fsys.NewMem()
	f := createSynced(t, m, "a", "x")
	write(t, f, "y")
	reader, err := m.Open("a")
	check(t, err)
	failNext(m, fsys.OpClose, 0)
	wantInjected(t, reader.Close()) // a late error of a reader loses nothing
	g, err := m.OpenAppend("a")
	check(t, err)
	failNext(m, fsys.OpClose, 0)
	wantInjected(t, f.Close())
	check(t, g.Sync())
	wantOutcomes(t, outcomes(m, 0, tree), "a=x")
	if open := m.OpenFiles(); len(open) != 1 || open[0] != "a" {
		t.Errorf("open files: %v, want one", open)
	}
	check(t, g.Close())
}

func TestShortWriteStoresWhatItSays(t *testing.T) {
	for written, want := range map[int]string{-1: "a=", 0: "a=", 3: "a=abc", 6: "a=abcdef", 9: "a=abcdef"} {
		m := fsys.NewMem()
		f := createSynced(t, m, "a", "")
		failNext(m, fsys.OpWrite, written)
		n, err := f.Write([]byte("abcdef"))
		wantInjected(t, err)
		if n != len(want)-len("a=") || tree(m) != want {
			t.Errorf("Written %d: %d, file %q", written, n, tree(m))
		}
		check(t, f.Sync())
		wantOutcomes(t, outcomes(m, 0, tree), want)
	}
}

// TestFaultLeavesThingsAsTheyWere has each operation fail and looks that it did nothing.
func TestFaultLeavesThingsAsTheyWere(t *testing.T) {
	m := fsys.NewMem()
	check(t, m.MkdirAll("d"))
	f := createSynced(t, m, "a", "abc")
	before := tree(m)
	for kind, do := range map[fsys.OpKind]func() error{
		fsys.OpOpen:       func() error { _, err := m.Open("a"); return err },
		fsys.OpCreate:     func() error { _, err := m.Create("a"); return err },
		fsys.OpOpenAppend: func() error { _, err := m.OpenAppend("a"); return err },
		fsys.OpRename:     func() error { return m.Rename("a", "b") },
		fsys.OpLink:       func() error { return m.Link("a", "b") },
		fsys.OpRemove:     func() error { return m.Remove("d") },
		fsys.OpMkdirAll:   func() error { return m.MkdirAll("e") },
		fsys.OpList:       func() error { _, err := m.List(""); return err },
		fsys.OpStat:       func() error { _, err := m.Stat("a"); return err },
		fsys.OpLock:       func() error { _, err := m.Lock("LOCK"); return err },
		fsys.OpSpace:      func() error { _, err := m.Space(); return err },
		fsys.OpRead:       func() error { _, err := f.ReadAt(make([]byte, 1), 0); return err },
		fsys.OpTruncate:   func() error { return f.Truncate(1) },
		fsys.OpSize:       func() error { _, err := f.Size(); return err },
	} {
		failNext(m, kind, 0)
		wantInjected(t, do())
		if got := tree(m); got != before {
			t.Errorf("%v: %q, want %q", kind, got, before)
		}
	}
	failNext(m, fsys.OpRead, 2)
	buf := make([]byte, 3)
	n, err := f.ReadAt(buf, 0)
	wantInjected(t, err)
	if string(buf[:n]) != "ab" {
		t.Errorf("short read gave %q, want ab", buf[:n])
	}
}

func TestHookMayUseTheFileSystem(t *testing.T) {
	m := fsys.NewMem()
	var seen []string
	m.SetHook(func(op fsys.Op) fsys.Fault {
		seen = append(seen, op.String()+": "+tree(m.CrashClone(newRand(1), 100)))
		return fsys.Fault{}
	})
	f := create(t, m, "a", "xy")
	check(t, f.Sync())
	check(t, m.Rename("a", "b"))
	m.SetHook(nil)
	want := "create a: |write a at 0, 2 bytes: a=|sync a: a=xy|rename a b: a=xy"
	if got := strings.Join(seen, "|"); got != want {
		t.Errorf("seen %q, want %q", got, want)
	}
}
