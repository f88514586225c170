package engine

import (
	"fmt"
	"log/slog"
	"sync/atomic"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/fsys"
)

// diskLimit holds a database to Options.MaxDiskBytes. What the log takes is known at
// each batch; everything else below the data directory, snapshots and files that wait to
// be unlinked included, is measured by maintenance. RESERVE, which is room, does not count.
type diskLimit struct {
	max     int64 // 0 is none
	used    atomic.Int64
	reached func() // tells maintenance; set before the first batch
}

// exceeded returns the error for a batch, or nil if there is room for one.
func (d *diskLimit) exceeded(logBytes int64) error {
	if d.max == 0 {
		return nil
	}
	used := d.used.Load() + logBytes
	if used < d.max {
		return nil
	}
	return fmt.Errorf("%w: the database takes %d bytes, and %d are allowed; delete data, keep less, or raise the limit",
		ErrDiskFull, used, d.max)
}

// measure takes note of what is used beside the log.
func (d *diskLimit) measure(fs fsys.FS, logger *slog.Logger) {
	if d.max == 0 {
		return
	}
	used, err := usage(fs)
	if err != nil {
		logger.Warn("cannot measure the size of the database", "error", err)
		return
	}
	d.used.Store(used)
}

// usage returns what counts beside the log.
func usage(fs fsys.FS) (bytes int64, err error) {
	entries, err := fs.List("")
	for _, e := range entries {
		switch {
		case err != nil || e.Name == base.WALDir || e.Name == base.ReserveFile:
		case e.Dir:
			var below int64
			below, err = fsys.DiskUsage(fs, e.Name)
			bytes += below
		default:
			bytes += e.Size
		}
	}
	return bytes, err
}
