package node

import (
	"math"
	"os"

	"golang.org/x/sys/windows"
)

// freeSpace returns the bytes that this user can still write, and all that the user may have.
func freeSpace(dir string) (free, total int64, err error) {
	path, err := windows.UTF16PtrFromString(dir)
	if err != nil {
		return 0, 0, &os.PathError{Op: "free space", Path: dir, Err: err}
	}
	var left, all uint64
	if err := windows.GetDiskFreeSpaceEx(path, &left, &all, nil); err != nil {
		return 0, 0, &os.PathError{Op: "GetDiskFreeSpaceEx", Path: dir, Err: err}
	}
	return int64(min(left, math.MaxInt64)), int64(min(all, math.MaxInt64)), nil
}
