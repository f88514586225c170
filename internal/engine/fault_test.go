package engine

import (
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

// injectFaults makes the n-th operation on fs fail, of those that the kind of fault may
// befall. It returns whether there were so many.
func injectFaults(fs *fsys.Mem, kind faultKind, rng *rand.Rand, n int64) *atomic.Bool {
	var count atomic.Int64
	var hit atomic.Bool
	seed := rng.Uint64()
	fs.SetHook(func(op fsys.Op) fsys.Fault {
		f := kind.fault(rand.New(rand.NewPCG(seed, uint64(op.Offset))), op)
		if f.Err == nil {
			return fsys.Fault{}
		}
		i := count.Add(1)
		if i != n && (i < n || !kind.persistent) {
			return fsys.Fault{}
		}
		hit.Store(true)
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
	opts.Retention = randomRules(rng)
	script := crashScript(rng, 8)
	script = append([]step{{op: "write", batch: randomBatch(rng)}}, script...)
	w := newWorkload(seed, opts, script)
	did := injectFaults(w.fs, kind, rng, n)
	playErr := w.play()
	w.fs.SetHook(nil)
	switch {
	case errors.Is(playErr, errWrong):
		return did.Load(), playErr
	case playErr == nil && w.acked.Load() < int64(len(w.model.batches)):
		return did.Load(), errors.New("batches were refused without an error")
	}

	points := []crashPoint{w.cut(w.fs, []int{0, 50, 100}[rng.IntN(3)]), w.cut(w.fs, 100)}
	points[0].what, points[1].what = "power cut", "restart"
	points[0].atLeast = int(w.durable.Load())
	points[1].fs = w.fs
	for _, p := range points {
		if err := w.verify(p); err != nil {
			return did.Load(), fmt.Errorf("%s after %v: %w", p.what, playErr, err)
		}
	}
	return did.Load(), nil
}

// runFaults fails every operation of random workloads, one a run, until n runs are
// done, and returns the first that lost or invented something.
func runFaults(t *testing.T, seed uint64, n int) (runs int, err error) {
	for ; ; seed++ {
		for _, kind := range faultKinds {
			for op := int64(1); ; op++ {
				if runs == n {
					return runs, nil
				}
				var hit bool
				synctest.Test(t, func(*testing.T) { hit, err = failAt(seed, kind, op) })
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
	opts.Retention = randomRules(rng)
	w := newWorkload(seed, opts, crashScript(rng, 10))
	did := injectFaults(w.fs, kind, rng, n)
	if err := w.playOn(); err != nil {
		return did.Load(), err
	}
	w.fs.SetHook(nil)
	return did.Load(), w.cutNow()
}

// cutNow verifies what a power cut would leave now. Nothing acknowledged may be missing,
// and nothing refused may be there.
func (w *workload) cutNow() error {
	keep := []int{0, 50, 100}[w.rng.IntN(3)]
	p := w.cut(w.fs, keep)
	p.atLeast = int(w.acked.Load())
	if err := w.verify(p); err != nil {
		return fmt.Errorf("power cut that keeps %d %%: %w", keep, err)
	}
	return nil
}

// playOn plays the script, whatever fails. Batches that were refused are not part of
// the model; one of which the outcome is not known may be there or not.
func (w *workload) playOn() error {
	e, err := w.openAgain()
	if e == nil {
		return err
	}
	defer func() { _ = e.Close() }()
	for _, s := range w.script {
		if s.op == "reopen" {
			_ = e.Close()
			again, err := w.openAgain()
			if again == nil {
				return err
			}
			e = again
			if err := w.readAgain(e); err != nil {
				return err
			}
		} else {
			if err := w.try(e, s); err != nil {
				return err
			}
		}
		time.Sleep(3 * time.Second)
		w.raise(w.levels.Load().low)
		if err := w.settle(e); err != nil {
			return err
		}
	}
	if _, err := w.readNow(e); err != nil {
		return fmt.Errorf("before it is opened again: %w", err)
	}
	return nil
}

// mostCuts is how often the power is cut, at most, behind what was refused.
const mostCuts = 2

// try does what a step says and takes back a batch that was refused, also from what a
// power cut leaves then. The first one during which the storage failed may have been
// stored or not.
func (w *workload) try(e *Engine, s step) error {
	before := w.sent.Load()
	err := w.step(e, s)
	unknown := errors.Is(err, ErrStorageFailed) && before == w.acked.Load()
	if err != nil && !unknown {
		w.model.batches = w.model.batches[:before]
		w.sent.Store(before)
		if w.cuts++; w.cuts <= mostCuts {
			if err := w.cutNow(); err != nil {
				return fmt.Errorf("%v was refused, then a %w", s.op, err)
			}
		}
	}
	return nil
}

// readAgain reads what is there after an opening. It is acknowledged as much as anything.
func (w *workload) readAgain(e *Engine) error {
	found, err := w.readNow(e)
	if err != nil {
		return err
	}
	w.model.batches = w.model.batches[:found]
	w.acked.Store(int64(found))
	w.sent.Store(int64(found))
	return nil
}

// readNow reads what is there: whatever has failed, that goes on. It returns how many
// batches that is.
func (w *workload) readNow(e *Engine) (found int, err error) {
	if err := w.settle(e); err != nil {
		return 0, err
	}
	got, err := readAll(e, everything)
	if errors.Is(err, errInjected) {
		w.fs.SetHook(nil) // enough of it
		got, err = readAll(e, everything)
	}
	if err != nil {
		return 0, err
	}
	return w.model.matchAbove(w.levels.Load().low, got, int(w.acked.Load()), int(w.sent.Load()))
}

// openAgain opens the database, at the third attempt if need be. It returns nil if a
// lasting fault keeps it shut.
func (w *workload) openAgain() (*Engine, error) {
	for range 3 {
		e, err := w.open()
		if err == nil {
			return e, nil
		}
		if errors.Is(err, base.ErrCorrupt) || errors.Is(err, ErrNotDatabase) || errors.Is(err, errWrong) {
			return nil, err
		}
	}
	return nil, nil
}

// TestFaultsGoOn lets an operation fail now and then and goes on: no acknowledged batch
// may be lost at a later power cut because something was believed that a failed sync
// had made untrue.
func TestFaultsGoOn(t *testing.T) {
	reuseMemory(t)
	n := howMany(t, "SYDRADB_FAULTS", 3000)
	rng := rand.New(rand.NewPCG(firstSeed(t), 17))
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
	reuseMemory(t)
	runs, err := runFaults(t, firstSeed(t), howMany(t, "SYDRADB_FAULTS", 4000))
	t.Logf("%d runs with a fault", runs)
	if err != nil {
		t.Error(err)
	}
}
