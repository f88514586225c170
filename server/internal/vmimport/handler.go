package vmimport

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/sydradb/sydradb"
	"github.com/sydradb/sydradb/server/internal/auth"
	"github.com/sydradb/sydradb/server/internal/handles"
	"github.com/sydradb/sydradb/server/internal/intake"
	"github.com/sydradb/sydradb/server/internal/web"
	"github.com/valyala/fastjson"
)

const (
	protocol = "import"

	// A chunk ends with the line that brings it to one of these.
	chunkPoints = 5000
	chunkBytes  = 4 << 20

	// maxMetric bounds the text of the labels of a series, in bytes; intake has the limits
	// of what it means.
	maxMetric = 1 << 20

	// Bounds of the series that are known by the text of their labels.
	maxSeries      = 1 << 18
	maxSeriesBytes = 32 << 20

	maxExplained = 10 // refused points and lines
)

// handler serves the endpoint.
type handler struct {
	intake  *intake.Intake
	series  *handles.Cache
	parsers sync.Pool // of *parser
}

// parser is what a request needs to read lines.
type parser struct {
	line   line
	json   fastjson.Parser
	key    []byte
	extra  []sydradb.Tag // labels of all series
	prefix []byte        // of key: extra
	tags   []sydradb.Tag
}

// Routes returns the endpoint.
func Routes(in *intake.Intake) []web.Route {
	return []web.Route{{
		Pattern: "POST /api/v1/import",
		Name:    protocol,
		Scope:   auth.Write,
		Slot:    web.IngestSlot,
		Style:   web.Native,
		Handler: newHandler(in),
	}}
}

func newHandler(in *intake.Intake) *handler {
	return &handler{
		intake: in, series: handles.NewCache(maxSeries, maxSeriesBytes),
		parsers: sync.Pool{New: func() any { return new(parser) }},
	}
}

