package engine

import (
	"errors"
	"io"
	iofs "io/fs"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/sydradb/sydradb/internal/aggregate"
	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/fsys"
)

// faultSeries is how many points each of the two series of twoSeries has.
const faultSeries = 5

// twoSeries makes a database in which the series "a" and "b" have a file each, segment
// files or packs, and returns the paths of these files.
func twoSeries(t *testing.T, fs fsys.FS, maxSegmentFiles int) (a, b string) {
	t.Helper()
	e := openTest(t, fs, Options{MaxSegmentFiles: maxSegmentFiles, MergeOff: true})
	for i, name := range []string{"a", "b"} {
		s := resolve(t, e, name)
		for k := range int64(faultSeries) {
			put(t, e, s, int64(i)*base.Hour+k, float64(k))
		}
		flush(t, e)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	files := dataFiles(t, fs)
	if len(files) != 2 {
		t.Fatalf("files %q", files)
	}
	return files[0], files[1]
}

// forms are the two forms of files of points.
var forms = map[string]int{"segment files": NeverPack, "packs": AlwaysPack}

// pointsNamed reads the points of one of the series of twoSeries, in its hour, and then sums
// them up. Both must go alike.
func pointsNamed(t *testing.T, e *Engine, name string) (points int, err error) {
	t.Helper()
	sel := Selector{IDs: []base.SeriesID{resolve(t, e, name).ID()}}
	start := int64(name[0]-'a') * base.Hour
	end := start + base.Hour - 1
	points, err = readAllRaw(t.Context(), e, Query{Selector: sel, Start: start, End: end})
	it, sumErr := e.Aggregate(t.Context(), Aggregation{
		Selector: sel, Windows: aggregate.Windows{Start: start, End: end}, Functions: []aggregate.Function{aggregate.Sum},
	})
	if sumErr == nil {
		for it.Next() {
		}
		sumErr = it.Err()
		it.Close()
	}
	if err == nil && sumErr != nil {
		t.Errorf("%s can be read, but not summed up: %v", name, sumErr)
	}
	return points, err
}

// logged returns a logger and what was written to it so far, from warnings on.
func logged() (*slog.Logger, *strings.Builder) {
	var text strings.Builder
	return slog.New(slog.NewTextHandler(&text, &slog.HandlerOptions{Level: slog.LevelWarn})), &text
}

// isRead reports whether an operation only looks.
func isRead(k fsys.OpKind) bool {
	return k == fsys.OpOpen || k == fsys.OpRead || k == fsys.OpSize || k == fsys.OpStat || k == fsys.OpList
}

// TestReadErrorsAtTheStart lets each reading operation of an opening fail in turn, or
// deliver less than it should. That is not taken for damage nor for a new directory, and
// nothing changes; when the disk can be read again all is there.
func TestReadErrorsAtTheStart(t *testing.T) {
	for name, fault := range map[string]func(op fsys.Op) fsys.Fault{
		"EIO":        func(fsys.Op) fsys.Fault { return fsys.Fault{Err: errInjected} },
		"short read": func(op fsys.Op) fsys.Fault { return fsys.Fault{Err: io.EOF, Written: op.Len / 2} },
	} {
		failed := 0
		for n := 1; ; n++ {
			fs := killedDatabase(t, false)
			count, changes, hit := 0, 0, false
			fs.SetHook(func(op fsys.Op) fsys.Fault {
				if hit && op.Kind.Mutates() && !(op.Kind == fsys.OpRemove && base.IsTemp(op.Path)) {
					changes++
				}
				if !isRead(op.Kind) || name == "short read" && op.Kind != fsys.OpRead {
					return fsys.Fault{}
				}
				if count++; count == n {
					hit = true
					return fault(op)
				}
				return fsys.Fault{}
			})
			e, err := Open(fs, Options{})
			fs.SetHook(nil)
			if !hit {
				if err := e.Close(); err != nil {
					t.Error(err)
				}
				break
			}
			if err == nil {
				if got, err := readRaw(e); got != 9 || err != nil {
					t.Errorf("%s at reading operation %d: %d of 9 points, %v", name, n, got, err)
				}
				if err := e.Close(); err != nil {
					t.Error(err)
				}
				continue
			}
			failed++
			if errors.Is(err, base.ErrCorrupt) || errors.Is(err, ErrNotDatabase) {
				t.Errorf("%s at reading operation %d is taken for something else: %v", name, n, err)
			}
			if name == "EIO" && !errors.Is(err, errInjected) {
				t.Errorf("the error does not say why: %v", err)
			}
			if changes > 0 {
				t.Errorf("%s at reading operation %d: %d changes come after it", name, n, changes)
			}
			again := openTest(t, fs, Options{})
			if got, err := readRaw(again); got != 9 || err != nil {
				t.Errorf("%s at reading operation %d, afterwards: %d of 9 points, %v", name, n, got, err)
			}
		}
		if failed == 0 {
			t.Errorf("%s: no opening failed", name)
		}
	}
}

// TestReadErrorsOfQueries makes the file of one series impossible to read. Queries of it
// fail with that error, others go on, and nobody takes the file for damaged.
func TestReadErrorsOfQueries(t *testing.T) {
	for form, max := range forms {
		for name, c := range map[string]struct {
			kind  fsys.OpKind
			fault func(op fsys.Op) fsys.Fault
		}{
			"open":  {fsys.OpOpen, inputError},
			"size":  {fsys.OpSize, inputError},
			"read":  {fsys.OpRead, inputError},
			"short": {fsys.OpRead, func(op fsys.Op) fsys.Fault { return fsys.Fault{Err: io.ErrUnexpectedEOF, Written: op.Len / 2} }},
		} {
			if form == "packs" && name == "size" {
				continue // MANIFEST says it
			}
			fs := fsys.NewMem()
			file, _ := twoSeries(t, fs, max)
			e := openTest(t, fs, Options{MergeOff: true})
			fs.SetHook(func(op fsys.Op) fsys.Fault {
				if op.Path == file && op.Kind == c.kind {
					return c.fault(op)
				}
				return fsys.Fault{}
			})
			_, err := pointsNamed(t, e, "a")
			if want := c.fault(fsys.Op{}).Err; !errors.Is(err, want) || errors.Is(err, base.ErrCorrupt) {
				t.Errorf("%s, %s: error %v, want %v", form, name, err, want)
			}
			if n, err := pointsNamed(t, e, "b"); n != faultSeries || err != nil {
				t.Errorf("%s, %s: the other series has %d points, %v", form, name, n, err)
			}
			fs.SetHook(nil)
			if n, err := pointsNamed(t, e, "a"); n != faultSeries || err != nil {
				t.Errorf("%s, %s: afterwards %d points, %v", form, name, n, err)
			}
			if s := e.Stats(); s.State != "ok" || s.DamagedFiles != 0 {
				t.Errorf("%s, %s: state %s, %d damaged files", form, name, s.State, s.DamagedFiles)
			}
		}
	}
}

func inputError(fsys.Op) fsys.Fault { return fsys.Fault{Err: errInjected} }

// TestDamagedFilesAreBlamed flips a bit in each byte of the file of one series. Queries
// of it fail and name the file, each time, and it is said once; others go on; merging
// leaves the file alone, and nothing removes it.
func TestDamagedFilesAreBlamed(t *testing.T) {
	stride := 7
	if raceEnabled {
		stride = 61
	}
	for form, max := range forms {
		sound := fsys.NewMem()
		file, _ := twoSeries(t, sound, max)
		data := mustRead(t, sound, file)
		missed := 0
		for at := 0; at < len(data); at += stride {
			fs := fsys.NewMem()
			twoSeriesFrom(t, sound, fs)
			bad := slices.Clone(data)
			bad[at] ^= 0x10
			mustReplace(t, fs, file, bad)
			logger, text := logged()
			e := openTest(t, fs, Options{MaxSegmentFiles: max, MergeOff: true, Logger: logger})
			var damage *base.CorruptionError
			if _, err := pointsNamed(t, e, "a"); err == nil {
				missed++ // bytes of a pack that this query does not need
			} else if !errors.As(err, &damage) || damage.File != file {
				t.Errorf("%s, byte %d: error %v", form, at, err)
			} else if _, again := pointsNamed(t, e, "a"); again == nil {
				t.Errorf("%s, byte %d: the second query shows points", form, at)
			}
			if n, err := pointsNamed(t, e, "b"); n != faultSeries || err != nil {
				t.Errorf("%s, byte %d: the other series has %d points, %v", form, at, n, err)
			}
			put(t, e, resolve(t, e, "a"), 7, 7) // makes the hour worth merging
			if err := e.Compact(t.Context()); !errors.Is(err, base.ErrCorrupt) {
				t.Errorf("%s, byte %d: merging ended with %v", form, at, err)
			}
			if s := e.Stats(); s.State != "ok" || s.DamagedFiles != 1 || strings.Count(text.String(), "a file is damaged") != 1 {
				t.Errorf("%s, byte %d: state %s, %d damaged files\n%s", form, at, s.State, s.DamagedFiles, text)
			}
			if err := e.Close(); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(mustRead(t, fs, file), bad) {
				t.Errorf("%s, byte %d: the damaged file has changed", form, at)
			}
		}
		if missed > len(data)/stride/2 {
			t.Errorf("%s: queries noticed nothing of %d flips of %d", form, missed, len(data)/stride)
		}
	}
}

// twoSeriesFrom copies a directory.
func twoSeriesFrom(t *testing.T, from, to *fsys.Mem) {
	t.Helper()
	for _, file := range filesOf(t, from, "") {
		mustPut(t, to, file, string(mustRead(t, from, file)))
	}
}

// TestMissingFileIsNamed removes the file of one series. The database opens, says so, and
// does everything that does not need the file.
func TestMissingFileIsNamed(t *testing.T) {
	for form, max := range forms {
		fs := fsys.NewMem()
		file, _ := twoSeries(t, fs, max)
		if err := fs.Remove(file); err != nil {
			t.Fatal(err)
		}
		logger, text := logged()
		e := openTest(t, fs, Options{MergeOff: true, Logger: logger})
		if s := e.Stats(); s.State != "ok" || s.DamagedFiles != 1 || strings.Count(text.String(), "file="+file) != 1 {
			t.Errorf("%s: state %s, %d damaged files\n%s", form, s.State, s.DamagedFiles, text)
		}
		var damage *base.CorruptionError
		if _, err := pointsNamed(t, e, "a"); !errors.As(err, &damage) || damage.File != file || !errors.Is(err, iofs.ErrNotExist) {
			t.Errorf("%s: error %v", form, err)
		}
		put(t, e, resolve(t, e, "a"), 9*base.Hour, 1)
		past := Query{Selector: Selector{IDs: []base.SeriesID{resolve(t, e, "a").ID()}}, Start: base.Hour, End: base.MaxTime}
		if n := countPoints(t, e, past); n != 1 {
			t.Errorf("%s: %d points of the series in other hours", form, n)
		}
		if n, err := pointsNamed(t, e, "b"); n != faultSeries || err != nil {
			t.Errorf("%s: the other series has %d points, %v", form, n, err)
		}
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
		report, err := Check(t.Context(), fs)
		if err != nil || !slices.ContainsFunc(report.Findings, func(f Finding) bool {
			return f.Severity == Damage && f.File == file && f.Message == "missing"
		}) {
			t.Errorf("%s: check finds %v, %v", form, report, err)
		}
	}
}

// TestSwappedFilesAreRefused gives two files of points each other's contents. Both are
// sound in themselves, and neither is what MANIFEST names.
func TestSwappedFilesAreRefused(t *testing.T) {
	for form, max := range forms {
		fs := fsys.NewMem()
		a, b := twoSeries(t, fs, max)
		first, second := mustRead(t, fs, a), mustRead(t, fs, b)
		mustReplace(t, fs, a, second)
		mustReplace(t, fs, b, first)
		e := openTest(t, fs, Options{MergeOff: true})
		for name, file := range map[string]string{"a": a, "b": b} {
			var damage *base.CorruptionError
			if n, err := pointsNamed(t, e, name); !errors.As(err, &damage) || damage.File != file || n > 0 {
				t.Errorf("%s, %s: %d points, error %v", form, name, n, err)
			}
		}
		if n := e.Stats().DamagedFiles; n != 2 {
			t.Errorf("%s: %d damaged files", form, n)
		}
	}
}
