package web

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/sydradb/sydradb/server/internal/auth"
)

// A page whose name was made to lead to this machine gets nothing of a server without tokens.
func TestNamesOfOtherSites(t *testing.T) {
	fine := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	routes := []Route{
		{Pattern: "GET /read", Name: "r", Scope: auth.Read, Handler: fine},
		{Pattern: "GET /health", Name: "h", Scope: auth.Open, Handler: fine},
	}
	var log bytes.Buffer
	ask := func(hosts []string, path, host string) *httptest.ResponseRecorder {
		s := New(Config{Hosts: hosts, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		if err := s.Mount(false, routes); err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequest("GET", path, nil)
		r.Host = host
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		return w
	}
	mine := []string{"db.example.com", "10.1.2.3", "2001:db8::2"}
	for _, host := range []string{
		"localhost", "LocalHost:8080", "localhost.", "x.localhost", "127.0.0.1", "127.0.0.1:8080", "127.8.9.1:1", "[::1]", "[::1]:8080", "::1",
		"[::ffff:127.0.0.1]:1", "db.example.com", "DB.example.com:443", "db.example.com.", "",
		"10.1.2.3", "10.1.2.3:8080", "[2001:db8::2]", "[2001:DB8:0::2]:8080",
	} {
		if w := ask(mine, "/read", host); w.Code != 200 || log.Len() > 0 {
			t.Errorf("%q: %d, %s, logged %s", host, w.Code, w.Body, &log)
		}
	}
	for _, host := range []string{
		"evil.example", "evil.example:8080", "localhost.evil.example", "127.0.0.1.evil.example", "evil-localhost", "10.0.0.1", "0.0.0.0:8080", "[2001:db8::1]", "example.com", "127.0.0.1:8080:1", "localhost@evil", "localhost/evil",
	} {
		if w := ask(mine, "/read", host); w.Code != 403 || !strings.Contains(w.Body.String(), "allowed_hosts") {
			t.Errorf("%q: %d, %s", host, w.Code, w.Body)
		}
		if w := ask(mine, "/health", host); w.Code != 200 {
			t.Errorf("%q, where anybody may ask: %d, %s", host, w.Code, w.Body)
		}
		for _, any := range [][]string{nil, {"a", AnyHost}} {
			if w := ask(any, "/read", host); w.Code != 200 {
				t.Errorf("%q, with hosts %q: %d, %s", host, any, w.Code, w.Body)
			}
		}
	}
	if w := ask([]string{}, "/read", "evil.example"); w.Code != 403 || !strings.Contains(w.Body.String(), "auth_token") {
		t.Errorf("without allowed hosts: %d, %s", w.Code, w.Body)
	}
}

// The first request that is refused for its name is logged, without what else it holds; a
// page that sends many does not fill the log.
func TestFirstStrangeNameIsLogged(t *testing.T) {
	var log bytes.Buffer
	s := New(Config{Hosts: []string{}, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if err := s.Mount(false, []Route{{Pattern: "GET /read", Name: "r", Scope: auth.Read, Handler: http.NotFoundHandler()}}); err != nil {
		t.Fatal(err)
	}
	for _, host := range []string{"first.example\nlevel=ERROR" + strings.Repeat("x", 4000), "second.example"} {
		r := httptest.NewRequest("GET", "/read?p=canary", nil)
		r.Host = host
		r.Header.Set("Authorization", "Bearer canary")
		s.ServeHTTP(httptest.NewRecorder(), r)
	}
	text := log.String()
	if strings.Count(text, "\n") != 1 || !strings.Contains(text, "level=WARN") || !strings.Contains(text, "first.example") || !strings.Contains(text, "allowed_hosts") ||
		strings.Contains(text, "canary") || len(text) > 500 {
		t.Errorf("logged %s", text)
	}
}

// What is logged of a panic has neither the header nor the query of its request.
func TestPanicsShowNoSecrets(t *testing.T) {
	const secret = "canary-0123456789-0123456789-0123456789"
	var log bytes.Buffer
	token, err := auth.NewToken(secret)
	if err != nil {
		t.Fatal(err)
	}
	seen := counts{}
	s := New(Config{
		Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})), Observer: seen,
		Guard: auth.NewGuard([]auth.Token{token}, nil),
	})
	if err := s.Mount(false, []Route{{Pattern: "GET /x", Name: "x", Scope: auth.Read, Style: Influx, Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		panic(fmt.Sprintf("%v %s %+v", r.Header, r.URL, r)) // the worst that it can say
	})}}); err != nil {
		t.Fatal(err)
	}
	for _, r := range []*http.Request{
		httptest.NewRequest("GET", "/x?u=me&p="+secret, nil),
		httptest.NewRequest("GET", "/x", nil),
		httptest.NewRequest("GET", "/x", nil),
	} {
		if r.URL.RawQuery == "" {
			r.SetBasicAuth("me", secret)
		}
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		if w.Code != 500 || strings.Contains(w.Body.String(), "canary") {
			t.Errorf("%d, %s", w.Code, w.Body)
		}
	}
	if seen["x panics"] != 3 || !strings.Contains(log.String(), "goroutine") || strings.Contains(log.String(), "canary") {
		t.Errorf("counted %v, logged %s", seen, &log)
	}
}

