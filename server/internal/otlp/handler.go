package otlp

import (
	"context"
	"errors"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/storage/remote/otlptranslator/prometheusremotewrite"
	"github.com/sydradb/sydradb/server/internal/auth"
	"github.com/sydradb/sydradb/server/internal/handles"
	"github.com/sydradb/sydradb/server/internal/intake"
	"github.com/sydradb/sydradb/server/internal/metadata"
	"github.com/sydradb/sydradb/server/internal/web"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
)

const protocol = "otlp"

// headerRejected says what was not stored where the answer is a full success all the same.
const headerRejected = "X-Sydradb-Rejected"

// headerRounded counts the integers that were stored as the nearest number that a float can
// hold.
const headerRounded = "X-Sydradb-Rounded"

// spareTargets is how many points of target_info a request may make beside two for each of
// its data points.
const spareTargets = 1000

// handler serves the endpoints.
type handler struct {
	intake     *intake.Intake
	store      *metadata.Store
	series     *handles.Cache
	settings   prometheusremotewrite.Settings
	converters sync.Pool // of *prometheusremotewrite.PrometheusConverter
}

// Routes returns the endpoints. What requests say about metric families goes to store.
// lookback is the lookback delta of queries, 0 for its default: points of target_info are
// made often enough for it.
func Routes(in *intake.Intake, store *metadata.Store, lookback time.Duration) []web.Route {
	h := newHandler(in, store, lookback)
	var routes []web.Route
	for _, path := range []string{"/v1/metrics", "/api/v1/otlp/v1/metrics"} {
		routes = append(routes, web.Route{
			Pattern: "POST " + path,
			Name:    protocol,
			Scope:   auth.Write,
			Slot:    web.IngestSlot,
			Style:   web.Native,
			Handler: h,
		})
	}
	return routes
}

func newHandler(in *intake.Intake, store *metadata.Store, lookback time.Duration) *handler {
	c := config.DefaultOTLPConfig
	return &handler{
		intake: in, store: store, series: handles.NewCache(maxSeries, maxSeriesBytes),
		settings: prometheusremotewrite.Settings{
			AddMetricSuffixes:                    c.TranslationStrategy.ShouldAddSuffixes(),
			AllowUTF8:                            !c.TranslationStrategy.ShouldEscape(),
			PromoteResourceAttributes:            prometheusremotewrite.NewPromoteResourceAttributes(c),
			KeepIdentifyingResourceAttributes:    c.KeepIdentifyingResourceAttributes,
			PromoteScopeMetadata:                 c.PromoteScopeMetadata,
			LookbackDelta:                        lookback,
			LabelNameUnderscoreSanitization:      c.LabelNameUnderscoreSanitization,
			LabelNamePreserveMultipleUnderscores: c.LabelNamePreserveMultipleUnderscores,
		},
		converters: sync.Pool{New: func() any { return prometheusremotewrite.NewPrometheusConverter(nil) }},
	}
}

// ServeHTTP implements http.Handler.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e, err := encodingOf(r)
	w = &statusWriter{ResponseWriter: w, encoding: e}
	if err != nil {
		web.Fail(w, r, err)
		return
	}
	body, err := web.ReadBody(w, r)
	if err != nil {
		web.Fail(w, r, err)
		return
	}
	md, err := e.decode(body.Bytes())
	body.Release()
	if err != nil {
		web.Fail(w, r, err)
		return
	}
	request := h.intake.Begin(protocol)
	defer request.End()
	s := screen{request: request}
	s.metrics(md)
	if err := h.convert(r.Context(), request, md, s.samples, s.points); err != nil {
		web.Fail(w, r, err)
		return
	}
	if err := request.Commit(r.Context()); err != nil {
		web.Fail(w, r, err)
		return
	}
	answer(w, e, request, &s)
}

