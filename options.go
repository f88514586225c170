package sydradb

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/sydradb/sydradb/internal/engine"
)

// SyncPolicy says when the write-ahead log is synced to disk.
type SyncPolicy uint8

// The policies. Under each of them a killed process loses no acknowledged batch.
const (
	// SyncInterval syncs every Options.SyncInterval. A power cut may lose the batches
	// acknowledged since.
	SyncInterval SyncPolicy = iota
	// SyncAlways syncs before Write returns; batches that wait together share one sync.
	// A power cut loses nothing that was acknowledged.
	SyncAlways
	// SyncNone leaves it to the operating system while there is something to write; the
	// log is synced at rotation, when idle for a second, and by Close.
	SyncNone
)

// String returns "interval", "always" or "none".
func (p SyncPolicy) String() string { return engine.SyncPolicy(p).String() }

// Options are the settings of a database. The zero value of each field means its
// default. Open copies them; nothing is read later.
type Options struct {
	// Sync is the durability of an acknowledged batch. Default SyncInterval.
	Sync SyncPolicy
	// SyncInterval is the time between syncs under the policy of that name. Default 1s.
	SyncInterval time.Duration
	// InMemory keeps everything in memory and ignores the directory: for tests and
	// examples. Close forgets the data.
	InMemory bool

	// MemtableBytes is the size at which points held in memory are written to segment
	// files. Two of them can exist at a time. Default 128 MiB, at least 4 KiB; it grows
	// by itself when there are many active series.
	MemtableBytes int64
	// FlushInterval is how long points wait in memory for their segment file before a
	// flush is due. Default 10m; values below 10s are raised to 10s, with a warning.
	FlushInterval time.Duration
	// CacheBytes bounds the verified file contents kept in memory for reads. Default
	// 64 MiB; negative switches the cache off.
	CacheBytes int64

	// Logger receives what an operator should know: repairs at open, failing disks,
	// flushes at debug level. Default: nothing is logged.
	Logger *slog.Logger
}

// Validate reports all faults of the options at once.
func (o *Options) Validate() error {
	var faults []error
	if o.Sync > SyncNone {
		faults = append(faults, fmt.Errorf("option Sync: unknown policy %d", o.Sync))
	}
	if o.SyncInterval < 0 {
		faults = append(faults, fmt.Errorf("option SyncInterval: %v is negative", o.SyncInterval))
	}
	if o.FlushInterval < 0 {
		faults = append(faults, fmt.Errorf("option FlushInterval: %v is negative", o.FlushInterval))
	}
	if o.MemtableBytes != 0 && o.MemtableBytes < engine.MinMemtableBytes {
		faults = append(faults, fmt.Errorf("option MemtableBytes: %d is less than %d", o.MemtableBytes, engine.MinMemtableBytes))
	}
	return errors.Join(faults...)
}
