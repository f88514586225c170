package remotewrite

import (
	"mime"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/sydradb/sydradb/server/internal/auth"
	"github.com/sydradb/sydradb/server/internal/intake"
	"github.com/sydradb/sydradb/server/internal/metadata"
	"github.com/sydradb/sydradb/server/internal/web"
)

// Protocols, as metrics name them.
const (
	protocol1 = "remote_write_1"
	protocol2 = "remote_write_2"
)

// Headers of answers.
const (
	headerSamples    = "X-Prometheus-Remote-Write-Samples-Written"
	headerHistograms = "X-Prometheus-Remote-Write-Histograms-Written"
	headerExemplars  = "X-Prometheus-Remote-Write-Exemplars-Written"
	headerRejected   = "X-Sydradb-Rejected" // reason=count, where the status is 204 all the same
)

// handler serves the endpoint.
type handler struct {
	intake   *intake.Intake
	metadata *metadata.Store
	table1   *table1
	table2   *table2
	decoders sync.Pool // of *decoder
}

// Routes returns the endpoint. What clients say about metric families goes to store.
func Routes(in *intake.Intake, store *metadata.Store) []web.Route {
	return []web.Route{{
		Pattern: "POST /api/v1/write",
		Name:    "remote_write",
		Scope:   auth.Write,
		Slot:    web.IngestSlot,
		Style:   web.Native,
		Handler: newHandler(in, store),
	}}
}

func newHandler(in *intake.Intake, store *metadata.Store) *handler {
	return &handler{
		intake: in, metadata: store, table1: newTable1(), table2: newTable2(),
		decoders: sync.Pool{New: func() any { return new(decoder) }},
	}
}

// ServeHTTP implements http.Handler.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	protocol, err := protocolOf(r)
	if err != nil {
		web.Fail(w, r, err)
		return
	}
	if protocol == protocol2 {
		w.Header().Set(headerSamples, "0")
		w.Header().Set(headerHistograms, "0")
		w.Header().Set(headerExemplars, "0")
	}
	if r.Header.Get("Content-Encoding") == "" {
		// Both versions know no message without compression, and some senders leave it
		// at that.
		r.Header.Set("Content-Encoding", "snappy")
	}
	body, err := web.ReadBody(w, r)
	if err != nil {
		web.Fail(w, r, err)
		return
	}
	defer body.Release()
	request := h.intake.Begin(protocol)
	defer request.End()
	if err := h.decode(request, protocol, body.Bytes()); err != nil {
		web.Fail(w, r, &web.Error{Status: 400, Code: web.CodeBadRequest,
			Message: "the body is " + err.Error() + "; nothing of it was stored"})
		return
	}
	if err := request.Commit(r.Context()); err != nil {
		web.Fail(w, r, err)
		return
	}
	answer(w, r, request, protocol)
}

// protocolOf returns the protocol that the content type of a request names.
func protocolOf(r *http.Request) (string, error) {
	contentType := r.Header.Get("Content-Type")
	if contentType == "" {
		return protocol1, nil
	}
	media, params, err := mime.ParseMediaType(contentType)
	if err == nil && media == "application/x-protobuf" {
		switch params["proto"] {
		case "", "prometheus.WriteRequest":
			return protocol1, nil
		case "io.prometheus.write.v2.Request":
			return protocol2, nil
		}
	}
	return "", &web.Error{Status: 415, Code: "unsupported_media_type", Message: "Content-Type " +
		strconv.Quote(contentType[:min(len(contentType), 100)]) + " is not supported: use application/x-protobuf, with proto=prometheus.WriteRequest or proto=io.prometheus.write.v2.Request"}
}

// decode fills request from a message.
func (h *handler) decode(request *intake.Request, protocol string, body []byte) error {
	d := h.decoders.Get().(*decoder)
	defer h.decoders.Put(d)
	d.begin(request)
	var err error
	if protocol == protocol2 {
		err = d.decode2(h.table2, h.metadata, body)
	} else {
		err = d.decode1(h.table1, h.metadata, body)
	}
	if err != nil {
		return err
	}
	d.end()
	return nil
}

// answer says what of a request was stored.
func answer(w http.ResponseWriter, r *http.Request, request *intake.Request, protocol string) {
	if protocol == protocol2 {
		w.Header().Set(headerSamples, strconv.Itoa(request.Accepted()))
	}
	if request.Refused() == 0 {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	rejected := request.Rejected()
	if exemplars := rejected[string(intake.Exemplar)]; exemplars == request.Refused() {
		w.Header().Set(headerRejected, string(intake.Exemplar)+"="+strconv.Itoa(exemplars))
		w.WriteHeader(http.StatusNoContent)
		return
	}
	code := web.CodeBadRequest
	if len(rejected) == 1 {
		for reason := range rejected {
			code = reason
		}
	}
	web.Fail(w, r, &web.Error{
		Status: 400, Code: code,
		Message:  strconv.Itoa(request.Refused()) + " points were not stored, the others were: " + strings.Join(request.Errors(), "; "),
		Accepted: request.Accepted(),
		Rejected: rejected,
	})
}
