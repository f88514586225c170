package fsys

import (
	iofs "io/fs"
	"os"
)

// osFile is a File of the operating system.
type osFile struct {
	f        *os.File
	path     string
	writable bool
	end      int64 // where Write goes; known here since not every system can cut a file opened for appending
}

// ReadAt implements io.ReaderAt.
func (f *osFile) ReadAt(p []byte, off int64) (int, error) { return f.f.ReadAt(p, off) }

// Write implements File.
func (f *osFile) Write(p []byte) (int, error) {
	if !f.writable {
		return 0, pathError(OpWrite, f.path, ErrReadOnly)
	}
	n, err := f.f.WriteAt(p, f.end)
	f.end += int64(n)
	return n, osError(err)
}

// Truncate implements File.
func (f *osFile) Truncate(size int64) error {
	switch {
	case !f.writable:
		return pathError(OpTruncate, f.path, ErrReadOnly)
	case size < 0:
		return pathError(OpTruncate, f.path, iofs.ErrInvalid)
	}
	if err := f.f.Truncate(size); err != nil {
		return osError(err)
	}
	f.end = size
	return nil
}

// Sync implements File.
func (f *osFile) Sync() error {
	if !f.writable {
		return pathError(OpSync, f.path, ErrReadOnly) // Windows could not do it
	}
	return osError(syncData(f.f))
}

// Size implements File.
func (f *osFile) Size() (int64, error) {
	info, err := f.f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// Close implements File.
func (f *osFile) Close() error { return osError(f.f.Close()) }
