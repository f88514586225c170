package prom

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/sydradb/sydradb"
	"github.com/sydradb/sydradb/server/internal/web"
)

// write stores points of a series, given as pairs of milliseconds and values.
func write(t testing.TB, db *sydradb.DB, selector string, points ...float64) {
	t.Helper()
	b := db.NewBatch()
	s := seriesNamed(t, db, selector)
	for i := 0; i < len(points); i += 2 {
		b.Add(s, int64(points[i]*nsPerMS), points[i+1])
	}
	if err := db.Write(t.Context(), b); err != nil {
		t.Fatal(err)
	}
}

// seriesNamed resolves a series written as name{key="value",...}, without escapes.
func seriesNamed(t testing.TB, db *sydradb.DB, text string) *sydradb.Series {
	t.Helper()
	name, rest, _ := strings.Cut(strings.TrimSuffix(text, "}"), "{")
	var tags []sydradb.Tag
	for pair := range strings.SplitSeq(rest, ",") {
		if key, value, ok := strings.Cut(pair, "="); ok {
			tags = append(tags, sydradb.Tag{Key: key, Value: strings.Trim(value, `"`)})
		}
	}
	s, err := db.Series(name, tags...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// server is the API behind the frame of the server.
type server struct {
	t   testing.TB
	url string
}

func serve(t testing.TB, c Config) *server {
	t.Helper()
	api, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	frame := web.New(web.Config{})
	if err := frame.Mount(false, api.Routes()); err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(frame)
	t.Cleanup(func() {
		s.Close()
		if err := api.Close(); err != nil {
			t.Error(err)
		}
	})
	return &server{t, s.URL}
}

// get returns the answer to a GET of path with parameters in pairs.
func (s *server) get(path string, params ...string) (status int, body string) {
	if len(params) == 0 {
		return s.do(http.MethodGet, path, nil)
	}
	s.t.Helper()
	return s.do(http.MethodGet, path+"?"+form(params).Encode(), nil)
}

// post returns the answer to a form.
func (s *server) post(path string, params ...string) (status int, body string) {
	s.t.Helper()
	return s.do(http.MethodPost, path, strings.NewReader(form(params).Encode()))
}

func (s *server) do(method, path string, body io.Reader) (int, string) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, body)
	if err != nil {
		s.t.Fatal(err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

func form(params []string) url.Values {
	v := url.Values{}
	for i := 0; i < len(params); i += 2 {
		v.Add(params[i], params[i+1])
	}
	return v
}

// data returns the field data of an answer as compact JSON.
func data(t testing.TB, body string) string {
	t.Helper()
	var answer struct {
		Status string
		Data   json.RawMessage
	}
	if err := json.Unmarshal([]byte(body), &answer); err != nil || answer.Status != "success" {
		t.Fatalf("answer %s: %v", body, err)
	}
	return string(answer.Data)
}
