package engine

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/fsys"
)

// gate makes operations of one kind on one kind of file wait until it is opened.
type gate struct {
	kind   fsys.OpKind
	prefix string
	closed chan struct{}
}

func (g *gate) hook(op fsys.Op) fsys.Fault {
	if op.Kind == g.kind && strings.HasPrefix(op.Path, g.prefix) {
		<-g.closed
	}
	return fsys.Fault{}
}

// TestMemoryIsBounded lets the disk take no segment files while writers go on. Memory
// stays within two memtables, and writers are told after ten seconds.
func TestMemoryIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := fsys.NewMem()
		const limit = 256 << 10
		e, err := Open(fs, Options{MemtableBytes: limit})
		if err != nil {
			t.Fatal(err)
		}
		g := &gate{kind: fsys.OpSync, prefix: base.SegmentsDir, closed: make(chan struct{})}
		fs.SetHook(g.hook)
		rows := rowsOf(t, e, 100, 0, 1)
		began := time.Now()
		written := 0
		for err == nil {
			for i := range rows {
				rows[i].TS++
			}
			if _, err = e.Write(t.Context(), rows, nil); err == nil {
				written += len(rows)
			}
		}
		if !errors.Is(err, ErrOverloaded) {
			t.Fatalf("error %v, want ErrOverloaded", err)
		}
		if waited := time.Since(began); waited != overloadWait {
			t.Errorf("writer waited %v", waited)
		}
		s := e.Stats()
		const chunks = 100 << 10 // that one batch can add: one of at most 1 KiB a series
		if s.MemtableBytes > 2*(limit+chunks) || s.MemtablePoints != int64(written) {
			t.Errorf("%d bytes and %d points in memory, %d written", s.MemtableBytes, s.MemtablePoints, written)
		}
		close(g.closed)
		if _, err := e.Write(t.Context(), rows, nil); err != nil {
			t.Errorf("after the disk came back: %v", err)
		}
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

// TestContextEndsTheWait verifies what a writer whose context ends is told, when its
// batch has and has not been taken.
func TestContextEndsTheWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := fsys.NewMem()
		e, err := Open(fs, Options{Sync: SyncAlways})
		if err != nil {
			t.Fatal(err)
		}
		g := &gate{kind: fsys.OpSync, prefix: base.CurrentWAL, closed: make(chan struct{})}
		rows := rowsOf(t, e, 2, 1, 1)
		fs.SetHook(g.hook)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var first, second error
		var firstKept, secondKept bool
		var wg sync.WaitGroup
		wg.Go(func() { firstKept, first = e.Write(ctx, rows[:1], nil) }) // hangs in its sync
		synctest.Wait()
		wg.Go(func() { secondKept, second = e.Write(ctx, rows[1:], nil) }) // waits behind it
		wg.Wait()
		if !errors.Is(first, context.DeadlineExceeded) || !errors.Is(first, errUnknownOutcome) || !firstKept {
			t.Errorf("batch that was taken: kept %v, %v", firstKept, first)
		}
		if !errors.Is(second, context.DeadlineExceeded) || errors.Is(second, errUnknownOutcome) || secondKept {
			t.Errorf("batch that was not taken: kept %v, %v", secondKept, second)
		}
		close(g.closed)
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

// TestFailedSyncEndsWrites verifies that nothing is acknowledged after a failed sync,
// that reads go on, and that what was acknowledged before is saved past the log.
func TestFailedSyncEndsWrites(t *testing.T) {
	fs := fsys.NewMem()
	e := openTest(t, fs, Options{Sync: SyncInterval, SyncInterval: time.Hour})
	if _, err := e.Write(t.Context(), rowsOf(t, e, 3, 1, 1), nil); err != nil {
		t.Fatal(err)
	}
	fs.SetHook(func(op fsys.Op) fsys.Fault {
		if op.Kind == fsys.OpSync && op.Path == base.CurrentWAL {
			return fsys.Fault{Err: errInjected}
		}
		return fsys.Fault{}
	})
	if err := e.Flush(t.Context()); !errors.Is(err, ErrStorageFailed) { // rotation syncs
		t.Errorf("flush: %v", err)
	}
	if _, err := e.Write(t.Context(), rowsOf(t, e, 1, 2, 2), nil); !errors.Is(err, ErrStorageFailed) {
		t.Errorf("write: %v", err)
	}
	if got, err := readRaw(e); err != nil || got != 3 {
		t.Errorf("%d points, %v", got, err)
	}
	if s := e.Stats(); s.State != "failed" {
		t.Errorf("state %s", s.State)
	}
	if err := e.Close(); !errors.Is(err, ErrStorageFailed) {
		t.Errorf("close: %v", err)
	}
	fs.SetHook(nil)
	again := openTest(t, fs, Options{})
	if got, err := readRaw(again); err != nil || got != 3 {
		t.Errorf("after reopening: %d points, %v", got, err)
	}
	if s := again.Stats(); s.SegmentPoints != 3 {
		t.Errorf("%d points were saved to files", s.SegmentPoints)
	}
}

