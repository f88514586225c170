package objectstore_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/fsys"
	"github.com/sydradb/sydradb/internal/objectstore"
)

var none, one, two = objectstore.ID{}, objectstore.ID{1}, objectstore.ID{2}

// ledger is what a power cut must leave: the objects acknowledged, and for each ref the
// values it may have.
type ledger struct {
	objects []objectstore.ID
	refs    map[string][]objectstore.ID
}

func (l *ledger) clone() ledger {
	c := ledger{objects: slices.Clone(l.objects), refs: map[string][]objectstore.ID{}}
	for name, ids := range l.refs {
		c.refs[name] = slices.Clone(ids)
	}
	return c
}

// step changes a store and says so in the ledger: what may be before it acts, what must
// be once it has succeeded.
type step func(ctx context.Context, d *objectstore.Dir, l *ledger) error

func putStep(payload string) step {
	return func(ctx context.Context, d *objectstore.Dir, l *ledger) error {
		id, err := d.Put(ctx, objectstore.TypeBlob, []byte(payload))
		if err == nil {
			l.objects = append(l.objects, id)
		}
		return err
	}
}

// setStep moves a ref to id from wherever it is. Of a deletion that failed once it is not
// known whether it lasts, until the ref is set again.
func setStep(name string, id objectstore.ID) step {
	return func(ctx context.Context, d *objectstore.Dir, l *ledger) error {
		now, err := d.Ref(ctx, name)
		if err != nil {
			return err
		}
		l.refs[name] = append(l.refs[name], now, id)
		if err = d.SetRef(ctx, name, now, id); err == nil && (id != none || now != none) {
			l.refs[name] = []objectstore.ID{id}
		}
		return err
	}
}

func deleteStep(name string) step {
	return func(ctx context.Context, d *objectstore.Dir, l *ledger) error {
		now, err := d.Ref(ctx, name)
		if err != nil {
			return err
		}
		l.refs[name] = append(l.refs[name], now, none)
		if err = d.DeleteRef(ctx, name); err == nil && now != none {
			l.refs[name] = []objectstore.ID{none}
		}
		return err
	}
}

// script goes through first objects and refs, moves, conflicts and deletions. Payloads 1
// and 12 have ids that begin with the same byte.
func script() []step {
	return []step{
		putStep("1"), putStep("b"), putStep("1"), putStep("12"),
		setStep("heads/main", one), setStep("heads/main", two), setStep("tags/v/1", one),
		setStep("tags/v/1", none), setStep("tags/v", two), deleteStep("tags/v"),
		putStep("c"), setStep("tags/v/2", one), setStep("heads/main", one), putStep("12"),
	}
}

// verify checks what a power cut left, and that work goes on there.
func (l *ledger) verify(ctx context.Context, fs fsys.FS) error {
	d := objectstore.Open(fs)
	for _, id := range l.objects {
		if err := d.Verify(ctx, id); err != nil {
			return err
		}
	}
	for id, err := range d.List(ctx, "") {
		if err == nil {
			err = d.Verify(ctx, id)
		}
		if err != nil {
			return err
		}
	}
	refs, err := d.Refs(ctx, "")
	if err != nil {
		return err
	}
	for _, r := range refs {
		if !slices.Contains(l.refs[r.Name], r.ID) {
			return fmt.Errorf("ref %s is %v, want one of %v", r.Name, r.ID, l.refs[r.Name])
		}
	}
	for name, ids := range l.refs {
		if !slices.Contains(ids, none) && !slices.ContainsFunc(refs, func(r objectstore.Ref) bool { return r.Name == name }) {
			return fmt.Errorf("ref %s is lost, want one of %v", name, ids)
		}
	}
	// Names that conflict may have come back.
	for _, r := range refs {
		if err := d.DeleteRef(ctx, r.Name); err != nil {
			return err
		}
	}
	again := ledger{refs: map[string][]objectstore.ID{}}
	for _, s := range script() {
		if err := s(ctx, d, &again); err != nil {
			return fmt.Errorf("going on: %w", err)
		}
	}
	return nil
}

