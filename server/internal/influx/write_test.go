package influx

import (
	"bytes"
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"

	"github.com/sydradb/sydradb"
	"github.com/sydradb/sydradb/server/internal/dbtest"
	"github.com/sydradb/sydradb/server/internal/intake"
	"github.com/sydradb/sydradb/server/internal/web"
)

// serve returns the endpoints in their frame.
func serve(tb testing.TB, db *sydradb.DB, l intake.Limits) *web.Server {
	tb.Helper()
	s := web.New(web.Config{})
	if err := s.Mount(false, Routes(intake.New(db, l, nil), 0)); err != nil {
		tb.Fatal(err)
	}
	return s
}

// send returns status and body of the answer to a request: "204 ", "400 {...}".
func send(tb testing.TB, s *web.Server, method, path, body string, header ...string) string {
	tb.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
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

func TestWrite(t *testing.T) {
	paths := []string{"/write?db=x&rp=y", "/api/v2/write?bucket=x&org=y", "/influx/write", "/influx/api/v2/write"}
	for _, path := range paths {
		db := dbtest.Open(t, sydradb.Options{})
		s := serve(t, db, intake.DefaultLimits())
		for range 2 { // sending again changes nothing
			got := send(t, s, "POST", path, "cpu,host=a usage=0.5,value=2i,up=true 1000\r\n# comment\n\ncpu,host=a usage=-1e3 2000")
			expect(t, path, got, "204 ")
			expect(t, path, points(t, db), []string{
				`cpu{host="a"} 1000 2`, `cpu_up{host="a"} 1000 1`, `cpu_usage{host="a"} 1000 0.5`, `cpu_usage{host="a"} 2000 -1000`,
			})
		}
		expect(t, "nothing to write", send(t, s, "POST", path, ""), "204 ")
	}
}

// Integers that no float can hold are counted, whatever the status is.
func TestRounded(t *testing.T) {
	s := serve(t, dbtest.Open(t, sydradb.Options{}), intake.DefaultLimits())
	for body, want := range map[string]string{
		"m a=9007199254740993i,b=9007199254740995u,c=9007199254740992i 1": "2",
		"m a=9007199254740993i,b=\"text\" 1":                              "1",
		"m a=1i 1":                                                        "",
	} {
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequest("POST", "/write", strings.NewReader(body)))
		expect(t, body, w.Header().Get("X-SydraDB-Rounded"), want)
	}
}

func TestPrecision(t *testing.T) {
	for precision, unit := range map[string]time.Duration{
		"": 1, "n": 1, "ns": 1, "u": 1e3, "us": 1e3, "ms": 1e6, "s": 1e9, "m": time.Minute, "h": time.Hour,
	} {
		for _, path := range []string{"/write", "/api/v2/write"} {
			db := dbtest.Open(t, sydradb.Options{})
			s := serve(t, db, intake.DefaultLimits())
			got := send(t, s, "POST", path+"?precision="+precision, "m v=1 7\nm2 v=1")
			if path == "/api/v2/write" && slices.Contains([]string{"n", "u", "m", "h"}, precision) {
				expect(t, path+precision, got, `400 {"code":"invalid","message":"invalid precision \"`+precision+`\": use ns, us, ms or s"}`)
				continue
			}
			expect(t, path+precision, got, "204 ")
			all := points(t, db)
			if len(all) != 2 {
				t.Fatalf("points %q", all)
			}
			var ts int64
			if _, err := fmt.Sscanf(all[0], "m2_v %d 1", &ts); err != nil || ts%int64(unit) != 0 || time.Since(time.Unix(0, ts)) > time.Minute+unit {
				t.Errorf("%s%s: a line without a time: %s, %v", path, precision, all[0], err)
			}
			expect(t, path+precision, all[1], fmt.Sprintf("m_v %d 1", 7*int64(unit)))
		}
	}
}

func TestPartialWrite(t *testing.T) {
	db := dbtest.Open(t, sydradb.Options{})
	s := serve(t, db, intake.DefaultLimits())
	body := "m v=1 1\nnonsense\nm s=\"text\",v=2 2\nm,a=1,a=2 v=3 3\nm v=1e999,w=4 4\nm v=5 5\n"
	want := `partial write: line 2: column 9: no fields after measurement and tags: \"nonsense\"; ` +
		`line 3: field \"s\": strings are not stored: \"m s=\\\"text\\\",v=2 2\"; ` +
		`line 4: `
	for range 2 { // from the table, too
		got := send(t, s, "POST", "/write", body)
		if got = strings.ReplaceAll(got, `\\\"`, `\"`); !strings.HasPrefix(got, `400 {"error":"`+strings.ReplaceAll(strings.ReplaceAll(want, `\\\"`, `\"`), "line 4: ", "")) || !strings.HasSuffix(got, ` dropped=4"}`) {
			t.Errorf("answer %s", got)
		}
		expect(t, "stored", points(t, db), []string{"m_v 1 1", "m_v 2 2", "m_v 5 5", "m_w 4 4"})
	}
	if got := send(t, s, "POST", "/api/v2/write", body); !strings.HasPrefix(got, `400 {"code":"invalid","message":"partial write: line 2`) {
		t.Errorf("answer %s", got)
	}
	expect(t, "afterwards", send(t, s, "POST", "/write", "m v=6 6"), "204 ")
}

