package fsys

import (
	"os"
	"syscall"
)

// syncData makes the bytes and the size of f durable, not its times: one journal write
// less than fsync.
func syncData(f *os.File) error {
	var syncErr error
	err := control(f, func(fd int) {
		for {
			if syncErr = syscall.Fdatasync(fd); syncErr != syscall.EINTR {
				return
			}
		}
	})
	if err != nil {
		return err
	}
	return os.NewSyscallError("fdatasync "+f.Name(), syncErr)
}
