package cli

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sydradb/sydradb"
	"github.com/sydradb/sydradb/server/internal/auth"
	"github.com/sydradb/sydradb/server/internal/intake"
	"github.com/sydradb/sydradb/server/internal/native"
	"github.com/sydradb/sydradb/server/internal/ndjson"
	"github.com/sydradb/sydradb/server/internal/upkeep"
	"github.com/sydradb/sydradb/server/internal/web"
)

// twins are the program on a directory, and the program on a server of another one.
type twins struct {
	*program
	url string
}

// newTwins returns twins without data. The tokens of the server are lines of a tokens file.
func newTwins(t *testing.T, tokens string, limits native.Limits) *twins {
	t.Helper()
	p := newProgram(t)
	dir := filepath.Join(p.dir, "served")
	const century = 100 * 365 * 24 * time.Hour
	db, err := sydradb.Open(dir, &sydradb.Options{Retention: century})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	known, err := auth.Parse([]byte(tokens))
	if err != nil {
		t.Fatal(err)
	}
	s := web.New(web.Config{Guard: auth.NewGuard(known, nil)})
	routes := native.Routes(native.Config{DB: db, DataDir: dir, Rules: upkeep.Rules{All: century}, Limits: limits})
	if err := s.Mount(false, routes, ndjson.Routes(intake.New(db, intake.DefaultLimits(), nil))); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	return &twins{p, server.URL}
}

// same runs the program in both ways and wants the same output and exit code.
func (tw *twins) same(input string, args ...string) result {
	tw.t.Helper()
	here := tw.run(input, args...)
	there := tw.run(input, append(args, "--url", tw.url)...)
	if here != there {
		tw.t.Errorf("sydradb %s:\non a directory %+v\nby --url       %+v", strings.Join(args, " "), here, there)
	}
	return here
}

const awkward = `{"series":"room.temp","ts":1694300000,"value":21.5,"tags":{"room":"hall"}}
{"series":"room.temp","ts":1694300000.000000001,"value":-0.0,"tags":{"room":"hall"}}
{"series":"room.temp","ts":1694300060,"value":"warm","tags":{"room":"hall"}}
{"series":"room.temp","ts":1694300120,"value":"NaN","tags":{"room":"kitchen"}}
{"series":"room.temp","ts":1694300180,"value":"NaN:7ff0000000000002","tags":{"room":"kitchen"}}
{"series":"room.temp","ts":-1.5,"value":"+Inf","tags":{"room":"kitchen"}}
{"series":"odd name, \"quoted\"","ts":1694300120,"value":1e300,"tags":{"a b":"{c}","d":"\n"}}
{"series_id":7,"ts":2,"value":5,"tags":{"v":"0"}}
{"series":"","ts":1,"value":1}
nonsense
{"series":"weather","ts":1694300240,"fields":{"temp":20,"value":3,"sky":"blue"}}
`

