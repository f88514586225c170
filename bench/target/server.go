// Package target runs a server as a process of its own, on loopback and an empty
// directory, and measures it from outside: processor time and memory by what the system
// says of the process, so that nothing of the client is in it.
//
// It measures on Linux; elsewhere it builds. A Server may be used by several goroutines.
package target

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/sydradb/sydradb/bench/engine"
)

const (
	startLimit = time.Minute // until a server takes requests
	stopLimit  = time.Minute // until it has ended
	askEvery   = 20 * time.Millisecond
	answerMost = 64 << 20 // bytes of an answer that are read
	quoted     = 500      // bytes of an answer in an error
)

// Server is a process that runs.
type Server struct {
	Kind *Kind
	Dir  string

	address string
	cmd     *exec.Cmd
	done    chan struct{} // closed when the process has ended
	err     error         // how, set before
	output  *tail
	client  *http.Client
	stop    sync.Once
}

// Start runs a server on dir, which is made if it is missing, with more variables in its
// environment, and waits until it takes requests. The process ends with ctx at the latest.
func Start(ctx context.Context, kind *Kind, dir string, env ...string) (*Server, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	s := &Server{
		Kind: kind, Dir: dir, address: address,
		done: make(chan struct{}), output: &tail{},
		client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true}},
	}
	s.cmd = exec.CommandContext(ctx, kind.Program, kind.Command(dir, address)...)
	s.cmd.Stdout, s.cmd.Stderr = s.output, s.output
	s.cmd.Env = append(s.cmd.Environ(), env...)
	if err := s.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", kind.Name, err)
	}
	go func() {
		s.err = s.cmd.Wait()
		close(s.done)
	}()
	if err := s.ready(ctx); err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
}

// freeAddress returns an address that nobody listens on.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// ready waits until the server takes requests.
func (s *Server) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	again := time.NewTicker(askEvery)
	defer again.Stop()
	for {
		if _, err := s.Do(ctx, http.MethodGet, s.Kind.Ready, nil, nil); err == nil {
			return nil
		}
		select {
		case <-again.C:
		case <-s.done:
			return fmt.Errorf("%s has ended: %w: %s", s.Kind.Name, s.err, s.output)
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready: %w: %s", s.Kind.Name, ctx.Err(), s.output)
		}
	}
}

// StatusError is an answer that is not of the 200s.
type StatusError struct {
	Status int
	Text   string
}

// Error names the status and quotes the answer.
func (e *StatusError) Error() string { return fmt.Sprintf("status %d: %s", e.Status, e.Text) }

// Do sends a request and returns the whole answer. Unless its status is one of the 200s
// the error is a *StatusError.
func (s *Server) Do(ctx context.Context, method, path string, header map[string]string, body []byte) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, method, "http://"+s.address+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	for key, value := range header {
		r.Header.Set(key, value)
	}
	answer, err := s.client.Do(r)
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(answer.Body, answerMost))
	if err = errors.Join(err, answer.Body.Close()); err != nil {
		return nil, err
	}
	if answer.StatusCode/100 != 2 {
		return nil, &StatusError{answer.StatusCode, string(text[:min(len(text), quoted)])}
	}
	return text, nil
}

// Post does what a path of the kind stands for; "" is nothing.
func (s *Server) Post(ctx context.Context, path string) error {
	if path == "" {
		return nil
	}
	if _, err := s.Do(ctx, http.MethodPost, path, nil, nil); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// CPU returns the processor time of all threads so far, to the hundredth of a second.
func (s *Server) CPU() (time.Duration, error) { return processCPU(s.cmd.Process.Pid) }

// Peak returns the most memory that the process ever held, in bytes.
func (s *Server) Peak() (int64, error) { return processPeak(s.cmd.Process.Pid) }

// Stop asks the process to end, waits for that, and says what was wrong with it. Later
// calls return the same.
func (s *Server) Stop() error {
	s.stop.Do(func() { _ = s.cmd.Process.Signal(syscall.SIGTERM) })
	select {
	case <-s.done:
	case <-time.After(stopLimit):
		_ = s.cmd.Process.Kill()
		<-s.done
	}
	s.client.CloseIdleConnections()
	if s.err != nil {
		return fmt.Errorf("%s: %w: %s", s.Kind.Name, s.err, s.output)
	}
	return nil
}

// Disk splits what the server has on disk.
func (s *Server) Disk() (engine.Disk, error) { return engine.Files(s.Dir, s.Kind.Part) }

// Describe returns what the program says of its version.
func (k *Kind) Describe() string {
	text, err := exec.Command(k.Program, k.Version...).CombinedOutput()
	line, _, _ := strings.Cut(strings.TrimSpace(string(text)), "\n")
	if err != nil || line == "" {
		return "unknown"
	}
	return line
}

// tail keeps the end of what a process says.
type tail struct {
	mu   sync.Mutex
	text []byte
}

const tailBytes = 4 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, p...)
	if len(t.text) > 2*tailBytes {
		t.text = append(t.text[:0], t.text[len(t.text)-tailBytes:]...)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.text[max(0, len(t.text)-tailBytes):])
}
