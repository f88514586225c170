package engine

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/fsys"
	"github.com/sydradb/sydradb/internal/retention"
	"github.com/sydradb/sydradb/internal/tags"
)

// ledgerOfPoints is what was written when: it tells what the database held after any
// number of operations. Each operation is one record of the log.
type ledgerOfPoints struct {
	mu     sync.Mutex
	series map[string][]cell // by rising time
	kinds  []byte            // of the operations: 'b'atch or 'd'eletion
}

// cell is the history of one point.
type cell struct {
	ts       int64
	versions []version
}

type version struct {
	op    int
	value float64
	gone  bool
}

// cell returns the history of a point, to be extended.
func (l *ledgerOfPoints) cell(series string, ts int64) *cell {
	cells := l.series[series]
	i, found := slices.BinarySearchFunc(cells, ts, func(c cell, ts int64) int { return cmp.Compare(c.ts, ts) })
	if !found {
		cells = slices.Insert(cells, i, cell{ts: ts})
		l.series[series] = cells
	}
	return &cells[i]
}

// begin notes an operation that is about to be done, and returns its number.
func (l *ledgerOfPoints) begin(kind byte, note func(op int)) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.kinds = append(l.kinds, kind)
	op := len(l.kinds) - 1
	note(op)
	return op
}

// isDeletion reports whether the operation op is, or will be, a deletion.
func (l *ledgerOfPoints) isDeletion(op int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return op < len(l.kinds) && l.kinds[op] == 'd'
}

// compare returns how the points of a series differ from those after op, of which nothing
// below horizon is left.
func (l *ledgerOfPoints) compare(series string, op int, horizon int64, times []int64, values []float64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	cells := l.series[series]
	first, _ := slices.BinarySearchFunc(cells, horizon, func(c cell, ts int64) int { return cmp.Compare(c.ts, ts) })
	n := 0
	for _, c := range cells[first:] {
		i, _ := slices.BinarySearchFunc(c.versions, op+1, func(v version, op int) int { return cmp.Compare(v.op, op) })
		if i == 0 || c.versions[i-1].gone {
			continue
		}
		want := c.versions[i-1].value
		if n == len(times) || times[n] != c.ts || values[n] != want {
			return fmt.Errorf("%s after operation %d, horizon %d: want %v at %d, got %v", series, op, horizon, want, c.ts, times[n:min(n+1, len(times))])
		}
		n++
	}
	if n < len(times) {
		return fmt.Errorf("%s after operation %d, horizon %d: %v at %d should not be there", series, op, horizon, values[n], times[n])
	}
	return nil
}

// busyWriter writes, flushes, merges, deletes and expires without a pause. Every batch
// writes its number to the series mark, which does not expire.
type busyWriter struct {
	e     *Engine
	log   ledgerOfPoints
	clock atomic.Int64 // Unix ns

	acked   atomic.Int64 // last operation that was acknowledged
	expired atomic.Int64 // horizon of an acknowledged Retain
}

const (
	busyTTL   = 2 * time.Hour
	busyStep  = int64(time.Minute)
	busyStart = 1_700_000_000 * int64(time.Second)
	busyMark  = busyStart + 50_000*base.Hour
)

var busySeries = []string{"r.a", "r.b", "r.c", "r.d"}

func newBusyWriter(t *testing.T, fs fsys.FS) *busyWriter {
	w := &busyWriter{log: ledgerOfPoints{series: make(map[string][]cell)}}
	w.clock.Store(busyStart)
	w.acked.Store(-1)
	w.expired.Store(base.MinTime)
	w.e = openTest(t, fs, Options{
		Sync: SyncNone, MemtableBytes: 64 << 10, RotateBytes: 16 << 10, RewriteSlack: 4 << 10, MaxSegmentFiles: 3,
		Now:       func() time.Time { return time.Unix(0, w.clock.Load()) },
		Retention: retention.Rules{Default: busyTTL, Classes: map[string]time.Duration{"mark": 0}},
	})
	return w
}

