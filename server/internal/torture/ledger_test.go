//go:build linux

package torture

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
)

// ledger is the record of what one client sent and what it was answered: a file outside of the
// data directory, synced with every line, and the points that follow from it. A client sends
// one request after the other. Not for concurrent use.
type ledger struct {
	file   *os.File
	grid   grid
	next   int               // number of the next request
	cells  map[string][]cell // by series, and number of the point
	open   []*request        // those of which nobody knows yet whether they count, in order
	acked  int               // requests
	points int               // in acknowledged requests
}

// grid says which points a ledger is about. It is the first line of the file.
type grid struct {
	Client string `json:"client"`
	Start  int64  `json:"start"` // time of point 0, in nanoseconds
	Step   int64  `json:"step"`  // between two points, in nanoseconds
	Values string `json:"values"`
}

// What values a protocol carries: any bits, all but NaNs with other bits than the usual ones,
// finite numbers.
const (
	anyBits = "any"
	plain   = "plain"
	finite  = "finite"
)

// request is what one request does to which points.
type request struct {
	No     int   `json:"no"`
	Delete bool  `json:"delete,omitempty"` // instead of writing
	Runs   []run `json:"runs"`

	failed bool // answered by an error that says nothing about the points
}

// run is a row of points of one series, from First on. Points that are written again have
// another version, and so another value.
type run struct {
	Series  string `json:"series"` // as text: name{key="value",...}, keys in order
	First   int    `json:"first"`
	Count   int    `json:"count"`
	Version int    `json:"version,omitempty"`
}

// line is one line of the file after the first.
type line struct {
	Intent *request `json:"intent,omitempty"`
	// How a request ended: in "acked", "refused" or "failed" by its answer, in "found" or "lost"
	// by what was read back.
	End string `json:"end,omitempty"`
	No  int    `json:"no,omitempty"`
}

// state is what can be read of a point.
type state struct {
	bits  uint64
	there bool
}

func (s state) String() string {
	if !s.there {
		return "nothing"
	}
	return fmt.Sprintf("%016x (%v)", s.bits, math.Float64frombits(s.bits))
}

// cell is a point: what it must be, and what requests without an answer may have made of it.
type cell struct {
	now   state
	since *request // that made it so; nil: none did
	later []change
}

func (c *cell) String() string {
	text := "nobody wrote it"
	if c.since != nil {
		text = fmt.Sprintf("request %d made it %v", c.since.No, c.now)
	}
	for _, ch := range c.later {
		text += fmt.Sprintf(", request %d without an answer may have made it %v", ch.by.No, ch.to)
	}
	return text
}

type change struct {
	by *request
	to state
}

// openLedger begins a ledger, or goes on with the one in that file.
func openLedger(t testing.TB, path string, g grid) *ledger {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	l := &ledger{file: f, grid: g, cells: map[string][]cell{}}
	r := bufio.NewReader(f)
	first, err := r.ReadBytes('\n')
	if err != nil { // a new file
		if err := l.append(g); err != nil {
			t.Fatal(err)
		}
		return l
	}
	if err := json.Unmarshal(first, &l.grid); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	for {
		text, err := r.ReadBytes('\n')
		if err != nil {
			return l
		}
		var n line
		if err := json.Unmarshal(text, &n); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		if n.Intent != nil {
			l.begin(n.Intent)
		} else {
			l.finish(n.No, n.End)
		}
	}
}

// append writes lines and syncs the file.
func (l *ledger) append(lines ...any) error {
	var text []byte
	for _, n := range lines {
		b, err := json.Marshal(n)
		if err != nil {
			return err
		}
		text = append(append(text, b...), '\n')
	}
	if _, err := l.file.Write(text); err != nil {
		return err
	}
	return l.file.Sync()
}

// intent notes that requests are about to be sent, and numbers them.
func (l *ledger) intent(requests ...*request) error {
	var lines []any
	for _, r := range requests {
		r.No = l.next
		l.begin(r)
		lines = append(lines, line{Intent: r})
	}
	return l.append(lines...)
}

// ack notes that a request was acknowledged: its points are there from now on, or gone.
func (l *ledger) ack(requests ...*request) error { return l.end("acked", requests) }

// refuse notes an answer which says that nothing was stored.
func (l *ledger) refuse(r *request) error { return l.end("refused", []*request{r}) }

// fail notes an answer after which the points may be there or not, whatever became of the
// requests before and after.
func (l *ledger) fail(r *request) error { return l.end("failed", []*request{r}) }

func (l *ledger) end(how string, requests []*request) error {
	var lines []any
	for _, r := range requests {
		l.finish(r.No, how)
		lines = append(lines, line{End: how, No: r.No})
	}
	return l.append(lines...)
}

// begin takes a request into the model.
func (l *ledger) begin(r *request) {
	l.next = r.No + 1
	l.open = append(l.open, r)
	l.each(r, func(c *cell, to state) { c.later = append(c.later, change{r, to}) })
}

// finish settles a request.
func (l *ledger) finish(no int, how string) {
	at := slices.IndexFunc(l.open, func(r *request) bool { return r.No == no })
	if at < 0 {
		return
	}
	r := l.open[at]
	if how == "failed" {
		r.failed = true
		return
	}
	l.open = slices.Delete(l.open, at, at+1)
	if how == "acked" {
		l.acked++
	}
	l.each(r, func(c *cell, to state) {
		i := slices.IndexFunc(c.later, func(ch change) bool { return ch.by == r })
		if i < 0 {
			return // settled together with a later one
		}
		if how == "refused" || how == "lost" {
			c.later = slices.Delete(c.later, i, i+1)
			return
		}
		c.now, c.since, c.later = to, r, c.later[i+1:]
		if how == "acked" {
			l.points++
		}
	})
}

