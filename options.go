package sydradb

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
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

// Values of [Options.MaxSegmentFiles] beside numbers of files.
const (
	NeverPack  = engine.NeverPack
	AlwaysPack = engine.AlwaysPack
)

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

	// ReadOnly opens the database for reading, whether or not another process writes to
	// it: no lock is taken, and nothing is written, made or removed. A directory that is
	// missing or empty is then an error. See [Open].
	ReadOnly bool

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

	// MaxSegmentFiles is the number of series up to which a flush or a merge writes the
	// points of an hour to one file for each series; with more it writes packs, which
	// hold many series. Default 64; [NeverPack] keeps to single files, hour by hour,
	// [AlwaysPack] writes packs only.
	MaxSegmentFiles int
	// SegmentCodec1 makes the files of single series in codec 1, which programs of version 0
	// read too. It takes two to five times as many bytes. Packs, which version 0 does not
	// know, are not affected: see [NeverPack]. Default false: codec 2.
	SegmentCodec1 bool
	// MergeOff switches merging in the background off. [DB.Compact] still works.
	MergeOff bool

	// Retention is how long points are kept, counted from their timestamps. 0 keeps
	// them for ever. See [DB.Retain].
	Retention time.Duration
	// NamespaceRetention is the same for the series of a namespace: those whose name up
	// to its first dot is the key. 0 keeps them for ever.
	NamespaceRetention map[string]time.Duration
	// MaxDiskBytes bounds what the data directory takes, the log, snapshots in it and
	// files about to be removed included. When it is reached, retention looks at once
	// for what it may let go; if that is not enough, writes fail with [ErrDiskFull]. Flushes and
	// merges under way may exceed it for a while. 0 is no limit.
	MaxDiskBytes int64
	// ReserveBytes is the size of the file RESERVE, which holds nothing and is kept so that
	// a full disk can be left again: it is removed when an opening, a flush, a retention, a
	// deletion or an edit of MANIFEST finds no space, and that is then tried again. Points
	// get [ErrDiskFull] from then on, until there is room for the file and as much again, and
	// it has been made anew; also after an opening that finds neither the file nor room for it.
	// It counts neither in Stats.DiskBytes nor for MaxDiskBytes. 0 makes none, one that is there
	// serves all the same; negative also removes one that is there. Databases in memory have none.
	ReserveBytes int64
	// MaxSeries bounds the number of series: resolving a new one fails then with
	// [ErrSeriesLimit]. 0 is no limit.
	MaxSeries int

	// OnRecovery, unless nil, is called while Open replays the log, with the bytes that
	// have been read and those that there are: at the beginning, about every 16 MiB, and
	// at the end. It is called by the goroutine of Open, which waits for it. Databases
	// that are opened for reading only do not call it.
	OnRecovery func(done, total int64)

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
	if o.InMemory && o.ReadOnly {
		faults = append(faults, errors.New("options InMemory and ReadOnly: a new database in memory has nothing to read"))
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
	if o.MaxSegmentFiles < AlwaysPack {
		faults = append(faults, fmt.Errorf("option MaxSegmentFiles: unknown value %d", o.MaxSegmentFiles))
	}
	if o.Retention < 0 {
		faults = append(faults, fmt.Errorf("option Retention: %v is negative", o.Retention))
	}
	for namespace, ttl := range o.NamespaceRetention {
		switch {
		case ttl < 0:
			faults = append(faults, fmt.Errorf("option NamespaceRetention: %v of %q is negative", ttl, namespace))
		case namespace == "" || strings.Contains(namespace, "."):
			faults = append(faults, fmt.Errorf("option NamespaceRetention: %q is not a namespace: the part of names up to their first dot", namespace))
		}
	}
	if o.MaxDiskBytes < 0 {
		faults = append(faults, fmt.Errorf("option MaxDiskBytes: %d is negative", o.MaxDiskBytes))
	}
	if o.MaxSeries < 0 {
		faults = append(faults, fmt.Errorf("option MaxSeries: %d is negative", o.MaxSeries))
	}
	return errors.Join(faults...)
}
