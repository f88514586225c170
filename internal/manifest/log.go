package manifest

import (
	"bytes"
	"errors"
	"fmt"
	"maps"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/fsys"
	"github.com/sydradb/sydradb/internal/plant"
)

// ErrFailed means that the log is in a state that only a restart clears up: what it
// tried to write may or may not be on disk. It refuses everything from then on.
var ErrFailed = errors.New("MANIFEST cannot be written any more")

var errClosed = fmt.Errorf("%s is closed", base.ManifestFile)

// RewriteSlack is how far a file may grow beyond twice its snapshot before it is worth
// writing anew.
const RewriteSlack = 1 << 20

// Log is a MANIFEST open for writing. It has one owner: nothing here is safe for
// concurrent use.
type Log struct {
	fs      fsys.FS
	file    fsys.File // nil once closed, and while no descriptor is to be had for it
	state   State
	line    []byte // reused
	uncut   bool   // the file is longer than its sound lines
	doubt   bool   // the last line may be missing on disk, whatever the system shows
	unnamed bool   // the file was replaced, and a power cut may bring the old one back
	failed  error  // once set, what everything is answered with
}

// Create makes a MANIFEST whose first line is e, durable with its name, replacing what
// an earlier attempt left. e may carry entries of earlier edits and removals still owed;
// Prev is not used. After an error a half-written file may be left.
func Create(fs fsys.FS, e Edit) (*Log, error) {
	l := &Log{fs: fs}
	e.Prev = ""
	if err := l.state.admit(&e); err != nil {
		return nil, fmt.Errorf("%s: edit %d: %w", base.ManifestFile, e.Number, err)
	}
	line, crc := appendLine(nil, &e)
	var err error
	if l.file, err = fs.Create(base.ManifestFile); err != nil {
		return nil, err
	}
	if _, err = l.file.Write(line); err == nil {
		err = l.file.Sync()
	}
	if err == nil {
		err = fsys.SyncParent(fs, base.ManifestFile)
	}
	if err != nil {
		return nil, errors.Join(err, l.file.Close())
	}
	l.state.commit(&e, crc, len(line))
	return l, nil
}