// each calls do for every point of a request, with what the request makes of it.
func (l *ledger) each(r *request, do func(*cell, state)) {
	for _, run := range r.Runs {
		cells := l.cells[run.Series]
		if missing := run.First + run.Count - len(cells); missing > 0 {
			cells = append(cells, make([]cell, missing)...)
			l.cells[run.Series] = cells
		}
		for i := run.First; i < run.First+run.Count; i++ {
			to := state{}
			if !r.Delete {
				to = state{l.grid.bits(run.Series, i, run.Version), true}
			}
			do(&cells[i], to)
		}
	}
}

// time is that of point i, in nanoseconds.
func (g grid) time(i int) int64 { return g.Start + int64(i)*g.Step }

// awkward are values that something on the way might not like.
var awkward = []uint64{
	0, 1 << 63, // both zeros
	1, 1<<63 | 1, 0x000fffffffffffff, // denormal
	math.Float64bits(math.MaxFloat64), math.Float64bits(-math.MaxFloat64), 0x0010000000000000,
	math.Float64bits(0.1), math.Float64bits(1 << 53), math.Float64bits(1e22), math.Float64bits(123456789),
	0x7ff0000000000000, 0xfff0000000000000, 0x7ff8000000000001, // infinities, the usual NaN
	0x7ff0000000000002, 0xfff8000000000000, 0x7ff00000deadbeef, 0xffffffffffffffff, // other NaNs
}

// bits is the value of point i: anything at all, of what the protocol carries.
func (g grid) bits(series string, i, version int) uint64 {
	h := fnv.New64a()
	h.Write([]byte(series))
	rng := rand.New(rand.NewPCG(h.Sum64(), uint64(i)<<16|uint64(version)))
	for {
		v := rng.Uint64()
		switch rng.IntN(8) {
		case 0, 1:
			v = awkward[rng.IntN(len(awkward))]
		case 2, 3, 4: // such as is measured
			v = math.Float64bits(float64(rng.IntN(2_000_000)-1_000_000) / 64)
		}
		f := math.Float64frombits(v)
		switch {
		case g.Values == finite && (math.IsNaN(f) || math.IsInf(f, 0)):
		case g.Values == plain && math.IsNaN(f) && v != 0x7ff8000000000001:
		default:
			return v
		}
	}
}

// contents is what was read of a database: bits by series and time.
type contents map[string]map[int64]uint64

// verify compares what was read back with what must and may be there: acknowledged requests
// are there, whole; those without an answer wholly or not at all, in the order in which they were
// sent; nothing else is. What became of the latter is noted: they do not change any more.
func (l *ledger) verify(found contents) error {
	ends, err := l.compare(found)
	if err != nil || len(ends) == 0 {
		return err
	}
	var lines []any
	for _, e := range ends {
		l.finish(e.No, e.End)
		lines = append(lines, e)
	}
	return l.append(lines...)
}

// compare does so without noting anything. It returns what would be.
func (l *ledger) compare(found contents) (ends []line, err error) {
	var faults []error
	fault := func(format string, args ...any) {
		if len(faults) < 10 {
			faults = append(faults, fmt.Errorf("%s: "+format, append([]any{l.grid.Client}, args...)...))
		}
	}
	for series, cells := range l.cells {
		there := 0
		for i, c := range cells {
			got := l.grid.observed(found, series, i)
			if got.there {
				there++
			}
			if got != c.now && !slices.ContainsFunc(c.later, func(ch change) bool { return ch.to == got }) {
				fault("point %d (%d) of %s is %v; %v", i, l.grid.time(i), series, got, &c)
			}
		}
		if n := len(found[series]); n != there {
			fault("%d points of %s are at times that nobody sent", n-there, series)
		}
	}
	lost := -1
	for _, r := range l.open {
		yes, no := l.evidence(r, found)
		switch {
		case yes > 0 && no > 0:
			fault("request %d is there in part: %d of its points are, %d are not", r.No, yes, no)
		case yes > 0 && lost >= 0 && !r.failed:
			fault("request %d is there, and request %d before it is not", r.No, lost)
		case yes == 0 && no > 0:
			ends = append(ends, line{End: "lost", No: r.No})
			if !r.failed {
				lost = r.No
			}
			continue
		}
		ends = append(ends, line{End: "found", No: r.No})
	}
	return ends, errors.Join(faults...)
}

// observed is what was read of point i.
func (g grid) observed(found contents, series string, i int) state {
	bits, there := found[series][g.time(i)]
	return state{bits, there}
}

// evidence counts the points that show that a request without an answer was stored, and those
// that show that it was not.
func (l *ledger) evidence(r *request, found contents) (yes, no int) {
	for _, run := range r.Runs {
		for i := run.First; i < run.First+run.Count; i++ {
			switch l.cells[run.Series][i].tells(r, l.grid.observed(found, run.Series, i)) {
			case 1:
				yes++
			case -1:
				no++
			}
		}
	}
	return yes, no
}

// tells says what an observed state means for a request that has no answer: 1 for stored, -1
// for not stored, 0 if it could be both.
func (c *cell) tells(r *request, got state) int {
	at := slices.IndexFunc(c.later, func(ch change) bool { return ch.by == r })
	if at < 0 {
		return 0
	}
	before, after := c.now == got, false
	for i, ch := range c.later {
		if ch.to == got {
			before = before || i < at
			after = after || i > at
		}
	}
	switch mine := c.later[at].to == got; {
	case mine && !before && !after:
		return 1
	case before && !mine && !after:
		return -1
	}
	return 0
}
