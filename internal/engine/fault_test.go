package engine

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/fsys"
)

var errInjected = errors.New("injected input/output error")

// faultKind is a way in which operations fail.
type faultKind struct {
	name string
	// fault returns what happens to an operation that is to fail; the zero Fault lets
	// it pass, for kinds of operation that cannot fail this way.
	fault func(rng *rand.Rand, op fsys.Op) fsys.Fault
	// persistent faults go on once they have begun.
	persistent bool
}

var faultKinds = []faultKind{
	{name: "EIO", fault: inputOutput},
	{name: "EIO for good", fault: inputOutput, persistent: true},
	{name: "ENOSPC", fault: noSpace},
	{name: "ENOSPC for good", fault: noSpace, persistent: true},
	{name: "sync", fault: func(_ *rand.Rand, op fsys.Op) fsys.Fault {
		if op.Kind == fsys.OpSync || op.Kind == fsys.OpSyncDir || op.Kind == fsys.OpClose {
			return fsys.Fault{Err: errInjected}
		}
		return fsys.Fault{}
	}},
}

func inputOutput(rng *rand.Rand, op fsys.Op) fsys.Fault {
	return fsys.Fault{Err: errInjected, Written: rng.IntN(op.Len + 1)}
}

func noSpace(rng *rand.Rand, op fsys.Op) fsys.Fault {
	switch op.Kind {
	case fsys.OpCreate, fsys.OpMkdirAll, fsys.OpRename, fsys.OpLink:
		return fsys.Fault{Err: fsys.ErrNoSpace}
	case fsys.OpWrite:
		return fsys.Fault{Err: fsys.ErrNoSpace, Written: rng.IntN(op.Len)}
	}
	return fsys.Fault{}
}

// injectFaults makes the n-th operation on fs fail. It returns whether there was one.
func injectFaults(fs *fsys.Mem, kind faultKind, rng *rand.Rand, n int64) *atomic.Bool {
	var count atomic.Int64
	var hit atomic.Bool
	seed := rng.Uint64()
	fs.SetHook(func(op fsys.Op) fsys.Fault {
		i := count.Add(1)
		if i != n && (i < n || !kind.persistent) {
			return fsys.Fault{}
		}
		f := kind.fault(rand.New(rand.NewPCG(seed, uint64(i))), op)
		if f.Err != nil || i == n {
			hit.Store(true)
		}
		return f
	})
	return &hit
}

// failAt plays a workload in which the n-th operation fails, and verifies what is
// there afterwards: for the same machine, and for one whose power is cut then.
func failAt(seed uint64, kind faultKind, n int64) (hit bool, err error) {
	rng := rand.New(rand.NewPCG(seed, 11))
	opts := randomOptions(rng)
	opts.Sync = SyncPolicy(seed % 3)
	opts.SyncInterval = time.Hour
	script := randomScript(rng, 3+rng.IntN(6), "flush", "flush", "reopen")
	script = append([]step{{op: "write", batch: randomBatch(rng)}}, script...)
	w := newWorkload(seed, opts, script)
	did := injectFaults(w.fs, kind, rng, n)
	playErr := w.play()
	w.fs.SetHook(nil)
	if playErr == nil && w.acked.Load() < int64(len(w.model.batches)) {
		return did.Load(), errors.New("batches were refused without an error")
	}

	cut := crashPoint{what: "power cut", atLeast: int(w.durable.Load()), atMost: int(w.sent.Load())}
	cut.fs = w.fs.CrashClone(w.rng, []int{0, 50, 100}[rng.IntN(3)])
	same := crashPoint{what: "restart", fs: w.fs, atLeast: int(w.acked.Load()), atMost: int(w.sent.Load())}
	for _, p := range []crashPoint{cut, same} {
		if err := w.verify(p); err != nil {
			return did.Load(), fmt.Errorf("%s after %v: %w", p.what, playErr, err)
		}
	}
	return did.Load(), nil
}

// runFaults fails every operation of random workloads, one a run, until n runs are
// done, and returns the first that lost or invented something.
func runFaults(seed uint64, n int) (runs int, err error) {
	for ; ; seed++ {
		for _, kind := range faultKinds {
			for op := int64(1); ; op++ {
				if runs == n {
					return runs, nil
				}
				hit, err := failAt(seed, kind, op)
				if err != nil {
					return runs, fmt.Errorf("seed %d, %s at operation %d: %w", seed, kind.name, op, err)
				}
				if !hit {
					break
				}
				runs++
			}
		}
	}
}

