package otlp

import (
	"encoding/json"
	"net/http"

	"google.golang.org/protobuf/encoding/protowire"
)

// encoding is how a request is encoded, and its answer.
type encoding uint8

const (
	asProtobuf encoding = iota
	asJSON
)

func (e encoding) contentType() string {
	if e == asJSON {
		return "application/json"
	}
	return "application/x-protobuf"
}

// statusWriter makes of the errors that package web answers what OTLP wants: a Status, in
// the encoding of the request.
type statusWriter struct {
	http.ResponseWriter
	encoding encoding
	status   int
}

// Unwrap is for http.ResponseController.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// WriteHeader implements http.ResponseWriter.
func (w *statusWriter) WriteHeader(status int) {
	if w.status = status; status >= 400 {
		w.Header().Set("Content-Type", w.encoding.contentType())
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter. Errors come in one call.
func (w *statusWriter) Write(b []byte) (int, error) {
	if w.status < 400 {
		return w.ResponseWriter.Write(b)
	}
	var native struct {
		Error struct {
			Message string `json:"message"`
		} `json:"error"`
	}
	message := string(b)
	if json.Unmarshal(b, &native) == nil {
		message = native.Error.Message
	}
	if _, err := w.ResponseWriter.Write(w.encoding.status(codeOf(w.status), message)); err != nil {
		return 0, err
	}
	return len(b), nil
}

// status returns a google.rpc.Status.
func (e encoding) status(code int, message string) []byte {
	if e == asJSON {
		b, err := json.Marshal(struct {
			Code    int    `json:"code"`
			Message string `json:"message"`
		}{code, message})
		if err != nil {
			return nil // cannot be: strings and numbers have a form in JSON
		}
		return b
	}
	b := protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), uint64(code))
	return protowire.AppendString(protowire.AppendTag(b, 2, protowire.BytesType), message)
}

// codeOf returns the code of gRPC for a status of HTTP.
func codeOf(status int) int {
	const (
		invalidArgument   = 3
		resourceExhausted = 8
		internal          = 13
		unavailable       = 14
	)
	switch {
	case status == http.StatusRequestEntityTooLarge, status == http.StatusTooManyRequests:
		return resourceExhausted
	case status < 500:
		return invalidArgument
	case status == http.StatusServiceUnavailable:
		return unavailable
	}
	return internal
}
