//go:build linux

package torture

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// TestMain removes the binary that the tests built.
func TestMain(m *testing.M) {
	code := m.Run()
	os.RemoveAll(built)
	os.Exit(code)
}

// built is the directory of the binary that this run built, if it did.
var built string

// build makes the binary, or takes the one that SYDRADB_BINARY names.
var build = sync.OnceValues(func() (string, error) {
	if path := os.Getenv("SYDRADB_BINARY"); path != "" {
		return path, nil
	}
	var err error
	if built, err = os.MkdirTemp("", "sydradb-binary-"); err != nil {
		return "", err
	}
	path := filepath.Join(built, "sydradb")
	cmd := exec.Command("go", "build", "-o", path, "github.com/sydradb/sydradb/server/cmd/sydradb")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the binary: %w\n%s", err, out)
	}
	return path, nil
})

// binary returns the path of the program under test.
func binary(t testing.TB) string {
	t.Helper()
	path, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// scene makes a directory for a test. It goes when the test has passed, and stays when it
// failed, with a note on how to look at it again; further says with which variables.
func scene(t testing.TB, further string) string {
	t.Helper()
	base := os.Getenv("SYDRADB_TORTURE")
	if base == "" {
		base = os.TempDir()
	}
	dir, err := os.MkdirTemp(base, "torture-"+strings.ReplaceAll(t.Name(), "/", "-")+"-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if !t.Failed() {
			os.RemoveAll(dir)
			return
		}
		name := t.Name()
		note := fmt.Sprintf("test    %s\nbinary  sha256:%s\nagain   %s go test -count 1 -run '^%s' ./server/internal/torture\nlook    SYDRADB_REPLAY=%s go test -count 1 -v -run '^TestReplay$' ./server/internal/torture\n",
			name, digest(binary(t)), further, strings.ReplaceAll(name, "/", "$/^"), dir)
		os.WriteFile(filepath.Join(dir, "NOTE"), []byte(note), 0o600)
		t.Logf("what the test left behind is kept in %s\n%s", dir, note)
	})
	return dir
}

// digest is the SHA-256 sum of a file, or what went wrong with it.
func digest(path string) string {
	f, err := os.Open(path)
	if err != nil {
		return err.Error()
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%x", sum.Sum(nil))
}

// environment is that of the test without settings of SydraDB, and with those given. A planted
// bug stays: a binary that was built with them (SYDRADB_BINARY) has to be caught.
func environment(settings ...string) []string {
	var out []string
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, "SYDRADB_") || strings.HasPrefix(e, "SYDRADB_PLANT=") {
			out = append(out, e)
		}
	}
	return append(out, settings...)
}

// program is a process of the binary. It is killed when its test ends, and the end of its log
// is shown if the test failed.
type program struct {
	t    testing.TB
	url  string // of a server, once it is ready
	cmd  *exec.Cmd
	path string        // of the file with its log
	done chan struct{} // closed when it ended
	err  error         // of Wait, once done is closed
}

// serve starts a server on a data directory and waits until it is ready. A setting is a variable
// (SYDRADB_MAX_SERIES=5) or an argument (--max-series=5). The working directory is the one that
// the data directory is in, the address a free port of this machine.
func serve(t testing.TB, dir string, settings ...string) *program {
	t.Helper()
	p := launch(t, dir, settings...)
	p.ready()
	return p
}

// launch starts a server and does not wait for it. A setting "-- COMMAND..." is a program
// with its arguments that runs it, such as strace. What the disk of this machine has free does not
// matter, and nobody waits for a reserve of the usual size.
func launch(t testing.TB, dir string, settings ...string) *program {
	t.Helper()
	argv := []string{binary(t), "serve", "--data-dir", dir, "--listen", "127.0.0.1:0"}
	variables, under := []string{"SYDRADB_RESERVE_BYTES=1MiB", "SYDRADB_MIN_FREE_BYTES=1MiB"}, []string(nil)
	for _, s := range settings {
		if tracer, ok := strings.CutPrefix(s, "-- "); ok {
			under = strings.Fields(tracer)
		} else if !strings.HasPrefix(s, "-") {
			variables = append(variables, s)
		} else {
			argv = append(argv, s)
		}
	}
	return start(t, filepath.Dir(dir), variables, append(under, argv...))
}