// failAndGoOn plays a workload in which the n-th operation fails and which goes on all
// the same: it tries again to open, writes the next batch, and waits for what the engine
// does by itself. Then the power is cut. It runs in virtual time.
func failAndGoOn(seed uint64, kind faultKind, n int64) (hit bool, err error) {
	rng := rand.New(rand.NewPCG(seed, 13))
	opts := randomOptions(rng)
	opts.Sync = SyncAlways
	w := newWorkload(seed, opts, randomScript(rng, 3+rng.IntN(8), "flush", "flush", "reopen"))
	did := injectFaults(w.fs, kind, rng, n)
	w.model.batches = nil
	if err := w.playOn(); err != nil {
		return did.Load(), err
	}
	w.fs.SetHook(nil)
	if len(w.model.batches) == 0 {
		return did.Load(), nil
	}
	cut := crashPoint{atLeast: int(w.acked.Load()), atMost: int(w.sent.Load())}
	cut.fs = w.fs.CrashClone(w.rng, []int{0, 50, 100}[rng.IntN(3)])
	return did.Load(), w.verify(cut)
}

// playOn plays the script, whatever fails. Batches that were refused are not part of
// the model; one of which the outcome is not known may be there or not.
func (w *workload) playOn() error {
	e, err := w.openAgain()
	if e == nil {
		return err
	}
	for _, s := range w.script {
		switch s.op {
		case "write":
			err := writeBatch(e, s.batch)
			if err == nil {
				w.model.batches = append(w.model.batches, s.batch)
				w.acked.Add(1)
				w.sent.Add(1)
			} else if errors.Is(err, ErrStorageFailed) && w.sent.Load() == w.acked.Load() {
				w.model.batches = append(w.model.batches, s.batch)
				w.sent.Add(1)
			}
		case "flush":
			_ = e.Flush(context.Background())
		case "reopen":
			_ = e.Close()
			if e, err = w.openAgain(); e == nil {
				return err
			}
			got, err := readAll(e, everything)
			if errors.Is(err, errInjected) {
				w.fs.SetHook(nil) // enough of it
				got, err = readAll(e, everything)
			}
			if err != nil {
				return errors.Join(err, e.Close())
			}
			// What is there now is acknowledged as much as anything.
			found, err := w.model.matchPrefix(got, int(w.acked.Load()), int(w.sent.Load()))
			if err != nil {
				return errors.Join(err, e.Close())
			}
			w.model.batches = w.model.batches[:found]
			w.acked.Store(int64(found))
			w.sent.Store(int64(found))
		}
		time.Sleep(3 * time.Second)
	}
	_ = e.Close()
	return nil
}

// openAgain opens the database, at the third attempt if need be. It returns nil if a
// lasting fault keeps it shut.
func (w *workload) openAgain() (*Engine, error) {
	for range 3 {
		e, err := Open(w.fs, w.opts)
		if err == nil {
			return e, nil
		}
		if errors.Is(err, base.ErrCorrupt) || errors.Is(err, ErrNotDatabase) {
			return nil, err
		}
	}
	return nil, nil
}

// TestFaultsGoOn lets an operation fail now and then and goes on: no acknowledged batch
// may be lost at a later power cut because something was believed that a failed sync
// had made untrue.
func TestFaultsGoOn(t *testing.T) {
	n := 3000
	if raceEnabled {
		n = 300
	}
	rng := rand.New(rand.NewPCG(crashSeed(), 17))
	for run := range n {
		kind := faultKinds[rng.IntN(len(faultKinds))]
		seed, op := rng.Uint64(), 1+rng.Int64N(300)
		synctest.Test(t, func(t *testing.T) {
			if _, err := failAndGoOn(seed, kind, op); err != nil {
				t.Errorf("run %d: seed %d, %s at operation %d: %v", run, seed, kind.name, op, err)
			}
		})
		if t.Failed() {
			return
		}
	}
}

// TestFaults lets each operation on the disk fail in turn. Whatever fails, there is an
// error, the database can be opened again, and no acknowledged batch is lost.
func TestFaults(t *testing.T) {
	n := 4000
	if raceEnabled {
		n = 400
	}
	runs, err := runFaults(crashSeed(), n)
	t.Logf("%d runs with a fault", runs)
	if err != nil {
		t.Error(err)
	}
}
