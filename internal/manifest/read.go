package manifest

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/fsys"
)

// Tail is a last line that lacks its newline or fails its checksum.
//
// Either a crash cut short the write of an edit that nobody was told of, and the line
// goes; or it was written, relied upon, and has rotted since. The difference does not
// show here: the line is torn if the log still holds every record from the state's
// FlushedLSN+1 on and every live file exists, because whoever relies on an edit removes
// log files and segments only then. Log.CutTail cuts a torn one; Corruption reports a
// rotten one.
type Tail struct {
	File   string // path of the MANIFEST
	Offset int64  // where the line begins
	Bytes  int64  // to the end of the file
	Err    error  // what is wrong with it
}

// Corruption returns the error for a line that is no torn write.
func (t *Tail) Corruption() *base.CorruptionError {
	return &base.CorruptionError{File: t.File, Offset: t.Offset, Part: "last line", Err: t.Err}
}

// Line is a sound line of a MANIFEST.
type Line struct {
	Offset int64  // of its first byte
	Bytes  int64  // length, newline included
	CRC    string // 8 hex digits; "" in version 0
	Edit   *Edit  // nil in version 0; valid, lists included, until fn returns
	Plain  *Entry // nil but in version 0
}

// Read returns the state that the MANIFEST at path adds up to, and its tail if the last
// line is cut off or damaged. Errors: of the file system; one that matches ErrNewer; a
// *base.CorruptionError with the offset of the line, for a bad line that is not the last
// or is the only one, and for any line that breaks an invariant. With an error the state
// is that of the lines before.
func Read(fs fsys.FS, path string) (State, *Tail, error) {
	data, err := fsys.ReadFile(fs, path)
	if err != nil {
		return State{}, nil, err
	}
	return read(path, data)
}

func read(path string, data []byte) (State, *Tail, error) {
	var s State
	tail, err := scan(path, data, func(l Line) error {
		var err error
		if l.Plain != nil {
			s.V0 = true
			err = s.addPlain(l.Plain, l.Bytes)
		} else if err = s.admit(l.Edit); err == nil {
			s.commit(l.Edit, l.CRC, int(l.Bytes))
		}
		if err != nil {
			return corrupt(path, l.Offset, err)
		}
		return nil
	})
	s.compact()
	if err == nil && s.lines == 0 {
		err = corrupt(path, 0, errors.New("the file is empty"))
	}
	return s, tail, err
}

// ReadV0 returns the entries of a MANIFEST of version 0 in the order of its lines. A
// path may stand there twice, and the last line may lack its newline. The file may be
// empty. Errors: of the file system, or a *base.CorruptionError.
func ReadV0(fs fsys.FS, path string) ([]Entry, error) {
	var entries []Entry
	_, err := Scan(fs, path, func(l Line) error {
		if l.Plain == nil {
			return fmt.Errorf("%s: not written by version 0", path)
		}
		if err := l.Plain.validate(true); err != nil {
			return corrupt(path, l.Offset, err)
		}
		entries = append(entries, *l.Plain)
		return nil
	})
	return entries, err
}

// Scan calls fn for each line of the MANIFEST at path, in order, after verifying its
// checksum and its place in the chain (M1). What the lines say is not held against each
// other; Read does that. An error of fn ends the scan and is returned as it is.
func Scan(fs fsys.FS, path string, fn func(Line) error) (*Tail, error) {
	data, err := fsys.ReadFile(fs, path)
	if err != nil {
		return nil, err
	}
	return scan(path, data, fn)
}

func scan(path string, data []byte, fn func(Line) error) (*Tail, error) {
	if bytes.HasPrefix(data, []byte(editStart)) {
		return scanEdits(path, data, fn)
	}
	return nil, scanPlain(path, data, fn)
}

func scanEdits(path string, data []byte, fn func(Line) error) (*Tail, error) {
	var edit Edit
	l := Line{Edit: &edit}
	for rest := data; len(rest) > 0; rest = rest[l.Bytes:] {
		last, lastCRC := edit.Number, l.CRC
		text, whole := firstLine(rest)
		l.Offset, l.Bytes = int64(len(data)-len(rest)), int64(len(text)+1)
		crc, err := checkLine(text)
		if !whole {
			err = errNoNewline
		}
		if err != nil && l.Offset > 0 && len(text)+1 >= len(rest) {
			return &Tail{File: path, Offset: l.Offset, Bytes: int64(len(rest)), Err: err}, nil
		}
		if err == nil {
			err = decodeEdit(text, &edit)
		}
		if err == nil {
			err = checkChain(&edit, l.Offset == 0, last, lastCRC)
		}
		if errors.Is(err, errUnknown) {
			return nil, fmt.Errorf("%s: line at offset %d: %w: %w", path, l.Offset, ErrNewer, err)
		}
		if err != nil {
			return nil, corrupt(path, l.Offset, err)
		}
		l.CRC = crc
		if err := fn(l); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

// checkChain verifies that e follows the line with the number and CRC given.
func checkChain(e *Edit, first bool, last uint64, lastCRC string) error {
	switch {
	case first && e.Prev != "":
		return fmt.Errorf("the first line follows %q", e.Prev)
	case first:
		return nil
	case e.Prev != lastCRC:
		return fmt.Errorf("follows %q, but stands after %q", e.Prev, lastCRC)
	case e.Number != last+1:
		return fmt.Errorf("edit %d stands after edit %d", e.Number, last)
	}
	return nil
}

func scanPlain(path string, data []byte, fn func(Line) error) error {
	for rest := data; len(rest) > 0; {
		text, whole := firstLine(rest)
		l := Line{Offset: int64(len(data) - len(rest)), Bytes: int64(len(text))}
		if whole {
			l.Bytes++
		}
		entry, err := decodePlain(text)
		if err != nil {
			return corrupt(path, l.Offset, err)
		}
		l.Plain = &entry
		if err := fn(l); err != nil {
			return err
		}
		rest = rest[l.Bytes:]
	}
	return nil
}

// firstLine returns the first line of b without its newline, and whether it had one.
func firstLine(b []byte) (line []byte, whole bool) {
	line, _, whole = bytes.Cut(b, []byte{'\n'})
	return line, whole
}

func corrupt(path string, offset int64, err error) error {
	return &base.CorruptionError{File: path, Offset: offset, Part: "line", Err: err}
}
