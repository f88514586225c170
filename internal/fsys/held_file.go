package fsys

import (
	iofs "io/fs"
	"sync/atomic"
)

// heldFile is a handle on a file that a HeldFS keeps open for all its handles.
type heldFile struct {
	file   File
	path   string
	closed atomic.Bool
}

// ReadAt implements io.ReaderAt.
func (f *heldFile) ReadAt(p []byte, off int64) (int, error) {
	if f.closed.Load() {
		return 0, pathError(OpRead, f.path, iofs.ErrClosed)
	}
	return f.file.ReadAt(p, off)
}

// Size implements File.
func (f *heldFile) Size() (int64, error) {
	if f.closed.Load() {
		return 0, pathError(OpSize, f.path, iofs.ErrClosed)
	}
	return f.file.Size()
}

// Write implements File by refusing.
func (f *heldFile) Write([]byte) (int, error) { return 0, f.refuse(OpWrite) }

// Truncate implements File by refusing.
func (f *heldFile) Truncate(int64) error { return f.refuse(OpTruncate) }

// Sync implements File by refusing.
func (f *heldFile) Sync() error { return f.refuse(OpSync) }

func (f *heldFile) refuse(kind OpKind) error {
	if f.closed.Load() {
		return pathError(kind, f.path, iofs.ErrClosed)
	}
	return pathError(kind, f.path, ErrReadOnly)
}

// Close implements File.
func (f *heldFile) Close() error {
	if f.closed.Swap(true) {
		return pathError(OpClose, f.path, iofs.ErrClosed)
	}
	return nil
}
