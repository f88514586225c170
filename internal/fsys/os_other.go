//go:build !linux

package fsys

import "os"

// syncData makes the bytes and the size of f durable, through the cache of the drive
// where the system can do that.
func syncData(f *os.File) error { return f.Sync() }
