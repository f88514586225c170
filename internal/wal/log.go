package wal

import (
	"errors"
	"fmt"
	"io"
	"sync/atomic"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/fsys"
	"github.com/sydradb/sydradb/internal/plant"
)

// ErrFailed matches every error of a log that has failed for good: a sync failed, or
// what a failed write left could not be cut off. Nothing is known any more about what
// is on disk; only opening the log anew tells.
var ErrFailed = errors.New("log has failed")

// ErrRecord means that Append was given something that is not a frame of one record,
// or too many records for the numbers that are left. Nothing was written.
var ErrRecord = errors.New("not a record for the log")

const (
	// groupBuffer is how many bytes of small frames are copied together for a write.
	groupBuffer = 1 << 20
	// bigFrame is the size from which a frame is written from where it is.
	bigFrame = groupBuffer / 4
)

// Log is a log open for appending. One goroutine at a time may use it; Last, Durable,
// Bytes and CurrentBytes may be called from any.
type Log struct {
	fs   fsys.FS
	uuid [uuidSize]byte

	file   fsys.File // current.wal; nil after a rotation that got no further than the rename
	first  base.LSN  // of current.wal
	next   base.LSN  // the number that the next record gets
	marked bool      // the last record is a Mark
	hidden bool      // the name of the last file in old is not on disk yet; file is nil
	old    []oldFile // in order
	group  []byte    // small frames on their way into one write
	failed error     // sticky; matches ErrFailed

	last, durable atomic.Uint64
	size          atomic.Int64 // of current.wal
	oldSize       atomic.Int64 // of all in old
}

// oldFile is a rotated file that has not been removed.
type oldFile struct {
	path string
	last base.LSN
	size int64
}

// Create makes the log of a new database: the directory and current.wal with its
// Header, which gets the number next, at least 1. All of it is on disk on return.
// What an interrupted Create left is overwritten.
func Create(fs fsys.FS, uuid [16]byte, next base.LSN) (*Log, error) {
	if next == 0 || next >= MaxLSN {
		return nil, fmt.Errorf("%w: it cannot start at %d", ErrRecord, next)
	}
	if err := fs.MkdirAll(base.WALDir); err != nil {
		return nil, fmt.Errorf("create log: %w", err)
	}
	if err := fsys.SyncParent(fs, base.WALDir); err != nil {
		return nil, fmt.Errorf("create log: %w", err)
	}
	l := newLog(fs, uuid, next)
	if err := l.start(); err != nil {
		return nil, err
	}
	return l, nil
}

// newLog returns a log without a file, all of whose records before next are on disk.
func newLog(fs fsys.FS, uuid [uuidSize]byte, next base.LSN) *Log {
	l := &Log{fs: fs, uuid: uuid, next: next}
	l.last.Store(uint64(next - 1))
	l.durable.Store(uint64(next - 1))
	return l
}

// start makes current.wal with its Header. All records so far are on disk. Unless a
// sync fails it may be tried again.
func (l *Log) start() error {
	if l.hidden {
		if err := l.syncDir(); err != nil {
			return err
		}
		l.hidden = false
	}
	f, err := l.fs.Create(base.CurrentWAL)
	if err != nil {
		return fmt.Errorf("start log file: %w", err)
	}
	header := appendHeader(nil, l.uuid)
	Seal(header, l.next, l.Durable())
	if err := writeAll(f, header); err != nil {
		// What is left is a file that holds nothing, which the next try empties.
		return fmt.Errorf("start log file: %w", errors.Join(err, f.Close()))
	}
	if err := f.Sync(); err != nil {
		return l.fail("sync "+base.CurrentWAL, errors.Join(err, f.Close()))
	}
	if err := l.syncDir(); err != nil {
		return errors.Join(err, f.Close())
	}
	l.started(f, len(header))
	return nil
}

// started takes over a current.wal that holds only its Header, on disk.
func (l *Log) started(f fsys.File, size int) {
	l.file, l.first = f, l.next
	l.size.Store(int64(size))
	l.advance(1)
	l.durable.Store(l.last.Load())
}

