package engine

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/fsys"
	"github.com/sydradb/sydradb/internal/retention"
)

// crashPoint is what a power cut at one moment would leave, and what must be found in
// it.
type crashPoint struct {
	fs      *fsys.Mem
	what    string
	atLeast int // batches
	atMost  int
	low     levels // horizons that no power cut may take back
	high    levels // what sweeps may have reached
}

// workload plays a script from one goroutine and, before a share of the operations that change
// the disk, puts aside what a power cut would leave. What the engine does by itself
// happens between two steps, so that a workload is the same each time.
type workload struct {
	fs      *fsys.Mem
	opts    Options
	clock   *clock
	script  []step
	model   model        // of all batches handed to Write or Delete
	sent    atomic.Int64 // batches handed to Write, one more than acknowledged at most
	acked   atomic.Int64
	durable atomic.Int64 // batches that no power cut may take
	levels  atomic.Pointer[levelBounds]

	rng    *rand.Rand
	mu     sync.Mutex // guards rng and points: hooks run in several goroutines
	points []crashPoint
	share  int // of 100 operations that are cut at
	cuts   int // after what was refused
}

// levelBounds are the horizons that are published, and those that a sweep may publish.
type levelBounds struct{ low, high levels }

// newWorkload returns a workload that begins with opts, but for its clock. Virtual time
// must go on, or stand still, for all of it.
func newWorkload(seed uint64, opts Options, script []step) *workload {
	w := &workload{fs: fsys.NewMem(), opts: opts, clock: newClock(scriptTime), script: script, share: 100}
	w.rng = rand.New(rand.NewPCG(seed, 3))
	w.opts.Now = w.clock.now
	w.levels.Store(&levelBounds{noLevels, noLevels})
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
			p := w.cut(fs, keep)
			p.what = fmt.Sprintf("before %v, keeping %d %%", op, keep)
			w.points = append(w.points, p)
		}
		return fsys.Fault{}
	})
}

// cut returns what a power cut now would leave of fs. Requires: w.mu, or no hooks.
func (w *workload) cut(fs *fsys.Mem, keep int) crashPoint {
	bounds := w.levels.Load()
	p := crashPoint{low: bounds.low, high: bounds.high, atLeast: int(w.durable.Load())}
	if keep == 100 {
		p.atLeast = int(w.acked.Load())
	}
	p.fs = fs.CrashClone(w.rng, keep)
	p.atMost = int(w.sent.Load())
	return p
}

// play runs the script; it stops at the first error that a step gets.
func (w *workload) play() error {
	e, err := w.open()
	if err != nil {
		return err
	}
	defer func() { _ = e.Close() }()
	for _, s := range w.script {
		if s.op == "reopen" {
			e, err = w.reopen(e, s)
		} else {
			err = w.step(e, s)
		}
		if err == nil {
			err = w.settle(e)
		}
		if err != nil {
			return fmt.Errorf("%v: %w", s, err)
		}
	}
	err = e.Close()
	if err == nil {
		w.durable.Store(w.acked.Load())
	}
	return err
}

// errWrong is what the engine does that no fault of the disk excuses.
var errWrong = errors.New("wrong")

// settle waits until the engine rests and sees what its sweeps have published, which no
// power cut may take back.
func (w *workload) settle(e *Engine) error {
	synctest.Wait()
	now, bounds := levelsOf(e.Horizon), w.levels.Load()
	if err := now.within(bounds.low, bounds.high); err != nil {
		return fmt.Errorf("%w: %w", errWrong, err)
	}
	w.raise(now)
	return nil
}

// raise takes note of published horizons, and of how far sweeps may go from there now.
func (w *workload) raise(published levels) {
	high := w.levels.Load().high
	w.levels.Store(&levelBounds{published, high.most(published.swept(w.opts.Retention, w.opts.Now()))})
}

// open opens the database under the rules of the workload.
func (w *workload) open() (*Engine, error) {
	w.raise(w.levels.Load().low)
	e, err := Open(w.fs, w.opts)
	if err == nil {
		if err = w.settle(e); err != nil {
			err = errors.Join(err, e.Close())
		}
	}
	return e, err
}

// reopen opens the database again, perhaps under other rules.
func (w *workload) reopen(e *Engine, s step) (*Engine, error) {
	if err := e.Close(); err != nil {
		return e, err
	}
	w.durable.Store(w.acked.Load())
	if rng := s.rng(); rng.IntN(2) == 0 {
		w.opts.Retention = randomRules(rng)
	}
	again, err := w.open()
	if err != nil {
		return e, err
	}
	return again, nil
}

