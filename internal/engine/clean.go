package engine

import (
	"errors"
	"fmt"
	iofs "io/fs"
	"maps"
	"path"
	"slices"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/fsys"
	"github.com/sydradb/sydradb/internal/manifest"
	"github.com/sydradb/sydradb/internal/tombstone"
)

// clean removes what interrupted work has left, by the rules of the MANIFEST, and sets
// aside segment files that nothing explains (E6). Names that SydraDB does not give are
// not touched.
func (r *recovery) clean() error {
	root, err := r.fs.List("")
	if err != nil {
		return err
	}
	for _, e := range root {
		generation, isCatalog := base.ParseCatalogFile(e.Name)
		if isTemp(e, e.Name) || isCatalog && generation != r.catalog.Generation() {
			if err := r.fs.Remove(e.Name); err != nil {
				return err
			}
		} else if !isCatalog && !isTopName(e) {
			r.unknown = append(r.unknown, e.Name)
		}
	}
	hours, err := r.fs.List(base.SegmentsDir)
	if err != nil {
		return err
	}
	var empty []string
	found := make(map[string]struct{})
	for _, hour := range hours {
		dir := path.Join(base.SegmentsDir, hour.Name)
		if !isHourDir(hour) {
			r.unknown = append(r.unknown, dir)
			continue
		}
		left, err := r.cleanHour(dir, found)
		if err != nil {
			return err
		}
		if left == 0 {
			empty = append(empty, dir)
		}
	}
	if err := r.removeDirs(empty); err != nil {
		return err
	}
	if err := r.cleanDeletes(); err != nil {
		return err
	}
	if err := r.settleRemovals(); err != nil {
		return err
	}
	for _, dir := range []string{base.ObjectsDir, base.RefsDir} {
		if err := cleanTemps(r.fs, dir); err != nil {
			return err
		}
	}
	r.warnMissing(found)
	if err := r.warnUnknown(); err != nil {
		return err
	}
	if err := clearSnapshots(r.fs); err != nil {
		r.opts.Logger.Warn("cannot remove what an interrupted snapshot has left", "error", err)
	}
	return nil
}

// settleRemovals takes note that the files which MANIFEST has ceased to name are gone:
// they were removed by now, here or in the process before, which may have ended before
// that was durable. Otherwise MANIFEST would name them for ever.
func (r *recovery) settleRemovals() error {
	owed := r.manifest.State().Owed()
	dirs, parents := make(map[string]struct{}), make(map[string]struct{})
	for _, p := range owed {
		dirs[path.Dir(p)] = struct{}{}
	}
	for _, dir := range slices.Sorted(maps.Keys(dirs)) {
		if err := r.fs.SyncDir(dir); errors.Is(err, iofs.ErrNotExist) {
			parents[path.Dir(dir)] = struct{}{} // it is gone as well
		} else if err != nil {
			return err
		}
	}
	for dir := range parents {
		if err := r.fs.SyncDir(dir); err != nil {
			return err
		}
	}
	r.manifest.Unlinked(owed)
	return nil
}

