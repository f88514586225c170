package native_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/sydradb/sydradb"
	"github.com/sydradb/sydradb/server/internal/auth"
	"github.com/sydradb/sydradb/server/internal/native"
	"github.com/sydradb/sydradb/server/internal/upkeep"
	"github.com/sydradb/sydradb/server/internal/web"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// newDB returns a database in memory, or in a directory.
func newDB(t testing.TB, dir string) *sydradb.DB {
	t.Helper()
	db, err := sydradb.Open(dir, &sydradb.Options{InMemory: dir == "", MergeOff: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

type point struct {
	ts    int64
	value float64
}

func write(t testing.TB, db *sydradb.DB, selector string, points ...point) sydradb.SeriesID {
	t.Helper()
	name, inside, _ := strings.Cut(strings.TrimSuffix(selector, "}"), "{")
	var tags []sydradb.Tag
	for _, pair := range strings.FieldsFunc(inside, func(r rune) bool { return r == ',' }) {
		key, value, _ := strings.Cut(pair, "=")
		tags = append(tags, sydradb.Tag{Key: key, Value: value})
	}
	s, err := db.Series(name, tags...)
	if err != nil {
		t.Fatal(err)
	}
	b := db.NewBatch()
	for _, p := range points {
		b.Add(s, p.ts, p.value)
	}
	if err := db.Write(context.Background(), b); err != nil {
		t.Fatal(err)
	}
	return s.ID()
}

func serve(t testing.TB, c native.Config, frame web.Config) *httptest.Server {
	t.Helper()
	s := web.New(frame)
	if err := s.Mount(false, native.Routes(c)); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	return server
}

// ask sends a request and returns status and body.
func ask(t testing.TB, server *httptest.Server, method, path, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequest(method, server.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded") // as curl -d does
	}
	resp, err := server.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

const sec = int64(time.Second)

// houseDB holds a few series whose values are hard to write.
func houseDB(t testing.TB) (db *sydradb.DB, hall sydradb.SeriesID) {
	db = newDB(t, "")
	hall = write(t, db, "room.temp{room=hall}", point{10 * sec, 1.5}, point{20*sec + 1, 2}, point{30*sec + 500e6, math.Copysign(0, -1)})
	write(t, db, "room.temp{room=kitchen}", point{10 * sec, math.NaN()}, point{-sec / 2, math.Inf(1)}, point{40 * sec, math.Float64frombits(0x7ff0000000000002)})
	write(t, db, "wind", point{0, 7})
	write(t, db, "wind{at=roof}", point{0, 8})
	write(t, db, "rain{at=roof,unit=mm}", point{5 * sec, 3})
	return db, hall
}

func TestRange(t *testing.T) {
	db, hall := houseDB(t)
	server := serve(t, native.Config{DB: db}, web.Config{})
	id := fmt.Sprint(uint64(hall))
	esc := url.QueryEscape
	const all = `[{"ts":10,"value":1.5},{"ts":20.000000001,"value":2},{"ts":30.5,"value":-0.0}]` + "\n"
	for _, tt := range []struct{ query, want string }{
		{"series_id=" + id, all},
		{"series=room.temp&tags=" + esc(`{"room":"hall"}`), all},
		{"series_id=" + id + "&start=10&end=20.000000001", `[{"ts":10,"value":1.5},{"ts":20.000000001,"value":2}]` + "\n"},
		{"series_id=" + id + "&start=10.1&end=1970-01-01T00:00:20Z", "[]\n"},
		{"series_id=" + id + "&limit=2", `[{"ts":10,"value":1.5},{"ts":20.000000001,"value":2}]` + "\n"},
		{"series=room.temp&tags=" + esc(`{"room":"kitchen"}`), `[{"ts":-0.5,"value":"+Inf"},{"ts":10,"value":"NaN"},{"ts":40,"value":"NaN:7ff0000000000002"}]` + "\n"},
		// The series without more tags, the only one with them, none.
		{"series=wind", `[{"ts":0,"value":7}]` + "\n"},
		{"series=wind&tags=" + esc(`{"at":"roof"}`), `[{"ts":0,"value":8}]` + "\n"},
		{"series=wind&tags=" + esc(`{"hall":""}`), `[{"ts":0,"value":7}]` + "\n"},
		{"series=rain&tags=" + esc(`{"unit":"mm"}`), `[{"ts":5,"value":3}]` + "\n"},
		{"series=rain", `[{"ts":5,"value":3}]` + "\n"},
		{"series=snow", "[]\n"},
		{"series_id=12345", "[]\n"},
		// Windows.
		{"series_id=" + id + "&step=20", `[{"ts":0,"value":1.5},{"ts":20,"value":1}]` + "\n"},
		{"series_id=" + id + "&step=20s&agg=count&start=10", `[{"ts":10,"value":2},{"ts":30,"value":1}]` + "\n"},
		{"series_id=" + id + "&agg=max", `[{"ts":10,"value":2}]` + "\n"},
	} {
		if status, got := ask(t, server, "GET", "/api/v1/query/range?"+tt.query, ""); status != 200 || got != tt.want {
			t.Errorf("GET %s: %d\n%s\nwant\n%s", tt.query, status, got, tt.want)
		}
		if status, got := ask(t, server, "POST", "/api/v1/query/range", tt.query); status != 200 || got != tt.want {
			t.Errorf("POST %s: %d\n%s\nwant\n%s", tt.query, status, got, tt.want)
		}
	}
	for _, body := range []string{
		`{"series_id":` + id + `,"start":10,"end":30.5}`,
		`{"series_id":"` + id + `","start":"10","end":"1970-01-01T00:00:31Z"}`,
		` {"series":"room.temp","tags":{"room":"hall"},"limit":null}`,
	} {
		if status, got := ask(t, server, "POST", "/api/v1/query/range", body); status != 200 || got != all {
			t.Errorf("POST %s: %d\n%s", body, status, got)
		}
	}
}

func TestFind(t *testing.T) {
	db, hall := houseDB(t)
	server := serve(t, native.Config{DB: db}, web.Config{})
	for _, tt := range []struct {
		body string
		n    int
	}{
		{`{"tags":{"room":"hall"}}`, 1},
		{`{"tags":{"at":"roof"},"op":"and"}`, 2},
		{`{"tags":{"at":"roof","unit":"mm"}}`, 1},
		{`{"tags":{"at":"roof","room":"hall"},"op":"or"}`, 3},
		{`{"tags":{"at":"cellar"}}`, 0},
	} {
		status, got := ask(t, server, "POST", "/api/v1/query/find", tt.body)
		var ids []uint64
		if err := json.Unmarshal([]byte(got), &ids); err != nil || status != 200 || ids == nil || len(ids) != tt.n {
			t.Errorf("%s: %d, %s, want %d ids; error %v", tt.body, status, got, tt.n, err)
		}
	}
	if _, got := ask(t, server, "GET", "/api/v1/query/find?tags="+url.QueryEscape(`{"room":"hall"}`), ""); got != fmt.Sprintf("[%d]\n", uint64(hall)) {
		t.Errorf("one series: %s", got)
	}
}

func TestSelect(t *testing.T) {
	db, hall := houseDB(t)
	server := serve(t, native.Config{DB: db}, web.Config{})
	head := fmt.Sprintf(`{"series_id":%d,"series":"room.temp","tags":{"room":"hall"}`, uint64(hall))
	for _, tt := range []struct{ path, params, want string }{
		{"select", `selector=room.temp{room="hall"}`, head + `,"points":[[10,1.5],[20.000000001,2],[30.5,-0.0]]}` + "\n"},
		{"select", `selector={}&end=-0.5`, `"points":[[-0.5,"+Inf"]]}` + "\n"},
		{"select", `selector={room="hall",at="roof"}&any=1&agg=sum&by=`, `{"series":"sum","tags":{},"points":[[0,14.5]]}` + "\n"},
		{"select", `selector=room.temp{room="hall"}&agg=max&step=20s&window=1m&start=40&end=40&by=room`, `{"series":"max","tags":{"room":"hall"},"points":[[40,2]]}` + "\n"},
		{"select", fmt.Sprintf("series_id=%d&series_id=12&limit=1", uint64(hall)), head + `,"points":[[10,1.5]]}` + "\n"},
		{"series", `selector=room.temp{room="hall"}`, head + "}\n"},
		{"series", `selector=snow`, ""},
		{"series", `selector={}&start=100`, ""},
	} {
		form, err := url.ParseQuery(tt.params)
		if err != nil {
			t.Fatal(err)
		}
		status, got := ask(t, server, "POST", "/api/v1/query/"+tt.path, form.Encode())
		if status != 200 || !strings.HasSuffix(got, tt.want) || tt.want == "" && got != "" {
			t.Errorf("%s %s: %d\n%s\nwant\n%s", tt.path, tt.params, status, got, tt.want)
		}
	}
}

// What cannot be understood is refused with a reason, and nothing is cut off silently.
func TestHostileParameters(t *testing.T) {
	db, hall := houseDB(t)
	server := serve(t, native.Config{DB: db}, web.Config{})
	id := fmt.Sprint(uint64(hall))
	deep := strings.Repeat("[", 512<<10) // more than a minute for what does not bound its depth
	for _, tt := range []struct{ path, body, words string }{
		{"range", "", "series or series_id is missing"},
		{"range", "series_id=x", `series_id \"x\"`},
		{"range", "series_id=", "series or series_id is missing"},
		{"range", `{"series":"room.temp","tags":` + deep + `}`, "not JSON"},
		{"range", "series=room.temp&tags=" + deep, "JSON object of strings"},
		{"range", "series_id=-1", "2^64-1"},
		{"range", "series_id=18446744073709551616", "2^64-1"},
		{"range", `{"series_id":1.0}`, "2^64-1"},
		{"range", "series_id=1&series=a", "goes without"},
		{"range", "series_id=1&tags={}", "goes without"},
		{"range", "series_id=" + id + "&series_id=2", "more than once"},
		{"range", "series=room.temp", "2 series match"},
		{"range", `{"series":"room.temp","tags":{"room":1}}`, "not a string"},
		{"range", `{"series":"room.temp","tags":{"a":"b","a":"c"}}`, "twice"},
		{"range", `{"series":"room.temp","tags":["room"]}`, "JSON object of strings"},
		{"range", `{"series":"room.temp","tags":{"":"x"}}`, "without a key"},
		{"range", `{"series":[["room.temp"]]}`, "array within an array"},
		{"range", `{"series":"room.temp"`, "not JSON"},
		{"range", `{"series":"\x"}`, "not JSON"},
		{"range", "series_id=%zz", "cannot be read"},
		{"range", "series_id=1&start=20&end=10", "after the end"},
		{"range", "series_id=1&start=now", "start"},
		{"range", "series_id=1&start=1e300", "start"},
		{"range", "series_id=1&start=0.0000000001", "start"},
		{"range", "series_id=1&step=0", "span"},
		{"range", "series_id=1&step=-5m", "span"},
		{"range", "series_id=1&step=99999999999999999999", "span"},
		{"range", "series_id=1&step=5 m", "span"},
		{"range", "series_id=1&agg=median", "median"},
		{"range", "series_id=1&limit=-1", "whole number"},
		{"range", "series_id=1&limit=1e3", "whole number"},
		{"range", "series_id=1&at=main~3", "no versions"},
		{"range", "series_id=1&setp=5m", "unknown parameter"},
		{"range", "series_id=" + id + "&start=0&end=4000000000&step=0.000000001", ""},
		{"find", "", "tags is missing"},
		{"find", `{"tags":{}}`, "tags is missing"},
		{"find", `{"tags":{"a":"b"},"op":"xor"}`, "want and, or or"},
		{"select", "", "selector is missing"},
		{"select", "selector=", "selector is missing"},
		{"select", "selector={", "selector"},
		{"select", "selector=" + strings.Repeat("a", 16<<10+1), "longer than 16 KiB"},
		{"select", `selector={a=~"("}`, "selector"},
		{"select", "selector={}&series_id=1", "exclude"},
		{"select", "selector={}&window=5m", "window goes with step"},
		{"select", "selector={}&any=maybe", "want 1 or 0"},
		{"series", "selector={}&limit=1", "unknown parameter"},
	} {
		status, got := ask(t, server, "POST", "/api/v1/query/"+tt.path, tt.body)
		var answer struct {
			Error struct{ Code, Message string }
		}
		err := json.Unmarshal([]byte(got), &answer)
		tooMany := tt.words == "" && (status == 400 || status == 422)
		if err != nil || answer.Error.Code == "" || status != 400 && !tooMany || !strings.Contains(got, tt.words) {
			t.Errorf("%s %.80s: %d, %s; want %q", tt.path, tt.body, status, got, tt.words)
		}
	}
	// The next valid request is served.
	if status, got := ask(t, server, "GET", "/api/v1/query/range?series_id="+id, ""); status != 200 {
		t.Errorf("%d %s", status, got)
	}
}

func TestAdmin(t *testing.T) {
	dir := t.TempDir()
	db := newDB(t, dir)
	write(t, db, "a", point{1, 1}, point{2, 2})
	server := serve(t, native.Config{DB: db, DataDir: dir}, web.Config{})
	post := func(path, want string) string {
		t.Helper()
		status, got := ask(t, server, "POST", "/api/v1/admin/"+path, "")
		if status != 200 || !strings.HasPrefix(got, want) {
			t.Errorf("%s: %d %s, want %s", path, status, got, want)
		}
		return got
	}
	post("flush", `{"points":2,"files":1}`)
	post("delete?selector=a&start=0.000000002&end=2", `{"series":1}`)
	post("compact", `{"before":{"count":1,`)
	post("retain?now=1", `{"kept":[{"namespace":"","from":-4611686018427387904}],"moved":false,"series_left":0}`)
	var snapshot struct{ Name string }
	if err := json.Unmarshal([]byte(post("snapshot", `{"name":"20`)), &snapshot); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(upkeep.SnapshotDir(dir, snapshot.Name)); err != nil {
		t.Error(err)
	}
	var stats sydradb.Stats
	_, got := ask(t, server, "GET", "/api/v1/stats", "")
	if err := json.Unmarshal([]byte(got), &stats); err != nil || stats.Series != 1 || stats.State != "ok" || stats.SegmentPoints != 1 {
		t.Errorf("%s, error %v", got, err)
	}
	if _, got := ask(t, server, "GET", "/api/v1/stats?top=names", ""); got != `[{"name":"a","series":1}]`+"\n" {
		t.Error(got)
	}
	if _, got := ask(t, server, "GET", "/api/v1/stats?top=tags&limit=1", ""); got != "[]\n" {
		t.Error(got)
	}
	for path, want := range map[string]int{
		"POST /api/v1/admin/delete?selector=a":                400,
		"POST /api/v1/admin/delete?start=1&end=2":             400,
		"POST /api/v1/admin/delete?selector=a&start=1":        400,
		"POST /api/v1/admin/delete?selector=a&start=&end=":    400,
		"POST /api/v1/admin/delete?selector=&start=1&end=2":   400,
		"POST /api/v1/admin/retain?now=soon":                  400,
		"GET /api/v1/admin/flush":                             405,
		"GET /api/v1/stats?top=values":                        400,
		"GET /api/v1/stats?top=tags&top=names":                400,
		"GET /api/v1/stats?top=tags&limit=99999999999":        400,
		"POST /api/v1/admin/delete?selector=a&start=x&end=10": 400,
	} {
		method, path, _ := strings.Cut(path, " ")
		if status, got := ask(t, server, method, path, ""); status != want {
			t.Errorf("%s %s: %d %s, want %d", method, path, status, got, want)
		}
	}
	for _, path := range []string{"GET /api/v1/stats", "POST /api/v1/admin/retain"} {
		method, path, _ := strings.Cut(path, " ")
		if status, got := ask(t, server, method, path, strings.Repeat(" ", 1<<20+1)); status != 413 || !strings.Contains(got, "too_large") {
			t.Errorf("%s with a long body: %d %s", path, status, got)
		}
	}
	memory := serve(t, native.Config{DB: newDB(t, "")}, web.Config{})
	if status, got := ask(t, memory, "POST", "/api/v1/admin/snapshot", ""); status != 400 {
		t.Errorf("a snapshot of a database in memory: %d %s", status, got)
	}
}

func TestScopes(t *testing.T) {
	const secret = "0123456789abcdef0123456789abcdef"
	tokens, err := auth.Parse([]byte("read " + secret + "\n"))
	if err != nil {
		t.Fatal(err)
	}
	db, _ := houseDB(t)
	server := serve(t, native.Config{DB: db}, web.Config{Guard: auth.NewGuard(tokens, nil)})
	for _, route := range native.Routes(native.Config{DB: db}) {
		method, path, _ := strings.Cut(route.Pattern, " ")
		for _, token := range []string{"", secret} {
			req, err := http.NewRequest(method, server.URL+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Authorization", "Bearer "+token)
			resp, err := server.Client().Do(req)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			admin := strings.HasPrefix(path, "/api/v1/admin/")
			refused := resp.StatusCode == 401 || resp.StatusCode == 403
			if want := token == "" || admin; refused != want {
				t.Errorf("%s with token %q: %d", route.Pattern, token, resp.StatusCode)
			}
		}
	}
}
