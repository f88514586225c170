package engine

import (
	"errors"
	"fmt"
	iofs "io/fs"
	"path"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/fsys"
	"github.com/sydradb/sydradb/internal/manifest"
	"github.com/sydradb/sydradb/internal/objectstore"
	"github.com/sydradb/sydradb/internal/plant"
	"github.com/sydradb/sydradb/internal/tombstone"
)

// checkDeletes reads every delete file, misses those that are not there, and judges what
// else is beside them.
func (c *checker) checkDeletes() {
	found := make(map[string]bool)
	for _, e := range c.listOptional(base.DeletesDir) {
		file := path.Join(base.DeletesDir, e.Name)
		if !e.Regular || !base.IsDeleteFile(file) {
			c.unexpected(e, file)
			continue
		}
		found[file] = true
		if d, live := c.state.Delete(file); live {
			c.count(file)
			c.report.Deletes++
			if c.fault(file, c.loadDelete(&d)) {
				c.damage.bad(file)
			}
		} else {
			c.unnamedDelete(e, file)
		}
	}
	if !c.whole {
		return // a later line may have removed what is missing
	}
	for i := range c.state.Deletes {
		if d := &c.state.Deletes[i]; !found[d.Path] {
			c.find(Damage, d.Path, base.WholeFile, "missing")
			c.damage.bad(d.Path)
		}
	}
}

// loadDelete reads a delete file that MANIFEST names.
func (c *checker) loadDelete(d *manifest.DeleteFile) error {
	t, err := tombstone.Load(c.fs, tombstone.File{Path: d.Path, Bytes: d.Bytes, BLAKE3: d.BLAKE3})
	if err == nil && (t.LSN != d.LSN || t.Start != d.StartTS || t.End != d.EndTS) {
		err = whole(d.Path, fmt.Errorf("it is of record %d, from %d to %d, MANIFEST says of %d, from %d to %d",
			t.LSN, t.Start, t.End, d.LSN, d.StartTS, d.EndTS))
	}
	return err
}

// unnamedDelete judges a delete file that no sound line of MANIFEST names.
func (c *checker) unnamedDelete(e fsys.Entry, file string) {
	if !c.whole {
		// A line that was lost may name it.
		c.count(file)
		_, err := tombstone.ReadLSN(c.fs, file)
		c.fault(file, err)
		return
	}
	if fate, err := deleteFate(c.fs, &c.state, e, file); !c.fault(file, err) {
		c.leftover(file, fate)
	}
}

// checkObjects reads every object and every ref. That a ref leads to an object is for
// those to say who know what the objects mean.
func (c *checker) checkObjects() {
	store := objectstore.Open(c.fs)
	for _, shard := range c.listOptional(base.ObjectsDir) {
		dir := path.Join(base.ObjectsDir, shard.Name)
		if !shard.Dir || !base.IsObjectDir(dir) {
			c.unexpected(shard, dir)
			continue
		}
		for _, e := range c.list(dir) {
			file := path.Join(dir, e.Name)
			id, ok := base.ParseObjectFile(file)
			if !e.Regular || !ok {
				c.unexpected(e, file)
				continue
			}
			if c.stopped() {
				return
			}
			c.report.Objects++
			c.object(file, store.Verify(c.ctx, id))
		}
	}
	c.checkRefs(store, base.RefsDir)
}

// checkRefs reads the refs below a directory. Directories may be empty: that of a ref
// stays when it goes.
func (c *checker) checkRefs(store *objectstore.Dir, dir string) {
	for _, e := range c.listOptional(dir) {
		file := path.Join(dir, e.Name)
		name, ok := base.ParseRefFile(file)
		switch {
		case ok && e.Dir:
			c.checkRefs(store, file)
		case ok && e.Regular:
			c.report.Refs++
			_, err := store.Ref(c.ctx, name)
			if plant.Bug(plant.RefPassed) {
				err = nil
			}
			c.object(file, err)
		default:
			c.unexpected(e, file)
		}
	}
}

// object files what reading an object or a ref came to.
func (c *checker) object(file string, err error) {
	c.count(file)
	if c.fault(file, err) && errors.Is(err, base.ErrCorrupt) {
		c.damage.objects = append(c.damage.objects, file)
	}
}

// listOptional returns the entries of a directory that need not be there.
func (c *checker) listOptional(dir string) []fsys.Entry {
	entries, err := c.fs.List(dir)
	if !errors.Is(err, iofs.ErrNotExist) {
		c.fault(dir, err)
	}
	return entries
}
