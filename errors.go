package sydradb

import (
	"errors"
	"fmt"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/catalog"
	"github.com/sydradb/sydradb/internal/engine"
	"github.com/sydradb/sydradb/internal/fsys"
)

// Errors of Open.
var (
	// ErrLocked means that another process, or another DB of this one, has the
	// directory open.
	ErrLocked = fsys.ErrLocked
	// ErrNotDatabase means that the directory holds other files, an unfinished copy, or
	// a database of version 0 (the message says which). Nothing was touched.
	ErrNotDatabase = engine.ErrNotDatabase
	// ErrVersion0 means that the directory holds a database of version 0, which
	// [ImportV0] reads. It matches [ErrNotDatabase], too.
	ErrVersion0 = engine.ErrVersion0
	// ErrFormat means that the directory was written by a newer version, or uses a
	// feature that this one does not know.
	ErrFormat = engine.ErrFormat
	// ErrCorrupt matches every [*CorruptionError].
	ErrCorrupt = base.ErrCorrupt
	// ErrBusy means that a database was to be opened for reading only while its writer
	// changed files faster than they could be opened, for ten seconds.
	ErrBusy = engine.ErrBusy
)

// Errors of writing. Nothing of the batch is visible after them.
var (
	// ErrClosed is returned by every method that uses the database after Close.
	ErrClosed = engine.ErrClosed
	// ErrTooLarge means that the batch would take more than 32 MiB in the log.
	ErrTooLarge = engine.ErrTooLarge
	// ErrOverloaded means that the batch waited ten seconds for its turn, because the
	// disk does not keep up. Trying again later is safe.
	ErrOverloaded = engine.ErrOverloaded
	// ErrDiskFull means that there was no room for the batch. Writing works again as
	// soon as there is.
	ErrDiskFull = engine.ErrDiskFull
	// ErrTooOld means that a point is older than what retention keeps, see [DB.Horizon].
	ErrTooOld = engine.ErrTooOld
	// ErrReadOnly is returned by every method that would write to a database that was
	// opened for reading only.
	ErrReadOnly = engine.ErrReadOnly
	// ErrStorageFailed means that a sync or a repair of the log failed. No write is
	// accepted any more until the database is opened again; reads go on. Whether the
	// batches that got this error are there then is not known; writing them again is
	// harmless.
	ErrStorageFailed = engine.ErrStorageFailed
)

// ErrLimit means that a query went over MaxSeries or MaxPoints.
var ErrLimit = engine.ErrLimit

// ErrInvalidQuery means that an aggregation makes no sense; the message says why.
var ErrInvalidQuery = engine.ErrInvalidQuery

// ErrSeriesLimit means that a new series would be one more than [Options.MaxSeries].
var ErrSeriesLimit = catalog.ErrSeriesLimit

// ErrInvalidSeries matches what [DB.Series] returns for a name or tag that a series
// cannot have. The message says what is wrong with it.
var ErrInvalidSeries = catalog.ErrInvalid

// noSpace returns err as one that matches ErrDiskFull, if that is what it is about.
func noSpace(err error) error {
	if errors.Is(err, fsys.ErrNoSpace) && !errors.Is(err, ErrDiskFull) {
		return fmt.Errorf("%w: %w", ErrDiskFull, err)
	}
	return err
}
