package engine

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/sydradb/sydradb/internal/fsys"
)

// snapshotTo makes a snapshot in the directory name of fs, as users do.
func snapshotTo(ctx context.Context, e *Engine, fs fsys.FS, name string) error {
	return Build(fs, name, func(tree fsys.FS, _ string) error { return e.Snapshot(ctx, tree) })
}

// restoreTo restores src to the directory name of fs, as users do.
func restoreTo(ctx context.Context, src, fs fsys.FS, name string, opts Options) error {
	return Build(fs, name, func(tree fsys.FS, _ string) error { return restore(ctx, src, tree, opts.HashSeries) })
}

// readCopy checks a closed database and returns its points.
func readCopy(fs fsys.FS, opts Options) (contents, error) {
	if err := checkClean(fs, opts); err != nil {
		return nil, err
	}
	e, err := Open(fs, opts)
	if err != nil {
		return nil, err
	}
	got, err := readAll(e, everything)
	return got, errors.Join(err, e.Close())
}

// writeSome writes batches, flushing after some of them, and adds them to m.
func writeSome(e *Engine, rng *rand.Rand, m *model, n int) error {
	for range n {
		batch := randomBatch(rng)
		if err := writeBatch(e, batch); err != nil {
			return err
		}
		m.batches = append(m.batches, batch)
		if rng.IntN(3) == 0 {
			if err := e.Flush(context.Background()); err != nil {
				return err
			}
		}
	}
	return nil
}

// goSeparateWays makes a snapshot of a database, writes other batches to both, also of
// series that neither had, and returns what is wrong with either of them then.
func goSeparateWays(seed uint64) error {
	rng := rand.New(rand.NewPCG(seed, 19))
	opts := randomOptions(rng)
	disk := fsys.NewMem()
	dirs := []fsys.FS{fsys.Sub(disk, "one"), fsys.Sub(disk, "two"), fsys.Sub(disk, "three")}
	var models [3]model
	if err := dirs[0].MkdirAll(""); err != nil {
		return err
	}
	one, err := Open(dirs[0], opts)
	if err != nil {
		return err
	}
	err = writeSome(one, rng, &models[0], rng.IntN(6))
	if err == nil {
		err = snapshotTo(context.Background(), one, disk, "two")
	}
	if err == nil {
		err = restoreTo(context.Background(), dirs[1], disk, "three", opts)
	}
	if err != nil {
		return errors.Join(err, one.Close())
	}
	engines := []*Engine{one, nil, nil}
	for i := 1; i < 3; i++ {
		models[i].batches = slices.Clone(models[0].batches)
		if engines[i], err = Open(dirs[i], opts); err != nil {
			return fmt.Errorf("copy %d: %w", i, errors.Join(err, one.Close()))
		}
	}
	for range 3 {
		for i, e := range engines {
			if err == nil {
				err = writeSome(e, rng, &models[i], 1+rng.IntN(3))
			}
			if err == nil && rng.IntN(2) == 0 {
				err = e.Compact(context.Background())
			}
		}
	}
	for _, e := range engines {
		err = errors.Join(err, e.Close())
	}
	if err != nil {
		return err
	}
	for i, m := range models {
		got, err := readCopy(dirs[i], opts)
		if err != nil {
			return fmt.Errorf("copy %d: %w", i, err)
		}
		if want := m.after(len(m.batches)); !got.equal(want) {
			return fmt.Errorf("copy %d: %s", i, got.difference(want))
		}
	}
	return nil
}

// separateWays runs goSeparateWays n times and returns the first thing that is wrong.
func separateWays(n uint64) error {
	for seed := range n {
		if err := goSeparateWays(seed); err != nil {
			return fmt.Errorf("seed %d: %w", seed, err)
		}
	}
	return nil
}

// TestCopiesAreIndependent writes to a database, to a snapshot of it and to what that was
// restored to: each has what was written to it, and nothing else.
func TestCopiesAreIndependent(t *testing.T) {
	if err := separateWays(60); err != nil {
		t.Error(err)
	}
}
