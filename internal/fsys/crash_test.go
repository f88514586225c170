package fsys_test

import (
	"fmt"
	"testing"

	"github.com/sydradb/sydradb/internal/fsys"
)

func TestSyncedSurvives(t *testing.T) {
	m := fsys.NewMem()
	check(t, m.MkdirAll("d"))
	check(t, m.SyncDir(""))
	createSynced(t, m, "d/a", "abc")
	for _, keep := range []int{0, 50, 100} {
		wantOutcomes(t, outcomes(m, keep, tree), "d/ d/a=abc")
	}
}

func TestUnsyncedIsLostAtZeroAndKeptAtHundred(t *testing.T) {
	for name, test := range map[string]struct {
		do         func(*testing.T, *fsys.Mem)
		zero, full string
	}{
		"file":             {func(t *testing.T, m *fsys.Mem) { create(t, m, "b", "x") }, "a=abc", "a=abc b=x"},
		"name of synced":   {func(t *testing.T, m *fsys.Mem) { check(t, create(t, m, "b", "x").Sync()) }, "a=abc", "a=abc b=x"},
		"bytes of named":   {func(t *testing.T, m *fsys.Mem) { create(t, m, "b", "x"); check(t, m.SyncDir("")) }, "a=abc b=", "a=abc b=x"},
		"rename":           {func(t *testing.T, m *fsys.Mem) { check(t, m.Rename("a", "b")) }, "a=abc", "b=abc"},
		"link":             {func(t *testing.T, m *fsys.Mem) { check(t, m.Link("a", "b")) }, "a=abc", "a=abc b=abc"},
		"remove":           {func(t *testing.T, m *fsys.Mem) { check(t, m.Remove("a")) }, "a=abc", ""},
		"mkdir":            {func(t *testing.T, m *fsys.Mem) { check(t, m.MkdirAll("d/e")) }, "a=abc", "a=abc d/ d/e/"},
		"emptied":          {func(t *testing.T, m *fsys.Mem) { create(t, m, "a", "") }, "a=abc", "a="},
		"rewritten":        {func(t *testing.T, m *fsys.Mem) { create(t, m, "a", "z") }, "a=abc", "a=z"},
		"removed and new":  {func(t *testing.T, m *fsys.Mem) { check(t, m.Remove("a")); create(t, m, "a", "n") }, "a=abc", "a=n"},
		"synced in lost d": {func(t *testing.T, m *fsys.Mem) { check(t, m.MkdirAll("d")); createSynced(t, m, "d/f", "x") }, "a=abc", "a=abc d/ d/f=x"},
	} {
		t.Run(name, func(t *testing.T) {
			m := fsys.NewMem()
			check(t, createSynced(t, m, "a", "abc").Close())
			test.do(t, m)
			if got := tree(m.CrashClone(newRand(1), 0)); got != test.zero {
				t.Errorf("at 0: %q, want %q", got, test.zero)
			}
			if got := tree(m.CrashClone(newRand(1), 100)); got != test.full {
				t.Errorf("at 100: %q, want %q", got, test.full)
			}
			if got := tree(m); got != test.full {
				t.Errorf("the original: %q, want %q", got, test.full)
			}
		})
	}
}

func TestHardLinksStayOneFile(t *testing.T) {
	m := fsys.NewMem()
	createSynced(t, m, "a", "x")
	check(t, m.Link("a", "b"))
	check(t, m.SyncDir(""))
	clone := m.CrashClone(newRand(1), 50)
	f, err := clone.OpenAppend("a")
	check(t, err)
	write(t, f, "y")
	if got := tree(clone); got != "a=xy b=xy" {
		t.Errorf("clone holds %q", got)
	}
	if got := tree(m); got != "a=x b=x" {
		t.Errorf("original holds %q", got)
	}
}

func TestCloneAndOriginalAreApart(t *testing.T) {
	for _, keep := range []int{0, 50, 100} {
		m := fsys.NewMem()
		f := createSynced(t, m, "a", "xyz") // growing leaves the common array room to spare
		clone := m.CrashClone(newRand(1), keep)
		g, err := clone.OpenAppend("a")
		check(t, err)
		want, wantClone := "xyz", "xyz"
		for i := range 50 {
			write(t, f, "o")
			write(t, g, "c")
			want, wantClone = want+"o", wantClone+"c"
			if i == 20 {
				check(t, g.Truncate(5))
				wantClone = wantClone[:5]
			}
		}
		if got := tree(m); got != "a="+want {
			t.Errorf("keep %d: original holds %q", keep, got)
		}
		if got := tree(clone); got != "a="+wantClone {
			t.Errorf("keep %d: clone holds %q", keep, got)
		}
		check(t, clone.Remove("a"))
		check(t, clone.SyncDir(""))
		if got := tree(m); got != "a="+want {
			t.Errorf("keep %d: removing from the clone left the original %q", keep, got)
		}
		check(t, g.Close())
	}
}

func TestCloneIsADurableFreshStart(t *testing.T) {
	m := fsys.NewMem()
	m.SetCapacity(10)
	m.SetHook(func(fsys.Op) fsys.Fault { return fsys.Fault{} })
	create(t, m, "a", "abc")
	_, err := m.Lock("LOCK")
	check(t, err)
	clone := m.CrashClone(newRand(1), 100)
	if got := tree(clone.CrashClone(newRand(2), 0)); got != "LOCK= a=abc" {
		t.Errorf("a second power cut leaves %q", got)
	}
	if _, err := clone.Lock("LOCK"); err != nil {
		t.Errorf("the lock survived: %v", err)
	}
	if open := clone.OpenFiles(); len(open) != 0 {
		t.Errorf("open files: %v", open)
	}
	if free, _ := clone.Space(); free != 7 {
		t.Errorf("Space = %d, want 7", free)
	}
}

func TestCloneIsReproducible(t *testing.T) {
	build := func() *fsys.Mem {
		m := fsys.NewMem()
		check(t, m.MkdirAll("d"))
		for i := range 30 {
			f := create(t, m, fmt.Sprintf("d/%d", i), "0123456789")
			write(t, f, "abcdefghij")
			if i%3 == 0 {
				check(t, m.Rename(fmt.Sprintf("d/%d", i), fmt.Sprintf("r%d", i)))
			}
		}
		return m
	}
	a, b := build(), build()
	different := map[string]bool{}
	for seed := range uint64(50) {
		got, want := tree(a.CrashClone(newRand(seed), 70)), tree(b.CrashClone(newRand(seed), 70))
		if got != want {
			t.Fatalf("seed %d: %q and %q", seed, got, want)
		}
		different[got] = true
	}
	if len(different) < 45 {
		t.Errorf("50 seeds gave %d different trees", len(different))
	}
}
