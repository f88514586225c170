package engine

import (
	"bytes"
	"errors"
	"fmt"
	iofs "io/fs"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/fsys"
	"github.com/sydradb/sydradb/internal/manifest"
	"github.com/sydradb/sydradb/internal/tags"
)

// watched calls step before each operation of a reader.
type watched struct {
	fsys.FS
	step func(op fsys.OpKind, file string)
}

func (w *watched) Open(file string) (fsys.File, error) {
	w.step(fsys.OpOpen, file)
	f, err := w.FS.Open(file)
	if err != nil {
		return nil, err
	}
	return &watchedFile{f, w, file}, nil
}

func (w *watched) List(dir string) ([]fsys.Entry, error) {
	w.step(fsys.OpList, dir)
	return w.FS.List(dir)
}

func (w *watched) Stat(file string) (fsys.Entry, error) {
	w.step(fsys.OpStat, file)
	return w.FS.Stat(file)
}

type watchedFile struct {
	fsys.File
	w    *watched
	file string
}

func (f *watchedFile) ReadAt(p []byte, off int64) (int, error) {
	f.w.step(fsys.OpRead, f.file)
	return f.File.ReadAt(p, off)
}

func (f *watchedFile) Size() (int64, error) {
	f.w.step(fsys.OpSize, f.file)
	return f.File.Size()
}

// mustReadOnly opens a database for reading and closes it when the test ends.
func mustReadOnly(t *testing.T, fs fsys.FS) *Engine {
	t.Helper()
	e, err := OpenReadOnly(fs, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() })
	return e
}

// pointsOf returns the points of all series as text.
func pointsOf(t *testing.T, e *Engine) string {
	t.Helper()
	all, err := columnsBySeries(e)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(all)) {
		fmt.Fprint(&b, name, all[name].times, all[name].values, "; ")
	}
	return b.String()
}

