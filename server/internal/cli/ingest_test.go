package cli

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/sydradb/sydradb"
)

func TestOnlyTheFirstRefusedLinesAreShown(t *testing.T) {
	p := newProgram(t)
	r := p.run(strings.Repeat("nonsense\n", 25)+hall, "ingest")
	if n := strings.Count(r.stderr, "not JSON"); n != 10 || r.code != ExitRefused {
		t.Errorf("exit code %d, %d lines shown", r.code, n)
	}
	if r := p.run(strings.Repeat("nonsense\n", 3), "ingest", "--max-errors", "2"); !strings.HasSuffix(r.stderr, "stdin:2: not JSON: column 2: invalid character 'o' in literal null (expecting 'u')\n1 more line rejected, not shown\ningested 0 points (3 rejected)\n") {
		t.Errorf("stderr: %s", r.stderr)
	}
	p.fails(ExitUsage, "", []string{"ingest", "--max-errors", "-1"}, "negative")
	if !strings.HasSuffix(r.stderr, "15 more lines rejected, not shown\ncommitted 1 points (25 rejected), line 26\ningested 1 points (25 rejected)\n") {
		t.Errorf("stderr: %s", r.stderr)
	}
}

func TestSeveralFilesOfSeveralFormats(t *testing.T) {
	p := newProgram(t)
	for name, text := range map[string]string{"a.lp": "m v=1i 1\nm v=9007199254740993i 2", "b.csv": "ts,x\n3,4\n"} {
		if err := os.WriteFile(filepath.Join(p.dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r := p.run(hall, "ingest", "a.lp", "-", "b.csv", "--precision", "s", "--fsync", "always")
	if r.code != 0 || !strings.HasSuffix(r.stderr, "committed 4 points (0 rejected), line 5\n1 integer beyond 2^53 rounded to the nearest float\ningested 4 points (0 rejected)\n") {
		t.Errorf("%+v", r)
	}
}

// running is an ingest that reads from a pipe.
type running struct {
	t     *testing.T
	cmd   *exec.Cmd
	stdin *os.File
	lines *bufio.Scanner
}

func (p *program) startIngest(args ...string) *running {
	p.t.Helper()
	c := p.command(append([]string{"ingest"}, args...)...)
	in, stdin, err := os.Pipe()
	if err != nil {
		p.t.Fatal(err)
	}
	c.Stdin = in
	stderr, err := c.StderrPipe()
	if err != nil {
		p.t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		p.t.Fatal(err)
	}
	if err := in.Close(); err != nil {
		p.t.Fatal(err)
	}
	return &running{p.t, c, stdin, bufio.NewScanner(stderr)}
}

func (r *running) send(text string) {
	r.t.Helper()
	if _, err := r.stdin.WriteString(text); err != nil {
		r.t.Fatal(err)
	}
}

// expect reads the next line of standard error.
func (r *running) expect(want string) {
	r.t.Helper()
	if !r.lines.Scan() || r.lines.Text() != want {
		r.t.Fatalf("stderr says %q, want %q", r.lines.Text(), want)
	}
}

// A pause of the pipe commits what came before it, and a signal ends in order.
func TestPauseCommitsAndSignalEnds(t *testing.T) {
	for _, sig := range []os.Signal{os.Interrupt, syscall.SIGTERM, nil} {
		p := newProgram(t)
		r := p.startIngest()
		r.send(hall + `{"series":"room.temp","ts":1,"va`)
		r.expect("committed 1 points (0 rejected), line 1")
		r.send(`lue":2}` + "\n")
		r.expect("committed 2 points (0 rejected), line 2")
		if sig == nil { // the end of the input, without a line end
			r.send(strings.TrimSuffix(hall, "\n"))
			if err := r.stdin.Close(); err != nil {
				t.Fatal(err)
			}
			r.expect("committed 3 points (0 rejected), line 3")
			r.expect("ingested 3 points (0 rejected)")
		} else {
			if err := r.cmd.Process.Signal(sig); err != nil {
				t.Fatal(err)
			}
			r.expect("sydradb: interrupted after line 2")
			r.expect("ingested 2 points (0 rejected)")
		}
		err := r.cmd.Wait()
		if code := r.cmd.ProcessState.ExitCode(); sig == nil && code != 0 || sig != nil && code != ExitRefused {
			t.Errorf("%v: exit code %d, %v", sig, code, err)
		}
		if report, err := sydradb.Check(t.Context(), filepath.Join(p.dir, "data")); err != nil || len(report.Findings) > 0 {
			t.Errorf("%v: check: %+v, %v", sig, report, err)
		}
	}
}