// A server shows what a directory shows, byte by byte.
func TestURLIsLikeDirectory(t *testing.T) {
	tw := newTwins(t, "", native.Limits{})
	if r := tw.same(awkward, "ingest"); r.code != ExitRefused || !strings.HasSuffix(r.stderr, "ingested 9 points (4 rejected)\n") {
		t.Errorf("%+v", r)
	}
	tw.same("", "ingest", "sensors.csv", "--csv-comma", ";", "--csv-tags", "place", "--csv-name", "sensor")
	tw.same("", "ingest", "load.lp", "--precision", "s")
	tw.same("", "ingest", "points.ndjson", "--max-errors", "0")
	tw.same("", "ingest", "missing.ndjson")
	for round := range 2 {
		for _, args := range [][]string{
			{"query", "room.temp"},
			{"query", "{}", "--format", "table"},
			{"query", "{}", "--format", "csv"},
			{"query", "{}", "--format", "ndjson"},
			{"query", "{}", "--format", "json"},
			{"query", `{room=~"h.*"}`, "--start", "1694300000.0000000005", "--format", "csv"},
			{"query", "load", "--format", "chart"},
			{"query", "nothing", "--format", "chart"},
			{"query", "nothing"},
			{"query", "12"},
			{"query", "room.temp", "--limit", "2"},
			{"query", "room.temp", "--limit", "4"},
			{"query", "series:7"},
			{"query", "7", "-2", "2"},
			{"query", "load", "--agg", "max", "--step", "2m"},
			{"query", "load", "--agg", "count", "--by", "", "--format", "json"},
			{"query", "{}", "--agg", "last", "--by", "__name__,room"},
			{"query", "load", "--step", "90s", "--window", "1h", "--start", "1694300000", "--end", "1694300400"},
			{"query", "load", "--step", "1ns"},
			{"query", "a{"},
			{"find"},
			{"find", "room=hall"},
			{"find", "--any", "room=hall", "place=hall"},
			{"find", "{}", "--start", "1694300200"},
			{"find", "12"},
			{"export"},
			{"export", "--format", "influx"},
			{"export", "room.temp", "--format", "csv", "--end", "0"},
			{"stats", "--top", "tags"},
			{"stats", "--top", "names", "--format", "json"},
			{"delete", "nothing", "--all", "--yes"},
			{"delete", "room.temp", "--all"},
		} {
			if r := tw.same("", args...); round == 0 && r.code == ExitFine && r.stdout == "" && args[len(args)-1] != "12" && args[1] != "nothing" {
				t.Errorf("sydradb %s prints nothing", strings.Join(args, " "))
			}
		}
		if round == 0 {
			tw.same("", "flush")
			tw.same("", "flush")
			tw.same("", "delete", `room.temp{room="hall"}`, "--start", "1694300000", "--end", "1694300000", "--yes")
		}
	}
	merged := tw.run("", "compact", "--url", tw.url)
	if again := tw.run("", "compact", "--url", tw.url); merged.code != 0 || !strings.HasPrefix(merged.stdout, "merged ") || !strings.HasPrefix(again.stdout, "nothing to merge: ") {
		t.Errorf("%+v\n%+v", merged, again)
	}
	tw.same("", "query", "{}", "--format", "ndjson")
	if r := tw.run("", "retain", "--now", "--url", tw.url); r.code != 0 || !matches("SERIES  KEPT FROM\nall     19...Z\n", r.stdout) {
		t.Errorf("%+v", r)
	}
	snapshot := tw.run("", "snapshot", "--url", tw.url)
	if !matches("made snapshots/2...Z-... in the data directory of the server\n", snapshot.stdout) || snapshot.code != 0 {
		t.Errorf("%+v", snapshot)
	}
	dir := filepath.Join("served", strings.Fields(snapshot.stdout + " ?")[1])
	tw.want(0, tw.run("", "export").stdout, "", "export", "--data-dir", dir)
	if r := tw.run("", "stats", "--url", tw.url, "--format", "json"); !strings.HasPrefix(r.stdout, `{"state":"ok","series":9,`) {
		t.Errorf("%+v", r)
	}
	if r := tw.run("", "stats", "--url", tw.url); !strings.HasPrefix(r.stdout, "series         9\n") {
		t.Errorf("%+v", r)
	}
	// The other way: what was exported of a server is the same elsewhere.
	exported := tw.run("", "export", "--url", tw.url, "--output", "all.ndjson.zst")
	if exported.code != 0 {
		t.Fatalf("%+v", exported)
	}
	tw.want(0, "", "", "ingest", "all.ndjson.zst", "--data-dir", "copy")
	tw.want(0, tw.run("", "export").stdout, "", "export", "--data-dir", "copy")
}

// What the server alone can know is counted and explained, and costs no other point.
func TestURLDeclined(t *testing.T) {
	tw := newTwins(t, "", native.Limits{})
	future := `{"series":"a","ts":"2100-01-01T00:00:00Z","value":1}` + "\n"
	r := tw.run(hall+future+hall, "ingest", "--url", tw.url)
	if r.code != ExitRefused || !strings.Contains(r.stderr, "the server refused: ") ||
		!strings.HasSuffix(r.stderr, "committed 2 points (1 rejected), line 3\ningested 2 points (1 rejected)\n") {
		t.Errorf("%+v", r)
	}
	r = tw.run(strings.Repeat(future, 20), "ingest", "--max-errors", "1", "--url", tw.url)
	if r.code != ExitRefused || strings.Count(r.stderr, "the server refused: ") != 1 || !strings.Contains(r.stderr, "the server refused 20 points in this chunk") {
		t.Errorf("%+v", r)
	}
}

