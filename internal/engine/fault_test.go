package engine

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

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
