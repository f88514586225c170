package sydradb

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// A file is damaged, the plan says so, nothing has changed until it is applied, and then
// the rest is answered.
func TestRepair(t *testing.T) {
	dir := t.TempDir()
	db, err := Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	b := db.NewBatch()
	for i, name := range []string{"good", "bad"} {
		s, err := db.Series(name)
		if err != nil {
			t.Fatal(err)
		}
		b.Add(s, int64(i), 1)
	}
	if err := errors.Join(db.Write(t.Context(), b), db.Flush(t.Context()), db.Close()); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "segments", "0", "*-1-1-*.seg"))
	if err != nil || len(files) != 1 {
		t.Fatalf("files %v, %v", files, err)
	}
	if err := os.WriteFile(files[0], []byte("rotten"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, apply := range []bool{false, true, true} {
		p, err := PlanRepair(t.Context(), dir)
		if err != nil {
			t.Fatal(err)
		}
		damaged := p.Report().Damaged()
		if len(p.Steps()) > 0 != damaged {
			t.Errorf("steps %v, findings %v", p.Steps(), p.Report().Findings)
		}
		if _, err := Open(dir, nil); !errors.Is(err, ErrLocked) {
			t.Errorf("open meanwhile: %v", err)
		}
		if apply {
			err = p.Apply(t.Context())
		}
		if err := errors.Join(err, p.Close()); err != nil {
			t.Fatal(err)
		}
		report, err := Check(t.Context(), dir)
		if err != nil || report.Damaged() == apply {
			t.Errorf("applied %v: %v, %v", apply, report, err)
		}
	}
	set, err := filepath.Glob(filepath.Join(dir, "quarantine", "*-1-1-*.seg"))
	if err != nil || len(set) != 1 {
		t.Errorf("set aside: %v, %v", set, err)
	}
	if db, err = Open(dir, nil); err != nil {
		t.Fatal(err)
	}
	if stats := db.Stats(); stats.SegmentPoints != 1 {
		t.Errorf("%d points", stats.SegmentPoints)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := PlanRepair(t.Context(), t.TempDir()); !errors.Is(err, ErrNotDatabase) {
		t.Errorf("of an empty directory: %v", err)
	}
}
