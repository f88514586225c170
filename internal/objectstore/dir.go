package objectstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	iofs "io/fs"
	"iter"
	"path"
	"strings"
	"sync"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/fsys"
	"github.com/sydradb/sydradb/internal/plant"
)

// Dir is the Store in a data directory: a file for each object, a file for each ref.
// Reading takes no lock and changes nothing. Objects whose ids begin with the same byte
// are put one after the other, refs are set one after the other.
type Dir struct {
	fs     fsys.FS
	shards [256]shard // by the first byte of an id

	refs  sync.Mutex // held while a ref changes
	mkdir sync.Mutex // held while directories are made; taken last
}

// shard guards the writing of one directory of objects.
type shard struct {
	mu    sync.Mutex
	made  bool // the directory has a durable name
	names names
}

// names is what is known about the names of the objects in a directory.
type names uint8

const (
	// unknown names may come from a process that was killed before it synced them.
	unknown names = iota
	// durable names are synced, all of them.
	durable
	// doubtful ones were there when a sync failed. No other sync helps them: each must be
	// made anew.
	doubtful
)

var _ Store = (*Dir)(nil)

// Open returns the objects and refs in the data directory fs. It touches nothing there:
// what is missing is made when something is first put.
func Open(fs fsys.FS) *Dir { return &Dir{fs: fs} }

// Put implements Store.
func (d *Dir) Put(ctx context.Context, t Type, payload []byte) (ID, error) {
	if err := CheckObject(t, payload); err != nil {
		return ID{}, fmt.Errorf("put object: %w", err)
	}
	id := IDOf(t, payload)
	s := &d.shards[id[0]]
	s.mu.Lock()
	defer s.mu.Unlock()
	err := ctx.Err()
	if err == nil {
		err = d.putLocked(s, id, header(t, len(payload)), payload)
	}
	if err != nil {
		return ID{}, fmt.Errorf("put object %s: %w", id, err)
	}
	return id, nil
}

// putLocked makes the object durable, whatever stands in its place. Requires: s.mu.
func (d *Dir) putLocked(s *shard, id ID, header, payload []byte) error {
	file := base.ObjectFile(id)
	dir := path.Dir(file)
	if !s.made {
		if err := d.makeDir(dir); err != nil {
			return err
		}
		s.made = true
	}
	_, _, err := d.read(id)
	missing := errors.Is(err, iofs.ErrNotExist)
	switch {
	case err == nil && s.names == durable:
		return nil
	case err == nil && s.names == unknown:
		return s.sync(d.fs, dir)
	}
	// It is missing or damaged, or cannot be read, or has a name that may not last.
	if s.names == durable {
		s.names = unknown // until the new name is
	}
	if err := removeTemp(d.fs, file); err != nil {
		return err
	}
	if err := fsys.WriteFileUnlisted(d.fs, file, header, payload); err != nil {
		return err
	}
	err = s.sync(d.fs, dir)
	if err != nil && missing {
		// Not to be found by a process that knows nothing of the sync that failed.
		_ = d.fs.Remove(file)
	}
	return err
}

// sync makes the names in the directory of the shard durable. Requires: s.mu.
func (s *shard) sync(fs fsys.FS, dir string) error {
	if plant.Bug(plant.ObjectUnsynced) {
		return nil
	}
	if err := fs.SyncDir(dir); err != nil {
		s.names = doubtful
		return err
	}
	if s.names == unknown {
		s.names = durable
	}
	return nil
}

// removeTemp removes what a crash left of an attempt to write file. A power cut in the
// middle of a rename may have left both names on one file, so the temporary one must not
// be opened for writing.
func removeTemp(fs fsys.FS, file string) error {
	if err := fs.Remove(file + base.TempSuffix); err != nil && !errors.Is(err, iofs.ErrNotExist) {
		return err
	}
	return nil
}

// makeDir makes a directory, and those above it, and their names durable.
//
// Nothing is put into a directory before its name is durable. So one that holds something
// needs no sync; an empty one may come from an attempt whose sync failed, and only a
// directory that is made anew then gets a durable name.
func (d *Dir) makeDir(dir string) error {
	d.mkdir.Lock()
	defer d.mkdir.Unlock()
	return d.makeDirLocked(dir)
}