// step does what a step says, on the open database.
func (w *workload) step(e *Engine, s step) error {
	ctx := context.Background()
	switch s.op {
	case "write":
		return w.send(w.young(s.batch), func(batch []modelPoint) error { return writeBatch(e, batch) })
	case "delete":
		d := randomDeletion(s.rng())
		return w.send(deletionOf(d.keys(), d.start, d.end), func([]modelPoint) error {
			_, err := e.Delete(ctx, d.Selector, d.start, d.end)
			return err
		})
	case "flush":
		return w.flushed(e.Flush(ctx))
	case "compact":
		return w.flushed(e.Compact(ctx))
	case "merge":
		return e.mergeNow()
	case "retain":
		return e.Retain(ctx, true)
	case "clock":
		w.clock.step(clockSteps[s.rng().IntN(len(clockSteps))])
		w.raise(w.levels.Load().low)
		return nil
	}
	return fmt.Errorf("%w: unknown operation", errWrong)
}

// clockSteps are how far a workload sets the clock.
var clockSteps = []time.Duration{6 * time.Hour, 26 * time.Hour, -4 * time.Hour, -30 * time.Hour}

// young returns those points of a batch that are not too old.
func (w *workload) young(batch []modelPoint) []modelPoint {
	low := w.levels.Load().low
	return slices.DeleteFunc(slices.Clone(batch), func(p modelPoint) bool { return p.ts < low.of(p.key) })
}

// send hands a batch to write and takes note of what becomes of it.
func (w *workload) send(batch []modelPoint, write func([]modelPoint) error) error {
	if len(batch) == 0 {
		return nil
	}
	w.model.batches = append(w.model.batches, batch)
	w.sent.Add(1)
	if err := write(batch); err != nil {
		return err
	}
	w.acked.Add(1)
	if w.opts.Sync == SyncAlways {
		w.durable.Store(w.acked.Load())
	}
	return nil
}

func (w *workload) flushed(err error) error {
	if err == nil {
		w.durable.Store(w.acked.Load())
	}
	return err
}

// verify opens a crash point and compares. What it finds is the state after some
// number of whole batches, within the bounds; nothing hidden has come back; the directory
// is sound; and the database can be written, merged, closed and opened again.
func (w *workload) verify(p crashPoint) error {
	opts := w.opts
	opts.Retention = retention.Rules{} // so that horizons are those that were found
	e, err := Open(p.fs, opts)
	if err != nil {
		return fmt.Errorf("open: %w", err)
	}
	want, err := w.verifyOpen(e, p)
	if err = errors.Join(err, e.Close()); err != nil {
		return err
	}
	if err := checkClean(p.fs, opts); err != nil {
		return err
	}
	if e, err = Open(p.fs, opts); err != nil {
		return fmt.Errorf("second open: %w", err)
	}
	if err := want.readFrom(e); err != nil {
		return errors.Join(fmt.Errorf("after the second open: %w", err), e.Close())
	}
	return e.Close()
}

// verifyOpen is what verify does after the first opening. It returns what is there then.
func (w *workload) verifyOpen(e *Engine, p crashPoint) (contents, error) {
	synctest.Wait()
	shown := levelsOf(e.Horizon)
	// A namespace without a rule follows the others.
	high := p.high.most(levelsOf(func(string) int64 { return p.high[""] }))
	if err := shown.within(p.low, high); err != nil {
		return nil, err
	}
	got, err := readAll(e, everything)
	if err != nil {
		return nil, err
	}
	n, err := w.model.matchAbove(shown, got, p.atLeast, p.atMost)
	if err != nil {
		return nil, err
	}
	want := w.model.after(n)
	if err := writeBatch(e, lastBatch); err != nil {
		return nil, fmt.Errorf("write after recovery: %w", err)
	}
	want.add(lastBatch)
	if n%2 == 0 {
		if err := e.Compact(context.Background()); err != nil {
			return nil, fmt.Errorf("merge after recovery: %w", err)
		}
		if err := want.readFrom(e); err != nil {
			return nil, fmt.Errorf("merged after recovery: %w", err)
		}
	}
	return want, nil
}

// lastBatch is what is written after each recovery: it is never too old.
var lastBatch = func() (batch []modelPoint) {
	for i, s := range allModelSeries {
		batch = append(batch, modelPoint{key: s.key, ts: base.MaxTime - int64(i), value: float64(i)})
	}
	return batch
}()

