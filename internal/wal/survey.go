package wal

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/fsys"
	"github.com/sydradb/sydradb/internal/plant"
)

// logFile is one file of the log, before it is read.
type logFile struct {
	path string
	// first is the number of the first record: what the Header says, or, where that
	// cannot be read, what the name says. 0 for a current.wal without a sound Header.
	first   base.LSN
	size    int64
	current bool
}

// layout is what stands in wal/.
type layout struct {
	files []logFile // ascending by first, current.wal last
	temps []string  // leftovers of an interrupted write
	torn  []string  // tails that were cut off, oldest first
	// twin is a second name of current.wal, or of how it once was: a power cut between
	// the rename of a rotation and the sync of the directory may leave both names, and
	// undo the removal of the second one later.
	twin string
}

// survey lists the log. Its files ascend, or it returns the CorruptionError.
func survey(fs fsys.FS, r *fileReader) (layout, error) {
	var found layout
	entries, err := fs.List(base.WALDir)
	if err != nil {
		return found, fmt.Errorf("list log: %w", err)
	}
	var current []logFile
	for _, e := range entries {
		f := logFile{path: base.WALDir + "/" + e.Name, size: e.Size}
		first, rotated := base.ParseWALFile(f.path)
		switch f.current = f.path == base.CurrentWAL; {
		case rotated || f.current:
			if f.first, err = readFirst(fs, r, f.path); err != nil {
				return found, err
			}
		case base.IsTornFile(f.path):
			found.torn = append(found.torn, f.path)
		case base.IsTemp(f.path):
			found.temps = append(found.temps, f.path)
		}
		switch {
		case f.current:
			current = append(current, f)
		case rotated:
			if f.first == 0 {
				f.first = first
			}
			found.files = append(found.files, f)
		}
	}
	slices.SortFunc(found.files, func(a, b logFile) int { return cmp.Compare(a.first, b.first) })
	if plant.Bug(plant.ReplayBySize) {
		slices.SortStableFunc(found.files, func(a, b logFile) int { return cmp.Compare(a.size, b.size) })
	}
	slices.SortFunc(found.torn, byAge)
	found.files = append(found.files, current...)
	return found, found.order(fs, r)
}

// readFirst returns the number of the Header at the start of a file, 0 if there is no
// sound one.
func readFirst(fs fsys.FS, r *fileReader, path string) (first base.LSN, err error) {
	if err := r.open(fs, path); err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, r.close()) }()
	rec, _, bad, err := r.record(0)
	if err != nil || bad != nil || rec.Type != TypeHeader {
		return 0, err
	}
	return rec.LSN, nil
}

// order finds the twin and sees to it that the files ascend.
func (l *layout) order(fs fsys.FS, r *fileReader) error {
	if n := len(l.files); n > 1 && l.files[n-1].current && l.files[n-1].first == l.files[n-2].first {
		begins, err := beginsWith(fs, r, l.files[n-1].path, l.files[n-2].path)
		if err != nil {
			return err
		}
		if begins {
			l.twin = l.files[n-2].path
			l.files = slices.Delete(l.files, n-2, n-1)
		}
	}
	for i := 1; i < len(l.files); i++ {
		a, b := l.files[i-1], l.files[i]
		if b.first != 0 && b.first <= a.first {
			return &base.CorruptionError{File: b.path, Part: "header",
				Err: fmt.Errorf("it starts with record %d, but %s with %d", b.first, a.path, a.first)}
		}
	}
	return nil
}

// beginsWith reports whether the bytes of file b are the first ones of file a.
func beginsWith(fs fsys.FS, r *fileReader, a, b string) (begins bool, err error) {
	if err := r.open(fs, a); err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, r.close()) }()
	var other fileReader
	if err := other.open(fs, b); err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, other.close()) }()
	for off := int64(0); off < other.size; off += readAhead {
		p, err := r.peek(off, readAhead)
		if err != nil {
			return false, err
		}
		q, err := other.peek(off, readAhead)
		if err != nil || !bytes.HasPrefix(p, q) {
			return false, err
		}
	}
	return true, nil
}

// start returns the index of the file that holds the record flushed+1, or would: the
// last one that starts no later. Those before it hold nothing that is needed.
func (l *layout) start(flushed base.LSN) (int, error) {
	for i := len(l.files) - 1; i >= 0; i-- {
		if f := l.files[i]; f.first != 0 && f.first <= flushed+1 || f.first == 0 && i == 0 {
			return i, nil
		}
	}
	return 0, &base.CorruptionError{File: base.WALDir, Offset: base.WholeFile,
		Err: fmt.Errorf("%w: none holds record %d", ErrGap, flushed+1)}
}
