//go:build linux

package torture

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// needStrace skips a test where strace is not installed, or may not trace.
func needStrace(t testing.TB) {
	t.Helper()
	version, err := exec.Command("strace", "-V").Output()
	if err != nil {
		t.Skipf("SKIPPED: strace is needed to fail system calls, and cannot be run here: %v", err)
	}
	first, _, _ := strings.Cut(string(version), "\n")
	// Only where injecting works, the signal ends "echo".
	cmd := exec.Command("strace", "-D", "-f", "-qq", "-o", os.DevNull, "-e", "trace=write", "-e", "inject=write:signal=SIGKILL:when=1", "echo")
	err = cmd.Run()
	if cmd.ProcessState == nil || cmd.ProcessState.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Skipf("SKIPPED: %s cannot inject into system calls here; is ptrace allowed? %v", first, err)
	}
}

// under is strace doing something to a system call, as a setting of launch. The traced process
// is the one that was started: strace watches it from beside.
func under(call, what string) string {
	return fmt.Sprintf("-- strace -D -f -qq -o %s -e trace=%s -e inject=%s:%s", os.DevNull, call, call, what)
}

// calls are those by which files change, and write answers clients, too.
var calls = []string{"fdatasync", "write", "fsync", "pwrite64", "renameat", "unlinkat", "openat", "ftruncate", "close", "mkdirat"}

// A process is killed when it makes a certain system call for the n-th time: a server while it
// makes a database, opens it and serves it, an ingest, a merge of all files. Each run takes
// another n, and other runs (SYDRADB_SEED) go on with higher ones.
func TestKillAtCall(t *testing.T) {
	t.Parallel()
	needStrace(t)
	dir := scene(t, fmt.Sprintf("SYDRADB_KILLS=%d SYDRADB_SEED=%d", kills(t), seed(t)))
	share := max(1, shareOf(t, 4))
	base := seed(t) << 16
	var b *box
	var f *feeder
	hit, killed := 0, 0
	for i := 0; killed < share; i++ {
		if i == 6*share+6 {
			t.Fatalf("%d of %d processes were killed, want %d", killed, i, share)
		}
		seed := base + uint64(i)
		if i%6 == 0 {
			if b != nil {
				b.leave()
			}
			b = newBox(t, dir, seed, memory(seed), packs(seed), "--fsync="+policies[seed%3])
			for _, p := range protocols[i%2*3:][:4] {
				b.client(p.name, p)
			}
			f = b.feeder("feeder", formats[i%len(formats)])
		}
		// Low numbers are met by every run, high ones by long ones.
		n := 1 + int(float64(b.moment()/time.Millisecond-50)/20)
		call := calls[(int(seed>>16)*share+i)%len(calls)]
		switch b.killAt([]string{"serve", "ingest", "serve", "compact"}[b.rng.IntN(4)], f, call, n) {
		case atCall:
			hit++
			fallthrough
		case afterwards:
			killed++
		}
	}
	b.leave()
	t.Logf("%d processes were killed, %d of them by a system call", killed, hit)
	if hit == 0 && killed > 2 {
		t.Error("no process was killed by a system call")
	}
}

// end is how a process came to its end.
type end int

const (
	byItself   end = iota
	atCall         // killed when it made the system call
	afterwards     // killed later: it did not make so many
)

// killAt runs a command until its n-th system call of a kind, and looks at what is left. A
// server that does not make so many is killed after a while.
func (b *box) killAt(name string, f *feeder, call string, n int) (how end) {
	b.t.Helper()
	deadly := under(call, fmt.Sprintf("signal=SIGKILL:when=%d", n))
	tracer := strings.Fields(deadly)[1:]
	switch name {
	case "serve":
		p := b.launch(deadly)
		if err := p.becomeReady(60 * time.Second); err == nil {
			work := b.begin(p)
			_ = poll(2*time.Second, func() (bool, error) { return !p.alive(), errors.New("it lives") })
			if how = afterwards; !p.alive() {
				how = atCall
			}
			p.kill()
			work.end()
		} else if p.alive() {
			b.t.Fatal(err)
		} else {
			how = atCall
		}
	case "ingest":
		cmd := f.command(tracer, "--data-dir", b.dir, "--fsync", policies[n%3])
		cmd.Dir = filepath.Dir(b.dir)
		code, err := f.feed(cmd, linesPerProcess, func(*os.Process, int) {}, nil)
		if err != nil {
			b.t.Fatal(err)
		}
		if code < 0 {
			how = atCall
		}
	case "compact":
		p := start(b.t, filepath.Dir(b.dir), nil, append(tracer, binary(b.t), name, "--data-dir", b.dir))
		if p.wait() < 0 {
			how = atCall
		}
	}
	b.offline("leftover")
	return how
}

