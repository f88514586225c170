// Package plant holds the switch for planted bugs: faults built into the engine on
// purpose, so that the crash and fault tests can show that they would find them.
//
// Without the build tag "plant" Bug is the constant answer false and the compiler
// removes every planted line. With it, the environment variable SYDRADB_PLANT names
// the one bug that is switched on.
package plant

// The planted bugs.
const (
	NoWALDirSync       = "no-wal-dir-sync"       // wal/ is not synced after a rotation
	UnlinkBeforeSync   = "unlink-before-sync"    // log files go before the MANIFEST sync
	IgnoreShortWrite   = "ignore-short-write"    // a short write to the log passes for a whole one
	RetrySync          = "retry-sync"            // a failed sync of the log is tried again
	DamageTakenForTail = "damage-taken-for-tail" // mid-log damage is cut off like a torn tail

	MergeSplitsRun      = "merge-splits-run"      // a merge leaves out a file that shares its highest seq
	TombstoneDropped    = "tombstone-dropped"     // a tombstone goes while a file still needs it
	UnlinkBeforeEdit    = "unlink-before-edit"    // merged files go before the MANIFEST sync
	HorizonBack         = "horizon-back"          // a retention horizon moves back
	GenerationUnsynced  = "generation-unsynced"   // MANIFEST names a CATALOG that is not synced
	SnapshotLinksSeries = "snapshot-links-series" // a snapshot links CATALOG where it must copy it
)
