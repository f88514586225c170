package manifest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/fsys"
)

// history is what became of a workload.
type history struct {
	accepted int               // number of the last edit accepted, -1 for none
	asked    int               // number of the last edit asked for
	states   map[uint64]string // what each accepted edit led to
	failed   bool              // the log said that it is of no more use
	retries  int               // errors that left it usable
	accept   func()            // called after each edit, may be nil
}

// run drives a new log through appends, removals and rewrites until it fails or the
// script ends. After an error that leaves the log usable the edit is asked for again.
func (h *history) run(fs fsys.FS) error {
	h.accepted, h.states = -1, map[uint64]string{}
	l, err := Create(fs, editN(0, nil, nil))
	if err != nil {
		h.failed = true
		return err
	}
	h.note(l)
	try := func(do func() error) bool {
		h.asked++
		err := do()
		if err != nil && !errors.Is(err, ErrFailed) {
			h.retries++
			err = do()
		}
		if err != nil {
			h.failed = true
			return false
		}
		h.note(l)
		return true
	}
	for n := 1; n <= 8; n++ {
		e := editN(n, entries(3*n, 3*n+3), nil)
		e.AddDeletes = []DeleteFile{deleteN(n)}
		if n%3 == 0 {
			e.Remove = append(paths(3*n-3, 3*n-2), deleteN(n-1).Path)
			e.Horizon = map[string]int64{"": int64(n), "a": int64(n) + 1}
		}
		if !try(func() error { return l.Append(e) }) || n%4 == 0 && !try(l.Rewrite) {
			break
		}
	}
	return l.Close()
}

// note records that the edit asked for was accepted.
func (h *history) note(l *Log) {
	s := l.State()
	h.accepted = int(s.LastEdit)
	h.states[s.LastEdit] = describe(s, true)
	if h.accept != nil {
		h.accept()
	}
}

// complete returns the history of a workload that nothing disturbs.
func complete(t *testing.T) *history {
	t.Helper()
	var h history
	if err := h.run(fsys.NewMem()); err != nil || h.failed || h.accepted != 10 {
		t.Fatalf("undisturbed: %+v, %v", h, err)
	}
	return &h
}

// verify checks what is found in fs: the last edit accepted, or the one asked for after
// it, whole. It then goes on writing there.
func (h *history) verify(fs fsys.FS, states map[uint64]string) error {
	s, tail, err := Read(fs, base.ManifestFile)
	if err != nil {
		if h.accepted < 0 {
			return nil // never created
		}
		return err
	}
	if int(s.LastEdit) < h.accepted || int(s.LastEdit) > h.asked {
		return fmt.Errorf("found edit %d; accepted %d, asked for %d", s.LastEdit, h.accepted, h.asked)
	}
	if got, want := describe(&s, true), states[s.LastEdit]; got != want {
		return fmt.Errorf("edit %d: found\n%swant\n%s", s.LastEdit, got, want)
	}
	l, err := Open(fs, s)
	if err != nil {
		return err
	}
	if tail != nil {
		if err := l.CutTail(); err != nil {
			return err
		}
	}
	if err := l.Append(editN(20, entries(100, 101), nil)); err != nil {
		return err
	}
	want := describe(l.State(), true)
	if err := l.Close(); err != nil {
		return err
	}
	s, tail, err = Read(fs, base.ManifestFile)
	if err != nil || tail != nil || describe(&s, true) != want {
		return fmt.Errorf("after going on: tail %v, error %v, state\n%s", tail, err, describe(&s, true))
	}
	return nil
}

// A power cut before any operation leaves the last accepted edit, or the one under way.
func TestPowerCutAnywhere(t *testing.T) {
	states := complete(t).states
	fs := fsys.NewMem()
	rng := rand.New(rand.NewPCG(1, 2))
	var clones []*fsys.Mem
	fs.SetHook(func(op fsys.Op) fsys.Fault {
		if op.Kind.Mutates() {
			for _, keep := range []int{0, 100, 50, 50, 50, 20, 80} {
				clones = append(clones, fs.CrashClone(rng, keep))
			}
		}
		return fsys.Fault{}
	})
	var h history
	points, before := 0, -1 // before: the last edit accepted when the clones were taken
	h.accept = func() {
		found := history{accepted: before, asked: h.accepted}
		for _, clone := range clones {
			if err := found.verify(clone, states); err != nil {
				t.Fatalf("power cut %d, before edit %d: %v", points, h.accepted, err)
			}
			points++
		}
		clones, before = clones[:0], h.accepted
	}
	if err := h.run(fs); err != nil || h.failed {
		t.Fatal(err)
	}
	if points < 200 {
		t.Errorf("only %d power cuts", points)
	}
}

