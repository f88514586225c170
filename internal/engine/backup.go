package engine

import (
	"context"
	"errors"
	"io"
	iofs "io/fs"
	"path"
	"time"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/fsys"
	"github.com/sydradb/sydradb/internal/manifest"
	"github.com/sydradb/sydradb/internal/plant"
	"github.com/sydradb/sydradb/internal/wal"
)

// Snapshot makes a copy of the database in dst, an empty directory or none. The copy
// holds every batch that was acknowledged before, and no part of one; it is a database of
// its own, which shares with this one only files that never change, by hard links where
// there can be some. Nobody waits for it: writers, flushes, merges and retention go on.
//
// All of the copy is durable when Snapshot returns nil, but for the name of dst itself.
// After an error dst holds something unfinished, without FORMAT.
func (e *Engine) Snapshot(ctx context.Context, dst fsys.FS) error {
	if err := e.writable(); err != nil {
		return err
	}
	if err := e.Flush(ctx); err != nil {
		return err
	}
	c := copier{ctx: ctx, src: e.fs, dst: dst, made: make(map[string]bool)}
	return c.into(func() error {
		var files *fileSet
		err := e.maintenance.do(ctx, func(context.Context) error {
			// As long as this runs, the catalog keeps its file, and no deletion is dropped.
			// What may take long comes later; the files for that stay until released.
			files = e.state.holdFiles()
			c.first = e.ledger.firstEdit()
			return c.copyMutable()
		})
		if files != nil {
			defer e.state.sets.release(files)
		}
		if err == nil {
			err = c.copyImmutable()
		}
		if err == nil {
			err = c.finish(e.opts.Now(), nil)
		}
		return err
	})
}

// holdFiles returns the files of now, none of which is unlinked until they are released.
func (s *state) holdFiles() *fileSet {
	s.mu.RLock()
	defer s.mu.RUnlock()
	s.sets.acquire(s.mu.files)
	return s.mu.files
}

// firstEdit returns the first line of MANIFEST for a copy of what is live now.
func (l *ledger) firstEdit() (first manifest.Edit) {
	l.mu.Lock()
	defer l.mu.Unlock()
	first = copyEdit(l.manifest.State())
	first.NextMS = max(first.NextMS, l.lastMS+1) // no job is under way there
	return first
}

// copyEdit returns the edit that alone adds up to what is live in s.
func copyEdit(s *manifest.State) manifest.Edit {
	return manifest.Edit{
		Number: s.LastEdit + 1, Wall: s.Wall, NextMS: s.NextMS, FlushedLSN: s.FlushedLSN, Catalog: s.Catalog,
		Add: s.Live, AddDeletes: s.Deletes, Horizon: s.Horizon,
	}
}

// copier makes a database of what the files of another one held when first was true of
// it. Files that never change are linked or copied, all others are copied: what either
// database appends to them later is not to be seen in the other.
type copier struct {
	ctx      context.Context
	src, dst fsys.FS
	first    manifest.Edit // first line of the new MANIFEST
	made     map[string]bool
}

// into runs build with the lock of dst held.
func (c *copier) into(build func() error) (err error) {
	if err := c.mkdir("."); err != nil {
		return err
	}
	var lock io.Closer
	if lock, err = c.dst.Lock(base.LockFile); err != nil {
		return err
	}
	err = build()
	return errors.Join(err, lock.Close())
}

// copyMutable takes over what may change or go at any time: the catalog, refs before the
// objects that they lead to, and the files of deletions.
func (c *copier) copyMutable() error {
	if err := c.copyCatalog(); err != nil {
		return err
	}
	for i := range c.first.AddDeletes {
		if err := c.transferLive(c.first.AddDeletes[i].Path); err != nil {
			return err
		}
	}
	for _, dir := range []string{base.RefsDir, base.RefLogsDir} {
		err := c.each(dir, func(file string, size int64) error {
			if base.CheckRefName(file[len(dir)+1:]) != nil {
				return nil // not ours
			}
			return c.copy(file, size)
		})
		if err != nil {
			return err
		}
	}
	head, err := c.src.Stat(base.HeadFile)
	if errors.Is(err, iofs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return c.copy(base.HeadFile, head.Size)
}

// copyCatalog copies what MANIFEST vouches for. The file goes on growing, in both.
func (c *copier) copyCatalog() error {
	file := base.CatalogFile(c.first.Catalog.Generation)
	if plant.Bug(plant.SnapshotLinksSeries) {
		return c.transfer(file)
	}
	return c.copy(file, c.first.Catalog.Bytes)
}

// copyImmutable takes over the files that never change.
func (c *copier) copyImmutable() error {
	for i := range c.first.Add {
		if err := c.transferLive(c.first.Add[i].Path); err != nil {
			return err
		}
	}
	return c.each(base.ObjectsDir, func(file string, _ int64) error {
		if _, own := base.ParseObjectFile(file); !own {
			return nil
		}
		return c.transfer(file)
	})
}

// finish makes what a copy has of its own: identity, MANIFEST, and a log in which fill,
// unless it is nil, puts records, durably. FORMAT, the last, says that all of it is there.
func (c *copier) finish(now time.Time, fill func(*wal.Log) error) error {
	if err := c.mkdir(base.SegmentsDir); err != nil {
		return err
	}
	format, uuid := newFormat(now)
	log, err := wal.Create(c.dst, uuid, c.first.FlushedLSN+1)
	if err != nil {
		return err
	}
	if fill != nil {
		err = fill(log)
	}
	if err = errors.Join(err, log.Close()); err != nil {
		return err
	}
	man, err := manifest.Create(c.dst, c.first)
	if err != nil {
		return err
	}
	if err := man.Close(); err != nil {
		return err
	}
	if plant.Bug(plant.SnapshotUnsynced) {
		return format.write(c.dst)
	}
	if err := fsys.SyncTree(c.dst, ""); err != nil {
		return err
	}
	return format.write(c.dst)
}

// each calls put for the files below dir, which may be missing.
func (c *copier) each(dir string, put func(file string, size int64) error) error {
	entries, err := c.src.List(dir)
	if errors.Is(err, iofs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		file := path.Join(dir, e.Name)
		if e.Dir {
			err = c.each(file, put)
		} else if e.Regular {
			err = put(file, e.Size)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// copy copies the first size bytes of a file.
func (c *copier) copy(file string, size int64) error {
	if err := c.mkdir(path.Dir(file)); err != nil {
		return err
	}
	return fsys.Copy(c.src, file, c.dst, file, size)
}

// transfer links a file, or copies it where it cannot be linked.
func (c *copier) transfer(file string) error {
	if err := c.mkdir(path.Dir(file)); err != nil {
		return err
	}
	_, err := fsys.Transfer(c.src, file, c.dst, file)
	return err
}

// transferLive is transfer of a file that MANIFEST names: it is damage if there is none.
func (c *copier) transferLive(file string) error {
	err := c.transfer(file)
	if errors.Is(err, iofs.ErrNotExist) {
		if found, statErr := fsys.Exists(c.src, file); statErr == nil && !found {
			return whole(file, err)
		}
	}
	return err
}

// mkdir makes a directory of dst, once, and returns early if nobody waits any more.
func (c *copier) mkdir(dir string) error {
	if err := c.ctx.Err(); err != nil || c.made[dir] {
		return err
	}
	c.made[dir] = true
	return c.dst.MkdirAll(dir)
}