// Open opens the MANIFEST that Read has just read, for appending to the state it
// returned, and takes the state over. Nothing may be removed on the word of the file
// before Open has returned.
//
// The last line may be in the system's cache and not on disk: its writer may have died
// before the sync, or been told that the sync failed, and a later sync of such bytes
// passes without saving them. So the file is written anew, here, or, if the last line is
// that of a clean close, on which nothing rests yet, before the next line. Lines further
// up were synced before their successors were written.
//
// A file with a tail is opened, too, but refuses everything until CutTail.
func Open(fs fsys.FS, s State) (*Log, error) {
	if s.V0 || s.lines == 0 {
		return nil, fmt.Errorf("%s: no edits to follow", base.ManifestFile)
	}
	file, err := fs.OpenAppend(base.ManifestFile)
	if err != nil {
		return nil, err
	}
	l := &Log{fs: fs, file: file, state: s, doubt: true}
	size, err := file.Size()
	switch {
	case err != nil:
	case size < s.Bytes:
		err = fmt.Errorf("%s: shrunk from %d to %d bytes since it was read", base.ManifestFile, s.Bytes, size)
	case size > s.Bytes:
		l.uncut, l.doubt = true, false // the line that was torn came after a sync
	case !s.closed:
		if err = l.Rewrite(); errors.Is(err, fsys.ErrNoSpace) && l.file != nil {
			err = l.file.Sync() // all that can be done on a full disk
		}
	}
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// CutTail cuts off what follows the sound lines, durably. Without a tail it does nothing.
// It is for torn lines alone: see Tail.
func (l *Log) CutTail() error {
	if l.failed != nil || !l.uncut {
		return l.failed
	}
	if err := l.cut(); err != nil {
		return l.fail(err)
	}
	l.uncut = false
	return nil
}

// State returns what the lines add up to. It is valid until the log's next change, and
// only to be read.
func (l *Log) State() *State { return &l.state }

// Append writes an edit and returns when it is on disk. It gives the edit its number and
// place in the chain, and writes the number into e.Add and e.AddDeletes as well; numbers
// may be skipped. On nil the state has moved on; on an error it has not: either the edit
// breaks an invariant, or the file could not be written and has been cut back to its last
// line (fsys.ErrNoSpace stays visible), or, if that or a sync failed, the error matches
// ErrFailed and the edit may or may not be found at the next open. What the edit names
// must then be left alone. An error that matches fsys.ErrTooManyFiles passes: see Rewrite.
func (l *Log) Append(e Edit) error {
	if err := l.usable(); err != nil {
		return err
	}
	if l.doubt {
		if err := l.Rewrite(); err != nil {
			return err
		}
	}
	s := &l.state
	e.Number, e.Prev = s.LastEdit+1, s.crc
	for i := range e.Add {
		e.Add[i].Edit = e.Number
	}
	for i := range e.AddDeletes {
		e.AddDeletes[i].Edit = e.Number
	}
	if err := s.admit(&e); err != nil {
		return fmt.Errorf("%s: edit %d: %w", base.ManifestFile, e.Number, err)
	}
	line, crc := appendLine(l.line[:0], &e)
	if err := l.write(line); err != nil {
		s.revoke(&e)
		return err
	}
	if len(e.Horizon) > 0 {
		s.Horizon = maps.Clone(s.Horizon) // the old one may still be in use
	}
	s.commit(&e, crc, len(line))
	s.compact()
	l.line = keepSmall(line)
	return nil
}

// write appends a line and syncs it, or leaves the file as it was, or fails for good.
func (l *Log) write(line []byte) error {
	if _, err := l.file.Write(line); err != nil {
		if cutErr := l.cut(); cutErr != nil {
			return l.fail(errors.Join(err, cutErr))
		}
		return err
	}
	if plant.Bug(plant.EditUnsynced) {
		return nil
	}
	if err := l.file.Sync(); err != nil {
		// The line is in the system's cache and perhaps not on disk. Cut off, it cannot
		// mislead the next process into building on it; the error stands in any case.
		return l.fail(errors.Join(err, l.file.Truncate(l.state.Bytes)))
	}
	return nil
}

// cut cuts the file back to its sound lines.
func (l *Log) cut() error {
	if plant.Bug(plant.EditNotCutBack) {
		return nil
	}
	if err := l.file.Truncate(l.state.Bytes); err != nil {
		return err
	}
	return l.file.Sync()
}

// Unlinked says that the files at paths are gone and their directories synced, so that a
// rewritten file need not carry their removals on.
func (l *Log) Unlinked(paths []string) { l.state.settle(paths) }

// ShouldRewrite reports whether the file has grown by more than slack bytes beyond twice
// what a snapshot takes.
func (l *Log) ShouldRewrite(slack int64) bool {
	return l.state.Bytes > 2*l.state.snapshot+slack
}

// Rewrite replaces the file by one line that adds up to the same state (M7). On an error
// that does not match ErrFailed either file is in use, and nothing is lost. If that error
// matches fsys.ErrTooManyFiles, the file may have to be opened again, which the next call
// of Append or Rewrite does first.
func (l *Log) Rewrite() error {
	if err := l.usable(); err != nil {
		return err
	}
	s := &l.state
	e := Edit{
		Number: s.LastEdit + 1, Wall: s.Wall, NextMS: s.NextMS,
		FlushedLSN: s.FlushedLSN, LastLSN: s.LastLSN, Catalog: s.Catalog,
		Add: s.Live, AddDeletes: s.Deletes, Remove: s.Owed(), Horizon: s.Horizon,
	}
	data, crc := appendLine(make([]byte, 0, s.snapshot+1024), &e)

	// Closed first: not every system replaces a file that is open.
	if err := l.file.Close(); err != nil {
		return l.fail(err)
	}
	l.file = nil
	err := fsys.ReplaceFile(l.fs, base.ManifestFile, data)
	switch {
	case err == nil:
		s.rewritten(e.Number, crc, int64(len(data)))
		l.doubt, l.unnamed = false, true
	case !errors.Is(err, fsys.ErrTooManyFiles) && !l.inPlace(data):
		return l.fail(err)
	}
	return errors.Join(err, l.reopen())
}

// reopen opens the file after an attempt to replace it. A new one needs its name on disk
// before anything is appended to it. For want of descriptors neither may be possible for
// the moment, and is tried again later: a directory that was not opened has lost no name.
func (l *Log) reopen() error {
	if l.unnamed && !plant.Bug(plant.RenameUnsynced) {
		if err := fsys.SyncParent(l.fs, base.ManifestFile); err != nil {
			return l.failUnlessBusy(err)
		}
	}
	l.unnamed = false
	file, err := l.fs.OpenAppend(base.ManifestFile)
	if err != nil {
		return l.failUnlessBusy(err)
	}
	l.file = file
	return nil
}

// failUnlessBusy returns err, which ends all unless it is for want of descriptors.
func (l *Log) failUnlessBusy(err error) error {
	if errors.Is(err, fsys.ErrTooManyFiles) {
		return fmt.Errorf("%s is not open: %w", base.ManifestFile, err)
	}
	return l.fail(err)
}

// inPlace reports whether the old file certainly still has its name after a failed
// attempt to replace it by data. If the new one has it, only the sync of the name failed,
// and the next crash decides which of them is found.
func (l *Log) inPlace(data []byte) bool {
	now, err := fsys.ReadFile(l.fs, base.ManifestFile)
	return err == nil && !bytes.Equal(now, data)
}

// Close closes the file. Everything that Append accepted is on disk already.
func (l *Log) Close() error {
	if l.failed == nil {
		l.failed = errClosed
	}
	if l.file == nil {
		return nil
	}
	file := l.file
	l.file = nil
	return file.Close()
}

// usable returns the error of a log that must not be written, or cannot be for the moment.
func (l *Log) usable() error {
	switch {
	case l.failed != nil:
		return l.failed
	case l.uncut:
		return fmt.Errorf("%s: the damaged last line has not been cut off", base.ManifestFile)
	case l.state.LastEdit >= maxEdit:
		return fmt.Errorf("%s: no number left after edit %d", base.ManifestFile, l.state.LastEdit)
	case l.file == nil:
		return l.reopen()
	}
	return nil
}

// fail makes err the last error of the log.
func (l *Log) fail(err error) error {
	l.failed = fmt.Errorf("%w: %w", ErrFailed, err)
	return l.failed
}

// keepSmall returns b for reuse unless it is large: lines of megabytes are rare.
func keepSmall(b []byte) []byte {
	if cap(b) > 64<<10 {
		return nil
	}
	return b
}
