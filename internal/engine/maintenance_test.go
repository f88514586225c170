package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/catalog"
	"github.com/sydradb/sydradb/internal/fsys"
	"github.com/sydradb/sydradb/internal/retention"
)

// resolve returns a series without tags.
func resolve(t *testing.T, e *Engine, name string) *Series {
	t.Helper()
	s, err := e.Resolve(name, nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// put writes one point.
func put(t *testing.T, e *Engine, s *Series, ts int64, value float64) {
	t.Helper()
	if _, err := e.Write(t.Context(), []base.Row{{TS: ts, Value: value, Ordinal: s.Ordinal()}}, []*Series{s}); err != nil {
		t.Fatal(err)
	}
}

// flush flushes.
func flush(t *testing.T, e *Engine) {
	t.Helper()
	if err := e.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// dataFiles returns the paths of segment files and packs on fs.
func dataFiles(t *testing.T, fs fsys.FS) (files []string) {
	t.Helper()
	hours, err := fs.List(base.SegmentsDir)
	if err != nil {
		t.Fatal(err)
	}
	for _, hour := range hours {
		names, err := fs.List(base.SegmentsDir + "/" + hour.Name)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range names {
			files = append(files, base.SegmentsDir+"/"+hour.Name+"/"+f.Name)
		}
	}
	return files
}

// TestReadersKeepTheirFiles merges while an iterator is open: the files that it reads stay
// until it is closed, and then go without anybody's asking.
func TestReadersKeepTheirFiles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := fsys.NewMem()
		e := openTest(t, fs, Options{MaxSegmentFiles: NeverPack, MergeOff: true})
		s := resolve(t, e, "a")
		for i := range int64(4) {
			put(t, e, s, i, float64(i))
			flush(t, e)
		}
		it, err := e.Query(t.Context(), Query{Start: base.MinTime, End: base.MaxTime})
		if err != nil {
			t.Fatal(err)
		}
		if err := e.Compact(t.Context()); err != nil {
			t.Fatal(err)
		}
		if files := dataFiles(t, fs); len(files) != 5 {
			t.Errorf("while they are read there are the files %v", files)
		}
		n := 0
		for it.Next() {
			n += len(it.Block().Times)
		}
		if it.Err() != nil || n != 4 {
			t.Errorf("read %d points: %v", n, it.Err())
		}
		it.Close()
		synctest.Wait()
		if files := dataFiles(t, fs); len(files) != 1 {
			t.Errorf("afterwards there are the files %v", files)
		}
	})
}

// TestMergingInTheBackground waits until merging is due: hours that get no writes for half
// an hour become one run, days that get none for a day one pack.
func TestMergingInTheBackground(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := openTest(t, fsys.NewMem(), Options{})
		s := resolve(t, e, "a")
		now := base.DayStart(time.Now().UnixNano()) // all in one day
		for i := range int64(3) {
			put(t, e, s, now+i, float64(i))
			put(t, e, s, now+base.Hour+i, float64(i))
			flush(t, e)
		}
		for _, step := range []struct {
			wait  time.Duration
			files int
		}{{time.Minute, 6}, {40 * time.Minute, 2}, {25 * time.Hour, 1}} {
			time.Sleep(step.wait)
			synctest.Wait()
			if got := e.Stats().SegmentFiles; got != step.files {
				t.Errorf("after another %v there are %d files, want %d", step.wait, got, step.files)
			}
		}
		if got := countPoints(t, e, Query{Start: base.MinTime, End: base.MaxTime}); got != 6 {
			t.Errorf("%d points", got)
		}
	})
}

