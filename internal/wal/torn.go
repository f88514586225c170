package wal

import (
	"bytes"
	"cmp"
	"errors"
	"slices"
	"strings"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/fsys"
)

// tornKept is how many cut tails stay.
const tornKept = 3

// keepTail copies the tail that is about to be cut off to a file of its own, durably,
// and removes the oldest of such files. It holds nothing that was acknowledged, so a
// disk without room for the copy is no reason not to open.
func (w *walk) keepTail(fs fsys.FS, t *Torn) error {
	zeros, err := w.zeros(fs, t.File, t.Offset)
	if err != nil || zeros {
		return err
	}
	var now int64
	if w.opts.NowMS != nil {
		now = w.opts.NowMS()
	}
	path := base.TornFile(t.Expected, now)
	for slices.Contains(w.torn, path) {
		now++
		path = base.TornFile(t.Expected, now)
	}
	if err := w.copy(fs, t.File, t.Offset, t.Offset+t.Bytes, path); err != nil {
		if errors.Is(err, fsys.ErrNoSpace) {
			return nil
		}
		return err
	}
	if err := fs.SyncDir(base.WALDir); err != nil {
		return err
	}
	t.Kept = path
	for len(w.torn)+1 > tornKept {
		if err := removeExisting(fs, w.torn[0]); err != nil {
			return err
		}
		w.torn = w.torn[1:]
	}
	return nil
}

// zeros reports whether a file holds only zeros from off on.
func (w *walk) zeros(fs fsys.FS, path string, off int64) (zeros bool, err error) {
	if err := w.read.open(fs, path); err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, w.read.close()) }()
	for off < w.read.size {
		p, err := w.read.peek(off, readAhead)
		if err != nil || len(bytes.Trim(p, "\x00")) > 0 {
			return false, err
		}
		off += int64(len(p))
	}
	return true, nil
}

// copy puts the bytes of src from off to end at path in one step. They are on disk
// then, the name is not until the directory is synced. A full disk changes nothing.
func (w *walk) copy(fs fsys.FS, src string, off, end int64, path string) error {
	temp := path + base.TempSuffix
	err := w.copyTo(fs, src, off, end, temp)
	if errors.Is(err, fsys.ErrNoSpace) && w.opts.MakeRoom != nil && w.opts.MakeRoom() {
		err = w.copyTo(fs, src, off, end, temp)
	}
	if err == nil {
		err = fs.Rename(temp, path)
	}
	if err != nil {
		// If this fails too, the next opening removes it.
		_ = fs.Remove(temp)
	}
	return err
}

// copyTo creates path with the bytes of src from off to end, and syncs it.
func (w *walk) copyTo(fs fsys.FS, src string, off, end int64, path string) (err error) {
	if err := w.read.open(fs, src); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.read.close()) }()
	f, err := fs.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	for off < end {
		p, err := w.read.peek(off, int(min(end-off, readAhead)))
		if err != nil {
			return err
		}
		if err := writeAll(f, p); err != nil {
			return err
		}
		off += int64(len(p))
	}
	return f.Sync()
}

// byAge compares the names of two torn files: by the place in the log, then by time.
func byAge(a, b string) int {
	placeA, timeA, _ := strings.Cut(a, "-")
	placeB, timeB, _ := strings.Cut(b, "-")
	return cmp.Or(cmp.Compare(placeA, placeB), cmp.Compare(len(timeA), len(timeB)), cmp.Compare(timeA, timeB))
}
