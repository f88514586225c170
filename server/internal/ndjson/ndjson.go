package ndjson

import (
	"bytes"
	"errors"
	"net/http"
	"runtime"

	"github.com/sydradb/sydradb"
	"github.com/sydradb/sydradb/server/internal/auth"
	"github.com/sydradb/sydradb/server/internal/ingest"
	"github.com/sydradb/sydradb/server/internal/intake"
	"github.com/sydradb/sydradb/server/internal/literal"
	"github.com/sydradb/sydradb/server/internal/web"
)

const (
	// cacheBytes bounds the texts of series that one parser knows. There are as many parsers
	// as processors, when no request is served.
	cacheBytes = 8 << 20
	// lineFactor is how much longer than intake.Limits.MaxLine a line may be, since JSON
	// repeats what line protocol says once: 1 MiB by default.
	lineFactor = 4
)

// Routes returns the endpoint, which stores by in.
func Routes(in *intake.Intake) []web.Route {
	h := &handler{in: in, readers: make(chan *reader, runtime.GOMAXPROCS(0))}
	return []web.Route{{
		Pattern: "POST /api/v1/ingest", Name: "ingest", Scope: auth.Write, Slot: web.IngestSlot, Style: web.Native, Handler: h,
	}}
}

type handler struct {
	in      *intake.Intake
	readers chan *reader // that no request uses
}

// answer is what a request is told, as JSON.
type answer struct {
	Ingested int      `json:"ingested"`
	Rejected int      `json:"rejected"`
	Errors   []string `json:"errors"`
	Error    *failure `json:"error,omitempty"` // if nothing was stored
}

// failure has the form of the errors of all native endpoints.
type failure struct {
	Code     string         `json:"code"`
	Message  string         `json:"message"`
	Accepted int            `json:"accepted"`
	Rejected map[string]int `json:"rejected"`
}

// ServeHTTP implements http.Handler. It answers 200 when all points, or those that can be
// stored, are as durable as the database is set to, and 400 when there was none of them.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	unit, err := precision(r)
	if err != nil {
		web.Fail(w, r, err)
		return
	}
	body, err := web.ReadBody(w, r)
	if err != nil {
		web.Fail(w, r, err)
		return
	}
	defer body.Release()
	req := h.in.Begin("ndjson")
	defer req.End()
	h.parse(req, body.Bytes(), unit)
	if err := req.Commit(r.Context()); err != nil {
		web.Fail(w, r, err)
		return
	}
	a := answer{Ingested: req.Accepted(), Rejected: req.Refused(), Errors: append([]string{}, req.Errors()...)}
	status := http.StatusOK
	if a.Ingested == 0 && a.Rejected > 0 {
		status = http.StatusBadRequest
		a.Error = &failure{Code: web.CodeBadRequest, Message: "nothing was stored: " + a.Errors[0], Rejected: req.Rejected()}
	}
	web.WriteJSON(w, status, a)
}

// precision returns the unit of times that are numbers.
func precision(r *http.Request) (literal.Unit, error) {
	name := r.URL.Query().Get("precision")
	if name == "" {
		return literal.Second, nil
	}
	unit, err := literal.ParseUnit(name)
	if err != nil {
		return 0, &web.Error{Status: http.StatusBadRequest, Code: web.CodeBadRequest, Message: "precision: " + err.Error()}
	}
	return unit, nil
}

// parse adds the points of a body to req.
func (h *handler) parse(req *intake.Request, body []byte, unit literal.Unit) {
	var rd *reader
	select {
	case rd = <-h.readers:
	default:
		rd = newReader(lineFactor * h.in.Limits().MaxLine)
	}
	rd.read(req, body, unit)
	select {
	case h.readers <- rd:
	default:
	}
}

// reader reads the lines of one request after the other. It stands between the parser and
// the request: as what resolves series, and as what takes points.
type reader struct {
	req     *intake.Request
	cache   *ingest.Cache
	parsers map[literal.Unit]ingest.Parser
	maxLine int               // 0: no limit
	refused []*intake.Refusal // by resolving and adding, of the current line
	ts      int64             // of that line
}

func newReader(maxLine int) *reader {
	rd := &reader{maxLine: maxLine, parsers: make(map[literal.Unit]ingest.Parser)}
	rd.cache = ingest.NewBoundedCache(rd, cacheBytes)
	return rd
}

var byteOrderMark = []byte("\ufeff")

// read adds the points of all lines of body to req.
func (rd *reader) read(req *intake.Request, body []byte, unit literal.Unit) {
	p := rd.parsers[unit]
	if p == nil {
		p = ingest.NewParser(ingest.NDJSON, rd.cache, ingest.ParserOptions{Unit: unit})
		rd.parsers[unit] = p
	}
	rd.req = req
	body = bytes.TrimPrefix(body, byteOrderMark)
	for line := 1; len(body) > 0; line++ {
		text := body
		if end := bytes.IndexByte(body, '\n'); end >= 0 {
			text, body = body[:end], body[end+1:]
		} else {
			body = nil
		}
		if text = bytes.TrimSpace(text); len(text) == 0 {
			continue
		}
		if rd.maxLine > 0 && len(text) > rd.maxLine {
			req.Refuse(refuseLong, 1, line, text)
			continue
		}
		if o := p.Parse(text, rd); o.Refused > 0 {
			rd.count(o, line, text)
		}
	}
	rd.req = nil
}

var refuseLong = &intake.Refusal{Reason: intake.Invalid, Err: errors.New("the line is too long")}

// count tells the request what was refused of a line: that of which rd knows the reason, and
// what the parser did not understand.
func (rd *reader) count(o ingest.Outcome, line int, text []byte) {
	for _, why := range rd.refused {
		rd.req.Refuse(why, 1, line, text)
	}
	if n := o.Refused - len(rd.refused); n > 0 {
		why := &intake.Refusal{Reason: intake.Invalid, Err: o.Err}
		if known := new(intake.Refusal); errors.As(o.Err, &known) {
			why.Err = literal.ErrValueSyntax // of another field: what else can be wrong with one
		}
		if errors.Is(why.Err, literal.ErrValueSyntax) {
			why.Reason = intake.Unsupported
		}
		rd.req.Refuse(why, n, line, text)
	}
	rd.refused = rd.refused[:0]
}

// Series implements ingest.Resolver.
func (rd *reader) Series(name string, tags ...sydradb.Tag) (*sydradb.Series, error) {
	s, err := rd.req.Series(name, tags, rd.ts)
	return s, rd.note(err)
}

// SeriesByID implements ingest.Resolver.
func (rd *reader) SeriesByID(id sydradb.SeriesID, tags ...sydradb.Tag) (*sydradb.Series, error) {
	s, err := rd.req.SeriesByID(id, tags)
	return s, rd.note(err)
}

// note keeps the reason of an error, and returns it.
func (rd *reader) note(err error) error {
	if why, ok := err.(*intake.Refusal); ok {
		rd.refused = append(rd.refused, why)
	}
	return err
}

// CheckTime implements ingest.TimeChecker: it comes before all else that a line asks for.
func (rd *reader) CheckTime(ts int64) error {
	rd.ts = ts
	if why := rd.req.CheckTime(ts); why != nil {
		return rd.note(why)
	}
	return nil
}

// Add implements ingest.Points. The time was checked.
func (rd *reader) Add(s *sydradb.Series, ts int64, value float64) error {
	rd.req.Add(s, ts, value)
	return nil
}
