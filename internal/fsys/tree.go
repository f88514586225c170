package fsys

import (
	"errors"
	iofs "io/fs"
	"path"
)

// DiskUsage returns the sizes of the regular files below dir added up, in bytes; none
// if dir does not exist. What goes away meanwhile is not counted. A file with two names
// below dir counts twice.
func DiskUsage(fs FS, dir string) (bytes int64, err error) {
	entries, err := fs.List(dir)
	if errors.Is(err, iofs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	for _, e := range entries {
		if e.Dir {
			below, err := DiskUsage(fs, path.Join(dir, e.Name))
			if err != nil {
				return 0, err
			}
			bytes += below
			continue
		}
		bytes += e.Size
	}
	return bytes, nil
}

// RemoveAll removes dir with all below it, by one Remove after the other; it is no
// error if nothing stands there. Symbolic links are removed, not followed. With an
// error, or after a power cut, some of it may be left, in no order.
func RemoveAll(fs FS, dir string) error {
	entries, err := fs.List(dir)
	if errors.Is(err, iofs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		p := path.Join(dir, e.Name)
		if e.Dir {
			err = RemoveAll(fs, p)
		} else {
			err = removeIfThere(fs, p)
		}
		if err != nil {
			return err
		}
	}
	return removeIfThere(fs, dir)
}

func removeIfThere(fs FS, p string) error {
	if err := fs.Remove(p); !errors.Is(err, iofs.ErrNotExist) {
		return err
	}
	return nil
}

// SyncTree makes the names in dir durable, and those in all directories below it: the
// innermost first. The name of dir itself is its parent's.
func SyncTree(fs FS, dir string) error {
	entries, err := fs.List(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Dir {
			if err := SyncTree(fs, path.Join(dir, e.Name)); err != nil {
				return err
			}
		}
	}
	return fs.SyncDir(dir)
}