// TestReadOnlyWritesNothing reads what a killed process has left, with all that an opening
// for writing would tidy up.
func TestReadOnlyWritesNothing(t *testing.T) {
	for _, torn := range []bool{false, true} {
		fs := killedDatabase(t, torn)
		before := contentsOf(t, fs)
		fs.SetHook(func(op fsys.Op) fsys.Fault {
			if op.Kind.Mutates() {
				t.Errorf("torn %v: %v", torn, op)
			}
			return fsys.Fault{}
		})
		e, err := OpenReadOnly(fs, Options{})
		if err != nil {
			t.Fatal(err)
		}
		points, err := readRaw(e)
		if err != nil || points != 9 {
			t.Errorf("torn %v: %d points, %v", torn, points, err)
		}
		found, err := e.Find(t.Context(), Selector{}, 2, 2)
		if err != nil || len(found) != 3 {
			t.Errorf("torn %v: found %v, %v", torn, found, err)
		}
		if s, err := e.Resolve(found[0].Name(), found[0].Tags()); err != nil || s.ID() != found[0].ID() {
			t.Errorf("torn %v: %v, %v", torn, s, err)
		}
		if _, err := e.Resolve("new", nil); !errors.Is(err, ErrReadOnly) {
			t.Errorf("torn %v: a new series: %v", torn, err)
		}
		if _, err := e.ResolveID(4711, nil); !errors.Is(err, ErrReadOnly) {
			t.Errorf("torn %v: a new id: %v", torn, err)
		}
		if err := e.Close(); err != nil {
			t.Error(err)
		}
		if _, err := e.Query(t.Context(), everything); !errors.Is(err, ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
		if !maps.Equal(before, contentsOf(t, fs)) {
			t.Errorf("torn %v: files were changed", torn)
		}
		if open := fs.OpenFiles(); len(open) > 0 {
			t.Errorf("torn %v: left open: %v", torn, open)
		}
	}
}

// TestReadOnlyStats compares what a reader says of a database with what its writer says.
func TestReadOnlyStats(t *testing.T) {
	fs := fsys.NewMem()
	w := openTest(t, fs, Options{Sync: SyncAlways})
	s := resolve(t, w, "a")
	put(t, w, s, 1, 1)
	flush(t, w)
	put(t, w, s, 2, 2)
	put(t, w, s, 3, 3)
	want := w.Stats()
	e := mustReadOnly(t, fs)
	if _, err := readRaw(e); err != nil {
		t.Fatal(err)
	}
	got := e.Stats()
	if got.CacheBytes == 0 || got.State != "readonly" {
		t.Errorf("got %+v", got)
	}
	// Each record says what was durable when it was written, so the last one is in doubt.
	if got.DurableLSN != want.DurableLSN-1 {
		t.Errorf("durable is %d, want %d", got.DurableLSN, want.DurableLSN-1)
	}
	want.State, want.DurableLSN, want.Flushes = got.State, got.DurableLSN, 0
	want.CacheBytes, want.CacheHits, want.CacheMisses = got.CacheBytes, got.CacheHits, got.CacheMisses
	want.BlocksDecoded, want.Crowding = got.BlocksDecoded, 0
	want.WALSync, want.Flush, want.Merge = Histogram{}, Histogram{}, Histogram{} // nothing of that is done
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

// TestReadOnlyAtEveryStep has the writer do something between any two operations of a
// reader that opens the database: the reader sees the state before or the one after.
func TestReadOnlyAtEveryStep(t *testing.T) {
	m, err := tags.NewMatcher(tags.Equal, base.NameKey, "b")
	if err != nil {
		t.Fatal(err)
	}
	compactAll := func(t *testing.T, e *Engine) {
		if err := e.Compact(t.Context()); err != nil {
			t.Error(err)
		}
	}
	actions := map[string]func(t *testing.T, e *Engine, at int64, note func()){
		"write":   func(t *testing.T, e *Engine, at int64, _ func()) { put(t, e, resolve(t, e, "a"), 100+at, 1) },
		"flush":   func(t *testing.T, e *Engine, _ int64, _ func()) { flush(t, e) },
		"compact": func(t *testing.T, e *Engine, _ int64, _ func()) { compactAll(t, e) },
		"write and flush twice": func(t *testing.T, e *Engine, at int64, note func()) {
			for i := range int64(2) {
				put(t, e, resolve(t, e, "new"), 2*at+i, 1)
				note()
				flush(t, e)
			}
		},
		"delete and compact": func(t *testing.T, e *Engine, at int64, note func()) {
			if _, err := e.Delete(t.Context(), Selector{Matchers: []tags.Matcher{m}}, 0, 1+at); err != nil {
				t.Error(err)
			}
			compactAll(t, e)
		},
	}
	for name, action := range actions {
		for _, every := range []int{1 << 30, 13} { // once, or again and again
			again := 0
			last := 1
			for n := 0; n < last; n++ {
				synctest.Test(t, func(t *testing.T) {
					fs := fsys.NewMem()
					w := openTest(t, fs, Options{Sync: SyncNone, RewriteSlack: -1 << 20, MergeOff: true})
					for i := range int64(3) {
						put(t, w, resolve(t, w, "a"), i, 1)
						put(t, w, resolve(t, w, "b"), i, 1)
						flush(t, w)
					}
					if _, err := w.Delete(t.Context(), Selector{Matchers: []tags.Matcher{m}}, 0, 0); err != nil {
						t.Fatal(err)
					}
					put(t, w, resolve(t, w, "a"), 50, 1)
					states := []string{pointsOf(t, w)}
					steps, began := 0, time.Now()
					e, err := OpenReadOnly(&watched{fs, func(fsys.OpKind, string) {
						if steps >= n && (steps-n)%every == 0 && steps < n+5*every {
							note := func() { states = append(states, pointsOf(t, w)) }
							action(t, w, int64(steps), note)
							note()
						}
						steps++
					}}, Options{})
					if err != nil {
						t.Fatalf("%s at step %d: %v", name, n, err)
					}
					defer e.Close()
					if time.Since(began) > 0 {
						again++
					}
					if got := pointsOf(t, e); !slices.Contains(states, got) {
						t.Errorf("%s at step %d: got %s, want one of %q", name, n, got, states)
					}
					if every > steps {
						last = steps
					} else {
						last = every
					}
				})
			}
			t.Logf("%s: %d times, %d with starting over", name, last, again)
		}
	}
}

// TestReadOnlyStartsOver lets a file be missing, or fail to be opened in one of the ways in
// which a writer makes it fail, during the first attempt.
func TestReadOnlyStartsOver(t *testing.T) {
	whole, want := databaseOfAllKinds(t)
	for _, file := range filesOf(t, whole, "") {
		if file == base.LockFile {
			continue
		}
		for name, first := range map[string]error{"missing": iofs.ErrNotExist, "replaced": fsys.ErrReplaced} {
			t.Run(file+" is "+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					fs := whole.CrashClone(rand.New(rand.NewPCG(1, 1)), 100)
					failed := false
					fs.SetHook(func(op fsys.Op) fsys.Fault {
						if op.Kind == fsys.OpOpen && op.Path == file && !failed {
							failed = true
							return fsys.Fault{Err: first}
						}
						return fsys.Fault{}
					})
					began := time.Now()
					e := mustReadOnly(t, fs)
					if took := time.Since(began); !failed || took != holdPause {
						t.Errorf("failed: %v; it took %v", failed, took)
					}
					if got := pointsOf(t, e); got != want {
						t.Errorf("got %s, want %s", got, want)
					}
				})
			})
		}
	}
}

