package sydradb

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestStores opens databases that earlier versions wrote: for reading only, for writing,
// and after their files were merged. Each time all points are there, bit by bit.
func TestStores(t *testing.T) {
	lists, err := filepath.Glob("testdata/stores/*.points")
	if err != nil || len(lists) < 2 {
		t.Fatalf("%q, %v", lists, err)
	}
	for _, list := range lists {
		source := strings.TrimSuffix(list, ".points")
		t.Run(filepath.Base(source), func(t *testing.T) {
			text, err := os.ReadFile(list)
			if err != nil {
				t.Fatal(err)
			}
			want := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
			dir := filepath.Join(t.TempDir(), "db")
			if err := os.CopyFS(dir, os.DirFS(source)); err != nil {
				t.Fatal(err)
			}
			db := mustOpenStore(t, dir, &Options{ReadOnly: true})
			samePoints(t, "read only", db, want)
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			db = mustOpenStore(t, dir, &Options{MergeOff: true})
			samePoints(t, "opened", db, want)
			if err := db.Compact(context.Background()); err != nil {
				t.Fatal(err)
			}
			samePoints(t, "merged", db, want)
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			report, err := Check(context.Background(), dir)
			if err != nil || len(report.Findings) > 0 {
				t.Errorf("check: %v, %+v", err, report.Findings)
			}
		})
	}
}

func mustOpenStore(t *testing.T, dir string, opts *Options) *DB {
	t.Helper()
	db, err := Open(dir, opts)
	if err != nil {
		t.Fatal(err)
	}
	return db
}

// samePoints compares all points of db with lines of series, time and bits of the value.
func samePoints(t *testing.T, what string, db *DB, want []string) {
	t.Helper()
	it, err := db.Query(context.Background(), Query{Start: MinTime, End: MaxTime})
	if err != nil {
		t.Fatal(err)
	}
	defer it.Close()
	var got []string
	for it.Next() {
		b := it.Block()
		for i, v := range b.Values {
			got = append(got, fmt.Sprintf("%s %d %016x", b.Series, b.Times[i], math.Float64bits(v)))
		}
	}
	if err := it.Err(); err != nil {
		t.Fatal(err)
	}
	slices.Sort(got)
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			t.Fatalf("%s: %q, not %q", what, got[i], want[i])
		}
	}
	if len(got) != len(want) {
		t.Errorf("%s: %d points, not %d", what, len(got), len(want))
	}
}
