package fsys

import (
	"io"
	iofs "io/fs"
)

// memFile is a handle on a file of a Mem.
type memFile struct {
	fs       *Mem
	node     *node
	path     string
	writable bool
	closed   bool // guarded by fs.mu
}

// usable returns why the handle cannot be used, or nil.
func (f *memFile) usable(write bool) error {
	switch {
	case f.closed:
		return iofs.ErrClosed
	case write && !f.writable:
		return ErrReadOnly
	}
	return nil
}

// ReadAt implements io.ReaderAt.
func (f *memFile) ReadAt(p []byte, off int64) (int, error) {
	fault := f.fs.consult(Op{Kind: OpRead, Path: f.path, Offset: off, Len: len(p)})
	f.fs.mu.RLock()
	err := f.usable(false)
	data := f.node.data
	f.fs.mu.RUnlock()
	if err == nil && off < 0 {
		err = iofs.ErrInvalid
	}
	if err != nil {
		return 0, pathError(OpRead, f.path, err)
	}
	if fault.Err != nil {
		p = p[:min(max(fault.Written, 0), len(p))]
	}
	n := 0
	if off < int64(len(data)) {
		n = copy(p, data[off:])
	}
	switch {
	case fault.Err != nil:
		return n, pathError(OpRead, f.path, fault.Err)
	case n < len(p):
		return n, io.EOF
	}
	return n, nil
}

// Write implements File.
func (f *memFile) Write(p []byte) (int, error) {
	fault := f.fs.consult(Op{Kind: OpWrite, Path: f.path, Offset: f.end(), Len: len(p)})
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if err := f.usable(true); err != nil {
		return 0, pathError(OpWrite, f.path, err)
	}
	if fault.Err != nil {
		n := f.fs.write(f.node, p[:min(max(fault.Written, 0), len(p))])
		return n, pathError(OpWrite, f.path, fault.Err)
	}
	n := f.fs.write(f.node, p)
	if n < len(p) {
		return n, pathError(OpWrite, f.path, ErrNoSpace)
	}
	return n, nil
}

// end returns the size of the file.
func (f *memFile) end() int64 {
	f.fs.mu.RLock()
	defer f.fs.mu.RUnlock()
	return int64(len(f.node.data))
}

// Truncate implements File.
func (f *memFile) Truncate(size int64) error {
	fault := f.fs.consult(Op{Kind: OpTruncate, Path: f.path, Offset: size})
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	err := f.usable(true)
	switch {
	case err != nil:
	case fault.Err != nil:
		err = fault.Err
	case size < 0:
		err = iofs.ErrInvalid
	case size-int64(len(f.node.data)) > max(0, f.fs.capacity-f.fs.used):
		err = ErrNoSpace
	}
	if err != nil {
		return pathError(OpTruncate, f.path, err)
	}
	f.fs.truncate(f.node, int(size))
	return nil
}

// Sync implements File.
func (f *memFile) Sync() error {
	fault := f.fs.consult(Op{Kind: OpSync, Path: f.path})
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if err := f.usable(true); err != nil {
		return pathError(OpSync, f.path, err)
	}
	if fault.Err != nil {
		f.node.dropData()
		return pathError(OpSync, f.path, fault.Err)
	}
	f.node.syncData()
	return nil
}

// Size implements File.
func (f *memFile) Size() (int64, error) {
	fault := f.fs.consult(Op{Kind: OpSize, Path: f.path})
	f.fs.mu.RLock()
	defer f.fs.mu.RUnlock()
	err := f.usable(false)
	if err == nil {
		err = fault.Err
	}
	if err != nil {
		return 0, pathError(OpSize, f.path, err)
	}
	return int64(len(f.node.data)), nil
}

// Close implements File.
func (f *memFile) Close() error {
	fault := f.fs.consult(Op{Kind: OpClose, Path: f.path})
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if f.closed {
		return pathError(OpClose, f.path, iofs.ErrClosed)
	}
	f.closed = true
	delete(f.fs.open, f)
	f.node.opens--
	f.fs.release(f.node)
	if fault.Err != nil {
		if f.writable {
			f.node.dropData()
		}
		return pathError(OpClose, f.path, fault.Err)
	}
	return nil
}
