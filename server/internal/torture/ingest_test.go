//go:build linux

package torture

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// format is a format of "sydradb ingest". A line is a request of its own: what is stored of a
// process that ended early is a part of the input without a gap.
type format struct {
	protocol
	header string
	flags  []string
}

var formats = []format{
	{protocol: protocol{name: "ndjson", values: anyBits, step: nanoseconds, encode: jsonFields}, flags: []string{"--precision=ns"}},
	{protocol: protocol{name: "csv", values: anyBits, step: nanoseconds, encode: csvFields}, header: "series,tags,ts,a,b\n", flags: []string{"--precision=ns"}},
	{protocol: protocol{name: "influx", values: finite, step: nanoseconds, encode: lineFields}},
}

// pair takes a request of two points apart: one measurement, two fields.
func pair(g grid, r *request) (tags [][2]string, ns int64, values [2]string) {
	for k, n := range r.Runs {
		tags, ns = labels(n.Series)[1:], g.time(n.First)
		values[k] = number(g.bits(n.Series, n.First, n.Version))
	}
	return tags, ns, values
}

func jsonFields(g grid, r *request) []byte {
	tags, ns, v := pair(g, r)
	for k, text := range v {
		if strings.ContainsAny(text, "NI") {
			v[k] = strconv.Quote(text)
		}
	}
	return fmt.Appendf(nil, `{"series":"u","ts":%d,"fields":{"a":%s,"b":%s},"tags":%s}`+"\n", ns, v[0], v[1], object(tags))
}

func csvFields(g grid, r *request) []byte {
	tags, ns, v := pair(g, r)
	return fmt.Appendf(nil, "u,\"%s\",%d,%s,%s\n", strings.ReplaceAll(string(object(tags)), `"`, `""`), ns, v[0], v[1])
}

func lineFields(g grid, r *request) []byte {
	tags, ns, v := pair(g, r)
	text := "u"
	for _, l := range tags {
		text += "," + l[0] + "=" + l[1]
	}
	return fmt.Appendf(nil, "%s a=%s,b=%s %d\n", text, v[0], v[1], ns)
}

// feeder sends lines to processes of "sydradb ingest", and goes on behind the last line that
// one has reported as committed.
type feeder struct {
	t testing.TB
	*ledger
	format format
	at     int // line to go on with
}

// feeder adds one to the box.
func (b *box) feeder(name string, f format) *feeder {
	b.t.Helper()
	l := openLedger(b.t, filepath.Join(b.root, "ledger-"+name), grid{name, 1_700_000_000_000_000_000, f.step, f.values})
	b.ledgers = append(b.ledgers, l)
	return &feeder{t: b.t, ledger: l, format: f}
}

// line makes the request of line i.
func (f *feeder) line(i int) *request {
	r := &request{}
	for _, field := range []string{"a", "b"} {
		series := fmt.Sprintf(`u_%s{c="%s",g="%d",p="%s"}`, field, f.grid.Client, i%7, f.format.name)
		r.Runs = append(r.Runs, run{Series: series, First: i / 7, Count: 1})
	}
	return r
}

const (
	linesAtOnce     = 400   // share a sync of the ledger
	linesPerProcess = 8_000 // at most
)

// command is an ingest of what the feeder feeds, with further arguments, run by another program
// if under names one.
func (f *feeder) command(under []string, further ...string) *exec.Cmd {
	argv := slices.Concat(under, []string{binary(f.t), "ingest", "-", "--format", f.format.name}, f.format.flags, further)
	return exec.Command(argv[0], argv[1:]...)
}

// feed starts an ingest, and feeds it until it ends or limit lines are sent. stop is told each
// time lines have been reported as committed, how often, and may end the process; it is killed
// when gone is closed.
func (f *feeder) feed(cmd *exec.Cmd, limit int, stop func(p *os.Process, n int), gone <-chan struct{}) (code int, err error) {
	if cmd.Env == nil {
		cmd.Env = environment()
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return 0, err
	}
	stderr, err := cmd.StderrPipe()
	if err != nil {
		return 0, err
	}
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	committed := make(chan int, limit)
	said := make(chan string, 1)
	go report(stderr, cmd.Process, committed, said, stop)
	ended := make(chan struct{})
	defer close(ended)
	go func() {
		select {
		case <-gone:
			cmd.Process.Kill() // fails only for one that has ended
		case <-ended:
		}
	}()

	sent, err := f.write(stdin, committed, limit)
	if err != nil {
		cmd.Process.Kill()
	}
	for line := range committed {
		if err == nil {
			sent, err = f.commit(sent, line)
		}
	}
	text := <-said
	cmd.Wait() // says how it ended, as ProcessState does
	code = cmd.ProcessState.ExitCode()
	if err == nil && code > 1 {
		err = fmt.Errorf("ingest ended with the exit code %d:\n%s", code, text)
	}
	return code, err
}

