package node

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/sydradb/sydradb"
	"github.com/sydradb/sydradb/server/internal/web"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// frame returns the routes of a node behind a server.
func frame(t *testing.T, n *Node) http.Handler {
	t.Helper()
	s := web.New(web.Config{Refuse: n.Refuse, OnError: n.Report})
	fine := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	routes := []web.Route{
		{Pattern: "POST /write", Name: "w", Slot: web.IngestSlot, Handler: fine},
		{Pattern: "GET /read", Name: "r", Slot: web.QuerySlot, Handler: fine},
		{Pattern: "POST /delete", Name: "d", Handler: fine},
	}
	if err := s.Mount(false, n.Routes(), routes); err != nil {
		t.Fatal(err)
	}
	return s
}

// statuses asks for health, readiness, writing, reading and deleting.
func statuses(h http.Handler) string {
	var codes []int
	for _, request := range []string{"GET /health", "GET /ready", "POST /write", "GET /read", "POST /delete"} {
		method, path, _ := strings.Cut(request, " ")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(method, path, nil))
		codes = append(codes, w.Code)
	}
	return fmt.Sprint(codes)
}

func ready(t *testing.T, h http.Handler) Status {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "/-/ready", nil))
	var s Status
	if err := json.Unmarshal(w.Body.Bytes(), &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// opened returns a node whose database, in a directory, is open.
func opened(t *testing.T, cfg Config) *Node {
	t.Helper()
	cfg.Dir = t.TempDir()
	n := New(cfg)
	if _, err := n.Open(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	return n
}

func TestFromStartToEnd(t *testing.T) {
	n := New(Config{Options: sydradb.Options{InMemory: true}})
	h := frame(t, n)
	if got := statuses(h); got != "[200 503 200 200 200]" || ready(t, h).State != Starting || n.DB() != nil {
		t.Errorf("starting: %s, %+v", got, ready(t, h))
	}
	if db, err := n.Open(); err != nil || db == nil || n.DB() != db {
		t.Fatal(db, err)
	}
	if got := statuses(h); got != "[200 200 200 200 200]" || ready(t, h).State != OK || ready(t, h).Reason != "" {
		t.Errorf("open: %s, %+v", got, ready(t, h))
	}
	n.Drain()
	if got := statuses(h); got != "[200 503 503 503 200]" || ready(t, h).State != Draining {
		t.Errorf("draining: %s, %+v", got, ready(t, h))
	}
	if err := n.Close(); err != nil {
		t.Error(err)
	}
}

// A node that is held is not ready, open or not, before it is released.
func TestHold(t *testing.T) {
	n := New(Config{Options: sydradb.Options{InMemory: true}})
	h := frame(t, n)
	n.Hold()
	if _, err := n.Open(); err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	if got := ready(t, h).State; got != Starting {
		t.Errorf("held: %s", got)
	}
	n.Release()
	if got := ready(t, h).State; got != OK {
		t.Errorf("released: %s", got)
	}
}

// A database that cannot be opened is told of once, by its error, which names the directory
// once; stopping then is no change of state that is worth a line.
func TestDatabaseThatCannotBeOpened(t *testing.T) {
	var log bytes.Buffer
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "x"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	n := New(Config{Dir: dir, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if _, err := n.Open(); !errors.Is(err, sydradb.ErrNotDatabase) || strings.Count(err.Error(), dir) != 1 {
		t.Errorf("the error: %v", err)
	}
	if got := n.Status().State; got != Failed {
		t.Errorf("the state is %s", got)
	}
	n.Drain()
	if got := n.Status().State; got != Draining || log.Len() > 0 {
		t.Errorf("the state is %s, the log %q", got, &log)
	}
}

func TestHealthIsWhatClientsOfInfluxExpect(t *testing.T) {
	for _, path := range []string{"/health", "/-/healthy"} {
		w := httptest.NewRecorder()
		frame(t, New(Config{})).ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		if got := strings.TrimSpace(w.Body.String()); w.Code != 200 || got != `{"name":"influxdb","message":"ready for queries and writes","status":"pass","checks":[]}` {
			t.Errorf("%s: %d, %s", path, w.Code, got)
		}
	}
}

// Recovery says how much of the log is read.
func TestRecovery(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	n := New(Config{Dir: dir})
	db, err := n.Open()
	if err != nil {
		t.Fatal(err)
	}
	s, err := db.Series("a")
	if err != nil {
		t.Fatal(err)
	}
	b := db.NewBatch()
	b.Add(s, 1, 1)
	if err := errors.Join(db.Write(t.Context(), b), n.Close()); err != nil {
		t.Fatal(err)
	}
	n = New(Config{Dir: dir})
	if _, err := n.Open(); err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	if r := n.Status().Recovery; r.Total == 0 || r.Done != r.Total {
		t.Errorf("got %+v", r)
	}
	second := New(Config{Dir: dir})
	if _, err := second.Open(); !errors.Is(err, sydradb.ErrLocked) || !strings.Contains(err.Error(), dir) || second.Status().State != Failed {
		t.Errorf("a second one: %v, %+v", err, second.Status())
	}
}

func TestStateAfterErrors(t *testing.T) {
	for name, tt := range map[string]struct {
		err  error
		want State
		got  string
	}{
		"full":   {fmt.Errorf("x: %w", sydradb.ErrDiskFull), ReadOnly, "[200 503 503 200 200]"},
		"failed": {fmt.Errorf("x: %w", sydradb.ErrStorageFailed), Failed, "[200 503 503 200 200]"},
		"other":  {sydradb.ErrOverloaded, OK, "[200 200 200 200 200]"},
	} {
		n := opened(t, Config{})
		h := frame(t, n)
		n.Report(tt.err)
		if got := statuses(h); got != tt.got || n.Status().State != tt.want {
			t.Errorf("%s: %s, %+v", name, got, n.Status())
		}
		if n.look(); n.Status().State == Failed != (tt.want == Failed) {
			t.Errorf("%s: a look at the disk makes it %+v", name, n.Status())
		}
	}
}

// A full disk stops points, and nothing else, until there is room again.
func TestFullDiskComesBackByItself(t *testing.T) {
	var free atomic.Int64
	free.Store(1 << 30)
	n := opened(t, Config{Free: func(string) (int64, int64, error) { return free.Load(), 1 << 40, nil }})
	h := frame(t, n)
	for _, step := range []struct {
		free int64
		want State
	}{
		{256 << 20, OK}, {256<<20 - 1, ReadOnly}, {256 << 20, ReadOnly}, {384<<20 - 1, ReadOnly}, {384 << 20, OK}, {0, ReadOnly}, {1 << 40, OK},
	} {
		free.Store(step.free)
		n.look()
		if got := n.Status(); got.State != step.want || (got.Reason == "disk_full") != (step.want == ReadOnly) {
			t.Errorf("with %d bytes free: %+v, want %s", step.free, got, step.want)
		}
		if want := map[State]string{OK: "[200 200 200 200 200]", ReadOnly: "[200 503 503 200 200]"}[step.want]; statuses(h) != want {
			t.Errorf("with %d bytes free: %s, want %s", step.free, statuses(h), want)
		}
	}
}

// By default a volume needs as much free space as the tables take, but not more than it can
// have: an empty one takes points, however small, and takes them again after it was full.
func TestSmallVolume(t *testing.T) {
	const mib = 1 << 20
	for _, tt := range []struct {
		set, memtable, total, least int64
	}{
		{0, 0, 1 << 40, 256 * mib},
		{0, 128 * mib, 1 << 40, 256 * mib},
		{0, 1024 * mib, 1 << 40, 2048 * mib},
		{0, 128 * mib, 1024 * mib, 256 * mib},
		{0, 128 * mib, 1000 * mib, 250 * mib},
		{0, 1024 * mib, 4096 * mib, 1024 * mib},
		{0, 128 * mib, 64 * mib, 16 * mib},
		{0, 128 * mib, 0, 256 * mib}, // nobody knows how large it is
		{4 * mib, 128 * mib, 1 << 40, 4 * mib},
		{100 * mib, 128 * mib, 128 * mib, 100 * mib}, // as it was asked for
	} {
		n := New(Config{MinFreeBytes: tt.set, Options: sydradb.Options{MemtableBytes: tt.memtable}})
		if got := n.leastFree(tt.total); got != tt.least {
			t.Errorf("%+v: %d bytes", tt, got)
		}
	}

	var free atomic.Int64
	free.Store(64 * mib)
	n := opened(t, Config{Free: func(string) (int64, int64, error) { return free.Load(), 64 * mib, nil }})
	for _, step := range []struct {
		free int64
		want State
	}{
		{64 * mib, OK}, {16 * mib, OK}, {16*mib - 1, ReadOnly}, {24*mib - 1, ReadOnly}, {24 * mib, OK},
	} {
		free.Store(step.free)
		if n.look(); n.Status().State != step.want {
			t.Errorf("with %d of 64 MiB free: %+v, want %s", step.free, n.Status(), step.want)
		}
	}
}

// A disk that is full at the start is seen before a point is taken, and the log says what is
// missing.
func TestFullAtTheStart(t *testing.T) {
	var log bytes.Buffer
	var free atomic.Int64
	free.Store(5)
	n := New(Config{
		Dir: t.TempDir(), MinFreeBytes: 100, Logger: slog.New(slog.NewTextHandler(&log, nil)),
		Free: func(string) (int64, int64, error) { return free.Load(), 1000, nil },
	})
	h := frame(t, n)
	n.Hold()
	if _, err := n.Open(); err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	if got := statuses(h); got != "[200 503 503 200 200]" || n.Status().State != Starting || n.Status().Reason != "" {
		t.Errorf("held: %s, %+v", got, n.Status())
	}
	n.Release()
	if got := statuses(h); got != "[200 503 503 200 200]" || n.Status().State != ReadOnly || n.Status().Reason != "disk_full" {
		t.Errorf("released: %s, %+v", got, n.Status())
	}
	const want = "from=ok to=readonly reason=disk_full free_bytes=5 wanted_bytes=150 setting=min_free_bytes"
	if strings.Count(log.String(), want) != 1 {
		t.Errorf("the log lacks %q:\n%s", want, &log)
	}

	free.Store(150)
	n.look()
	log.Reset()
	n.Report(sydradb.ErrDiskFull) // as a quota of the user has it
	if want := "free_bytes=150 wanted_bytes=150 setting=min_free_bytes"; !strings.Contains(log.String(), want) {
		t.Errorf("the log lacks %q:\n%s", want, &log)
	}
}

// What the log says of too little space names the setting that asks for more.
func TestWhatIsMissing(t *testing.T) {
	free := func(string) (int64, int64, error) { return 90, 1000, nil }
	for name, tt := range map[string]struct {
		cfg   Config
		state State
		stats sydradb.Stats
		want  room
	}{
		"room":             {Config{MinFreeBytes: 90}, OK, sydradb.Stats{}, room{false, "min_free_bytes", 90, 135}},
		"no room yet":      {Config{MinFreeBytes: 90}, ReadOnly, sydradb.Stats{}, room{true, "min_free_bytes", 90, 135}},
		"a spent reserve":  {Config{MinFreeBytes: 10, Options: sydradb.Options{ReserveBytes: 64}}, ReadOnly, sydradb.Stats{State: "full"}, room{true, "reserve_bytes", 90, 128}},
		"a small reserve":  {Config{MinFreeBytes: 60, Options: sydradb.Options{ReserveBytes: 8}}, OK, sydradb.Stats{State: "full"}, room{true, "min_free_bytes", 90, 90}},
		"a large database": {Config{Options: sydradb.Options{MaxDiskBytes: 1600}}, OK, sydradb.Stats{DiskBytes: 1700}, room{true, "max_disk_bytes", 0, 100}},
		"in memory":        {Config{Options: sydradb.Options{InMemory: true}}, OK, sydradb.Stats{}, room{}},
	} {
		tt.cfg.Free = free
		if got := New(tt.cfg).room(tt.state, &tt.stats); got != tt.want {
			t.Errorf("%s: %+v, want %+v", name, got, tt.want)
		}
	}
}

func TestMaxDiskBytes(t *testing.T) {
	n := opened(t, Config{Options: sydradb.Options{MaxDiskBytes: 1}})
	n.look()
	if got := n.Status(); got.State != ReadOnly || got.Reason != "disk_full" {
		t.Errorf("a directory of %d bytes: %+v", n.DB().Stats().DiskBytes, got)
	}
	n = New(Config{Options: sydradb.Options{MaxDiskBytes: 1600}})
	for _, tt := range []struct {
		state State
		bytes int64
		want  bool
	}{{OK, 1599, false}, {OK, 1600, true}, {ReadOnly, 1500, true}, {ReadOnly, 1499, false}} {
		if got := n.large(tt.state, tt.bytes); got != tt.want {
			t.Errorf("%s with %d of 1600 bytes: too large %v", tt.state, tt.bytes, got)
		}
	}
	if New(Config{}).large(ReadOnly, 1<<40) {
		t.Error("too large without a limit")
	}
}

// The watch looks every second while the disk is full, and less often else.
func TestWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var looks, free atomic.Int64
		n := New(Config{Dir: t.TempDir(), Free: func(string) (int64, int64, error) {
			looks.Add(1)
			return free.Load(), 1 << 40, nil
		}})
		if _, err := n.Open(); err != nil {
			t.Fatal(err)
		}
		looks.Store(0)
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			n.Watch(ctx)
		}()
		time.Sleep(10*time.Second + 1)
		if looks.Load() != 10 || n.Status().State != ReadOnly {
			t.Errorf("while full: %d looks in 10 s, %+v", looks.Load(), n.Status())
		}
		free.Store(1 << 40)
		time.Sleep(time.Second)
		if n.Status().State != OK {
			t.Errorf("with room: %+v", n.Status())
		}
		before := looks.Load()
		time.Sleep(20 * time.Second)
		if looks.Load()-before != 4 {
			t.Errorf("while fine: %d looks in 20 s", looks.Load()-before)
		}
		stop()
		<-done
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
}

// Points are taken again within five seconds of there being room, whenever that is and
// however the server learnt that there was none; nobody has to do anything.
func TestResumesWithinSeconds(t *testing.T) {
	const limit, step = 5 * time.Second, 10 * time.Millisecond
	for name, fill := range map[string]func(n *Node, free *atomic.Int64){
		"found by a look":  func(_ *Node, free *atomic.Int64) { free.Store(0) },
		"found by a write": func(n *Node, _ *atomic.Int64) { n.Report(sydradb.ErrDiskFull) },
		"found by both": func(n *Node, free *atomic.Int64) {
			free.Store(0)
			n.Report(sydradb.ErrDiskFull)
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			var free atomic.Int64
			free.Store(1 << 40)
			n := New(Config{Dir: t.TempDir(), Free: func(string) (int64, int64, error) { return free.Load(), 1 << 40, nil }})
			h := frame(t, n)
			if _, err := n.Open(); err != nil {
				t.Fatal(err)
			}
			ctx, stop := context.WithCancel(t.Context())
			var watching sync.WaitGroup
			watching.Go(func() { n.Watch(ctx) })
			for i := range 20 { // at ever other moments between two looks
				time.Sleep(time.Duration(i) * 537 * time.Millisecond)
				fill(n, &free)
				for n.Status().State != ReadOnly {
					time.Sleep(step)
				}
				time.Sleep(time.Duration(i%3) * 1300 * time.Millisecond)
				free.Store(1 << 40)
				began := time.Now()
				for n.Status().State != OK && time.Since(began) <= limit {
					time.Sleep(step)
				}
				if took := time.Since(began); took > limit || statuses(h) != "[200 200 200 200 200]" {
					t.Errorf("%s, the %d. time: after %v %+v, %s", name, i, took, n.Status(), statuses(h))
				}
			}
			stop()
			watching.Wait()
			if err := n.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// Not to know how much is free is no reason to refuse points.
func TestUnknownFreeSpace(t *testing.T) {
	n := opened(t, Config{Free: func(string) (int64, int64, error) { return 0, 0, errors.New("no idea") }})
	n.look()
	n.look()
	if n.Status().State != OK {
		t.Errorf("got %+v", n.Status())
	}
}

func TestFreeSpace(t *testing.T) {
	if free, total, err := freeSpace(t.TempDir()); err != nil || free <= 0 || total < free {
		t.Errorf("got %d of %d, %v", free, total, err)
	}
	if _, _, err := freeSpace(filepath.Join(t.TempDir(), "missing")); err == nil {
		t.Error("a directory that is missing has free space")
	}
}
