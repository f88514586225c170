package serve

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sydradb/sydradb"
	"github.com/sydradb/sydradb/server/internal/config"
	"github.com/sydradb/sydradb/server/internal/node"
	"github.com/sydradb/sydradb/server/internal/web"
)

const token = "canary-0123456789-0123456789-0123456789"

// settings returns settings for a server in a new directory.
func settings(t *testing.T, change func(*config.Config)) *config.Config {
	t.Helper()
	cfg := config.Default()
	cfg.DataDir = filepath.Join(t.TempDir(), "data")
	cfg.ReserveBytes = 1 << 20 // tests need not write 64 MiB each
	cfg.Listen = "127.0.0.1:0"
	cfg.LogLevel = "debug"
	if change != nil {
		change(cfg)
	}
	return cfg
}

// running is a server under test.
type running struct {
	url  string
	stop context.CancelFunc
	done chan error
	log  *watched
}

// watched is a log that says when the server is ready.
type watched struct {
	lockedWriter
	text  bytes.Buffer
	ready chan string // the address
}

func newWatched() *watched {
	w := &watched{ready: make(chan string, 1)}
	w.lockedWriter.w = writerFunc(func(b []byte) (int, error) {
		if _, url, ok := strings.Cut(string(b), "serving on "); ok {
			w.ready <- strings.Trim(strings.Fields(url)[0], `"},`)
		}
		return w.text.Write(b)
	})
	return w
}

func (w *watched) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

// start runs a server and waits until it is ready.
func start(t *testing.T, cfg *config.Config) *running {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	r := &running{stop: stop, done: make(chan error, 1), log: newWatched()}
	go func() { r.done <- Run(ctx, cfg, r.log) }()
	t.Cleanup(func() { _ = r.end() })
	select {
	case r.url = <-r.log.ready:
	case err := <-r.done:
		t.Fatalf("the server ended with %v:\n%s", err, r.log)
	case <-time.After(time.Minute):
		t.Fatalf("the server is not ready:\n%s", r.log)
	}
	return r
}

// end stops the server and returns its error.
func (r *running) end() error {
	r.stop()
	err := <-r.done
	r.done <- err
	return err
}

