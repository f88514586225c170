//go:build plant

package engine

import (
	"os"
	"testing"
)

// TestPlanted runs with one bug switched on, named by SYDRADB_PLANT, and passes if the
// tests for crashes, faults and damage notice it. Without a bug they must notice nothing.
func TestPlanted(t *testing.T) {
	reuseMemory(t)
	bug := os.Getenv("SYDRADB_PLANT")
	cuts, err := enumerateUpkeep(t, 100)
	if err == nil {
		cuts, err = enumerateCrashes(t, 0, 4000)
	}
	runs := 0
	if err == nil {
		runs, err = runFaults(t, 0, 2000)
	}
	if err == nil {
		err = separateWays(60)
	}
	if err == nil {
		err = flipLogOfKilled(1)
	}
	t.Logf("%q after %d power cuts and %d faults: %v", bug, cuts, runs, err)
	if (err != nil) != (bug != "") {
		t.Errorf("bug %q: found %v", bug, err)
	}
}