// sending are the requests that a process has been sent and has not reported.
type sending struct {
	requests []*request
	reported int
}

// write feeds lines until the process does not take them any more.
func (f *feeder) write(stdin io.WriteCloser, committed chan int, limit int) (*sending, error) {
	defer stdin.Close()
	s := &sending{}
	if _, err := io.WriteString(stdin, f.format.header); err != nil {
		return s, nil
	}
	if f.format.header != "" {
		s.reported = -1 // counts as a line
	}
	for sent := 0; sent < limit; sent += linesAtOnce {
		var requests []*request
		var text []byte
		for range linesAtOnce {
			r := f.line(f.at + len(s.requests) + len(requests))
			requests = append(requests, r)
			text = append(text, f.format.encode(f.grid, r)...)
		}
		if err := f.intent(requests...); err != nil {
			return s, err
		}
		s.requests = append(s.requests, requests...)
		if _, err := stdin.Write(text); err != nil {
			return s, nil // it has ended
		}
		for len(committed) > 0 {
			var err error
			if s, err = f.commit(s, <-committed); err != nil {
				return s, err
			}
		}
	}
	return s, nil
}

// commit notes that all up to a line are reported as committed.
func (f *feeder) commit(s *sending, line int) (*sending, error) {
	header := 0
	if f.format.header != "" {
		header = 1
	}
	n := line - header - max(s.reported, 0)
	if n < 0 || n > len(s.requests) {
		return s, fmt.Errorf("line %d is reported as committed, of %d that were sent", line, s.reported+len(s.requests))
	}
	if err := f.ack(s.requests[:n]...); err != nil {
		return s, err
	}
	f.at += n
	s.requests, s.reported = s.requests[n:], line-header
	return s, nil
}

// report reads what an ingest says, to its end.
func report(stderr io.Reader, p *os.Process, committed chan<- int, said chan<- string, stop func(*os.Process, int)) {
	var all strings.Builder
	r := bufio.NewReader(stderr)
	for n := 0; ; {
		text, err := r.ReadString('\n')
		if err != nil { // half a line says nothing
			break
		}
		all.WriteString(text)
		var points, rejected, line int
		if _, err := fmt.Sscanf(text, "committed %d points (%d rejected), line %d\n", &points, &rejected, &line); err == nil && rejected == 0 {
			committed <- line
			n++
			stop(p, n)
		}
	}
	said <- all.String()
	close(committed)
}

// Processes of "sydradb ingest" for every format are killed, or asked to end, at any moment, and
// others go on where they were.
func TestKillIngest(t *testing.T) {
	t.Parallel()
	for i, f := range formats {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			dir := scene(t, fmt.Sprintf("SYDRADB_KILLS=%d SYDRADB_SEED=%d", kills(t), seed(t)))
			share := max(1, shareOf(t, 4*len(formats)))
			killed, lines := 0, 0
			for seed := seed(t)<<16 + uint64(i)<<12 + 1<<15; killed < share; seed++ {
				b := newBox(t, dir, seed)
				feeder := b.feeder(f.name, f)
				for n := range roundsPerDatabase {
					signal := syscall.SIGKILL
					if n%4 == 1 {
						signal = syscall.SIGTERM
					} else {
						killed++
					}
					b.ingest(feeder, policies[n%3], signal)
					if killed >= share && n > 1 {
						break
					}
				}
				b.ingest(feeder, "interval", 0)
				b.leave()
				lines += feeder.acked
			}
			t.Logf("%d kills, %d lines committed", killed, lines)
		})
	}
}

// ingest runs an ingest, and ends it by a signal after some reports, and a short while more. Without
// one it ends well, with all lines committed.
func (b *box) ingest(f *feeder, policy string, signal syscall.Signal) {
	b.t.Helper()
	cmd := f.command(nil, "--data-dir", b.dir, "--fsync", policy)
	cmd.Dir = filepath.Dir(b.dir)
	cmd.Env = environment("TMPDIR=" + filepath.Join(b.root, "tmp"))
	reports := b.rng.IntN(3)
	seed := b.rng.Uint64()
	code, err := f.feed(cmd, linesPerProcess, func(p *os.Process, n int) {
		if n == reports+1 && signal != 0 {
			pass(time.Duration(rand.New(rand.NewPCG(seed, 3)).IntN(20_000)) * time.Microsecond)
			p.Signal(signal)
		}
	}, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	if signal == syscall.SIGTERM && code < 0 {
		b.t.Fatal("asked to end, the ingest is killed by the signal")
	}
	if signal == 0 && (code != 0 || len(f.open) > 0) {
		b.t.Fatalf("the ingest ends with the exit code %d, and %d lines are not committed", code, len(f.open))
	}
	b.offline("leftover")
}
