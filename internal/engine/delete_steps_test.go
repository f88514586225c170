package engine

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/fsys"
)

// deleteSteps are what TestDeleteAtEveryStep does in this order: an older part, a newer
// one that overwrites some of it, a deletion across both, and a rewrite of some of what
// was deleted.
var deleteSteps = [][]modelPoint{
	{{key: "m0.x0", ts: 1, value: 1}, {key: "m0.x0", ts: 2, value: 1}, {key: "m1.x1", ts: 2, value: 1}},
	{{key: "m0.x0", ts: 2, value: 2}, {key: "m0.x0", ts: 3, value: 2}, {key: "m0.x0", ts: base.Hour, value: 2}},
	deletionOf([]string{"m0.x0"}, 2, base.Hour),
	{{key: "m0.x0", ts: 3, value: 4}, {key: "m2.x2", ts: 3, value: 4}},
}

// between is what may happen after each step.
var between = []string{"nothing", "flush", "merge", "compact", "reopen", "crash"}

// TestDeleteAtEveryStep has everything happen between any two steps, in every
// combination: what is deleted is gone at once and never comes back, what is written
// later is there, and in the end nothing of what was deleted is on the disk.
func TestDeleteAtEveryStep(t *testing.T) {
	reuseMemory(t)
	stride := 1
	if raceEnabled {
		stride = 17
	}
	cases := 1
	for range deleteSteps {
		cases *= len(between)
	}
	for n := 0; n < 2*cases; n += stride {
		files := NeverPack
		if n >= cases {
			files = AlwaysPack
		}
		var happens []string
		for rest := n % cases; len(happens) < len(deleteSteps); rest /= len(between) {
			happens = append(happens, between[rest%len(between)])
		}
		var err error
		synctest.Test(t, func(*testing.T) { err = playDelete(files, happens) })
		if err != nil {
			t.Fatalf("%v, files %d: %v", happens, files, err)
		}
	}
}

// playDelete does the steps with what happens after each, and returns the first thing
// that is wrong.
func playDelete(files int, happens []string) (err error) {
	fs := fsys.NewMem()
	opts := Options{Sync: SyncAlways, MergeOff: true, MaxSegmentFiles: files}
	e, err := Open(fs, opts)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.Close()) }()
	want := make(contents)
	for i, batch := range deleteSteps {
		if batch[0].forget {
			err = deleteKey(e, batch[0])
		} else {
			err = writeBatch(e, batch)
		}
		want.add(batch)
		if err == nil {
			err = want.readFrom(e)
		}
		if err != nil {
			return fmt.Errorf("step %d: %w", i, err)
		}
		switch happens[i] {
		case "flush":
			err = e.Flush(context.Background())
		case "merge":
			err = e.mergeNow()
		case "compact":
			err = e.Compact(context.Background())
		case "reopen", "crash":
			clone := fs
			if happens[i] == "crash" {
				clone = fs.CrashClone(rand.New(rand.NewPCG(uint64(i), 1)), 0)
			}
			if err = e.Close(); err == nil {
				fs = clone
				again, failure := Open(fs, opts)
				if failure != nil {
					return failure
				}
				e = again
			}
		}
		if err == nil {
			err = want.readFrom(e)
		}
		if err != nil {
			return fmt.Errorf("%s after step %d: %w", happens[i], i, err)
		}
	}
	if err := e.Compact(context.Background()); err != nil {
		return err
	}
	if err := want.readFrom(e); err != nil {
		return fmt.Errorf("merged in the end: %w", err)
	}
	if s := e.Stats(); s.Deletions > 0 || int(s.SegmentPoints) != want.count() {
		return fmt.Errorf("%d deletions and %d points are on the disk, %d are to be there", s.Deletions, s.SegmentPoints, want.count())
	}
	return checkClean(fs, opts)
}

