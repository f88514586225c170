package sydradb

import (
	"context"
	"errors"
	"fmt"

	"github.com/sydradb/sydradb/internal/engine"
	"github.com/sydradb/sydradb/internal/fsys"
)

// CheckReport is the result of [Check].
type CheckReport = engine.CheckReport

// Finding is one thing that [Check] found: what is wrong with which file.
type Finding = engine.Finding

// Check reads every byte of the database in dir and verifies every checksum and
// invariant. It writes nothing. Damage is in the report, not in the error, which is
// for a directory that cannot be checked at all, [ErrLocked] while a process has it
// open, [ErrNotDatabase], [ErrFormat]; and for files that cannot be read: the report
// then holds what was found in the others, else it is nil. When ctx ends, so does the
// check.
func Check(ctx context.Context, dir string) (report *CheckReport, err error) {
	fs, err := fsys.OS(dir)
	if err != nil {
		return nil, fmt.Errorf("sydradb: check %s: %w", dir, err)
	}
	defer func() { err = errors.Join(err, closeFS(fs)) }()
	if report, err = engine.Check(ctx, fs); err != nil {
		err = fmt.Errorf("sydradb: check %s: %w", dir, err)
	}
	return report, err
}
