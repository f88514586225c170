//go:build linux

package torture

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// count is a number from the environment.
func count(t testing.TB, variable string, otherwise int) int {
	t.Helper()
	text := os.Getenv(variable)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		t.Fatalf("%s=%q: want a number", variable, text)
	}
	return n
}

// kills is how many processes a run kills in all, at least, where strace can be used.
func kills(t testing.TB) int { return count(t, "SYDRADB_KILLS", 20) }

// shareOf is the n-th part of them, rounded up.
func shareOf(t testing.TB, n int) int { return (kills(t) + n - 1) / n }

// seed is where the random choices begin. When a kill hits does not follow from it.
func seed(t testing.TB) uint64 { return uint64(count(t, "SYDRADB_SEED", 1)) }

// policies are those of syncing the log.
var policies = []string{"always", "interval", "none"}

// roundsPerDatabase bounds what is read back each time.
const roundsPerDatabase = 8

// Seven clients, one for each protocol, and an ingest write as fast as they can, while somebody
// flushes, merges and makes snapshots. The server is killed at any moment, also while it opens the database, or
// asked to end, once or twice. What was acknowledged is there afterwards, what had no answer is
// there wholly or not at all, and nothing else is: in the files, and on the server that is started
// on them. It does half of the kills; the others are those of TestKillIngest and TestKillAtCall.
func TestKill(t *testing.T) {
	t.Parallel()
	for i, policy := range policies {
		t.Run(policy, func(t *testing.T) {
			t.Parallel()
			dir := scene(t, fmt.Sprintf("SYDRADB_KILLS=%d SYDRADB_SEED=%d", kills(t), seed(t)))
			share := max(1, shareOf(t, 2*len(policies)))
			killed, requests, points := 0, 0, 0
			for seed := seed(t)<<16 + uint64(i)<<12; killed < share; seed++ {
				b := newBox(t, dir, seed, memory(seed), packs(seed), "--fsync="+policy)
				for _, p := range protocols {
					b.client(p.name, p)
				}
				b.remote = b.feeder("remote", formats[seed%3])
				for n := range roundsPerDatabase {
					killed += b.round([]string{"kill", "term", "kill", "term twice"}[n%4])
					if killed >= share && n >= 3 {
						break
					}
				}
				b.leave()
				for _, l := range b.ledgers {
					requests, points = requests+l.acked, points+l.points
				}
			}
			t.Logf("%d kills, %d requests with %d points acknowledged", killed, requests, points)
		})
	}
}

// memory is a limit so small that flushes happen all the time.
func memory(seed uint64) string { return fmt.Sprintf("--memtable-max-bytes=%dKiB", 16<<(seed%4)) }

// packs decides whether series have files of their own.
func packs(seed uint64) string {
	return fmt.Sprintf("SYDRADB_MAX_SEGMENT_FILES=%d", []int{64, 0, 4}[seed%3])
}

// round lets the clients write for a while, ends the server that way, and looks at what is
// left. It returns how many processes were killed.
func (b *box) round(way string) (killed int) {
	b.t.Helper()
	for b.rng.IntN(3) == 0 {
		b.interruptOpening()
		killed++
	}
	p := b.serve()
	b.online(p)
	work := b.begin(p)
	pass(b.moment())
	switch way {
	case "kill":
		p.kill()
		killed++
	case "term":
		p.term()
		if code := p.wait(); code != 0 {
			b.t.Fatalf("asked to end, the server ends with the exit code %d", code)
		}
	case "term twice":
		p.term()
		pass(time.Duration(b.rng.IntN(5000)) * time.Microsecond)
		p.term()
		p.wait()
	}
	snapshots := work.end()
	b.offline("leftover")
	for _, name := range snapshots {
		b.check(filepath.Join(b.dir, "snapshots", name))
	}
	if err := os.RemoveAll(filepath.Join(b.dir, "snapshots")); err != nil {
		b.t.Fatal(err)
	}
	if way != "kill" || b.rng.IntN(2) == 0 {
		return killed
	}
	// What was recovered, and nothing else, is there after another crash.
	p = b.serve()
	b.online(p)
	p.kill()
	b.offline("leftover")
	return killed + 1
}

