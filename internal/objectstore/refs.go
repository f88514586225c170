package objectstore

import (
	"context"
	"errors"
	"fmt"
	iofs "io/fs"
	"path"
	"slices"
	"strings"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/fsys"
)

// Ref implements Store.
func (d *Dir) Ref(ctx context.Context, name string) (ID, error) {
	err := ValidRef(name)
	if err == nil {
		err = ctx.Err()
	}
	var id ID
	if err == nil {
		id, err = d.readRef(name)
	}
	if err != nil {
		return ID{}, fmt.Errorf("read ref: %w", err)
	}
	return id, nil
}

// readAttempts is how often a ref is read before an error counts. Opening a file that is
// replaced at that moment may fail, and to replace it again takes a sync.
const readAttempts = 3

// readRef returns what a ref names, the zero ID if there is no such ref.
func (d *Dir) readRef(name string) (id ID, err error) {
	file := base.RefFile(name)
	for range readAttempts {
		var data []byte
		if data, err = d.readFile(file, refBytes, errRefText); err == nil {
			return decodeRef(file, data)
		}
		if absent, _, statErr := d.absent(name); statErr != nil || absent {
			return ID{}, statErr
		}
	}
	return ID{}, err
}

// absent reports whether there is no ref with this name. Then blocker is the path of what
// keeps one from being made: a ref in the place of one of its directories, or a directory
// in its own; else "".
func (d *Dir) absent(name string) (absent bool, blocker string, err error) {
	file := base.RefFile(name)
	for end := len(base.RefsDir); ; end++ {
		next := strings.IndexByte(file[end:], '/')
		last := next < 0
		if last {
			end = len(file)
		} else {
			end += next
		}
		e, err := d.fs.Stat(file[:end])
		switch {
		case errors.Is(err, iofs.ErrNotExist):
			return true, "", nil
		case err != nil:
			return false, "", err
		case e.Dir == last:
			return true, file[:end], nil
		case last:
			return false, "", nil
		}
	}
}

// SetRef implements Store.
func (d *Dir) SetRef(ctx context.Context, name string, old, id ID) error {
	if err := ValidRef(name); err != nil {
		return fmt.Errorf("set ref: %w", err)
	}
	d.refs.Lock()
	defer d.refs.Unlock()
	err := ctx.Err()
	if err == nil {
		err = d.setRefLocked(name, old, id)
	}
	if err != nil {
		return fmt.Errorf("set ref %s: %w", name, err)
	}
	return nil
}

func (d *Dir) setRefLocked(name string, old, id ID) error {
	now, err := d.readRef(name)
	if err != nil {
		return err
	}
	if now != old {
		return fmt.Errorf("%w: it is %s, not %s", ErrRefMoved, shown(now), shown(old))
	}
	switch {
	case id == ID{} && now == ID{}:
		return nil
	case id == ID{}:
		return d.removeRef(name)
	case now == ID{}:
		if err := d.makeWay(name); err != nil {
			return err
		}
	}
	return fsys.WriteFileAtomic(d.fs, base.RefFile(name), encodeRef(id))
}

func shown(id ID) string {
	if id == (ID{}) {
		return "missing"
	}
	return id.String()
}

// makeWay makes the directories of a ref that does not exist, and removes empty ones that
// stand in its place.
func (d *Dir) makeWay(name string) error {
	file := base.RefFile(name)
	_, blocker, err := d.absent(name)
	if err == nil && blocker == file {
		err = d.removeEmpty(file)
	} else if blocker != "" {
		err = fmt.Errorf("%w: %s is one", ErrRefConflict, strings.TrimPrefix(blocker, base.RefFile("")))
	}
	if err != nil {
		return err
	}
	return d.makeDir(path.Dir(file))
}

// removeEmpty removes a directory of refs and those below it, or fails if there is
// anything else.
func (d *Dir) removeEmpty(dir string) error {
	entries, err := d.fs.List(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		p := path.Join(dir, e.Name)
		switch {
		case e.Dir:
			err = d.removeEmpty(p)
		case base.IsTemp(p):
			err = d.fs.Remove(p)
		default:
			err = fmt.Errorf("%w: %s", ErrRefConflict, strings.TrimPrefix(p, base.RefFile("")))
		}
		if err != nil {
			return err
		}
	}
	return d.fs.Remove(dir)
}

// DeleteRef implements Store.
func (d *Dir) DeleteRef(ctx context.Context, name string) error {
	if err := ValidRef(name); err != nil {
		return fmt.Errorf("delete ref: %w", err)
	}
	d.refs.Lock()
	defer d.refs.Unlock()
	err := ctx.Err()
	absent := false
	if err == nil {
		absent, _, err = d.absent(name)
	}
	if err == nil && !absent {
		err = d.removeRef(name)
	}
	if err != nil {
		return fmt.Errorf("delete ref %s: %w", name, err)
	}
	return nil
}

// removeRef removes the file of a ref. Its directory stays: the next ref there is likely.
func (d *Dir) removeRef(name string) error {
	file := base.RefFile(name)
	if err := d.fs.Remove(file); err != nil {
		return err
	}
	return fsys.SyncParent(d.fs, file)
}

// Refs implements Store.
func (d *Dir) Refs(ctx context.Context, prefix string) ([]Ref, error) {
	var found []Ref
	err := d.walkRefs(ctx, base.RefsDir, prefix, &found)
	slices.SortFunc(found, func(a, b Ref) int { return strings.Compare(a.Name, b.Name) })
	if err != nil {
		return found, fmt.Errorf("list refs: %w", err)
	}
	return found, nil
}

// walkRefs adds the refs in and below a directory, none of them deeper than names go, and
// joins the errors of those that cannot be read.
func (d *Dir) walkRefs(ctx context.Context, dir, prefix string, found *[]Ref) error {
	entries, err := d.list(ctx, dir)
	if err != nil {
		return err
	}
	var failed []error
	for _, e := range entries {
		p := path.Join(dir, e.Name)
		name, ok := base.ParseRefFile(p)
		switch {
		case !ok:
			continue
		case e.Dir:
			if below := name + "/"; strings.HasPrefix(below, prefix) || strings.HasPrefix(prefix, below) {
				err = d.walkRefs(ctx, p, prefix, found)
			}
		case strings.HasPrefix(name, prefix):
			var id ID
			if id, err = d.readRef(name); err == nil && id != (ID{}) {
				*found = append(*found, Ref{name, id})
			}
		}
		if err != nil {
			failed = append(failed, err)
			err = nil
		}
	}
	return errors.Join(failed...)
}
