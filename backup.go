package sydradb

import (
	"context"
	"errors"
	"fmt"

	"github.com/sydradb/sydradb/internal/engine"
	"github.com/sydradb/sydradb/internal/fsys"
)

// Snapshot writes a copy of the database to dir, which must be missing or empty. The copy
// holds every batch that was acknowledged before the call, and is a database like any
// other: it can be opened, checked, copied by other means, and given to [Restore].
// Writers and queries do not wait for it.
//
// Data files never change, so where dir is on the same file system they are shared by
// hard links, and the cost does not grow with the data; elsewhere they are copied. What
// is written to either database later is not in the other, and either may be removed. A
// copy on the same disk does not outlive the disk. dir may be snapshots/NAME in the data
// directory, and must not lie elsewhere in it. What is linked is not read: [Check] of the
// copy tells whether it is sound.
//
// The work is done in dir+".tmp", which takes its final name, durably, at the end and is
// removed after an error. What a killed run has left there, the next one removes. Two
// runs at a time for one dir are an error of one of them, as a rule [ErrLocked]. Other
// errors are those of [DB.Flush], and of the file system.
func (db *DB) Snapshot(ctx context.Context, dir string) error {
	err := buildDir(dir, func(fs fsys.FS, _ string) error { return db.e.Snapshot(ctx, fs) })
	if err != nil {
		return fmt.Errorf("sydradb: snapshot to %s: %w", dir, noSpace(err))
	}
	return nil
}

// Restore makes a database in dst, which must be missing or empty, of the one in src: a
// snapshot, or any database that no process has open. src is not changed, and the two
// are independent from then on; as for [DB.Snapshot] they share data files by hard links
// where that is possible.
//
// It first reads all of src and verifies every checksum. With the least damage nothing
// is made; the error, which matches [ErrCorrupt], says what is damaged. Other errors are
// those of [Check]: [ErrLocked], [ErrNotDatabase], [ErrFormat].
//
// The work is done in dst+".tmp", as in [DB.Snapshot].
func Restore(ctx context.Context, src, dst string) (err error) {
	source, err := fsys.OS(src)
	if err == nil {
		err = buildDir(dst, func(fs fsys.FS, _ string) error { return engine.Restore(ctx, source, fs) })
		err = errors.Join(err, closeFS(source))
	}
	if err != nil {
		return fmt.Errorf("sydradb: restore %s to %s: %w", src, dst, noSpace(err))
	}
	return nil
}

// buildDir makes a directory at path, which comes into being as a whole: build fills it
// where it stands until then, at work, as fs. Directories above it that are missing are
// made.
func buildDir(path string, build func(fs fsys.FS, work string) error) error {
	if err := fsys.MkdirParent(path); err != nil {
		return err
	}
	fs, dir, name, err := fsys.OSParent(path)
	if err != nil {
		return err
	}
	err = engine.Build(fs, name, func(tree fsys.FS, work string) error {
		return build(tree, dir+"/"+work)
	})
	return errors.Join(err, closeFS(fs))
}
