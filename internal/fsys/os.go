package fsys

import (
	"errors"
	"fmt"
	"io"
	iofs "io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

const (
	dirMode  = 0o700
	fileMode = 0o600
)

// MkdirRoot makes the directory dir, which becomes the root of an OS file system, with
// access for its owner only, and those above it that are missing, all durably. A
// directory that exists is left as it is.
func MkdirRoot(dir string) error {
	info, err := os.Stat(dir)
	switch {
	case err == nil && info.IsDir():
		return nil
	case err == nil:
		return &iofs.PathError{Op: "mkdir", Path: dir, Err: errNotDir}
	case !errors.Is(err, iofs.ErrNotExist):
		return err
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	parent := filepath.Dir(abs)
	if err := MkdirRoot(parent); err != nil {
		return err
	}
	if err := os.Mkdir(abs, dirMode); err != nil && !errors.Is(err, iofs.ErrExist) {
		return osError(err)
	}
	f, err := os.Open(parent)
	if err != nil {
		return err
	}
	return errors.Join(osError(syncDir(f)), f.Close())
}

// OS returns the operating system's file system below dir, which must exist. Nothing
// outside dir can be reached, not by symbolic links either. The result is an io.Closer
// that releases its hold on dir; files that are open stay usable.
//
// Files are made for their owner only. What is opened must be a regular file: a symbolic
// link, pipe or device in its place is an error. Each handle writes where it knows the
// end of the file to be, so only one may write to a file at a time.
func OS(dir string) (FS, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	return &osFS{root: root}, nil
}

type osFS struct {
	root   *os.Root
	spares spares // held as long as a lock is
}

// Close implements io.Closer.
func (o *osFS) Close() error { return o.root.Close() }

// Open implements FS.
func (o *osFS) Open(path string) (File, error) { return o.open(OpOpen, path, os.O_RDONLY) }

// Create implements FS.
func (o *osFS) Create(path string) (File, error) {
	return o.open(OpCreate, path, os.O_RDWR|os.O_CREATE|os.O_TRUNC)
}

// OpenAppend implements FS.
func (o *osFS) OpenAppend(path string) (File, error) { return o.open(OpOpenAppend, path, os.O_RDWR) }

func (o *osFS) open(kind OpKind, path string, flag int) (File, error) {
	path, err := clean(kind, path)
	if err != nil {
		return nil, err
	}
	var f *os.File
	var size int64
	open := func() (err error) {
		f, size, err = o.openRegular(kind, path, flag)
		return err
	}
	if kind == OpOpen {
		err = open() // readers can wait
	} else {
		err = o.sparing(open)
	}
	if err != nil {
		return nil, osError(err)
	}
	return &osFile{f: f, path: path, end: size, writable: flag != os.O_RDONLY}, nil
}

// openRegular opens a regular file, looking before, since opening a pipe would wait and
// a symbolic link would be followed, and again behind, since it may have changed.
func (o *osFS) openRegular(kind OpKind, path string, flag int) (*os.File, int64, error) {
	before, err := o.root.Lstat(path)
	switch {
	case err == nil:
		if err := mustBeRegular(kind, path, before); err != nil {
			return nil, 0, err
		}
	case flag&os.O_CREATE == 0 || !errors.Is(err, iofs.ErrNotExist):
		return nil, 0, err
	}
	f, err := o.root.OpenFile(path, flag, fileMode)
	if err != nil {
		return nil, 0, err
	}
	after, err := f.Stat()
	if err == nil {
		err = mustBeRegular(kind, path, after)
	}
	if err == nil && before != nil && !os.SameFile(before, after) {
		err = pathError(kind, path, ErrReplaced)
	}
	if err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	return f, after.Size(), nil
}

func mustBeRegular(kind OpKind, path string, info iofs.FileInfo) error {
	switch {
	case info.IsDir():
		return pathError(kind, path, errIsDir)
	case !info.Mode().IsRegular():
		return pathError(kind, path, fmt.Errorf("not a regular file: %v", info.Mode().Type()))
	}
	return nil
}

// Rename implements FS.
func (o *osFS) Rename(oldPath, newPath string) error {
	return o.pair(OpRename, oldPath, newPath, o.rename)
}

// rename refuses what systems treat differently: a directory in the place of a file, of
// an empty directory, of itself.
func (o *osFS) rename(from, to string) error {
	there, err := o.root.Lstat(to)
	if errors.Is(err, iofs.ErrNotExist) {
		return o.root.Rename(from, to)
	}
	if err != nil {
		return err
	}
	moved, err := o.root.Lstat(from)
	if err != nil {
		return err
	}
	if moved.IsDir() || there.IsDir() {
		return pathError(OpRename, from, fmt.Errorf("to %s: %w", to, iofs.ErrExist))
	}
	return o.root.Rename(from, to)
}

// Link implements FS.
func (o *osFS) Link(oldPath, newPath string) error {
	return o.pair(OpLink, oldPath, newPath, o.root.Link)
}

// linkFrom makes to another name of the file at from of src. The error matches
// errors.ErrUnsupported if src is no directory of the operating system.
func (o *osFS) linkFrom(src FS, from, to string) error {
	other, ok := src.(*osFS)
	if !ok {
		return errors.ErrUnsupported
	}
	return o.pair(OpLink, from, to, func(from, to string) error {
		return linkAcross(other.root, from, o.root, to)
	})
}

func (o *osFS) pair(kind OpKind, oldPath, newPath string, do func(from, to string) error) error {
	from, err := clean(kind, oldPath)
	if err != nil {
		return err
	}
	to, err := clean(kind, newPath)
	if err != nil {
		return err
	}
	return osError(o.sparing(func() error { return do(from, to) }))
}

// Remove implements FS.
func (o *osFS) Remove(path string) error {
	path, err := clean(OpRemove, path)
	if err != nil {
		return err
	}
	return osError(o.sparing(func() error { return o.root.Remove(path) }))
}

// MkdirAll implements FS.
func (o *osFS) MkdirAll(path string) error {
	path, err := clean(OpMkdirAll, path)
	if err != nil || path == "." {
		return err
	}
	return osError(o.sparing(func() error { return o.root.MkdirAll(path, dirMode) }))
}

// List implements FS. An entry that goes away meanwhile is left out.
func (o *osFS) List(path string) ([]Entry, error) {
	path, err := clean(OpList, path)
	if err != nil {
		return nil, err
	}
	dir, err := o.root.Open(path)
	if err != nil {
		return nil, osError(err)
	}
	found, err := dir.ReadDir(-1)
	if err = errors.Join(err, dir.Close()); err != nil {
		return nil, err
	}
	entries := make([]Entry, 0, len(found))
	for _, e := range found {
		info, err := e.Info()
		if errors.Is(err, iofs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		entries = append(entries, entry(e.Name(), info))
	}
	slices.SortFunc(entries, func(a, b Entry) int { return strings.Compare(a.Name, b.Name) })
	return entries, nil
}

// Stat implements FS.
func (o *osFS) Stat(path string) (Entry, error) {
	path, err := clean(OpStat, path)
	if err != nil {
		return Entry{}, err
	}
	info, err := o.root.Lstat(path)
	if err != nil {
		return Entry{}, err
	}
	return entry(info.Name(), info), nil
}

func entry(name string, info iofs.FileInfo) Entry {
	e := Entry{Name: name, Dir: info.IsDir(), Regular: info.Mode().IsRegular()}
	if e.Regular {
		e.Size = info.Size()
	}
	return e
}

// SyncDir implements FS.
func (o *osFS) SyncDir(path string) error {
	path, err := clean(OpSyncDir, path)
	if err != nil {
		return err
	}
	var dir *os.File
	err = o.sparing(func() (err error) {
		dir, err = o.root.Open(path)
		return err
	})
	if err != nil {
		return osError(err)
	}
	return osError(errors.Join(syncDir(dir), dir.Close()))
}

// Lock implements FS. Having taken the lock it looks whether the path still leads to
// the file locked; if not, somebody removed it meanwhile and may hold another. Where the
// system can, it locks the directory of the file as well: who removes the file of a
// database that is open makes room for a new one, but not for a second writer.
func (o *osFS) Lock(path string) (io.Closer, error) {
	path, err := clean(OpLock, path)
	if err != nil {
		return nil, err
	}
	f, _, err := o.openRegular(OpLock, path, os.O_RDWR|os.O_CREATE)
	if errors.Is(err, iofs.ErrPermission) || isReadOnlyFS(err) {
		// Who may only read can still keep writers out.
		if r, _, again := o.openRegular(OpLock, path, os.O_RDONLY); again == nil {
			f, err = r, nil
		}
	}
	if err != nil {
		return nil, osError(err)
	}
	if err = lockFile(f); err == nil {
		err = o.stillAt(path, f)
	}
	var dir *os.File
	if err == nil {
		dir, err = o.lockAround(path)
	}
	if err != nil {
		return nil, errors.Join(pathError(OpLock, path, err), f.Close())
	}
	o.spares.use(o.openRoot)
	return &osLock{fs: o, file: f, dir: dir}, nil
}

// osLock is a lock that is held.
type osLock struct {
	fs        *osFS
	file, dir *os.File
}

// Close implements io.Closer.
func (l *osLock) Close() error {
	return errors.Join(l.fs.spares.release(), l.dir.Close(), l.file.Close())
}

// lockAround takes the lock of the directory that holds the file at path. It fails only
// if somebody else has it: not every file system locks directories.
func (o *osFS) lockAround(p string) (*os.File, error) {
	dir, err := o.root.Open(path.Dir(p))
	if err != nil {
		return nil, err
	}
	if err := lockDir(dir); errors.Is(err, ErrLocked) {
		return nil, errors.Join(err, dir.Close())
	}
	return dir, nil
}

// stillAt returns an error unless f is the file at path.
func (o *osFS) stillAt(path string, f *os.File) error {
	held, err := f.Stat()
	if err != nil {
		return err
	}
	there, err := o.root.Lstat(path)
	if err != nil || !os.SameFile(held, there) {
		return errors.Join(errors.New("lock file was replaced"), err)
	}
	return nil
}

// Space implements FS.
func (o *osFS) Space() (uint64, error) {
	dir, err := o.root.Open(".")
	if err != nil {
		return 0, err
	}
	free, err := freeBytes(dir)
	return free, errors.Join(err, dir.Close())
}

// osError has errors of a full device or quota match ErrNoSpace, and those for want of
// descriptors ErrTooManyFiles.
func osError(err error) error {
	switch {
	case err == nil:
		return nil
	case isNoSpace(err):
		return fmt.Errorf("%w: %w", ErrNoSpace, err)
	case isTooManyFiles(err):
		return fmt.Errorf("%w: %w", ErrTooManyFiles, err)
	}
	return err
}