func TestURLTokens(t *testing.T) {
	const reader, admin = "0123456789abcdef-the-reader-token", "0123456789abcdef-the-admin-token-"
	tw := newTwins(t, "read "+reader+"\nadmin "+admin+"\n", native.Limits{})
	file := filepath.Join(tw.dir, "token")
	if err := os.WriteFile(file, []byte(admin+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	tw.fails(ExitUsage, "", []string{"find", "--url", tw.url}, "unauthorized", "SYDRADB_TOKEN")
	tw.want(ExitFine, "", hall, "ingest", "--url", tw.url, "--token-file", "token")
	tw.env = append(tw.env, "SYDRADB_URL="+tw.url, "SYDRADB_TOKEN="+reader)
	tw.want(ExitFine, hall, "", "query", "room.temp", "--format", "ndjson")
	tw.fails(ExitUsage, "", []string{"flush"}, "scope admin", "use a token that may do this")
	tw.fails(ExitUsage, hall, []string{"ingest"}, "scope write", "ingested 0 points")
	tw.want(ExitFine, "flushed 1 point into 1 segment file\n", "", "flush", "--token-file", "token")

	if err := os.Chmod(file, 0o640); err != nil {
		t.Fatal(err)
	}
	tw.fails(ExitUsage, "", []string{"flush", "--token-file", "token"}, "others than its owner", "hint: chmod 600 token")
	tw.fails(ExitUsage, "", []string{"flush", "--token-file", "missing"}, "--token-file")
	if err := os.WriteFile(filepath.Join(tw.dir, "empty"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	tw.fails(ExitUsage, "", []string{"flush", "--token-file", "empty"}, "want the token, and nothing else")
	// The directory that is named wins over the environment.
	tw.fails(ExitUsage, "", []string{"find", "--data-dir", "missing"}, "there is no database in missing")
}

func TestURLUsage(t *testing.T) {
	p := newProgram(t)
	for _, tt := range []struct {
		args  string
		words string
	}{
		{"find --url localhost:8080", "that is not the URL of a server"},
		{"find --url http://127.0.0.1:1 --data-dir x", "exclude each other"},
		{"find --token-file x", "--token-file goes with --url"},
		{"ingest --url http://127.0.0.1:1 --fsync always", "--fsync is about a directory"},
		{"ingest --url http://127.0.0.1:1 --max-series 5", "--max-series is about a directory"},
		{"retain --url http://127.0.0.1:1 --retention-days 5", "--retention-days is about a directory"},
		{"snapshot --url http://127.0.0.1:1 x", "snapshot takes no directory with --url"},
		{"snapshot", "snapshot takes the directory to make"},
		{"check --url http://127.0.0.1:1", "unknown flag: --url"},
		{"repair --url http://127.0.0.1:1", "hint: this command works on a directory"},
		{"query a{ --url http://127.0.0.1:1", `selector "a{"`},
	} {
		p.fails(ExitUsage, "", strings.Fields(tt.args), tt.words)
	}
	p.fails(ExitIO, "", []string{"find", "--url", "http://127.0.0.1:1"}, "no answer from http://127.0.0.1:1: ", "hint: is it running")
	p.fails(ExitIO, hall, []string{"ingest", "--url", "http://127.0.0.1:1"}, "no answer from", "ingested 0 points (0 rejected)\n")
}

// What a server answers instead has the exit code of its kind, and a hint.
func TestURLErrors(t *testing.T) {
	for _, tt := range []struct {
		status int
		body   string
		args   string
		code   int
		words  []string
	}{
		{503, `{"status":"error","errorType":"unavailable","error":"the server is starting: it reads its log"}`, "find", ExitIO, []string{"it reads its log"}},
		{503, `{"error":{"code":"starting","message":"the server is starting"}}`, "query a", ExitIO, []string{"the server is starting", "/ready"}},
		{500, `{"error":{"code":"corrupt_data","message":"damaged data was found"}}`, "query a", ExitDamaged, []string{"damaged", "sydradb check"}},
		{422, `{"error":{"code":"query_limit","message":"too many"}}`, "query a", ExitIO, []string{"too many", "shorter time"}},
		{400, `{"error":{"code":"bad_request","message":"unknown parameter"}}`, "query a", ExitUsage, []string{"unknown parameter"}},
		{404, "not here", "flush", ExitUsage, []string{"404 Not Found", "names a server of SydraDB"}},
		{301, "", "flush", ExitUsage, []string{"301"}},
		{500, `{"error":{"code":"internal","message":"an internal error"}}`, "flush", ExitIO, []string{"an internal error"}},
	} {
		p := newProgram(t)
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(tt.status)
			_, _ = w.Write([]byte(tt.body))
		}))
		p.fails(tt.code, "", append(strings.Fields(tt.args), "--url", server.URL), tt.words...)
		server.Close()
	}
}

// An answer that breaks off is no result: nothing gets its name.
func TestURLBreaksOff(t *testing.T) {
	tw := newTwins(t, "", native.Limits{Points: 5_000})
	db, err := sydradb.Open(filepath.Join(tw.dir, "data"), nil)
	if err != nil {
		t.Fatal(err)
	}
	b := db.NewBatch()
	for _, tag := range []string{"1", "2", "3"} {
		s, err := db.Series("a", sydradb.Tag{Key: "n", Value: tag})
		if err != nil {
			t.Fatal(err)
		}
		for ts := range int64(2_500) {
			b.Add(s, ts*1e9, 0.125)
		}
	}
	if err := db.Write(context.Background(), b); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if r := tw.run(tw.run("", "export").stdout, "ingest", "--url", tw.url); r.code != 0 || !strings.HasSuffix(r.stderr, "ingested 7500 points (0 rejected)\n") {
		t.Fatalf("%+v", r)
	}
	tw.fails(ExitIO, "", []string{"export", "--url", tw.url, "--output", "out.csv"}, "limit", "hint: ask for fewer series")
	if _, err := os.Stat(filepath.Join(tw.dir, "out.csv")); err == nil {
		t.Error("a part of the points was taken for all of them")
	}
}