// readFrom verifies that c, but for what retention hides, is what e has.
func (c contents) readFrom(e *Engine) error {
	synctest.Wait()
	shown := levelsOf(e.Horizon)
	got, err := readAll(e, everything)
	if err == nil && !c.shownAs(got, shown) {
		err = errors.New(got.difference(c.above(shown)))
	}
	return err
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
	sent, acked, durable, levels := w.sent.Load(), w.acked.Load(), w.durable.Load(), w.levels.Load()
	w.sent.Store(int64(p.atMost))
	w.acked.Store(int64(p.atLeast))
	w.durable.Store(int64(p.atLeast))
	w.levels.Store(&levelBounds{p.low, p.high})
	w.raise(p.low)
	w.enumerate(fs)
	if e, err := Open(fs, w.opts); err == nil {
		_ = e.Close() // a fault shows in the points
	}
	fs.SetHook(nil)
	w.sent.Store(sent)
	w.acked.Store(acked)
	w.durable.Store(durable)
	w.levels.Store(levels)
}

// crashPoints is the number of power cuts that TestCrash goes through at least.
func crashPoints(t testing.TB) int {
	t.Helper()
	return howMany(t, "SYDRADB_CRASHES", 6000)
}

// crashScript returns a short script that does more of everything else than of writing.
func crashScript(rng *rand.Rand, length int) []step {
	return mixedScript(rng, 4+rng.IntN(length), 60, []string{
		"flush", "flush", "flush", "reopen", "compact", "merge", "delete", "delete", "retain", "retain", "clock", "clock",
	})
}

// enumerateCrashes goes through at least n power cuts of random workloads and returns
// how many, and the first that lost or invented something.
func enumerateCrashes(t *testing.T, seed uint64, n int) (verified int, err error) {
	first := seed
	for ; verified < n && err == nil; seed++ {
		synctest.Test(t, func(*testing.T) {
			count, failure := enumerateWorkload(seed)
			verified += count
			if failure != nil {
				err = fmt.Errorf("seed %d: %w", seed, failure)
			}
		})
	}
	t.Logf("%d workloads, %d power cuts", seed-first, verified)
	return verified, err
}

// enumerateWorkload goes through the power cuts of one random workload.
func enumerateWorkload(seed uint64) (verified int, err error) {
	rng := rand.New(rand.NewPCG(seed, 5))
	opts := randomOptions(rng)
	opts.Sync = SyncPolicy(seed % 3)
	opts.SyncInterval = time.Hour // virtual time is for the model test
	opts.Retention = randomRules(rng)
	w := newWorkload(seed, opts, crashScript(rng, 24))
	// Many workloads tell more than all moments of a few.
	if w.share = 3; seed%16 == 1 && !raceEnabled {
		w.share = 30
	}
	w.enumerate(w.fs)
	err = w.play()
	w.fs.SetHook(nil)
	if err != nil {
		return 0, fmt.Errorf("%+v: %w", opts, err)
	}
	return w.verifyAll(37)
}

// TestCrash cuts the power before operations on the disk, a sample of those of each workload:
// while a database is made, written, flushed, merged, expired, closed, opened, and, after some
// of the cuts, while it recovers.
func TestCrash(t *testing.T) {
	reuseMemory(t)
	if _, err := enumerateCrashes(t, firstSeed(t), crashPoints(t)); err != nil {
		t.Error(err)
	}
}

// seeded returns a step whose random decisions are as wanted.
func seeded(op string, wanted func(*rand.Rand) bool) step {
	s := step{op: op}
	for !wanted(s.rng()) {
		s.seed++
	}
	return s
}

// upkeepScript goes through all that maintenance does: it merges an older and a newer
// part, applies a deletion of everything, writes CATALOG anew because all series are dead,
// takes them in again, and lets them expire, once more by a clock that was set back.
func upkeepScript() []step {
	rng := rand.New(rand.NewPCG(8, 8))
	write := func() step {
		batch := slices.Clone(lastBatch)
		for i := range batch {
			batch[i].ts, batch[i].value = scriptTime+int64(rng.IntN(2))*base.Hour, randomValue(rng)
		}
		return step{op: "write", batch: batch}
	}
	everything := seeded("delete", func(rng *rand.Rand) bool {
		d := randomDeletion(rng)
		return len(d.keys()) == len(allModelSeries) && d.start == base.MinTime
	})
	later := seeded("clock", func(rng *rand.Rand) bool { return clockSteps[rng.IntN(len(clockSteps))] > 24*time.Hour })
	earlier := seeded("clock", func(rng *rand.Rand) bool { return clockSteps[rng.IntN(len(clockSteps))] < -24*time.Hour })
	sameRules := seeded("reopen", func(rng *rand.Rand) bool { return rng.IntN(2) > 0 })
	return []step{
		write(), {op: "flush"}, write(), {op: "flush"}, {op: "merge"}, write(), everything, {op: "flush"}, {op: "compact"},
		write(), {op: "flush"}, sameRules, write(), {op: "flush"}, later, {op: "retain"}, {op: "merge"},
		earlier, {op: "retain"},
	}
}