func TestPowerCutAnywhere(t *testing.T) {
	fs := fsys.NewMem()
	rng := rand.New(rand.NewPCG(1, 2))
	var clones []*fsys.Mem
	fs.SetHook(func(op fsys.Op) fsys.Fault {
		if op.Kind.Mutates() {
			for _, keep := range []int{0, 100, 50, 50, 20, 80} {
				clones = append(clones, fs.CrashClone(rng, keep))
			}
		}
		return fsys.Fault{}
	})
	d := objectstore.Open(fs)
	l := ledger{refs: map[string][]objectstore.ID{}}
	points := 0
	for i, s := range script() {
		during := l.clone()
		check(t, s(t.Context(), d, &l))
		// While it ran a ref had the value before or the one after.
		for name, ids := range l.refs {
			if before := during.refs[name]; len(before) == 0 {
				during.refs[name] = append(before, none)
			}
			during.refs[name] = append(during.refs[name], ids...)
		}
		for _, clone := range clones {
			if err := during.verify(t.Context(), clone); err != nil {
				t.Fatalf("power cut in step %d: %v", i, err)
			}
			points++
		}
		clones = clones[:0]
		for _, keep := range []int{0, 50, 50, 100} {
			if err := l.verify(t.Context(), fs.CrashClone(rng, keep)); err != nil {
				t.Fatalf("power cut after step %d: %v", i, err)
			}
		}
	}
	if points < 400 {
		t.Errorf("only %d power cuts", points)
	}
}

