//go:build linux

package torture

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// The disk of these tests, and what the server keeps of it. Twice the reserve must be free for
// it to be made anew, and half as much again as the least that must be free.
const (
	diskSize     = "64m"
	diskReserve  = 4 << 20
	diskLeast    = 4 << 20
	diskSettings = "SYDRADB_RESERVE_BYTES=4MiB SYDRADB_MIN_FREE_BYTES=4MiB SYDRADB_RETENTION=old=1"
)

// Waits for what must happen by itself are bounded by diskPatience. How long it took is
// reported; diskPromise is within what writing goes on.
const (
	diskPatience = 30 * time.Second
	diskPromise  = 5 * time.Second
)

// A disk fills up at any moment, by the doing of another program, while clients of all protocols
// write: points are refused by name, answers stay right, what makes room is allowed, and when
// there is room again, all goes on by itself. Meanwhile the server is left alone, killed, asked
// to end, started, or used from the command line. Nothing that was acknowledged is lost.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	if !mounter(t) {
		return
	}
	cycles := count(t, "SYDRADB_DISKS", 1)
	dir := scene(t, fmt.Sprintf("SYDRADB_DISKS=%d SYDRADB_SEED=%d", cycles, seed(t)))
	var noticed, resumed []time.Duration
	spent := map[string]int{}
	for n := range cycles {
		d := newDisk(t, dir, n)
		d.cycle(disturbances[n%len(disturbances)])
		noticed, resumed = append(noticed, d.noticed), append(resumed, d.resumed)
		for _, m := range reserveSpent.FindAllStringSubmatch(d.logs(), -1) {
			spent[m[1]]++
		}
		d.unmount()
	}
	slices.Sort(noticed)
	slices.Sort(resumed)
	t.Logf("%d full disks; readonly after %v (median), %v at most; writing again after %v, %v at most; the reserve was given up for %v",
		cycles, noticed[cycles/2], noticed[cycles-1], resumed[cycles/2], resumed[cycles-1], spent)
	if cycles > 2 && resumed[cycles/2] > diskPromise { // a single one may hit a machine that is busy
		t.Errorf("writing went on %v after there was room, by the median; %v is promised", resumed[cycles/2], diskPromise)
	}
}

var reserveSpent = regexp.MustCompile(`the reserve was given up" for="?([A-Za-z ]+)`)

// disk is a database on a small disk of its own.
type disk struct {
	*box
	mount   string // where the disk is; the data directory is in one of its directories
	ballast ballast
	left    int64 // bytes that the other program leaves
	greedy  bool  // it takes what becomes free, too
	p       *program

	keeper, expiring, deleted *client // of points that nobody changes, that expire, and that are deleted

	noticed, resumed time.Duration // after the disk was full, and after there was room
}

// disturbances are what becomes of a server whose disk is full.
var disturbances = []string{"killed", "left alone", "asked to end", "killed while it opens", "the command line writes"}

// newDisk makes an empty database on a disk, for the n-th cycle. In some the other program leaves
// a bit, or takes all that becomes free.
func newDisk(t *testing.T, dir string, n int) *disk {
	t.Helper()
	seed := seed(t)<<16 + uint64(n)
	d := &disk{greedy: n%4 == 3}
	settings := append(strings.Fields(diskSettings), "--log-level=info", memory(seed), packs(seed), "--fsync="+policies[seed%3])
	d.box = newBox(t, dir, seed, settings...)
	d.mount = smallDisk(t, d.root, filepath.Dir(d.dir), diskSize)
	d.ballast = ballast{filepath.Join(d.mount, "ballast")}
	if n%3 == 2 {
		d.left = d.rng.Int64N(diskLeast)
	}
	d.keeper, d.expiring, d.deleted = d.client("keeper", protocols[0]), d.client("expiring", protocols[0]), d.client("deleted", protocols[0])
	d.expiring.grid.Start = time.Now().AddDate(0, 0, -3).Truncate(time.Second).UnixNano()
	for _, p := range protocols {
		d.client(p.name, p)
	}
	return d
}

// writers are the clients that write all the time.
func (d *disk) writers() []*client { return d.clients[3:] }

