package engine

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/fsys"
	"github.com/sydradb/sydradb/internal/wal"
)

// TestTornRecord cuts the log of a killed process at each byte of its last record. The
// database opens with all batches before, says what it cut off, and keeps the bytes.
func TestTornRecord(t *testing.T) {
	killed := killedDatabase(t, false)
	log := mustRead(t, killed, base.CurrentWAL)
	last := lastRecord(t, killed)
	for size := last.Offset; size < int64(len(log)); size++ {
		fs := killed.CrashClone(rand.New(rand.NewPCG(1, 1)), 100)
		mustReplace(t, fs, base.CurrentWAL, log[:size])
		logger, text := logged()
		e := openTest(t, fs, Options{Logger: logger})
		if got, err := readRaw(e); got != 6 || err != nil {
			t.Errorf("cut at %d: %d points, %v", size, got, err)
		}
		var kept []string
		for _, file := range filesOf(t, fs, base.WALDir) {
			if base.IsTornFile(file) {
				kept = append(kept, string(mustRead(t, fs, file)))
			}
		}
		tail := string(log[last.Offset:size])
		if warnings := strings.Count(text.String(), "torn end"); tail == "" {
			if warnings != 0 || len(kept) != 0 {
				t.Errorf("cut between records: %d files kept\n%s", len(kept), text)
			}
		} else if warnings != 1 || len(kept) != 1 || kept[0] != tail {
			t.Errorf("cut at %d: kept %q, want %q\n%s", size, kept, tail, text)
		}
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// beforeAndAfterUnlink returns a database as power cuts leave it when its last flush has
// written its line of MANIFEST: with the log that the line covers, and without.
func beforeAndAfterUnlink(t *testing.T) (before, after *fsys.Mem) {
	t.Helper()
	fs := fsys.NewMem()
	e := openTest(t, fs, Options{Sync: SyncAlways, MergeOff: true})
	rng := rand.New(rand.NewPCG(1, 1))
	for i := range int64(3) {
		put(t, e, resolve(t, e, "a"), i, float64(i))
		fs.SetHook(func(op fsys.Op) fsys.Fault {
			if _, rotated := base.ParseWALFile(op.Path); rotated && op.Kind == fsys.OpRemove {
				before = fs.CrashClone(rng, 100)
			}
			return fsys.Fault{}
		})
		flush(t, e)
		fs.SetHook(nil)
	}
	return before, fs.CrashClone(rng, 100)
}

// TestDamagedLineOfManifest spoils lines of MANIFEST all along. The last one is torn as
// long as the log that it covers is there: it goes, with a warning, and nothing is lost.
// Without that log, and before the last line, it is damage.
func TestDamagedLineOfManifest(t *testing.T) {
	stride := 5
	if raceEnabled {
		stride = 29
	}
	before, after := beforeAndAfterUnlink(t)
	for name, c := range map[string]struct {
		fs   *fsys.Mem
		last bool // the line that is spoilt
		torn bool
	}{
		"last line, its log is there": {before, true, true},
		"last line, its log is gone":  {after, true, false},
		"a line before":               {before, false, false},
		"a line before, no log":       {after, false, false},
	} {
		data := mustRead(t, c.fs, base.ManifestFile)
		start := 1 + slices.Index(data, '\n') // the second line
		end := start + 1 + slices.Index(data[start:], '\n')
		if c.last {
			start = 1 + strings.LastIndexByte(string(data[:len(data)-1]), '\n')
			end = len(data)
		}
		for at := start; at < end; at += stride {
			fs := c.fs.CrashClone(rand.New(rand.NewPCG(1, 1)), 100)
			bad := slices.Clone(data)
			bad[at] ^= 0x04
			mustReplace(t, fs, base.ManifestFile, bad)
			untouched := fmt.Sprint(contentsOf(t, fs))
			logger, text := logged()
			e, err := Open(fs, Options{Logger: logger, MergeOff: true})
			if !c.torn {
				var damage *base.CorruptionError
				if !errors.As(err, &damage) || damage.File != base.ManifestFile || damage.Offset > int64(at) {
					t.Errorf("%s, byte %d: %v", name, at-start, err)
				}
				if fmt.Sprint(contentsOf(t, fs)) != untouched {
					t.Errorf("%s, byte %d: files have changed", name, at-start)
				}
				continue
			}
			if err != nil || !strings.Contains(text.String(), "torn last line of MANIFEST") {
				t.Fatalf("%s, byte %d: %v\n%s", name, at-start, err, text)
			}
			if n := countPoints(t, e, everything); n != 3 {
				t.Errorf("%s, byte %d: %d of 3 points", name, at-start, n)
			}
			if err := e.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestMissingManifest removes MANIFEST, and then FORMAT as well. What is there is never
// taken for a new directory.
func TestMissingManifest(t *testing.T) {
	fs := mixedDatabase(t).fs
	for _, c := range []struct {
		remove string
		want   error
	}{{base.ManifestFile, base.ErrCorrupt}, {base.FormatFile, ErrNotDatabase}} {
		if err := fs.Remove(c.remove); err != nil {
			t.Fatal(err)
		}
		before := fmt.Sprint(contentsOf(t, fs))
		if _, err := Open(fs, Options{}); !errors.Is(err, c.want) {
			t.Errorf("without %s: %v", c.remove, err)
		}
		if fmt.Sprint(contentsOf(t, fs)) != before {
			t.Errorf("without %s: files have changed", c.remove)
		}
	}
}

// TestTagsFileIsNeverAnError puts all sorts of things in the place of tags.json. The next
// clean close puts it right.
func TestTagsFileIsNeverAnError(t *testing.T) {
	sound := fsys.NewMem()
	twoSeries(t, sound, NeverPack)
	want := string(mustRead(t, sound, base.TagsFile))
	for _, text := range []string{"", "{}", "[]", "null", "\x00\x00\x00", want[:len(want)/2], strings.Repeat("[", 1<<16), "missing"} {
		fs := fsys.NewMem()
		twoSeriesFrom(t, sound, fs)
		mustReplace(t, fs, base.TagsFile, []byte(text))
		if text == "missing" {
			if err := fs.Remove(base.TagsFile); err != nil {
				t.Fatal(err)
			}
		}
		logger, warnings := logged()
		e := openTest(t, fs, Options{MergeOff: true, Logger: logger})
		if n := countPoints(t, e, everything); n != 2*faultSeries {
			t.Errorf("%.20q: %d points", text, n)
		}
		if err := e.Close(); err != nil {
			t.Errorf("%.20q: %v", text, err)
		}
		if got := string(mustRead(t, fs, base.TagsFile)); got != want || warnings.Len() > 0 {
			t.Errorf("%.20q: the next close wrote %q, want %q\n%s", text, got, want, warnings)
		}
	}
}

// TestUnknownNamesAreLeftAlone puts names into a database that are not of one. They stay,
// and there is one warning at each opening.
func TestUnknownNamesAreLeftAlone(t *testing.T) {
	fs := fsys.NewMem()
	file, _ := twoSeries(t, fs, NeverPack)
	unknown := []string{
		"notes.txt", "photos/1.jpg", "MANIFEST.old", "FORMAT.bak", "wal/notes.txt", "wal/1.wal", "wal/sub/x", "segments/README",
		"segments/here/x.seg", base.SegmentDir(0) + "/notes", base.SegmentDir(0) + "/sub/x", file + ".bak", "deletes/notes",
	}
	for _, name := range unknown {
		mustPut(t, fs, name, "mine")
	}
	for range 2 {
		logger, text := logged()
		e := openTest(t, fs, Options{MergeOff: true, Logger: logger})
		if n := countPoints(t, e, everything); n != 2*faultSeries {
			t.Errorf("%d points", n)
		}
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
		if lines := strings.Count(text.String(), "\n"); lines != 1 || !strings.Contains(text.String(), fmt.Sprintf("count=%d", len(unknown))) {
			t.Errorf("%d names, but it is said:\n%s", len(unknown), text)
		}
		for _, name := range unknown {
			if got := string(mustRead(t, fs, name)); got != "mine" {
				t.Errorf("%s holds %q", name, got)
			}
		}
	}
}

// TestSoundFileThatNobodyNames puts a sound segment file where MANIFEST does not know it.
// That of a flush which did not end is in the log still, and goes; another is set aside
// as it is. Neither shows.
func TestSoundFileThatNobodyNames(t *testing.T) {
	before, _ := beforeAndAfterUnlink(t)
	e := openTest(t, before, Options{MergeOff: true})
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	old := dataFiles(t, before)[0]

	// The flush wrote its file, and the power went before its line of MANIFEST.
	fs := fsys.NewMem()
	e = openTest(t, fs, Options{Sync: SyncAlways, MergeOff: true})
	s := resolve(t, e, "a")
	put(t, e, s, 100, 1)
	flush(t, e)
	put(t, e, s, 101, 1)
	var cut *fsys.Mem
	fs.SetHook(func(op fsys.Op) fsys.Fault {
		if op.Kind == fsys.OpWrite && op.Path == base.ManifestFile {
			cut = fs.CrashClone(rand.New(rand.NewPCG(1, 1)), 100)
		}
		return fsys.Fault{}
	})
	flush(t, e)
	fs.SetHook(nil)
	young := dataFiles(t, cut)
	mustPut(t, cut, old, string(mustRead(t, before, old)))
	again := openTest(t, cut, Options{MergeOff: true})
	if n := countPoints(t, again, everything); n != 2 {
		t.Errorf("%d points, want 2", n)
	}
	files := dataFiles(t, cut)
	if len(young) != 2 || len(files) != 1 {
		t.Errorf("files %q became %q", young, files)
	}
	aside := base.QuarantineDir + old[strings.LastIndexByte(old, '/'):]
	if string(mustRead(t, cut, aside)) != string(mustRead(t, before, old)) {
		t.Errorf("%s is not what was found", aside)
	}
}

// TestFlushIsTriedUnderNewNames lets the first file of a flush fail, in each way. It is
// written once more under another name, since nothing is known about the first one. When
// that fails as well there are no more writes, and what memory holds is saved if it can be.
func TestFlushIsTriedUnderNewNames(t *testing.T) {
	for name, kind := range map[string]fsys.OpKind{
		"create": fsys.OpCreate, "write": fsys.OpWrite, "sync": fsys.OpSync, "close": fsys.OpClose, "rename": fsys.OpRename,
	} {
		for _, times := range []int{1, 2} {
			synctest.Test(t, func(t *testing.T) {
				fs := fsys.NewMem()
				e, err := Open(fs, Options{Sync: SyncAlways, MergeOff: true})
				if err != nil {
					t.Fatal(err)
				}
				defer func() { _ = e.Close() }()
				put(t, e, resolve(t, e, "a"), 1, 1)
				tried := make(map[string]bool)
				var mu sync.Mutex
				fs.SetHook(func(op fsys.Op) fsys.Fault {
					mu.Lock()
					defer mu.Unlock()
					if op.Kind == kind && strings.HasPrefix(op.Path, base.SegmentsDir) && strings.HasSuffix(op.Path, base.TempSuffix) && !tried[op.Path] {
						tried[op.Path] = true
						if len(tried) <= times {
							return fsys.Fault{Err: errInjected}
						}
					}
					return fsys.Fault{}
				})
				if err := e.Flush(t.Context()); !errors.Is(err, errInjected) {
					t.Errorf("%s fails, and the flush ends with %v", name, err)
				}
				time.Sleep(3 * flushRetryWait)
				synctest.Wait()
				s := e.Stats()
				if ok := s.State == "ok"; ok != (times == 1) || s.SegmentPoints != 1 || len(tried) != times+1 {
					t.Errorf("%s fails %d times: state %s, %d points in files, written as %v", name, times, s.State, s.SegmentPoints, tried)
				}
				if n := countPoints(t, e, everything); n != 1 {
					t.Errorf("%s fails %d times: %d points", name, times, n)
				}
				if times == 1 {
					for _, file := range filesOf(t, fs, base.SegmentsDir) {
						if strings.HasSuffix(file, base.TempSuffix) {
							t.Errorf("%s fails: %s is left", name, file)
						}
					}
				}
				if n := countPoints(t, afterPowerCut(t, fs), everything); n != 1 {
					t.Errorf("%s fails %d times: %d points after a power cut", name, times, n)
				}
			})
		}
	}
}

// TestFlushWaitsForDescriptors lets flushes fail for want of descriptors, for a minute. That is
// no fault of the disk: writing goes on, and the flush that comes after works.
func TestFlushWaitsForDescriptors(t *testing.T) {
	for _, kind := range []fsys.OpKind{fsys.OpCreate, fsys.OpSyncDir} {
		synctest.Test(t, func(t *testing.T) {
			fs := fsys.NewMem()
			e, err := Open(fs, Options{Sync: SyncAlways, MergeOff: true})
			if err != nil {
				t.Fatal(err)
			}
			s := resolve(t, e, "a")
			put(t, e, s, 1, 1)
			fs.SetHook(func(op fsys.Op) fsys.Fault {
				if op.Kind == kind && strings.HasPrefix(op.Path, base.SegmentsDir) {
					return fsys.Fault{Err: fsys.ErrTooManyFiles}
				}
				return fsys.Fault{}
			})
			if err := e.Flush(t.Context()); !errors.Is(err, fsys.ErrTooManyFiles) {
				t.Errorf("%v: the flush ended with %v", kind, err)
			}
			time.Sleep(time.Minute)
			put(t, e, s, 2, 2)
			if n := e.Stats().FlushesFailed; n < 10 {
				t.Errorf("%v: %d attempts in a minute", kind, n)
			}
			fs.SetHook(nil)
			time.Sleep(2 * flushRetryWait)
			flush(t, e)
			if s := e.Stats(); s.State != "ok" || s.SegmentPoints != 2 {
				t.Errorf("%v: state %s, %d points in files", kind, s.State, s.SegmentPoints)
			}
			if n := countPoints(t, afterPowerCut(t, fs), everything); n != 2 {
				t.Errorf("%v: %d points after a power cut", kind, n)
			}
			if err := e.Close(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// TestLateErrorOfTheLog lets the log report only when it is closed, at its rotation, that
// bytes were lost. Nothing is acknowledged any more, and what was is saved to files.
func TestLateErrorOfTheLog(t *testing.T) {
	fs := fsys.NewMem()
	e := openTest(t, fs, Options{Sync: SyncAlways, MergeOff: true})
	s := resolve(t, e, "a")
	put(t, e, s, 1, 1)
	fs.SetHook(func(op fsys.Op) fsys.Fault {
		if op.Kind == fsys.OpClose && op.Path == base.CurrentWAL {
			return fsys.Fault{Err: errInjected}
		}
		return fsys.Fault{}
	})
	if err := e.Flush(t.Context()); !errors.Is(err, ErrStorageFailed) || !errors.Is(err, errInjected) {
		t.Errorf("the flush ends with %v", err)
	}
	fs.SetHook(nil)
	if _, err := e.Write(t.Context(), []base.Row{{TS: 2, Ordinal: s.Ordinal()}}, nil); !errors.Is(err, ErrStorageFailed) {
		t.Errorf("a write is answered with %v", err)
	}
	_ = e.Close() // waits for the files
	if n := countPoints(t, afterPowerCut(t, fs), everything); n != 1 {
		t.Errorf("%d points after a power cut", n)
	}
}

// TestReadOnlyDisk has every change refused, as by a file system that was mounted so, or
// became so after an error.
func TestReadOnlyDisk(t *testing.T) {
	readOnly := func(op fsys.Op) fsys.Fault {
		if op.Kind.Mutates() && op.Kind != fsys.OpLock { // see package fsys
			return fsys.Fault{Err: syscall.EROFS}
		}
		return fsys.Fault{}
	}
	fs := killedDatabase(t, false)
	before := fmt.Sprint(contentsOf(t, fs))
	fs.SetHook(readOnly)
	if _, err := Open(fs, Options{}); !errors.Is(err, syscall.EROFS) || errors.Is(err, base.ErrCorrupt) {
		t.Errorf("opening ends with %v", err)
	}
	if n := countPoints(t, mustReadOnly(t, fs), everything); n != 9 {
		t.Errorf("%d points can be read, want 9", n)
	}
	fs.SetHook(nil)
	if fmt.Sprint(contentsOf(t, fs)) != before {
		t.Error("files have changed")
	}
	e := openTest(t, fs, Options{Sync: SyncAlways})
	fs.SetHook(readOnly)
	if _, err := e.Write(t.Context(), rowsOf(t, e, 1, 5, 5), nil); !errors.Is(err, ErrStorageFailed) || !errors.Is(err, syscall.EROFS) {
		t.Errorf("a write is answered with %v", err)
	}
	if n := countPoints(t, e, everything); n != 9 || e.Stats().State != "failed" {
		t.Errorf("%d points, state %s", n, e.Stats().State)
	}
	_ = e.Close()
	fs.SetHook(nil)
	if n := countPoints(t, openTest(t, fs, Options{}), everything); n != 9 {
		t.Errorf("%d points after opening again", n)
	}
}

// TestWriteErrorOfTheLog lets a write of the log fail after some of its bytes. The batch is
// nowhere, in memory, in the log and after a kill; the next one is stored.
func TestWriteErrorOfTheLog(t *testing.T) {
	fs := fsys.NewMem()
	e := openTest(t, fs, Options{Sync: SyncAlways})
	s := resolve(t, e, "a")
	put(t, e, s, 1, 1)
	size := len(mustRead(t, fs, base.CurrentWAL))
	for written := range 40 {
		fs.SetHook(func(op fsys.Op) fsys.Fault {
			if op.Kind == fsys.OpWrite && op.Path == base.CurrentWAL {
				return fsys.Fault{Err: errInjected, Written: written}
			}
			return fsys.Fault{}
		})
		if _, err := e.Write(t.Context(), []base.Row{{TS: 2, Ordinal: s.Ordinal()}}, nil); !errors.Is(err, errInjected) || errors.Is(err, ErrStorageFailed) {
			t.Errorf("%d bytes were written: %v", written, err)
		}
		fs.SetHook(nil)
		if n, got := countPoints(t, e, everything), len(mustRead(t, fs, base.CurrentWAL)); n != 1 || got != size {
			t.Errorf("%d bytes were written: %d points, and %d bytes in the log, not %d", written, n, got, size)
		}
		killed := openTest(t, fs.CrashClone(rand.New(rand.NewPCG(1, 1)), 100), Options{})
		if n := countPoints(t, killed, everything); n != 1 {
			t.Errorf("%d bytes were written: %d points after a kill", written, n)
		}
	}
	put(t, e, s, 3, 3)
	if n := countPoints(t, e, everything); n != 2 || e.Stats().State != "ok" {
		t.Errorf("%d points, state %s", n, e.Stats().State)
	}
}

// TestSlowSyncs has each sync of the log take five seconds, and then none end. Batches are
// acknowledged when they are synced, in groups; those that wait in vain are told after ten
// seconds, and are nowhere.
func TestSlowSyncs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := fsys.NewMem()
		e, err := Open(fs, Options{Sync: SyncAlways, MergeOff: true})
		if err != nil {
			t.Fatal(err)
		}
		s := resolve(t, e, "a")
		const slow, writers = 5 * time.Second, 20
		gate := make(chan struct{})
		hang := false
		fs.SetHook(func(op fsys.Op) fsys.Fault {
			if op.Kind == fsys.OpSync && op.Path == base.CurrentWAL {
				if hang {
					<-gate
				}
				time.Sleep(slow)
			}
			return fsys.Fault{}
		})
		var stored [2]int // of each round
		write := func(round int) {
			began := time.Now()
			var mu sync.Mutex
			var wg sync.WaitGroup
			for i := range int64(writers) {
				wg.Go(func() {
					_, err := e.Write(t.Context(), []base.Row{{TS: int64(round)*writers + i, Ordinal: s.Ordinal()}}, nil)
					took := time.Since(began)
					mu.Lock()
					defer mu.Unlock()
					switch {
					case err == nil && took >= slow:
						stored[round]++
					case !errors.Is(err, ErrOverloaded) || took != overloadWait:
						t.Errorf("round %d: a batch is answered after %v with %v", round, took, err)
					}
				})
				if i == 0 {
					synctest.Wait() // until it is being synced: the others come too late for that
				}
			}
			synctest.Wait()
			if _, bytes := e.writer.queue.size(); bytes > maxQueueBytes {
				t.Errorf("%d bytes wait", bytes)
			}
			if hang {
				time.Sleep(time.Minute)
				close(gate)
			}
			wg.Wait()
		}
		write(0)
		if stored[0] != writers {
			t.Errorf("%d of %d batches were stored", stored[0], writers)
		}
		hang = true
		write(1)
		if stored[1] != 1 {
			t.Errorf("%d batches were stored while no sync ended, want the one that was being synced", stored[1])
		}
		if n := countPoints(t, e, everything); n != stored[0]+stored[1] {
			t.Errorf("%d points, and %v batches were stored", n, stored)
		}
		fs.SetHook(nil)
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

// TestOpeningWithoutDescriptors lets an opening fail for want of descriptors, at each of its
// operations that takes one. That says so, and changes nothing that the next needs.
func TestOpeningWithoutDescriptors(t *testing.T) {
	for n := 1; ; n++ {
		fs := killedDatabase(t, false)
		count := 0
		fs.SetHook(func(op fsys.Op) fsys.Fault {
			switch op.Kind {
			case fsys.OpOpen, fsys.OpCreate, fsys.OpOpenAppend, fsys.OpList, fsys.OpLock:
				if count++; count >= n {
					return fsys.Fault{Err: syscall.EMFILE}
				}
			}
			return fsys.Fault{}
		})
		_, err := Open(fs, Options{})
		fs.SetHook(nil)
		if err == nil {
			break
		}
		if !errors.Is(err, syscall.EMFILE) || errors.Is(err, base.ErrCorrupt) || errors.Is(err, wal.ErrGap) {
			t.Errorf("at operation %d: %v", n, err)
		}
		if n := countPoints(t, openTest(t, fs, Options{}), everything); n != 9 {
			t.Errorf("at operation %d: %d points afterwards", n, n)
		}
	}
}