// TestWritersAreSlowedDown lets merging fall behind.
func TestWritersAreSlowedDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := fsys.NewMem()
		e := openTest(t, fs, Options{MaxSegmentFiles: NeverPack})
		s := resolve(t, e, "a")
		// The temporary files of merges cannot be told from those of flushes, so what fails
		// is the reading of files, which flushes do not.
		fs.SetHook(func(op fsys.Op) fsys.Fault {
			if op.Kind == fsys.OpOpen && strings.HasPrefix(op.Path, base.SegmentsDir) {
				return fsys.Fault{Err: errors.New("injected")}
			}
			return fsys.Fault{}
		})
		for i := range int64(maxCrowding) {
			put(t, e, s, 1, float64(i))
			flush(t, e)
		}
		synctest.Wait()
		began := time.Now()
		put(t, e, s, 1, 1)
		if waited := time.Since(began); waited != 0 {
			t.Errorf("a write waited %v with %d runs", waited, maxCrowding)
		}
		flush(t, e)
		synctest.Wait()
		began = time.Now()
		put(t, e, s, 1, 1)
		if waited := time.Since(began); waited != crowdingDelay {
			t.Errorf("a write waited %v with one run too many", waited)
		}
		ctx, cancel := context.WithTimeout(t.Context(), crowdingDelay/2)
		defer cancel()
		if _, err := e.Write(ctx, []base.Row{{TS: 1, Ordinal: s.Ordinal()}}, nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v", err)
		}
		fs.SetHook(nil)
		time.Sleep(2 * maintenanceTick)
		synctest.Wait()
		if files := e.Stats().SegmentFiles; files > maxCrowding/4 {
			t.Errorf("%d files when merging works again", files)
		}
	})
}

// TestDiskLimit fills a database up to its limit: writes are refused until room is made,
// deletions never.
func TestDiskLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := fsys.NewMem()
		e := openTest(t, fs, Options{MaxDiskBytes: 64 << 10, MergeOff: true})
		rows := make([]base.Row, 100)
		s := resolve(t, e, "a")
		ts := int64(0)
		var err error
		for err == nil && ts < 100_000 {
			for i := range rows {
				ts++
				rows[i] = base.Row{TS: ts, Value: float64(ts) * 1.1, Ordinal: s.Ordinal()}
			}
			_, err = e.Write(t.Context(), rows, nil)
		}
		if !errors.Is(err, ErrDiskFull) || !strings.Contains(err.Error(), "65536 are allowed") {
			t.Fatalf("after %d points: %v", ts, err)
		}
		// Were maintenance to look for room without end, the bubble would never be idle.
		time.Sleep(30 * time.Second)
		synctest.Wait()
		used, err := fsys.DiskUsage(fs, "")
		if err != nil || used < 64<<10 || used > 70<<10 {
			t.Errorf("%d bytes are in use: %v", used, err)
		}
		if n, err := e.Delete(t.Context(), Selector{}, base.MinTime, base.MaxTime); n != 1 || err != nil {
			t.Fatalf("deleted from %d series: %v", n, err)
		}
		if err := e.Compact(t.Context()); err != nil {
			t.Fatal(err)
		}
		put(t, e, resolve(t, e, "a"), 1, 1)
	})
}

// TestDiskLimitMovesTheLog reaches the limit with a log that takes much less as files:
// there is room again soon, long before a flush is due.
func TestDiskLimitMovesTheLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := openTest(t, fsys.NewMem(), Options{MaxDiskBytes: 4 << 20, MergeOff: true})
		s := resolve(t, e, "a")
		rows := make([]base.Row, 10_000)
		ts := int64(0)
		write := func() error {
			for i := range rows {
				ts += 1e6
				rows[i] = base.Row{TS: ts, Value: 1, Ordinal: s.Ordinal()}
			}
			_, err := e.Write(t.Context(), rows, nil)
			return err
		}
		var err error
		for err == nil && ts < base.Hour {
			err = write()
		}
		if !errors.Is(err, ErrDiskFull) {
			t.Fatalf("after %d ns: %v", ts, err)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if err := write(); err != nil {
			t.Errorf("when the log has moved to files: %v", err)
		}
	})
}

// TestSeriesLimit refuses one series too many, and writes to the others.
func TestSeriesLimit(t *testing.T) {
	e := openTest(t, fsys.NewMem(), Options{MaxSeries: 2})
	a := resolve(t, e, "a")
	put(t, e, a, 1, 1)
	put(t, e, resolve(t, e, "b"), 1, 1)
	if _, err := e.Resolve("c", nil); !errors.Is(err, catalog.ErrSeriesLimit) {
		t.Errorf("error %v", err)
	}
	put(t, e, a, 2, 2)
}

