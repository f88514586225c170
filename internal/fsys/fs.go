package fsys

import (
	"errors"
	"io"
)

// Errors that callers tell apart. Files that do not exist, or already do, are
// reported by errors that match io/fs.ErrNotExist and io/fs.ErrExist.
var (
	// ErrLocked means that another process, or this one, holds the lock file.
	ErrLocked = errors.New("locked by another process")
	// ErrNoSpace means that the device or a quota is full. ENOSPC and EDQUOT of the
	// operating system match it.
	ErrNoSpace = errors.New("no space left on device")
	// ErrTooManyFiles means that the process, or all of them, have as many files open as
	// may be: nothing is wrong with the file, and trying again later is safe. EMFILE and
	// ENFILE of the operating system match it.
	ErrTooManyFiles = errors.New("too many open files")
	// ErrReadOnly means that a file, or a whole HeldFS, cannot be changed through this.
	ErrReadOnly = errors.New("opened for reading only")
	// ErrReplaced means that another file took the place of one while it was being
	// opened, which only another process can have done. Trying again is safe.
	ErrReplaced = errors.New("replaced while being opened")
)

// FS is a tree of files under one root directory. An empty or "." path is the root.
type FS interface {
	// Open opens an existing file for reading. Writing to it fails.
	Open(path string) (File, error)
	// Create makes a new file, or empties an existing one, for reading and writing.
	// Neither its name nor its bytes survive a power cut until File.Sync and SyncDir.
	Create(path string) (File, error)
	// OpenAppend opens an existing file for reading and for writing at its end.
	OpenAppend(path string) (File, error)
	// Rename moves a file, replacing a file that stands at newPath, in one step. A
	// directory is moved with all below it, to a path where nothing stands; some systems
	// refuse that while a file below it is open.
	Rename(oldPath, newPath string) error
	// Link makes newPath another name of the file at oldPath. newPath must not exist.
	Link(oldPath, newPath string) error
	// Remove removes a file or an empty directory.
	Remove(path string) error
	// MkdirAll makes a directory and those above it; existing ones are fine.
	MkdirAll(path string) error
	// List returns the entries of a directory, sorted by name.
	List(path string) ([]Entry, error)
	// Stat describes a file or directory.
	Stat(path string) (Entry, error)
	// SyncDir makes the names in a directory durable: files created, renamed, linked
	// or removed there. It does nothing on systems where directories cannot be synced.
	SyncDir(path string) error
	// Lock takes the lock file at path, creating it if missing, without waiting.
	// Closing the result releases it. The error matches ErrLocked if it is held.
	Lock(path string) (io.Closer, error)
	// Space returns how many bytes may still be written.
	Space() (freeBytes uint64, err error)
}

// File is an open file.
type File interface {
	io.ReaderAt
	// Write appends p at the end of the file. With an error, n bytes were written.
	Write(p []byte) (n int, err error)
	// Truncate cuts the file to size; later writes go to its new end.
	Truncate(size int64) error
	// Sync makes the bytes of the file durable. After an error nothing is known about
	// what reached the disk, and trying again does not help: the system may have
	// dropped the bytes and forgotten that they were dirty (Rebello et al., ATC 2020).
	Sync() error
	// Size returns the length in bytes.
	Size() (int64, error)
	// Close releases the file. An error means that a late write failed.
	Close() error
}

// Entry describes one name in a directory.
type Entry struct {
	Name string // last part of the path
	Size int64  // bytes; 0 for directories
	Dir  bool   // a directory
	// Regular is false for directories, symbolic links, devices and the like.
	Regular bool
}
