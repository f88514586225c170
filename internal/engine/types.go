package engine

// Stats are counters and sizes of a database at one moment, see the root package, whose
// type has the same fields.
type Stats struct {
	// State is "ok"; "readonly"; "full": no points until the reserve has been made anew, see
	// Options.ReserveBytes; or "failed": reads only, see ErrStorageFailed.
	State string `json:"state"`

	Series int `json:"series"` // with at least one point

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

// Severity grades a Finding.
type Severity string

// The grades of a Finding.
const (
	// Damage is something that was written and is not as it was.
	Damage Severity = "damage"
	// Leftover is a file that nothing refers to; the next opening clears it away.
	Leftover Severity = "leftover"
	// Unknown is a file that does not belong to a database; it is never touched.
	Unknown Severity = "unknown"
)

// Finding is one thing that a check found.
type Finding struct {
	Severity Severity `json:"severity"`
	File     string   `json:"file"`   // relative to the data directory
	Offset   int64    `json:"offset"` // of the first bad byte; -1 for the file as a whole
	Message  string   `json:"message"`
}

// CheckReport is the result of a check: what was read, and what is wrong with it.
type CheckReport struct {
	Files      int64     `json:"files"`
	Bytes      int64     `json:"bytes"`
	Series     int64     `json:"series"`
	Segments   int64     `json:"segments"` // segment files and packs
	Packs      int64     `json:"packs"`
	Points     int64     `json:"points"`  // in segment files and packs
	Deletes    int64     `json:"deletes"` // files of deletions
	Objects    int64     `json:"objects"`
	Refs       int64     `json:"refs"`
	LogRecords int64     `json:"log_records"`
	LogPoints  int64     `json:"log_points"` // in the log and not in segment files
	Findings   []Finding `json:"findings"`
}

// Damaged reports whether any finding is damage.
func (r *CheckReport) Damaged() bool {
	for _, f := range r.Findings {
		if f.Severity == Damage {
			return true
		}
	}
	return false
}

// RepairAction says what a RepairStep does.
type RepairAction string

// What a repair does. All that it moves or writes anew is in quarantine/ afterwards, as
// it was.
const (
	// RepairSetAside moves a file to quarantine/.
	RepairSetAside RepairAction = "set-aside"
	// RepairRewrite puts what is sound of a file in its place.
	RepairRewrite RepairAction = "rewrite"
	// RepairCreate makes what is missing.
	RepairCreate RepairAction = "create"
	// RepairForget goes on without what is missing.
	RepairForget RepairAction = "forget"
)

// RepairStep is one thing that a repair does, and why, and what is lost.
type RepairStep struct {
	Action  RepairAction `json:"action"`
	File    string       `json:"file"` // relative to the data directory
	Message string       `json:"message"`
}