// TestRetentionRewritesMixedPacks keeps the series of one namespace for ever in packs
// from which the others go.
func TestRetentionRewritesMixedPacks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := fsys.NewMem()
		e := openTest(t, fs, Options{
			MaxSegmentFiles: AlwaysPack, MergeOff: true,
			Retention: retention.Rules{Default: 24 * time.Hour, Classes: map[string]time.Duration{"audit": 0}},
		})
		now := time.Now().UnixNano()
		for i := range 10 {
			put(t, e, resolve(t, e, fmt.Sprintf("cpu.m%d", i)), now, 1)
			put(t, e, resolve(t, e, fmt.Sprintf("audit.m%d", i)), now, 1)
		}
		flush(t, e)
		time.Sleep(48 * time.Hour)
		if err := e.Retain(t.Context(), true); err != nil {
			t.Fatal(err)
		}
		count := func() int { return countPoints(t, e, Query{Start: base.MinTime, End: base.MaxTime}) }
		if n := count(); n != 10 {
			t.Errorf("%d points are seen at once", n)
		}
		if s := e.Stats(); s.SegmentPoints != 20 {
			t.Errorf("%d points are in files before they are rewritten", s.SegmentPoints)
		}
		if err := e.Compact(t.Context()); err != nil {
			t.Fatal(err)
		}
		if s := e.Stats(); s.SegmentPoints != 10 || s.Series != 10 || count() != 10 {
			t.Errorf("%d points and %d series are left", s.SegmentPoints, s.Series)
		}
		_, err := e.Write(t.Context(), []base.Row{{TS: now, Ordinal: resolve(t, e, "cpu.m1").Ordinal()}}, nil)
		if !errors.Is(err, ErrTooOld) {
			t.Errorf("a point that has expired is answered with %v", err)
		}
		put(t, e, resolve(t, e, "audit.m1"), now-1, 1)
	})
}

// TestDeadSeriesIsNotTooOld encodes a batch of a series that died a moment ago. Its
// namespace keeps points for ever, but the dead have none.
func TestDeadSeriesIsNotTooOld(t *testing.T) {
	e := openTest(t, fsys.NewMem(), Options{MergeOff: true, Retention: retention.Rules{
		Default: 24 * time.Hour, Classes: map[string]time.Duration{"audit": 0},
	}})
	now := time.Now().UnixNano()
	put(t, e, resolve(t, e, "cpu"), now-25*base.Hour, 1)
	put(t, e, resolve(t, e, "cpu"), now, 1)
	flush(t, e)
	if err := e.Retain(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	s := resolve(t, e, "audit.a")
	if !s.Alive() {
		t.Error("a series that was resolved just now is not alive")
	}
	put(t, e, s, now, 1)
	r := e.requests.get()
	r.deaths = e.reg.deaths.Load()
	rows := []base.Row{{TS: now - 48*base.Hour, Value: 2, Ordinal: s.Ordinal()}}
	if err := e.record(r, rows); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Delete(t.Context(), Selector{}, base.MinTime, base.MaxTime); err != nil {
		t.Fatal(err)
	}
	if err := e.Compact(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := e.record(r, rows); err != errStale {
		t.Errorf("error %v", err)
	}
	if s.Alive() {
		t.Error("a series without points is alive after maintenance")
	}
	put(t, e, s, now-48*base.Hour, 2)
	if !s.Alive() {
		t.Error("a series is not alive after it was written to")
	}
}

// TestRetentionOfAdoptedSeries gives a series a name, and so a namespace that is kept for
// ever, when retention has looked at its pack already.
func TestRetentionOfAdoptedSeries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := openTest(t, fsys.NewMem(), Options{
			MaxSegmentFiles: AlwaysPack, MergeOff: true,
			Retention: retention.Rules{Default: 24 * time.Hour, Classes: map[string]time.Duration{"audit": 0}},
		})
		now := time.Now().UnixNano()
		nameless, err := e.ResolveID(catalog.KeyID(catalog.AppendKey(nil, "audit.a", nil)), nil)
		if err != nil {
			t.Fatal(err)
		}
		put(t, e, nameless, now, 1)
		flush(t, e)
		if err := e.Retain(t.Context(), true); err != nil {
			t.Fatal(err)
		}
		put(t, e, resolve(t, e, "audit.a"), now+1, 1)
		put(t, e, resolve(t, e, "cpu"), now+1, 1)
		flush(t, e)
		time.Sleep(48 * time.Hour)
		if err := e.Retain(t.Context(), true); err != nil {
			t.Fatal(err)
		}
		if n := countPoints(t, e, Query{Start: base.MinTime, End: base.MaxTime}); n != 2 {
			t.Errorf("%d points are left, want 2", n)
		}
	})
}

