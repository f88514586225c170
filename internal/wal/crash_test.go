package wal

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/fsys"
)

// dice returns a source of chance that is the same in every run.
func dice() *rand.Rand { return rand.New(rand.NewPCG(1, 2)) }

// life is a log in use, and what its owner knows of it: the part of the engine that a
// test of the log alone needs.
type life struct {
	fs      fsys.FS
	log     *Log
	bodies  map[base.LSN][]string // of Batches: what a record may hold; one, unless its write failed for good
	acked   base.LSN              // appended without an error
	durable base.LSN              // reported to be on disk
	flushed base.LSN              // said to be in files; on disk itself
	demand  base.LSN
	written int
}

// state is what a crash at one moment must respect.
type state struct {
	bodies                          map[base.LSN][]string
	acked, durable, flushed, demand base.LSN
}

func (f *life) state() state {
	bodies := make(map[base.LSN][]string, len(f.bodies))
	for lsn, b := range f.bodies {
		bodies[lsn] = slices.Clone(b)
	}
	return state{bodies, f.acked, f.durable, f.flushed, f.demand}
}

// append writes n records of different sizes.
func (f *life) append(n int) error {
	var frames [][]byte
	for range n {
		f.written++
		frames = append(frames, batch(f.written, 1+f.written%3))
	}
	// While it is being written a record may be found under its number, or under the
	// next one if the log has to start a file first.
	next := f.log.Last() + 1
	for i, frame := range frames {
		for _, lsn := range []base.LSN{next + base.LSN(i), next + base.LSN(i) + 1} {
			f.bodies[lsn] = append(f.bodies[lsn], body(frame))
		}
	}
	first, err := f.log.Append(frames)
	if errors.Is(err, ErrFailed) {
		return err
	}
	for lsn := range f.bodies {
		if lsn >= next {
			delete(f.bodies, lsn)
		}
	}
	if err != nil {
		return err
	}
	for i, frame := range frames {
		f.bodies[first+base.LSN(i)] = []string{body(frame)}
	}
	if first != next && first != next+1 {
		return fmt.Errorf("%w: a group starts with %d, after %d", errMismatch, first, next-1)
	}
	f.know()
	return nil
}

// know takes over what the log reports.
func (f *life) know() {
	f.acked, f.durable = f.log.Last(), f.log.Durable()
}

func (f *life) did(err error) error {
	if err == nil {
		f.know()
	}
	return err
}

func (f *life) sync() error          { return f.did(f.log.Sync()) }
func (f *life) mark(sync bool) error { return f.did(f.log.Mark(sync)) }

// flush rotates and then says that all before is in files.
func (f *life) flush() error {
	last := f.log.Last()
	if err := f.did(f.log.Rotate()); err != nil {
		return err
	}
	f.flushed = last
	return f.log.RemoveThrough(last)
}

// restart closes the log, in a clean way or not, and opens it again.
func (f *life) restart(clean bool) error {
	if clean {
		if err := f.mark(true); err != nil {
			return err
		}
		f.demand = f.log.Last()
	}
	if err := f.log.Close(); err != nil {
		return err
	}
	l, _, _, err := reopen(f.fs, OpenOptions{Flushed: f.flushed, Demand: f.demand})
	if err != nil {
		return err
	}
	f.log = l
	return f.did(nil)
}

// script is what a life consists of. Errors that leave the log usable are passed over,
// as an engine does that answers them and goes on.
var script = []func(*life) error{
	func(f *life) error { return f.append(2) },
	(*life).sync,
	func(f *life) error { return f.append(1) },
	func(f *life) error { return f.append(3) },
	func(f *life) error { return f.mark(false) },
	func(f *life) error { return f.append(1) },
	(*life).flush,
	func(f *life) error { return f.append(2) },
	(*life).sync,
	func(f *life) error { return f.append(1) },
	func(f *life) error { return f.did(f.log.Rotate()) },
	func(f *life) error { return f.append(2) },
	func(f *life) error { return f.restart(false) },
	func(f *life) error { return f.append(2) },
	func(f *life) error { return f.restart(true) },
	func(f *life) error { return f.append(1) },
	(*life).sync,
	(*life).flush,
	func(f *life) error { return f.append(1) },
}

// run goes through the script until the log has failed, and calls after behind every
// step.
func (f *life) run(after func() error) error {
	for _, step := range script {
		err := step(f)
		if lost := after(); lost != nil {
			return lost
		}
		if err != nil && (f.log.failed != nil || errors.Is(err, errMismatch)) {
			return err
		}
	}
	return nil
}

var errMismatch = errors.New("the log is not what it should be")

// verify opens what a crash left and compares. kept says that nothing was lost, so that
// even what was not synced must be there.
func (s state) verify(fs fsys.FS, kept bool) (*Log, error) {
	l, report, got, err := reopen(fs, OpenOptions{Flushed: s.flushed, Demand: s.demand})
	if err != nil {
		return nil, err
	}
	least := s.durable
	if kept {
		least = s.acked
	}
	if report.Last < least {
		return nil, fmt.Errorf("%w: ends with %d, %d is known to be there", errMismatch, report.Last, least)
	}
	for i, r := range got {
		if want := s.flushed + base.LSN(i) + 1; r.lsn != want {
			return nil, fmt.Errorf("%w: record %d where %d should be", errMismatch, r.lsn, want)
		}
		if r.kind == TypeBatch && !slices.Contains(s.bodies[r.lsn], r.body) {
			return nil, fmt.Errorf("%w: record %d was never written", errMismatch, r.lsn)
		}
	}
	return l, nil
}

