package fsys

import (
	"io"
	"sync"
)

// Trace returns an FS that does what fs does and calls record before each operation,
// files included, one at a time. Golden files of the order of syncs are made with it.
// Releasing a lock is not an operation.
func Trace(fs FS, record func(Op)) FS {
	var mu sync.Mutex
	return &tracer{fs: fs, record: func(op Op) {
		mu.Lock()
		defer mu.Unlock()
		record(op)
	}}
}

type tracer struct {
	fs     FS
	record func(Op)
}

// under implements view.
func (t *tracer) under(path string) (FS, string, error) { return t.fs, path, nil }

func (t *tracer) Open(path string) (File, error)   { return t.file(OpOpen, path, t.fs.Open) }
func (t *tracer) Create(path string) (File, error) { return t.file(OpCreate, path, t.fs.Create) }
func (t *tracer) OpenAppend(path string) (File, error) {
	return t.file(OpOpenAppend, path, t.fs.OpenAppend)
}

func (t *tracer) file(kind OpKind, path string, open func(string) (File, error)) (File, error) {
	t.record(Op{Kind: kind, Path: path})
	f, err := open(path)
	if err != nil {
		return nil, err
	}
	return &tracedFile{file: f, path: path, record: t.record}, nil
}

func (t *tracer) Rename(oldPath, newPath string) error {
	t.record(Op{Kind: OpRename, Path: oldPath, NewPath: newPath})
	return t.fs.Rename(oldPath, newPath)
}

func (t *tracer) Link(oldPath, newPath string) error {
	t.record(Op{Kind: OpLink, Path: oldPath, NewPath: newPath})
	return t.fs.Link(oldPath, newPath)
}

func (t *tracer) Remove(path string) error {
	t.record(Op{Kind: OpRemove, Path: path})
	return t.fs.Remove(path)
}

func (t *tracer) MkdirAll(path string) error {
	t.record(Op{Kind: OpMkdirAll, Path: path})
	return t.fs.MkdirAll(path)
}

func (t *tracer) List(path string) ([]Entry, error) {
	t.record(Op{Kind: OpList, Path: path})
	return t.fs.List(path)
}

func (t *tracer) Stat(path string) (Entry, error) {
	t.record(Op{Kind: OpStat, Path: path})
	return t.fs.Stat(path)
}

func (t *tracer) SyncDir(path string) error {
	t.record(Op{Kind: OpSyncDir, Path: path})
	return t.fs.SyncDir(path)
}

func (t *tracer) Lock(path string) (io.Closer, error) {
	t.record(Op{Kind: OpLock, Path: path})
	return t.fs.Lock(path)
}

func (t *tracer) Space() (uint64, error) {
	t.record(Op{Kind: OpSpace, Path: "."})
	return t.fs.Space()
}

// tracedFile reports the operations on one file.
type tracedFile struct {
	file   File
	path   string
	record func(Op)
}

func (f *tracedFile) ReadAt(p []byte, off int64) (int, error) {
	f.record(Op{Kind: OpRead, Path: f.path, Offset: off, Len: len(p)})
	return f.file.ReadAt(p, off)
}

func (f *tracedFile) Write(p []byte) (int, error) {
	end, err := f.file.Size()
	if err != nil {
		return 0, err
	}
	f.record(Op{Kind: OpWrite, Path: f.path, Offset: end, Len: len(p)})
	return f.file.Write(p)
}

func (f *tracedFile) Truncate(size int64) error {
	f.record(Op{Kind: OpTruncate, Path: f.path, Offset: size})
	return f.file.Truncate(size)
}

func (f *tracedFile) Sync() error {
	f.record(Op{Kind: OpSync, Path: f.path})
	return f.file.Sync()
}

func (f *tracedFile) Size() (int64, error) {
	f.record(Op{Kind: OpSize, Path: f.path})
	return f.file.Size()
}

func (f *tracedFile) Close() error {
	f.record(Op{Kind: OpClose, Path: f.path})
	return f.file.Close()
}
