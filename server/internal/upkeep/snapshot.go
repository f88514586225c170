package upkeep

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"path/filepath"
	"time"

	"github.com/sydradb/sydradb"
)

// snapshots is the directory for snapshots in that of a database.
const snapshots = "snapshots"

// SnapshotName returns a name for a snapshot made at now, <UTC time>-<8 hex>, such as
// 20230909T225320Z-1f0ac93e. The digits at its end keep two of one second apart.
func SnapshotName(now time.Time) string {
	var random [4]byte
	_, _ = rand.Read(random[:]) // never fails, says its documentation
	return now.UTC().Format("20060102T150405Z") + "-" + hex.EncodeToString(random[:])
}

// SnapshotDir returns where in the data directory of a database the snapshot of a name
// lies.
func SnapshotDir(dataDir, name string) string { return filepath.Join(dataDir, snapshots, name) }

// Snapshot makes a snapshot below the data directory, as a running server does, and
// returns its name. Its errors are those of [sydradb.DB.Snapshot].
func Snapshot(ctx context.Context, db *sydradb.DB, dataDir string, now time.Time) (name string, err error) {
	name = SnapshotName(now)
	if err := db.Snapshot(ctx, SnapshotDir(dataDir, name)); err != nil {
		return "", err
	}
	return name, nil
}
