package fsys

import (
	"errors"
	"fmt"
	"io"
	iofs "io/fs"
	"reflect"
)

// copyBytes is how much of a file Copy holds in memory at a time.
const copyBytes = 256 << 10

// view is a file system whose operations end in another one: Sub and Trace.
type view interface {
	// under returns the file system below the view and what path is called there.
	under(path string) (FS, string, error)
}

// place is a path and one of the file systems in which it is called so.
type place struct {
	fs   FS
	path string
}

// places returns what path is called in fs and in all that it is a view of, from the
// top to the ground.
func places(fs FS, path string) ([]place, error) {
	all := []place{{fs, path}}
	for {
		v, ok := all[len(all)-1].fs.(view)
		if !ok {
			return all, nil
		}
		next, path, err := v.under(all[len(all)-1].path)
		if err != nil {
			return nil, err
		}
		all = append(all, place{next, path})
	}
}

// Transfer puts the regular file at from of src, which must not change any more, at to
// of dst, where nothing may stand: by a hard link where both are views of one file
// system, or directories of the operating system on one device, and linked is true;
// else by Copy. Its bytes are durable if they were, or if they were copied; its name is
// after SyncDir, as that of a link. A copy that fails or is cut short by a power cut
// leaves nothing at to; it may leave to+".tmp".
//
// The steps are operations of dst and src, or a Link in the file system that both are
// views of, with the paths as they are called there.
func Transfer(src FS, from string, dst FS, to string) (linked bool, err error) {
	e, err := src.Stat(from)
	if err != nil {
		return false, err
	}
	if !e.Regular {
		return false, pathError(OpLink, from, errNotRegular)
	}
	err = link(src, from, dst, to)
	if err == nil {
		return true, nil
	}
	if !errors.Is(err, errors.ErrUnsupported) && !isNotLinkable(err) {
		return false, err
	}
	switch there, err := Exists(dst, to); {
	case err != nil:
		return false, err
	case there:
		return false, pathError(OpCreate, to, iofs.ErrExist)
	}
	return false, Copy(src, from, dst, to, e.Size)
}

// link makes a file of one file system appear in another. The error matches
// errors.ErrUnsupported if the two have nothing in common.
func link(src FS, from string, dst FS, to string) error {
	sources, err := places(src, from)
	if err != nil {
		return err
	}
	targets, err := places(dst, to)
	if err != nil {
		return err
	}
	for t, target := range targets {
		for s, source := range sources {
			if same(source.fs, target.fs) {
				recordLink(sources[:s], targets[:t], source.path, target.path)
				return target.fs.Link(source.path, target.path)
			}
		}
	}
	source, target := sources[len(sources)-1], targets[len(targets)-1]
	other, ok := target.fs.(interface {
		linkFrom(src FS, from, to string) error
	})
	if !ok {
		return errors.ErrUnsupported
	}
	recordLink(sources, targets, source.path, target.path)
	return other.linkFrom(source.fs, source.path, target.path)
}

// same reports whether a and b are one file system. Those that a test made may be of a
// type that cannot be compared.
func same(a, b FS) bool {
	return reflect.TypeOf(a).Comparable() && reflect.TypeOf(b).Comparable() && a == b
}

// recordLink tells the traces that a link passes by. Each knows one of the two paths
// by the name of its own, the other as the file system below calls it.
func recordLink(sources, targets []place, from, to string) {
	for _, s := range sources {
		if t, ok := s.fs.(*tracer); ok {
			t.record(Op{Kind: OpLink, Path: s.path, NewPath: to})
		}
	}
	for _, d := range targets {
		if t, ok := d.fs.(*tracer); ok {
			t.record(Op{Kind: OpLink, Path: from, NewPath: d.path})
		}
	}
}

// Copy copies the first size bytes of a file, which may go on growing meanwhile, to
// another, replacing what stands there in one step; a file that has fewer is an error.
// The bytes are durable then, the name is after SyncDir. It writes to+".tmp" first, and
// removes that if anything fails. At most one call at a time may be writing one path.
func Copy(src FS, from string, dst FS, to string, size int64) error {
	// As WriteFileAtomic does: the old name may lead to a file that is whole.
	err := removeIfThere(dst, to+tempSuffix)
	if err == nil {
		err = writeUnlisted(dst, to, func(out File) error {
			in, err := src.Open(from)
			if err != nil {
				return err
			}
			return errors.Join(copyTo(out, in, size), in.Close())
		})
	}
	if err != nil {
		return fmt.Errorf("copy %s: %w", from, err)
	}
	return nil
}

func copyTo(out, in File, size int64) error {
	buf := make([]byte, max(0, min(size, copyBytes)))
	for at := int64(0); at < size; at += int64(len(buf)) {
		buf = buf[:min(size-at, int64(len(buf)))]
		n, err := in.ReadAt(buf, at)
		switch {
		case n == len(buf):
		case errors.Is(err, io.EOF):
			return fmt.Errorf("%d bytes instead of %d: %w", at+int64(n), size, io.ErrUnexpectedEOF)
		default:
			return err
		}
		if _, err := out.Write(buf); err != nil {
			return err
		}
	}
	return nil
}
