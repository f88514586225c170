package influx

import (
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/sydradb/sydradb"
	"github.com/sydradb/sydradb/server/internal/dbtest"
	"github.com/sydradb/sydradb/server/internal/intake"
)

func TestPing(t *testing.T) {
	s := serve(t, dbtest.Open(t, sydradb.Options{}), intake.DefaultLimits())
	for _, method := range []string{"GET", "HEAD"} {
		for _, path := range []string{"/ping", "/influx/ping"} {
			w := httptest.NewRecorder()
			s.ServeHTTP(w, httptest.NewRequest(method, path, nil))
			if h := w.Header(); w.Code != 204 || h.Get("X-Influxdb-Version") != "1.8.0" || h.Get("X-Influxdb-Build") == "" {
				t.Errorf("%s %s: %d %v", method, path, w.Code, h)
			}
		}
	}
	expect(t, "verbose", send(t, s, "GET", "/ping?verbose=true", ""), `200 {"version":"1.8.0"}`)
}

func TestQuery(t *testing.T) {
	s := serve(t, dbtest.Open(t, sydradb.Options{}), intake.DefaultLimits())
	const (
		done      = `200 {"results":[{"statement_id":0}]}`
		databases = `{"statement_id":0,"series":[{"name":"databases","columns":["name"],"values":[["sydradb"]]}]}`
		refused   = `400 {"error":"InfluxQL is not supported`
	)
	for _, tt := range []struct{ q, want string }{
		{`CREATE DATABASE "tele graf"`, done},
		{`create database x with duration 1d;`, done},
		{`drop database x`, done},
		{`drop database "sydradb"`, refused},
		{`show databases`, `200 {"results":[` + databases + `]}`},
		{"SHOW DATABASES; CREATE DATABASE \"a;b\"", `200 {"results":[` + databases + `,{"statement_id":1}]}`},
		{`SHOW RETENTION POLICIES ON "x"`, `200 {"results":[{"statement_id":0,"series":[{"name":"policies"`},
		{`SELECT * FROM cpu`, refused},
		{`CREATE DATABASE x; SELECT * FROM cpu`, refused},
		{`CREATE DATABASE`, refused},
		{`CREATE DATABASE x; "`, refused},
		{`CREATE RETENTION POLICY p ON x`, refused},
		{``, `400 {"error":"missing required parameter \"q\""}`},
	} {
		for _, got := range []string{
			send(t, s, "GET", "/query?db=x&q="+url.QueryEscape(tt.q), ""),
			send(t, s, "POST", "/influx/query?q="+url.QueryEscape(tt.q), ""),
			send(t, s, "POST", "/query", "q="+url.QueryEscape(tt.q), "Content-Type", "application/x-www-form-urlencoded"),
		} {
			if !strings.HasPrefix(got, tt.want) {
				t.Errorf("%s: %s, want %s", tt.q, got, tt.want)
			}
		}
	}
	form := []string{"Content-Type", "application/x-www-form-urlencoded"}
	if got := send(t, s, "POST", "/query", "q=%zz", form...); !strings.HasPrefix(got, "400 ") {
		t.Errorf("not a form: %s", got)
	}
	if got := send(t, s, "POST", "/query", "q="+strings.Repeat("x", maxQuery), form...); !strings.HasPrefix(got, "413 ") {
		t.Errorf("a long query: %s", got)
	}
}

// FuzzRequest: whatever is sent, the status is one of those that are documented, and what
// is said is text.
func FuzzRequest(f *testing.F) {
	f.Add("POST", "/write", "precision=ms", []byte("cpu,host=a usage=0.5,n=3i,s=\"x\ny\" 1694300000000\ncpu,host=a usage=1"))
	f.Add("POST", "/api/v2/write", "precision=x", []byte("m v=1"))
	f.Add("GET", "/query", "q=show+databases", []byte(nil))
	f.Add("POST", "/query", "q=create+database+%22x", []byte("q=1"))
	f.Add("GET", "/ping", "verbose=1", []byte(nil))
	s := serve(f, dbtest.Open(f, sydradb.Options{MaxSeries: 1000}), intake.DefaultLimits())
	f.Fuzz(func(t *testing.T, method, path, query string, body []byte) {
		r := httptest.NewRequest("POST", "/write", strings.NewReader(string(body)))
		r.Method, r.URL.Path, r.URL.RawQuery = method, path, query
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		switch w.Code {
		case 200, 204, 301, 307, 308, 400, 404, 405, 413:
		default:
			t.Errorf("%s %s?%s answers %d %s", method, path, query, w.Code, w.Body)
		}
		// A redirect to the clean form of a path is net/http's, and repeats the query.
		if w.Code/100 != 3 && !utf8.Valid(w.Body.Bytes()) {
			t.Errorf("%s %s?%s answers %q", method, path, query, w.Body)
		}
	})
}
