package native_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sydradb/sydradb/server/internal/native"
	"github.com/sydradb/sydradb/server/internal/web"
)

// longDB holds two series of n points each.
func longDB(t *testing.T, n int) native.Config {
	t.Helper()
	db := newDB(t, "")
	points := make([]point, n)
	for i := range points {
		points[i] = point{int64(i) * sec, float64(i) + 0.125}
	}
	write(t, db, "long{n=1}", points...)
	write(t, db, "long{n=2}", points...)
	return native.Config{DB: db}
}

// Beyond a limit a query is refused with the documented status, and the next one is served.
func TestLimits(t *testing.T) {
	c := longDB(t, 10)
	c.Limits = native.Limits{Series: 1, Points: 9, Windows: 18}
	server := serve(t, c, web.Config{})
	for _, path := range []string{
		"select?selector=long", "select?selector=long%7Bn=%221%22%7D", "series?selector=long",
		"find?op=or&tags=%7B%22n%22:%221%22,%22m%22:%22%22%7D",
		"range?series=long&tags=%7B%22n%22:%221%22%7D&step=500ms&agg=avg", "range?series=long",
	} {
		status, got := ask(t, server, "GET", "/api/v1/query/"+path, "")
		if status != 422 || !strings.Contains(got, `"query_limit"`) {
			t.Errorf("%s: %d %s", path, status, got)
		}
	}
	status, got := ask(t, server, "GET", "/api/v1/query/range?series=long&tags=%7B%22n%22:%221%22%7D&end=8", "")
	if status != 200 || strings.Count(got, `"ts"`) != 9 {
		t.Errorf("%d %s", status, got)
	}
	status, got = ask(t, server, "GET", "/api/v1/query/range?series=long&tags=%7B%22n%22:%221%22%7D&end=8&step=500ms&agg=avg", "")
	if status != 200 || strings.Count(got, `"ts"`) != 9 {
		t.Errorf("17 windows: %d %s", status, got)
	}
}

// However many names there are, a list of them has an end.
func TestTopEnds(t *testing.T) {
	const most = 10_000
	db := newDB(t, "")
	b := db.NewBatch()
	for i := range most + 5 {
		s, err := db.Series(fmt.Sprintf("name%d", i))
		if err != nil {
			t.Fatal(err)
		}
		b.Add(s, 1, 1)
	}
	if err := db.Write(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	server := serve(t, native.Config{DB: db}, web.Config{})
	for limit, want := range map[string]int{"": 20, "&limit=0": most, "&limit=7": 7, "&limit=2000000000": most} {
		status, got := ask(t, server, "GET", "/api/v1/stats?top=names"+limit, "")
		if n := strings.Count(got, `"name"`); status != 200 || n != want {
			t.Errorf("%q: %d, %d names, want %d", limit, status, n, want)
		}
	}
}

func TestTimeout(t *testing.T) {
	c := longDB(t, 10)
	c.Limits = native.Limits{Timeout: time.Nanosecond}
	server := serve(t, c, web.Config{})
	for _, path := range []string{"select?selector=long", "series?selector=long", "range?series=long&tags=%7B%22n%22:%221%22%7D"} {
		status, got := ask(t, server, "GET", "/api/v1/query/"+path, "")
		if status != 503 || !strings.Contains(got, `"query_timeout"`) {
			t.Errorf("%s: %d %s", path, status, got)
		}
	}
}

// An error in the midst of an answer cannot be taken for its end.
func TestAnswerBreaksOff(t *testing.T) {
	const n = 20_000
	c := longDB(t, n)
	c.Limits.Points = n + n/2 // the second series is too much
	server := serve(t, c, web.Config{})
	resp, err := server.Client().Get(server.URL + "/api/v1/query/select?selector=long")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var last string
	in := bufio.NewReader(resp.Body)
	lines := 0
	for {
		var line string
		if line, err = in.ReadString('\n'); err != nil {
			break
		}
		last = line
		lines++
	}
	if resp.StatusCode != 200 || lines < 2 || !strings.HasPrefix(last, `{"error":{"code":"query_limit"`) || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("select: %d, %d lines, the last %.100q, error %v", resp.StatusCode, lines, last, err)
	}

	c.Limits.Points = n - 1
	server = serve(t, c, web.Config{})
	resp, err = server.Client().Get(server.URL + "/api/v1/query/range?series=long&tags=%7B%22n%22:%221%22%7D")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	switch {
	case resp.StatusCode == http.StatusUnprocessableEntity: // the engine knew at once
	case !errors.Is(err, io.ErrUnexpectedEOF) || strings.HasSuffix(string(text), "]\n"):
		t.Errorf("range: %d, %d bytes, error %v", resp.StatusCode, len(text), err)
	}
}
