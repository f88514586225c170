//go:build unix

package node

import (
	"math"
	"os"

	"golang.org/x/sys/unix"
)

// freeSpace returns the bytes that a process without privileges can still write, and all
// that the volume has.
func freeSpace(dir string) (free, total int64, err error) {
	var stat unix.Statfs_t
	if err := unix.Statfs(dir, &stat); err != nil {
		return 0, 0, &os.PathError{Op: "statfs", Path: dir, Err: err}
	}
	bytes := func(blocks float64) int64 { return int64(min(blocks*float64(stat.Bsize), math.MaxInt64/2)) }
	return bytes(float64(stat.Bavail)), bytes(float64(stat.Blocks)), nil
}