// ServeHTTP implements http.Handler.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p := h.parsers.Get().(*parser)
	defer h.parsers.Put(p)
	if err := p.begin(r.URL.Query()["extra_label"]); err != nil {
		web.Fail(w, r, &web.Error{Status: 400, Code: web.CodeBadRequest, Message: err.Error()})
		return
	}
	body, err := web.Stream(w, r)
	if err != nil {
		web.Fail(w, r, err)
		return
	}
	defer body.Close()
	j := job{handler: h, parser: p, lines: newLines(body), rejected: make(map[string]int)}
	err = j.run(r.Context())
	if err == nil {
		err = j.refusals()
	}
	if err != nil {
		web.Fail(&progressWriter{w, &j}, r, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// begin makes p ready for a request with these extra labels.
func (p *parser) begin(extra []string) error {
	p.extra, p.prefix = p.extra[:0], p.prefix[:0]
	for _, label := range extra {
		name, value, found := strings.Cut(label, "=")
		if !found || name == "" {
			return fmt.Errorf("extra_label %q is not of the form name=value", label[:min(len(label), 64)])
		}
		p.extra = append(p.extra, sydradb.Tag{Key: name, Value: value})
		p.prefix = fmt.Appendf(p.prefix, "%q=%q,", name, value) // no metric begins with a quote
	}
	return nil
}

// job is the work on one request.
type job struct {
	*handler
	*parser
	lines     *lines
	committed int // line
	accepted  int
	rejected  map[string]int
	errors    []string
}

// run stores the lines chunk by chunk.
func (j *job) run(ctx context.Context) error {
	for {
		end, err := j.chunk(ctx)
		if err != nil || end {
			return err
		}
	}
}

// chunk reads and commits a chunk. It reports whether it was the last one.
func (j *job) chunk(ctx context.Context) (end bool, err error) {
	request := j.intake.Begin(protocol)
	defer request.End()
	for size := 0; request.Len() < chunkPoints && size < chunkBytes && !end; {
		text, whole, err := j.lines.next()
		switch {
		case err == io.EOF:
			end = true
		case err != nil:
			return false, err
		case !whole:
			request.Refuse(refuseLong, 1, j.lines.number, text)
			size += maxLine
		default:
			j.add(request, text)
			j.line.shrink()
			size += len(text) + 1
		}
	}
	if err := request.Commit(ctx); err != nil {
		return false, err
	}
	j.committed = j.lines.number
	j.accepted += request.Accepted()
	for reason, n := range request.Rejected() {
		j.rejected[reason] += n
	}
	for _, text := range request.Errors() {
		if len(j.errors) < maxExplained {
			j.errors = append(j.errors, text)
		}
	}
	return end, nil
}

var refuseLong = &intake.Refusal{Reason: intake.Invalid, Err: errors.New("the line is longer than 10 MiB: send its points in several lines")}

// add takes the points of a line.
func (j *job) add(request *intake.Request, text []byte) {
	if len(bytes.TrimSpace(text)) == 0 {
		return
	}
	if err := j.line.parse(text); err != nil {
		request.Refuse(&intake.Refusal{Reason: intake.Invalid, Err: err}, 1, j.lines.number, text)
		return
	}
	j.lines.body.Found(len(j.line.values))
	j.key = append(append(j.key[:0], j.prefix...), j.line.metric...)
	s := j.series.Get(j.key)
	if s == nil {
		var err error
		if s, err = j.resolve(request); err != nil {
			var why *intake.Refusal
			if !errors.As(err, &why) {
				why = &intake.Refusal{Reason: intake.Invalid, Err: err}
			}
			request.Refuse(why, len(j.line.values), j.lines.number, text)
			return
		}
		j.series.Put(j.key, s)
	}
	request.At(j.lines.number, text)
	for i, v := range j.line.values {
		request.Add(s, nanoseconds(j.line.times[i]), v)
	}
}

// resolve asks the database for the series of the line.
func (j *job) resolve(request *intake.Request) (*sydradb.Series, error) {
	if len(j.line.metric) > maxMetric {
		return nil, &intake.Refusal{Reason: intake.LabelLimit, Err: errors.New("the labels take more than 1 MiB")}
	}
	object, err := j.json.ParseBytes(j.line.metric)
	if err != nil {
		return nil, fmt.Errorf(`"metric": %w`, errJSON)
	}
	name := ""
	var fault error
	j.tags = j.tags[:0]
	take := func(key, value string) {
		if key == "__name__" {
			name = value
		} else {
			j.tags = append(j.tags, sydradb.Tag{Key: key, Value: value})
		}
	}
	object.GetObject().Visit(func(key []byte, v *fastjson.Value) {
		text, err := v.StringBytes()
		if err != nil {
			fault = fmt.Errorf("label %q is not a string", key[:min(len(key), 64)])
		}
		if !j.isExtra(key) {
			take(string(key), string(text))
		}
	})
	if fault != nil {
		return nil, fault
	}
	for _, t := range j.extra {
		take(t.Key, t.Value)
	}
	if name == "" {
		return nil, errors.New(`"metric" has no __name__`)
	}
	newest, err := j.line.newest(request)
	if err != nil {
		return nil, err
	}
	return request.Series(name, j.tags, newest)
}

func (p *parser) isExtra(key []byte) bool {
	for _, t := range p.extra {
		if t.Key == string(key) {
			return true
		}
	}
	return false
}

// refusals returns the error that says what was not stored, nil if everything was.
func (j *job) refusals() error {
	points := 0
	code := web.CodeBadRequest
	for reason, n := range j.rejected {
		points += n
		if len(j.rejected) == 1 {
			code = reason
		}
	}
	if points == 0 {
		return nil
	}
	return &web.Error{
		Status: 400, Code: code,
		Message:  strconv.Itoa(points) + " points or lines were not stored, the others were: " + strings.Join(j.errors, "; "),
		Accepted: j.accepted, Rejected: j.rejected,
	}
}

// progressWriter adds to an error that package web answers how far the job came.
type progressWriter struct {
	http.ResponseWriter
	job *job
}

// Unwrap is for http.ResponseController.
func (w *progressWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Write implements http.ResponseWriter. The error comes in one call.
func (w *progressWriter) Write(b []byte) (int, error) {
	var answer struct {
		Error struct {
			Code     string         `json:"code"`
			Message  string         `json:"message"`
			Accepted int            `json:"accepted"`
			Rejected map[string]int `json:"rejected"`
		} `json:"error"`
		CommittedLine int `json:"committed_line"`
	}
	if json.Unmarshal(b, &answer) != nil {
		return w.ResponseWriter.Write(b)
	}
	if w.job.committed > 0 && w.job.committed < w.job.lines.number {
		answer.Error.Message = fmt.Sprintf("behind line %d: %s", w.job.committed, answer.Error.Message)
	}
	answer.Error.Accepted, answer.Error.Rejected = w.job.accepted, w.job.rejected
	answer.CommittedLine = w.job.committed
	text, err := json.Marshal(answer)
	if err != nil {
		return 0, err
	}
	if _, err := w.ResponseWriter.Write(append(text, '\n')); err != nil {
		return 0, err
	}
	return len(b), nil
}