// logs is what all processes of the box have printed.
func (d *disk) logs() string {
	var all strings.Builder
	paths, _ := filepath.Glob(filepath.Join(d.root, "log-*")) // the pattern is sound
	for _, path := range paths {
		text, _ := os.ReadFile(path) // of use only if it is there
		all.Write(text)
	}
	return all.String()
}

// stock is all that a client writes that does so but once. Retention knows the prefix "old.".
func stock(prefix string, c *client) (runs []run) {
	for i := range 40 {
		runs = append(runs, run{Series: prefix + c.seriesOf(i), First: 0, Count: 50})
	}
	return runs
}

// cycle fills the disk once, disturbs the server, and frees the disk again.
func (d *disk) cycle(disturbance string) {
	d.t.Helper()
	d.t.Logf("%s; %d bytes left, greedy %v, %v", disturbance, d.left, d.greedy, d.settings)
	d.p = d.serve()
	for prefix, c := range map[string]*client{"": d.keeper, "old.": d.expiring, "gone.": d.deleted} {
		if how, err := c.sendThis(d.p.url, &request{Runs: stock(prefix, c)}); err != nil || how != acked {
			d.t.Fatalf("a request of %s: %s, %v", c.grid.Client, how, err)
		}
	}
	stop := d.write()
	pass(d.moment())
	full := time.Now()
	release := d.fill()
	d.await("readonly")
	d.noticed = time.Since(full)
	stop()
	d.readonly()
	d.disturb(disturbance)
	if d.p.alive() {
		// What was done may have made room, if only by giving the reserve up.
		if err := d.ballast.fill(d.left); err != nil {
			d.t.Fatal(err)
		}
		d.await("readonly")
	}
	release()
	room := time.Now()
	if !d.p.alive() { // it did not even start
		d.p = d.serve()
	}
	d.resume()
	d.resumed = time.Since(room)

	stop = d.write()
	pass(d.moment())
	stop()
	d.online(d.p)
	d.p.term()
	if code := d.p.wait(); code != 0 {
		d.t.Fatalf("asked to end, the server ends with the exit code %d", code)
	}
	d.offline()
}

// write has all writers send, and somebody read, until stop is called or the server goes. Their
// requests may be refused, or end in one of the further ways.
func (d *disk) write(further ...outcome) (stop func()) {
	base, stopped := d.p.url, make(chan struct{})
	var all sync.WaitGroup
	var mu sync.Mutex
	var faults []error
	loop := func(do func() (bool, error)) {
		all.Go(func() {
			for {
				on, err := do()
				if err != nil {
					mu.Lock()
					faults = append(faults, err)
					mu.Unlock()
				}
				select {
				case <-stopped:
					return
				default:
					if !on {
						return
					}
				}
			}
		})
	}
	for _, c := range d.writers() {
		loop(func() (bool, error) {
			how, err := c.send(base)
			switch {
			case how == refused || slices.Contains(further, how):
				pass(50 * time.Millisecond)
			case how == failed:
				err = fmt.Errorf("%s: a request was answered with an error", c.grid.Client)
			}
			return how != noAnswer, err
		})
	}
	loop(func() (bool, error) {
		pass(20 * time.Millisecond)
		return d.look(base)
	})
	return func() {
		d.t.Helper()
		close(stopped)
		all.Wait()
		if err := errors.Join(faults...); err != nil {
			d.t.Fatal(err)
		}
	}
}

// look compares the points that nobody changes with what the server answers, if it does.
func (d *disk) look(base string) (answered bool, err error) {
	c := newHTTP()
	defer c.CloseIdleConnections()
	req, err := http.NewRequest(http.MethodGet, base+"/api/v1/query/select?selector="+url.QueryEscape(`{c="keeper"}`), nil)
	if err != nil {
		return false, err
	}
	status, body, err := exchange(c, req)
	if err != nil {
		return false, nil
	}
	if status != http.StatusOK {
		return true, fmt.Errorf("a query while the disk is full: status %d: %s", status, body)
	}
	found, err := parseSelected(body)
	if err == nil {
		err = d.keeper.verify(found)
	}
	return true, err
}