// Each limit is answered as documented, keeps what is within it, and the next request
// succeeds.
func TestLimits(t *testing.T) {
	far := time.Now().Add(2 * time.Hour).UnixNano()
	limits := intake.Limits{MaxFuture: time.Hour, MaxLabels: 2, MaxLabelName: 8, MaxLabelValue: 10, MaxLine: 60}
	for _, tt := range []struct {
		name, body, reason string
		dropped            int
	}{
		{"line", "m v=1 1\nm v=1" + strings.Repeat(" ", 55) + "1\nm v=2 2", "longer than 60 bytes", 1},
		{"unknown line", "m v=1 1\nm,a=b v=1" + strings.Repeat(" ", 51) + "1\r\nm v=2 2", "longer than 60 bytes", 1},
		{"quoted lines", "m v=1 1\nm v=1,s=\"" + strings.Repeat("\n", 55) + "\"\nm v=2 2", "longer than 60 bytes", 2},
		{"labels", "m v=1 1\nm,a=1,b=1,c=1 v=1 1\nm v=2 2", "more than 2 tags", 1},
		{"label name", "m v=1 1\nm,abcdefghi=1 v=1 1\nm v=2 2", "key of a tag takes 9 bytes", 1},
		{"label value", "m v=1 1\nm,a=abcdefghijk v=1 1\nm v=2 2", `value of tag \"a\" takes 11 bytes`, 1},
		{"name", "m v=1 1\nm abcdefghij=1 1\nm v=2 2", "name of the series takes 12 bytes", 1},
		{"series", "m v=1 1\nx v=1,w=1 1\nm v=2 2", "too many series", 2},
		{"future", fmt.Sprintf("m v=1 1\nm v=1,w=1 %d\nm v=2 2", far), "too far in the future", 2},
		{"past", "m v=1 1\nm v=1 -4611686018427387905\nm v=2 2", "accepted range", 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			db := dbtest.Open(t, sydradb.Options{MaxSeries: 1})
			s := serve(t, db, limits)
			for range 2 {
				got := send(t, s, "POST", "/write", tt.body)
				if !strings.HasPrefix(got, `400 {"error":"partial write: line 2`) || !strings.Contains(got, tt.reason) || !strings.HasSuffix(got, fmt.Sprintf(`dropped=%d"}`, tt.dropped)) {
					t.Errorf("answer %s", got)
				}
				if stored := points(t, db); len(stored) == 0 || stored[0] != "m_v 1 1" {
					t.Errorf("stored %q", stored)
				}
			}
			expect(t, "afterwards", send(t, s, "POST", "/write", "m v=3"+strings.Repeat(" ", 54)+"3"), "204 ")
			if stored := points(t, db); len(stored) != 3 {
				t.Errorf("stored in the end %q", stored)
			}
		})
	}
}

func TestTooOld(t *testing.T) {
	db := dbtest.Open(t, sydradb.Options{Retention: time.Hour, MaxSeries: 1})
	if err := db.Retain(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	s := serve(t, db, intake.DefaultLimits())
	now := time.Now().UnixNano()
	// A series that never gets a point takes up no room.
	got := send(t, s, "POST", "/write", "old v=1 1")
	if !strings.HasPrefix(got, `400 {"error":"partial write: line 1: field \"v\": old_v: 1970-01-01T00:00:00.000000001Z is older than what retention keeps`) || !strings.HasSuffix(got, `dropped=1"}`) {
		t.Errorf("answer %s", got)
	}
	got = send(t, s, "POST", "/write", fmt.Sprintf("m v=2 %d\nm v=1 1", now))
	if !strings.HasPrefix(got, `400 {"error":"partial write: m_v: 1970-01-01T00:00:00.000000001Z is older than what retention keeps`) || !strings.HasSuffix(got, `dropped=1"}`) {
		t.Errorf("answer %s", got)
	}
	expect(t, "stored", points(t, db), fmt.Sprintf("[m_v %d 2]", now))
	expect(t, "afterwards", send(t, s, "POST", "/write", "m v=3"), "204 ")
}

func TestBodies(t *testing.T) {
	db := dbtest.Open(t, sydradb.Options{})
	s := web.New(web.Config{Limits: web.Limits{WireBytes: 1000, DecodedBytes: 1000}})
	if err := s.Mount(false, Routes(intake.New(db, intake.DefaultLimits(), nil), 0)); err != nil {
		t.Fatal(err)
	}
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	if _, err := z.Write([]byte("m v=1 1")); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	expect(t, "gzip", send(t, s, "POST", "/write", zipped.String(), "Content-Encoding", "gzip"), "204 ")
	if got := send(t, s, "POST", "/write", strings.Repeat("m v=2 2\n", 200)); !strings.HasPrefix(got, `413 {"error":"`) {
		t.Errorf("too large: %s", got)
	}
	if got := send(t, s, "POST", "/write", "no gzip", "Content-Encoding", "gzip"); !strings.HasPrefix(got, "400 ") {
		t.Errorf("damaged: %s", got)
	}
	if got := send(t, s, "POST", "/write", "m v=1", "Content-Encoding", "br"); !strings.HasPrefix(got, "415 ") {
		t.Errorf("another encoding: %s", got)
	}
	expect(t, "stored", points(t, db), "[m_v 1 1]")
	expect(t, "afterwards", send(t, s, "POST", "/write", "m v=3 3"), "204 ")
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if got := send(t, s, "POST", "/write", "m2 v=1 1"); !strings.HasPrefix(got, "503 ") {
		t.Errorf("after Close: %s", got)
	}
}
