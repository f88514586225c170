package client

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/sydradb/sydradb"
)

// UnreachableError means that no answer came: nobody listens there, or the connection
// failed. Whether a request was carried out is not known.
type UnreachableError struct {
	URL string
	Err error
}

// Error names the address and the reason.
func (e *UnreachableError) Error() string { return "no answer from " + e.URL + ": " + e.Err.Error() }

// Unwrap returns the reason.
func (e *UnreachableError) Unwrap() error { return e.Err }

// Error is what a server answered instead of doing what was asked.
type Error struct {
	URL        string
	Status     int           // of HTTP
	Code       string        // such as "disk_full"; "" if it was not a server of ours that spoke
	Message    string        // for a person
	RetryAfter time.Duration // when the server wants to be asked again; 0 if it did not say

	accepted, rejected int      // points of the request
	why                []string // the first of them were rejected
}

// Error says who refused and why.
func (e *Error) Error() string {
	if e.Code == "" {
		return fmt.Sprintf("%s answered %s", e.URL, e.Message)
	}
	return e.Message
}

// causes are the errors that codes stand for.
var causes = map[string]error{
	"disk_full":      sydradb.ErrDiskFull,
	"storage_failed": sydradb.ErrStorageFailed,
	"overloaded":     sydradb.ErrOverloaded,
	"read_only":      sydradb.ErrReadOnly,
	"too_large":      sydradb.ErrTooLarge,
	"series_limit":   sydradb.ErrSeriesLimit,
	"too_old":        sydradb.ErrTooOld,
	"query_limit":    sydradb.ErrLimit,
	"corrupt_data":   sydradb.ErrCorrupt,
	"query_timeout":  context.DeadlineExceeded,
}

// Unwrap returns the error of the library that the code stands for, if there is one.
func (e *Error) Unwrap() error { return causes[e.Code] }

// Retryable reports whether the same request may succeed later, without anyone seeing to
// it: a server that only reads stays one, and a disk that failed is not tried again.
func (e *Error) Retryable() bool {
	if e.Code == "read_only" || e.Code == "storage_failed" {
		return false
	}
	return e.Status == http.StatusTooManyRequests || e.Status == http.StatusServiceUnavailable ||
		e.Status == http.StatusBadGateway || e.Status == http.StatusGatewayTimeout
}

// wireError is what an error says of itself, in the body of an answer or in the last line
// of a stream.
type wireError struct {
	Code     string         `json:"code"`
	Message  string         `json:"message"`
	Accepted int            `json:"accepted"`
	Rejected map[string]int `json:"rejected"`
}

// refused returns the error of an answer.
func (c *Client) refused(resp *http.Response) *Error {
	const most = 64 << 10
	e := &Error{
		URL: c.URL(), Status: resp.StatusCode, Message: resp.Status,
		RetryAfter: retryAfter(resp.Header, time.Now()),
	}
	text, _ := io.ReadAll(io.LimitReader(resp.Body, most)) // a part will not parse
	var body struct {
		Error     json.RawMessage `json:"error"`
		Errors    []string        `json:"errors"`
		ErrorType string          `json:"errorType"` // where the server took the path for one of Prometheus
	}
	var (
		native wireError
		plain  string
	)
	switch {
	case json.Unmarshal(text, &body) != nil:
	case json.Unmarshal(body.Error, &native) == nil && native.Code != "":
		e.Code, e.Message, e.accepted = native.Code, strings.TrimSpace(native.Message), native.Accepted
		e.why = body.Errors
		for _, n := range native.Rejected {
			e.rejected += n
		}
	case body.ErrorType != "" && json.Unmarshal(body.Error, &plain) == nil:
		e.Code, e.Message = body.ErrorType, strings.TrimSpace(plain)
	}
	return e
}