// databaseOfAllKinds returns a database that has every kind of file, as a process leaves
// it that was killed, and its points.
func databaseOfAllKinds(t *testing.T) (*fsys.Mem, string) {
	t.Helper()
	fs := fsys.NewMem()
	w := openTest(t, fs, Options{Sync: SyncAlways, MaxSegmentFiles: 1, RotateBytes: 300, MergeOff: true})
	a, b := resolve(t, w, "a"), resolve(t, w, "b")
	put(t, w, a, 1, 1)
	flush(t, w) // a segment file
	put(t, w, a, 2, 2)
	put(t, w, b, 2, 2)
	flush(t, w) // a pack
	if _, err := w.Delete(t.Context(), Selector{}, 2, 2); err != nil {
		t.Fatal(err)
	}
	flush(t, w) // a delete file
	for i := range int64(24) {
		put(t, w, b, 3+i, 3) // rotates
	}
	killed := fs.CrashClone(rand.New(rand.NewPCG(1, 1)), 100)
	files := strings.Join(filesOf(t, killed, ""), " ")
	for _, suffix := range []string{"1-1-", "2-2-", base.DeletesDir + "/", base.WALDir + "/00", base.CurrentWAL} {
		if !strings.Contains(files, suffix) {
			t.Fatalf("no %s among %s", suffix, files)
		}
	}
	return killed, pointsOf(t, w)
}

// TestReadOnlyIsBusy opens a database whose writer writes an edit whenever a file is
// opened, which is gone then: for ten seconds that counts as bad luck.
func TestReadOnlyIsBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := fsys.NewMem()
		w := openTest(t, fs, Options{MergeOff: true, RewriteSlack: -1 << 20})
		put(t, w, resolve(t, w, "a"), 1, 1)
		flush(t, w)
		fs.SetHook(func(op fsys.Op) fsys.Fault {
			if op.Kind != fsys.OpOpen || !strings.HasPrefix(op.Path, base.SegmentsDir) {
				return fsys.Fault{}
			}
			if err := w.ledger.commit(0, manifest.Edit{}, nil); err != nil {
				t.Error(err)
			}
			return fsys.Fault{Err: iofs.ErrNotExist}
		})
		began := time.Now()
		_, err := OpenReadOnly(fs, Options{})
		if took := time.Since(began); !errors.Is(err, ErrBusy) || errors.Is(err, base.ErrCorrupt) || took < holdWait {
			t.Errorf("after %v: %v", took, err)
		}
		fs.SetHook(nil)
	})
}