// A sync of the log fails while the clients write: the twelfth of a thread, for strace counts for
// each thread. From then on nothing is acknowledged, until the server is started again; what was acknowledged can be read before
// and after that.
func TestFailedSync(t *testing.T) {
	t.Parallel()
	needStrace(t)
	for i, policy := range policies[:2] {
		t.Run(policy, func(t *testing.T) {
			t.Parallel()
			b := newBox(t, scene(t, ""), uint64(i), "--fsync="+policy, "SYDRADB_FSYNC_INTERVAL_MS=20")
			for _, p := range protocols {
				b.client(p.name, p)
			}
			// Opening makes its own syncs: fewer than eight more.
			b.serve().kill()
			p := b.serve(under("fdatasync", "error=EIO:when=12"))
			var answered atomic.Int64
			var wg sync.WaitGroup
			errs := make([]error, len(b.clients))
			for i, c := range b.clients {
				wg.Go(func() {
					for how := acked; how == acked && errs[i] == nil && answered.Add(1) < 50_000; {
						how, errs[i] = c.send(p.url)
					}
				})
			}
			wg.Wait()
			if err := errors.Join(errs...); err != nil {
				t.Fatal(err)
			}
			if state := b.state(p); state != "failed" {
				t.Fatalf("after a failed sync the state is %q", state)
			}
			for _, c := range b.clients {
				for range 3 {
					if how, err := c.send(p.url); how != failed && how != refused || err != nil {
						t.Fatalf("%s, after a failed sync: %s, %v", c.grid.Client, how, err)
					}
				}
			}
			b.agree("read from a server that has failed", b.ask(p))
			p.kill()
			b.offline("leftover")
			p = b.serve()
			b.online(p)
			for _, c := range b.clients {
				if how, err := c.send(p.url); how != acked || err != nil {
					t.Fatalf("%s, after the restart: %s, %v", c.grid.Client, how, err)
				}
			}
			p.kill()
			b.offline("leftover")
			t.Logf("%d requests before the sync failed", answered.Load())
		})
	}
}

// state is what a server says about itself.
func (b *box) state(p *program) string {
	b.t.Helper()
	status, body, err := p.get("/api/v1/stats")
	var stats struct{ State string }
	if err == nil {
		err = json.Unmarshal(body, &stats)
	}
	if err != nil || status != http.StatusOK {
		b.t.Fatalf("stats: status %d, %v\n%s", status, err, body)
	}
	return stats.State
}

// Each sync takes longer than a request may wait for its turn. Most requests are refused, and
// are nowhere; some are acknowledged; nothing piles up.
func TestSlowSync(t *testing.T) {
	t.Parallel()
	needStrace(t)
	b := newBox(t, scene(t, ""), 1, "--fsync=always", "SYDRADB_INGEST_SLOTS=2", "SYDRADB_INGEST_WAIT=300ms")
	for i := range 4 {
		for _, p := range protocols {
			p.name += fmt.Sprint(i)
			b.client(p.name, p)
		}
	}
	b.serve().kill()
	p := b.serve(under("fdatasync", "delay_exit=700000"))
	counts := map[outcome]int{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for _, c := range b.clients {
		wg.Go(func() {
			for range 4 {
				how, err := c.send(p.url)
				mu.Lock()
				counts[how]++
				if err != nil || how != acked && how != refused {
					t.Errorf("%s: %s, %v", c.grid.Client, how, err)
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if counts[acked] == 0 || counts[refused] == 0 {
		t.Errorf("want some acknowledged, and some refused: %v", counts)
	}
	if got := resident(t, p); got > 256<<20 {
		t.Errorf("the server takes %d MiB", got>>20)
	}
	p.kill()
	b.offline("leftover")
	t.Logf("%v", counts)
}

// resident is the memory of a process.
func resident(t testing.TB, p *program) int64 {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", p.cmd.Process.Pid))
	var size, pages int64
	if err == nil {
		_, err = fmt.Sscan(string(text), &size, &pages)
	}
	if err != nil {
		t.Fatal(err)
	}
	return pages * int64(os.Getpagesize())
}