// Connections leave files to the database, however few there may be.
func TestConnectionsLeaveFiles(t *testing.T) {
	for _, tt := range []struct{ limit, files, want int }{
		{512, 1 << 20, 512}, {512, 1024, 512}, {512, 1023, 512}, {512, 1000, 500}, {512, 256, 128}, {512, 64, 16}, {8, 64, 8}, {512, 49, 1}, {512, 10, 1}, {512, 0, 1},
	} {
		if got := connections(tt.limit, tt.files); got != tt.want {
			t.Errorf("limit %d, %d files: %d, want %d", tt.limit, tt.files, got, tt.want)
		}
	}
	if files, known := openFileLimit(); known && files <= 0 {
		t.Errorf("%d files", files)
	}
}

// slowWriter is a connection whose client takes each part just in time.
type slowWriter struct {
	header   http.Header
	each     time.Duration
	deadline time.Time
	taken    int
}

func (w *slowWriter) Header() http.Header                    { return w.header }
func (w *slowWriter) WriteHeader(int)                        {}
func (w *slowWriter) SetReadDeadline(time.Time) error        { return nil }
func (w *slowWriter) SetWriteDeadline(until time.Time) error { w.deadline = until; return nil }

func (w *slowWriter) Write(b []byte) (int, error) {
	time.Sleep(w.each)
	if !time.Now().Before(w.deadline) {
		return 0, os.ErrDeadlineExceeded
	}
	w.taken += len(b)
	return len(b), nil
}

// A client that takes what it is sent a little at a time holds its slot for a bounded time;
// one that is slow but steady gets a large answer whole, in however large parts it is written.
func TestClientsThatReadSlowly(t *testing.T) {
	const size = 40 * partBytes
	for name, tt := range map[string]struct {
		each time.Duration // for a part
		want int
	}{
		"steady":    {14 * time.Second, size},           // 560 s
		"trickling": {30 * time.Second, 20 * partBytes}, // 600 s
		"stopped":   {2 * time.Minute, 0},               // 60 s
		"quick":     {time.Millisecond, size},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := New(Config{Limits: Limits{QuerySlots: 1}})
			var failed error
			if err := s.Mount(false, []Route{{Pattern: "GET /much", Name: "m", Slot: QuerySlot, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				_, failed = w.Write(make([]byte, size))
			})}}); err != nil {
				t.Fatal(err)
			}
			w := &slowWriter{header: make(http.Header), each: tt.each}
			began := time.Now()
			s.ServeHTTP(w, httptest.NewRequest("GET", "/much", nil))
			if took := time.Since(began); took > 10*time.Minute+tt.each || w.taken > tt.want || w.taken < tt.want-partBytes || (failed == nil) != (w.taken == size) {
				t.Errorf("%s: took %d of %d bytes in %v, %v", name, w.taken, tt.want, took, failed)
			}
			if load := s.Load(); load != (Load{}) {
				t.Errorf("%s: left at the end: %+v", name, load)
			}
		})
	}
}