// Whichever operation fails, and however: what is acknowledged, then or when it was tried
// again, by the same process or the next, survives a power cut.
func TestFailureAnywhere(t *testing.T) {
	errDisk := errors.New("disk error")
	rng := rand.New(rand.NewPCG(3, 4))
	for _, restart := range []bool{false, true} {
		failures := 0
		for n := 0; ; n++ {
			fs := fsys.NewMem()
			ops, hit := 0, fsys.Op{}
			fs.SetHook(func(op fsys.Op) fsys.Fault {
				if ops++; ops-1 == n {
					hit = op
					return fsys.Fault{Err: errDisk, Written: op.Len / 2}
				}
				return fsys.Fault{}
			})
			failed, err := withRetries(t.Context(), fs, restart, errDisk, func(l ledger) error {
				for _, keep := range []int{0, 50, 100} {
					if err := l.verify(t.Context(), fs.CrashClone(rng, keep)); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				t.Fatalf("operation %d, %v, failed; restart %v: %v", n, hit, restart, err)
			}
			if failed {
				failures++
			}
			if hit.Kind == 0 {
				break // the script has fewer operations
			}
		}
		if failures < 100 {
			t.Errorf("only %d failures were noticed", failures)
		}
	}
}

// withRetries runs the script, each step again if it failed, if so wanted by a new process,
// and calls after with what must be there at the end.
func withRetries(ctx context.Context, fs fsys.FS, restart bool, want error, after func(ledger) error) (failed bool, err error) {
	d := objectstore.Open(fs)
	l := ledger{refs: map[string][]objectstore.ID{}}
	for i, s := range script() {
		err := s(ctx, d, &l)
		if err != nil {
			if !errors.Is(err, want) {
				return true, fmt.Errorf("step %d: the error hides its cause: %w", i, err)
			}
			failed = true
			if restart {
				d = objectstore.Open(fs)
			}
			err = s(ctx, d, &l)
		}
		if err != nil {
			return failed, fmt.Errorf("step %d, again: %w", i, err)
		}
	}
	return failed, after(l)
}

// lateRename reports a failure of renames that have happened.
type lateRename struct {
	fsys.FS
	err error
}

func (f *lateRename) Rename(from, to string) error {
	return errors.Join(f.FS.Rename(from, to), f.err)
}

// An object that is found whole may have a name that a power cut takes away. Put does not
// take it for durable.
func TestNamesThatMayNotLast(t *testing.T) {
	payload := []byte("1")
	id := objectstore.IDOf(objectstore.TypeBlob, payload)
	file, errDisk := base.ObjectFile(id), errors.New("disk error")
	fail := func(kinds ...fsys.OpKind) fsys.Hook {
		return func(op fsys.Op) fsys.Fault {
			if slices.Contains(kinds, op.Kind) && strings.HasPrefix(file, op.Path) {
				return fsys.Fault{Err: errDisk}
			}
			return fsys.Fault{}
		}
	}
	put := func(d *objectstore.Dir, want error) {
		t.Helper()
		if _, err := d.Put(t.Context(), objectstore.TypeBlob, payload); !errors.Is(err, want) {
			t.Fatalf("Put: %v, want %v", err, want)
		}
	}
	for name, prepare := range map[string]func(fs *fsys.Mem, d *objectstore.Dir) *objectstore.Dir{
		"killed before the sync": func(fs *fsys.Mem, _ *objectstore.Dir) *objectstore.Dir {
			check(t, fsys.WriteFileUnlisted(fs, file, []byte{1, 1, 0, 0, 0}, payload))
			return objectstore.Open(fs)
		},
		"killed, then a sync failed": func(fs *fsys.Mem, _ *objectstore.Dir) *objectstore.Dir {
			check(t, fsys.WriteFileUnlisted(fs, file, []byte{1, 1, 0, 0, 0}, payload))
			d := objectstore.Open(fs)
			fs.SetHook(fail(fsys.OpSyncDir))
			put(d, errDisk)
			return d
		},
		"the sync failed, the removal too": func(fs *fsys.Mem, d *objectstore.Dir) *objectstore.Dir {
			fs.SetHook(fail(fsys.OpSyncDir, fsys.OpRemove))
			put(d, errDisk)
			return d
		},
		"the sync failed for a damaged one": func(fs *fsys.Mem, d *objectstore.Dir) *objectstore.Dir {
			writeFile(t, fs, file, []byte("damaged"))
			fs.SetHook(fail(fsys.OpSyncDir))
			put(d, errDisk)
			check(t, d.Verify(t.Context(), id))
			return d
		},
		"the rename was said to fail": func(fs *fsys.Mem, _ *objectstore.Dir) *objectstore.Dir {
			late := &lateRename{FS: fs}
			d := objectstore.Open(late)
			_, err := d.Put(t.Context(), objectstore.TypeBlob, []byte("12"))
			check(t, err)
			late.err = errDisk
			put(d, errDisk)
			late.err = nil
			return d
		},
	} {
		t.Log(name)
		fs := fsys.NewMem()
		d := objectstore.Open(fs)
		// The directory is there, and durable.
		_, err := d.Put(t.Context(), objectstore.TypeBlob, []byte("12"))
		check(t, err)
		d = prepare(fs, d)
		fs.SetHook(nil)
		put(d, nil)
		left := fs.CrashClone(rand.New(rand.NewPCG(5, 6)), 0)
		check(t, objectstore.Open(left).Verify(t.Context(), id))
	}
}

// On a full disk nothing is lost, and once there is room again work goes on.
func TestFullDisk(t *testing.T) {
	fs := fsys.NewMem()
	d := objectstore.Open(fs)
	id, err := d.Put(t.Context(), objectstore.TypeBlob, []byte("1"))
	check(t, err)
	check(t, d.SetRef(t.Context(), "heads/main", none, id))
	fs.SetCapacity(80)
	if _, err := d.Put(t.Context(), objectstore.TypeBlob, []byte("12 and more")); !errors.Is(err, fsys.ErrNoSpace) {
		t.Errorf("Put: %v", err)
	}
	if err := d.SetRef(t.Context(), "heads/main", id, two); !errors.Is(err, fsys.ErrNoSpace) {
		t.Errorf("SetRef: %v", err)
	}
	if got, err := d.Ref(t.Context(), "heads/main"); err != nil || got != id {
		t.Errorf("Ref = %v, %v", got, err)
	}
	if _, err := d.Put(t.Context(), objectstore.TypeBlob, []byte("1")); err != nil {
		t.Errorf("Put of what is there: %v", err)
	}
	if entries, err := fs.List("refs/heads"); err != nil || len(entries) != 1 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
	fs.SetCapacity(1 << 20)
	check(t, d.SetRef(t.Context(), "heads/main", id, two))
}

func TestScriptSharesADirectory(t *testing.T) {
	a := objectstore.IDOf(objectstore.TypeBlob, []byte("1"))
	b := objectstore.IDOf(objectstore.TypeBlob, []byte("12"))
	if a == b || a[0] != b[0] {
		t.Errorf("the ids are %v and %v", a, b)
	}
}
