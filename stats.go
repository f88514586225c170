package sydradb

import "github.com/sydradb/sydradb/internal/engine"

// Histogram says how long something took: Counts[i] of Count in all took up to Bounds[i]
// seconds. Slices must not be changed.
type Histogram = engine.Histogram

// Stats are counters and sizes of a database at one moment. Sizes are in bytes. Its JSON
// form is what `sydradb stats --format json` prints.
type Stats struct {
	// State is "ok"; "readonly"; "full": no points until the reserve has been made anew, see
	// Options.ReserveBytes; or "failed": reads only, see ErrStorageFailed.
	State string `json:"state"`

	// Series counts those that have points, and those whose last point went not long ago:
	// they go when enough have gathered.
	Series int `json:"series"`

	MemtablePoints int64 `json:"memtable_points"` // not yet in a segment file
	MemtableBytes  int64 `json:"memtable_bytes"`

	SegmentFiles  int   `json:"segment_files"`  // packs included
	Packs         int   `json:"packs"`          // files that hold many series
	SegmentPoints int64 `json:"segment_points"` // points written twice count twice
	SegmentBytes  int64 `json:"segment_bytes"`
	SegmentStart  int64 `json:"segment_start"` // least and greatest time in a segment file,
	SegmentEnd    int64 `json:"segment_end"`   // Unix nanoseconds; 0 without files

	Deletions int `json:"deletions"` // that still hide something

	WALBytes   int64  `json:"wal_bytes"`
	LastLSN    uint64 `json:"last_lsn"`    // last record in the log
	DurableLSN uint64 `json:"durable_lsn"` // last record known to be on disk
	FlushedLSN uint64 `json:"flushed_lsn"` // last record whose points are in segment files

	CatalogBytes  int64 `json:"catalog_bytes"`
	ManifestBytes int64 `json:"manifest_bytes"`

	Flushes     int64 `json:"flushes"` // since the database was opened
	Merges      int64 `json:"merges"`  // since the database was opened
	CacheBytes  int64 `json:"cache_bytes"`
	CacheHits   int64 `json:"cache_hits"`
	CacheMisses int64 `json:"cache_misses"`

	// Since the database was opened, by queries that have ended: blocks of packs and
	// segment files that were decoded, and blocks that their statistics stood for.
	BlocksDecoded int64 `json:"blocks_decoded"`
	BlocksSummed  int64 `json:"blocks_summed"`

	// Start and End are the least and greatest time of any point, Unix nanoseconds, memory
	// included, 0 if there is none. Deletions and retention move them when files go.
	Start int64 `json:"start"`
	End   int64 `json:"end"`
	Empty bool  `json:"empty"` // there is no point

	QueueLength int `json:"queue_length"` // batches that wait for the log
	QueueBytes  int `json:"queue_bytes"`  // records of theirs

	Flushing      bool  `json:"flushing"` // memory is being written to files
	Merging       bool  `json:"merging"`
	FlushesFailed int64 `json:"flushes_failed"` // tried again; since the database was opened
	MergesFailed  int64 `json:"merges_failed"`
	Sweeps        int64 `json:"sweeps"`   // of retention that let points expire
	Crowding      int64 `json:"crowding"` // most runs of files that overlap in time: above 32, writers are slowed down

	// DamagedFiles counts files of points that queries or merges found damaged, and those that
	// are missing, since the database was opened. They are left as they are.
	DamagedFiles int `json:"damaged_files"`

	DiskBytes int64 `json:"disk_bytes"` // of all files, if Options.MaxDiskBytes is set

	ReserveBytes int64 `json:"reserve_bytes"` // of the file RESERVE, 0 while there is none

	WALSync Histogram `json:"wal_sync"` // how long syncs of the log took
	Flush   Histogram `json:"flush"`    // flushes of memory to files
	Merge   Histogram `json:"merge"`
}

// Stats returns the current counters and sizes.
func (db *DB) Stats() Stats { return Stats(db.e.Stats()) }
