package fsys

import (
	"errors"
	"io"
	iofs "io/fs"
	"math"
	"path"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// Mem is a file system in memory that knows what a power cut would leave of it. It is
// for tests, and for databases that need not outlive their process. Safe for
// concurrent use.
type Mem struct {
	hook atomic.Pointer[Hook]

	mu       sync.RWMutex
	root     *node
	open     map[*memFile]struct{}
	changes  uint64 // number of the last change, of a name or of bytes
	used     int64  // bytes of all files that have a name or are open
	capacity int64
}

var _ FS = (*Mem)(nil)

// NewMem returns an empty file system without a limit of size.
func NewMem() *Mem {
	return &Mem{root: newDir(), capacity: math.MaxInt64, open: map[*memFile]struct{}{}}
}

// SetHook has hook called before every operation from now on; nil ends that.
func (m *Mem) SetHook(hook Hook) {
	if hook == nil {
		m.hook.Store(nil)
		return
	}
	m.hook.Store(&hook)
}

// SetCapacity limits the bytes of all files together. Lowering it below what is used
// loses nothing; writes then fail until enough was removed.
func (m *Mem) SetCapacity(bytes int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.capacity = bytes
}

// OpenFiles returns the paths of the files that were opened and not closed, sorted:
// tests look here for leaks.
func (m *Mem) OpenFiles() []string {
	m.mu.RLock()
	defer m.mu.RUnlock()
	paths := make([]string, 0, len(m.open))
	for f := range m.open {
		paths = append(paths, f.path)
	}
	slices.Sort(paths)
	return paths
}

// consult asks the hook about an operation that is about to begin.
func (m *Mem) consult(op Op) Fault {
	if hook := m.hook.Load(); hook != nil {
		return (*hook)(op)
	}
	return Fault{}
}

// begin asks the hook about an operation on one path and makes the path clean.
func (m *Mem) begin(kind OpKind, p string) (string, error) {
	if f := m.consult(Op{Kind: kind, Path: p}); f.Err != nil {
		return "", pathError(kind, p, f.Err)
	}
	return clean(kind, p)
}

// begin2 is begin for an operation on two paths.
func (m *Mem) begin2(kind OpKind, oldPath, newPath string) (string, string, error) {
	if f := m.consult(Op{Kind: kind, Path: oldPath, NewPath: newPath}); f.Err != nil {
		return "", "", pathError(kind, oldPath, f.Err)
	}
	from, err := clean(kind, oldPath)
	if err != nil {
		return "", "", err
	}
	to, err := clean(kind, newPath)
	return from, to, err
}

var (
	errNotDir   = errors.New("not a directory")
	errIsDir    = errors.New("is a directory")
	errNotEmpty = errors.New("directory not empty")
	errRoot     = errors.New("is the root of the file system")

	errNotRegular = errors.New("not a regular file")
)

// find returns the node at a clean path.
func (m *Mem) find(p string) (*node, error) {
	n := m.root
	for rest := p; rest != "" && rest != "."; {
		var name string
		name, rest, _ = strings.Cut(rest, "/")
		if !n.dir {
			return nil, errNotDir
		}
		next, ok := n.names[name]
		if !ok {
			return nil, iofs.ErrNotExist
		}
		n = next
	}
	return n, nil
}

// parent returns the directory that holds, or would hold, the last part of a clean path.
func (m *Mem) parent(p string) (dir *node, name string, err error) {
	if p == "." {
		return nil, "", iofs.ErrInvalid
	}
	dir, err = m.find(path.Dir(p))
	if err == nil && !dir.dir {
		err = errNotDir
	}
	return dir, path.Base(p), err
}

// Open implements FS.
func (m *Mem) Open(p string) (File, error) {
	return m.openFile(OpOpen, p, false, false)
}

// Create implements FS.
func (m *Mem) Create(p string) (File, error) {
	return m.openFile(OpCreate, p, true, true)
}

// OpenAppend implements FS.
func (m *Mem) OpenAppend(p string) (File, error) {
	return m.openFile(OpOpenAppend, p, true, false)
}

func (m *Mem) openFile(kind OpKind, p string, writable, create bool) (File, error) {
	p, err := m.begin(kind, p)
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	n, err := m.find(p)
	if create && errors.Is(err, iofs.ErrNotExist) {
		n, err = m.makeFile(p)
	}
	if err == nil && n.dir {
		err = errIsDir
	}
	if err != nil {
		return nil, pathError(kind, p, err)
	}
	if create {
		m.truncate(n, 0)
	}
	f := &memFile{fs: m, node: n, path: p, writable: writable}
	n.opens++
	m.open[f] = struct{}{}
	return f, nil
}

// makeFile puts a new empty file at p.
func (m *Mem) makeFile(p string) (*node, error) {
	dir, name, err := m.parent(p)
	if err != nil {
		return nil, err
	}
	n := &node{}
	m.setName(dir, name, n, nil)
	return n, nil
}

// Space implements FS.
func (m *Mem) Space() (uint64, error) {
	if f := m.consult(Op{Kind: OpSpace, Path: "."}); f.Err != nil {
		return 0, pathError(OpSpace, ".", f.Err)
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	return uint64(max(m.capacity-m.used, 0)), nil
}

// Lock implements FS. The lock is the file's, not the name's: a new file at the path
// of one that was removed while locked can be locked again.
func (m *Mem) Lock(p string) (io.Closer, error) {
	p, err := m.begin(OpLock, p)
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	n, err := m.find(p)
	if errors.Is(err, iofs.ErrNotExist) {
		n, err = m.makeFile(p)
	}
	switch {
	case err != nil:
	case n.dir:
		err = errIsDir
	case n.locked:
		err = ErrLocked
	}
	if err != nil {
		return nil, pathError(OpLock, p, err)
	}
	n.locked = true
	return &memLock{fs: m, node: n}, nil
}

type memLock struct {
	fs   *Mem
	node *node
	once sync.Once
}

// Close releases the lock.
func (l *memLock) Close() error {
	l.once.Do(func() {
		l.fs.mu.Lock()
		defer l.fs.mu.Unlock()
		l.node.locked = false
	})
	return nil
}
