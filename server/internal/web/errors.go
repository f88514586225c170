package web

import (
	"context"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"time"

	"github.com/sydradb/sydradb"
)

// Error is an error with the answer that a client gets.
type Error struct {
	Status     int            // of HTTP
	Code       string         // short and constant, such as "too_large"
	Message    string         // for a person: what is wrong, and what to do
	RetryAfter time.Duration  // when trying again makes sense; 0: a default for 429 and 503
	Accepted   int            // points that were stored all the same
	Rejected   map[string]int // points that were not, by reason
	Err        error          // what it comes from, for the log; may be nil
}

// Error returns the message, and what the error comes from.
func (e *Error) Error() string {
	if e.Err != nil {
		return e.Message + ": " + e.Err.Error()
	}
	return e.Message
}

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }

// Codes of errors that more than one place answers.
const (
	CodeBadRequest     = "bad_request"
	CodeTooLarge       = "too_large"
	CodeOverloaded     = "overloaded"
	CodeDiskFull       = "disk_full"
	CodeStorageFailed  = "storage_failed"
	CodeDraining       = "draining"
	CodeStarting       = "starting"
	CodeQueryTimeout   = "query_timeout"
	CodeQueryLimit     = "query_limit"
	CodeTooManyQueries = "too_many_queries"
	CodeCorruptData    = "corrupt_data"
	CodeInternal       = "internal"
	CodeIO             = "io_error"
	CodeReadOnly       = "read_only"

	codeSlowBody = "slow_body"
)

// defaultRetry is when to try again where an error does not say.
const defaultRetry = 5 * time.Second

// mapping is the answer to an error of the database.
type mapping struct {
	err     error
	status  int
	code    string
	message string // "" for that of the error
	retry   time.Duration
}

// mappings are tried in order.
var mappings = []mapping{
	{sydradb.ErrDiskFull, 503, CodeDiskFull, "the disk is full: less than min_free_bytes is free, or max_disk_bytes is reached; nothing of this request was stored, sending it again later is safe", 30 * time.Second},
	{sydradb.ErrStorageFailed, 503, CodeStorageFailed, "the disk failed to keep what was written; the server must be looked at and started again, after which sending this again is safe", time.Minute},
	{sydradb.ErrClosed, 503, CodeDraining, "the server is stopping; try again when it is back", 5 * time.Second},
	{sydradb.ErrOverloaded, 503, CodeOverloaded, "the disk does not keep up; nothing of this request was stored, sending it again later is safe", 10 * time.Second},
	{sydradb.ErrBusy, 503, CodeOverloaded, "the files change too quickly to be read; try again", 5 * time.Second},
	{sydradb.ErrReadOnly, 503, CodeReadOnly, "this server only reads; write to the one that has the database open", time.Minute},
	{sydradb.ErrTooLarge, 413, CodeTooLarge, "the points of this request take more than 32 MiB; nothing was stored, send them in smaller requests", 0},
	{sydradb.ErrSeriesLimit, 400, "series_limit", "", 0},
	{sydradb.ErrTooOld, 400, "too_old", "", 0},
	{sydradb.ErrInvalidSeries, 400, CodeBadRequest, "", 0},
	{sydradb.ErrInvalidQuery, 400, CodeBadRequest, "", 0},
	{sydradb.ErrLimit, 422, CodeQueryLimit, "", 0},
	{sydradb.ErrCorrupt, 500, CodeCorruptData, "damaged data was found and not used; look at it with: sydradb check", 0},
	{context.DeadlineExceeded, 503, CodeQueryTimeout, "the query took longer than it may; ask for less, or raise query_timeout", 10 * time.Second},
	{os.ErrDeadlineExceeded, 503, codeSlowBody, "the body came in too slowly, or stopped; send it again", 0},
	// Nobody reads this one, but it is counted.
	{context.Canceled, 503, "canceled", "the client went away", 0},
}

// asError returns err as the answer that it gets.
func asError(err error) *Error {
	var (
		own   *Error
		large *http.MaxBytesError
		path  *fs.PathError
	)
	if errors.As(err, &own) {
		return own
	}
	for _, m := range mappings {
		if errors.Is(err, m.err) {
			e := &Error{Status: m.status, Code: m.code, Message: m.message, RetryAfter: m.retry, Err: err}
			if e.Message == "" {
				e.Message, e.Err = err.Error(), nil
			}
			return e
		}
	}
	switch {
	case errors.As(err, &large):
		return tooLarge("the body", large.Limit)
	case errors.As(err, &path):
		return &Error{Status: 500, Code: CodeIO, Message: "a file could not be read or written; the log of the server has the details", Err: err}
	}
	return &Error{Status: 500, Code: CodeInternal, Message: "an internal error; the log of the server has the details", Err: err}
}
