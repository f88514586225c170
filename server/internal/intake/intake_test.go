package intake

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sydradb/sydradb"
	"github.com/sydradb/sydradb/server/internal/dbtest"
)

// now is the time of all tests.
var now = time.Date(2023, 9, 9, 22, 53, 20, 0, time.UTC)

// seen is what an observer was told.
type seen struct{ calls []string }

func (s *seen) Observe(protocol string, accepted int, rejected map[Reason]int) {
	s.calls = append(s.calls, fmt.Sprint(protocol, accepted, " ", rejected))
}

// open returns an Intake over a new database, and what its observer is told.
func open(t testing.TB, o sydradb.Options, l Limits) (*Intake, *seen) {
	t.Helper()
	db := dbtest.Open(t, o)
	observer := new(seen)
	in := New(db, l, observer)
	in.now = func() time.Time { return now }
	return in, observer
}

func resolve(t testing.TB, r *Request, name string, tags ...sydradb.Tag) *sydradb.Series {
	t.Helper()
	s, err := r.Series(name, tags, now.UnixNano())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// points returns all that is stored under a selector, as "series ts value".
func points(t testing.TB, db *sydradb.DB, selector string) []string {
	t.Helper()
	sel, err := sydradb.ParseSelector(selector)
	if err != nil {
		t.Fatal(err)
	}
	it, err := db.Query(t.Context(), sydradb.Query{Selector: sel, Start: sydradb.MinTime, End: sydradb.MaxTime})
	if err != nil {
		t.Fatal(err)
	}
	defer it.Close()
	var out []string
	for it.Next() {
		b := it.Block()
		for i, ts := range b.Times {
			out = append(out, fmt.Sprintf("%v %d %v", b.Series, ts-now.UnixNano(), b.Values[i]))
		}
	}
	if err := it.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

func expect(t testing.TB, what string, got, want any) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s:\n%v\nwant\n%v", what, got, want)
	}
}

func TestRequest(t *testing.T) {
	in, observer := open(t, sydradb.Options{}, DefaultLimits())
	r := in.Begin("influx")
	expect(t, "time of the request", r.Now(), now.UnixNano())
	a := resolve(t, r, "a", sydradb.Tag{Key: "k", Value: "v"})
	hour := int64(time.Hour)
	at := now.UnixNano()
	r.At(3, []byte("a,k=v 1"))
	for _, tt := range []struct {
		ts int64
		ok bool
	}{{at, true}, {at + hour, true}, {at + hour + 1, false}, {sydradb.MinTime, true}, {sydradb.MinTime - 1, false}, {sydradb.MaxTime, false}} {
		if ok := r.Add(a, tt.ts, 1); ok != tt.ok {
			t.Errorf("Add at %d = %v", tt.ts, ok)
		}
		if why := r.CheckTime(tt.ts); (why == nil) != tt.ok {
			t.Errorf("CheckTime(%d) = %v", tt.ts, why)
		}
	}
	r.Refuse(&Refusal{Unsupported, errors.New("strings are not stored")}, 2, 7, []byte(strings.Repeat("ü\n", 40)))
	r.Refuse(&Refusal{Exemplar, errors.New("exemplars are not stored")}, 5, 0, nil)
	r.Round(2)
	expect(t, "points stored before Commit", points(t, in.DB(), "a"), "[]")
	expect(t, "accepted before Commit", r.Accepted(), 0)
	expect(t, "points to store", r.Len(), 3)
	if err := r.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	expect(t, "accepted", r.Accepted(), 3)
	expect(t, "refused", r.Refused(), 10)
	expect(t, "rounded", r.Rounded(), 2)
	expect(t, "rejected", r.Rejected(), map[string]int{"bad_request": 1, "exemplar": 5, "too_far_in_future": 2, "unsupported_value": 2})
	expect(t, "errors", strings.Join(r.Errors(), "\n"), `line 3: time is too far in the future: "a,k=v 1"
line 3: time is before 1823-11-12, the first that is accepted: "a,k=v 1"
line 3: time is too far in the future: "a,k=v 1"
line 7: strings are not stored: "`+strings.Repeat(`ü\n`, 21)+`\xc3"...
exemplars are not stored`)
	r.End()
	expect(t, "observed", observer.calls, "[influx3 map[bad_request:1 exemplar:5 too_far_in_future:2 unsupported_value:2]]")
	expect(t, "points stored", len(points(t, in.DB(), "a")), 3)

	// Nothing is left of it in the next one.
	r = in.Begin("otlp")
	defer r.End()
	expect(t, "next", fmt.Sprint(r.Len(), r.Accepted(), r.Refused(), r.Rounded(), r.Rejected(), r.Errors(), r.line), "0 0 0 0 map[] [] 0")
	if !r.Add(a, at+1, 5) {
		t.Error("the next request adds nothing")
	}
	if err := r.Commit(t.Context()); err != nil || r.Accepted() != 1 {
		t.Errorf("the next request: %d, %v", r.Accepted(), err)
	}
}