// syncDir makes the names in wal/ durable. It may be tried again only if the directory
// could not be opened for want of descriptors.
func (l *Log) syncDir() error {
	if plant.Bug(plant.NoWALDirSync) {
		return nil
	}
	err := l.fs.SyncDir(base.WALDir)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fsys.ErrTooManyFiles):
		return fmt.Errorf("sync %s: %w", base.WALDir, err)
	}
	return l.fail("sync "+base.WALDir, err)
}

// advance counts n records that were written.
func (l *Log) advance(n int) {
	l.next += base.LSN(n)
	l.last.Store(uint64(l.next - 1))
	l.marked = false
}

// fail makes the failure sticky.
func (l *Log) fail(what string, err error) error {
	err = fmt.Errorf("%w: %s: %w", ErrFailed, what, err)
	if !plant.Bug(plant.FailureForgotten) {
		l.failed = err
	}
	return err
}

// ready returns an error if the log has failed, and completes a rotation that could
// not make its new file.
func (l *Log) ready() error {
	if l.failed != nil {
		return l.failed
	}
	if l.file == nil {
		return l.start()
	}
	return nil
}

// Append writes a group of records, numbered one after the other from first on, and
// finishes their frames (Seal). frames[i] is a whole frame, as AppendBatch makes it.
// Small frames go out in one write. Nothing is synced: see Sync.
//
// After an error nothing of the group is in the log: the file was cut back to where
// the group began, and synced; the numbers will be given again. The error wraps the
// cause (fsys.ErrNoSpace, say). If cutting or that sync fails, the error matches
// ErrFailed and the log refuses everything from then on.
func (l *Log) Append(frames [][]byte) (first base.LSN, err error) {
	for _, f := range frames {
		if err := checkFrame(f); err != nil {
			return 0, fmt.Errorf("%w: %w", ErrRecord, err)
		}
	}
	if err := l.ready(); err != nil {
		return 0, err
	}
	first = l.next
	if base.LSN(len(frames)) >= MaxLSN-first {
		return 0, fmt.Errorf("%w: the numbers are used up", ErrRecord)
	}
	size, durable := int64(0), l.Durable()
	for i, f := range frames {
		if plant.Bug(plant.SyncClaimed) {
			durable = first + base.LSN(i) - 1
		}
		Seal(f, first+base.LSN(i), durable)
		size += int64(len(f))
	}
	if err := l.write(frames); err != nil {
		return 0, l.cutBack(err)
	}
	l.size.Add(size)
	l.advance(len(frames))
	return first, nil
}

func (l *Log) write(frames [][]byte) error {
	group := l.group[:0]
	for _, f := range frames {
		big := len(f) >= bigFrame
		if big || len(group)+len(f) > groupBuffer {
			if err := writeAll(l.file, group); err != nil {
				return err
			}
			group = group[:0]
		}
		if big {
			if err := writeAll(l.file, f); err != nil {
				return err
			}
			continue
		}
		group = append(group, f...)
	}
	l.group = group
	return writeAll(l.file, group)
}

func writeAll(f fsys.File, p []byte) error {
	if len(p) == 0 {
		return nil
	}
	n, err := f.Write(p)
	if err == nil && n < len(p) {
		err = io.ErrShortWrite
	}
	if plant.Bug(plant.IgnoreShortWrite) {
		return nil
	}
	return err
}

// cutBack removes what a failed write left behind the last whole group.
func (l *Log) cutBack(cause error) error {
	if plant.Bug(plant.ShortWriteKept) {
		return cause
	}
	if err := l.file.Truncate(l.size.Load()); err != nil {
		return l.fail("cut off a failed write", errors.Join(cause, err))
	}
	if err := l.file.Sync(); err != nil {
		return l.fail("sync after a failed write", errors.Join(cause, err))
	}
	l.durable.Store(l.last.Load())
	return fmt.Errorf("write log: %w", cause)
}

