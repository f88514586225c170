package engine

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/fsys"
	"github.com/sydradb/sydradb/internal/retention"
	"github.com/sydradb/sydradb/internal/tags"
)

// afterPowerCut returns what a power cut that takes all it can leaves of fs, opened.
func afterPowerCut(t *testing.T, fs *fsys.Mem) *Engine {
	t.Helper()
	return openTest(t, fs.CrashClone(rand.New(rand.NewPCG(1, 1)), 0), Options{MergeOff: true})
}

// TestFailedSyncAfterRemovals lets the sync of a directory fail from which merged files
// were removed, while a flush has put files there and has not synced them yet. The flush
// must not believe its own sync, which passes.
func TestFailedSyncAfterRemovals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := fsys.NewMem()
		e, err := Open(fs, Options{Sync: SyncAlways, MergeOff: true, MaxSegmentFiles: NeverPack})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = e.Close() }()
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
		put(t, e, s, 10, 10)

		gate := make(chan struct{})
		var syncs atomic.Int64
		fs.SetHook(func(op fsys.Op) fsys.Fault {
			if op.Kind == fsys.OpSyncDir && op.Path == base.SegmentDir(0) {
				if syncs.Add(1) == 1 {
					<-gate
				} else {
					return fsys.Fault{Err: errInjected}
				}
			}
			return fsys.Fault{}
		})
		flushed := make(chan error)
		go func() { flushed <- e.Flush(t.Context()) }()
		synctest.Wait() // the flush is about to sync
		it.Close()      // so the merged files go
		synctest.Wait()
		close(gate)
		if err := <-flushed; !errors.Is(err, ErrStorageFailed) {
			t.Errorf("the flush ended with %v", err)
		}
		if _, err := e.Write(t.Context(), []base.Row{{TS: 11, Ordinal: s.Ordinal()}}, nil); !errors.Is(err, ErrStorageFailed) {
			t.Errorf("a write is answered with %v", err)
		}
		again := afterPowerCut(t, fs)
		if n := countPoints(t, again, Query{Start: base.MinTime, End: base.MaxTime}); n != 5 {
			t.Errorf("%d points after a power cut, want 5", n)
		}
	})
}

// TestLogIsSyncedWhenStorageFails lets a flush fail for good that a batch came after. It was
// acknowledged, and is to be on disk although no sync of the log is due for long.
func TestLogIsSyncedWhenStorageFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := fsys.NewMem()
		e, err := Open(fs, Options{SyncInterval: time.Hour, MergeOff: true})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = e.Close() }()
		s := resolve(t, e, "a")
		put(t, e, s, 1, 1)
		gate := make(chan struct{})
		fs.SetHook(func(op fsys.Op) fsys.Fault {
			if op.Kind == fsys.OpSyncDir && op.Path == base.SegmentDir(0) {
				<-gate
				return fsys.Fault{Err: errInjected}
			}
			return fsys.Fault{}
		})
		flushed := make(chan error)
		go func() { flushed <- e.Flush(t.Context()) }()
		synctest.Wait()
		put(t, e, s, 2, 2)
		close(gate)
		if err := <-flushed; !errors.Is(err, ErrStorageFailed) {
			t.Errorf("the flush ended with %v", err)
		}
		again := afterPowerCut(t, fs)
		if n := countPoints(t, again, Query{Start: base.MinTime, End: base.MaxTime}); n != 2 {
			t.Errorf("%d points after a power cut, want 2", n)
		}
	})
}

// killSeries writes series whose names begin with prefix, and lets them die.
func killSeries(t *testing.T, e *Engine, prefix string) error {
	t.Helper()
	for i := range 8 {
		put(t, e, resolve(t, e, fmt.Sprint(prefix, i)), 1, 1)
	}
	m, err := tags.NewMatcher(tags.Regexp, base.NameKey, prefix+".*")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Delete(t.Context(), Selector{Matchers: []tags.Matcher{m}}, base.MinTime, base.MaxTime); err != nil {
		t.Fatal(err)
	}
	return e.Compact(t.Context())
}

