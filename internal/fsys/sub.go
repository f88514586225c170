package fsys

import "io"

// Sub returns the tree below the directory dir of fs as a file system of its own.
// Paths get dir put before them and nothing else happens, so that whoever watches fs or
// makes it fail sees the full paths, and so do readers of error messages.
//
// The directory need not exist yet: MkdirAll makes it, that of "." too. Its root cannot
// be removed or moved through the result, and Space is that of fs. Closing fs is left to
// who opened it.
func Sub(fs FS, dir string) FS {
	if dir == "" {
		dir = "."
	}
	return &sub{fs: fs, dir: dir}
}

type sub struct {
	fs  FS
	dir string
}

// full returns what path is called in the file system that the view stands on. The
// path is checked before the two are joined, so that it cannot climb out of dir.
func (s *sub) full(kind OpKind, path string) (string, error) {
	path, err := clean(kind, path)
	switch {
	case err != nil:
		return "", err
	case path == ".":
		return s.dir, nil
	case s.dir == ".":
		return path, nil
	}
	return s.dir + "/" + path, nil
}

// under implements view.
func (s *sub) under(path string) (FS, string, error) {
	path, err := s.full(OpLink, path)
	return s.fs, path, err
}

// Open implements FS.
func (s *sub) Open(path string) (File, error) { return at(s, OpOpen, path, s.fs.Open) }

// Create implements FS.
func (s *sub) Create(path string) (File, error) { return at(s, OpCreate, path, s.fs.Create) }

// OpenAppend implements FS.
func (s *sub) OpenAppend(path string) (File, error) {
	return at(s, OpOpenAppend, path, s.fs.OpenAppend)
}

// at calls do with the full path.
func at[T any](s *sub, kind OpKind, path string, do func(string) (T, error)) (result T, err error) {
	if path, err = s.full(kind, path); err != nil {
		return result, err
	}
	return do(path)
}

// Rename implements FS.
func (s *sub) Rename(oldPath, newPath string) error {
	return s.pair(OpRename, oldPath, newPath, s.fs.Rename)
}

// Link implements FS.
func (s *sub) Link(oldPath, newPath string) error {
	return s.pair(OpLink, oldPath, newPath, s.fs.Link)
}

func (s *sub) pair(kind OpKind, oldPath, newPath string, do func(from, to string) error) error {
	from, err := s.inner(kind, oldPath)
	if err != nil {
		return err
	}
	to, err := s.inner(kind, newPath)
	if err != nil {
		return err
	}
	return do(from, to)
}

// inner is full for an operation that cannot be done to the root of a file system, as
// it could to the directory that is the root here.
func (s *sub) inner(kind OpKind, path string) (string, error) {
	if path == "" || path == "." {
		return "", pathError(kind, s.dir, errRoot)
	}
	return s.full(kind, path)
}

// Remove implements FS.
func (s *sub) Remove(path string) error {
	path, err := s.inner(OpRemove, path)
	if err != nil {
		return err
	}
	return s.fs.Remove(path)
}

// MkdirAll implements FS.
func (s *sub) MkdirAll(path string) error {
	path, err := s.full(OpMkdirAll, path)
	if err != nil {
		return err
	}
	return s.fs.MkdirAll(path)
}

// List implements FS.
func (s *sub) List(path string) ([]Entry, error) { return at(s, OpList, path, s.fs.List) }

// Stat implements FS.
func (s *sub) Stat(path string) (Entry, error) {
	e, err := at(s, OpStat, path, s.fs.Stat)
	if err == nil && (path == "" || path == ".") {
		e.Name = "."
	}
	return e, err
}

// SyncDir implements FS.
func (s *sub) SyncDir(path string) error {
	path, err := s.full(OpSyncDir, path)
	if err != nil {
		return err
	}
	return s.fs.SyncDir(path)
}

// Lock implements FS.
func (s *sub) Lock(path string) (io.Closer, error) { return at(s, OpLock, path, s.fs.Lock) }

// Space implements FS.
func (s *sub) Space() (uint64, error) { return s.fs.Space() }