// convert fills request from metrics that must become so many samples.
func (h *handler) convert(ctx context.Context, request *intake.Request, md pmetric.Metrics, samples, points int) error {
	a := appenders.Get().(*appender)
	defer appenders.Put(a)
	*a = appender{
		request: request, store: h.store, series: h.series,
		targets: 2*points + spareTargets,
		key:     a.key[:0], tags: a.tags[:0],
	}
	converter := h.converters.Get().(*prometheusremotewrite.PrometheusConverter)
	defer h.converters.Put(converter)
	converter.Reset(a)
	defer converter.Reset(nil)
	_, err := converter.FromMetrics(ctx, md, h.settings)
	if ended := ctx.Err(); ended != nil {
		return ended
	}
	if lost := samples - a.samples; lost > 0 {
		if err == nil {
			err = errors.New("not converted")
		}
		request.Refuse(&intake.Refusal{Reason: intake.Invalid, Err: err}, lost, 0, nil)
	}
	if errors.Is(err, errTargets) {
		request.Refuse(&intake.Refusal{Reason: intake.Invalid, Err: errTargets}, 1, 0, nil)
	}
	return nil
}

// answer says what of a request was stored.
func answer(w http.ResponseWriter, e encoding, request *intake.Request, s *screen) {
	if s.exemplars > 0 {
		w.Header().Set(headerRejected, string(intake.Exemplar)+"="+strconv.Itoa(s.exemplars))
	}
	if n := request.Rounded(); n > 0 {
		w.Header().Set(headerRounded, strconv.Itoa(n))
	}
	var body []byte
	if refused := request.Refused() - s.exemplars; refused > 0 {
		body = e.partial(min(refused, max(s.points, 1)), strings.Join(request.Errors(), "; "))
	} else if e == asJSON {
		body = []byte("{}")
	}
	w.Header().Set("Content-Type", e.contentType())
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(body) // a client that went away has no use for an error
}

// partial returns the answer to a request that was not stored in full. Where it was, the
// answer must not mention partial success, and is the empty message.
func (e encoding) partial(rejected int, message string) []byte {
	response := pmetricotlp.NewExportResponse()
	response.PartialSuccess().SetRejectedDataPoints(int64(rejected))
	response.PartialSuccess().SetErrorMessage(message)
	body, err := response.MarshalProto()
	if e == asJSON {
		body, err = response.MarshalJSON()
	}
	if err != nil {
		return nil // points are stored: better an empty answer than an error
	}
	return body
}

// encodingOf returns the encoding that the content type of a request names.
func encodingOf(r *http.Request) (encoding, error) {
	contentType := r.Header.Get("Content-Type")
	media, _, err := mime.ParseMediaType(contentType)
	if err == nil {
		switch media {
		case "application/x-protobuf":
			return asProtobuf, nil
		case "application/json":
			return asJSON, nil
		}
	}
	return asProtobuf, &web.Error{Status: 415, Code: "unsupported_media_type", Message: "Content-Type " +
		strconv.Quote(contentType[:min(len(contentType), 100)]) + " is not supported: use application/x-protobuf or application/json"}
}

// decode reads a request. The error is a *web.Error.
func (e encoding) decode(body []byte) (pmetric.Metrics, error) {
	request := pmetricotlp.NewExportRequest()
	var err error
	if e == asJSON {
		if err = weighJSON(body); err == nil {
			err = request.UnmarshalJSON(body)
		}
	} else if err = weigh(body); err == nil {
		err = request.UnmarshalProto(body)
	}
	switch {
	case err == errHeavy:
		return pmetric.Metrics{}, &web.Error{Status: 413, Code: web.CodeTooLarge, Message: "the body is " + err.Error() + "; nothing of it was stored, send it in smaller parts"}
	case err != nil:
		return pmetric.Metrics{}, &web.Error{Status: 400, Code: web.CodeBadRequest, Message: "the body cannot be decoded: " + err.Error()}
	}
	return request.Metrics(), nil
}