// A power cut while a file is opened, its tail cut and a first edit added leaves the state
// that was there, or that edit.
func TestPowerCutWhileOpening(t *testing.T) {
	text := seal(0, threeEdits(), nil)
	added := editN(3, entries(7, 8), nil)
	for name, data := range map[string][]byte{
		"clean": text, "torn": text[:len(text)-9], "unclean": seal(0, threeEdits()[:3], nil),
	} {
		t.Run(name, func(t *testing.T) {
			fs := fsys.NewMem()
			putFile(t, fs, base.ManifestFile, data)
			s, tail, err := Read(fs, base.ManifestFile)
			if err != nil || (tail != nil) != (name == "torn") {
				t.Fatal(tail, err)
			}
			before := describe(&s, false)
			var clones []*fsys.Mem
			rng := rand.New(rand.NewPCG(3, 4))
			fs.SetHook(func(op fsys.Op) fsys.Fault {
				for _, keep := range []int{0, 50, 50, 100} {
					clones = append(clones, fs.CrashClone(rng, keep))
				}
				return fsys.Fault{}
			})
			l, err := Open(fs, s)
			if err == nil {
				err = l.CutTail()
			}
			if err == nil {
				err = l.Append(added)
			}
			if err != nil {
				t.Fatal(err)
			}
			after := describe(l.State(), false)
			fs.SetHook(nil)
			mustClose(t, l)
			for i, clone := range clones {
				s, _, err := Read(clone, base.ManifestFile)
				if got := describe(&s, false); err != nil || got != before && got != after {
					t.Fatalf("power cut %d: error %v, state\n%s", i, err, got)
				}
			}
		})
	}
}

// M6: whichever operation fails, and however, an accepted edit is there afterwards, one
// that was refused is not, and one that failed for good is there whole or not at all.
func TestFailAnywhere(t *testing.T) {
	states := complete(t).states
	eio := errors.New("input/output error")
	faults := map[string]fsys.Fault{
		"io":        {Err: eio},
		"half":      {Err: eio, Written: 300},
		"whole":     {Err: eio, Written: 1 << 20},
		"full":      {Err: fsys.ErrNoSpace, Written: 17},
		"full soon": {Err: fsys.ErrNoSpace},
	}
	for name, fault := range faults {
		for _, lasting := range []bool{false, true} {
			t.Run(fmt.Sprintf("fault=%s/lasting=%v", name, lasting), func(t *testing.T) {
				n := 0
				for failAt(t, n, fault, lasting, states) {
					n++
				}
				if n < 30 {
					t.Errorf("only %d operations failed", n)
				}
			})
		}
	}
}

// failAt lets operation n fail, and all after it if lasting. It reports whether the
// workload has that many.
func failAt(t *testing.T, n int, fault fsys.Fault, lasting bool, states map[uint64]string) bool {
	t.Helper()
	fs := fsys.NewMem()
	var hit []fsys.Op
	count := 0
	fs.SetHook(func(op fsys.Op) fsys.Fault {
		count++
		if count == n+1 || lasting && count > n {
			hit = append(hit, op)
			return fault
		}
		return fsys.Fault{}
	})
	var h history
	err := h.run(fs)
	fs.SetHook(nil)
	if len(hit) == 0 {
		return false
	}
	if err == nil && h.retries == 0 && !h.failed {
		t.Fatalf("operation %d, %v: failed unnoticed", n, hit[0])
	}
	if !h.failed {
		h.asked = h.accepted
	}
	// Power cuts come first: going on would mend what they are to find.
	for _, keep := range []int{0, 50, 100} {
		clone := fs.CrashClone(rand.New(rand.NewPCG(uint64(n), uint64(keep))), keep)
		if err := h.verify(clone, states); err != nil {
			t.Fatalf("operation %d, %v, power cut, %d %% kept: %v", n, hit[0], keep, err)
		}
	}
	if err := h.verify(fs, states); err != nil {
		t.Fatalf("operation %d, %v: %v", n, hit[0], err)
	}
	// The next process has gone on, above what may be in the cache only.
	s, tail, err := Read(fs.CrashClone(rand.New(rand.NewPCG(0, 0)), 0), base.ManifestFile)
	if h.accepted >= 0 && (err != nil || tail != nil || s.Live[len(s.Live)-1].Path != entryN(100).Path) {
		t.Fatalf("operation %d, %v, power cut after going on: edit %d, tail %v, error %v", n, hit[0], s.LastEdit, tail, err)
	}
	return true
}

