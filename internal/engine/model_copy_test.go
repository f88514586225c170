package engine

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/sydradb/sydradb/internal/fsys"
)

// readOnly opens the database for reading beside the writer, and perhaps keeps it open.
func (r *player) readOnly(rng *rand.Rand) error {
	e, err := OpenReadOnly(r.fs(), r.Options)
	if err != nil {
		return fmt.Errorf("open for reading: %w", err)
	}
	h := heldReader{e, r.now.above(r.shown), r.shown}
	if err := h.read(); err != nil {
		return errors.Join(fmt.Errorf("opened for reading: %w", err), e.Close())
	}
	r.reach.ReadOnly++
	if rng.IntN(2) == 0 {
		r.readers = append(r.readers, h)
		return nil
	}
	return e.Close()
}

// read verifies that the database shows its moment.
func (h *heldReader) read() error {
	if err := levelsOf(h.e.Horizon).within(h.shown, h.shown); err != nil {
		return err
	}
	got, err := readAll(h.e, everything)
	if err == nil && !got.equal(h.want) {
		err = errors.New(got.difference(h.want))
	}
	return err
}

// snapshot makes a snapshot, may restore it, and may go on with either.
func (r *player) snapshot(rng *rand.Rand) error {
	ctx := context.Background()
	made := databaseCopy{dir: fmt.Sprint(r.dir, rng.Uint64()), model: r.model, shown: r.shown}
	made.model.batches = slices.Clone(r.model.batches)
	err := Build(r.disk, made.dir, func(tree fsys.FS, _ string) error { return r.e.Snapshot(ctx, tree) })
	if err != nil {
		return fmt.Errorf("snapshot: %w", err)
	}
	r.durable = len(r.model.batches)
	r.reach.Snapshots++
	all := []databaseCopy{made}
	if rng.IntN(2) == 0 {
		restored := made
		restored.dir += "r"
		err := Build(r.disk, restored.dir, func(tree fsys.FS, _ string) error {
			return restore(ctx, fsys.Sub(r.disk, made.dir), tree, r.HashSeries)
		})
		if err != nil {
			return fmt.Errorf("restore: %w", err)
		}
		all = append(all, restored)
	}
	i := rng.IntN(3)
	if i >= len(all) {
		r.copies = append(r.copies, all...)
		return nil
	}
	// Go on with the copy; the original is then what must not change.
	if err := r.readHeld(); err != nil {
		return err
	}
	if err := r.close(); err != nil {
		return err
	}
	all[i].dir, r.dir = r.dir, all[i].dir
	r.copies = append(r.copies, all...)
	return r.open()
}

// readCopies verifies that the copies have what they had when they were made, and
// nothing that was written to another.
func (r *player) readCopies() error {
	for _, c := range r.copies {
		if err := c.read(fsys.Sub(r.disk, c.dir), r.Options); err != nil {
			return fmt.Errorf("copy %s: %w", c.dir, err)
		}
	}
	return nil
}

// read opens the copy, whose rules go on being those of opts, and reads it.
func (c *databaseCopy) read(fs fsys.FS, opts Options) error {
	e, err := Open(fs, opts)
	if err != nil {
		return err
	}
	shown := levelsOf(e.Horizon)
	got, err := readAll(e, everything)
	if err = errors.Join(err, e.Close()); err != nil {
		return err
	}
	if err := shown.within(c.shown, c.shown.swept(opts.Retention, opts.Now())); err != nil {
		return err
	}
	if want := c.model.after(len(c.model.batches)).above(shown); !got.equal(want) {
		return errors.New(got.difference(want))
	}
	return checkClean(fs, opts)
}
