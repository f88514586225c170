package sydradb

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/engine"
	"github.com/sydradb/sydradb/internal/fsys"
)

// TestBatchSurvivesItsContext verifies that a batch whose context ended while the writer
// had it can be written again.
func TestBatchSurvivesItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := fsys.NewMem()
		e, err := engine.Open(fs, engine.Options{Sync: engine.SyncAlways})
		if err != nil {
			t.Fatal(err)
		}
		db := &DB{e: e, fs: fs}
		s, err := db.Series("a")
		if err != nil {
			t.Fatal(err)
		}
		disk := make(chan struct{})
		fs.SetHook(func(op fsys.Op) fsys.Fault {
			if op.Kind == fsys.OpSync && op.Path == base.CurrentWAL {
				<-disk
			}
			return fsys.Fault{}
		})
		batch := db.NewBatch()
		batch.Add(s, 1, 2)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := db.Write(ctx, batch); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("error %v, want that of the context", err)
		}
		close(disk)
		if err := db.Write(t.Context(), batch); err != nil || batch.Len() != 1 {
			t.Errorf("second attempt of %d points: %v", batch.Len(), err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

// TestForeignSeriesAreRefused verifies that a handle of one DB does not write to a
// series of another that happens to have the same place there.
func TestForeignSeriesAreRefused(t *testing.T) {
	open := func(name string) (*DB, *Series) {
		db, err := Open("", &Options{InMemory: true})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = db.Close() })
		s, err := db.Series(name)
		if err != nil {
			t.Fatal(err)
		}
		return db, s
	}
	a, ofA := open("a")
	b, ofB := open("b")
	for want, series := range map[int][]*Series{0: {ofA}, 1: {ofB, ofA}, 2: {ofB, ofB, ofA, ofB}} {
		var batch Batch
		for i, s := range series {
			batch.Add(s, int64(i), 1)
		}
		var refused *PointError
		if err := b.Write(t.Context(), &batch); !errors.As(err, &refused) || refused.Index != want {
			t.Errorf("error %v, want one at point %d", err, want)
		}
	}
	if s := b.Stats(); s.MemtablePoints != 0 {
		t.Errorf("%d points were stored", s.MemtablePoints)
	}
	batch := b.NewBatch()
	batch.Add(ofA, 1, 1)
	batch.Reset()
	batch.Add(ofB, 1, 1)
	if err := b.Write(t.Context(), batch); err != nil {
		t.Errorf("after Reset: %v", err)
	}
	batch.Reset()
	batch.Add(ofA, 1, 1)
	if err := a.Write(t.Context(), batch); err != nil {
		t.Errorf("reused for another DB: %v", err)
	}
	batch.Reset()
	batch.Add(ofA, MaxTime+1, 1)
	var refused *PointError
	if err := a.Write(t.Context(), batch); !errors.As(err, &refused) || refused.TS != MaxTime+1 {
		t.Errorf("time out of range: %v", err)
	}
}

// DeleteFunc takes out what it is told to, and knows afterwards whose series are left.
func TestBatchDeleteFunc(t *testing.T) {
	db, other := openMem(t), openMem(t)
	a, b := mustSeries(t, db, "a"), mustSeries(t, other, "b")
	batch := db.NewBatch()
	for ts := range int64(4) {
		batch.Add(a, ts, float64(ts))
		batch.Add(b, ts, float64(ts))
	}
	var point *PointError
	if err := db.Write(t.Context(), batch); !errors.As(err, &point) || point.Index != 1 {
		t.Fatalf("a batch with series of two databases: %v", err)
	}
	if n := batch.DeleteFunc(func(_ *Series, ts int64, _ float64) bool { return ts == 0 }); n != 2 || batch.Len() != 6 {
		t.Errorf("%d deleted, %d left; want 2 and 6", n, batch.Len())
	}
	if err := db.Write(t.Context(), batch); !errors.As(err, &point) || point.Index != 1 || point.TS != 1 {
		t.Errorf("a foreign series is left: %v", err)
	}
	if n := batch.DeleteFunc(func(s *Series, _ int64, _ float64) bool { return s == b }); n != 3 {
		t.Errorf("%d deleted, want 3", n)
	}
	if err := db.Write(t.Context(), batch); err != nil {
		t.Error(err)
	}
	if n := batch.DeleteFunc(func(*Series, int64, float64) bool { return true }); n != 3 || batch.Len() != 0 {
		t.Errorf("%d deleted, %d left; want 3 and 0", n, batch.Len())
	}
	batch.Add(b, 9, 9) // an empty batch is of whom its first point is
	if err := other.Write(t.Context(), batch); err != nil {
		t.Error(err)
	}
}

func openMem(t *testing.T) *DB {
	t.Helper()
	db, err := Open("", &Options{InMemory: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func mustSeries(t *testing.T, db *DB, name string, tags ...Tag) *Series {
	t.Helper()
	s, err := db.Series(name, tags...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