// M6: after a sync that failed nothing is accepted any more, and the next process neither
// sees the line nor builds upon it.
func TestFailedSyncIsSticky(t *testing.T) {
	fs := fsys.NewMem()
	l := mustCreate(t, fs, editN(0, nil, nil))
	before := describe(l.State(), true)
	eio := errors.New("input/output error")
	fs.SetHook(func(op fsys.Op) fsys.Fault {
		if op.Kind == fsys.OpSync {
			return fsys.Fault{Err: eio}
		}
		return fsys.Fault{}
	})
	if err := l.Append(editN(1, entries(0, 2), nil)); !errors.Is(err, ErrFailed) || !errors.Is(err, eio) {
		t.Errorf("error %v", err)
	}
	fs.SetHook(func(op fsys.Op) fsys.Fault {
		t.Errorf("%v after the failure", op)
		return fsys.Fault{}
	})
	for name, err := range map[string]error{
		"append": l.Append(editN(1, entries(0, 2), nil)), "rewrite": l.Rewrite(), "cut": l.CutTail(),
	} {
		if !errors.Is(err, ErrFailed) {
			t.Errorf("%s after a failed sync: %v", name, err)
		}
	}
	fs.SetHook(nil)
	if got := describe(l.State(), true); got != before {
		t.Errorf("state moved to\n%s", got)
	}
	mustClose(t, l)
	if s := mustRead(t, fs); describe(&s, true) != before {
		t.Errorf("the next process finds\n%s", describe(&s, true))
	}
}

// A full disk is told from other errors, and passes.
func TestFullDiskPasses(t *testing.T) {
	fs := fsys.NewMem()
	l := mustCreate(t, fs, editN(0, nil, nil))
	fs.SetCapacity(600)
	if err := l.Append(editN(1, entries(0, 9), nil)); !errors.Is(err, fsys.ErrNoSpace) || errors.Is(err, ErrFailed) {
		t.Fatalf("error %v", err)
	}
	if s := mustRead(t, fs); s.LastEdit != 0 {
		t.Errorf("state %s", describe(&s, true))
	}
	fs.SetCapacity(1 << 20)
	mustAppend(t, l, editN(1, entries(0, 9), nil))
	mustClose(t, l)
	if s := mustRead(t, fs); len(s.Live) != 9 {
		t.Errorf("state %s", describe(&s, true))
	}
}

// M6: a line that was refused does not come back, even if all of it was written.
func TestRefusedLineStaysAway(t *testing.T) {
	fs := fsys.NewMem()
	l := mustCreate(t, fs, editN(0, nil, nil))
	fs.SetHook(func(op fsys.Op) fsys.Fault {
		if op.Kind == fsys.OpWrite {
			return fsys.Fault{Err: errors.New("input/output error"), Written: op.Len}
		}
		return fsys.Fault{}
	})
	if err := l.Append(editN(1, entries(0, 1), nil)); err == nil || errors.Is(err, ErrFailed) {
		t.Fatalf("error %v", err)
	}
	for seed := range uint64(50) {
		clone := fs.CrashClone(rand.New(rand.NewPCG(seed, 0)), 50)
		if s := mustRead(t, clone); s.LastEdit != 0 {
			t.Fatalf("seed %d: edit %d is back", seed, s.LastEdit)
		}
	}
	fs.SetHook(nil)
	mustClose(t, l)
}

// A rewrite that fails leaves the old file in use, unless the new one may have its name.
func TestFailedRewrite(t *testing.T) {
	for _, kind := range []fsys.OpKind{fsys.OpCreate, fsys.OpWrite, fsys.OpSync, fsys.OpRename, fsys.OpSyncDir, fsys.OpOpenAppend} {
		t.Run(kind.String(), func(t *testing.T) {
			fs := fsys.NewMem()
			l := mustCreate(t, fs, editN(0, nil, nil))
			mustAppend(t, l, editN(1, entries(0, 3), nil))
			before := describe(l.State(), false)
			fs.SetHook(func(op fsys.Op) fsys.Fault {
				if op.Kind == kind {
					return fsys.Fault{Err: errors.New("input/output error")}
				}
				return fsys.Fault{}
			})
			err := l.Rewrite()
			fs.SetHook(nil)
			final := kind == fsys.OpSyncDir || kind == fsys.OpOpenAppend
			if err == nil || errors.Is(err, ErrFailed) != final {
				t.Fatalf("error %v", err)
			}
			if got := describe(l.State(), false); got != before {
				t.Errorf("state moved to\n%s", got)
			}
			if err := l.Append(editN(2, entries(3, 4), nil)); (err != nil) != final {
				t.Errorf("append: %v", err)
			}
			want := describe(l.State(), false)
			mustClose(t, l)
			if s := mustRead(t, fs); describe(&s, false) != want {
				t.Errorf("found\n%swant\n%s", describe(&s, false), want)
			}
		})
	}
}

