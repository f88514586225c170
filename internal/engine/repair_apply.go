package engine

import (
	"context"
	"errors"
	"path"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/fsys"
)

var errApplied = errors.New("this repair has been applied, or has failed")

// Apply does what Steps says, once. When it is interrupted, whether by an error, the end
// of ctx or a power cut, nothing that can still be saved is lost, and a new plan goes on
// from there; until then the database may not open.
func (r *Repair) Apply(ctx context.Context) error {
	if r.done {
		return errApplied
	}
	r.done = true
	// What is there stays where MANIFEST says that it is until the new MANIFEST is
	// written, and what that one names is durable before.
	for _, stage := range []func(context.Context) error{
		r.applyUnneeded, r.applyFormat, r.applySalvages, r.applyCatalog, r.applyManifest, r.applyLog, r.applyDamaged,
	} {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := stage(ctx); err != nil {
			return err
		}
	}
	return nil
}

// applyUnneeded makes directories that are missing, and moves what MANIFEST does not name.
func (r *Repair) applyUnneeded(context.Context) error {
	for _, dir := range r.dirs {
		if err := r.fs.MkdirAll(dir); err != nil {
			return err
		}
	}
	if len(r.dirs) > 0 {
		if err := r.fs.SyncDir(""); err != nil {
			return err
		}
	}
	return r.moveAll(r.unneeded)
}

// move sets a file aside, durably.
func (r *Repair) move(file string) error {
	if _, err := setAside(r.fs, file); err != nil {
		return err
	}
	return fsys.SyncParent(r.fs, file)
}

// moveAll sets files aside, durably.
func (r *Repair) moveAll(files []string) error {
	for i, file := range files {
		if _, err := setAside(r.fs, file); err != nil {
			return err
		}
		if i+1 < len(files) && path.Dir(files[i+1]) == path.Dir(file) {
			continue // with that one
		}
		if err := fsys.SyncParent(r.fs, file); err != nil {
			return err
		}
	}
	return nil
}

func (r *Repair) applyFormat(context.Context) error {
	if r.format == nil {
		return nil
	}
	if err := r.keep(base.FormatFile); err != nil {
		return err
	}
	return r.format.write(r.fs)
}

// applySalvages saves what is sound of files that go.
func (r *Repair) applySalvages(ctx context.Context) error {
	dirs := make(map[string]bool)
	for i := range r.salvages {
		entries, err := r.writeSalvage(ctx, &r.salvages[i])
		if err != nil {
			return err
		}
		for _, e := range entries {
			e.Edit = r.first.Number
			r.first.Add = append(r.first.Add, e)
			dirs[path.Dir(e.Path)] = true
		}
	}
	for dir := range dirs {
		if err := r.fs.SyncDir(dir); err != nil {
			return err
		}
	}
	if len(dirs) == 0 {
		return nil
	}
	return r.fs.SyncDir(base.SegmentsDir)
}

func (r *Repair) applyCatalog(context.Context) error {
	c := &r.catalog
	if c.generation == 0 {
		return nil
	}
	at, err := r.writeCatalog()
	r.first.Catalog = at
	if err != nil || c.source == "" {
		return err
	}
	// Once MANIFEST names the new one, an opening removes the old one.
	return r.keep(c.source)
}

func (r *Repair) applyManifest(context.Context) error {
	if !r.rewrite {
		return nil
	}
	if err := r.keep(base.ManifestFile); err != nil {
		return err
	}
	if err := r.writeManifest(); err != nil {
		return err
	}
	if r.catalog.generation == 0 || r.catalog.source == "" {
		return nil
	}
	return errors.Join(r.fs.Remove(r.catalog.source), r.fs.SyncDir(""))
}

func (r *Repair) applyDamaged(context.Context) error { return r.moveAll(r.damaged) }
