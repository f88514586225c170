package intake

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/sydradb/sydradb"
	"github.com/sydradb/sydradb/server/internal/literal"
)

const (
	// MaxPoints bounds the batch of a request, at 32 bytes a point: twice the body at most.
	MaxPoints = 1 << 21
	// keptPoints is the size up to which a batch goes back to the pool.
	keptPoints = 1 << 17

	// maxResolved bounds what the names and tags take that a request asks Series for, since
	// lines that repeat large tags make much work of few bytes: that of 500,000 series with
	// 500 bytes each.
	maxResolved = 256 << 20

	maxExplained = 10
	maxReason    = 512 // bytes of an error in an explanation
	maxQuoted    = 64  // bytes of the input in it
)

var (
	errTooMany  = fmt.Errorf("%w: more than %d points in one request", sydradb.ErrTooLarge, MaxPoints)
	errResolved = fmt.Errorf("%w: the series of the request take more than %d MiB of names and tags", sydradb.ErrTooLarge, maxResolved>>20)

	errPast   = errors.New("time is before 1823-11-12, the first that is accepted")
	errFuture = errors.New("time is too far in the future")
)

// Refusal says why a point cannot be stored.
type Refusal struct {
	Reason Reason
	Err    error // for people
}

// Error returns the text of Err.
func (f *Refusal) Error() string { return f.Err.Error() }

// Unwrap returns Err.
func (f *Refusal) Unwrap() error { return f.Err }

var (
	refusePast   = &Refusal{Invalid, errPast}
	refuseFuture = &Refusal{TooFarInFuture, errFuture}
	refuseOld    = &Refusal{TooOld, sydradb.ErrTooOld}

	refuseResolved = &Refusal{Invalid, errResolved}
)

// ErrFuture is the *Refusal of a point after [Request.Latest].
var ErrFuture error = refuseFuture

// Request collects the points of one request. It is for one goroutine, and must not be
// used after End.
type Request struct {
	in       *Intake
	protocol string
	batch    *sydradb.Batch
	peak     int   // points of batch before some were dropped
	now      int64 // when it began, in Unix nanoseconds
	latest   int64 // greatest time that is accepted

	line int    // where the points of Add stand, see At
	text []byte // what is there

	accepted int // points that Commit stored
	rejected map[Reason]int
	refused  int // sum of rejected
	rounded  int
	errors   []string
	resolved int   // bytes of names and tags that Series was asked for
	tooLarge error // more points, or more to resolve, than a request may have
	fault    error // of the database, from Series: nothing can be stored
}

// Now returns the time at which the request began, in Unix nanoseconds: that of points
// which come without one.
func (r *Request) Now() int64 { return r.now }

// Latest returns the greatest time that Add takes, in Unix nanoseconds.
func (r *Request) Latest() int64 { return r.latest }

// Series resolves a series, which must be within the limits. The slice is not kept. The
// handle may be cached, and used by other requests, until the database is closed.
//
// newest is the time of the newest point that is to be added to the series, in Unix
// nanoseconds. If even that is older than what retention keeps, the series is not resolved:
// it would take up room for as long as the database is open, and never have a point.
//
// The error is always a *Refusal, for the caller to pass to Refuse. If it comes from a
// database that takes no series at all, Commit will return it, too.
func (r *Request) Series(name string, tags []sydradb.Tag, newest int64) (*sydradb.Series, error) {
	if why := r.check(name, tags); why != nil {
		return nil, why
	}
	if horizon := r.in.db.Horizon(name); newest < horizon {
		return nil, r.tooOld(name, newest, horizon)
	}
	s, err := r.in.db.Series(name, tags...)
	if err != nil {
		return nil, r.resolveError(err)
	}
	return s, nil
}

// SeriesByID is Series for a series that the input names by its id. It has the same errors.
func (r *Request) SeriesByID(id sydradb.SeriesID, tags []sydradb.Tag) (*sydradb.Series, error) {
	if why := r.check("", tags); why != nil {
		return nil, why
	}
	s, err := r.in.db.SeriesByID(id, tags...)
	if err != nil {
		return nil, r.resolveError(err)
	}
	return s, nil
}

func (r *Request) resolveError(err error) *Refusal {
	switch {
	case errors.Is(err, sydradb.ErrSeriesLimit):
		return &Refusal{SeriesLimit, err}
	case !errors.Is(err, sydradb.ErrInvalidSeries) && r.fault == nil:
		r.fault = err
	}
	return &Refusal{Invalid, err}
}

// check returns why a series is not looked up, nil if it is.
func (r *Request) check(name string, tags []sydradb.Tag) *Refusal {
	size, err := r.in.limits.check(name, tags)
	if err != nil {
		return &Refusal{LabelLimit, err}
	}
	if r.resolved += size; r.resolved > maxResolved {
		r.tooLarge = errResolved
		return refuseResolved
	}
	return nil
}

