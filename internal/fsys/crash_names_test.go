package fsys_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/sydradb/sydradb/internal/fsys"
)

func TestRenameLeavesOldNewOrBoth(t *testing.T) {
	for _, to := range []string{"b", "d/b"} {
		t.Run(to, func(t *testing.T) {
			m := fsys.NewMem()
			check(t, m.MkdirAll("d"))
			createSynced(t, m, "a", "x")
			check(t, m.Rename("a", to))
			wantOutcomes(t, outcomes(m, 50, tree), "a=x d/", sorted("d/", to+"=x"), sorted("a=x", "d/", to+"=x"))
		})
	}
}

func sorted(parts ...string) string {
	slices.Sort(parts)
	return strings.Join(parts, " ")
}

func TestRenameOverAFileLeavesOneOfThem(t *testing.T) {
	m := fsys.NewMem()
	createSynced(t, m, "a", "old")
	createSynced(t, m, "a.tmp", "new")
	check(t, m.Rename("a.tmp", "a"))
	wantOutcomes(t, outcomes(m, 50, tree), "a.tmp=new a=old", "a=new", "a.tmp=new a=new")
	check(t, m.SyncDir(""))
	wantOutcomes(t, outcomes(m, 50, tree), "a=new")
}

// TestRenameIsNeverNeither moves a file about and back, with syncs of either directory
// in between: it always has some name.
func TestRenameIsNeverNeither(t *testing.T) {
	for seed := range uint64(300) {
		rng := newRand(seed)
		m := fsys.NewMem()
		check(t, m.MkdirAll("d"))
		createSynced(t, m, "a", "x")
		check(t, m.SyncDir(""))
		names := []string{"a", "b", "d/a", "d/b"}
		at := "a"
		for range 8 {
			to := names[rng.IntN(len(names))]
			check(t, m.Rename(at, to))
			at = to
			if rng.IntN(3) == 0 {
				check(t, m.SyncDir([]string{"", "d"}[rng.IntN(2)]))
			}
			for _, keep := range []int{0, 50, 100} {
				if got := tree(m.CrashClone(rng, keep)); !strings.Contains(got, "=x") {
					t.Fatalf("seed %d, keep %d: the file is gone: %q", seed, keep, got)
				}
			}
		}
	}
}

// TestSyncedRenamesLoseNoFile moves files about, over each other too, and syncs now one
// directory, now the other: a file that was durable once and was not replaced has a
// name in the durable state for ever.
func TestSyncedRenamesLoseNoFile(t *testing.T) {
	names := []string{"a", "b", "c", "d/a", "d/b", "d/c"}
	for seed := range uint64(500) {
		rng := newRand(seed)
		m := fsys.NewMem()
		check(t, m.MkdirAll("d"))
		check(t, m.SyncDir(""))
		durable := map[string]bool{} // contents seen in the durable state
		for step := range 25 {
			from, to := names[rng.IntN(len(names))], names[rng.IntN(len(names))]
			if there, _ := fsys.Exists(m, from); there {
				check(t, m.Rename(from, to))
			} else {
				f := create(t, m, from, fmt.Sprintf("=%d.", step))
				check(t, f.Sync())
			}
			if rng.IntN(3) == 0 {
				check(t, m.SyncDir([]string{"", "d"}[rng.IntN(2)]))
			}
			now, left := tree(m), tree(m.CrashClone(rng, 0))
			for i := range step + 1 {
				content := fmt.Sprintf("==%d.", i)
				if durable[content] && strings.Contains(now, content) && !strings.Contains(left, content) {
					t.Fatalf("seed %d, step %d: %s is lost: %q of %q", seed, step, content, left, now)
				}
				durable[content] = durable[content] || strings.Contains(left, content)
			}
		}
	}
}

// TestNameGivenAnewMayLoseTheRenamed is the fault of a log that goes on under the old
// name before the rename of the full one was synced.
func TestNameGivenAnewMayLoseTheRenamed(t *testing.T) {
	m := fsys.NewMem()
	createSynced(t, m, "current", "old")
	check(t, m.Rename("current", "1"))
	check(t, create(t, m, "current", "new").Sync())
	counts := outcomes(m, 50, tree)
	if counts["current=new"] < clones/100 {
		t.Errorf("the renamed file was lost %d times in %d: %v", counts["current=new"], clones, counts)
	}
}

func TestSyncOfDepartedDirectorySettlesArrival(t *testing.T) {
	m := fsys.NewMem()
	check(t, m.MkdirAll("d"))
	createSynced(t, m, "a", "x")
	check(t, m.Rename("a", "d/a"))
	check(t, m.SyncDir(""))
	wantOutcomes(t, outcomes(m, 50, tree), "d/ d/a=x")
}

func TestSyncOfArrivedDirectoryLeavesDepartureOpen(t *testing.T) {
	m := fsys.NewMem()
	check(t, m.MkdirAll("d"))
	createSynced(t, m, "a", "x")
	check(t, m.Rename("a", "d/a"))
	check(t, m.SyncDir("d"))
	counts := outcomes(m, 50, tree)
	wantOutcomes(t, counts, "a=x d/ d/a=x", "d/ d/a=x")
	if n := counts["d/ d/a=x"]; n < clones*4/10 || n > clones*6/10 {
		t.Errorf("the departure survived %d times in %d, want half", n, clones)
	}
}

// TestUnlinkMayOvertake is the fault of an engine that removes the log before the
// manifest which replaces it was synced.
func TestUnlinkMayOvertake(t *testing.T) {
	m := fsys.NewMem()
	createSynced(t, m, "log", "x")
	manifest := createSynced(t, m, "manifest", "")
	write(t, manifest, "y")
	check(t, m.Remove("log"))
	counts := outcomes(m, 50, tree)
	for _, want := range []string{"manifest=", "manifest=y", "log=x manifest=", "log=x manifest=y"} {
		if counts[want] < clones/100 {
			t.Errorf("%q came up %d times in %d: %v", want, counts[want], clones, counts)
		}
	}
}
