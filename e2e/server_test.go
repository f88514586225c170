package e2e

import (
	"fmt"
	"math"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// token is the secret of every server here: what works with a token works without one,
// the other way round it may not.
const token = "a-secret-of-the-tests-0123456789abcdef"

// server is a running sydradb.
type server struct {
	api
	*program
	address string // host:port
	config  string // the path of its sydradb.toml
}

// serve starts sydradb on an empty directory, with further lines for its configuration,
// and waits until it is ready.
func serve(t *testing.T, settings ...string) *server {
	t.Helper()
	address := freeAddress(t)
	lines := append([]string{
		fmt.Sprintf("data_dir = %q", filepath.Join(t.TempDir(), "data")),
		fmt.Sprintf("listen = %q", address),
		fmt.Sprintf("auth_token = %q", token),
	}, settings...)
	s := &server{
		api:     api{url: "http://" + address, token: token},
		address: address,
		config:  file(t, "sydradb.toml", strings.Join(lines, "\n")+"\n"),
	}
	s.begin(t)
	return s
}

// begin starts the process, for the first time or again on what it left behind.
func (s *server) begin(t *testing.T) {
	t.Helper()
	bin := os.Getenv("SYDRADB_BIN")
	if bin == "" {
		t.Fatal("SYDRADB_BIN does not name the binary to test: run make e2e")
	}
	s.program = start(t, bin, "serve", "--config", s.config)
	s.ready(t, s.program, "/ready")
}

// ready waits until the program answers well at the path.
func (a api) ready(t *testing.T, p *program, path string) {
	t.Helper()
	eventually(t, 20*time.Second, p.name+" becomes ready", func() error {
		if err := p.alive(); err != nil {
			t.Fatal(err)
		}
		_, err := a.do(t.Context(), "GET", path, nil, "")
		return err
	})
}

// post sends text to a path of the server, which has to like it.
func (s *server) post(t *testing.T, path, contentType, text string) {
	t.Helper()
	if _, err := s.do(t.Context(), "POST", path, strings.NewReader(text), contentType); err != nil {
		t.Fatal(err)
	}
}

// login is the URL of the server with the token as a password, for programs that know no
// other way to send one.
func (s *server) login() string {
	u := url.URL{Scheme: "http", Host: s.address, User: url.UserPassword("any", token)}
	return u.String()
}

// all is the window of a range selector, ending at end, that begins at begin (both in
// milliseconds).
func all(begin, end int64) string {
	return fmt.Sprintf("%ds", int64(math.Ceil(float64(end-begin)/1000)))
}

func now() int64 { return time.Now().UnixMilli() }