// check returns what is too long or too much about a series, and else its size in bytes. It
// looks at no more tags than are allowed.
func (l *Limits) check(name string, tags []sydradb.Tag) (size int, err error) {
	if over(len(name), l.MaxLabelValue) {
		return 0, fmt.Errorf("the name of the series takes %d bytes, at most %d are allowed", len(name), l.MaxLabelValue)
	}
	size = len(name)
	n := 0
	for i := range tags {
		t := &tags[i]
		if t.Value == "" {
			continue
		}
		n++
		switch {
		case over(n, l.MaxLabels):
			return 0, fmt.Errorf("more than %d tags", l.MaxLabels)
		case over(len(t.Key), l.MaxLabelName):
			return 0, fmt.Errorf("the key of a tag takes %d bytes, at most %d are allowed", len(t.Key), l.MaxLabelName)
		case over(len(t.Value), l.MaxLabelValue):
			return 0, fmt.Errorf("the value of tag %q takes %d bytes, at most %d are allowed", t.Key, len(t.Value), l.MaxLabelValue)
		}
		size += len(t.Key) + len(t.Value)
	}
	return size, nil
}

func over(n, limit int) bool { return limit > 0 && n > limit }

// At says where in the input the next points of Add stand: a number of a line, from 1, 0
// for none, and the text there, which must not change until Add was called for them. It is
// for explanations only.
func (r *Request) At(line int, text []byte) { r.line, r.text = line, text }

// Add takes a point at ts, in Unix nanoseconds. False means that its time is out of range,
// and that it was refused and counted.
func (r *Request) Add(s *sydradb.Series, ts int64, v float64) bool {
	if ts > r.latest || ts < sydradb.MinTime || r.batch.Len() >= MaxPoints {
		return r.addRare(s, ts, v)
	}
	r.batch.Add(s, ts, v)
	return true
}

// addRare is Add for a point that is not one more of a batch with room.
func (r *Request) addRare(s *sydradb.Series, ts int64, v float64) bool {
	if why := r.CheckTime(ts); why != nil {
		r.Refuse(why, 1, r.line, r.text)
		return false
	}
	r.Overflow()
	return true
}

// Overflow makes Commit fail for too many points, for protocols that would otherwise hold
// more than MaxPoints of them before they call Add.
func (r *Request) Overflow() { r.tooLarge = errTooMany }

// CheckTime returns why a point at ts, in Unix nanoseconds, cannot be stored; nil if it can.
// It is for protocols that would otherwise register a series for nothing.
func (r *Request) CheckTime(ts int64) *Refusal {
	switch {
	case ts < sydradb.MinTime:
		return refusePast
	case ts > r.latest:
		return refuseFuture
	}
	return nil
}

// tooOld returns the refusal of a point at ts, of which what is a name for people.
func (r *Request) tooOld(what string, ts, horizon int64) *Refusal {
	if !r.Explains() {
		return refuseOld
	}
	return &Refusal{TooOld, fmt.Errorf("%s: %s is %w, which begins at %s",
		what, literal.AppendClock(nil, ts), sydradb.ErrTooOld, literal.AppendClock(nil, horizon))}
}

// Explains reports whether the next call of Refuse would be explained. If not, all that
// matters of its arguments is the reason and the number.
func (r *Request) Explains() bool { return len(r.errors) < maxExplained }

// Refuse counts n points that are not taken, all for the same reason. The first ten calls
// are explained, with the number of the line, from 1, if it is not 0, and the beginning of
// text, if there is any. Nothing is kept of text.
func (r *Request) Refuse(why *Refusal, n int, line int, text []byte) {
	r.rejected[why.Reason] += n
	r.refused += n
	if !r.Explains() {
		return
	}
	var b []byte
	if line > 0 {
		b = append(b, "line "...)
		b = strconv.AppendInt(b, int64(line), 10)
		b = append(b, ": "...)
	}
	reason := why.Err.Error()
	b = append(b, strings.ToValidUTF8(reason[:min(len(reason), maxReason)], "")...)
	if len(text) > 0 {
		b = append(b, ": "...)
		b = strconv.AppendQuote(b, string(text[:min(len(text), maxQuoted)]))
		if len(text) > maxQuoted {
			b = append(b, "..."...)
		}
	}
	r.errors = append(r.errors, string(b))
}

// Round counts n accepted integers that no float64 can hold exactly.
func (r *Request) Round(n int) { r.rounded += n }

// Len returns the number of points that Commit would store.
func (r *Request) Len() int { return r.batch.Len() }

// Accepted returns the number of points that Commit stored, 0 before.
func (r *Request) Accepted() int { return r.accepted }

// Refused returns the number of points that were not taken, for whatever reason.
func (r *Request) Refused() int { return r.refused }

// Rounded returns the number of integers that were rounded, see Round.
func (r *Request) Rounded() int { return r.rounded }

// Rejected returns the numbers of points that were not taken, by reason, in a new map.
func (r *Request) Rejected() map[string]int {
	counts := make(map[string]int, len(r.rejected))
	for reason, n := range r.rejected {
		counts[string(reason)] = n
	}
	return counts
}

// Errors returns the explanations of the first points that were not taken, in a new slice,
// nil without any.
func (r *Request) Errors() []string { return append([]string(nil), r.errors...) }

// End reports the request to the observer and gives it back for the next one.
func (r *Request) End() {
	in := r.in
	if in.observer != nil {
		in.observer.Observe(r.protocol, r.accepted, r.rejected)
	}
	if max(r.peak, r.batch.Len()) > keptPoints {
		r.batch = in.db.NewBatch()
	}
	r.batch.Reset()
	clear(r.rejected)
	clear(r.errors)
	*r = Request{in: in, batch: r.batch, rejected: r.rejected, errors: r.errors[:0]}
	in.requests.Put(r)
}