// deleteKey deletes as the model does.
func deleteKey(e *Engine, p modelPoint) error {
	s, err := make(handles).resolve(e, p.key)
	if err == nil {
		_, err = e.Delete(context.Background(), Selector{IDs: []base.SeriesID{s.ID()}}, p.ts, p.end)
	}
	return err
}

// count returns how many points there are.
func (c contents) count() (n int) {
	for _, points := range c {
		n += len(points)
	}
	return n
}

// deletedDatabase returns a database with two runs of one hour, of which a deletion that
// is in the log alone hides half.
func deletedDatabase(t *testing.T, fs fsys.FS, sync SyncPolicy) *Engine {
	t.Helper()
	e := openTest(t, fs, Options{Sync: sync, MergeOff: true, MaxSegmentFiles: NeverPack})
	for i := range int64(4) {
		if err := writeBatch(e, []modelPoint{{key: "m0.x0", ts: i, value: 1}}); err != nil {
			t.Fatal(err)
		}
		if i%2 == 1 {
			flush(t, e)
		}
	}
	if err := deleteKey(e, modelPoint{key: "m0.x0", ts: 1, end: 2}); err != nil {
		t.Fatal(err)
	}
	return e
}

// TestUnflushedDeletionIsNotApplied merges files when a deletion is in the log alone. A
// power cut may take it back, and then all that it hid has to be there.
func TestUnflushedDeletionIsNotApplied(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := fsys.NewMem()
		e := deletedDatabase(t, fs, SyncNone)
		if err := e.mergeNow(); err != nil {
			t.Fatal(err)
		}
		if s := e.Stats(); s.SegmentFiles != 1 || s.SegmentPoints != 4 || s.Deletions != 1 {
			t.Errorf("%d files with %d points, %d deletions", s.SegmentFiles, s.SegmentPoints, s.Deletions)
		}
		if n := countPoints(t, e, everything); n != 2 {
			t.Errorf("%d points are to be seen before the cut", n)
		}
		cut := openTest(t, fs.CrashClone(rand.New(rand.NewPCG(1, 1)), 0), Options{})
		if n := countPoints(t, cut, everything); n != 4 {
			t.Errorf("%d points are to be seen after the cut", n)
		}
		flush(t, e)
		if err := e.mergeNow(); err != nil {
			t.Fatal(err)
		}
		if s := e.Stats(); s.SegmentFiles != 1 || s.SegmentPoints != 2 || s.Deletions != 0 {
			t.Errorf("with the deletion in a file: %d files with %d points, %d deletions", s.SegmentFiles, s.SegmentPoints, s.Deletions)
		}
	})
}