// run goes on until the context ends.
func (w *busyWriter) run(ctx context.Context) error {
	for i := 0; ctx.Err() == nil; i++ {
		now := w.clock.Add(busyStep)
		if err := w.batch(now, i); err != nil {
			return err
		}
		var err error
		switch {
		case i%30 == 29:
			if err = w.e.Retain(context.Background(), true); err == nil {
				w.expired.Store(w.e.Horizon("r.a"))
			}
		case i%24 == 23:
			err = w.e.Compact(context.Background())
		case i%10 == 9:
			err = w.delete(now)
		case i%8 == 7:
			err = w.e.Flush(context.Background())
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// batch writes one point to each of some series, at now and at an earlier time that
// has been written before.
func (w *busyWriter) batch(now int64, i int) error {
	rows := make([]base.Row, 0, len(busySeries)+1)
	add := func(op int, name string, ts int64) {
		series, err := w.e.Resolve(name, nil)
		if err != nil {
			return // the batch is too short then
		}
		rows = append(rows, base.Row{TS: ts, Value: float64(op), Ordinal: series.Ordinal()})
		c := w.log.cell(name, ts)
		c.versions = append(c.versions, version{op: op, value: float64(op)})
	}
	op := w.log.begin('b', func(op int) {
		add(op, "mark", busyMark)
		for k, name := range busySeries {
			ts := now
			if (i+k)%5 == 0 {
				ts = max(busyStart+busyStep, now-int64(i*(k+1)%50)*busyStep) // less than half of the TTL
			}
			add(op, name, ts)
		}
	})
	if len(rows) != len(busySeries)+1 {
		return fmt.Errorf("a series could not be resolved")
	}
	if _, err := w.e.Write(context.Background(), rows, nil); err != nil {
		return err
	}
	w.acked.Store(int64(op))
	return nil
}

// delete deletes what one series got a while ago.
func (w *busyWriter) delete(now int64) error {
	const name = "r.b"
	start, end := now-90*busyStep, now-40*busyStep
	op := w.log.begin('d', func(op int) {
		for i := range w.log.series[name] {
			if c := &w.log.series[name][i]; c.ts >= start && c.ts <= end {
				c.versions = append(c.versions, version{op: op, gone: true})
			}
		}
	})
	m, err := tags.NewMatcher(tags.Equal, base.NameKey, name)
	if err != nil {
		return err
	}
	if _, err := w.e.Delete(context.Background(), Selector{Matchers: []tags.Matcher{m}}, start, end); err != nil {
		return err
	}
	w.acked.Store(int64(op))
	return nil
}

// columnsBySeries reads everything.
func columnsBySeries(e *Engine) (map[string]columns, error) {
	it, err := e.Query(context.Background(), everything)
	if err != nil {
		return nil, err
	}
	defer it.Close()
	all := make(map[string]columns)
	for it.Next() {
		b := it.Block()
		c := all[b.Series.Name()]
		all[b.Series.Name()] = columns{append(c.times, b.Times...), append(c.values, b.Values...)}
	}
	return all, it.Err()
}

// look opens the database for reading and holds it against what was written.
func (w *busyWriter) look(fs fsys.FS) error {
	acked, expired := int(w.acked.Load()), w.expired.Load()
	e, err := OpenReadOnly(fs, Options{CacheBytes: -1, MemtableBytes: MinMemtableBytes})
	if err != nil {
		return err
	}
	all, err := columnsBySeries(e)
	if err != nil {
		return err
	}
	horizon := e.Horizon("r.a")
	if horizon < expired {
		return fmt.Errorf("horizon %d, but %d was acknowledged", horizon, expired)
	}
	op := -1
	if mark := all["mark"].values; len(mark) > 0 {
		op = int(mark[0])
	}
	err = w.compare(all, op, horizon)
	if next := op + 1; (err != nil || next == acked) && w.log.isDeletion(next) {
		op, err = next, w.compare(all, next, horizon)
	}
	if err == nil && op < acked {
		err = fmt.Errorf("the state after operation %d, but %d was acknowledged", op, acked)
	}
	if closeErr := e.Close(); err == nil {
		err = closeErr
	}
	return err
}

func (w *busyWriter) compare(all map[string]columns, op int, horizon int64) error {
	for _, name := range busySeries {
		if err := w.log.compare(name, op, horizon, all[name].times, all[name].values); err != nil {
			return err
		}
	}
	return nil
}

// TestReadOnlyBesideABusyWriter opens a database for reading again and again while its
// writer flushes, merges, deletes and expires in a loop. Each time it must be what the
// log adds up to at some record, with everything that had been acknowledged.
func TestReadOnlyBesideABusyWriter(t *testing.T) {
	onDisk := func(t *testing.T) fsys.FS {
		fs, err := fsys.OS(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		return fs
	}
	for name, c := range map[string]struct {
		fs    func(t *testing.T) fsys.FS
		opens int64
	}{
		"os":  {onDisk, 1000},
		"mem": {func(*testing.T) fsys.FS { return fsys.NewMem() }, 300},
	} {
		t.Run(name, func(t *testing.T) {
			fs := c.fs(t)
			w := newBusyWriter(t, fs)
			ctx, stop := context.WithCancel(t.Context())
			var writer, readers sync.WaitGroup
			writer.Go(func() {
				if err := w.run(ctx); err != nil {
					t.Error(err)
				}
			})
			var opens atomic.Int64
			for range 2 {
				readers.Go(func() {
					for (opens.Add(1) <= c.opens || w.acked.Load() < 300) && !t.Failed() {
						if err := w.look(fs); err != nil {
							t.Error(err)
						}
					}
				})
			}
			readers.Wait()
			stop()
			writer.Wait()
			s := w.e.Stats()
			t.Logf("%d operations, %d flushes, %d merges, %d deletions, %d files, horizon %v",
				w.acked.Load()+1, s.Flushes, s.Merges, s.Deletions, s.SegmentFiles, time.Unix(0, w.expired.Load()).Sub(time.Unix(0, busyStart)))
			if s.Flushes == 0 || s.Merges == 0 || w.expired.Load() <= busyStart {
				t.Error("the writer did not do what it was to do")
			}
		})
	}
}