func TestExplanationsEnd(t *testing.T) {
	in, _ := open(t, sydradb.Options{}, DefaultLimits())
	r := in.Begin("influx")
	defer r.End()
	for range 25 {
		r.Refuse(refusePast, 1, 1, nil)
	}
	expect(t, "explained", len(r.Errors()), 10)
	expect(t, "refused", r.Refused(), 25)
	text := []byte("x")
	if n := testing.AllocsPerRun(100, func() { r.Refuse(refusePast, 1, 1, text) }); n != 0 {
		t.Errorf("%v allocations for what is not explained", n)
	}
}

func TestLabelLimits(t *testing.T) {
	in, _ := open(t, sydradb.Options{}, Limits{MaxLabels: 2, MaxLabelName: 3, MaxLabelValue: 5})
	tag := func(k, v string) sydradb.Tag { return sydradb.Tag{Key: k, Value: v} }
	for _, tt := range []struct {
		name   string
		tags   []sydradb.Tag
		reason Reason // "" if it is fine
	}{
		{"abcde", []sydradb.Tag{tag("abc", "abcde"), tag("b", "x")}, ""},
		{"abcdef", nil, LabelLimit},
		{"a", []sydradb.Tag{tag("abcd", "x")}, LabelLimit},
		{"a", []sydradb.Tag{tag("a", "abcdef")}, LabelLimit},
		{"a", []sydradb.Tag{tag("a", "x"), tag("b", "x"), tag("c", "x")}, LabelLimit},
		{"a", []sydradb.Tag{tag("a", "x"), tag("b", "x"), tag("c", "")}, ""},
		{"", nil, Invalid},
		{"a", []sydradb.Tag{tag("a", "x"), tag("a", "y")}, Invalid},
		{"a", []sydradb.Tag{tag("a", "\xff")}, Invalid},
	} {
		r := in.Begin("otlp")
		s, err := r.Series(tt.name, tt.tags, now.UnixNano())
		var why *Refusal
		if tt.reason == "" && err != nil || tt.reason != "" && (!errors.As(err, &why) || why.Reason != tt.reason) {
			t.Errorf("series %q %v: %v, want %q", tt.name, tt.tags, err, tt.reason)
		}
		if s != nil && !r.Add(s, now.UnixNano(), 1) {
			t.Errorf("series %q takes no point", tt.name)
		}
		if err := r.Commit(t.Context()); err != nil {
			t.Error(err)
		}
		r.End()
	}
	if _, err := in.Begin("otlp").SeriesByID(7, []sydradb.Tag{tag("abcd", "x")}); err == nil {
		t.Error("SeriesByID takes a long tag")
	}
	expect(t, "stored", len(points(t, in.DB(), "{}")), 2)
}

func TestSeriesLimit(t *testing.T) {
	in, _ := open(t, sydradb.Options{MaxSeries: 1}, DefaultLimits())
	for ts := range int64(2) {
		r := in.Begin("influx")
		r.Add(resolve(t, r, "a"), ts, 1)
		var why *Refusal
		if _, err := r.Series("b", nil, 0); !errors.As(err, &why) || why.Reason != SeriesLimit {
			t.Fatalf("one series too many: %v", err)
		} else {
			r.Refuse(why, 1, 1, nil)
		}
		if err := r.Commit(t.Context()); err != nil || r.Accepted() != 1 {
			t.Errorf("accepted %d, %v", r.Accepted(), err)
		}
		expect(t, "rejected", r.Rejected(), "map[series_limit:1]")
		r.End()
	}
	expect(t, "stored", len(points(t, in.DB(), "{}")), 2)
}