// TestCompactFinishesRetention leaves the rewriting of packs that a sweep of an earlier
// process has made work of to Compact.
func TestCompactFinishesRetention(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := fsys.NewMem()
		opts := Options{
			MaxSegmentFiles: AlwaysPack, MergeOff: true,
			Retention: retention.Rules{Classes: map[string]time.Duration{"cpu": time.Hour}},
		}
		e := openTest(t, fs, opts)
		now := time.Now().UnixNano()
		for i := range 5 {
			put(t, e, resolve(t, e, fmt.Sprintf("cpu.m%d", i)), now, 1)
			put(t, e, resolve(t, e, fmt.Sprintf("disk.m%d", i)), now, 1)
		}
		if err := e.Compact(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Hour)
		if err := errors.Join(e.Retain(t.Context(), true), e.Close()); err != nil {
			t.Fatal(err)
		}
		e = openTest(t, fs, opts)
		if s := e.Stats(); s.SegmentPoints != 10 {
			t.Fatalf("%d points are in files", s.SegmentPoints)
		}
		if err := e.Compact(t.Context()); err != nil {
			t.Fatal(err)
		}
		if s := e.Stats(); s.SegmentPoints != 5 || s.Series != 5 {
			t.Errorf("%d points of %d series are left in files", s.SegmentPoints, s.Series)
		}
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
		e = openTest(t, fs, opts)
		if s := e.Stats(); s.Series != 5 {
			t.Errorf("%d series when opened again: CATALOG still has the dead", s.Series)
		}
	})
}

// TestCompactGoesAroundDamage merges the other days when the files of one are damaged.
func TestCompactGoesAroundDamage(t *testing.T) {
	fs := fsys.NewMem()
	e := openTest(t, fs, Options{MaxSegmentFiles: AlwaysPack, MergeOff: true, CacheBytes: -1})
	s := resolve(t, e, "a")
	for day := range int64(3) {
		for hour := range int64(2) {
			put(t, e, s, day*base.Day+hour*base.Hour, 1)
			flush(t, e)
		}
	}
	files := dataFiles(t, fs)
	data, err := fsys.ReadFile(fs, files[2])
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)/2] ^= 1
	if err := fsys.WriteFileAtomic(fs, files[2], data); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the same when asked again
		if err := e.Compact(t.Context()); !errors.Is(err, base.ErrCorrupt) || !strings.Contains(err.Error(), files[2]) {
			t.Errorf("error %v", err)
		}
		if left := e.Stats().SegmentFiles; left != 4 {
			t.Errorf("%d files are left, want 2 and the 2 of the damaged day", left)
		}
	}
}

// TestDeletionsAreBounded refuses deletions when too many wait to be applied.
func TestDeletionsAreBounded(t *testing.T) {
	e := openTest(t, fsys.NewMem(), Options{MergeOff: true, MaxDeletions: 3})
	for i := range 2 {
		put(t, e, resolve(t, e, fmt.Sprint("m", i)), 1, 1)
	}
	flush(t, e)
	all := Selector{}
	if n, err := e.Delete(t.Context(), all, 5, 6); n != 2 || err != nil {
		t.Fatalf("deleted from %d series: %v", n, err)
	}
	if _, err := e.Delete(t.Context(), all, 7, 8); !errors.Is(err, ErrOverloaded) {
		t.Errorf("error %v", err)
	}
	if err := e.Compact(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n, err := e.Delete(t.Context(), all, 1, 1); n != 2 || err != nil {
		t.Errorf("after compaction deleted from %d series: %v", n, err)
	}
}
