package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// tool returns the path of a program: from the directory that the environment names in
// E2E_PROGRAMS (scripts/e2e.sh fills it), else from PATH.
func tool(t *testing.T, name string) string {
	t.Helper()
	if dir := os.Getenv("E2E_PROGRAMS"); dir != "" {
		path := filepath.Join(dir, name)
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("no program %s (make e2e provides it): %v", name, err)
	}
	return path
}

// program is a process that a test started. It is killed when the test ends, and the end of
// its output is shown if the test failed.
type program struct {
	name string
	cmd  *exec.Cmd
	log  string        // the file with its output
	done chan struct{} // closed when it ended
	err  error         // of Wait, once done is closed
}

// start runs the program at path in the background.
func start(t *testing.T, path string, args ...string) *program {
	t.Helper()
	p := &program{name: filepath.Base(path), done: make(chan struct{})}
	p.log = filepath.Join(t.TempDir(), p.name+".log")
	out, err := os.Create(p.log)
	if err != nil {
		t.Fatal(err)
	}
	p.cmd = exec.Command(path, args...)
	p.cmd.Stdout, p.cmd.Stderr = out, out
	p.cmd.Env = environment()
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	err = p.cmd.Start()
	out.Close() // the process has its own
	if err != nil {
		t.Fatalf("start %s: %v", path, err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("the end of what %s printed:\n%s", p.name, p.output(2000))
		}
	})
	return p
}

// environment is that of the test without settings of SydraDB.
func environment() []string {
	var out []string
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, "SYDRADB_") {
			out = append(out, e)
		}
	}
	return out
}

// output returns the last n bytes that the program has printed.
func (p *program) output(n int) string {
	text, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-n):])
}

// kill ends the program as a loss of power would, and waits for its end.
func (p *program) kill() {
	p.cmd.Process.Kill() // fails only for one that has ended
	<-p.done
}

// stop asks the program to end and fails the test unless it does so well and in time.
func (p *program) stop(t *testing.T) {
	t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatalf("%s had ended by itself: %v\n%s", p.name, p.err, p.output(4000))
	}
	select {
	case <-p.done:
		if p.err != nil {
			t.Fatalf("%s, asked to end: %v\n%s", p.name, p.err, p.output(4000))
		}
	case <-time.After(30 * time.Second):
		t.Fatalf("%s did not end within 30 s of SIGTERM", p.name)
	}
}

// output runs a program to its end and returns what it printed on its standard output.
func output(t *testing.T, path string, args ...string) string {
	t.Helper()
	var out, complaints bytes.Buffer
	cmd := exec.CommandContext(t.Context(), path, args...)
	cmd.Stdout, cmd.Stderr = &out, &complaints
	cmd.Env = environment()
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s %s: %v\n%s%s", filepath.Base(path), strings.Join(args, " "), err, out.String(), complaints.String())
	}
	return out.String()
}

// freeAddress returns an address of this machine that nobody listens on. Programs that
// must be told their port, and keep it over a restart, get it from here.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// eventually tries until it succeeds, and fails the test with the last error if that takes
// longer than limit.
func eventually(t *testing.T, limit time.Duration, what string, try func() error) {
	t.Helper()
	if err := poll(limit, try); err != nil {
		t.Fatalf("%s: not within %v: %v", what, limit, err)
	}
}

// poll tries until it succeeds or limit has passed, and returns the last error.
func poll(limit time.Duration, try func() error) error {
	deadline := time.After(limit)
	for {
		err := try()
		if err == nil {
			return nil
		}
		select {
		case <-deadline:
			return err
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// pass waits for real time to go by: what the programs do by the clock takes that long.
func pass(t *testing.T, d time.Duration) {
	t.Helper()
	select {
	case <-time.After(d):
	case <-t.Context().Done():
		t.Fatal("the test ended while it waited")
	}
}

// file makes a file in a new directory of the test and returns its path.
func file(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// alive says whether the program still runs.
func (p *program) alive() error {
	select {
	case <-p.done:
		return fmt.Errorf("%s has ended: %w", p.name, errors.Join(p.err, errors.New(p.output(2000))))
	default:
		return nil
	}
}
