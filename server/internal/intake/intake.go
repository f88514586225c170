package intake

import (
	"math"
	"sync"
	"time"

	"github.com/sydradb/sydradb"
)

// Reason says why points were rejected. It is a code for programs: in answers, and as a
// label of metrics.
type Reason string

// The reasons.
const (
	Invalid         Reason = "bad_request"       // not understood, or not a point that a database can hold
	TooOld          Reason = "too_old"           // older than what retention keeps
	TooFarInFuture  Reason = "too_far_in_future" // beyond Limits.MaxFuture
	SeriesLimit     Reason = "series_limit"      // a new series, and there are as many as are allowed
	LabelLimit      Reason = "label_limit"       // too many tags, or too long ones
	Unsupported     Reason = "unsupported_value" // strings and the like
	NativeHistogram Reason = "native_histogram"  // histograms that are one value
	Exemplar        Reason = "exemplar"          // exemplars of samples
)

// Limits are what a point must keep to. A zero stands for no limit.
type Limits struct {
	MaxFuture     time.Duration // how far ahead of the clock a time may be
	MaxLabels     int           // tags of a series, those without a value not counted
	MaxLabelName  int           // bytes of the key of a tag
	MaxLabelValue int           // bytes of the value of a tag, and of the name of a series
	MaxLine       int           // bytes of a line, of the protocols that have lines
}

// DefaultLimits are the limits of a server that is told nothing else.
func DefaultLimits() Limits {
	return Limits{MaxFuture: time.Hour, MaxLabels: 40, MaxLabelName: 256, MaxLabelValue: 4096, MaxLine: 256 << 10}
}

// Observer is told of each request when it ends. It must be safe for concurrent use, and
// must not keep the map.
type Observer interface {
	Observe(protocol string, accepted int, rejected map[Reason]int)
}

// Intake takes the points of requests for one database. It is safe for concurrent use.
type Intake struct {
	db       *sydradb.DB
	limits   Limits
	observer Observer
	now      func() time.Time
	requests sync.Pool
}

// New returns an Intake that stores in db. o may be nil.
func New(db *sydradb.DB, l Limits, o Observer) *Intake {
	return &Intake{db: db, limits: l, observer: o, now: time.Now}
}

// Limits returns the limits that were given to New.
func (in *Intake) Limits() Limits { return in.limits }

// DB returns the database that was given to New.
func (in *Intake) DB() *sydradb.DB { return in.db }

// Begin returns an empty request. protocol is a short constant, a label of metrics:
// "ndjson", "influx", "remote_write_1", "remote_write_2", "otlp" or "import". The caller
// must call End.
func (in *Intake) Begin(protocol string) *Request {
	r, ok := in.requests.Get().(*Request)
	if !ok {
		r = &Request{in: in, batch: in.db.NewBatch(), rejected: make(map[Reason]int)}
	}
	r.protocol = protocol
	r.now = in.now().UnixNano()
	r.latest = sydradb.MaxTime
	if ahead := int64(in.limits.MaxFuture); ahead > 0 && r.now < math.MaxInt64-ahead {
		r.latest = min(r.latest, r.now+ahead)
	}
	return r
}
