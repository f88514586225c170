package engine

import (
	"bytes"
	"context"
	"errors"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/fsys"
	"github.com/sydradb/sydradb/internal/tombstone"
)

// requestOf returns a request whose record has n bytes.
func requestOf(t *testing.T, n int) *request {
	t.Helper()
	var pool requests
	r := pool.get()
	r.frame = make([]byte, n)
	r.timer.Reset(overloadWait)
	t.Cleanup(func() { r.timer.Stop() })
	return r
}

// TestQueueIsBounded verifies that writers wait for room, and what ends their wait.
func TestQueueIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(100)
		if err := q.put(t.Context(), requestOf(t, 150)); err != nil {
			t.Fatal("one record larger than the queue:", err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := q.put(ctx, requestOf(t, 1)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("ended context: %v", err)
		}
		if err := q.put(t.Context(), requestOf(t, 1)); !errors.Is(err, ErrOverloaded) {
			t.Errorf("after ten seconds: %v", err)
		}
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				if err := q.put(t.Context(), requestOf(t, 30)); err != nil {
					t.Errorf("with room again: %v", err)
				}
			})
		}
		synctest.Wait()
		if got := q.take(nil); len(got) != 1 || len(got[0].frame) != 150 {
			t.Errorf("took %d requests", len(got))
		}
		wg.Wait()
		if got := q.take(nil); len(got) != 3 {
			t.Errorf("took %d requests, want 3", len(got))
		}

		if err := q.put(t.Context(), requestOf(t, 100)); err != nil {
			t.Fatal(err)
		}
		wg.Go(func() {
			if err := q.put(t.Context(), requestOf(t, 1)); !errors.Is(err, ErrClosed) {
				t.Errorf("closed while waiting: %v", err)
			}
		})
		synctest.Wait()
		q.close()
		wg.Wait()
	})
}

// TestQueueGroups verifies that groups keep the order, end at their size and with a
// deletion, and that what is left is announced again.
func TestQueueGroups(t *testing.T) {
	q := newQueue(maxQueueBytes)
	const deletion = 7 // bytes of the requests that are one
	for _, n := range []int{1, maxGroupBytes - 1, 2, maxGroupBytes + 1, 3, deletion, deletion, 4, 5} {
		r := requestOf(t, n)
		if n == deletion {
			r.deletion = &tombstone.Tombstone{}
		}
		if err := q.put(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	q.wake()
	for _, want := range [][]int{{1, maxGroupBytes - 1}, {2}, {maxGroupBytes + 1}, {3, deletion}, {deletion}, {4, 5}} {
		<-q.ready
		group := q.take(nil)
		if len(group) != len(want) {
			t.Fatalf("%d requests in a group, want %d", len(group), len(want))
		}
		for i, r := range group {
			if len(r.frame) != want[i] {
				t.Errorf("request of %d bytes, want %d", len(r.frame), want[i])
			}
		}
	}
	select {
	case <-q.ready:
		t.Error("an empty queue is announced")
	default:
	}
}

// TestCallersStandIn looks from where the log is written: from the goroutine of a caller
// who finds nobody at it and waits whatever happens, else from the loop's.
func TestCallersStandIn(t *testing.T) {
	fs := fsys.NewMem()
	e := openTest(t, fs, Options{})
	rows := rowsOf(t, e, 1, 1, 1)
	var byCaller atomic.Bool
	fs.SetHook(func(op fsys.Op) fsys.Fault {
		if op.Kind == fsys.OpWrite && op.Path == base.CurrentWAL {
			byCaller.Store(bytes.Contains(debug.Stack(), []byte("engine.(*Engine).Write(")))
		}
		return fsys.Fault{}
	})
	write := func(ctx context.Context) {
		if _, err := e.Write(ctx, rows, nil); err != nil {
			t.Error(err)
		}
	}
	if write(context.Background()); !byCaller.Load() {
		t.Error("a caller without more ado leaves the batch to the loop")
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	if write(ctx); byCaller.Load() {
		t.Error("a caller whose context may end is held up by the log")
	}
	var wg sync.WaitGroup
	e.writer.between(func() {
		wg.Go(func() { write(context.Background()) })
		for len(e.writer.queue.ready) == 0 { // it is the loop's now
			runtime.Gosched()
		}
	})
	if wg.Wait(); byCaller.Load() {
		t.Error("two at once")
	}
}