// TestDeletionsSurvive opens a database again whose deletion is in the log, and one where
// it is in a file of its own.
func TestDeletionsSurvive(t *testing.T) {
	for _, flushed := range []bool{false, true} {
		fs := fsys.NewMem()
		e := deletedDatabase(t, fs, SyncAlways)
		if flushed {
			flush(t, e)
		}
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
		found, err := fsys.Exists(fs, base.DeletesDir)
		if err != nil || found != flushed {
			t.Errorf("flushed %v: %s is there: %v, %v", flushed, base.DeletesDir, found, err)
		}
		for range 2 {
			e = openTest(t, fs, Options{MergeOff: true})
			if n := countPoints(t, e, everything); n != 2 || e.Stats().Deletions != 1 {
				t.Errorf("flushed %v: %d points are to be seen, %d deletions", flushed, n, e.Stats().Deletions)
			}
			if err := e.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestSeriesDieAndComeBack has writers delete all that they wrote, and write again
// through the handles that they have, while others do the same and maintenance declares
// dead what has no points and writes CATALOG anew. Each sees what it did, at once.
func TestSeriesDieAndComeBack(t *testing.T) {
	fs := fsys.NewMem()
	opts := Options{Sync: SyncNone, MaxSegmentFiles: 2, MergeOff: true}
	e := openTest(t, fs, opts)
	rounds := 200
	if raceEnabled {
		rounds = 40
	}
	var writers sync.WaitGroup
	for _, m := range allModelSeries {
		writers.Go(func() {
			series := make(handles)
			for round := range rounds {
				if err := liveAndDie(e, series, m.key, round); err != nil {
					t.Errorf("%s, round %d: %v", m.key, round, err)
					return
				}
			}
			if err := series.write(e, []modelPoint{{key: m.key}}); err != nil {
				t.Error(err)
			}
		})
	}
	writers.Wait()
	if e.reg.deaths.Load() == 0 {
		t.Error("no series has died")
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if err := checkClean(fs, opts); err != nil {
		t.Error(err)
	}
	e = openTest(t, fs, opts)
	if n := countPoints(t, e, everything); n != len(allModelSeries) {
		t.Errorf("%d points after all, want one of each series", n)
	}
}

// liveAndDie writes a point of a series and deletes it; in some rounds it waits until
// nothing names the series any more.
func liveAndDie(e *Engine, series handles, key string, round int) error {
	ctx := context.Background()
	if err := series.write(e, []modelPoint{{key: key, ts: int64(round), value: 1}}); err != nil {
		return err
	}
	s := series[key]
	if err := seesOf(e, s, 1); err != nil {
		return err
	}
	if _, err := e.Delete(ctx, Selector{IDs: []base.SeriesID{s.ID()}}, base.MinTime, base.MaxTime); err != nil {
		return err
	}
	if round%4 == 0 {
		if err := e.Compact(ctx); err != nil {
			return err
		}
	}
	return seesOf(e, s, 0)
}

// seesOf returns an error unless a query finds so many points of a series.
func seesOf(e *Engine, s *Series, want int) error {
	it, err := e.Query(context.Background(), Query{Selector: Selector{IDs: []base.SeriesID{s.ID()}}, Start: base.MinTime, End: base.MaxTime})
	if err != nil {
		return err
	}
	defer it.Close()
	got := 0
	for it.Next() {
		if name := it.Block().Series.Name(); name != s.Name() {
			return fmt.Errorf("points of %q, not of %q", name, s.Name())
		}
		got += len(it.Block().Times)
	}
	if err := it.Err(); err != nil || got != want {
		return fmt.Errorf("%d points, want %d: %w", got, want, err)
	}
	return nil
}

// TestBatchesUnderWayWhenSeriesDie has batches in the hands of their writers when a
// series is declared dead. The loop sends back the one that names it, and takes the other.
func TestBatchesUnderWayWhenSeriesDie(t *testing.T) {
	e := openTest(t, fsys.NewMem(), Options{MergeOff: true})
	a, b := resolve(t, e, "a"), resolve(t, e, "b")
	put(t, e, a, 1, 1)
	put(t, e, b, 1, 1)
	var encoded []*request
	for _, s := range []*Series{a, b} {
		r := e.requests.get()
		if err := e.encode(r, []base.Row{{TS: 2, Value: 2, Ordinal: s.Ordinal()}}, nil); err != nil {
			t.Fatal(err)
		}
		encoded = append(encoded, r)
	}
	if _, err := e.Delete(t.Context(), Selector{IDs: []base.SeriesID{a.ID()}}, base.MinTime, base.MaxTime); err != nil {
		t.Fatal(err)
	}
	if err := e.Compact(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i, want := range []error{errStale, nil} {
		if _, err := e.submit(t.Context(), encoded[i]); err != want {
			t.Errorf("batch %d: %v, want %v", i, err, want)
		}
	}
	if n := countPoints(t, e, everything); n != 2 {
		t.Errorf("%d points are there, want the two of b", n)
	}
	dead := a.Ordinal()
	put(t, e, a, 2, 2)
	if a.Ordinal() == dead {
		t.Error("the ordinal of the dead stands for the living")
	}
	if err := seesOf(e, a, 1); err != nil {
		t.Error(err)
	}
}
