package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/catalog"
	"github.com/sydradb/sydradb/internal/fsys"
	"github.com/sydradb/sydradb/internal/golden"
	"github.com/sydradb/sydradb/internal/manifest"
	"github.com/sydradb/sydradb/internal/segment"
	"github.com/sydradb/sydradb/internal/tags"
)

// openTest opens a database on fs and closes it when the test ends.
func openTest(t *testing.T, fs fsys.FS, opts Options) *Engine {
	t.Helper()
	e, err := Open(fs, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() })
	return e
}

// rowsOf returns one row for each of n series, with the same time and value.
func rowsOf(t testing.TB, e *Engine, n int, ts int64, value float64) []base.Row {
	t.Helper()
	rows := make([]base.Row, n)
	for i := range rows {
		s, err := e.Resolve("r", []base.Tag{{Key: "n", Value: fmt.Sprint(i)}})
		if err != nil {
			t.Fatal(err)
		}
		rows[i] = base.Row{TS: ts, Value: value, Ordinal: s.Ordinal()}
	}
	return rows
}

// TestBatchesAreSeenWhole writes batches that give 1,000 series the same value, while
// readers look: they never see two values. Flushes go on all the time.
func TestBatchesAreSeenWhole(t *testing.T) {
	const series = 1000
	e := openTest(t, fsys.NewMem(), Options{MemtableBytes: 64 << 10, Sync: SyncNone})
	rounds := 60
	var done atomic.Bool
	var readers sync.WaitGroup
	var reads atomic.Int64
	rows := rowsOf(t, e, series, 1, 0)
	for range 2 {
		readers.Go(func() {
			for !done.Load() {
				it, err := e.Query(context.Background(), everything)
				if err != nil {
					t.Error(err)
					return
				}
				seen := map[float64]int{}
				for it.Next() {
					seen[it.Block().Values[0]]++
				}
				if err := it.Err(); err != nil {
					t.Error(err)
				}
				it.Close()
				if len(seen) > 1 {
					t.Errorf("a query saw parts of batches: %v", seen)
				}
				for _, n := range seen {
					if n != series {
						t.Errorf("a query saw %d of %d series", n, series)
					}
				}
				reads.Add(1)
			}
		})
	}
	for round := 0; round < rounds || reads.Load() < 10; round++ {
		for i := range rows {
			rows[i].Value = float64(round)
		}
		kept, err := e.Write(t.Context(), rows, nil)
		if err != nil || kept {
			t.Fatal(kept, err)
		}
	}
	done.Store(true)
	readers.Wait()
	if err := e.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// TestConcurrentWriters has many writers of their own series; nothing gets lost.
func TestConcurrentWriters(t *testing.T) {
	fs := fsys.NewMem()
	e := openTest(t, fs, Options{MemtableBytes: 32 << 10, RotateBytes: 16 << 10})
	const writers, batches = 8, 50
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			s, err := e.Resolve("w", []base.Tag{{Key: "n", Value: fmt.Sprint(w)}})
			if err != nil {
				t.Error(err)
				return
			}
			for i := range batches {
				rows := []base.Row{{TS: int64(i), Value: float64(w), Ordinal: s.Ordinal()}}
				if _, err := e.Write(context.Background(), rows, nil); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	e = openTest(t, fs, Options{})
	it, err := e.Query(t.Context(), everything)
	if err != nil {
		t.Fatal(err)
	}
	defer it.Close()
	points := 0
	for it.Next() {
		points += len(it.Block().Times)
	}
	if err := it.Err(); err != nil || points != writers*batches {
		t.Errorf("%d points, %v", points, err)
	}
}

// readRaw counts the points of a database.
func readRaw(e *Engine) (points int, err error) {
	it, err := e.Query(context.Background(), everything)
	if err != nil {
		return 0, err
	}
	defer it.Close()
	for it.Next() {
		points += len(it.Block().Times)
	}
	return points, it.Err()
}

// TestRefusedBatches verifies the errors of batches that cannot be stored.
func TestRefusedBatches(t *testing.T) {
	reuseMemory(t)
	e := openTest(t, fsys.NewMem(), Options{})
	rows := rowsOf(t, e, 3, 1, 1)
	rows[1].TS = base.MaxTime + 1
	var pointErr *PointError
	if _, err := e.Write(t.Context(), rows, nil); !errors.As(err, &pointErr) || pointErr.Index != 1 {
		t.Errorf("time out of range: %v", err)
	}
	rows[1] = base.Row{Ordinal: 77}
	if _, err := e.Write(t.Context(), rows, nil); !errors.As(err, &pointErr) || pointErr.Index != 1 {
		t.Errorf("foreign series: %v", err)
	}
	large := make([]base.Row, 4<<20)
	for i := range large {
		large[i] = base.Row{TS: int64(i), Value: 0.1}
	}
	if _, err := e.Write(t.Context(), large, nil); !errors.Is(err, ErrTooLarge) {
		t.Errorf("large batch: %v", err)
	}
	if n, err := readRaw(e); n != 0 || err != nil {
		t.Errorf("%d points of refused batches, %v", n, err)
	}
	if found, err := e.Find(t.Context(), Selector{}, base.MinTime, base.MaxTime); len(found) != 0 || err != nil {
		t.Errorf("series that were never written are found: %v, %v", found, err)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Write(t.Context(), rows[:1], nil); !errors.Is(err, ErrClosed) {
		t.Errorf("write after close: %v", err)
	}
	if _, err := e.Query(t.Context(), everything); !errors.Is(err, ErrClosed) {
		t.Errorf("query after close: %v", err)
	}
	if err := e.Flush(t.Context()); !errors.Is(err, ErrClosed) {
		t.Errorf("flush after close: %v", err)
	}
}

// TestQueryLimits verifies that queries end where they are told to.
func TestQueryLimits(t *testing.T) {
	for _, parallel := range []int{1, 4} {
		e := openTest(t, fsys.NewMem(), Options{})
		for ts := range int64(10) {
			if _, err := e.Write(t.Context(), rowsOf(t, e, 5, ts, 1), nil); err != nil {
				t.Fatal(err)
			}
		}
		q := everything
		q.Parallel = parallel
		q.MaxSeries = 4
		if _, err := e.Query(t.Context(), q); !errors.Is(err, ErrLimit) {
			t.Errorf("series limit: %v", err)
		}
		q.MaxSeries, q.MaxPoints = 5, 49
		if _, err := readAllRaw(t.Context(), e, q); !errors.Is(err, ErrLimit) {
			t.Errorf("point limit: %v", err)
		}
		q.MaxPoints = 50
		if n, err := readAllRaw(t.Context(), e, q); err != nil || n != 50 {
			t.Errorf("at the limit: %d points, %v", n, err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := readAllRaw(ctx, e, q); !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled: %v", err)
		}
	}
}

func readAllRaw(ctx context.Context, e *Engine, q Query) (points int, err error) {
	it, err := e.Query(ctx, q)
	if err != nil {
		return 0, err
	}
	defer it.Close()
	for it.Next() {
		points += len(it.Block().Times)
	}
	return points, it.Err()
}

// TestFlushEndsUnderLoad verifies that Flush waits for what was written before it, not
// for what others go on writing.
func TestFlushEndsUnderLoad(t *testing.T) {
	e := openTest(t, fsys.NewMem(), Options{Sync: SyncNone})
	rows := rowsOf(t, e, 50, 1, 1)
	var stop atomic.Bool
	var writer sync.WaitGroup
	writer.Go(func() {
		mine := slices.Clone(rows)
		for !stop.Load() {
			for i := range mine {
				mine[i].TS++
			}
			if _, err := e.Write(context.Background(), mine, nil); err != nil {
				t.Error(err)
				return
			}
		}
	})
	for range 5 {
		if err := e.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	stop.Store(true)
	writer.Wait()
}

// TestNamelessSeries verifies that a series known by its id only is found under the
// name that it is shown with, and takes the name that hashes to its id.
func TestNamelessSeries(t *testing.T) {
	fs := fsys.NewMem()
	e := openTest(t, fs, Options{})
	key := catalog.AppendKey(nil, "room.temp", nil)
	id := catalog.KeyID(key)
	nameless, err := e.ResolveID(id, nil)
	if err != nil {
		t.Fatal(err)
	}
	shown := fmt.Sprintf("series:%x", uint64(id))
	if nameless.Name() != shown {
		t.Errorf("shown as %q", nameless.Name())
	}
	find := func(e *Engine, name string, want ...string) {
		t.Helper()
		m, err := tags.NewMatcher(tags.Equal, base.NameKey, name)
		if err != nil {
			t.Fatal(err)
		}
		found, err := e.Find(t.Context(), Selector{Matchers: []tags.Matcher{m}}, 0, 5)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, s := range found {
			names = append(names, s.Name())
		}
		if !slices.Equal(names, want) {
			t.Errorf("%s finds %v, want %v", name, names, want)
		}
	}
	find(e, shown)
	if _, err := e.Write(t.Context(), []base.Row{{TS: 1, Value: 1, Ordinal: nameless.Ordinal()}}, nil); err != nil {
		t.Fatal(err)
	}
	find(e, shown, shown)
	if err := e.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	named, err := e.Resolve("room.temp", nil)
	if err != nil || named.Ordinal() != nameless.Ordinal() || named.ID() != id {
		t.Fatalf("the name got %+v, %v", named, err)
	}
	find(e, "room.temp", "room.temp") // its points are there already
	if _, err := e.Write(t.Context(), []base.Row{{TS: 2, Value: 1, Ordinal: named.Ordinal()}}, nil); err != nil {
		t.Fatal(err)
	}
	for range 2 { // from the log, then from the catalog
		find(e, "room.temp", "room.temp")
		find(e, shown)
		if err := e.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
		e = openTest(t, fs, Options{})
	}
}

// TestFlushLayout verifies that a flush leaves one SYSEG2 file per series and hour,
// named as the format says, and that MANIFEST lists them.
func TestFlushLayout(t *testing.T) {
	fs := fsys.NewMem()
	e := openTest(t, fs, Options{})
	for _, ts := range []int64{5, base.Hour + 7, 3, -base.Hour / 2, 5} {
		if _, err := e.Write(t.Context(), rowsOf(t, e, 2, ts, float64(ts)), nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := e.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := map[int64][]int64{-base.Hour: {-base.Hour / 2}, 0: {3, 5}, base.Hour: {base.Hour + 7}}
	state, _, err := manifest.Read(fs, base.ManifestFile)
	if err != nil {
		t.Fatal(err)
	}
	if len(state.Live) != 6 {
		t.Errorf("MANIFEST lists %d files, want 6", len(state.Live))
	}
	for hour, times := range want {
		files, err := fs.List(base.SegmentDir(hour))
		if err != nil || len(files) != 2 {
			t.Fatalf("hour %d: %d files, %v", hour, len(files), err)
		}
		for _, f := range files {
			entry, ok := state.Entry(base.SegmentDir(hour) + "/" + f.Name)
			if !ok {
				t.Fatalf("MANIFEST does not list %s", f.Name)
			}
			name := base.SegmentFile(hour, entry.SeriesID, times[0], times[len(times)-1], entry.Wall)
			if entry.Path != name || entry.HourBucket != hour || entry.Count != len(times) || entry.Seq != state.FlushedLSN {
				t.Errorf("entry %+v, want path %s", entry, name)
			}
			points, err := segment.ReadAll(fs, entry.Path)
			if err != nil || len(points) != len(times) {
				t.Fatalf("%s: %v, %v", entry.Path, points, err)
			}
			for i, p := range points {
				if p.TS != times[i] || p.Value != float64(times[i]) {
					t.Errorf("%s: point %v, want time %d", entry.Path, p, times[i])
				}
			}
			data, err := fsys.ReadFile(fs, entry.Path)
			if err != nil || !bytes.HasPrefix(data, []byte("SYSEG2")) {
				t.Errorf("%s begins with %q, %v", entry.Path, data[:6], err)
			}
		}
	}
}

// TestTrace compares the order of operations on the disk with golden files: a sync
// that is lost shows as a missing line.
func TestTrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var lines bytes.Buffer
		fs := fsys.Trace(fsys.NewMem(), func(op fsys.Op) {
			if op.Kind.Mutates() {
				fmt.Fprintln(&lines, op)
			}
		})
		stage := func(name string, run func() error) {
			lines.Reset()
			if err := run(); err != nil {
				t.Fatal(name, err)
			}
			golden.Check(t, "testdata/trace/"+name+".golden", lines.Bytes())
		}
		var e *Engine
		stage("create", func() (err error) {
			e, err = Open(fs, Options{Sync: SyncAlways})
			return err
		})
		stage("write", func() error {
			_, err := e.Write(t.Context(), rowsOf(t, e, 1, 1, 1), nil)
			return err
		})
		stage("flush", func() error {
			err := e.Flush(t.Context())
			synctest.Wait()
			return err
		})
		stage("close", func() error {
			if _, err := e.Write(t.Context(), rowsOf(t, e, 1, 2, 2), nil); err != nil {
				return err
			}
			return e.Close()
		})
		stage("open", func() (err error) {
			e, err = Open(fs, Options{Sync: SyncAlways})
			return err
		})
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
	})
}