// secured is listen with TLS.
func secured(t *testing.T, s *Server) *listening {
	t.Helper()
	dir := t.TempDir()
	files := TLSFiles{Cert: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem")}
	writeCertificate(t, files, 1, time.Now())
	config, err := files.Config(nil)
	if err != nil {
		t.Fatal(err)
	}
	return listen(t, s, config)
}

// dialHTTP2 opens a connection that speaks HTTP/2, with a window of its own for answers.
func (l *listening) dialHTTP2(t *testing.T, window uint32) (*tls.Conn, *http2.Framer) {
	t.Helper()
	c, err := tls.Dial("tcp", l.address, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}}) // it signs itself
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	framer := http2.NewFramer(c, c)
	_, err = io.WriteString(c, http2.ClientPreface)
	err = errors.Join(err, framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: window}), c.SetReadDeadline(time.Now().Add(30*time.Second)))
	if err != nil {
		t.Fatal(err)
	}
	return c, framer
}

// header is that of a request as HTTP/2 has it.
func header(method, path string) []byte {
	var b bytes.Buffer
	e := hpack.NewEncoder(&b)
	for _, f := range [][2]string{{":method", method}, {":scheme", "https"}, {":path", path}, {":authority", "localhost"}} {
		_ = e.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]})
	}
	return b.Bytes()
}

// Slow clients are let go over HTTP/2, too, many at once, and nobody waits for them.
func TestSlowClientsOfHTTP2(t *testing.T) {
	const soon = 100 * time.Millisecond
	run := secured(t, newServer(t, Config{Limits: Limits{
		HeaderTimeout: soon, BodyGrace: soon, BodyRate: 1 << 20, BodyTimeout: 3 * soon, WriteTimeout: soon, IdleTimeout: soon, IngestSlots: 1, QuerySlots: 1,
	}}, Route{Pattern: "GET /much", Name: "m", Slot: QuerySlot, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(make([]byte, 1<<20))
	})}))
	const streams = 30
	for name, tt := range map[string]struct {
		window uint32
		send   func(*http2.Framer) error
		ends   int // streams, by a header or a reset
	}{
		"nothing": {1 << 16, func(*http2.Framer) error { return nil }, 0},
		"header": {1 << 16, func(f *http2.Framer) error {
			return f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: header("POST", "/echo")[:3]})
		}, 0},
		"bodies": {1 << 16, func(f *http2.Framer) error {
			for i := range uint32(streams) {
				h := http2.HeadersFrameParam{StreamID: 2*i + 1, BlockFragment: header("POST", []string{"/echo", "/stream"}[i%2]), EndHeaders: true}
				if err := errors.Join(f.WriteHeaders(h), f.WriteData(2*i+1, false, []byte("x"))); err != nil {
					return err
				}
			}
			return nil
		}, streams},
		"answers": {0, func(f *http2.Framer) error {
			return f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: header("GET", "/much"), EndHeaders: true, EndStream: true})
		}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, framer := run.dialHTTP2(t, tt.window)
			if err := tt.send(framer); err != nil {
				t.Fatal(err)
			}
			ended := make(map[uint32]bool)
			for {
				frame, err := framer.ReadFrame()
				if errors.Is(err, os.ErrDeadlineExceeded) {
					t.Fatal("the server leaves the connection open")
				}
				if err != nil {
					break // closed
				}
				switch f := frame.(type) {
				case *http2.HeadersFrame:
					if tt.window > 0 {
						ended[f.StreamID] = true
					}
				case *http2.RSTStreamFrame:
					ended[f.StreamID] = true
				}
			}
			if len(ended) != tt.ends {
				t.Errorf("%d streams ended, want %d", len(ended), tt.ends)
			}
		})
	}
	t.Cleanup(func() {
		if load := run.Load(); load != (Load{}) {
			t.Errorf("left at the end: %+v", load)
		}
	})
}