// TestDiskFull verifies that a full disk refuses writes, keeps what is there, and that
// writing goes on by itself when there is room.
func TestDiskFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := fsys.NewMem()
		e, err := Open(fs, Options{MemtableBytes: 32 << 10})
		if err != nil {
			t.Fatal(err)
		}
		fs.SetCapacity(200 << 10)
		rows := rowsOf(t, e, 100, 0, 0.1)
		written := 0
		for err == nil {
			for i := range rows {
				rows[i].TS += 1e9
			}
			if _, err = e.Write(t.Context(), rows, nil); err == nil {
				written += len(rows)
			}
			time.Sleep(time.Second)
		}
		if !errors.Is(err, ErrDiskFull) || !errors.Is(err, fsys.ErrNoSpace) {
			t.Fatalf("error %v, want ErrDiskFull", err)
		}
		if got, err := readRaw(e); err != nil || got != written {
			t.Errorf("%d points of %d, %v", got, written, err)
		}
		fs.SetCapacity(100 << 20)
		time.Sleep(2 * flushRetryWait)
		if _, err := e.Write(t.Context(), rows, nil); err != nil {
			t.Errorf("with room again: %v", err)
		}
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
		if e, err = Open(fs, Options{}); err != nil {
			t.Fatal(err)
		}
		if got, err := readRaw(e); err != nil || got != written+len(rows) {
			t.Errorf("after reopening: %d points of %d, %v", got, written+len(rows), err)
		}
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

// TestTimers verifies that the log is synced after the interval and marked when idle,
// and that points do not wait in memory for ever.
func TestTimers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, err := Open(fsys.NewMem(), Options{FlushInterval: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := e.Write(t.Context(), rowsOf(t, e, 1, 1, 1), nil); err != nil {
			t.Fatal(err)
		}
		if s := e.Stats(); s.DurableLSN >= s.LastLSN {
			t.Errorf("durable %d of %d before any sync", s.DurableLSN, s.LastLSN)
		}
		time.Sleep(defaultSyncInterval + time.Millisecond)
		synctest.Wait()
		written := e.Stats()
		if written.DurableLSN != written.LastLSN {
			t.Errorf("durable %d of %d after the interval", written.DurableLSN, written.LastLSN)
		}
		time.Sleep(3 * time.Second)
		synctest.Wait()
		if s := e.Stats(); s.LastLSN != written.LastLSN+1 {
			t.Errorf("last record %d after idling, %d before", s.LastLSN, written.LastLSN)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if s := e.Stats(); s.MemtablePoints != 0 || s.SegmentPoints != 1 {
			t.Errorf("%d points in memory, %d in files after the flush interval", s.MemtablePoints, s.SegmentPoints)
		}
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

// TestLogIsMarkedAfterRecovery verifies that a log which a killed process left without
// a Mark gets one when nothing is written for a while.
func TestLogIsMarkedAfterRecovery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := fsys.NewMem()
		e, err := Open(fs, Options{Sync: SyncAlways})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := e.Write(t.Context(), rowsOf(t, e, 1, 1, 1), nil); err != nil {
			t.Fatal(err)
		}
		killed := fs.CrashClone(rand.New(rand.NewPCG(1, 1)), 100)
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
		if e, err = Open(killed, Options{}); err != nil {
			t.Fatal(err)
		}
		last := e.Stats().LastLSN
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if s := e.Stats(); s.LastLSN != last+1 {
			t.Errorf("last record %d after idling, %d before", s.LastLSN, last)
		}
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
		// A clean close has marked the log: there is nothing to do.
		if e, err = Open(killed, Options{}); err != nil {
			t.Fatal(err)
		}
		last = e.Stats().LastLSN
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if s := e.Stats(); s.LastLSN != last {
			t.Errorf("last record %d after idling, %d before", s.LastLSN, last)
		}
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

// TestMemoryIsBoundedWithoutRotation lets the log refuse to begin a new file, so that no
// memtable can be flushed.
func TestMemoryIsBoundedWithoutRotation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := fsys.NewMem()
		const limit = 64 << 10
		e, err := Open(fs, Options{MemtableBytes: limit})
		if err != nil {
			t.Fatal(err)
		}
		fs.SetHook(func(op fsys.Op) fsys.Fault {
			if op.Kind == fsys.OpRename && op.Path == base.CurrentWAL {
				return fsys.Fault{Err: errInjected}
			}
			return fsys.Fault{}
		})
		rows := rowsOf(t, e, 20, 0, 1)
		for written := 0; err == nil && written < 1_000_000; written += len(rows) {
			for i := range rows {
				rows[i].TS++
			}
			_, err = e.Write(t.Context(), rows, nil)
		}
		if !errors.Is(err, errInjected) {
			t.Fatalf("error %v, want the one of the rotation", err)
		}
		if s := e.Stats(); s.MemtableBytes > 2*limit {
			t.Errorf("%d bytes in a memtable of %d", s.MemtableBytes, limit)
		}
		fs.SetHook(nil)
		time.Sleep(2 * flushRetryWait)
		if _, err := e.Write(t.Context(), rows, nil); err != nil {
			t.Errorf("with rotation again: %v", err)
		}
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
	})
}
