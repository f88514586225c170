package engine

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/sydradb/sydradb/internal/fsys"
)

// backups is a disk with a database in db that is backed up to snap, which is restored
// to copy.
type backups struct {
	disk *fsys.Mem
	opts Options
	want contents // of the database, and so of the others

	mu     sync.Mutex // guards what follows: hooks run in several goroutines
	rng    *rand.Rand
	done   int // how many of snap and copy are finished
	points []backupPoint
}

// backupPoint is what a power cut at one moment would leave.
type backupPoint struct {
	disk *fsys.Mem
	what string
	done int
}

// newBackups makes the database, with points in files and in the log, and leaves it
// closed. With again the target of the snapshot is not empty-handed: there is an empty
// directory, and what an interrupted run has left.
func newBackups(seed uint64, again bool) (*backups, error) {
	rng := rand.New(rand.NewPCG(seed, 23))
	b := &backups{disk: fsys.NewMem(), opts: randomOptions(rng), rng: rng}
	b.opts.Sync = SyncAlways
	b.opts.MergeOff = true // merges are not what this is about
	if err := b.dir("db").MkdirAll(""); err != nil {
		return nil, err
	}
	e, err := Open(b.dir("db"), b.opts)
	if err != nil {
		return nil, err
	}
	var m model
	for i := range 3 {
		batch := randomBatch(rng)
		batch = batch[:min(len(batch), 4)] // each file costs power cuts
		m.batches = append(m.batches, batch)
		err = errors.Join(err, writeBatch(e, batch))
		if i == 0 {
			err = errors.Join(err, e.Flush(context.Background()))
		}
	}
	b.want = m.after(len(m.batches))
	if again {
		err = errors.Join(err, b.dir("snap").MkdirAll(""), b.dir("snap.tmp").MkdirAll(""), e.Snapshot(context.Background(), b.dir("snap.tmp")))
		err = errors.Join(err, b.disk.SyncDir(""), b.dir("snap.tmp").Remove("FORMAT"))
	}
	return b, errors.Join(err, b.disk.SyncDir(""), e.Close())
}

func (b *backups) dir(name string) fsys.FS { return fsys.Sub(b.disk, name) }

// snapshot opens the database and makes snap.
func (b *backups) snapshot() error {
	e, err := Open(b.dir("db"), b.opts)
	if err != nil {
		return err
	}
	err = snapshotTo(context.Background(), e, b.disk, "snap")
	if err == nil {
		b.finished()
	}
	return errors.Join(err, e.Close())
}

// restore makes copy.
func (b *backups) restore() error {
	err := restoreTo(context.Background(), b.dir("snap"), b.disk, "copy", b.opts)
	if err == nil {
		b.finished()
	}
	return err
}

func (b *backups) finished() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.done++
}

// cut takes crash clones before each mutating operation, see workload.enumerate.
func (b *backups) cut(op fsys.Op) fsys.Fault {
	if !op.Kind.Mutates() {
		return fsys.Fault{}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, keep := range [...]int{0, 10 + b.rng.IntN(80), 100} {
		b.points = append(b.points, backupPoint{
			disk: b.disk.CrashClone(b.rng, keep), done: b.done,
			what: fmt.Sprintf("before %v, keeping %d %%", op, keep),
		})
	}
	return fsys.Fault{}
}

// verify looks at what a power cut or a failure has left of it all: the database has all
// its points, and of the other two at least done are there; each is whole, or is not
// there. clean says that nothing unfinished may be left either.
func (b *backups) verify(disk *fsys.Mem, done int, clean bool) error {
	got, err := readClosed(fsys.Sub(disk, "db"), b.opts)
	if err != nil {
		return fmt.Errorf("db: %w", err)
	}
	if !got.equal(b.want) {
		return fmt.Errorf("db: %s", got.difference(b.want))
	}
	entries, err := disk.List("")
	if err != nil {
		return err
	}
	names := []string{"db", "db.tmp", "snap", "snap.tmp", "copy", "copy.tmp"}
	for _, e := range entries {
		if !slices.Contains(names, e.Name) || clean && strings.HasSuffix(e.Name, ".tmp") {
			return fmt.Errorf("%s was left", e.Name)
		}
	}
	for i, name := range []string{"snap", "copy"} {
		files, err := disk.List(name)
		if i >= done && (err != nil || len(files) == 0) {
			continue
		}
		got, err := readCopy(fsys.Sub(disk, name), b.opts)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if !got.equal(b.want) {
			return fmt.Errorf("%s: %s", name, got.difference(b.want))
		}
	}
	return nil
}

// again makes what is missing on disk, and verifies that nothing unfinished is left.
func (b *backups) again(disk *fsys.Mem) error {
	next := &backups{disk: disk, opts: b.opts, want: b.want}
	for i, name := range []string{"snap", "copy"} {
		if files, err := disk.List(name); err == nil && len(files) > 0 {
			continue
		}
		if err := []func() error{next.snapshot, next.restore}[i](); err != nil {
			return fmt.Errorf("%s anew: %w", name, err)
		}
	}
	return next.verify(disk, 2, true)
}

// TestSnapshotCrash cuts the power before every operation on the disk while a snapshot is
// made and restored.
func TestSnapshotCrash(t *testing.T) {
	reuseMemory(t)
	cuts, seeds := 0, uint64(4)
	if raceEnabled {
		seeds = 1
	}
	for seed := range seeds {
		b, err := newBackups(seed, seed%2 == 1)
		if err != nil {
			t.Fatal(err)
		}
		b.disk.SetHook(b.cut)
		err = errors.Join(b.snapshot(), b.restore())
		b.disk.SetHook(nil)
		if err != nil {
			t.Fatal(err)
		}
		for i, p := range b.points {
			err := b.verify(p.disk, p.done, false)
			if err == nil && i%7 == int(seed) {
				err = b.again(p.disk)
			}
			if err != nil {
				t.Fatalf("seed %d, cut %d %s: %v", seed, i, p.what, err)
			}
		}
		cuts += len(b.points)
	}
	t.Logf("%d power cuts", cuts)
}

// TestSnapshotFaults lets each operation on the disk fail in turn while a snapshot is made
// and restored: there is an error, or all went well.
func TestSnapshotFaults(t *testing.T) {
	reuseMemory(t)
	runs, stride := 0, int64(10)
	if raceEnabled {
		stride = 60
	}
	for seed := range uint64(2) {
		first, err := newBackups(seed, seed == 1)
		if err != nil {
			t.Fatal(err)
		}
		rng := rand.New(rand.NewPCG(seed, 29))
		for _, kind := range faultKinds {
			for op := int64(1); ; op += 1 + rng.Int64N(stride) {
				b := &backups{disk: first.disk.CrashClone(rng, 100), opts: first.opts, want: first.want}
				hit := injectFaults(b.disk, kind, rng, op)
				err := b.snapshot()
				if b.done == 1 {
					err = errors.Join(err, b.restore())
				}
				b.disk.SetHook(nil)
				if !hit.Load() {
					break
				}
				runs++
				if err == nil && b.done != 2 {
					t.Fatal("neither done nor an error")
				}
				// What an earlier run has left may stay, and so does all when the fault lasts.
				again := b.verify(b.disk, b.done, seed == 0 && !kind.persistent)
				if again == nil {
					again = b.again(b.disk)
				}
				if again != nil {
					t.Fatalf("seed %d, %s at operation %d, after %v: %v", seed, kind.name, op, err, again)
				}
			}
		}
	}
	t.Logf("%d runs with a fault", runs)
}