// fill fills the disk but for some bytes, and keeps it full if the other program is greedy.
// The disk is full until release is called.
func (d *disk) fill() (release func()) {
	d.t.Helper()
	if err := d.ballast.fill(d.left); err != nil {
		d.t.Fatal(err)
	}
	end, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		var err error
		for d.greedy {
			select {
			case <-end:
				ended <- err
				return
			case <-time.After(3 * time.Millisecond):
				err = errors.Join(err, d.ballast.fill(d.left))
			}
		}
		ended <- nil
	}()
	return func() {
		d.t.Helper()
		close(end)
		if err := errors.Join(<-ended, d.ballast.remove()); err != nil {
			d.t.Fatal(err)
		}
	}
}

// await waits until the server says that it is in a state.
func (d *disk) await(state string) {
	d.t.Helper()
	err := poll(diskPatience, func() (bool, error) {
		_, body, err := d.p.get("/ready")
		if err == nil && strings.Contains(string(body), `"state":"`+state+`"`) {
			return true, nil
		}
		return false, fmt.Errorf("want the state %s, the server says %s, %v", state, body, err)
	})
	if err != nil {
		d.t.Fatal(err)
	}
}

// readonly looks at a server whose disk is full.
func (d *disk) readonly() {
	d.t.Helper()
	status, body, err := d.p.get("/ready")
	if err != nil || status != http.StatusServiceUnavailable || !strings.Contains(string(body), `"reason":"disk_full"`) {
		d.t.Fatalf("/ready: status %d, %v: %s", status, err, body)
	}
	for _, c := range d.writers() {
		d.refused(c)
	}
	d.verify("read while the disk is full", d.ask(d.p))
	// What makes room is allowed, at least where nobody takes the reserve meanwhile.
	gone := stock("gone.", d.deleted)[d.rng.IntN(40)]
	r := &request{Delete: true, Runs: []run{{Series: gone.Series, First: 10, Count: 30}}}
	if how, err := d.deleted.sendThis(d.p.url, r); err != nil || how != acked && !d.greedy {
		d.t.Fatalf("a deletion: %s, %v", how, err)
	}
	d.expire()
	for _, what := range []string{"flush", "compact", "snapshot"} {
		status, answer, err := d.p.post("/api/v1/admin/"+what, "", nil)
		if err != nil || status != http.StatusOK && !strings.Contains(string(answer), "disk_full") {
			d.t.Fatalf("%s: status %d, %v: %s", what, status, err, answer)
		}
	}
	if err := os.RemoveAll(filepath.Join(d.dir, "snapshots")); err != nil {
		d.t.Fatal(err)
	}
	d.verify("read after all that makes room", d.ask(d.p))
}

// refused sends a request of points, which has to be refused as clients can understand.
func (d *disk) refused(c *client) {
	d.t.Helper()
	r := &request{Runs: []run{{Series: c.seriesOf(0), First: c.ends[c.seriesOf(0)], Count: 1, Version: c.next}}}
	if err := c.intent(r); err != nil {
		d.t.Fatal(err)
	}
	req, err := http.NewRequest(http.MethodPost, d.p.url+c.protocol.path, bytes.NewReader(c.protocol.encode(c.grid, r)))
	if err != nil {
		d.t.Fatal(err)
	}
	for k, v := range c.protocol.headers {
		req.Header.Set(k, v)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		d.t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	named := strings.Contains(string(answer), "disk is full") || strings.Contains(string(answer), "disk_full")
	if err != nil || resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" || !named {
		d.t.Fatalf("%s while the disk is full: status %d, Retry-After %q, %v: %q", c.grid.Client, resp.StatusCode, resp.Header.Get("Retry-After"), err, answer)
	}
	if err := c.refuse(r); err != nil {
		d.t.Fatal(err)
	}
}

// expire has the points go that are old. That is one deletion to the ledger.
func (d *disk) expire() {
	d.t.Helper()
	r := &request{Delete: true, Runs: stock("old.", d.expiring)}
	if err := d.expiring.intent(r); err != nil {
		d.t.Fatal(err)
	}
	status, answer, err := d.p.post("/api/v1/admin/retain", "application/x-www-form-urlencoded", []byte("now=1"))
	switch {
	case err == nil && status == http.StatusOK:
		err = d.expiring.ack(r)
	case err == nil && d.greedy && strings.Contains(string(answer), "disk_full"):
		err = d.expiring.fail(r) // the horizon may have moved before
	default:
		err = fmt.Errorf("retention: status %d, %v: %s", status, err, answer)
	}
	if err != nil {
		d.t.Fatal(err)
	}
}

