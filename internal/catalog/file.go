package catalog

import (
	"errors"
	"fmt"
	"hash/crc32"
	"slices"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/frame"
	"github.com/sydradb/sydradb/internal/fsys"
	"github.com/sydradb/sydradb/internal/plant"
)

// ErrFailed matches every error of a File that cannot be written any more: a sync
// failed, or a half written frame could not be cut off. What was on disk before stays
// readable.
var ErrFailed = errors.New("the catalog file failed")

// writeBytes is about how much Append writes at a time.
const writeBytes = 1 << 20

// File is one generation of the CATALOG file, open for appending. It belongs to one
// goroutine at a time.
type File struct {
	f          fsys.File
	name       string
	generation uint64
	bytes      int64
	sum        uint32 // of these bytes
	uncut      bool   // there may be more bytes than these
	failed     error  // sticky
}

// CreateFile makes an empty catalog file, durable with its name. A file of that
// generation that exists is emptied. An error that matches ErrFailed is that of a sync:
// what else was new in the directory may be lost as well, however well it is synced later.
func CreateFile(fs fsys.FS, generation uint64) (*File, error) {
	name := base.CatalogFile(generation)
	f, err := fs.Create(name)
	if err != nil {
		return nil, err
	}
	if err = f.Sync(); err == nil {
		err = fsys.SyncParent(fs, name)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("create %s: %w: %w", name, ErrFailed, err), f.Close())
	}
	return &File{f: f, name: name, generation: generation}, nil
}

// OpenFile loads into c the first size bytes of a catalog file, which hold whole
// frames and have the checksum crc, if that is not "". The series count as logged. Nothing
// is changed: what follows those bytes has to be cut off, with CutTail, before anything is
// appended. A missing file is an error that matches io/fs.ErrNotExist; a damaged frame, or a
// file that is too short, a base.CorruptionError. After an error c holds some of the series
// and is of no use.
func OpenFile(fs fsys.FS, generation uint64, size int64, crc string, c *Catalog) (*File, error) {
	name := base.CatalogFile(generation)
	f, err := fs.OpenAppend(name)
	if err != nil {
		return nil, err
	}
	l := loader{c: c}
	sum, err := scan(f, name, size, func(_ int64, payload []byte) error { return l.load(payload) })
	if err == nil {
		err = verify(name, sum, crc)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &File{f: f, name: name, generation: generation, bytes: size, sum: sum, uncut: true}, nil
}

// CutTail cuts off what follows the bytes that were loaded, durably. Without a tail it
// changes nothing.
func (f *File) CutTail() error {
	if f.failed != nil {
		return f.failed
	}
	has, err := f.f.Size()
	if err == nil && has != f.bytes {
		if err = f.f.Truncate(f.bytes); err == nil {
			err = f.f.Sync()
		}
	}
	if err != nil {
		return f.fail(err)
	}
	f.uncut = false
	return nil
}

// Generation returns the number of the file.
func (f *File) Generation() uint64 { return f.generation }

// Bytes returns the length of the file: what a later OpenFile has to be told to load
// all that was appended.
func (f *File) Bytes() int64 { return f.bytes }

// CRC returns the checksum of these bytes, as a later OpenFile takes it.
func (f *File) CRC() string { return formatCRC(f.sum) }

// Append writes what c knows of the given series to the end of the file, syncs it, and
// returns its new length. Ordinals may come in any order and twice; unknown ones are
// left out. c is locked for one frame at a time. On an error nothing counts as
// appended: the file is cut back, and if that fails, or the sync, the file has failed
// and refuses everything from then on. Series that die meanwhile are appended or not.
func (f *File) Append(c *Catalog, ordinals []base.Ordinal) (bytes int64, err error) {
	switch {
	case f.failed != nil:
		return f.bytes, f.failed
	case f.uncut:
		return f.bytes, fmt.Errorf("%s: what follows byte %d has not been cut off", f.name, f.bytes)
	}
	ordinals = slices.Clone(ordinals)
	slices.Sort(ordinals)
	ordinals = slices.DeleteFunc(slices.Compact(ordinals), func(o base.Ordinal) bool { return !c.Known(o) })
	if len(ordinals) == 0 {
		return f.bytes, nil
	}
	written, sum, err := f.write(c, ordinals)
	if err != nil {
		return f.bytes, f.cutBack(err)
	}
	if f.generation > 1 && plant.Bug(plant.GenerationUnsynced) || plant.Bug(plant.CatalogUnsynced) {
		f.bytes, f.sum = f.bytes+written, sum
		return f.bytes, nil
	}
	if err := f.f.Sync(); err != nil {
		return f.bytes, f.fail(err)
	}
	f.bytes, f.sum = f.bytes+written, sum
	return f.bytes, nil
}

// write appends frames, first those with ids, and returns their length, and the checksum
// of the file with them.
func (f *File) write(c *Catalog, ordinals []base.Ordinal) (written int64, sum uint32, err error) {
	var buf []byte
	sum = f.sum
	for _, payload := range []func([]byte, []base.Ordinal) ([]byte, int){c.appendIDs, c.appendNames} {
		for rest := ordinals; len(rest) > 0; {
			var taken int
			buf, taken = appendFrame(buf, rest, payload)
			rest = rest[taken:]
			if len(buf) < writeBytes && len(rest) > 0 {
				continue
			}
			n, err := f.f.Write(buf)
			written += int64(n)
			if err == nil && n < len(buf) {
				err = errors.New("short write")
			}
			if err != nil {
				return written, sum, err
			}
			sum = crc32.Update(sum, castagnoli, buf)
			buf = buf[:0]
		}
	}
	return written, sum, nil
}

// appendFrame appends one frame with what payload makes of the first ordinals, and
// nothing if it makes nothing of them. taken counts these.
func appendFrame(dst []byte, ordinals []base.Ordinal, payload func([]byte, []base.Ordinal) ([]byte, int)) (_ []byte, taken int) {
	start := len(dst)
	dst = frame.Begin(dst)
	begun := len(dst)
	dst, taken = payload(dst, ordinals)
	if len(dst) == begun {
		return dst[:start], taken
	}
	return frame.End(dst, start), taken
}

func (c *Catalog) appendIDs(dst []byte, ordinals []base.Ordinal) ([]byte, int) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.appendIDsLocked(dst, ordinals)
}

func (c *Catalog) appendNames(dst []byte, ordinals []base.Ordinal) ([]byte, int) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.appendNamesLocked(dst, ordinals)
}

// cutBack undoes a write that failed with cause.
func (f *File) cutBack(cause error) error {
	err := f.f.Truncate(f.bytes)
	if err == nil {
		err = f.f.Sync()
	}
	if err != nil {
		return f.fail(errors.Join(cause, err))
	}
	return fmt.Errorf("write %s: %w", f.name, cause)
}

// fail makes the file refuse everything from now on.
func (f *File) fail(cause error) error {
	f.failed = fmt.Errorf("%s: %w: %w", f.name, ErrFailed, cause)
	return f.failed
}

// Close closes the file. Everything that was appended is durable already.
func (f *File) Close() error { return f.f.Close() }
