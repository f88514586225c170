package client_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/sydradb/sydradb"
	"github.com/sydradb/sydradb/server/internal/client"
	"github.com/sydradb/sydradb/server/internal/dbtest"
	"github.com/sydradb/sydradb/server/internal/ingest"
	"github.com/sydradb/sydradb/server/internal/intake"
	"github.com/sydradb/sydradb/server/internal/native"
	"github.com/sydradb/sydradb/server/internal/ndjson"
	"github.com/sydradb/sydradb/server/internal/render"
	"github.com/sydradb/sydradb/server/internal/web"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// newServer returns a database, and a client of a server of it.
func newServer(t testing.TB) (*sydradb.DB, *client.Client) {
	t.Helper()
	db := dbtest.Open(t, sydradb.Options{})
	s := web.New(web.Config{})
	limits := native.Limits{Points: 15_000}
	if err := s.Mount(false, native.Routes(native.Config{DB: db, Limits: limits}), ndjson.Routes(intake.New(db, intake.DefaultLimits(), nil))); err != nil {
		t.Fatal(err)
	}
	return db, newClient(t, s)
}

func newClient(t testing.TB, handler http.Handler) *client.Client {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	c, err := client.New(client.Options{URL: server.URL, Token: "secret"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func everything(t testing.TB) sydradb.Query {
	t.Helper()
	sel, err := sydradb.ParseSelector("{}")
	if err != nil {
		t.Fatal(err)
	}
	return sydradb.Query{Selector: sel, Start: sydradb.MinTime, End: sydradb.MaxTime}
}

// text returns blocks as --format json prints them.
func text(t *testing.T, read func(do func(render.Block) error) error) string {
	t.Helper()
	var out strings.Builder
	w, err := render.New(render.JSON, &out)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(read(w.Write), w.Close()); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// What a Writer stores is what Points reads, bit by bit.
func TestRoundTrip(t *testing.T) {
	ctx := context.Background()
	db, c := newServer(t)
	w, err := c.NewWriter(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	named, err := w.Series("odd name|\"\n", sydradb.Tag{Key: "tag,\\", Value: "värde}"})
	if err != nil {
		t.Fatal(err)
	}
	nameless, err := w.SeriesByID(math.MaxUint64, sydradb.Tag{Key: "room", Value: "hall"})
	if err != nil {
		t.Fatal(err)
	}
	var b sydradb.Batch
	for i, v := range []float64{1, math.Copysign(0, -1), math.Inf(1), math.Inf(-1), math.NaN(), math.Float64frombits(0x7ff0000000000002), math.SmallestNonzeroFloat64, math.MaxFloat64, 0.1} {
		b.Add(named, int64(i)*333_333_333-1e18, v)
		b.Add(nameless, int64(i), v)
	}
	b.Add(nameless, sydradb.MinTime, 5)
	if err := w.Write(ctx, &b); err != nil {
		t.Fatal(err)
	}
	if err := w.Write(ctx, &b); err != nil { // is harmless
		t.Fatal(err)
	}
	q := everything(t)
	got := text(t, func(do func(render.Block) error) error { return c.Points(ctx, q, do) })
	want := text(t, func(do func(render.Block) error) error {
		it, err := db.Query(ctx, q)
		if err != nil {
			return err
		}
		defer it.Close()
		for it.Next() {
			b := it.Block()
			if err := do(render.Block{Series: b.Series, Times: b.Times, Values: b.Values}); err != nil {
				return err
			}
		}
		return it.Err()
	})
	if got != want || strings.Count(got, "[-") < 9 || !strings.Contains(got, "NaN:7ff0000000000002") {
		t.Errorf("read through the server:\n%s\nwant:\n%s", got, want)
	}
	found, err := c.Find(ctx, q.Selector, q.Start, q.End)
	if err != nil || len(found) != 2 || !render.Nameless(found[1]) && !render.Nameless(found[0]) {
		t.Errorf("%v, error %v", found, err)
	}
	if found, err = c.Find(ctx, sydradb.Selector{IDs: []sydradb.SeriesID{math.MaxUint64}}, 0, 0); err != nil || len(found) != 1 || found[0].ID() != math.MaxUint64 {
		t.Errorf("%v, error %v", found, err)
	}
	enough := errors.New("enough")
	if err := c.Points(ctx, q, func(render.Block) error { return enough }); err != enough {
		t.Errorf("an error of the caller came back as %v", err)
	}
}

func TestDeclined(t *testing.T) {
	ctx := context.Background()
	db, c := newServer(t)
	w, err := c.NewWriter(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	s, err := w.Series("a")
	if err != nil {
		t.Fatal(err)
	}
	var b sydradb.Batch
	b.Add(s, sydradb.MaxTime, 1)
	var declined *ingest.DeclinedError
	if err := w.Write(ctx, &b); !errors.As(err, &declined) || declined.Points != 1 || len(declined.Why) != 1 || strings.HasPrefix(declined.Why[0], "line") {
		t.Errorf("%+v, error %v", declined, err)
	}
	b.Add(s, 1, 1)
	if err := w.Write(ctx, &b); !errors.As(err, &declined) || declined.Points != 1 || len(declined.Why) != 1 {
		t.Errorf("%+v, error %v", declined, err)
	}
	if n := db.Stats().MemtablePoints; n != 1 {
		t.Errorf("%d points were stored, want 1", n)
	}
}

// A limit that is reached in the midst of an answer is an error with its reason.
func TestAnswerBreaksOff(t *testing.T) {
	ctx := context.Background()
	db, c := newServer(t)
	b := db.NewBatch()
	for i := range 3 {
		s, err := db.Series("a", sydradb.Tag{Key: "n", Value: fmt.Sprint(i)})
		if err != nil {
			t.Fatal(err)
		}
		for ts := range int64(10_000) {
			b.Add(s, ts*1e9, 0.125)
		}
	}
	if err := db.Write(ctx, b); err != nil {
		t.Fatal(err)
	}
	n := 0
	err := c.Points(ctx, everything(t), func(b render.Block) error {
		n += len(b.Times)
		return nil
	})
	var refused *client.Error
	if !errors.Is(err, sydradb.ErrLimit) || !errors.As(err, &refused) || refused.Code != "query_limit" {
		t.Errorf("after %d points: %v", n, err)
	}
}

// Each of these answers is an error, whatever came before.
func TestBrokenAnswers(t *testing.T) {
	const whole = `{"series":"a","tags":{},"points":[[1,2]]}` + "\n"
	for name, tt := range map[string]struct {
		answer string
		abort  bool
		words  string
	}{
		"cut between lines":  {whole, true, "broke off"},
		"cut in a line":      {whole + `{"series":"a"`, true, "broke off"},
		"end in a line":      {whole + `{"series":"a"`, false, "broke off"},
		"an error at last":   {whole + `{"error":{"code":"corrupt_data","message":"bad block"}}` + "\n", true, "bad block"},
		"not JSON":           {"<html>\n", false, "does not understand"},
		"no points":          {`{"series":"a","tags":{},"points":[]}` + "\n", false, "without points"},
		"no tags":            {`{"series":"a","points":[[1,2]]}` + "\n", false, "without tags"},
		"half a point":       {`{"series":"a","tags":{},"points":[[1]]}` + "\n", false, "not [time, value]"},
		"a point like none":  {`{"series":"a","tags":{},"points":[[null,true]]}` + "\n", false, "does not understand"},
		"an id like none":    {`{"series_id":-1,"series":"a","tags":{},"points":[[1,2]]}` + "\n", false, "series_id"},
		"a number too large": {`{"series":"a","tags":{},"points":[[1,1e999]]}` + "\n", false, "does not understand"},
		"a list":             {"[1]\n", false, "without tags"},
	} {
		c := newClient(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, tt.answer)
			if tt.abort {
				_ = http.NewResponseController(w).Flush()
				panic(http.ErrAbortHandler)
			}
		}))
		err := c.Points(context.Background(), everything(t), func(render.Block) error { return nil })
		if err == nil || !strings.Contains(err.Error(), tt.words) {
			t.Errorf("%s: %v, want %q", name, err, tt.words)
		}
	}
}

func TestErrors(t *testing.T) {
	for _, tt := range []struct {
		status int
		body   string
		want   error
		text   string
	}{
		{503, `{"error":{"code":"disk_full","message":"no room","accepted":0,"rejected":{}}}`, sydradb.ErrDiskFull, "no room"},
		{500, `{"error":{"code":"corrupt_data","message":"bad"}}`, sydradb.ErrCorrupt, "bad"},
		{503, `{"status":"error","errorType":"unavailable","error":"the server is starting"}`, nil, "the server is starting"},
		{404, "<html>not here</html>", nil, "answered 404 Not Found"},
		{302, "", nil, "answered 302 Found"},
	} {
		c := newClient(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") != "Bearer secret" {
				t.Errorf("Authorization %q", r.Header.Get("Authorization"))
			}
			w.Header().Set("Location", "/elsewhere")
			w.Header().Set("Retry-After", "7")
			w.WriteHeader(tt.status)
			_, _ = io.WriteString(w, tt.body)
		}))
		_, err := c.Flush(context.Background())
		var refused *client.Error
		if !errors.As(err, &refused) || refused.Status != tt.status || refused.RetryAfter.Seconds() != 7 || !strings.Contains(err.Error(), tt.text) {
			t.Errorf("%d %s: %v", tt.status, tt.body, err)
		}
		if tt.want != nil && !errors.Is(err, tt.want) {
			t.Errorf("%v does not match %v", err, tt.want)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	for _, url := range []string{"", "localhost:8080", "ftp://x", "http://", "http://u:secret@x", "http://x?token=secret", "://"} {
		if _, err := client.New(client.Options{URL: url}); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v", url, err)
		}
	}
	if _, err := client.New(client.Options{URL: "http://x", Token: "a b"}); err == nil {
		t.Error("a token with a space")
	}
}

func TestAdmin(t *testing.T) {
	ctx := context.Background()
	db, c := newServer(t)
	s, err := db.Series("a", sydradb.Tag{Key: "k", Value: "v"})
	if err != nil {
		t.Fatal(err)
	}
	b := db.NewBatch()
	b.Add(s, 1, 1)
	if err := db.Write(ctx, b); err != nil {
		t.Fatal(err)
	}
	if done, err := c.Flush(ctx); err != nil || done.Points != 1 {
		t.Errorf("%+v, error %v", done, err)
	}
	if _, err := c.Compact(ctx); err != nil {
		t.Error(err)
	}
	if done, err := c.Retain(ctx, true); err != nil || len(done.Kept) != 1 {
		t.Errorf("%+v, error %v", done, err)
	}
	stats, err := c.Stats(ctx)
	if want := db.Stats(); err != nil || !reflect.DeepEqual(stats, want) {
		t.Errorf("%+v\nwant\n%+v\nerror %v", stats, want, err)
	}
	if top, err := c.TopTags(ctx, 3); err != nil || len(top) != 1 || top[0].Name != "k" {
		t.Errorf("%+v, error %v", top, err)
	}
	if err := c.Delete(ctx, everything(t).Selector, sydradb.MinTime, sydradb.MaxTime); err != nil {
		t.Error(err)
	}
	if found, err := c.Find(ctx, everything(t).Selector, sydradb.MinTime, sydradb.MaxTime); err != nil || len(found) > 0 {
		t.Errorf("%v are left, error %v", found, err)
	}
	if _, err := c.Snapshot(ctx); err == nil {
		t.Error("a snapshot of a database in memory")
	}
	canceled, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := c.Stats(canceled); !errors.Is(err, context.Canceled) {
		t.Errorf("after the end of its context: %v", err)
	}
}
