package ndjson

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/sydradb/sydradb"
	"github.com/sydradb/sydradb/server/internal/dbtest"
	"github.com/sydradb/sydradb/server/internal/intake"
	"github.com/sydradb/sydradb/server/internal/web"
)

// seen is what an observer was told last.
type seen struct{ last string }

func (s *seen) Observe(protocol string, accepted int, rejected map[intake.Reason]int) {
	s.last = fmt.Sprint(protocol, " ", accepted, " ", rejected)
}

// serve returns the endpoint in its frame, and what its observer is told.
func serve(tb testing.TB, db *sydradb.DB, l intake.Limits) (*web.Server, *seen) {
	tb.Helper()
	s, observer := web.New(web.Config{}), new(seen)
	if err := s.Mount(false, Routes(intake.New(db, l, observer))); err != nil {
		tb.Fatal(err)
	}
	return s, observer
}

// send returns status and body of the answer.
func send(tb testing.TB, s *web.Server, query, body string) string {
	tb.Helper()
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest("POST", "/api/v1/ingest"+query, strings.NewReader(body)))
	return fmt.Sprintf("%d %s", w.Code, strings.TrimSpace(w.Body.String()))
}

// points returns all points of a database, as "series time value".
func points(tb testing.TB, db *sydradb.DB) (out []string) {
	tb.Helper()
	sel, err := sydradb.ParseSelector(`{__name__=~".*"}`)
	if err != nil {
		tb.Fatal(err)
	}
	it, err := db.Query(tb.Context(), sydradb.Query{Selector: sel, Start: sydradb.MinTime, End: sydradb.MaxTime})
	if err != nil {
		tb.Fatal(err)
	}
	defer it.Close()
	for it.Next() {
		b := it.Block()
		for i, ts := range b.Times {
			out = append(out, fmt.Sprintf("%v %d %v", b.Series, ts, b.Values[i]))
		}
	}
	if err := it.Err(); err != nil {
		tb.Fatal(err)
	}
	return out
}

func expect(tb testing.TB, what string, got, want any) {
	tb.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		tb.Errorf("%s:\n%v\nwant\n%v", what, got, want)
	}
}

const done = `200 {"ingested":1,"rejected":0,"errors":[]}`

func TestIngest(t *testing.T) {
	db := dbtest.Open(t, sydradb.Options{})
	s, observer := serve(t, db, intake.DefaultLimits())
	body := "\ufeff" + `{"series":"weather.room1","ts":1694300000,"value":24.2,"tags":{"k":"v"}}` + "\r\n\n  " + `
{"series":"w","ts":"1694300001.5","fields":{"temp":1,"value":2},"tags":{"k":"v"}}
{"series_id":7,"ts":1,"value":"NaN"}`
	for range 2 { // sending again changes nothing
		expect(t, "answer", send(t, s, "", body), `200 {"ingested":4,"rejected":0,"errors":[]}`)
		expect(t, "stored", strings.Join(points(t, db), "\n"), `series:7 1000000000 NaN
w{k="v"} 1694300001500000000 2
w_temp{k="v"} 1694300001500000000 1
weather.room1{k="v"} 1694300000000000000 24.2`)
		expect(t, "observed", observer.last, "ndjson 4 map[]")
	}
	expect(t, "nothing", send(t, s, "", ""), `200 {"ingested":0,"rejected":0,"errors":[]}`)
	expect(t, "only blanks", send(t, s, "", "\n \n"), `200 {"ingested":0,"rejected":0,"errors":[]}`)
}

func TestPrecision(t *testing.T) {
	for precision, want := range map[string]string{"": "7000000000", "s": "7000000000", "ms": "7000000", "us": "7000", "ns": "7"} {
		db := dbtest.Open(t, sydradb.Options{})
		s, _ := serve(t, db, intake.DefaultLimits())
		expect(t, precision, send(t, s, "?precision="+precision, `{"series":"a","ts":7,"value":1}`), done)
		expect(t, precision, points(t, db), "[a "+want+" 1]")
	}
	s, _ := serve(t, dbtest.Open(t, sydradb.Options{}), intake.DefaultLimits())
	expect(t, "another", send(t, s, "?precision=m", `{"series":"a","ts":7,"value":1}`),
		`400 {"error":{"code":"bad_request","message":"precision: unknown time unit \"m\": use s, ms, us or ns","accepted":0,"rejected":{}}}`)
}

