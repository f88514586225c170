package prom

import (
	"bytes"
	"io"
	"net/http"

	"github.com/prometheus/prometheus/prompb"
	"github.com/prometheus/prometheus/storage/remote"

	"github.com/sydradb/sydradb/server/internal/web"
)

const (
	// readsAtATime are remote reads served at a time; the slots of queries allow fewer.
	readsAtATime = 64
	// readFrameBytes is the size of a frame of a streamed answer.
	readFrameBytes = 1 << 20
	// sampledBytes is what a sample of an answer takes that is not streamed: the sample, as
	// long as slices grow, and its encoding twice, with compression and without.
	sampledBytes = 48
)

// readHandler is remote read with errors that say whose fault they are and that a client
// notices: Prometheus' handler answers 500 to most of them, and adds their text to an answer
// that has begun.
func (a *API) readHandler(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		limits := a.config.Limits
		body, err := io.ReadAll(r.Body)
		if err == nil {
			r.Body = io.NopCloser(bytes.NewReader(body))
			err = checkRead(r, &limits)
		}
		if err != nil {
			web.Fail(w, r, err)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		b := newBudget(limits, a.failed)
		r = r.WithContext(withBudget(r.Context(), b))
		h.ServeHTTP(&readWriter{ResponseWriter: w, exceeded: b.exceeded, late: func() bool { return r.Context().Err() != nil }}, r)
	})
}

// checkRead refuses requests that cannot be understood, and lowers limits for answers that are
// not streamed: Prometheus' handler holds all of such an answer, and bounds each query of a
// request by itself.
func checkRead(r *http.Request, limits *Limits) error {
	request, err := remote.DecodeReadRequest(r)
	if err != nil {
		return badRequest("the request is not one of remote read: %v", err)
	}
	for _, q := range request.Queries {
		if _, err := remote.FromLabelMatchers(q.Matchers); err != nil {
			return badRequest("a query of the request: %v", err)
		}
	}
	kind, err := remote.NegotiateResponseType(request.AcceptedResponseTypes)
	if err != nil {
		return badRequest("the request is not one of remote read: %v", err)
	}
	if kind == prompb.ReadRequest_SAMPLES {
		limits.Samples = min(limits.Samples, limits.MemoryBytes/sampledBytes)
	}
	return nil
}

// readWriter is the answer to a remote read.
type readWriter struct {
	http.ResponseWriter
	exceeded func() bool // whether the query went over a limit
	late     func() bool // whether it took too long
	begun    bool
}

// WriteHeader implements http.ResponseWriter.
func (w *readWriter) WriteHeader(status int) {
	if status >= http.StatusBadRequest && w.begun {
		web.Abort(w.ResponseWriter)
		return
	}
	if status == http.StatusInternalServerError {
		switch {
		case w.exceeded():
			status = http.StatusUnprocessableEntity
		case w.late():
			status = http.StatusServiceUnavailable
		}
	}
	w.begun = true
	w.ResponseWriter.WriteHeader(status)
}

// Write implements io.Writer.
func (w *readWriter) Write(p []byte) (int, error) {
	w.begun = true
	return w.ResponseWriter.Write(p)
}

// Flush implements http.Flusher, which streamed answers need.
func (w *readWriter) Flush() {
	_ = http.NewResponseController(w.ResponseWriter).Flush() // the next write fails, too
}

// Unwrap serves http.ResponseController.
func (w *readWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