func (d *Dir) makeDirLocked(dir string) error {
	parent := path.Dir(dir)
	if parent != "." {
		if err := d.makeDirLocked(parent); err != nil {
			return err
		}
	}
	entries, err := d.fs.List(dir)
	switch {
	case errors.Is(err, iofs.ErrNotExist):
		err = nil
	case err == nil && len(entries) > 0:
		return nil
	case err == nil:
		err = d.fs.Remove(dir)
	}
	if err == nil {
		err = d.fs.MkdirAll(dir)
	}
	if err != nil {
		return err
	}
	return d.fs.SyncDir(parent)
}

// Get implements Store.
func (d *Dir) Get(ctx context.Context, id ID) (Type, []byte, error) {
	err := ctx.Err()
	if err == nil {
		var t Type
		var payload []byte
		if t, payload, err = d.read(id); err == nil {
			return t, payload, nil
		}
	}
	if errors.Is(err, iofs.ErrNotExist) {
		err = ErrNotFound
	}
	return 0, nil, fmt.Errorf("get object %s: %w", id, err)
}

// Verify reads an object and returns the error that Get would.
func (d *Dir) Verify(ctx context.Context, id ID) error {
	_, _, err := d.Get(ctx, id)
	return err
}

// read returns an object, verified. The error matches io/fs.ErrNotExist if it is missing.
func (d *Dir) read(id ID) (t Type, payload []byte, err error) {
	file := base.ObjectFile(id)
	data, err := d.readFile(file, headerBytes+MaxPayloadBytes, errLong)
	if err != nil {
		return 0, nil, err
	}
	return decodeAs(id, file, data)
}

// readFile returns the bytes of a file, unless there are more than limit: a damaged
// directory may have put anything in the place of a small file.
func (d *Dir) readFile(file string, limit int, tooLong error) (data []byte, err error) {
	f, err := d.fs.Open(file)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	size, err := f.Size()
	if err != nil {
		return nil, err
	}
	if size > int64(limit) {
		return nil, &base.CorruptionError{File: file, Offset: int64(limit), Err: fmt.Errorf("%w: %d bytes", tooLong, size)}
	}
	data = make([]byte, size)
	if n, err := f.ReadAt(data, 0); n < len(data) {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return nil, fmt.Errorf("read %s: %w", file, err)
	}
	return data, nil
}

// Has implements Store.
func (d *Dir) Has(ctx context.Context, id ID) (bool, error) {
	err := ctx.Err()
	if err == nil {
		var e fsys.Entry
		if e, err = d.fs.Stat(base.ObjectFile(id)); err == nil {
			return e.Regular, nil
		}
	}
	if errors.Is(err, iofs.ErrNotExist) {
		return false, nil
	}
	return false, fmt.Errorf("look for object %s: %w", id, err)
}

// List implements Store. It holds the names of one directory of objects at a time.
func (d *Dir) List(ctx context.Context, prefix string) iter.Seq2[ID, error] {
	return func(yield func(ID, error) bool) {
		more, err := true, error(nil)
		if len(prefix) > idDigits || !isHex(prefix) {
			err = fmt.Errorf("%.80q is not the beginning of an id", prefix)
		}
		var dirs []fsys.Entry
		if err == nil {
			dirs, err = d.list(ctx, base.ObjectsDir)
		}
		for _, e := range dirs {
			first := prefix[:min(len(prefix), len(e.Name))]
			if !e.Dir || !base.IsObjectDir(path.Join(base.ObjectsDir, e.Name)) || !strings.HasPrefix(e.Name, first) {
				continue
			}
			if more, err = d.listShard(ctx, e.Name, prefix, yield); err != nil || !more {
				break
			}
		}
		if err != nil {
			yield(ID{}, fmt.Errorf("list objects: %w", err))
		}
	}
}

// listShard yields the ids of one directory of objects and reports whether more are
// wanted.
func (d *Dir) listShard(ctx context.Context, name, prefix string, yield func(ID, error) bool) (more bool, err error) {
	dir := path.Join(base.ObjectsDir, name)
	files, err := d.list(ctx, dir)
	for _, e := range files {
		id, ok := base.ParseObjectFile(path.Join(dir, e.Name))
		if ok && e.Regular && strings.HasPrefix(e.Name, prefix) && !yield(id, nil) {
			return false, nil
		}
	}
	return true, err
}

// list returns what is in a directory, sorted by name; nothing for one that is missing.
func (d *Dir) list(ctx context.Context, dir string) ([]fsys.Entry, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	entries, err := d.fs.List(dir)
	if errors.Is(err, iofs.ErrNotExist) {
		return nil, nil
	}
	return entries, err
}