// A rewrite that finds no descriptors ends nothing. What it could not do is done before the
// next line is written, which a power cut then leaves in place.
func TestRewriteWithoutDescriptors(t *testing.T) {
	for _, kind := range []fsys.OpKind{fsys.OpRemove, fsys.OpCreate, fsys.OpRename, fsys.OpSyncDir, fsys.OpOpenAppend} {
		t.Run(kind.String(), func(t *testing.T) {
			fs := fsys.NewMem()
			l := mustCreate(t, fs, editN(0, nil, nil))
			mustAppend(t, l, editN(1, entries(0, 3), nil))
			before := describe(l.State(), false)
			fs.SetHook(func(op fsys.Op) fsys.Fault {
				if op.Kind == kind || op.Kind == fsys.OpOpen { // readers find none either
					return fsys.Fault{Err: fsys.ErrTooManyFiles}
				}
				return fsys.Fault{}
			})
			for range 2 {
				if err := l.Rewrite(); !errors.Is(err, fsys.ErrTooManyFiles) || errors.Is(err, ErrFailed) {
					t.Fatalf("error %v", err)
				}
			}
			if kind == fsys.OpSyncDir || kind == fsys.OpOpenAppend {
				if err := l.Append(editN(2, entries(3, 4), nil)); !errors.Is(err, fsys.ErrTooManyFiles) || errors.Is(err, ErrFailed) {
					t.Errorf("append: %v", err)
				}
			}
			fs.SetHook(nil)
			left := func(seed uint64) State { return mustRead(t, fs.CrashClone(rand.New(rand.NewPCG(seed, 0)), 50)) }
			for seed := range uint64(20) {
				if s := left(seed); describe(&s, false) != before {
					t.Fatalf("seed %d: a power cut leaves\n%s", seed, describe(&s, false))
				}
			}
			mustAppend(t, l, editN(2, entries(3, 4), nil))
			for seed := range uint64(20) {
				if s := left(seed); len(s.Live) != 4 {
					t.Fatalf("seed %d: the edit is lost:\n%s", seed, describe(&s, false))
				}
			}
			mustClose(t, l)
			if open := fs.OpenFiles(); len(open) > 0 {
				t.Errorf("left open: %v", open)
			}
		})
	}
}

// A log without its file for the moment is closed as any other.
func TestCloseWithoutDescriptors(t *testing.T) {
	fs := fsys.NewMem()
	l := mustCreate(t, fs, editN(0, nil, nil))
	fs.SetHook(func(op fsys.Op) fsys.Fault {
		if op.Kind == fsys.OpOpenAppend {
			return fsys.Fault{Err: fsys.ErrTooManyFiles}
		}
		return fsys.Fault{}
	})
	if err := l.Rewrite(); !errors.Is(err, fsys.ErrTooManyFiles) {
		t.Errorf("error %v", err)
	}
	fs.SetHook(nil)
	mustClose(t, l)
	if err := l.Append(editN(1, nil, nil)); !errors.Is(err, errClosed) {
		t.Errorf("append to a closed log: %v", err)
	}
	if open := fs.OpenFiles(); len(open) > 0 {
		t.Errorf("left open: %v", open)
	}
}

// A file whose last line is in doubt opens on a full disk; what it has to do comes later.
func TestOpenOnFullDisk(t *testing.T) {
	fs := fsys.NewMem()
	mustClose(t, mustCreate(t, fs, editN(0, entries(0, 3), nil)))
	fs.SetCapacity(1200)
	before := mustRead(t, fs)
	l, err := Open(fs, before)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Append(editN(1, nil, nil)); !errors.Is(err, fsys.ErrNoSpace) || errors.Is(err, ErrFailed) {
		t.Errorf("error %v", err)
	}
	fs.SetCapacity(1 << 20)
	mustAppend(t, l, editN(1, nil, nil))
	if got := l.State().LastEdit; got != 2 {
		t.Errorf("edit %d: the file was not written anew", got)
	}
	mustClose(t, l)
	mustRead(t, fs)
}
