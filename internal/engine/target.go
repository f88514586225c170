package engine

import (
	"errors"
	"fmt"
	iofs "io/fs"
	"path"
	"slices"
	"strings"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/fsys"
)

// Build makes a database in the directory name of fs, which must be missing or empty, as a
// whole: build fills a directory with another name beside it, work in fs and tree by
// itself, which takes the final name, durably, when build returns nil. build leaves
// everything in it durable and nothing open, and holds its lock file meanwhile.
//
// After an error nothing is left, but if the last sync fails: then the directory has its
// name, and whether it keeps that is not known. A power cut leaves the directory at work
// or, whole, under its final name. What is found at work from a run that was interrupted is
// removed, and nothing else: a directory with names that no such run makes is an error,
// as is one that a run is working on (fsys.ErrLocked).
func Build(fs fsys.FS, name string, build func(tree fsys.FS, work string) error) error {
	t := &target{fs: fs, name: name, work: name + base.TempSuffix}
	if _, err := t.free(); err != nil {
		return err
	}
	if err := t.clear(); err != nil {
		return err
	}
	err := build(fsys.Sub(fs, t.work), t.work)
	if err == nil {
		err = t.publish()
	}
	if err != nil {
		err = errors.Join(err, t.clear()) // looks again whether another run has work
	}
	return err
}

// target is a directory that comes into being as a whole.
type target struct {
	fs   fsys.FS // of the parent directory
	name string  // in fs
	work string  // in fs, what it is built as
}

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

// clear removes what an interrupted run has left.
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
	return fsys.RemoveAll(t.fs, t.work)
}

// isOwnName reports whether name is one that a new database has.
func isOwnName(name string) bool {
	own := []string{
		base.LockFile, base.FormatFile, base.ManifestFile, base.TagsFile, base.WALDir, base.SegmentsDir,
		base.DeletesDir, base.ObjectsDir, base.RefsDir, base.HeadFile, base.RefLogsDir,
		base.HeadFile + base.TempSuffix,
	}
	_, catalog := base.ParseCatalogFile(name)
	return catalog || base.IsTemp(name) || slices.Contains(own, name)
}

// publish gives the finished directory its final name.
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

// clearSnapshots removes what interrupted snapshots have left in the data directory
// itself: their names tell the time, so no later run comes across them.
func clearSnapshots(fs fsys.FS) error {
	entries, err := fs.List(base.SnapshotsDir)
	if errors.Is(err, iofs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var errs []error
	for _, e := range entries {
		if e.Dir && strings.HasSuffix(e.Name, base.TempSuffix) {
			t := target{fs: fsys.Sub(fs, base.SnapshotsDir), work: e.Name}
			errs = append(errs, t.clear())
		}
	}
	return errors.Join(errs...)
}