func TestSomeAreRefused(t *testing.T) {
	db := dbtest.Open(t, sydradb.Options{})
	s, observer := serve(t, db, intake.DefaultLimits())
	body := `{"series":"a","ts":1,"value":1}
nonsense
{"series":"a","ts":2,"fields":{"s":"on","b":true,"x":2}}
{"series":"","ts":3,"value":3}
{"series":"a","ts":5,"value":5}`
	for range 2 {
		got := send(t, s, "", body)
		var a answer
		if err := json.Unmarshal([]byte(strings.TrimPrefix(got, "200 ")), &a); err != nil || a.Ingested != 3 || a.Rejected != 4 || len(a.Errors) != 3 || a.Error != nil {
			t.Fatalf("answer %s, %v", got, err)
		}
		for i, want := range []string{"line 2: not JSON", `line 3: field "s": not a number`, "line 4: "} {
			if !strings.HasPrefix(a.Errors[i], want) {
				t.Errorf("error %q, want %q", a.Errors[i], want)
			}
		}
		expect(t, "stored", points(t, db), "[a 1000000000 1 a 5000000000 5 a_x 2000000000 2]")
		expect(t, "observed", observer.last, "ndjson 3 map[bad_request:2 unsupported_value:2]")
	}
}

func TestAllAreRefused(t *testing.T) {
	db := dbtest.Open(t, sydradb.Options{})
	s, _ := serve(t, db, intake.DefaultLimits())
	expect(t, "answer", send(t, s, "", `{"series":"a","ts":1}`),
		`400 {"ingested":0,"rejected":1,"errors":["line 1: \"value\" is missing: \"{\\\"series\\\":\\\"a\\\",\\\"ts\\\":1}\""],`+
			`"error":{"code":"bad_request","message":"nothing was stored: line 1: \"value\" is missing: \"{\\\"series\\\":\\\"a\\\",\\\"ts\\\":1}\"","accepted":0,"rejected":{"bad_request":1}}}`)
	expect(t, "stored", points(t, db), "[]")
	expect(t, "afterwards", send(t, s, "", `{"series":"a","ts":1,"value":1}`), done)
}

// Each limit counts what is beyond it under its reason, keeps the rest, and the next
// request succeeds.
func TestLimits(t *testing.T) {
	far := time.Now().Add(2 * time.Hour).Unix()
	limits := intake.Limits{MaxFuture: time.Hour, MaxLabels: 2, MaxLabelName: 8, MaxLabelValue: 10, MaxLine: 20}
	for _, tt := range []struct{ name, line, rejected string }{
		{"line", `{"series":"a","ts":1,"value":1` + strings.Repeat(" ", 50) + "}", "bad_request:1"},
		{"labels", `{"series":"a","ts":1,"value":1,"tags":{"a":"1","b":"1","c":"1"}}`, "label_limit:1"},
		{"label name", `{"series":"a","ts":1,"value":1,"tags":{"abcdefghi":"1"}}`, "label_limit:1"},
		{"label value", `{"series":"a","ts":1,"value":1,"tags":{"a":"abcdefghijk"}}`, "label_limit:1"},
		{"name", `{"series":"abcdefghijk","ts":1,"value":1}`, "label_limit:1"},
		{"series", `{"series":"b","ts":1,"value":1}`, "series_limit:1"},
		{"series of fields", `{"series":"b","ts":1,"fields":{"x":1,"y":"2"}}`, "series_limit:1 unsupported_value:1"},
		{"series by id", `{"series_id":7,"ts":1,"value":1}`, "series_limit:1"},
		{"future", fmt.Sprintf(`{"series":"a","ts":%d,"value":1}`, far), "too_far_in_future:1"},
		{"future of a new series", fmt.Sprintf(`{"series":"b","ts":%d,"value":1}`, far), "too_far_in_future:1"},
		{"past", `{"series":"a","ts":-4611686019,"value":1}`, "bad_request:1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			db := dbtest.Open(t, sydradb.Options{MaxSeries: 1})
			s, observer := serve(t, db, limits)
			body := `{"series":"a","ts":1,"value":1}` + "\n" + tt.line + "\n" + `{"series":"a","ts":2,"value":2}`
			for range 2 {
				if got := send(t, s, "", body); !strings.HasPrefix(got, `200 {"ingested":2,"rejected":`) || !strings.Contains(got, `"errors":["line 2: `) {
					t.Errorf("answer %s", got)
				}
				expect(t, "observed", observer.last, "ndjson 2 map["+tt.rejected+"]")
			}
			expect(t, "afterwards", send(t, s, "", `{"series":"a","ts":3,"value":3}`), done)
			expect(t, "stored", points(t, db), "[a 1000000000 1 a 2000000000 2 a 3000000000 3]")
		})
	}
}