// cleanTemps removes what was still being written in and below a directory of objects or
// refs, which need not be there.
func cleanTemps(fs fsys.FS, dir string) error {
	entries, err := fs.List(dir)
	if errors.Is(err, iofs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	changed := false
	for _, e := range entries {
		file := path.Join(dir, e.Name)
		_, isRef := base.ParseRefFile(file)
		switch {
		case e.Dir && (isRef || base.IsObjectDir(file)):
			err = cleanTemps(fs, file)
		case isTemp(e, file):
			changed = true
			err = fs.Remove(file)
		}
		if err != nil {
			return err
		}
	}
	if !changed {
		return nil
	}
	return fs.SyncDir(dir)
}

// cleanDeletes cleans the directory of delete files. A file that no entry names is debris
// if the record that it is of is in no file yet by the word of the MANIFEST.
func (r *recovery) cleanDeletes() error {
	files, err := r.fs.List(base.DeletesDir)
	if errors.Is(err, iofs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	changed := false
	for _, f := range files {
		file := path.Join(base.DeletesDir, f.Name)
		if !f.Regular || !base.IsDeleteFile(file) && !base.IsTemp(file) {
			r.unknown = append(r.unknown, file)
			continue
		}
		fate, err := deleteFate(r.fs, r.manifest.State(), f, file)
		switch {
		case err != nil:
			return err
		case fate == manifest.FateRemove:
			if err := r.fs.Remove(file); err != nil {
				return err
			}
		case fate == manifest.FateQuarantine:
			if err := r.quarantine(file); err != nil {
				return err
			}
		default:
			continue
		}
		changed = true
	}
	if !changed {
		return nil
	}
	return r.fs.SyncDir(base.DeletesDir)
}

// deleteFate says what is to happen to a delete file.
func deleteFate(fs fsys.FS, s *manifest.State, f fsys.Entry, file string) (manifest.Fate, error) {
	if _, live := s.Delete(file); live {
		return manifest.FateKeep, nil
	}
	if isTemp(f, file) || s.Owes(file) {
		return manifest.FateRemove, nil
	}
	lsn, err := tombstone.ReadLSN(fs, file)
	switch {
	case errors.Is(err, base.ErrCorrupt):
		return manifest.FateQuarantine, nil
	case err != nil:
		return 0, err
	case lsn > s.FlushedLSN:
		return manifest.FateRemove, nil
	}
	return manifest.FateQuarantine, nil
}

// isTemp reports whether e, at path, is a file that was still being written.
func isTemp(e fsys.Entry, path string) bool { return e.Regular && base.IsTemp(path) }

// removeDirs removes empty directories of segment files. The flush that made one may
// have failed to sync its name; only one that is made anew then gets a durable name.
func (r *recovery) removeDirs(dirs []string) error {
	for _, dir := range dirs {
		if err := r.fs.Remove(dir); err != nil {
			return err
		}
	}
	if len(dirs) == 0 {
		return nil
	}
	return r.fs.SyncDir(base.SegmentsDir)
}

// cleanHour cleans one directory of segment files and returns how many entries are left.
// It adds those of live files to found.
func (r *recovery) cleanHour(dir string, found map[string]struct{}) (left int, err error) {
	files, err := r.fs.List(dir)
	if err != nil {
		return 0, err
	}
	left = len(files)
	for _, f := range files {
		file := path.Join(dir, f.Name)
		fate := r.manifest.State().Fate(file)
		if isTemp(f, file) {
			fate = manifest.FateRemove
		}
		switch {
		case !f.Regular || fate == manifest.FateForeign:
			r.unknown = append(r.unknown, file)
			continue
		case fate == manifest.FateKeep:
			found[file] = struct{}{}
			continue
		case fate == manifest.FateRemove:
			if err := r.fs.Remove(file); err != nil {
				return 0, err
			}
		case fate == manifest.FateQuarantine:
			if err := r.quarantine(file); err != nil {
				return 0, err
			}
		}
		left--
	}
	if left == len(files) {
		return left, nil
	}
	return left, r.fs.SyncDir(dir)
}

// quarantine sets a file aside.
func (r *recovery) quarantine(file string) error {
	name, err := setAside(r.fs, file)
	if err != nil {
		return err
	}
	r.opts.Logger.Warn("set aside a file that nothing refers to", "file", file, "now", name)
	return nil
}

// setAside moves a file to the quarantine. Its new name is durable then, the absence of
// the old one is not.
func setAside(fs fsys.FS, file string) (name string, err error) {
	if name, err = quarantineName(fs, file); err != nil {
		return "", err
	}
	return name, errors.Join(fs.Rename(file, name), fs.SyncDir(base.QuarantineDir), fs.SyncDir(""))
}

// quarantineName returns a name for a file in the quarantine that is still free, and
// makes the directory if there is none.
func quarantineName(fs fsys.FS, file string) (string, error) {
	if err := fs.MkdirAll(base.QuarantineDir); err != nil {
		return "", err
	}
	first := path.Join(base.QuarantineDir, path.Base(file))
	name := first
	for n := 1; ; n++ {
		found, err := fsys.Exists(fs, name)
		if err != nil || !found {
			return name, err
		}
		name = fmt.Sprintf("%s.%d", first, n)
	}
}

// warnMissing logs live files that are not among those found: what they held is lost,
// and queries that need them say so; everything else works.
func (r *recovery) warnMissing(found map[string]struct{}) {
	for _, live := range r.manifest.State().Live {
		if _, ok := found[live.Path]; !ok {
			r.damaged.missing(live.Path)
		}
	}
}

// isTopName reports whether e is something that stands at the top of a database, but for
// CATALOG and what is still being written.
func isTopName(e fsys.Entry) bool {
	switch e.Name {
	case base.LockFile, base.FormatFile, base.ManifestFile, base.TagsFile, base.ReserveFile:
		return e.Regular
	}
	return e.Dir && isKnownDir(e.Name)
}

// warnUnknown says, once, that there is something that does not belong to a database. It
// is left alone, and may be somebody's who took this for another directory. What is
// below objects/ and refs/ is left to a check: there may be much.
func (r *recovery) warnUnknown() error {
	logs, err := r.fs.List(base.WALDir)
	if err != nil {
		return err
	}
	for _, e := range logs {
		file := path.Join(base.WALDir, e.Name)
		if !e.Regular || !isLogName(file) {
			r.unknown = append(r.unknown, file)
		}
	}
	if len(r.unknown) > 0 {
		r.opts.Logger.Warn("names that do not belong to a database are left alone",
			"count", len(r.unknown), "first", r.unknown[:min(len(r.unknown), maxUnknownNames)])
	}
	return nil
}

// maxUnknownNames bounds how many names a warning has.
const maxUnknownNames = 10

// isLogName reports whether the log gives files this path.
func isLogName(file string) bool {
	_, rotated := base.ParseWALFile(file)
	return rotated || file == base.CurrentWAL || base.IsTornFile(file)
}