// interruptOpening starts a server and kills it while it opens the database.
func (b *box) interruptOpening() {
	b.t.Helper()
	p := b.launch("--log-level=info")
	err := poll(60*time.Second, func() (bool, error) {
		if strings.Contains(p.log(), "the server starts") {
			return true, nil
		}
		return !p.alive(), errors.New("the server does not start")
	})
	if err != nil {
		b.t.Fatal(err)
	}
	pass(time.Duration(b.rng.IntN(15_000)) * time.Microsecond)
	p.kill()
}

// moment is a time between 50 and 1500 ms, short ones more often.
func (b *box) moment() time.Duration {
	return time.Duration(50 * math.Pow(30, b.rng.Float64()) * float64(time.Millisecond))
}

// leave ends the work with a database: it closes well, and nothing at all is wrong with it.
func (b *box) leave() {
	b.t.Helper()
	p := b.serve()
	b.online(p)
	p.term()
	if code := p.wait(); code != 0 {
		b.t.Fatalf("the server ends with the exit code %d", code)
	}
	b.offline()
}

// work is what goes on while a server runs.
type work struct {
	b         *box
	wg        sync.WaitGroup
	mu        sync.Mutex
	errs      []error
	snapshots []string
}

// begin has all clients send until they have no answer, and somebody look after the server.
func (b *box) begin(p *program) *work {
	w := &work{b: b}
	for _, c := range b.clients {
		w.wg.Go(func() {
			how, err := c.sendUntilGone(p.url)
			if how == failed {
				err = fmt.Errorf("%s: a request was answered with an error", c.grid.Client)
			}
			w.note(err)
		})
	}
	if b.remote != nil {
		w.wg.Go(func() {
			cmd := b.remote.command(nil, "--url", p.url)
			cmd.Dir = filepath.Dir(b.dir)
			code, err := b.remote.feed(cmd, linesPerProcess, func(*os.Process, int) {}, p.done)
			if code > 0 && poll(10*time.Second, func() (bool, error) { return !p.alive(), nil }) == nil {
				err = nil // it found no server
			}
			w.note(err)
		})
	}
	seed := b.rng.Uint64()
	w.wg.Go(func() { w.note(w.upkeep(p, rand.New(rand.NewPCG(seed, 2)))) })
	return w
}

func (w *work) note(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil {
		w.errs = append(w.errs, err)
	}
}

// upkeep flushes, merges and makes snapshots until the server does not answer.
func (w *work) upkeep(p *program, rng *rand.Rand) error {
	for {
		pass(time.Duration(5+rng.IntN(100)) * time.Millisecond)
		path := "/api/v1/admin/" + []string{"flush", "compact", "compact", "snapshot"}[rng.IntN(4)]
		status, answer, err := p.post(path, "", nil)
		if err != nil || status == http.StatusServiceUnavailable {
			return nil // it has ended, or is about to
		}
		if status != http.StatusOK {
			return fmt.Errorf("%s: status %d: %s", path, status, answer)
		}
		var made struct{ Name string }
		if err := json.Unmarshal(answer, &made); err != nil {
			return fmt.Errorf("%s: %w: %q", path, err, answer)
		}
		if made.Name != "" {
			w.mu.Lock()
			w.snapshots = append(w.snapshots, made.Name)
			w.mu.Unlock()
		}
	}
}

// end waits until everybody has noticed that the server has gone. It returns the names of the
// snapshots that were made.
func (w *work) end() []string {
	w.b.t.Helper()
	w.wg.Wait()
	if err := errors.Join(w.errs...); err != nil {
		w.b.t.Fatal(err)
	}
	return w.snapshots
}