func TestTooOld(t *testing.T) {
	db := dbtest.Open(t, sydradb.Options{Retention: time.Hour, MaxSeries: 1})
	if err := db.Retain(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	s, observer := serve(t, db, intake.DefaultLimits())
	now := fmt.Sprint(time.Now().Unix())
	// A series that never gets a point takes up no room.
	old := `{"series":"old","ts":1,"value":1}`
	if got := send(t, s, "", old); !strings.HasPrefix(got, `400 {"ingested":0,"rejected":1,"errors":["line 1: old: 1970-01-01T00:00:01Z is older than what retention keeps`) {
		t.Errorf("answer %s", got)
	}
	body := `{"series":"a","ts":` + now + `,"value":2}` + "\n" + `{"series":"a","ts":1,"value":1}`
	if got := send(t, s, "", body); !strings.HasPrefix(got, `200 {"ingested":1,"rejected":1,"errors":["a: 1970-01-01T00:00:01Z is older than what retention keeps`) {
		t.Errorf("answer %s", got)
	}
	expect(t, "observed", observer.last, "ndjson 1 map[too_old:1]")
	expect(t, "stored", points(t, db), "[a "+now+"000000000 2]")
}

func TestCommitFails(t *testing.T) {
	db := dbtest.Open(t, sydradb.Options{})
	s, _ := serve(t, db, intake.DefaultLimits())
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if got := send(t, s, "", `{"series":"a","ts":1,"value":1}`); !strings.HasPrefix(got, "503 ") {
		t.Errorf("after Close: %s", got)
	}
}

// FuzzIngest: whatever is sent, the answer is JSON that accounts for it, with a status that
// is documented.
func FuzzIngest(f *testing.F) {
	f.Add("precision=ms", []byte(`{"series":"a","ts":1,"value":1,"tags":{"k":"v"}}`+"\n"+`{"series":"a","ts":"2023-09-09T22:53:20Z","fields":{"x":"NaN"}}`))
	f.Add("", []byte(`{"series":"a","ts":1}`))
	f.Add("precision=x", []byte("\n"))
	s, _ := serve(f, dbtest.Open(f, sydradb.Options{MaxSeries: 1000}), intake.DefaultLimits())
	f.Fuzz(func(t *testing.T, query string, body []byte) {
		r := httptest.NewRequest("POST", "/api/v1/ingest", strings.NewReader(string(body)))
		r.URL.RawQuery = query
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		var a answer
		if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil {
			t.Fatalf("%q answers %q: %v", body, w.Body, err)
		}
		switch w.Code {
		case 200:
			if a.Error != nil || (a.Rejected > 0) != (len(a.Errors) > 0) {
				t.Errorf("%q answers %s", body, w.Body)
			}
		case 400:
			if a.Error == nil || a.Ingested != 0 {
				t.Errorf("%q answers %s", body, w.Body)
			}
		default:
			t.Errorf("%q answers %d %s", body, w.Code, w.Body)
		}
	})
}