// ask sends a request, with the token if there is one in the header, and returns status
// and body.
func (r *running) ask(t *testing.T, method, path, body string, header ...string) (int, string) {
	t.Helper()
	q, err := http.NewRequestWithContext(t.Context(), method, r.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		q.Header.Set(header[i], header[i+1])
	}
	response, err := http.DefaultClient.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

// A server keeps what it was given over a stop and a start.
func TestRunStopsAndStartsAgain(t *testing.T) {
	cfg := settings(t, nil)
	for i := range 2 {
		r := start(t, cfg)
		if status, text := r.ask(t, "GET", "/ready", ""); status != 200 || !strings.Contains(text, `"state":"ok"`) {
			t.Errorf("ready: %d, %s", status, text)
		}
		if status, text := r.ask(t, "POST", "/write", fmt.Sprintf("cpu v=%d %d", i, time.Now().UnixNano())); status != 204 {
			t.Errorf("write: %d, %s", status, text)
		}
		status, text := r.ask(t, "GET", "/api/v1/query?query=count_over_time(cpu_v[1h])", "")
		if want := fmt.Sprintf(`"%d"]`, i+1); status != 200 || !strings.Contains(text, want) {
			t.Errorf("query: %d, %s; want %s", status, text, want)
		}
		if err := r.end(); err != nil {
			t.Fatalf("%v\n%s", err, r.log)
		}
		if !strings.Contains(r.log.String(), "the server has stopped") {
			t.Errorf("the log: %s", r.log)
		}
	}
}

// What is switched off is not there, the rest is.
func TestProtocolsCanBeSwitchedOff(t *testing.T) {
	r := start(t, settings(t, func(cfg *config.Config) {
		cfg.EnableInflux, cfg.EnableProm, cfg.LogFormat = false, false, "json"
	}))
	for path, want := range map[string]int{
		"POST /write": 404, "POST /api/v2/write": 404, "GET /ping": 404, "GET /api/v1/query?query=1": 404, "POST /api/v1/write": 404,
		"GET /health": 200, "GET /metrics": 200, "GET /": 200, "GET /api/v1/stats": 200,
	} {
		method, path, _ := strings.Cut(path, " ")
		if status, text := r.ask(t, method, path, ""); status != want {
			t.Errorf("%s: %d, %.200s; want %d", path, status, text, want)
		}
	}
	for line := range strings.Lines(r.log.String()) {
		if !strings.HasPrefix(line, "{") || !strings.HasSuffix(line, "}\n") {
			t.Errorf("not JSON: %s", line)
		}
	}
}

func TestErrorsOfTheStart(t *testing.T) {
	taken := start(t, settings(t, nil))
	locked := settings(t, nil)
	if db, err := sydradb.Open(locked.DataDir, nil); err != nil {
		t.Fatal(err)
	} else {
		defer db.Close()
	}
	damaged := settings(t, nil)
	if db, err := sydradb.Open(damaged.DataDir, nil); err != nil || db.Close() != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(filepath.Join(damaged.DataDir, "MANIFEST"), 3); err != nil {
		t.Fatal(err)
	}
	invalid := func(err error) bool {
		var i *config.InvalidError
		return errors.As(err, &i)
	}
	for name, tt := range map[string]struct {
		cfg  *config.Config
		want func(error) bool
	}{
		"address in use": {settings(t, func(c *config.Config) { c.Listen = strings.TrimPrefix(taken.url, "http://") }), func(err error) bool { return strings.Contains(err.Error(), "listen tcp") }},
		"locked":         {locked, func(err error) bool { return errors.Is(err, sydradb.ErrLocked) }},
		"damaged":        {damaged, func(err error) bool { return errors.Is(err, sydradb.ErrCorrupt) }},
		"short token":    {settings(t, func(c *config.Config) { c.AuthToken = "short" }), invalid},
		"tokens file":    {settings(t, func(c *config.Config) { c.TokensFile = "/missing/tokens" }), invalid},
		"certificate":    {settings(t, func(c *config.Config) { c.TLSCert, c.TLSKey = "/missing/cert", "/missing/key" }), invalid},
	} {
		err := Run(t.Context(), tt.cfg, io.Discard)
		if err == nil || !tt.want(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := taken.end(); err != nil {
		t.Error(err)
	}
}

// A signal while the log is read stops the server, too.
func TestStopDuringTheStart(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Run(ctx, settings(t, nil), io.Discard); err != nil {
		t.Error(err)
	}
}

func TestWarnings(t *testing.T) {
	cfg := settings(t, func(cfg *config.Config) {
		cfg.Listen, cfg.InsecureNoAuth = "0.0.0.0:0", true
		cfg.File = filepath.Join(filepath.Dir(cfg.DataDir), "sydradb.toml")
	})
	if err := errors.Join(os.MkdirAll(cfg.DataDir, 0o755), os.Chmod(cfg.DataDir, 0o755), os.WriteFile(cfg.File, nil, 0o644), os.Chmod(cfg.File, 0o644)); err != nil {
		t.Fatal(err)
	}
	r := start(t, cfg)
	for _, words := range []string{"not encrypted", "everybody who can reach this address", "others than its owner have access to the data directory", "chmod go= "} {
		if !strings.Contains(r.log.String(), words) {
			t.Errorf("the log lacks %q:\n%s", words, r.log)
		}
	}
	if strings.Contains(r.log.String(), "configuration file") {
		t.Error("a warning about a file without a secret")
	}
}

// The configuration may belong to root and be readable by the group of the server, as the
// unit under deploy/ has it.
func TestGroupMayReadConfiguration(t *testing.T) {
	cfg := settings(t, func(cfg *config.Config) {
		cfg.AuthToken = token
		cfg.File = filepath.Join(filepath.Dir(cfg.DataDir), "sydradb.toml")
	})
	if err := os.WriteFile(cfg.File, nil, 0o640); err != nil {
		t.Fatal(err)
	}
	if r := start(t, cfg); strings.Contains(r.log.String(), "access to the configuration file") {
		t.Errorf("a warning:\n%s", r.log)
	}
}

// A token shows nowhere: not in the log, not in answers, whatever is done with it.
func TestTokensShowNowhere(t *testing.T) {
	const second = "canary-of-a-file-0123456789-0123456789"
	cfg := settings(t, func(cfg *config.Config) {
		cfg.AuthToken = token
		cfg.TokensFile = filepath.Join(filepath.Dir(cfg.DataDir), "tokens")
		cfg.File = filepath.Join(filepath.Dir(cfg.DataDir), "sydradb.toml")
	})
	if err := errors.Join(os.WriteFile(cfg.TokensFile, []byte("read "+second+"\n"), 0o600), os.WriteFile(cfg.File, nil, 0o600), os.Chmod(cfg.File, 0o644)); err != nil {
		t.Fatal(err)
	}
	r := start(t, cfg)
	if !strings.Contains(r.log.String(), "access to the configuration file") {
		t.Errorf("no warning about the file with the token:\n%s", r.log)
	}
	var answers strings.Builder
	for _, path := range []string{
		"GET /metrics", "GET /api/v1/stats", "GET /api/v1/status/flags", "GET /api/v1/status/config", "GET /api/v1/status/runtimeinfo",
		"GET /api/v1/query?query=up{", "GET /api/v1/query?query=up", "POST /write", "POST /write?u=x&p=" + token, "POST /write?db=x&u=x&p=" + token + "wrong",
		"POST /api/v2/write?p=" + token, "POST /api/v1/ingest", "POST /api/v1/write", "POST /api/v1/import", "POST /v1/metrics", "GET /none", "DELETE /write",
		"GET /query?u=x&p=" + second + "&q=SHOW", "POST /api/v1/admin/flush", "GET /ping?p=" + token, "GET /%zz",
		"GET /api/v1/stats?token=" + token, "GET /api/v1/query?query=up{&token=" + token, "GET //api/v1/stats?token=" + token, "POST /write?token=" + token, "GET /none?token=" + token,
		"POST /api/v1/query/select?token=" + token, "POST /api/v1/import?token=" + token, "POST /v1/metrics?token=" + token,
	} {
		method, path, _ := strings.Cut(path, " ")
		for _, header := range [][]string{{}, {"Authorization", "Bearer " + token}, {"Authorization", "Token " + second}, {"Authorization", "Bearer " + token + "x"}, {"Authorization", token}, {"Authorization", "Bearer " + token, "Content-Encoding", "gzip"},
			{"Authorization", "Basic " + base64.StdEncoding.EncodeToString([]byte("me:"+token))}, {"Authorization", "Basic " + token}, {"Authorization", "Basic " + base64.StdEncoding.EncodeToString([]byte(token+":wrong"))}} {
			if strings.Contains(path, "%zz") {
				continue
			}
			status, text := r.ask(t, method, path, "bad {line", header...)
			fmt.Fprintln(&answers, status, text)
		}
	}
	status, text := r.ask(t, "POST", "/write?precision=s&u=x&p="+token, "cpu v=1")
	if status != 204 {
		t.Errorf("the token itself does not work: %d, %s", status, text)
	}
	if err := r.end(); err != nil {
		t.Error(err)
	}
	for name, text := range map[string]string{"the log": r.log.String(), "an answer": answers.String(), "the settings": fmt.Sprintf("%v %+v %#v", cfg, cfg, cfg)} {
		if i := strings.Index(text, "canary"); i >= 0 {
			t.Errorf("%s shows a token: %.200s", name, text[max(0, i-100):])
		}
	}
	if !strings.Contains(answers.String(), "sydradb_") || !strings.Contains(r.log.String(), "handler=") {
		t.Error("there is nothing to look through")
	}
}

// No path leads to files but those of the page.
func TestPathsLeadNowhere(t *testing.T) {
	cfg := settings(t, nil)
	r := start(t, cfg)
	for _, path := range []string{
		"/static/../../../../etc/passwd", "/static/..%2f..%2f..%2fetc%2fpasswd", "/static/%2e%2e/%2e%2e/LOCK", "/..%5c..%5cLOCK", "//etc/passwd", "/static//etc/passwd",
		"/MANIFEST", "/wal/current.wal", "/data/MANIFEST", "/static/MANIFEST", "/snapshots/", "/static/", "/.git/config", "/debug/pprof/", "/debug/vars", "/api/v1/label/..%2f..%2fLOCK/values",
	} {
		c, err := net.Dial("tcp", strings.TrimPrefix(r.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", path)
		text, err := io.ReadAll(c)
		_ = c.Close()
		status, _, _ := strings.Cut(strings.TrimPrefix(string(text), "HTTP/1.1 "), " ")
		if err != nil || !slices.Contains([]string{"301", "307", "400", "404"}, status) && !strings.Contains(string(text), `{"status":"success","data":[]}`) {
			t.Errorf("%s: %.300s, %v", path, text, err)
		}
	}
	before, err := os.ReadDir(filepath.Dir(cfg.DataDir))
	if err != nil {
		t.Fatal(err)
	}
	for _, body := range []string{"name=../../outside", "dir=/tmp/outside", `{"name":"../outside"}`} {
		if status, text := r.ask(t, "POST", "/api/v1/admin/snapshot?name=../../outside", body); status != 200 && status != 400 || strings.Contains(text, "outside") && status == 200 {
			t.Errorf("a snapshot of %s: %d, %s", body, status, text)
		}
	}
	if after, err := os.ReadDir(filepath.Dir(cfg.DataDir)); err != nil || len(after) != len(before) {
		t.Errorf("beside the data directory there are %v, %v; want %v", after, err, before)
	}
}

// Before the database is open, the server says so in the way that each client reads.
func TestWhileStarting(t *testing.T) {
	anywhere := func(cfg *config.Config) { cfg.AllowedHosts = web.AnyHost } // that of httptest is example.com
	s, err := newServer(settings(t, anywhere), sydradb.Options{}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	early, err := s.earlyRoutes()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.web.Mount(true, early); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"/health": "200 ", "/metrics": "200 ", "/": "200 ", "/ready": `503 {"state":"starting"`,
		"/api/v1/query": `503 {"status":"error","errorType":"unavailable"`, "/write": `503 {"error":"`, "/api/v1/stats": `503 {"error":{"code":"starting"`,
	} {
		w := httptest.NewRecorder()
		s.web.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		if got := fmt.Sprint(w.Code, " ", w.Body); !strings.HasPrefix(got, want) {
			t.Errorf("%s: %.200s; want %s", path, got, want)
		}
	}
	if s.node.Status().State != node.Starting {
		t.Errorf("%+v", s.node.Status())
	}
}
