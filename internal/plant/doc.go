// Package plant holds the switch for planted bugs: mistakes built in on purpose, most of
// them made by some database before, so that the tests for crashes, faults and damage can
// show that they would find them.
//
// Without the build tag "plant" Bug is the constant answer false and the compiler
// removes every planted line. With it, the environment variable SYDRADB_PLANT names
// the one bug that is switched on.
//
// The comment behind each name says where it is to be found: the package and the test in
// it that has to fail. scripts/plant.sh reads that from here, so no bug stays untried.
package plant

// Bugs of the log.
const (
	// A batch is acknowledged before the log is synced.
	AckBeforeSync = "ack-before-sync" // engine TestCrashInUpkeep
	// A record says that those before it are on disk when they are not.
	SyncClaimed = "sync-claimed" // engine TestCrash
	// A failed sync is tried again.
	RetrySync = "retry-sync" // engine TestFaults
	// A log that has failed accepts the next batch.
	FailureForgotten = "failure-forgotten" // engine TestFaultsGoOn
	// A short write passes for a whole one.
	IgnoreShortWrite = "ignore-short-write" // engine TestFaults
	// What a failed write left is not cut off, and the next one follows it.
	ShortWriteKept = "short-write-kept" // engine TestFaultsGoOn
	// wal/ is not synced after a rotation.
	NoWALDirSync = "no-wal-dir-sync" // engine TestCrashInUpkeep
	// A file is not synced before it is rotated away.
	RotatedUnsynced = "rotated-unsynced" // engine TestCrash
	// Files go before MANIFEST has said that they may.
	UnlinkBeforeSync = "unlink-before-sync" // engine TestCrashInUpkeep
	// Files go that hold more than what was flushed.
	LogRemovedEarly = "log-removed-early" // engine TestCrash
	// Files are read in the order of their size, not of their records.
	ReplayBySize = "replay-by-size" // engine TestCrash
	// Damage in the middle is cut off like a torn tail.
	DamageTakenForTail = "damage-taken-for-tail" // engine TestLogFlips
	// A torn tail stays, and new records follow it.
	TailKept = "tail-kept" // engine TestCrash
	// Zeros where a record should be are one without bytes.
	EmptyFrame = "empty-frame" // engine TestCrash
	// What recovery has read may still be in memory only.
	RecoveryUnsynced = "recovery-unsynced" // engine TestFaultsGoOn
	// The end of the log is not synced by a clean close.
	CloseUnsynced = "close-unsynced" // engine TestCrash
)

// Bugs of flushes, and of the files that say what the database is made of.
const (
	// FORMAT says that there is a database before there is one.
	FormatFirst = "format-first" // engine TestCrash
	// flushed_lsn covers records that are in no file.
	FlushedTooFar = "flushed-too-far" // engine TestCrash
	// A flush that fails drops what it should have written from memory.
	MemoryDropped = "memory-dropped" // engine TestFaultsGoOn
	// The directory of an hour is not synced.
	NoHourDirSync = "no-hour-dir-sync" // engine TestCrashInUpkeep
	// segments/ is not synced.
	NoSegmentsSync = "no-segments-sync" // engine TestCrashInUpkeep
	// deletes/ is not synced.
	NoDeletesSync = "no-deletes-sync" // engine TestCrashInUpkeep
	// A temporary file takes its name without a sync.
	TempUnsynced = "temp-unsynced" // engine TestCrashInUpkeep
	// So does a pack.
	PackUnsynced = "pack-unsynced" // engine TestCrashInUpkeep
	// A file that takes another's place does so without a sync of the directory.
	RenameUnsynced = "rename-unsynced" // engine TestCrash
	// The error of closing a file that was written counts for nothing.
	CloseIgnored = "close-ignored" // fsys TestAtomicFailure
	// A line of MANIFEST is not synced.
	EditUnsynced = "edit-unsynced" // engine TestCrashInUpkeep
	// What a failed write left in MANIFEST is not cut off.
	EditNotCutBack = "edit-not-cut-back" // engine TestFaultsGoOn
	// A last line of MANIFEST that has rotted is cut off like a torn one.
	RottenLineCut = "rotten-line-cut" // engine TestLastLineRots
	// MANIFEST names a CATALOG that is not synced.
	CatalogUnsynced = "catalog-unsynced" // engine TestCrashInUpkeep
	// So does the edit of a new generation.
	GenerationUnsynced = "generation-unsynced" // engine TestCrashInUpkeep
	// MANIFEST says that series are in files before CATALOG has them.
	CatalogAfterEdit = "catalog-after-edit" // engine TestCrashInUpkeep
	// Two jobs get the same number, and their files the same names.
	JobNumberTwice = "job-number-twice" // engine TestCrashInUpkeep
	// A series gets the ordinal of one that is dead.
	OrdinalReused = "ordinal-reused" // engine TestModel
)

// Bugs of merges, deletions and retention.
const (
	// Of two points at one time a merge keeps the one that was written first.
	OlderWins = "older-wins" // engine TestModel
	// A merge leaves out a file that shares its highest seq.
	MergeSplitsRun = "merge-splits-run" // engine TestModel
	// Merged files go before the MANIFEST sync.
	UnlinkBeforeEdit = "unlink-before-edit" // engine TestCrashInUpkeep
	// Files go while a query reads them.
	UnlinkInUse = "unlink-in-use" // engine TestModel
	// A deletion hides what was written after it.
	LSNIgnored = "lsn-ignored" // engine TestModel
	// A merge applies a deletion that a power cut may still take back.
	DeletionTooEarly = "deletion-too-early" // engine TestUnflushedDeletionIsNotApplied
	// A tombstone goes while a file still needs it.
	TombstoneDropped = "tombstone-dropped" // engine TestModel
	// Statistics of a block stand for points of which a deletion hides some.
	StatsOfHidden = "stats-of-hidden" // engine TestModel
	// A retention horizon moves back.
	HorizonBack = "horizon-back" // engine TestCrashInUpkeep
	// A horizon stands in the last line of MANIFEST, where rot passes for a torn write.
	HorizonInLastLine = "horizon-in-last-line" // engine TestLastLineRots
	// Files expire before MANIFEST has the horizon that hides them.
	HorizonAfterFiles = "horizon-after-files" // engine TestCrash
	// A file goes whose last point is just young enough.
	DropsTooMuch = "drops-too-much" // engine TestModel
	// Retention believes the clock, whatever it says.
	ClockBelieved = "clock-believed" // engine TestClockFaults
)

// Bugs of reading, of copies and of objects.
const (
	// A query passes over a damaged block.
	DamageSkipped = "damage-skipped" // engine TestBitFlips
	// A check passes a ref that cannot be read.
	RefPassed = "ref-passed" // engine TestCheckFindsDamagedRefs
	// A snapshot links CATALOG, which grows, where it must copy it.
	SnapshotLinksSeries = "snapshot-links-series" // engine TestModel
	// A snapshot is called whole before it is on disk.
	SnapshotUnsynced = "snapshot-unsynced" // engine TestSnapshotCrash
	// An object is handed out without a look at its hash.
	ObjectUnverified = "object-unverified" // objectstore TestDamagedObject
	// An object is acknowledged before its name is on disk.
	ObjectUnsynced = "object-unsynced" // objectstore TestPowerCutAnywhere
)
