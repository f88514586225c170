package web

import (
	"net/http"
	"time"
)

const (
	// partBytes is what a client has to take within the time for writing.
	partBytes = 64 << 10
	// totalWrites is how many times as long a client may make the server wait in all.
	totalWrites = 10
)

// response notes what is answered, and gives the client a limited time for each part of
// it, and for all of them, so that one that stops reading, or reads byte by byte, does not
// hold its slot for ever.
type response struct {
	http.ResponseWriter
	control *http.ResponseController
	timeout time.Duration
	renewed time.Time     // when the time for writing was last set
	waited  time.Duration // for the client
	fixed   bool          // a handler has set its own deadline
	status  int           // 0: nothing is answered yet
}

func newResponse(w http.ResponseWriter, timeout time.Duration) *response {
	return &response{ResponseWriter: w, control: http.NewResponseController(w), timeout: timeout}
}

// Unwrap is for http.ResponseController.
func (w *response) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// WriteHeader implements http.ResponseWriter.
func (w *response) WriteHeader(status int) {
	if w.status == 0 && status >= 200 {
		w.status = status
		w.renew()
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (w *response) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	written := 0
	for {
		part := b[written:min(len(b), written+partBytes)]
		began := w.renew()
		n, err := w.ResponseWriter.Write(part)
		w.waited += time.Since(began)
		if written += n; err != nil || written >= len(b) {
			return written, err
		}
	}
}

// SetWriteDeadline is for http.ResponseController. The deadline is renewed no more.
func (w *response) SetWriteDeadline(deadline time.Time) error {
	w.fixed = true
	return w.control.SetWriteDeadline(deadline)
}

// Flush implements http.Flusher, which some handlers ask for.
func (w *response) Flush() {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	began := w.renew()
	_ = w.control.Flush() // a writer that cannot flush sends at the end
	w.waited += time.Since(began)
}

// renew gives the client more time, from now, which it returns.
func (w *response) renew() (now time.Time) {
	now = time.Now()
	if !w.fixed && now.Sub(w.renewed) > w.timeout/16 {
		w.renewed = now
		left := min(w.timeout, totalWrites*w.timeout-w.waited)
		_ = w.control.SetWriteDeadline(now.Add(left)) // not with a recorder of tests
	}
	return now
}