// disturb does something to a server whose disk is full.
func (d *disk) disturb(what string) {
	d.t.Helper()
	switch what {
	case "left alone":
		return
	case "killed", "killed while it opens":
		stop := d.write()
		pass(d.moment())
		d.p.kill()
		stop()
	default:
		d.p.term()
		if code := d.p.wait(); code != 0 {
			d.t.Fatalf("asked to end on a full disk, the server ends with the exit code %d", code)
		}
	}
	d.check(d.dir, "leftover")
	d.verify("read from the files on a full disk", d.dump())
	switch what {
	case "killed while it opens":
		d.interruptOpening()
	case "the command line writes":
		d.ingestFull()
	}
	d.p = d.launch()
	switch err := d.p.becomeReady(diskPatience); {
	case err == nil:
		d.online(d.p)
	case d.greedy && !d.p.alive() && d.p.wait() == 5 && strings.Contains(d.p.log(), "disk is full"):
		// There is no reserve any more: somebody else has it.
	default:
		d.t.Fatal(err)
	}
}

// ingestFull has the command line store points on a full disk. It may manage to store some,
// or says why not; what it reported as committed is there.
func (d *disk) ingestFull() {
	d.t.Helper()
	f := d.feeder("command", formats[d.rng.IntN(len(formats))])
	cmd := f.command(nil, "--data-dir", d.dir)
	cmd.Dir = filepath.Dir(d.dir)
	code, err := f.feed(cmd, 20*linesAtOnce, func(*os.Process, int) {}, nil)
	if err != nil && (code != 5 || !strings.Contains(err.Error(), "disk is full")) {
		d.t.Fatal(err)
	}
	d.check(d.dir, "leftover")
	d.verify("read after an ingest into a full disk", d.dump())
}

// resume waits until the server does all again, which it has to do by itself.
func (d *disk) resume() {
	d.t.Helper()
	d.await("ok")
	for _, c := range d.writers() {
		err := poll(diskPatience, func() (bool, error) {
			how, err := c.send(d.p.url)
			if err != nil || how == acked {
				return true, err
			}
			return false, fmt.Errorf("a request of %s is %s", c.grid.Client, how)
		})
		if err != nil {
			d.t.Fatal(err)
		}
	}
}

// unmount gives the memory of the disk back.
func (d *disk) unmount() {
	d.t.Helper()
	for _, dir := range []string{filepath.Dir(d.dir), d.mount} {
		if err := syscall.Unmount(dir, 0); err != nil {
			d.t.Fatal(err)
		}
	}
}

// Part of a disk becomes read-only under a running server, as a system does it that has met a
// fault: a flush fails for good, nothing is acknowledged from then on, not even when the cause
// has gone, and reads go on until somebody starts the server again. Nothing is lost by that.
func TestDiskBecomesReadOnly(t *testing.T) {
	t.Parallel()
	if !mounter(t) {
		return
	}
	d := newDisk(t, scene(t, fmt.Sprintf("SYDRADB_SEED=%d", seed(t))), 0)
	d.p = d.serve()
	stop := d.write()
	pass(d.moment())
	stop()
	// A whole file system with files that are open for writing cannot be made read-only from
	// outside; a directory can.
	segments := filepath.Join(d.dir, "segments")
	if err := syscall.Mount(segments, segments, "", syscall.MS_BIND, ""); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("", segments, "", syscall.MS_REMOUNT|syscall.MS_BIND|syscall.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	stop = d.write(failed)
	d.await("failed")
	stop()
	if err := syscall.Unmount(segments, syscall.MNT_DETACH); err != nil {
		t.Fatal(err)
	}
	d.verify("read from a server that has failed", d.ask(d.p))
	d.p.term()
	d.p.wait() // it could not end well
	d.offline("leftover")
	d.p = d.serve()
	d.resume()
	d.online(d.p)
}
