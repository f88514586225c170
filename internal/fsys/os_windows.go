package fsys

import (
	"errors"
	"os"
	"path/filepath"

	"golang.org/x/sys/windows"
)

// syncDir does nothing: NTFS keeps names in its journal, and a directory cannot be
// flushed.
func syncDir(*os.File) error { return nil }

// lockFile takes the exclusive lock of f, which ends when f is closed, without waiting.
func lockFile(f *os.File) error {
	const flags = windows.LOCKFILE_EXCLUSIVE_LOCK | windows.LOCKFILE_FAIL_IMMEDIATELY
	err := windows.LockFileEx(windows.Handle(f.Fd()), flags, 0, 1, 0, new(windows.Overlapped))
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) || errors.Is(err, windows.ERROR_IO_PENDING) {
		return ErrLocked
	}
	return os.NewSyscallError("LockFileEx", err)
}

// lockDir does nothing: a file that is open cannot be removed, so the lock of the file is
// enough.
func lockDir(*os.File) error { return nil }

// freeBytes returns what the user may still write on the volume of dir.
func freeBytes(dir *os.File) (uint64, error) {
	path, err := windows.UTF16PtrFromString(dir.Name())
	if err != nil {
		return 0, err
	}
	var free uint64
	err = windows.GetDiskFreeSpaceEx(path, &free, nil, nil)
	return free, os.NewSyscallError("GetDiskFreeSpaceEx", err)
}

// linkAcross makes to, below toRoot, another name of the file at from, below fromRoot.
func linkAcross(fromRoot *os.Root, from string, toRoot *os.Root, to string) error {
	full := func(root *os.Root, path string) string {
		return filepath.Join(root.Name(), filepath.FromSlash(path))
	}
	return os.Link(full(fromRoot, from), full(toRoot, to))
}

// isNotLinkable reports whether a link failed since there can be none: on another
// volume, on a file system without links, to a file that has too many.
func isNotLinkable(err error) bool {
	return errors.Is(err, windows.ERROR_NOT_SAME_DEVICE) || errors.Is(err, windows.ERROR_INVALID_FUNCTION) ||
		errors.Is(err, windows.ERROR_TOO_MANY_LINKS)
}

// OpenFileLimit returns how many files this process may hold open at once, or false if
// there is no limit or none is known, as here.
func OpenFileLimit() (limit uint64, ok bool) { return 0, false }

func isNoSpace(err error) bool {
	return errors.Is(err, windows.ERROR_DISK_FULL) || errors.Is(err, windows.ERROR_HANDLE_DISK_FULL) ||
		errors.Is(err, windows.ERROR_DISK_QUOTA_EXCEEDED)
}

// isTooManyFiles reports whether a call failed because this process has as many files open
// as may be.
func isTooManyFiles(err error) bool { return errors.Is(err, windows.ERROR_TOO_MANY_OPEN_FILES) }

func isReadOnlyFS(err error) bool { return errors.Is(err, windows.ERROR_WRITE_PROTECT) }
