package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/catalog"
	"github.com/sydradb/sydradb/internal/dict"
	"github.com/sydradb/sydradb/internal/fsys"
	"github.com/sydradb/sydradb/internal/manifest"
	"github.com/sydradb/sydradb/internal/wal"
)

// Repair is the plan of a repair, see PlanRepair. It belongs to one goroutine.
type Repair struct {
	fs    fsys.FS
	now   time.Time
	lock  io.Closer
	hash  func([]byte) uint64
	check *checker
	steps []RepairStep
	done  bool

	// What Apply does, in this order. Up to the new MANIFEST nothing is taken away that
	// the old one needs, so that an interrupted repair can be planned anew.
	dirs     []string          // missing ones
	unneeded []string          // set aside: files that MANIFEST does not name
	format   *formatFile       // to be written, unless nil
	salvages []salvage         // files of which a part is saved
	catalog  catalogRepair     // a new generation
	first    manifest.Edit     // of the new MANIFEST
	rewrite  bool              // there is a new MANIFEST
	lines    lineRepair        // of the old one
	log      logRepair         // what is kept of the log
	damaged  []string          // set aside: files that only the old MANIFEST names
	uuid     [16]byte          // of the database
	jobMS    int64             // number of the next job
	reasons  map[string]string // by file, what is wrong with it
}

// PlanRepair looks for damage at the root of fs, as Check does, and works out how to end
// with a directory that a check passes and that opens, with all that is sound. It takes
// the lock, which Close gives back, and changes nothing else: only Apply does. Errors are
// those of Check; besides, files that cannot be read, or that a newer version may have
// written, are never taken for damaged.
//
// Of MANIFEST, lines behind damaged ones count, too, and of damaged ones what can be
// verified, see lineRepair.
//
// Nothing is ever deleted: what is not kept, and what is written anew, goes to
// quarantine/ as it was.
func PlanRepair(ctx context.Context, fs fsys.FS, now time.Time) (*Repair, error) {
	return planRepair(ctx, fs, now, nil)
}

// planRepair is PlanRepair of a database whose canonical keys are hashed by hash, nil for
// the usual one.
func planRepair(ctx context.Context, fs fsys.FS, now time.Time, hash func([]byte) uint64) (*Repair, error) {
	if err := checkRepairable(fs); err != nil {
		return nil, err
	}
	lock, err := fs.Lock(base.LockFile)
	if err != nil {
		return nil, err
	}
	options := catalog.Options{Hash: hash}
	r := &Repair{
		fs: fs, now: now, lock: lock, hash: hash, reasons: make(map[string]string),
		check: &checker{ctx: ctx, fs: fs, catalog: catalog.New(dict.New(), options), known: true},
	}
	if err := r.plan(); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return r, nil
}

// checkRepairable returns why a directory cannot be repaired. A FORMAT that is missing is
// no reason, where MANIFEST and log leave no doubt that it is a database.
func checkRepairable(fs fsys.FS) error {
	isNew, err := isNewDirectory(fs)
	switch {
	case err == nil && isNew:
		return fmt.Errorf("%w: it is empty, or holds one that was never finished", ErrNotDatabase)
	case !errors.Is(err, ErrNotDatabase) || errors.Is(err, ErrVersion0):
		return err
	}
	if state, _, readErr := manifest.Read(fs, base.ManifestFile); readErr == nil && !state.V0 {
		if ids := logUUIDs(fs); len(ids) > 0 {
			return nil
		}
	}
	return err
}

// logUUIDs returns what the headers of the log say, as far as they can be read.
func logUUIDs(fs fsys.FS) (ids [][16]byte) {
	c := checker{fs: fs}
	files, err := c.logFiles()
	if err != nil {
		return nil
	}
	for _, f := range files {
		// What cannot be read has no say.
		_ = wal.Scan(fs, f, func(rec wal.Record) error {
			if rec.Type == wal.TypeHeader && len(rec.Body) == 16 {
				ids = append(ids, [16]byte(rec.Body))
			}
			return errStopScan
		})
	}
	return ids
}

// Report returns what the check found that the plan rests on.
func (r *Repair) Report() *CheckReport { return &r.check.report }

// Steps returns what Apply would do, in the order of what matters; none if there is
// nothing to repair.
func (r *Repair) Steps() []RepairStep { return r.steps }

// Close gives the lock back. Without Apply before, nothing has changed.
func (r *Repair) Close() error { return r.lock.Close() }

func (r *Repair) step(action RepairAction, file, format string, args ...any) {
	r.steps = append(r.steps, RepairStep{Action: action, File: file, Message: fmt.Sprintf(format, args...)})
}

// reason returns what the check found wrong with a file.
func (r *Repair) reason(file string) string {
	if why, ok := r.reasons[file]; ok {
		return why
	}
	return "damaged"
}

// plan works out all steps.
func (r *Repair) plan() error {
	c := r.check
	if err := c.run(); err != nil {
		return err
	}
	if err := errors.Join(errors.Join(c.unread...), c.ctx.Err()); err != nil {
		return err
	}
	if c.state.V0 {
		c.state = manifest.State{} // nothing to go by
	}
	if err := r.readLines(); err != nil {
		return err
	}
	if c.damage.newer != nil {
		return fmt.Errorf("%w: %w", ErrFormat, c.damage.newer)
	}
	for _, f := range c.report.Findings {
		if _, ok := r.reasons[f.File]; !ok && f.Severity == Damage {
			r.reasons[f.File] = f.Message
		}
	}
	if c.report.Damaged() {
		if err := r.planCore(); err != nil {
			return err
		}
	}
	for _, file := range c.damage.objects {
		r.setAside(file, "%s", r.reason(file))
	}
	if c.damage.tags {
		r.setAside(base.TagsFile, "of no use; the next clean close writes it anew")
	}
	return c.ctx.Err()
}

// setAside plans to move a file that MANIFEST does not name.
func (r *Repair) setAside(file, format string, args ...any) {
	r.unneeded = append(r.unneeded, file)
	r.step(RepairSetAside, file, format, args...)
}

// planCore plans for FORMAT, MANIFEST, catalog, log and the files that MANIFEST names.
// What one of them lacks another may know.
func (r *Repair) planCore() error {
	if err := r.planDirs(); err != nil {
		return err
	}
	if err := r.planFormat(); err != nil {
		return err
	}
	if err := r.planLog(); err != nil {
		return err
	}
	return r.planManifest()
}

// planDirs misses directories that every database has.
func (r *Repair) planDirs() error {
	for _, dir := range []string{base.WALDir, base.SegmentsDir} {
		found, err := fsys.Exists(r.fs, dir)
		if err != nil {
			return err
		}
		if !found {
			r.dirs = append(r.dirs, dir)
			r.step(RepairCreate, dir, "missing")
		}
	}
	return nil
}
