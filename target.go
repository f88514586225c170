package sydradb

import (
	"errors"
	"fmt"
	"path"
	"slices"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/fsys"
)

// target is a directory that comes into being as a whole: it is built under another
// name beside its final one, and renamed.
type target struct {
	fs   fsys.FS // of the parent directory
	dir  string  // path of the parent directory
	name string  // in fs
	work string  // in fs, what it is built as
}

// newTarget prepares for a directory at path, which must be missing or empty. What an
// interrupted run has left at work is removed.
func newTarget(path string) (*target, error) {
	fs, dir, name, err := fsys.OSParent(path)
	if err != nil {
		return nil, err
	}
	t := &target{fs: fs, dir: dir, name: name, work: name + base.TempSuffix}
	if _, err = t.free(); err == nil {
		err = t.clear()
	}
	if err != nil {
		return nil, errors.Join(err, t.close())
	}
	return t, nil
}

// path returns where to build.
func (t *target) path() string { return t.dir + "/" + t.work }

func (t *target) close() error { return closeFS(t.fs) }

// free returns an error unless the final name is missing, or an empty directory.
func (t *target) free() (missing bool, err error) {
	found, err := fsys.Exists(t.fs, t.name)
	if err != nil || !found {
		return !found, err
	}
	entries, err := t.fs.List(t.name)
	if err == nil && len(entries) > 0 {
		err = fmt.Errorf("%s is not empty: it holds %s", t.name, entries[0].Name)
	}
	return false, err
}

// clear removes what an interrupted run has left, and nothing else: a directory with
// names that no such run makes, or that a run is working on, is left alone.
func (t *target) clear() error {
	found, err := fsys.Exists(t.fs, t.work)
	if err != nil || !found {
		return err
	}
	entries, err := t.fs.List(t.work)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !isOwnName(e.Name) {
			return fmt.Errorf("%s holds %s, so it is not what an interrupted run left; move it away", t.work, e.Name)
		}
	}
	lock, err := t.fs.Lock(path.Join(t.work, base.LockFile))
	if err != nil {
		return err
	}
	// Some systems remove no file that is open.
	if err := lock.Close(); err != nil {
		return err
	}
	return t.remove()
}

// isOwnName reports whether name is one that a new database has.
func isOwnName(name string) bool {
	_, catalog := base.ParseCatalogFile(name)
	own := []string{base.LockFile, base.FormatFile, base.ManifestFile, base.TagsFile, base.WALDir, base.SegmentsDir}
	return catalog || base.IsTemp(name) || slices.Contains(own, name)
}

// remove removes the unfinished directory, if there is one.
func (t *target) remove() error {
	found, err := fsys.Exists(t.fs, t.work)
	if err != nil || !found {
		return err
	}
	return removeAll(t.fs, t.work)
}

// removeAll removes a file, or a directory with all that it holds. Links in it are
// removed, not followed.
func removeAll(fs fsys.FS, name string) error {
	entry, err := fs.Stat(name)
	if err != nil {
		return err
	}
	if entry.Dir {
		entries, err := fs.List(name)
		if err != nil {
			return err
		}
		for _, e := range entries {
			if err := removeAll(fs, path.Join(name, e.Name)); err != nil {
				return err
			}
		}
	}
	return fs.Remove(name)
}

// publish gives the finished directory, which nobody has open, its final name.
func (t *target) publish() error {
	missing, err := t.free()
	if err != nil {
		return err
	}
	if !missing {
		// Not every system replaces an empty directory.
		if err := t.fs.Remove(t.name); err != nil {
			return err
		}
	}
	if err := t.fs.Rename(t.work, t.name); err != nil {
		return err
	}
	return t.fs.SyncDir("")
}
