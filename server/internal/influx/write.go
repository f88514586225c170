package influx

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/sydradb/sydradb/server/internal/intake"
	"github.com/sydradb/sydradb/server/internal/lineproto"
	"github.com/sydradb/sydradb/server/internal/web"
)

// headerRounded counts the integers that were stored as the nearest number that a float can
// hold.
const headerRounded = "X-Sydradb-Rounded"

// precisions are the units of timestamps by their names. The empty one is the default.
type precisions struct {
	units map[string]time.Duration
	usage string
}

var (
	precisionsV1 = precisions{map[string]time.Duration{
		"": 1, "n": 1, "ns": 1, "u": time.Microsecond, "us": time.Microsecond, "µ": time.Microsecond,
		"ms": time.Millisecond, "s": time.Second, "m": time.Minute, "h": time.Hour,
	}, "n, u, ms, s, m or h"}
	precisionsV2 = precisions{map[string]time.Duration{
		"": 1, "ns": 1, "us": time.Microsecond, "ms": time.Millisecond, "s": time.Second,
	}, "ns, us, ms or s"}
)

// writer is the handler of a write endpoint.
type writer struct {
	in         *intake.Intake
	precisions precisions
	parsers    sync.Pool
}

func newWriter(in *intake.Intake, table *lineproto.Table, p precisions) *writer {
	return &writer{in: in, precisions: p, parsers: sync.Pool{New: func() any { return lineproto.NewParser(table) }}}
}

// ServeHTTP implements http.Handler. It answers 204 when all points are as durable as the
// database is set to.
func (h *writer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	introduce(w)
	if err := h.write(w, r); err != nil {
		web.Fail(w, r, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// write stores the points of a request. An error is one for [web.Fail]; points may have been
// stored all the same, as it says then.
func (h *writer) write(w http.ResponseWriter, r *http.Request) error {
	unit, err := h.unit(r)
	if err != nil {
		return err
	}
	body, err := web.ReadBody(w, r)
	if err != nil {
		return err
	}
	defer body.Release()
	req := h.in.Begin("influx")
	defer req.End()
	h.parse(req, body.Bytes(), unit)
	if err := req.Commit(r.Context()); err != nil {
		return err
	}
	if n := req.Rounded(); n > 0 {
		w.Header().Set(headerRounded, strconv.Itoa(n))
	}
	if req.Refused() == 0 {
		return nil
	}
	return &web.Error{
		Status: http.StatusBadRequest, Code: web.CodeBadRequest, Message: explain(req),
		Accepted: req.Accepted(), Rejected: req.Rejected(),
	}
}

func (h *writer) unit(r *http.Request) (time.Duration, error) {
	name := ""
	if r.URL.RawQuery != "" {
		name = r.URL.Query().Get("precision")
	}
	unit, known := h.precisions.units[name]
	if !known {
		return 0, badRequest(fmt.Sprintf("invalid precision %.20q: use %s", name, h.precisions.usage))
	}
	return unit, nil
}

// explain says what was not stored, with the words that clients look for.
func explain(req *intake.Request) string {
	reasons := req.Errors()
	if more := req.Refused() - len(reasons); more > 0 {
		reasons = append(reasons, "...")
	}
	return fmt.Sprintf("partial write: %s dropped=%d", strings.Join(reasons, "; "), req.Refused())
}

// parse adds the points of a body to req. A line without a time has that of the request, in
// whole units.
func (h *writer) parse(req *intake.Request, body []byte, unit time.Duration) {
	p := h.parsers.Get().(*lineproto.Parser)
	p.Reset(body, req, lineproto.Options{
		Unit:      unit,
		Now:       req.Now() - req.Now()%int64(unit),
		Latest:    req.Latest(),
		ErrLatest: intake.ErrFuture,
		MaxLine:   h.in.Limits().MaxLine,
	})
	for line := p.Next(); line != nil; line = p.Next() {
		for i := range line.Points {
			pt := &line.Points[i]
			req.Add(pt.Series, line.Time, pt.Value)
		}
		if line.Rounded > 0 {
			req.Round(line.Rounded)
		}
		for i := range line.Refused {
			refuse(req, line, &line.Refused[i])
		}
	}
	p.Reset(nil, nil, lineproto.Options{})
	h.parsers.Put(p)
}

// refuse counts and explains a part of a line that was not taken.
func refuse(req *intake.Request, line *lineproto.Line, part *lineproto.Refusal) {
	why := reasonOf(part.Err)
	if req.Explains() && part.Field != nil {
		why = &intake.Refusal{Reason: why.Reason, Err: fmt.Errorf("field %.64q: %w", part.Field, why.Err)}
	}
	req.Refuse(why, part.Count, line.Number, line.Text)
}

var refuseString = &intake.Refusal{Reason: intake.Unsupported, Err: lineproto.ErrString}

// reasonOf returns the reason for an error of the parser.
func reasonOf(err error) *intake.Refusal {
	var why *intake.Refusal
	switch {
	case err == lineproto.ErrString:
		return refuseString
	case errors.As(err, &why):
		return why
	}
	return &intake.Refusal{Reason: intake.Invalid, Err: err}
}