// TestReadOnlyGivesUp opens what cannot be opened: what is missing though MANIFEST did not
// change, or damaged, is so when it is so twice.
func TestReadOnlyGivesUp(t *testing.T) {
	whole, _ := databaseOfAllKinds(t)
	var segments, deletes, logs []string
	for _, file := range filesOf(t, whole, "") {
		switch _, rotated := base.ParseWALFile(file); {
		case rotated:
			logs = append(logs, file)
		case base.IsDeleteFile(file):
			deletes = append(deletes, file)
		case strings.HasPrefix(file, base.SegmentsDir):
			segments = append(segments, file)
		}
	}
	if len(logs) < 2 {
		t.Fatalf("only %d rotated files", len(logs))
	}
	remove := func(files ...string) func(*testing.T, *fsys.Mem) {
		return func(t *testing.T, fs *fsys.Mem) {
			for _, file := range files {
				if err := fs.Remove(file); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	flip := func(file string, at int) func(*testing.T, *fsys.Mem) {
		return func(t *testing.T, fs *fsys.Mem) {
			data := mustRead(t, fs, file)
			data[(len(data)+at)%len(data)] ^= 1
			mustReplace(t, fs, file, data)
		}
	}
	for name, test := range map[string]struct {
		spoil func(*testing.T, *fsys.Mem)
		want  error
		takes time.Duration
		says  string
	}{
		"no segment file":        {remove(segments[0]), base.ErrCorrupt, holdPause, segments[0]},
		"no pack":                {remove(segments[1]), base.ErrCorrupt, holdPause, segments[1]},
		"no delete file":         {remove(deletes[0]), base.ErrCorrupt, holdPause, deletes[0]},
		"no catalog":             {remove(base.CatalogFile(1)), base.ErrCorrupt, holdPause, base.CatalogFile(1)},
		"no first log file":      {remove(logs[0]), base.ErrCorrupt, holdPause, "log file is missing"},
		"a gap in the log":       {remove(logs[1]), base.ErrCorrupt, holdPause, "log file is missing"},
		"no MANIFEST":            {remove(base.ManifestFile), base.ErrCorrupt, holdPause, base.ManifestFile},
		"a bad line of MANIFEST": {flip(base.ManifestFile, 300), base.ErrCorrupt, holdPause, base.ManifestFile},
		"a bad FORMAT":           {flip(base.FormatFile, 0), base.ErrCorrupt, holdPause, base.FormatFile},
		"a bad catalog":          {flip(base.CatalogFile(1), 20), base.ErrCorrupt, holdPause, base.CatalogFile(1)},
		"a bad delete file":      {flip(deletes[0], 20), base.ErrCorrupt, holdPause, deletes[0]},
		"a bad rotated record":   {flip(logs[1], -1), base.ErrCorrupt, holdPause, logs[1]},
		"a bad Header":           {flip(base.CurrentWAL, 12), base.ErrCorrupt, holdPause, base.CurrentWAL},
		"a bad last line, of which the log is gone": {func(t *testing.T, fs *fsys.Mem) {
			flip(base.ManifestFile, -20)(t, fs)
			remove(logs...)(t, fs)
		}, base.ErrCorrupt, holdPause, base.ManifestFile},
		"half a last line, and the log is gone": {func(t *testing.T, fs *fsys.Mem) {
			mustReplace(t, fs, base.ManifestFile, append(mustRead(t, fs, base.ManifestFile), `{"edit":`...))
			remove(logs...)(t, fs)
		}, base.ErrCorrupt, holdPause, "log file is missing"},
		"a newer format": {func(t *testing.T, fs *fsys.Mem) {
			text := string(mustRead(t, fs, base.FormatFile))
			mustReplace(t, fs, base.FormatFile, []byte(strings.Replace(text, `"format":1`, `"format":2`, 1)))
		}, ErrFormat, 0, "format 2"},
		"not a database": {remove(base.FormatFile), ErrNotDatabase, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fs := whole.CrashClone(rand.New(rand.NewPCG(1, 1)), 100)
				test.spoil(t, fs)
				began := time.Now()
				_, err := OpenReadOnly(fs, Options{})
				if !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.says) {
					t.Errorf("got %v, want %v that mentions %q", err, test.want, test.says)
				}
				if took := time.Since(began); took < test.takes || took > test.takes+holdPause {
					t.Errorf("it took %v, want %v", took, test.takes)
				}
				if open := fs.OpenFiles(); len(open) > 0 {
					t.Errorf("left open: %v", open)
				}
			})
		})
	}
}

