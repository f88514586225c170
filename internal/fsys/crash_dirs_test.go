package fsys_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/sydradb/sydradb/internal/fsys"
)

func TestRenameOfADirectoryLeavesOldOrNew(t *testing.T) {
	for _, to := range []string{"b", "d/b"} {
		t.Run(to, func(t *testing.T) {
			m := fsys.NewMem()
			check(t, m.MkdirAll("a/inner"))
			check(t, m.MkdirAll("d"))
			check(t, fsys.SyncTree(m, ""))
			createSynced(t, m, "a/inner/f", "x")
			check(t, m.Rename("a", to))
			before := sorted("a/", "a/inner/", "a/inner/f=x", "d/")
			after := sorted("d/", to+"/", to+"/inner/", to+"/inner/f=x")
			wantOutcomes(t, outcomes(m, 0, tree), before)
			wantOutcomes(t, outcomes(m, 50, tree), before, after)
			wantOutcomes(t, outcomes(m, 100, tree), after)
			for _, synced := range []string{"", "d"} {
				if synced == "d" && to == "b" {
					continue // has nothing to do with it
				}
				clone := m.CrashClone(newRand(1), 0) // a rename of its own, as open as the first
				check(t, clone.Rename("a", to))
				check(t, clone.SyncDir(synced))
				wantOutcomes(t, outcomes(clone, 50, tree), after)
			}
		})
	}
}

func TestContentsOfAMovedDirectoryAreAsTheyWere(t *testing.T) {
	m := fsys.NewMem()
	check(t, m.MkdirAll("a"))
	check(t, m.SyncDir(""))
	check(t, create(t, m, "a/unlisted", "x").Sync())
	f := createSynced(t, m, "a/unsynced", "")
	createSynced(t, m, "a/gone", "z")
	write(t, f, "y")
	check(t, m.Remove("a/gone"))
	check(t, m.Rename("a", "b"))
	check(t, m.SyncDir(""))
	wantOutcomes(t, outcomes(m, 0, tree), "b/ b/gone=z b/unlisted=x b/unsynced=")
	wantOutcomes(t, outcomes(m, 100, tree), "b/ b/unlisted=x b/unsynced=y")
	check(t, f.Sync())
	check(t, m.SyncDir("b"))
	wantOutcomes(t, outcomes(m, 50, tree), "b/ b/unlisted=x b/unsynced=y")
}

func TestFailedSyncDropsTheMoveOfADirectory(t *testing.T) {
	for _, synced := range []string{"", "d"} {
		m := fsys.NewMem()
		check(t, m.MkdirAll("a"))
		check(t, m.MkdirAll("d"))
		check(t, m.SyncDir(""))
		check(t, m.Rename("a", "d/b"))
		failNext(m, fsys.OpSyncDir, 0)
		wantInjected(t, m.SyncDir(synced))
		check(t, m.SyncDir(synced))
		wantOutcomes(t, outcomes(m, 0, tree), "a/ d/")
		wantOutcomes(t, outcomes(m, 50, tree), "a/ d/", "d/ d/b/")
	}
}

// TestADirectoryHasOneName moves directories about, always to names not used before,
// with syncs of either parent that succeed or fail: after any power cut each is in one
// place, and where its parent says it is once both were synced.
func TestADirectoryHasOneName(t *testing.T) {
	const dirs = 3
	for seed := range uint64(300) {
		rng := newRand(seed)
		m := fsys.NewMem()
		check(t, m.MkdirAll("p"))
		at := make([]string, dirs)
		for d := range dirs {
			at[d] = fmt.Sprintf("d%d", d)
			check(t, m.MkdirAll(at[d]))
			createSynced(t, m, at[d]+"/f", fmt.Sprintf("<%d>", d))
		}
		check(t, m.SyncDir(""))
		failed := false
		for move := range 10 {
			d := rng.IntN(dirs)
			to := []string{"", "p/"}[rng.IntN(2)] + fmt.Sprintf("m%d", move)
			check(t, m.Rename(at[d], to))
			at[d] = to
			switch parent := []string{"", "p"}[rng.IntN(2)]; rng.IntN(6) {
			case 0:
				failNext(m, fsys.OpSyncDir, 0)
				wantInjected(t, m.SyncDir(parent))
				failed = true
			case 1, 2:
				check(t, m.SyncDir(parent))
			}
			for _, keep := range []int{0, 50, 100} {
				got := tree(m.CrashClone(rng, keep))
				for d := range dirs {
					if n := strings.Count(got, fmt.Sprintf("<%d>", d)); n != 1 {
						t.Fatalf("seed %d, move %d, keep %d: directory %d is there %d times: %q", seed, move, keep, d, n, got)
					}
				}
			}
		}
		check(t, m.SyncDir("p"))
		check(t, m.SyncDir(""))
		if now, left := tree(m), tree(m.CrashClone(rng, 0)); !failed && now != left {
			t.Fatalf("seed %d: %q is left of %q", seed, left, now)
		}
	}
}