func TestTooOld(t *testing.T) {
	in, _ := open(t, sydradb.Options{
		Retention: time.Hour, NamespaceRetention: map[string]time.Duration{"long": 0},
	}, Limits{})
	if err := in.DB().Retain(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	horizon := in.DB().Horizon("a")
	if horizon == sydradb.MinTime {
		t.Fatal("no horizon")
	}
	r := in.Begin("influx")
	defer r.End()
	a, err := r.Series("a", nil, horizon)
	if err != nil {
		t.Fatal(err)
	}
	long := resolve(t, r, "long.b")
	for i := range int64(20) {
		r.Add(a, horizon-1-i, 1)
		r.Add(long, horizon-1-i, 1)
	}
	r.Add(a, horizon, 1)
	if err := r.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	expect(t, "accepted", r.Accepted(), 21)
	expect(t, "rejected", r.Rejected(), "map[too_old:20]")
	if got := r.Errors(); len(got) != 10 || !strings.Contains(got[0], "older than what retention keeps") {
		t.Errorf("errors %q", got)
	}
}

// Series of which no point can be stored take no room from others.
func TestTooOldForAnySeries(t *testing.T) {
	in, _ := open(t, sydradb.Options{MaxSeries: 1, Retention: time.Hour}, Limits{})
	if err := in.DB().Retain(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	r := in.Begin("influx")
	defer r.End()
	for range 20 {
		_, err := r.Series("old", nil, in.DB().Horizon("old")-1)
		var why *Refusal
		if !errors.As(err, &why) || why.Reason != TooOld || !errors.Is(why, sydradb.ErrTooOld) {
			t.Fatalf("a series for an old point: %v", err)
		}
		r.Refuse(why, 1, 0, nil)
	}
	if _, err := r.Series("new", nil, time.Now().UnixNano()); err != nil {
		t.Error(err)
	}
	expect(t, "rejected", r.Rejected(), "map[too_old:20]")
}

func TestCommitFails(t *testing.T) {
	in, _ := open(t, sydradb.Options{}, DefaultLimits())
	r := in.Begin("influx")
	a := resolve(t, r, "a")
	r.Add(a, 1, 1)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	switch err := r.Commit(ctx); {
	case err == nil && r.Accepted() == 1: // its turn came at once
	case errors.Is(err, context.Canceled) && r.Accepted() == 0:
	default:
		t.Errorf("a context that has ended: %d accepted, %v", r.Accepted(), err)
	}
	r.End()
	if err := in.DB().Close(); err != nil {
		t.Fatal(err)
	}
	r = in.Begin("influx")
	defer r.End()
	var why *Refusal
	if _, err := r.Series("b", nil, 0); !errors.As(err, &why) {
		t.Errorf("Series of a closed database: %v", err)
	}
	if err := r.Commit(t.Context()); !errors.Is(err, sydradb.ErrClosed) {
		t.Errorf("Commit to a closed database: %v", err)
	}
	expect(t, "accepted", r.Accepted(), 0)
}

// A series may lose its last point, and its room, after it was resolved: only its own points
// are refused then.
func TestSeriesThatLostItsRoom(t *testing.T) {
	in, _ := open(t, sydradb.Options{MaxSeries: 2}, Limits{})
	db := in.DB()
	r := in.Begin("influx")
	a, b := resolve(t, r, "a", sydradb.Tag{Key: "k", Value: "v"}), resolve(t, r, "b")
	r.Add(a, 1, 1)
	r.Add(b, 1, 1)
	if err := r.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.End()
	sel, err := sydradb.ParseSelector("a")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Delete(t.Context(), sel, sydradb.MinTime, sydradb.MaxTime); err != nil {
		t.Fatal(err)
	}
	if err := db.Compact(t.Context()); err != nil {
		t.Fatal(err)
	}
	r = in.Begin("influx")
	defer r.End()
	r.Add(resolve(t, r, "c"), 2, 1)
	for i := range int64(3) {
		r.Add(a, 2+i, 1)
		r.Add(b, 2+i, 1)
	}
	if err := r.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	expect(t, "accepted", r.Accepted(), 4)
	expect(t, "rejected", r.Rejected(), "map[series_limit:3]")
	expect(t, "errors", len(r.Errors()), 3)
}

func TestTooLarge(t *testing.T) {
	in, _ := open(t, sydradb.Options{}, Limits{})
	r := in.Begin("influx")
	a := resolve(t, r, "a")
	for i := range int64(MaxPoints + 1) {
		if !r.Add(a, i, 1) {
			t.Fatal("a point is refused")
		}
	}
	expect(t, "points kept", r.Len(), MaxPoints)
	if err := r.Commit(t.Context()); !errors.Is(err, sydradb.ErrTooLarge) {
		t.Errorf("one point too many: %v", err)
	}
	r.End()
	r = in.Begin("influx")
	r.resolved = maxResolved - 3 // as if by many large tags
	resolve(t, r, "abc")
	if r.Add(a, 1, 1); r.Commit(t.Context()) != nil {
		t.Error("as much to resolve as is allowed is too much")
	}
	r.End()
	r = in.Begin("influx")
	r.resolved = maxResolved - 3
	if _, err := r.Series("abcd", nil, 0); err == nil {
		t.Error("too much is resolved")
	}
	r.Add(a, 1, 2)
	if err := r.Commit(t.Context()); !errors.Is(err, sydradb.ErrTooLarge) {
		t.Errorf("too much to resolve: %v", err)
	}
	r.End()
	expect(t, "stored", points(t, in.DB(), "a"), fmt.Sprintf("[a %d 1]", 1-now.UnixNano()))
}

func TestAddIsFree(t *testing.T) {
	in, _ := open(t, sydradb.Options{}, DefaultLimits())
	r := in.Begin("influx")
	a := resolve(t, r, "a")
	for ts := range int64(10000) {
		r.Add(a, ts, 1)
	}
	r.End()
	if n := testing.AllocsPerRun(10, func() {
		r := in.Begin("influx")
		for ts := range int64(1000) {
			r.Add(a, ts, 1)
		}
		r.End()
	}); n > 10 { // the collector may empty the pool
		t.Errorf("%v allocations for 1000 points", n)
	}
}

func BenchmarkAdd(b *testing.B) {
	in, _ := open(b, sydradb.Options{}, DefaultLimits())
	r := in.Begin("influx")
	a := resolve(b, r, "a")
	r.End()
	n := 0
	for b.Loop() {
		r := in.Begin("influx")
		for ts := range int64(1000) {
			r.Add(a, ts, 1)
		}
		n += r.Len()
		r.End()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/point")
}