// TestReadOnlyReadsTwice: bytes that are bad at first and good later were being written.
func TestReadOnlyReadsTwice(t *testing.T) {
	whole, want := databaseOfAllKinds(t)
	for _, file := range filesOf(t, whole, base.WALDir) {
		synctest.Test(t, func(t *testing.T) {
			fs := whole.CrashClone(rand.New(rand.NewPCG(1, 1)), 100)
			good := mustRead(t, fs, file)
			bad := slices.Clone(good)
			bad[20] ^= 1 // in the Header
			mustReplace(t, fs, file, bad)
			attempts := 0
			e, err := OpenReadOnly(&watched{fs, func(op fsys.OpKind, opened string) {
				if op != fsys.OpOpen || opened != base.FormatFile {
					return
				}
				if attempts++; attempts == 2 {
					mustReplace(t, fs, file, good)
				}
			}}, Options{})
			if err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			defer e.Close()
			if got := pointsOf(t, e); got != want || attempts != 2 {
				t.Errorf("%s: after %d attempts got %s, want %s", file, attempts, got, want)
			}
		})
	}
}

// TestReadOnlyBesideRotation has the writer rotate its log while a reader lists it: the
// reader has the file that was current and wants none of those that came later.
func TestReadOnlyBesideRotation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := fsys.NewMem()
		w := openTest(t, fs, Options{Sync: SyncNone, RotateBytes: 200, MergeOff: true})
		s := resolve(t, w, "a")
		for i := range int64(20) {
			put(t, w, s, i, 1)
		}
		want := pointsOf(t, w)
		before := len(filesOf(t, fs, base.WALDir))
		began := time.Now()
		e, err := OpenReadOnly(&watched{fs, func(op fsys.OpKind, dir string) {
			for i := int64(0); op == fsys.OpList && dir == base.WALDir && i < 20; i++ {
				put(t, w, s, 20+i, 1)
			}
		}}, Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		if got := pointsOf(t, e); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		if rotated := len(filesOf(t, fs, base.WALDir)) - before; rotated < 2 || before < 2 || time.Since(began) > 0 {
			t.Errorf("%d files, %d more after %v", before, rotated, time.Since(began))
		}
	})
}

// TestReadOnlyLeavesFlushedLogsAlone: a file of the log that is about to be removed is
// not waited for.
func TestReadOnlyLeavesFlushedLogsAlone(t *testing.T) {
	fs := fsys.NewMem()
	w := openTest(t, fs, Options{Sync: SyncNone, MergeOff: true})
	put(t, w, resolve(t, w, "a"), 1, 1)
	want := pointsOf(t, w)
	fs.SetHook(func(op fsys.Op) fsys.Fault {
		if op.Path == base.WALFile(firstLSN) && (op.Kind == fsys.OpRemove || op.Kind == fsys.OpOpen) {
			return fsys.Fault{Err: iofs.ErrNotExist}
		}
		return fsys.Fault{}
	})
	flush(t, w)
	if files := filesOf(t, fs, base.WALDir); len(files) != 2 {
		t.Fatalf("the log is %q", files)
	}
	if got := pointsOf(t, mustReadOnly(t, fs)); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestReadOnlyBesideACut has the writer take back the end of its log, as it does when a
// write has failed, between a reader's opening of the file and its reading.
func TestReadOnlyBesideACut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		whole := fsys.NewMem()
		w := openTest(t, whole, Options{Sync: SyncNone})
		s := resolve(t, w, "a")
		put(t, w, s, 1, 1)
		want := pointsOf(t, w)
		log := mustRead(t, whole, base.CurrentWAL)
		put(t, w, s, 2, 1)
		fs := whole.CrashClone(rand.New(rand.NewPCG(1, 1)), 100)
		mustReplace(t, fs, base.CurrentWAL, mustRead(t, whole, base.CurrentWAL))
		cut := false
		e, err := OpenReadOnly(&watched{fs, func(op fsys.OpKind, file string) {
			if op == fsys.OpRead && file == base.CurrentWAL && !cut {
				mustReplace(t, fs, file, log)
				cut = true
			}
		}}, Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		if got := pointsOf(t, e); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	})
}

