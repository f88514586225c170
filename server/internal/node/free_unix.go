//go:build unix

package node

import (
	"math"
	"os"

	"golang.org/x/sys/unix"
)

// freeBytes returns the bytes that a process without privileges can still write.
func freeBytes(dir string) (int64, error) {
	var stat unix.Statfs_t
	if err := unix.Statfs(dir, &stat); err != nil {
		return 0, &os.PathError{Op: "statfs", Path: dir, Err: err}
	}
	free := float64(stat.Bavail) * float64(stat.Bsize)
	return int64(min(free, math.MaxInt64/2)), nil
}