// start starts a process whose log goes to a file beside its working directory.
func start(t testing.TB, dir string, variables, argv []string) *program {
	t.Helper()
	out, err := os.CreateTemp(filepath.Dir(dir), "log-")
	if err != nil {
		t.Fatal(err)
	}
	p := &program{t: t, path: out.Name(), done: make(chan struct{})}
	p.cmd = exec.Command(argv[0], argv[1:]...)
	p.cmd.Dir = dir
	p.cmd.Stdout, p.cmd.Stderr = out, out
	p.cmd.Env = environment(variables...)
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	err = p.cmd.Start()
	out.Close() // the process has its own
	if err != nil {
		t.Fatalf("start %s: %v", argv[0], err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			text := p.log()
			t.Logf("the end of the log %s:\n%s", p.path, text[max(0, len(text)-2000):])
		}
	})
	return p
}

// log returns what the process has printed.
func (p *program) log() string {
	text, err := os.ReadFile(p.path)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// alive reports whether the process runs.
func (p *program) alive() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// kill ends the process as a crash does, and waits for its end.
func (p *program) kill() {
	p.cmd.Process.Kill() // fails only for one that has ended
	<-p.done
}

// term asks the process to end.
func (p *program) term() {
	p.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		p.t.Fatal(err)
	}
}

// wait waits for the end of the process and returns its exit code, -1 after a signal.
func (p *program) wait() int {
	p.t.Helper()
	select {
	case <-p.done:
	case <-time.After(60 * time.Second):
		p.t.Fatalf("%s has not ended within a minute", p.cmd)
	}
	return p.cmd.ProcessState.ExitCode()
}

// servingOn is the line with the address: the database is open and its log read.
var servingOn = regexp.MustCompile(`(?m)^serving on (http://\S+)$`)

// ready waits until the server is, and learns its address.
func (p *program) ready() {
	p.t.Helper()
	if err := p.becomeReady(60 * time.Second); err != nil {
		p.t.Fatal(err)
	}
}

// becomeReady waits until the server is ready, for at most so long.
func (p *program) becomeReady(limit time.Duration) error {
	return poll(limit, func() (bool, error) {
		if m := servingOn.FindStringSubmatch(p.log()); m != nil {
			p.url = m[1]
			return true, nil
		}
		if !p.alive() {
			return true, fmt.Errorf("the server ended before it was ready: %v\n%s", p.err, p.log())
		}
		return false, errors.New("the server does not become ready")
	})
}

// poll tries until it is done, or limit has passed, and returns the last error.
func poll(limit time.Duration, try func() (done bool, err error)) error {
	deadline := time.After(limit)
	for {
		done, err := try()
		if done {
			return err
		}
		select {
		case <-deadline:
			return fmt.Errorf("not within %v: %w", limit, err)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// pass waits for real time to go by: what processes do takes that long.
func pass(d time.Duration) { <-time.After(d) }

// newHTTP makes a client with connections of its own.
func newHTTP() *http.Client {
	return &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 1}, Timeout: 60 * time.Second}
}

// get reads a path of the server.
func (p *program) get(path string) (status int, body []byte, err error) {
	return p.do(http.MethodGet, path, "", nil)
}

// post sends a body to a path of the server.
func (p *program) post(path, contentType string, body []byte) (status int, answer []byte, err error) {
	return p.do(http.MethodPost, path, contentType, body)
}

func (p *program) do(method, path, contentType string, body []byte) (int, []byte, error) {
	req, err := http.NewRequest(method, p.url+path, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	client := newHTTP()
	defer client.CloseIdleConnections()
	resp, err := client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	return resp.StatusCode, answer, err
}

// command runs a command of the binary to its end and returns what it printed and its exit
// code. Its working directory is dir.
func command(t testing.TB, dir string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out, complaints bytes.Buffer
	cmd := exec.CommandContext(t.Context(), binary(t), args...)
	cmd.Dir = dir
	cmd.Stdout, cmd.Stderr = &out, &complaints
	cmd.Env = environment()
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Run(); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			t.Fatalf("%s: %v", cmd, err)
		}
	}
	return out.String(), complaints.String(), cmd.ProcessState.ExitCode()
}
