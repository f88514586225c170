package engine

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/fsys"
	"github.com/sydradb/sydradb/internal/wal"
)

// killedDatabase returns what is left of a process that was killed, with points in
// files and in the log, and with all that the next opening tidies up: bytes of the
// catalog that MANIFEST does not count, a temporary file, and, if torn, a MANIFEST whose
// last line is.
func killedDatabase(t *testing.T, torn bool) *fsys.Mem {
	t.Helper()
	fs := fsys.NewMem()
	e := openTest(t, fs, Options{Sync: SyncAlways})
	for i := range 3 {
		if _, err := e.Write(t.Context(), rowsOf(t, e, 3, int64(i), 1), nil); err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			if err := e.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	fs = fs.CrashClone(rand.New(rand.NewPCG(1, 1)), 100)
	for _, file := range []string{base.CatalogFile(1), base.ManifestFile} {
		if torn || file != base.ManifestFile {
			mustReplace(t, fs, file, append(mustRead(t, fs, file), `{"edit":`...))
		}
	}
	mustReplace(t, fs, base.CurrentWAL+base.TempSuffix, []byte("x"))
	return fs
}

// contentsOf returns the bytes of all files but the lock file.
func contentsOf(t *testing.T, fs fsys.FS) map[string]string {
	t.Helper()
	all := make(map[string]string)
	for _, file := range filesOf(t, fs, "") {
		if file != base.LockFile {
			all[file] = string(mustRead(t, fs, file))
		}
	}
	return all
}

// changesOf opens a database and returns the operations that changed the directory.
func changesOf(fs *fsys.Mem) (changes []fsys.Op, err error) {
	fs.SetHook(func(op fsys.Op) fsys.Fault {
		if op.Kind.Mutates() && op.Kind != fsys.OpLock {
			changes = append(changes, op)
		}
		return fsys.Fault{}
	})
	e, err := Open(fs, Options{})
	if err == nil {
		err = e.Close()
	}
	fs.SetHook(nil)
	return changes, err
}

// TestRefusedOpeningChangesNothing damages each file in turn. An opening that is refused
// leaves the directory as it is, so that nothing is lost for whoever repairs it.
func TestRefusedOpeningChangesNothing(t *testing.T) {
	log := mustRead(t, killedDatabase(t, false), base.CurrentWAL)
	for name, damage := range map[string]func(fs *fsys.Mem){
		"log": func(fs *fsys.Mem) {
			bad := slices.Clone(log)
			bad[60] ^= 1 // in the first of two batches
			mustReplace(t, fs, base.CurrentWAL, bad)
		},
		"log of another database": func(fs *fsys.Mem) {
			other := fsys.NewMem()
			openTest(t, other, Options{})
			mustReplace(t, fs, base.FormatFile, mustRead(t, other, base.FormatFile))
		},
		"record of a newer version": func(fs *fsys.Mem) {
			newer := wal.AppendBatch(nil, nil, make([]base.Row, 1))
			newer[4] = wal.TypeDelete
			wal.Seal(newer, lastRecord(t, fs).LSN+1, 1)
			mustReplace(t, fs, base.CurrentWAL, append(slices.Clone(log), newer...))
		},
		"no log": func(fs *fsys.Mem) {
			if err := fs.Remove(base.CurrentWAL); err != nil {
				t.Fatal(err)
			}
		},
		"catalog": func(fs *fsys.Mem) {
			bad := mustRead(t, fs, base.CatalogFile(1))
			bad[10] ^= 1
			mustReplace(t, fs, base.CatalogFile(1), bad)
		},
		"MANIFEST": func(fs *fsys.Mem) {
			bad := mustRead(t, fs, base.ManifestFile)
			bad[10] ^= 1
			mustReplace(t, fs, base.ManifestFile, bad)
		},
		"FORMAT": func(fs *fsys.Mem) { mustReplace(t, fs, base.FormatFile, []byte("{")) },
	} {
		for _, torn := range []bool{false, true} {
			fs := killedDatabase(t, torn)
			damage(fs)
			before := fmt.Sprint(contentsOf(t, fs))
			changes, err := changesOf(fs)
			if !errors.Is(err, base.ErrCorrupt) && !errors.Is(err, ErrFormat) {
				t.Errorf("%s: error %v", name, err)
			}
			if len(changes) > 0 || fmt.Sprint(contentsOf(t, fs)) != before {
				t.Errorf("%s: changes: %v", name, changes)
			}
			if open := fs.OpenFiles(); len(open) > 0 {
				t.Errorf("%s: left open: %v", name, open)
			}
		}
	}
}

// lastRecord returns the last record of current.wal.
func lastRecord(t *testing.T, fs fsys.FS) (last wal.Record) {
	t.Helper()
	if err := wal.Scan(fs, base.CurrentWAL, func(r wal.Record) error { last = r; return nil }); err != nil {
		t.Fatal(err)
	}
	return last
}

// TestManifestIsSecuredBeforeTheLogShrinks verifies the order of an opening: the log
// files that MANIFEST makes superfluous go after it has been made durable.
func TestManifestIsSecuredBeforeTheLogShrinks(t *testing.T) {
	for _, torn := range []bool{false, true} {
		changes, err := changesOf(killedDatabase(t, torn))
		if err != nil {
			t.Fatal(err)
		}
		first := func(kind fsys.OpKind, path string) int {
			return slices.IndexFunc(changes, func(op fsys.Op) bool { return op.Kind == kind && op.Path == path })
		}
		secured := first(fsys.OpSync, base.ManifestFile)
		if !torn { // then it is written anew
			secured = first(fsys.OpSyncDir, ".")
		}
		catalog := first(fsys.OpTruncate, base.CatalogFile(1))
		log := first(fsys.OpRemove, base.CurrentWAL+base.TempSuffix)
		if secured < 0 || catalog < secured || log < catalog {
			t.Errorf("MANIFEST at %d, catalog at %d, log at %d of %v", secured, catalog, log, changes)
		}
	}
}

// TestEmptyHoursGo verifies that directories of segment files go with their last file,
// so that a flush gives one a durable name even where the sync of an earlier one failed.
func TestEmptyHoursGo(t *testing.T) {
	fs := fsys.NewMem()
	if err := openTest(t, fs, Options{}).Close(); err != nil {
		t.Fatal(err)
	}
	files := []string{base.SegmentDir(0) + "/1-0-0-99999999999999.seg", base.SegmentDir(2*base.Hour) + "/readme", "segments/here/x"}
	for _, file := range files {
		mustPut(t, fs, file, "x")
	}
	if err := errors.Join(fs.MkdirAll(base.SegmentDir(base.Hour)), fs.MkdirAll("segments/there"), fs.MkdirAll("segments/00")); err != nil {
		t.Fatal(err)
	}
	fs.SetHook(func(fsys.Op) fsys.Fault { return fsys.Fault{Err: errInjected} })
	if err := fs.SyncDir(base.SegmentsDir); !errors.Is(err, errInjected) {
		t.Fatal(err)
	}
	fs.SetHook(nil)

	e := openTest(t, fs, Options{})
	for dir, want := range map[string]bool{
		base.SegmentDir(0): false, base.SegmentDir(base.Hour): false, base.SegmentDir(2 * base.Hour): true,
		"segments/here": true, "segments/there": true, "segments/00": true,
	} {
		if found, err := fsys.Exists(fs, dir); err != nil || found != want {
			t.Errorf("%s: found %v, %v", dir, found, err)
		}
	}
	for _, ts := range []int64{0, base.Hour} {
		if _, err := e.Write(t.Context(), rowsOf(t, e, 1, ts, 1), nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := e.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	cut := openTest(t, fs.CrashClone(rand.New(rand.NewPCG(1, 1)), 0), Options{})
	if got, err := readRaw(cut); got != 2 || err != nil {
		t.Errorf("after a power cut: %d of 2 points, %v", got, err)
	}
}

// TestRemovalsAreSettled opens a database again and again that merges each time: MANIFEST
// must not go on naming what was removed by processes before.
func TestRemovalsAreSettled(t *testing.T) {
	fs := fsys.NewMem()
	opts := Options{MaxSegmentFiles: NeverPack, MergeOff: true}
	var first int64
	for round := range 4 {
		e := openTest(t, fs, opts)
		if owed := e.ledger.manifest.State().Owed(); len(owed) > 0 {
			t.Errorf("round %d: %q is owed still", round, owed)
		}
		for i := range int64(4) {
			put(t, e, resolve(t, e, "a"), i*base.Hour, 1)
			put(t, e, resolve(t, e, "b"), i, 1)
			flush(t, e)
		}
		if _, err := e.Delete(t.Context(), Selector{}, base.Hour, base.MaxTime); err != nil {
			t.Fatal(err)
		}
		if err := e.Compact(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
		if size := e.Stats().ManifestBytes; round == 1 {
			first = size
		} else if round > 1 && size > first+first/20 {
			t.Errorf("round %d: MANIFEST has %d bytes, in the second round %d", round, size, first)
		}
	}
}

// TestJobNumbersAreNotGivenAgain ends a process while its oldest job is under way, which
// next_ms waits for, and opens the database by a clock that stands still: files that the
// new process writes get names that those of later jobs do not have.
func TestJobNumbersAreNotGivenAgain(t *testing.T) {
	fs := fsys.NewMem()
	opts := Options{MergeOff: true, Now: func() time.Time { return time.UnixMilli(1000) }}
	e := openTest(t, fs, opts)
	e.ledger.begin() // a merge that takes long
	flush := func(value float64) {
		t.Helper()
		if _, err := e.Write(t.Context(), rowsOf(t, e, 1, 7, value), nil); err != nil {
			t.Fatal(err)
		}
		if err := e.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 3 {
		flush(float64(i))
	}
	e = openTest(t, fs.CrashClone(rand.New(rand.NewPCG(1, 1)), 100), opts)
	for i := range 5 {
		flush(float64(10 + i))
	}
	files, _, _ := e.state.moment()
	names := pathsOf(files.list())
	if slices.Sort(names); len(slices.Compact(names)) != 3+5 {
		t.Errorf("files of 8 flushes: %q", names)
	}
	if got := pointsOf(t, e); !strings.Contains(got, "14") {
		t.Errorf("the last value is not there: %s", got)
	}
}
