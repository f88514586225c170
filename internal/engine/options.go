package engine

import (
	"log/slog"
	"time"

	"github.com/sydradb/sydradb/internal/manifest"
	"github.com/sydradb/sydradb/internal/retention"
)

// SyncPolicy says when the log is synced.
type SyncPolicy uint8

// The policies, see the root package.
const (
	SyncInterval SyncPolicy = iota
	SyncAlways
	SyncNone
)

// String returns the policy as it is written in flags and settings.
func (p SyncPolicy) String() string {
	switch p {
	case SyncAlways:
		return "always"
	case SyncNone:
		return "none"
	default:
		return "interval"
	}
}

// Values of Options.MaxSegmentFiles beside numbers of files.
const (
	NeverPack  = -1
	AlwaysPack = -2
)

// MinMemtableBytes is the least size of a memtable: what a handful of series needs.
const MinMemtableBytes = 4 << 10

const (
	defaultSyncInterval  = time.Second
	defaultFlushInterval = 10 * time.Minute
	minFlushInterval     = 10 * time.Second
	defaultMemtableBytes = 128 << 20
	defaultCacheBytes    = 64 << 20

	defaultMaxSegmentFiles = 64
	defaultMaxDeletions    = 64 << 20 // 512 MiB

	// bytesPerActiveSeries scales the memtable with the number of series in it: with
	// half a million of them the default size would flush every few points a series,
	// and segments of a few points cost more than they hold.
	bytesPerActiveSeries = 384

	walFlushBytes   = 512 << 20 // log size at which a flush makes room
	walRotateBytes  = 64 << 20
	closeFlushBytes = 1 << 20 // a log smaller than this is cheaper to replay than to flush

	maxQueueBytes = 64 << 20
	maxGroupBytes = 8 << 20

	overloadWait   = 10 * time.Second
	idleBeforeMark = time.Second
	flushRetryWait = time.Second
	roomInterval   = time.Second // between looks for room at the disk limit
)

// Options are the settings of an engine; zero values mean defaults, as the root
// package describes them.
type Options struct {
	Sync          SyncPolicy
	SyncInterval  time.Duration
	MemtableBytes int64
	FlushInterval time.Duration
	CacheBytes    int64
	Logger        *slog.Logger

	// MaxSegmentFiles is the number of series up to which a job writes them to single
	// files, for each bucket: NeverPack, AlwaysPack, or 0 for the default.
	MaxSegmentFiles int
	SegmentCodec1   bool // single files in codec 1, for version 0
	MergeOff        bool // no merging in the background
	Retention       retention.Rules
	MaxDiskBytes    int64 // 0 is no limit
	MaxSeries       int   // 0 is no limit
	ReserveBytes    int64 // 0 makes no RESERVE, negative removes one that is there

	// OnRecovery, unless nil, is told how far the replay of the log is.
	OnRecovery func(done, total int64)

	// Now is the wall clock. Tests set it.
	Now func() time.Time
	// MaxDeletions bounds the series, each counted as often as it was deleted from, of
	// deletions that files still wait for: they are held in memory. Tests make it small.
	MaxDeletions int
	// RotateBytes is the size at which the log goes on in a new file. Tests make it small.
	RotateBytes int64
	// RewriteSlack is what the MANIFEST may grow by before it is written anew, see
	// manifest.Log. Tests make it negative.
	RewriteSlack int64
	// HashSeries replaces the hash of canonical keys. Tests make collisions with it.
	HashSeries func(key []byte) uint64
}

func (o *Options) setDefaults() {
	switch o.MaxSegmentFiles {
	case 0:
		o.MaxSegmentFiles = defaultMaxSegmentFiles
	case AlwaysPack:
		o.MaxSegmentFiles = 0
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.SyncInterval == 0 {
		o.SyncInterval = defaultSyncInterval
	}
	if o.FlushInterval == 0 {
		o.FlushInterval = defaultFlushInterval
	}
	if o.FlushInterval < minFlushInterval {
		o.Logger.Warn("flush interval raised", "asked", o.FlushInterval, "used", minFlushInterval)
		o.FlushInterval = minFlushInterval
	}
	if o.MemtableBytes == 0 {
		o.MemtableBytes = defaultMemtableBytes
	}
	if o.CacheBytes == 0 {
		o.CacheBytes = defaultCacheBytes
	}
	if o.RewriteSlack == 0 {
		o.RewriteSlack = manifest.RewriteSlack
	}
	if o.MaxDeletions == 0 {
		o.MaxDeletions = defaultMaxDeletions
	}
	if o.RotateBytes == 0 {
		o.RotateBytes = walRotateBytes
	}
}
