package engine

import (
	"errors"
	"fmt"

	"github.com/sydradb/sydradb/internal/base"
)

// Errors that callers tell apart. The root package documents and re-exports them.
var (
	ErrNotDatabase   = errors.New("not a SydraDB directory")
	ErrVersion0      = fmt.Errorf("%w of this version but of version 0; use `sydradb import v0 DIR`", ErrNotDatabase)
	ErrFormat        = errors.New("written by a newer version of SydraDB")
	ErrClosed        = errors.New("database is closed")
	ErrTooLarge      = errors.New("batch is too large")
	ErrOverloaded    = errors.New("overloaded: the disk does not keep up with the writers")
	ErrDiskFull      = errors.New("disk is full")
	ErrStorageFailed = errors.New("storage failed: no more writes until the database is opened again")
	ErrLimit         = errors.New("query limit exceeded")
	ErrInvalidQuery  = errors.New("invalid query")
	ErrReadOnly      = errors.New("database is open for reading only")
	ErrBusy          = errors.New("database changes too quickly to be read; try again")
	ErrTooOld        = errors.New("older than what retention keeps")
)

// PointError reports the first point of a batch that cannot be stored, see the root
// package, whose type has the same fields.
type PointError struct {
	Index int   // position in the batch
	TS    int64 // its time, Unix nanoseconds
	Err   error // why
}

// Error names position, time and reason.
func (e *PointError) Error() string {
	return fmt.Sprintf("point %d of the batch, at %d ns: %v", e.Index, e.TS, e.Err)
}

// Unwrap returns the reason.
func (e *PointError) Unwrap() error { return e.Err }

var errTimeRange = fmt.Errorf("time is outside the accepted range %d to %d ns", base.MinTime, base.MaxTime)

// errStale is the answer to a batch that must be encoded again, see writer.refuse.
var errStale = errors.New("a series of the batch was declared dead meanwhile")

// errUnknownOutcome is joined to the context's error when a batch was already in the
// hands of the writer loop.
var errUnknownOutcome = errors.New("the batch may or may not be stored; writing it again is harmless")
