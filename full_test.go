package sydradb

import (
	"errors"
	"testing"
	"time"

	"github.com/sydradb/sydradb/internal/fsys"
)

// Whatever finds no room says that the disk is full, by the error that stands for it: the
// server answers by it.
func TestFullDiskIsNamed(t *testing.T) {
	db := mustOpenStore(t, "", &Options{InMemory: true, Retention: time.Hour, MergeOff: true})
	defer db.Close()
	disk := db.fs.(*fsys.Mem)
	write := func(ts int64) {
		t.Helper()
		batch := db.NewBatch()
		batch.Add(mustSeries(t, db, "a"), ts, 1)
		if err := db.Write(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
	}
	flush := func() {
		t.Helper()
		if err := db.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	fails := func(what string, do func() error) {
		t.Helper()
		disk.SetHook(func(op fsys.Op) fsys.Fault {
			if op.Kind == fsys.OpCreate || op.Kind == fsys.OpWrite {
				return fsys.Fault{Err: fsys.ErrNoSpace}
			}
			return fsys.Fault{}
		})
		err := do()
		disk.SetHook(nil)
		if !errors.Is(err, ErrDiskFull) || !errors.Is(err, fsys.ErrNoSpace) {
			t.Errorf("%s without room: %v", what, err)
		}
	}
	write(1) // is older than what is kept
	flush()
	write(2)
	fails("a flush", func() error { return db.Flush(t.Context()) })
	flush()
	fails("a merge", func() error { return db.Compact(t.Context()) })
	fails("retention", func() error { return db.Retain(t.Context(), true) })
	if n := db.Stats().SegmentFiles; n != 2 {
		t.Errorf("%d files, want those that were there before", n)
	}
}
