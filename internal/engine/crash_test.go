package engine

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sydradb/sydradb/internal/fsys"
)

// crashPoint is what a power cut at one moment would leave, and what must be found in
// it.
type crashPoint struct {
	fs      *fsys.Mem
	what    string
	atLeast int // batches
	atMost  int
}

// workload plays a script from one goroutine and, before every operation that changes
// the disk, puts aside what a power cut would leave.
type workload struct {
	fs      *fsys.Mem
	opts    Options
	script  []step
	model   model
	sent    atomic.Int64 // batches handed to Write, one more than acknowledged at most
	acked   atomic.Int64
	durable atomic.Int64 // batches that no power cut may take

	rng    *rand.Rand
	mu     sync.Mutex // guards rng and points: hooks run in several goroutines
	points []crashPoint
	share  int // of 100 operations that are cut at
}

func newWorkload(seed uint64, opts Options, script []step) *workload {
	w := &workload{fs: fsys.NewMem(), opts: opts, script: script, share: 100}
	w.rng = rand.New(rand.NewPCG(seed, 3))
	for _, s := range script {
		if s.op == "write" {
			w.model.batches = append(w.model.batches, s.batch)
		}
	}
	return w
}

// enumerate makes fs take crash clones before each of its mutating operations: one
// that keeps nothing unsynced, one that keeps some, one that keeps all.
func (w *workload) enumerate(fs *fsys.Mem) {
	fs.SetHook(func(op fsys.Op) fsys.Fault {
		if !op.Kind.Mutates() {
			return fsys.Fault{}
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.rng.IntN(100) >= w.share {
			return fsys.Fault{}
		}
		for _, keep := range [...]int{0, 10 + w.rng.IntN(80), 100} {
			p := crashPoint{what: fmt.Sprintf("before %v, keeping %d %%", op, keep)}
			p.atLeast = int(w.durable.Load())
			if keep == 100 {
				p.atLeast = int(w.acked.Load())
			}
			p.fs = fs.CrashClone(w.rng, keep)
			p.atMost = int(w.sent.Load())
			w.points = append(w.points, p)
		}
		return fsys.Fault{}
	})
}

// play runs the script; it stops at the first error that a write gets.
func (w *workload) play() error {
	e, err := Open(w.fs, w.opts)
	if err != nil {
		return err
	}
	defer func() { _ = e.Close() }()
	for _, s := range w.script {
		switch s.op {
		case "write":
			w.sent.Add(1)
			if err := writeBatch(e, s.batch); err != nil {
				return err
			}
			w.acked.Add(1)
			if w.opts.Sync == SyncAlways {
				w.durable.Store(w.acked.Load())
			}
		case "flush":
			if err := e.Flush(context.Background()); err != nil {
				return err
			}
			w.durable.Store(w.acked.Load())
		case "reopen":
			if err := e.Close(); err != nil {
				return err
			}
			w.durable.Store(w.acked.Load())
			again, err := Open(w.fs, w.opts)
			if err != nil {
				return err
			}
			e = again
		}
	}
	err = e.Close()
	if err == nil {
		w.durable.Store(w.acked.Load())
	}
	return err
}

// verify opens a crash point and compares. What it finds is the state after some
// number of whole batches, within the bounds; the directory is sound; and the
// database can be written, closed and opened again.
func (w *workload) verify(p crashPoint) error {
	e, err := Open(p.fs, w.opts)
	if err != nil {
		return fmt.Errorf("open: %w", err)
	}
	got, err := readAll(e, everything)
	if err != nil {
		return errors.Join(err, e.Close())
	}
	n, err := w.model.matchPrefix(got, p.atLeast, p.atMost)
	if err != nil {
		return errors.Join(err, e.Close())
	}
	if err := writeBatch(e, w.model.batches[0]); err != nil {
		return fmt.Errorf("write after recovery: %w", err)
	}
	if err := e.Close(); err != nil {
		return fmt.Errorf("close after recovery: %w", err)
	}
	if err := checkClean(p.fs, w.opts); err != nil {
		return err
	}
	if e, err = Open(p.fs, w.opts); err != nil {
		return fmt.Errorf("second open: %w", err)
	}
	if got, err = readAll(e, everything); err != nil {
		return err
	}
	want := w.model.after(n)
	want.add(w.model.batches[0])
	if !got.equal(want) {
		return fmt.Errorf("after the second open: %s", got.difference(want))
	}
	return e.Close()
}

// verifyAll verifies all points. One in nested is cut again while it recovers.
func (w *workload) verifyAll(nested int) (verified int, err error) {
	points := w.points
	for i, p := range points {
		w.points = nil
		if nested > 0 && i%nested == 0 {
			again := p.fs.CrashClone(w.rng, 100)
			w.recut(again, p)
		}
		inner := w.points
		if err := w.verify(p); err != nil {
			return verified, fmt.Errorf("cut %d %s: %w", i, p.what, err)
		}
		verified++
		for _, q := range inner {
			if err := w.verify(q); err != nil {
				return verified, fmt.Errorf("cut %d %s, then in recovery %s: %w", i, p.what, q.what, err)
			}
			verified++
		}
	}
	return verified, nil
}

// recut recovers fs and puts aside what power cuts meanwhile would leave. All of them
// hold what p must hold.
func (w *workload) recut(fs *fsys.Mem, p crashPoint) {
	sent, acked, durable := w.sent.Load(), w.acked.Load(), w.durable.Load()
	w.sent.Store(int64(p.atMost))
	w.acked.Store(int64(p.atLeast))
	w.durable.Store(int64(p.atLeast))
	w.enumerate(fs)
	if e, err := Open(fs, w.opts); err == nil {
		_ = e.Close() // a fault shows in the points
	}
	fs.SetHook(nil)
	w.sent.Store(sent)
	w.acked.Store(acked)
	w.durable.Store(durable)
}

// crashPoints is the number of power cuts that TestCrash goes through at least:
// SYDRADB_CRASHES, or as many as CI is meant to; a tenth with the race detector.
func crashPoints() int {
	if n, err := strconv.Atoi(os.Getenv("SYDRADB_CRASHES")); err == nil {
		return n
	}
	if raceEnabled {
		return 500
	}
	return 6000
}

// enumerateCrashes goes through at least n power cuts of random workloads and returns
// how many, and the first that lost or invented something.
func enumerateCrashes(seed uint64, n int) (verified int, err error) {
	for ; verified < n; seed++ {
		rng := rand.New(rand.NewPCG(seed, 5))
		opts := randomOptions(rng)
		opts.Sync = SyncPolicy(seed % 3)
		opts.SyncInterval = time.Hour // virtual time is for the model test
		w := newWorkload(seed, opts, randomScript(rng, 4+rng.IntN(24), "flush", "flush", "reopen"))
		if len(w.model.batches) == 0 {
			continue
		}
		w.enumerate(w.fs)
		if err := w.play(); err != nil {
			return verified, fmt.Errorf("seed %d: %w", seed, err)
		}
		w.fs.SetHook(nil)
		count, err := w.verifyAll(37)
		verified += count
		if err != nil {
			return verified, fmt.Errorf("seed %d, %+v: %w", seed, opts, err)
		}
	}
	return verified, nil
}

// TestCrash cuts the power before every operation on the disk: while a database is
// made, written, flushed, closed, opened, and while it recovers.
func TestCrash(t *testing.T) {
	verified, err := enumerateCrashes(crashSeed(), crashPoints())
	t.Logf("%d power cuts", verified)
	if err != nil {
		t.Error(err)
	}
}

// crashSeed is where the random workloads begin: SYDRADB_SEED or 0.
func crashSeed() uint64 {
	n, _ := strconv.ParseUint(os.Getenv("SYDRADB_SEED"), 10, 64)
	return n
}
