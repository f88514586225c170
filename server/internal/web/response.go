package web

import (
	"net/http"
	"time"
)

// response notes what is answered, and gives the client a limited time for each part of
// it, so that one that stops reading does not hold its slot for ever.
type response struct {
	http.ResponseWriter
	control *http.ResponseController
	timeout time.Duration
	renewed time.Time // when the time for writing was last set
	fixed   bool      // a handler has set its own deadline
	status  int       // 0: nothing is answered yet
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
	w.renew()
	return w.ResponseWriter.Write(b)
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
	w.renew()
	_ = w.control.Flush() // a writer that cannot flush sends at the end
}

// renew gives the client more time, from now.
func (w *response) renew() {
	if now := time.Now(); !w.fixed && now.Sub(w.renewed) > w.timeout/16 {
		w.renewed = now
		_ = w.control.SetWriteDeadline(now.Add(w.timeout)) // not with a recorder of tests
	}
}
