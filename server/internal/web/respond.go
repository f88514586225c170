package web

import (
	"encoding/json"
	"log/slog"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// WriteJSON answers with a status and v as JSON. What cannot be marshalled is answered
// as an internal error.
func WriteJSON(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		status, body = http.StatusInternalServerError, []byte(`{"error":{"code":"internal","message":"the answer cannot be written as JSON"}}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n')) // a client that went away has no use for an error
}

// Fail answers err in the style of the route of r: an [Error] as it says, others by what
// they wrap. What a client need not know goes to the log. If the answer has begun
// already, the connection is cut instead, so that nobody takes a part for the whole.
func Fail(w http.ResponseWriter, r *http.Request, err error) {
	e, c := asError(err), callOf(r)
	c.failed(e, err)
	if c.w != nil && c.w.status != 0 {
		Abort(w)
		return
	}
	h := w.Header()
	h.Del("Content-Length")
	h.Del("Content-Encoding")
	if e.Status == http.StatusTooManyRequests || e.Status == http.StatusServiceUnavailable {
		retry := e.RetryAfter
		if retry <= 0 {
			retry = defaultRetry
		}
		h.Set("Retry-After", strconv.Itoa(int(math.Ceil(retry.Seconds()))))
	}
	WriteJSON(w, e.Status, e.body(c.style, r.URL.Path))
}

// Abort ends an answer that has begun in a way that the client notices: the connection
// is cut.
func Abort(w http.ResponseWriter) {
	// A deadline that has passed fails the writes that would end the answer in order.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Unix(1, 0))
}

type nativeError struct {
	Error struct {
		Code     string         `json:"code"`
		Message  string         `json:"message"`
		Accepted int            `json:"accepted"`
		Rejected map[string]int `json:"rejected"`
	} `json:"error"`
}

type prometheusError struct {
	Status    string `json:"status"`
	ErrorType string `json:"errorType"`
	Error     string `json:"error"`
}

type influxError struct {
	Code    string `json:"code,omitempty"`
	Message string `json:"message,omitempty"`
	Error   string `json:"error,omitempty"`
}

// body returns the error in a style.
func (e *Error) body(style ErrorStyle, path string) any {
	switch style {
	case Prometheus:
		return prometheusError{"error", e.prometheusType(), e.Message}
	case Influx:
		if strings.HasPrefix(strings.TrimPrefix(path, "/influx"), "/api/v2/") {
			return influxError{Code: e.influxCode(), Message: e.Message}
		}
		return influxError{Error: e.Message}
	}
	var n nativeError
	n.Error.Code, n.Error.Message, n.Error.Accepted, n.Error.Rejected = e.Code, e.Message, e.Accepted, e.Rejected
	if n.Error.Rejected == nil {
		n.Error.Rejected = map[string]int{}
	}
	return n
}

// prometheusType returns the errorType that clients of Prometheus know.
func (e *Error) prometheusType() string {
	switch e.Status {
	case 400, 405, 413, 415:
		return "bad_data"
	case 401, 403:
		return e.Code
	case 404:
		return "not_found"
	case 422:
		return "execution"
	case 429, 503:
		switch e.Code {
		case CodeQueryTimeout:
			return "timeout"
		case "canceled":
			return "canceled"
		}
		return "unavailable"
	}
	return "internal"
}

// influxCode returns the code that clients of InfluxDB 2 know.
func (e *Error) influxCode() string {
	switch e.Status {
	case 400, 415:
		return "invalid"
	case 401:
		return "unauthorized"
	case 403:
		return "forbidden"
	case 404:
		return "not found"
	case 405:
		return "method not allowed"
	case 413:
		return "request too large"
	case 422:
		return "unprocessable entity"
	case 429:
		return "too many requests"
	case 503:
		return "unavailable"
	}
	return "internal error"
}

// failed tells log and observer of an error that is answered.
func (c *call) failed(e *Error, err error) {
	c.code = e.Code
	if c.server.cfg.OnError != nil {
		c.server.cfg.OnError(err)
	}
	level := slog.LevelDebug
	if e.Status >= 500 && e.Status != http.StatusServiceUnavailable {
		level = slog.LevelError
	}
	if e.Err != nil {
		c.server.cfg.Logger.Log(c.ctx, level, "request failed", "handler", c.name, "status", e.Status, "code", e.Code, "err", e.Err)
	}
}
