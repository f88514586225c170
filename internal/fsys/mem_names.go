package fsys

import (
	"errors"
	"fmt"
	iofs "io/fs"
	"path"
	"slices"
	"strings"
)

// Rename implements FS. After a power cut before SyncDir the old name stands, the new
// one, or both; never neither. Of a directory one of them stands, never both.
func (m *Mem) Rename(oldPath, newPath string) error {
	from, to, err := m.begin2(OpRename, oldPath, newPath)
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.rename(from, to); err != nil {
		return pathError(OpRename, from, fmt.Errorf("to %s: %w", to, err))
	}
	return nil
}

func (m *Mem) rename(from, to string) error {
	n, err := m.find(from)
	if err != nil {
		return err
	}
	fromDir, fromName, err := m.parent(from)
	if err != nil {
		return err
	}
	toDir, toName, err := m.parent(to)
	if err != nil {
		return err
	}
	switch old := toDir.names[toName]; {
	case old != nil && (old.dir || n.dir):
		return iofs.ErrExist
	case old == n:
		return nil // two names of one file: both stay, says POSIX
	case n.dir && strings.HasPrefix(to, from+"/"):
		return iofs.ErrInvalid // into itself
	}
	arrival := m.setName(toDir, toName, n, n.arrival)
	m.setName(fromDir, fromName, nil, arrival).tied = n.dir
	if n.dir {
		n.arrival = arrival
	}
	return nil
}

// Link implements FS.
func (m *Mem) Link(oldPath, newPath string) error {
	from, to, err := m.begin2(OpLink, oldPath, newPath)
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.link(from, to); err != nil {
		return pathError(OpLink, from, fmt.Errorf("to %s: %w", to, err))
	}
	return nil
}

func (m *Mem) link(from, to string) error {
	n, err := m.find(from)
	if err != nil {
		return err
	}
	if n.dir {
		return errIsDir
	}
	dir, name, err := m.parent(to)
	if err != nil {
		return err
	}
	if dir.names[name] != nil {
		return iofs.ErrExist
	}
	m.setName(dir, name, n, nil)
	return nil
}

// Remove implements FS.
func (m *Mem) Remove(p string) error {
	p, err := m.begin(OpRemove, p)
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	dir, name, err := m.parent(p)
	if err != nil {
		return pathError(OpRemove, p, err)
	}
	n := dir.names[name]
	if n == nil {
		return pathError(OpRemove, p, iofs.ErrNotExist)
	}
	if len(n.names) > 0 {
		return pathError(OpRemove, p, errNotEmpty)
	}
	m.setName(dir, name, nil, nil)
	return nil
}

// MkdirAll implements FS.
func (m *Mem) MkdirAll(p string) error {
	p, err := m.begin(OpMkdirAll, p)
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	n := m.root
	for rest := p; rest != "" && rest != "."; {
		var name string
		name, rest, _ = strings.Cut(rest, "/")
		next := n.names[name]
		if next == nil {
			next = newDir()
			m.setName(n, name, next, nil)
		}
		if !next.dir {
			return pathError(OpMkdirAll, p, errNotDir)
		}
		n = next
	}
	return nil
}

// List implements FS.
func (m *Mem) List(p string) ([]Entry, error) {
	p, err := m.begin(OpList, p)
	if err != nil {
		return nil, err
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	n, err := m.find(p)
	if err == nil && !n.dir {
		err = errNotDir
	}
	if err != nil {
		return nil, pathError(OpList, p, err)
	}
	entries := make([]Entry, 0, len(n.names))
	for name, child := range n.names {
		entries = append(entries, child.entry(name))
	}
	slices.SortFunc(entries, func(a, b Entry) int { return strings.Compare(a.Name, b.Name) })
	return entries, nil
}

// Stat implements FS.
func (m *Mem) Stat(p string) (Entry, error) {
	p, err := m.begin(OpStat, p)
	if err != nil {
		return Entry{}, err
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	n, err := m.find(p)
	if err != nil {
		return Entry{}, pathError(OpStat, p, err)
	}
	return n.entry(path.Base(p)), nil
}

// SyncDir implements FS.
func (m *Mem) SyncDir(p string) error {
	fault := m.consult(Op{Kind: OpSyncDir, Path: p})
	p, err := clean(OpSyncDir, p)
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	n, err := m.find(p)
	if err == nil && !n.dir {
		err = errNotDir
	}
	if err != nil {
		return pathError(OpSyncDir, p, err)
	}
	if fault.Err != nil {
		if !errors.Is(fault.Err, ErrTooManyFiles) { // then it was not even opened
			n.dropNames()
		}
		return pathError(OpSyncDir, p, fault.Err)
	}
	syncNames(n)
	return nil
}