// again lives on with the log that recovery gave, loses the power once more and demands
// all that the recovered log reported.
func (s state) again(fs *fsys.Mem, l *Log) error {
	f := &life{fs: fs, log: l, bodies: s.bodies, flushed: s.flushed, demand: s.demand, written: 1000}
	for lsn := range f.bodies {
		if lsn > l.Last() {
			delete(f.bodies, lsn)
		}
	}
	if err := errors.Join(f.append(2), f.sync(), f.append(1)); err != nil {
		return err
	}
	_, err := f.state().verify(fs.CrashClone(dice(), 0), false)
	return err
}

// newLife creates a log on a new disk.
func newLife(t testing.TB) (*life, *fsys.Mem) {
	fs := fsys.NewMem()
	f := &life{fs: fs, log: mustCreate(t, fs), bodies: map[base.LSN][]string{}}
	f.know()
	return f, fs
}

// TestCrashAtEveryOperation loses the power before every operation that changes the
// disk, and during the recoveries that follow.
func TestCrashAtEveryOperation(t *testing.T) {
	f, fs := newLife(t)
	rng := dice()
	points := 0
	fs.SetHook(func(op fsys.Op) fsys.Fault {
		if !op.Kind.Mutates() {
			return fsys.Fault{}
		}
		for _, keep := range []int{0, 50, 50, 100} {
			points++
			if err := f.state().recoverTwice(fs.CrashClone(rng, keep), keep == 100, rng); err != nil {
				t.Fatalf("crash %d, before %v, keeping %d %%: %v", points, op, keep, err)
			}
		}
		return fsys.Fault{}
	})
	if err := f.run(func() error { return nil }); err != nil {
		t.Fatal(err)
	}
	if points < 150 {
		t.Fatalf("only %d crashes", points)
	}
}

// recoverTwice recovers a disk, losing the power before every change that recovery
// makes, and demands the same of each.
func (s state) recoverTwice(disk *fsys.Mem, kept bool, rng *rand.Rand) error {
	var nested error
	disk.SetHook(func(op fsys.Op) fsys.Fault {
		if op.Kind.Mutates() && nested == nil {
			keep := rng.IntN(3) * 50
			l, err := s.verify(disk.CrashClone(rng, keep), kept)
			if err != nil {
				nested = fmt.Errorf("again before %v of recovery, keeping %d %%: %w", op, keep, err)
			} else {
				nested = l.Close()
			}
		}
		return fsys.Fault{}
	})
	return errors.Join(s.recoverOnce(disk, kept, rng), nested)
}

// recoverOnce recovers a disk, loses the power, and lives on.
func (s state) recoverOnce(disk *fsys.Mem, kept bool, rng *rand.Rand) error {
	l, err := s.verify(disk, kept)
	disk.SetHook(nil)
	if err != nil {
		return err
	}
	// What recovery showed is on disk now.
	s.acked, s.durable = l.Last(), l.Last()
	if _, err := s.verify(disk.CrashClone(rng, 0), false); err != nil {
		return fmt.Errorf("power lost after recovery: %w", err)
	}
	return s.again(disk, l)
}

// TestEveryOperationFails lets the n-th operation fail, for every n. Afterwards the
// process is killed, or the power lost, and the log must come back.
func TestEveryOperationFails(t *testing.T) {
	eio := errors.New("input/output error")
	for name, fault := range map[string]fsys.Fault{
		"EIO":    {Err: eio},
		"ENOSPC": {Err: fsys.ErrNoSpace, Written: 20},
	} {
		for _, lasting := range []bool{false, true} {
			n := 1
			for ; ; n++ {
				failed, err := failAt(t, n, fault, lasting)
				if err != nil {
					t.Fatalf("%s at operation %d, lasting %v: %v", name, n, lasting, err)
				}
				if !failed {
					break
				}
			}
			if n < 90 {
				t.Fatalf("only %d operations", n)
			}
		}
	}
}

// failAt runs a life whose n-th operation fails, and, if lasting, all of that kind
// after it.
func failAt(t *testing.T, n int, fault fsys.Fault, lasting bool) (failed bool, err error) {
	f, fs := newLife(t)
	count := 0
	var kind fsys.OpKind
	fs.SetHook(func(op fsys.Op) fsys.Fault {
		count++
		if count == n {
			failed, kind = true, op.Kind
			return fault
		}
		if lasting && failed && op.Kind == kind {
			return fault
		}
		return fsys.Fault{}
	})
	err = f.run(func() error {
		if !failed {
			return nil
		}
		if _, err := f.state().verify(fs.CrashClone(dice(), 0), false); err != nil {
			return fmt.Errorf("%w: power lost at once: %w", errMismatch, err)
		}
		return nil
	})
	if errors.Is(err, errMismatch) {
		return failed, err
	}
	fs.SetHook(nil)
	rng := dice()
	for _, keep := range []int{0, 50, 100} {
		if err := f.state().recoverTwice(fs.CrashClone(rng, keep), false, rng); err != nil {
			return failed, fmt.Errorf("power lost, keeping %d %%: %w", keep, err)
		}
	}
	if err := f.state().recoverOnce(fs, true, rng); err != nil {
		return failed, fmt.Errorf("killed: %w", err)
	}
	return failed, nil
}
