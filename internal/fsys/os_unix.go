//go:build unix

package fsys

import (
	"errors"
	"os"
	"path"

	"golang.org/x/sys/unix"
)

// control calls do with the descriptor of f, kept open meanwhile.
func control(f *os.File, do func(fd int)) error {
	c, err := f.SyscallConn()
	if err != nil {
		return err
	}
	if err := c.Control(func(fd uintptr) { do(int(fd)) }); err != nil {
		return errors.Join(os.ErrClosed, err) // the one thing Control can fail for
	}
	return nil
}

// syncDir makes the names in a directory durable. Network file systems that know no
// such thing say EINVAL or ENOTSUP, which is not a failure.
func syncDir(dir *os.File) error {
	err := dir.Sync()
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOTSUP) {
		return nil
	}
	return err
}

// lockFile takes the exclusive lock of f, which ends when f is closed, without waiting.
func lockFile(f *os.File) error {
	var lockErr error
	err := control(f, func(fd int) { lockErr = unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB) })
	switch {
	case err != nil:
		return err
	case errors.Is(lockErr, unix.EWOULDBLOCK):
		return ErrLocked
	}
	return os.NewSyscallError("flock", lockErr)
}

// lockDir is lockFile for a directory.
func lockDir(dir *os.File) error { return lockFile(dir) }

// freeBytes returns what users without privileges may still write.
func freeBytes(dir *os.File) (uint64, error) {
	var stat unix.Statfs_t
	var statErr error
	err := control(dir, func(fd int) { statErr = unix.Fstatfs(fd, &stat) })
	if err != nil {
		return 0, err
	}
	if statErr != nil {
		return 0, os.NewSyscallError("fstatfs", statErr)
	}
	return uint64(max(stat.Bavail, 0)) * uint64(stat.Bsize), nil
}

// linkAcross makes to, below toRoot, another name of the file at from, below fromRoot. It
// goes by way of descriptors, so that no symbolic link leads out of either root and
// it does not matter if one was renamed.
func linkAcross(fromRoot *os.Root, from string, toRoot *os.Root, to string) error {
	fromDir, err := fromRoot.Open(path.Dir(from))
	if err != nil {
		return err
	}
	toDir, err := toRoot.Open(path.Dir(to))
	if err != nil {
		return errors.Join(err, fromDir.Close())
	}
	var inner, linkErr error
	outer := control(fromDir, func(fromFD int) {
		inner = control(toDir, func(toFD int) {
			linkErr = unix.Linkat(fromFD, path.Base(from), toFD, path.Base(to), 0)
		})
	})
	if linkErr != nil {
		linkErr = &os.LinkError{Op: "link", Old: from, New: to, Err: linkErr}
	}
	return errors.Join(outer, inner, linkErr, fromDir.Close(), toDir.Close())
}

// isNotLinkable reports whether a link failed since there can be none: on another
// device, on a file system without links, to a file that has too many.
func isNotLinkable(err error) bool {
	return errors.Is(err, unix.EXDEV) || errors.Is(err, unix.EPERM) || errors.Is(err, unix.EMLINK)
}

// OpenFileLimit returns how many files this process may hold open at once
// (RLIMIT_NOFILE), or false if there is no limit or none is known.
func OpenFileLimit() (limit uint64, ok bool) {
	var r unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &r); err != nil || uint64(r.Cur) >= unix.RLIM_INFINITY {
		return 0, false
	}
	return uint64(r.Cur), true
}

func isNoSpace(err error) bool {
	return errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT)
}

// isTooManyFiles reports whether a call failed because this process, or all together, have
// as many files open as may be.
func isTooManyFiles(err error) bool {
	return errors.Is(err, unix.EMFILE) || errors.Is(err, unix.ENFILE)
}

func isReadOnlyFS(err error) bool { return errors.Is(err, unix.EROFS) }
