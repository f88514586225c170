package fsys

import (
	"errors"
	"fmt"
	"io"
	iofs "io/fs"
	"maps"
	"path"
	"slices"
	"sync"
)

// HeldFS is some files of another file system, kept open: whoever removes or replaces
// them later does not hurt it. It is how a reader gets along beside a writer that it
// shares no lock with. Directories, where they were added, are as they were then.
//
// What was not added does not exist, but for what the listing of an added directory
// names: opening that is an error that says so. Everything that would write fails with
// an error that matches ErrReadOnly. Safe for concurrent use.
type HeldFS struct {
	fs FS

	mu     sync.RWMutex
	files  map[string]*held
	dirs   map[string][]Entry // by path; nil if only known to hold something that was added
	closed bool
}

// held is one file that is kept open.
type held struct {
	file  File
	entry Entry
}

var _ FS = (*HeldFS)(nil)

// Hold opens the files at paths and keeps them open. More can be added later. With an
// error nothing is held.
func Hold(fs FS, paths []string) (*HeldFS, error) {
	h := &HeldFS{fs: fs, files: make(map[string]*held, len(paths)), dirs: map[string][]Entry{".": nil}}
	for _, p := range paths {
		if err := h.Add(p); err != nil {
			return nil, errors.Join(err, h.Close())
		}
	}
	return h, nil
}

// Add opens the file at path and keeps it open; Stat tells its size of now, while the
// handles that Open returns show it grow. A path that is held already stays what it is.
// The error of a missing file matches io/fs.ErrNotExist.
func (h *HeldFS) Add(p string) error {
	p, err := clean(OpOpen, p)
	if err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return pathError(OpOpen, p, iofs.ErrClosed)
	}
	if h.files[p] != nil {
		return nil
	}
	f, err := h.fs.Open(p)
	if err != nil {
		return err
	}
	size, err := f.Size()
	if err != nil {
		return errors.Join(err, f.Close())
	}
	h.files[p] = &held{file: f, entry: Entry{Name: path.Base(p), Size: size, Regular: true}}
	h.mention(path.Dir(p))
	return nil
}

// AddDir keeps what the directory at path holds now, without its files and what is in
// its directories. A path that was added already is listed anew.
func (h *HeldFS) AddDir(p string) error {
	p, err := clean(OpList, p)
	if err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return pathError(OpList, p, iofs.ErrClosed)
	}
	entries, err := h.fs.List(p)
	if err != nil {
		return err
	}
	h.mention(p)
	h.dirs[p] = append([]Entry{}, entries...) // known from now on, so never nil
	return nil
}

// mention notes that the directory at p exists, and those above it.
func (h *HeldFS) mention(p string) {
	for ; ; p = path.Dir(p) {
		if _, ok := h.dirs[p]; ok {
			return
		}
		h.dirs[p] = nil
	}
}

// Len returns how many files are held: as many descriptors of the system are in use.
func (h *HeldFS) Len() int {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return len(h.files)
}

// Close closes all files, those too whose handles were not closed. It may be called
// more than once; what is closed refuses everything.
func (h *HeldFS) Close() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	var all []error
	for _, p := range slices.Sorted(maps.Keys(h.files)) {
		all = append(all, h.files[p].file.Close())
	}
	h.files, h.dirs, h.closed = nil, nil, true
	return errors.Join(all...)
}

// Open implements FS. Closing the result does not close the file that is held.
func (h *HeldFS) Open(p string) (File, error) {
	p, err := clean(OpOpen, p)
	if err != nil {
		return nil, err
	}
	h.mu.RLock()
	defer h.mu.RUnlock()
	if kept := h.files[p]; kept != nil {
		return &heldFile{file: kept.file, path: p}, nil
	}
	e, err := h.find(p)
	switch {
	case err != nil:
	case e.Dir:
		err = errIsDir
	default:
		err = errNotHeld
	}
	return nil, pathError(OpOpen, p, err)
}

// find returns what is known of a path. It is called with the lock held.
func (h *HeldFS) find(p string) (Entry, error) {
	if h.closed {
		return Entry{}, iofs.ErrClosed
	}
	if kept := h.files[p]; kept != nil {
		return kept.entry, nil
	}
	if _, ok := h.dirs[p]; ok {
		return Entry{Name: path.Base(p), Dir: true}, nil
	}
	name := path.Base(p)
	for _, e := range h.dirs[path.Dir(p)] {
		if e.Name == name {
			return e, nil
		}
	}
	return Entry{}, iofs.ErrNotExist
}

// Stat implements FS.
func (h *HeldFS) Stat(p string) (Entry, error) {
	p, err := clean(OpStat, p)
	if err != nil {
		return Entry{}, err
	}
	h.mu.RLock()
	defer h.mu.RUnlock()
	e, err := h.find(p)
	if err != nil {
		return Entry{}, pathError(OpStat, p, err)
	}
	return e, nil
}

// List implements FS, for directories that were added by AddDir.
func (h *HeldFS) List(p string) ([]Entry, error) {
	p, err := clean(OpList, p)
	if err != nil {
		return nil, err
	}
	h.mu.RLock()
	defer h.mu.RUnlock()
	if entries := h.dirs[p]; entries != nil {
		return slices.Clone(entries), nil
	}
	e, err := h.find(p)
	switch {
	case err != nil:
	case !e.Dir:
		err = errNotDir
	default:
		err = errNotHeld
	}
	return nil, pathError(OpList, p, err)
}

// Space implements FS: that of the file system whose files are held.
func (h *HeldFS) Space() (uint64, error) { return h.fs.Space() }

// errNotHeld is about what is known to have stood there, but was not opened in time.
var errNotHeld = errors.New("exists, but is not held open")

// Create implements FS by refusing, as all that follow do.
func (h *HeldFS) Create(p string) (File, error) { return nil, pathError(OpCreate, p, ErrReadOnly) }

// OpenAppend implements FS.
func (h *HeldFS) OpenAppend(p string) (File, error) {
	return nil, pathError(OpOpenAppend, p, ErrReadOnly)
}

// Rename implements FS.
func (h *HeldFS) Rename(oldPath, newPath string) error {
	return pathError(OpRename, oldPath, fmt.Errorf("to %s: %w", newPath, ErrReadOnly))
}

// Link implements FS.
func (h *HeldFS) Link(oldPath, newPath string) error {
	return pathError(OpLink, oldPath, fmt.Errorf("to %s: %w", newPath, ErrReadOnly))
}

// Remove implements FS.
func (h *HeldFS) Remove(p string) error { return pathError(OpRemove, p, ErrReadOnly) }

// MkdirAll implements FS.
func (h *HeldFS) MkdirAll(p string) error { return pathError(OpMkdirAll, p, ErrReadOnly) }

// SyncDir implements FS.
func (h *HeldFS) SyncDir(p string) error { return pathError(OpSyncDir, p, ErrReadOnly) }

// Lock implements FS.
func (h *HeldFS) Lock(p string) (io.Closer, error) { return nil, pathError(OpLock, p, ErrReadOnly) }
