//go:build unix

package fsys

import (
	"errors"
	"os"

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

func isNoSpace(err error) bool {
	return errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT)
}
