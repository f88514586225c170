package fsys

import (
	"errors"
	"fmt"
	"io"
	iofs "io/fs"
	"path"

	"github.com/sydradb/sydradb/internal/plant"
)

// tempSuffix ends the name of a file that is still being written, base.TempSuffix.
const tempSuffix = ".tmp"

// WriteFileAtomic puts data at path, durably and in one step: after a power cut the
// file holds what it held before, or data. It writes path+".tmp", which it removes if
// anything fails before the rename. At most one call at a time may be writing one path.
func WriteFileAtomic(fs FS, path string, data []byte) error {
	if err := ReplaceFile(fs, path, data); err != nil {
		return err
	}
	if plant.Bug(plant.RenameUnsynced) {
		return nil
	}
	return SyncParent(fs, path)
}

// ReplaceFile does all that WriteFileAtomic does but for the sync of the directory, for
// who has to know which of the two has failed: until SyncDir, a power cut may bring the
// old file back. After an error that matches ErrTooManyFiles it is there.
func ReplaceFile(fs FS, path string, data []byte) error {
	// A power cut in the middle of a rename may have left both names on one file. Its
	// bytes must not be overwritten by way of the old name.
	if err := removeIfThere(fs, path+tempSuffix); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return WriteFileUnlisted(fs, path, data)
}

// WriteFileUnlisted does all that WriteFileAtomic does but for the sync of the
// directory: the bytes of the new file are durable, its name is not until SyncDir. So
// one sync can serve many files. The pieces of data are written one after the other.
func WriteFileUnlisted(fs FS, path string, data ...[]byte) error {
	return writeUnlisted(fs, path, func(f File) error {
		for _, piece := range data {
			if _, err := f.Write(piece); err != nil {
				return err
			}
		}
		return nil
	})
}

// writeUnlisted puts a file that fill has written at path.
func writeUnlisted(fs FS, path string, fill func(File) error) error {
	temp := path + tempSuffix
	err := writeSynced(fs, temp, fill)
	if err == nil {
		err = fs.Rename(temp, path)
	}
	if err != nil {
		// A file that cannot be removed now goes when the database opens.
		_ = fs.Remove(temp)
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

func writeSynced(fs FS, path string, fill func(File) error) error {
	f, err := fs.Create(path)
	if err != nil {
		return err
	}
	if err = fill(f); err == nil && !plant.Bug(plant.TempUnsynced) {
		err = f.Sync()
	}
	if plant.Bug(plant.CloseIgnored) {
		_ = f.Close()
		return err
	}
	return errors.Join(err, f.Close())
}

// SyncParent makes the name at path durable, or its absence.
func SyncParent(fs FS, p string) error { return fs.SyncDir(path.Dir(p)) }

// ReadFile returns the bytes of a file. The slice is the caller's.
func ReadFile(fs FS, path string) ([]byte, error) {
	f, err := fs.Open(path)
	if err != nil {
		return nil, err
	}
	data, err := readAll(f)
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return data, nil
}

func readAll(f File) ([]byte, error) {
	size, err := f.Size()
	if err != nil || size == 0 {
		return nil, err
	}
	data := make([]byte, size)
	switch n, err := f.ReadAt(data, 0); {
	case n == len(data):
		return data, nil
	case errors.Is(err, io.EOF):
		return nil, io.ErrUnexpectedEOF // cut by somebody meanwhile
	default:
		return nil, err
	}
}

// Exists reports whether anything stands at path.
func Exists(fs FS, path string) (bool, error) {
	_, err := fs.Stat(path)
	if errors.Is(err, iofs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}
