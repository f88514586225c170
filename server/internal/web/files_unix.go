//go:build unix

package web

import "golang.org/x/sys/unix"

// openFileLimit returns how many files the process may have open, connections among them, or
// false if there is no limit or none is known.
func openFileLimit() (limit int, ok bool) {
	var r unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &r); err != nil || uint64(r.Cur) > 1<<30 {
		return 0, false
	}
	return int(r.Cur), true
}