// Sync returns when all records are on disk. It never tries a failed sync again: the
// first failure matches ErrFailed, and so does every later call of any method.
func (l *Log) Sync() error {
	if l.failed != nil {
		return l.failed
	}
	if l.durable.Load() == l.last.Load() {
		return nil
	}
	err := l.file.Sync()
	if err != nil && plant.Bug(plant.RetrySync) {
		err = l.file.Sync()
	}
	if err != nil {
		return l.fail("sync "+base.CurrentWAL, err)
	}
	l.durable.Store(l.last.Load())
	return nil
}

// Mark syncs the log and ends it with a Mark, unless one is the last record already.
// A log that ends so can lose its last records to damage without it being taken for a
// torn tail only within the Mark itself. With sync the Mark is on disk on return.
func (l *Log) Mark(sync bool) error {
	if err := l.Sync(); err != nil {
		return err
	}
	if !l.marked {
		if _, err := l.Append([][]byte{appendMark(nil)}); err != nil {
			return err
		}
		l.marked = true
	}
	if sync {
		return l.Sync()
	}
	return nil
}

// Rotate syncs current.wal, gives it the name of its first record and starts a new
// one. On return all of that is on disk and Last is the new file's Header.
//
// An error that does not match ErrFailed (no space for the new file, say) leaves the
// log usable: Rotate may be called again, and Append makes up for what is missing.
func (l *Log) Rotate() error {
	if l.failed != nil {
		return l.failed
	}
	if l.file != nil {
		if err := l.retire(); err != nil {
			return err
		}
	}
	return l.start()
}

// retire moves current.wal aside. The name has to be durable before a new current.wal may
// exist: else a power cut could keep the new file and lose the old one's name.
func (l *Log) retire() error {
	if plant.Bug(plant.RotatedUnsynced) {
		l.durable.Store(l.last.Load())
	}
	if err := l.Sync(); err != nil {
		return err
	}
	// Closed first, because some systems do not rename open files.
	if err := l.file.Close(); err != nil {
		return l.fail("close "+base.CurrentWAL, err)
	}
	l.file = nil
	path := base.WALFile(l.first)
	if err := l.fs.Rename(base.CurrentWAL, path); err != nil {
		f, again := l.fs.OpenAppend(base.CurrentWAL)
		if again != nil {
			return l.fail("rotate", errors.Join(err, again))
		}
		l.file = f
		return fmt.Errorf("rotate log: %w", err)
	}
	l.keep(oldFile{path: path, last: l.Last(), size: l.size.Load()})
	l.size.Store(0)
	l.hidden = true // start sees to that
	return nil
}

func (l *Log) keep(f oldFile) {
	l.old = append(l.old, f)
	l.oldSize.Add(f.size)
}

// RemoveThrough removes the rotated files whose records are all numbered flushed or
// lower. flushed must be on disk, in the MANIFEST: a power cut may undo a removal, or
// it may not. After an error the files that are left will be tried again.
func (l *Log) RemoveThrough(flushed base.LSN) error {
	if l.failed != nil {
		return l.failed
	}
	for len(l.old) > 0 && (l.old[0].last <= flushed || plant.Bug(plant.LogRemovedEarly)) {
		f := l.old[0]
		if err := removeExisting(l.fs, f.path); err != nil {
			return fmt.Errorf("remove log file: %w", err)
		}
		l.old = l.old[1:]
		l.oldSize.Add(-f.size)
	}
	return nil
}

// Last returns the number of the last record in the log.
func (l *Log) Last() base.LSN { return base.LSN(l.last.Load()) }

// Durable returns the number of the last record that is known to be on disk.
func (l *Log) Durable() base.LSN { return base.LSN(l.durable.Load()) }

// Bytes returns the size of all files of the log that have not been removed.
func (l *Log) Bytes() int64 { return l.oldSize.Load() + l.size.Load() }

// CurrentBytes returns the size of current.wal, by which its owner decides to rotate.
func (l *Log) CurrentBytes() int64 { return l.size.Load() }

// Close releases the file. It does not sync: see Mark. The log refuses everything
// afterwards.
func (l *Log) Close() error {
	f := l.file
	l.file = nil
	if l.failed == nil {
		l.failed = fmt.Errorf("%w: it is closed", ErrFailed)
	}
	if f == nil {
		return nil
	}
	return f.Close()
}