// TestHeldStandsStill reads all that is held before and after the writer has gone on.
func TestHeldStandsStill(t *testing.T) {
	fs := fsys.NewMem()
	w := openTest(t, fs, Options{Sync: SyncNone, MergeOff: true})
	for i := range int64(3) {
		put(t, w, resolve(t, w, fmt.Sprint(i)), i, 1)
		if i < 2 {
			flush(t, w)
		}
	}
	r := holder{fs: fs, limit: fsys.OpenFileLimit}
	h, err := r.hold(t.Context(), func(*held) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	before := contentsOf(t, h)
	if !maps.Equal(before, contentsOf(t, fs)) {
		t.Errorf("held are %q, there are %q", slices.Sorted(maps.Keys(before)), filesOf(t, fs, ""))
	}
	put(t, w, resolve(t, w, "new"), 7, 1)
	if !maps.Equal(before, contentsOf(t, h)) {
		t.Error("a write shows")
	}
	if err := w.Compact(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !maps.Equal(before, contentsOf(t, h)) {
		t.Error("a merge shows")
	}
	if _, err := h.List("elsewhere"); !errors.Is(err, iofs.ErrNotExist) {
		t.Errorf("a directory of which nothing is held: %v", err)
	}
	if f, err := h.Create("new"); !errors.Is(err, fsys.ErrReadOnly) {
		t.Errorf("create: %v, %v", f, err)
	}
}

// TestReadOnlyTornEnds: what is not whole at the ends of MANIFEST and of the log is not
// there yet.
func TestReadOnlyTornEnds(t *testing.T) {
	fs := fsys.NewMem()
	w := openTest(t, fs, Options{Sync: SyncNone, MergeOff: true})
	s := resolve(t, w, "a")
	put(t, w, s, 1, 1)
	flush(t, w)
	first := pointsOf(t, w)
	log := mustRead(t, fs, base.CurrentWAL)
	put(t, w, s, 2, 2)
	second := pointsOf(t, w)
	log2 := mustRead(t, fs, base.CurrentWAL)
	lines := mustRead(t, fs, base.ManifestFile)
	last := lines[bytes.LastIndexByte(lines[:len(lines)-1], '\n')+1:]
	for name, test := range map[string]struct {
		file string
		data []byte
		want string
	}{
		"half a record":          {base.CurrentWAL, log2[:(len(log)+len(log2))/2], first},
		"a length":               {base.CurrentWAL, log2[:len(log)+4], first},
		"zeros":                  {base.CurrentWAL, append(slices.Clone(log), make([]byte, 100)...), first},
		"half a line":            {base.ManifestFile, append(slices.Clone(lines), `{"edit":2,"prev"`...), second},
		"a line but its newline": {base.ManifestFile, append(slices.Clone(lines), last[:len(last)-1]...), second},
		"a torn line":            {base.ManifestFile, append(slices.Clone(lines), "{\"edit\":\x00\x00\x00\n"...), second},
	} {
		torn := fs.CrashClone(rand.New(rand.NewPCG(1, 1)), 100)
		mustReplace(t, torn, test.file, test.data)
		// What a power cut might have taken of the log does not matter here.
		if test.file != base.CurrentWAL {
			mustReplace(t, torn, base.CurrentWAL, log2)
		}
		if got := pointsOf(t, mustReadOnly(t, torn)); got != test.want {
			t.Errorf("%s: got %s, want %s", name, got, test.want)
		}
	}
}

// TestReadOnlyWithoutCurrentLog: a writer that is just rotating has no current.wal.
func TestReadOnlyWithoutCurrentLog(t *testing.T) {
	fs, want := databaseOfAllKinds(t)
	first := manifestOf(t, fs).FlushedLSN
	rotated := lastRecord(t, fs).LSN
	if err := fs.Rename(base.CurrentWAL, base.WALFile(rotated)); err != nil {
		t.Fatal(err)
	}
	if got := pointsOf(t, mustReadOnly(t, fs)); got != want || first == 0 {
		t.Errorf("got %s, want %s", got, want)
	}
}

func manifestOf(t *testing.T, fs fsys.FS) manifest.State {
	t.Helper()
	s, tail, err := manifest.Read(fs, base.ManifestFile)
	if err != nil || tail != nil {
		t.Fatal(err, tail)
	}
	return s
}

// TestReadOnlyLimit holds many files with few descriptors.
func TestReadOnlyLimit(t *testing.T) {
	fs, want := databaseOfAllKinds(t)
	e := mustReadOnly(t, fs)
	held := uint64(e.held.Len())
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	for limit := uint64(1); limit < 3*held; limit++ {
		e, err := openReadOnly(holder{fs: fs, limit: func() (uint64, bool) { return limit, true }}, Options{})
		if enough := 10*held <= 8*limit; enough != (err == nil) {
			t.Errorf("limit %d for %d files: %v", limit, held, err)
		}
		if err != nil {
			if !strings.Contains(err.Error(), fmt.Sprintf("80 %% of the %d", limit)) || !strings.Contains(err.Error(), "ulimit") {
				t.Errorf("limit %d: %v", limit, err)
			}
		} else if got := pointsOf(t, e); got != want {
			t.Errorf("limit %d: %s", limit, got)
		} else if err := e.Close(); err != nil {
			t.Error(err)
		}
		if open := fs.OpenFiles(); len(open) > 0 {
			t.Fatalf("limit %d: left open: %v", limit, open)
		}
	}
}

// TestCheckBesideAWriter checks a database that is open: damage is found, and nothing is
// made of what may be the writer's work.
func TestCheckBesideAWriter(t *testing.T) {
	for name, test := range map[string]struct {
		spoil func(t *testing.T, fs *fsys.Mem, segment string)
		found func(segment string) []Finding
	}{
		"nothing": {spoil: func(*testing.T, *fsys.Mem, string) {}},
		"what is left over": {spoil: func(t *testing.T, fs *fsys.Mem, segment string) {
			mustPut(t, fs, base.CurrentWAL+base.TempSuffix, "x")
			mustPut(t, fs, segment+".x", "x")
			mustPut(t, fs, base.CatalogFile(7), "x")
			for _, file := range []string{base.ManifestFile, base.CatalogFile(1), base.CurrentWAL} {
				mustPut(t, fs, file, string(mustRead(t, fs, file))+`{"edit":`)
			}
		}},
		"a bad segment file": {
			spoil: func(t *testing.T, fs *fsys.Mem, segment string) { mustPut(t, fs, segment, "x") },
			found: func(segment string) []Finding { return []Finding{{Damage, segment, -1, "size"}} },
		},
		"a missing one": {
			spoil: func(t *testing.T, fs *fsys.Mem, segment string) {
				if err := fs.Remove(segment); err != nil {
					t.Fatal(err)
				}
			},
			found: func(segment string) []Finding { return []Finding{{Damage, segment, -1, "missing"}} },
		},
		"a bad log": {
			spoil: func(t *testing.T, fs *fsys.Mem, segment string) {
				data := mustRead(t, fs, base.CurrentWAL)
				data[20] ^= 1
				mustPut(t, fs, base.CurrentWAL, string(data))
			},
			found: func(string) []Finding { return []Finding{{Damage, base.CurrentWAL, 0, "checksum"}} },
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fs := fsys.NewMem()
				w := openTest(t, fs, Options{Sync: SyncAlways, MergeOff: true})
				a := resolve(t, w, "a")
				for i := range int64(3) {
					put(t, w, a, i, 1)
					put(t, w, a, base.Hour+i, 1)
					if i == 0 {
						flush(t, w)
					}
				}
				segment := dataFiles(t, fs)[0]
				test.spoil(t, fs, segment)
				open := fs.OpenFiles()
				report, err := Check(t.Context(), fs)
				if err != nil {
					t.Fatal(err)
				}
				var want []Finding
				if test.found != nil {
					want = test.found(segment)
				}
				for i, f := range report.Findings {
					if i < len(want) && strings.Contains(f.Message, want[i].Message) {
						want[i].Message = f.Message
					}
				}
				if !slices.Equal(report.Findings, want) {
					t.Errorf("found %+v, want %+v", report.Findings, want)
				}
				if test.found == nil && (report.Points != 2 || report.LogPoints != 4 || report.Segments != 2 || report.Series != 1) {
					t.Errorf("read %+v", report)
				}
				if now := fs.OpenFiles(); !reflect.DeepEqual(now, open) {
					t.Errorf("open before %v and after %v", open, now)
				}
			})
		})
	}
}