// TestFailedSyncOfGeneration lets the sync of the name of a new CATALOG fail. No later
// attempt may take that name for durable.
func TestFailedSyncOfGeneration(t *testing.T) {
	fs := fsys.NewMem()
	e, err := Open(fs, Options{Sync: SyncAlways, MergeOff: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = e.Close() }()
	put(t, e, resolve(t, e, "stays"), 1, 1)
	next := base.CatalogFile(firstGeneration + 1)
	var created atomic.Bool
	fs.SetHook(func(op fsys.Op) fsys.Fault {
		if op.Kind == fsys.OpCreate && op.Path == next {
			created.Store(true)
		}
		if created.Load() && op.Kind == fsys.OpSyncDir {
			return fsys.Fault{Err: errInjected}
		}
		return fsys.Fault{}
	})
	if err := killSeries(t, e, "a"); !errors.Is(err, ErrStorageFailed) {
		t.Errorf("ended with %v", err)
	}
	fs.SetHook(nil)
	again := afterPowerCut(t, fs)
	if err := killSeries(t, again, "b"); err != nil {
		t.Fatal(err)
	}
	if found, err := fsys.Exists(again.fs, next); err != nil || !found {
		t.Errorf("%s was not written: %v", next, err)
	}
	if n := countPoints(t, again, Query{Start: base.MinTime, End: base.MaxTime}); n != 1 {
		t.Errorf("%d points, want 1", n)
	}
}

// TestUpkeepWaitsForDescriptors lets directories not be opened for want of descriptors, for a
// while: after files were removed, for a new CATALOG, and for a MANIFEST that is written anew
// after each edit. Nothing has failed then, and all of it is done later.
func TestUpkeepWaitsForDescriptors(t *testing.T) {
	hooked := func(t *testing.T, fs *fsys.Mem, hits func(op fsys.Op) bool, do func()) {
		t.Helper()
		var hit atomic.Bool
		fs.SetHook(func(op fsys.Op) fsys.Fault {
			if hits(op) {
				hit.Store(true)
				return fsys.Fault{Err: fsys.ErrTooManyFiles}
			}
			return fsys.Fault{}
		})
		do()
		synctest.Wait()
		fs.SetHook(nil)
		if !hit.Load() {
			t.Error("nothing failed")
		}
	}
	isRoot := func(op fsys.Op) bool { return op.Kind == fsys.OpSyncDir && path.Clean(op.Path) == "." }
	for name, work := range map[string]func(t *testing.T, fs *fsys.Mem, e *Engine){
		"rewrite": func(t *testing.T, fs *fsys.Mem, e *Engine) {
			put(t, e, resolve(t, e, "a"), 2, 1)
			hooked(t, fs, isRoot, func() {
				flush(t, e) // its edit is on disk
				put(t, e, resolve(t, e, "a"), 3, 1)
				if err := e.Flush(t.Context()); !errors.Is(err, fsys.ErrTooManyFiles) {
					t.Errorf("the next flush: %v", err)
				}
			})
			time.Sleep(2 * flushRetryWait)
			flush(t, e)
		},
		"generation": func(t *testing.T, fs *fsys.Mem, e *Engine) {
			// Only once CATALOG is being made: MANIFEST has synced the same directory before.
			next, made := base.CatalogFile(firstGeneration+1), atomic.Bool{}
			hits := func(op fsys.Op) bool {
				if op.Kind == fsys.OpCreate && op.Path == next {
					made.Store(true)
				}
				return made.Load() && isRoot(op)
			}
			hooked(t, fs, hits, func() {
				if err := killSeries(t, e, "b"); !errors.Is(err, fsys.ErrTooManyFiles) {
					t.Errorf("the upkeep: %v", err)
				}
			})
			if err := e.Compact(t.Context()); err != nil {
				t.Error(err)
			}
			if found, err := fsys.Exists(fs, next); err != nil || !found {
				t.Errorf("%s was not written: %v", next, err)
			}
		},
		"removals": func(t *testing.T, fs *fsys.Mem, e *Engine) {
			var merged atomic.Bool
			hits := func(op fsys.Op) bool {
				if op.Kind == fsys.OpRemove && op.Path != base.SegmentsDir && strings.HasPrefix(op.Path, base.SegmentsDir) {
					merged.Store(true)
				}
				return merged.Load() && op.Kind == fsys.OpSyncDir && strings.HasPrefix(op.Path, base.SegmentsDir)
			}
			put(t, e, resolve(t, e, "a"), 2, 1)
			flush(t, e)
			hooked(t, fs, hits, func() {
				if err := e.Compact(t.Context()); err != nil {
					t.Error(err)
				}
			})
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			fs := fsys.NewMem()
			e, err := Open(fs, Options{Sync: SyncAlways, MergeOff: true, MaxSegmentFiles: NeverPack, RewriteSlack: -1 << 20})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = e.Close() }()
			put(t, e, resolve(t, e, "a"), 1, 1)
			flush(t, e)
			work(t, fs, e)
			put(t, e, resolve(t, e, "a"), 9, 1)
			flush(t, e)
			want := countPoints(t, e, everything)
			if s := e.Stats(); s.State != "ok" || want < 2 {
				t.Errorf("%s: state %s, %d points", name, s.State, want)
			}
			if n := countPoints(t, afterPowerCut(t, fs), everything); n != want {
				t.Errorf("%s: %d points after a power cut, want %d", name, n, want)
			}
			if err := e.Close(); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if err := checkClean(fs, Options{}); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
}

// agedDatabase opens a database with points of which all but the newest two are older than
// a day, each in a pack of its own. Those of the namespace "audit" are kept for ever,
// others for a day. Retention begins after an hour, so long after the last edit.
func agedDatabase(t *testing.T, fs fsys.FS) *Engine {
	t.Helper()
	opts := Options{MaxSegmentFiles: AlwaysPack, MergeOff: true}
	e := openTest(t, fs, opts)
	now := time.Now().UnixNano()
	for _, age := range []int64{48, 24, 0} {
		for _, name := range []string{"audit.a", "cpu"} {
			put(t, e, resolve(t, e, name), now-age*base.Hour, 1)
			flush(t, e)
		}
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(25 * time.Hour)
	opts.Retention = retention.Rules{Default: 36 * time.Hour, Classes: map[string]time.Duration{"audit": 0}}
	return openTest(t, fs, opts)
}

// noSpaceAtWrite makes the n-th write to path fail, as if the disk were full.
func noSpaceAtWrite(fs *fsys.Mem, path string, n int64) {
	var writes atomic.Int64
	fs.SetHook(func(op fsys.Op) fsys.Fault {
		if op.Kind == fsys.OpWrite && op.Path == path {
			if writes.Add(1) == n {
				return fsys.Fault{Err: fsys.ErrNoSpace}
			}
		}
		return fsys.Fault{}
	})
}

// TestRetentionOnFullDisk has no room for one of the lines of MANIFEST that retention
// writes. It is tried again before the hour is over that lies between two sweeps.
func TestRetentionOnFullDisk(t *testing.T) {
	for line := int64(1); line <= 3; line++ {
		synctest.Test(t, func(t *testing.T) {
			fs := fsys.NewMem()
			e := agedDatabase(t, fs)
			noSpaceAtWrite(fs, base.ManifestFile, line)
			defer fs.SetHook(nil)
			time.Sleep(time.Hour + 2*sweepInterval)
			synctest.Wait()
			if n := countPoints(t, e, Query{Start: base.MinTime, End: base.MaxTime}); n != 4 {
				t.Errorf("line %d: %d points are seen, want 4", line, n)
			}
			if err := e.Retain(t.Context(), true); err != nil {
				t.Error(err)
			}
			if s := e.Stats(); s.SegmentPoints != 4 {
				t.Errorf("line %d: %d points are in files, want 4", line, s.SegmentPoints)
			}
		})
	}
}

// TestRetentionPassesPacksBy lets expire what there is beside a pack that cannot be read.
func TestRetentionPassesPacksBy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := fsys.NewMem()
		e := agedDatabase(t, fs)
		bad := dataFiles(t, fs)[0] // of "audit"
		fs.SetHook(func(op fsys.Op) fsys.Fault {
			if op.Kind == fsys.OpOpen && op.Path == bad {
				return fsys.Fault{Err: errInjected}
			}
			return fsys.Fault{}
		})
		defer fs.SetHook(nil)
		if err := e.Retain(t.Context(), true); !errors.Is(err, errInjected) {
			t.Errorf("looking for dead series ended with %v", err)
		}
		fs.SetHook(nil)
		if files := dataFiles(t, fs); len(files) != 4 || !slices.Contains(files, bad) {
			t.Errorf("files %v", files)
		}
		if n := countPoints(t, e, Query{Start: base.MinTime, End: base.MaxTime}); n != 4 {
			t.Errorf("%d points are seen, want 4", n)
		}
	})
}