// enumerateUpkeep cuts the power before each of share percent of the operations of
// upkeepScript.
func enumerateUpkeep(t *testing.T, share int) (verified int, err error) {
	for _, files := range []int{NeverPack, AlwaysPack} {
		if err == nil {
			synctest.Test(t, func(*testing.T) {
				opts := Options{Sync: SyncAlways, MergeOff: true, MaxSegmentFiles: files}
				opts.Retention.Default = 2 * time.Hour
				w := newWorkload(1, opts, upkeepScript())
				w.share = share
				w.enumerate(w.fs)
				err = w.play()
				w.fs.SetHook(nil)
				if err == nil {
					var n int
					n, err = w.verifyAll(0)
					verified += n
				}
				if found, _ := fsys.Exists(w.fs, base.CatalogFile(3)); err == nil && !found {
					err = errors.New("the series did not die twice")
				}
			})
		}
	}
	return verified, err
}

// TestCrashInUpkeep cuts the power before every single operation of upkeepScript.
func TestCrashInUpkeep(t *testing.T) {
	reuseMemory(t)
	share := 100
	if raceEnabled {
		share = 10
	}
	verified, err := enumerateUpkeep(t, share)
	t.Logf("%d power cuts", verified)
	if err != nil {
		t.Error(err)
	}
}

// recoveryScript leaves behind, depending on where it is cut, a log to be read, deletions, and
// files of a flush or a merge that was not over.
func recoveryScript() []step {
	rng := rand.New(rand.NewPCG(9, 9))
	write := func() step { return step{op: "write", batch: randomBatch(rng)} }
	return []step{write(), {op: "flush"}, write(), seeded("delete", func(*rand.Rand) bool { return true }), {op: "flush"}, write(), {op: "merge"}, write()}
}

// TestCrashInRecovery cuts the power before each operation of some recoveries, and before a
// sample of those of the recoveries from that.
func TestCrashInRecovery(t *testing.T) {
	reuseMemory(t)
	every := 80 // of the cuts of the script, one is gone on with
	if raceEnabled {
		every = 400
	}
	for _, files := range []int{NeverPack, AlwaysPack} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorkload(1, Options{Sync: SyncAlways, MergeOff: true, MaxSegmentFiles: files}, recoveryScript())
			w.share = 100
			w.enumerate(w.fs)
			err := w.play()
			w.fs.SetHook(nil)
			if err != nil {
				t.Fatal(err)
			}
			var cuts [3]int
			points := w.points
			for i := every / 2; i < len(points); i += every {
				if err := w.cutAgain(points[i], cuts[:]); err != nil {
					t.Fatalf("cut %d %s: %v", i, points[i].what, err)
				}
			}
			t.Logf("%d power cuts, %d in recoveries from them, %d in recoveries from those", cuts[0], cuts[1], cuts[2])
			if cuts[0] == 0 || cuts[1] < 20*cuts[0] || cuts[2] < cuts[1] {
				t.Error("the recoveries do next to nothing")
			}
		})
	}
}

// cutAgain verifies a point, and what cuts of its recovery leave, to a depth of len(cuts), and
// counts them: each cut of the first recovery, a sample of those of the others.
func (w *workload) cutAgain(p crashPoint, cuts []int) error {
	w.points, w.share = nil, 100
	if len(cuts) < 3 {
		w.share = 3
	}
	if len(cuts) > 1 {
		w.recut(p.fs.CrashClone(w.rng, 100), p)
	}
	inner := w.points
	cuts[0]++
	if err := w.verify(p); err != nil {
		return err
	}
	for _, q := range inner {
		if err := w.cutAgain(q, cuts[1:]); err != nil {
			return fmt.Errorf("then in recovery %s: %w", q.what, err)
		}
	}
	return nil
}