// The bugs that can be built into a copy of a directory.
const (
	noTreeSync   = "directories not synced before the rename"
	noParentSync = "parent not synced after the rename"
	linkGrowing  = "file that grows linked instead of copied"
	inPlace      = "built under its final name"
)

// cloneTree makes "snap" out of "data" in the manner of the engine's snapshots: links of
// what never changes, a copy of the first bytes of the file that grows.
func cloneTree(fs fsys.FS, bug string) error {
	temp := "snap.tmp"
	if bug == inPlace {
		temp = "snap"
	}
	data, snap := fsys.Sub(fs, "data"), fsys.Sub(fs, temp)
	steps := []func() error{
		func() error { return fsys.RemoveAll(fs, temp) },
		func() error { return snap.MkdirAll("segments") },
		func() error { _, err := fsys.Transfer(data, "segments/1", snap, "segments/1"); return err },
		func() error { return fsys.Copy(data, "catalog", snap, "catalog", 3) },
		func() error { return fsys.SyncTree(snap, "") },
		func() error { return fs.Rename(temp, "snap") },
		func() error { return fs.SyncDir("") },
	}
	switch bug {
	case noTreeSync:
		steps[4] = func() error { return nil }
	case noParentSync:
		steps[6] = func() error { return nil }
	case inPlace:
		steps[5] = func() error { return nil }
	case linkGrowing:
		steps[3] = func() error { _, err := fsys.Transfer(data, "catalog", snap, "catalog"); return err }
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// TestCloneOfADirectoryIsWholeOrNotThere cuts the power before and after each operation
// that builds a snapshot, and has each fail: what stands under the final name is whole.
func TestCloneOfADirectoryIsWholeOrNotThere(t *testing.T) {
	const whole = "snap/ snap/catalog=cat snap/segments/ snap/segments/1=points"
	run := func(bug string, fail int) (ops, failures int) {
		m := fsys.NewMem()
		check(t, m.MkdirAll("data/segments"))
		check(t, fsys.SyncTree(m, ""))
		createSynced(t, m, "data/segments/1", "points")
		catalog := createSynced(t, m, "data/catalog", "cat")
		write(t, catalog, "alog that was not synced")
		verify := func(done bool) {
			rng := newRand(uint64(ops))
			for _, keep := range []int{0, 50, 50, 50, 100} {
				left := tree(m.CrashClone(rng, keep))
				_, snap, there := strings.Cut(left+" ", "snap/ ")
				if there && strings.TrimSpace("snap/ "+snap) != whole || done && !there {
					failures++
				}
			}
		}
		m.SetHook(func(op fsys.Op) fsys.Fault {
			if !op.Kind.Mutates() {
				return fsys.Fault{}
			}
			verify(false)
			ops++
			if ops-1 == fail {
				return fsys.Fault{Err: errInjected, Written: 1}
			}
			return fsys.Fault{}
		})
		err := cloneTree(m, bug)
		m.SetHook(nil)
		if (fail >= 0) != errors.Is(err, errInjected) {
			t.Errorf("%s, operation %d failing: %v", bug, fail, err)
		}
		verify(err == nil)
		return ops, failures
	}
	for _, bug := range []string{noBug, noTreeSync, noParentSync, linkGrowing, inPlace} {
		t.Run(bug, func(t *testing.T) {
			ops, failures := run(bug, -1)
			for fail := range ops {
				_, n := run(bug, fail)
				failures += n
			}
			t.Logf("%d operations, %d power cuts broke the promise", ops, failures)
			if (failures > 0) != (bug != noBug) {
				t.Errorf("%d failures", failures)
			}
		})
	}
}
