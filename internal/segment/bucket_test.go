package segment

import (
	"errors"
	"path"
	"slices"
	"testing"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/fsys"
	"github.com/sydradb/sydradb/internal/manifest"
)

func writeBucket(t *testing.T, w *BucketWriter, series []column) []manifest.Entry {
	t.Helper()
	for _, c := range series {
		half := len(c.ts) / 2
		if err := errors.Join(w.Append(c.id, c.ts[:half], c.values[:half]), w.Append(c.id, c.ts[half:], c.values[half:])); err != nil {
			t.Fatal(err)
		}
	}
	files, err := w.Finish()
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// checkFiles reads every series back from the files.
func checkFiles(t *testing.T, fs fsys.FS, files []manifest.Entry, series []column) {
	t.Helper()
	points := 0
	for _, c := range series {
		got, err := QueryRange(fs, "", files, c.id, base.MinTime, base.MaxTime, nil)
		if err != nil || !slices.Equal(got, appendPoints(nil, c.ts, c.values)) {
			t.Errorf("series %x: %v, error %v", c.id, got, err)
		}
		points += len(c.ts)
	}
	for i := range files {
		points -= files[i].Count
	}
	if points != 0 {
		t.Errorf("the files lack %d points", points)
	}
}

func TestSegmentsOrPacks(t *testing.T) {
	series := manySeries(6, 4)
	cases := map[string]struct {
		width           int64
		announced, most int
		packs           bool
	}{
		"few":              {base.Hour, 6, 6, false},
		"one too many":     {base.Hour, 7, 6, true},
		"always packs":     {base.Hour, 0, 0, true},
		"never packs":      {base.Hour, 1e6, -1, false},
		"a day":            {base.Day, 1, 64, true},
		"a day regardless": {base.Day, 1, -1, true},
	}
	for name, c := range cases {
		fs := fsys.NewMem()
		bucket := someHour
		if c.width == base.Day {
			bucket = someDay
		}
		w, err := NewBucketWriter(fs, BucketOptions{NowMS: 3, Bucket: bucket, Width: c.width, Segments: c.announced, MaxSegmentFiles: c.most})
		if err != nil {
			t.Fatal(err)
		}
		files := writeBucket(t, w, series)
		if want := map[bool]int{true: 1, false: 6}[c.packs]; len(files) != want || files[0].IsPack() != c.packs {
			t.Errorf("%s: %d files, pack %t", name, len(files), files[0].IsPack())
		}
		checkFiles(t, fs, files, series)
		w.Abort() // the files are the caller's
		if names, err := fs.List(path.Dir(files[0].Path)); err != nil || len(names) != len(files) {
			t.Errorf("%s: %v, error %v", name, names, err)
		}
	}
}

func TestBucketWithoutPoints(t *testing.T) {
	for _, most := range []int{-1, 0} {
		fs := fsys.NewMem()
		w, err := NewBucketWriter(fs, BucketOptions{Bucket: 0, Width: base.Hour, MaxSegmentFiles: most})
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Append(1, nil, nil); err != nil {
			t.Fatal(err)
		}
		files, err := w.Finish()
		if err != nil || len(files) != 0 {
			t.Errorf("%v, error %v", files, err)
		}
		if names, err := fs.List(""); err != nil || len(names) != 0 {
			t.Errorf("left %v, error %v", names, err)
		}
	}
}

func TestPacksAreSplit(t *testing.T) {
	series := manySeries(100, 8)
	cases := map[string]packLimits{
		"series": {1 << 30, 1 << 30, 1 << 30, 30},
		"bytes":  {2500, 1 << 30, 1 << 30, 1 << 30},
		"index":  {1 << 30, 900, 1 << 30, 1 << 30},
		"points": {1 << 30, 1 << 30, 240, 1 << 30},
	}
	for name, limits := range cases {
		fs := fsys.NewMem()
		w, err := NewBucketWriter(fs, BucketOptions{NowMS: 3, Bucket: someHour, Width: base.Hour, MaxSegmentFiles: 0})
		if err != nil {
			t.Fatal(err)
		}
		w.limits = limits
		files := writeBucket(t, w, series)
		if len(files) < 3 || len(files) > 6 {
			t.Errorf("%s: %d packs", name, len(files))
		}
		seen := 0
		for i, e := range files {
			if e.Path != base.PackFile(someHour, e.StartTS, e.EndTS, 3, i) {
				t.Errorf("%s: pack %d is %s", name, i, e.Path)
			}
			if err := VerifyPack(fs, e, nil); err != nil {
				t.Error(err)
			}
			seen += e.Segments
		}
		if seen != len(series) { // disjoint
			t.Errorf("%s: %d series in packs, %d written", name, seen, len(series))
		}
		checkFiles(t, fs, files, series)
	}
}

func TestAbortRemovesAll(t *testing.T) {
	for _, most := range []int{-1, 0} {
		fs := fsys.NewMem()
		w, err := NewBucketWriter(fs, BucketOptions{NowMS: 3, Bucket: someHour, Width: base.Hour, MaxSegmentFiles: most})
		if err != nil {
			t.Fatal(err)
		}
		w.limits.series = 2
		for _, c := range manySeries(7, 3) {
			if err := w.Append(c.id, c.ts, c.values); err != nil {
				t.Fatal(err)
			}
		}
		w.Abort()
		w.Abort()
		if err := w.Append(1, []int64{someHour}, []float64{1}); err == nil {
			t.Error("an aborted writer takes points")
		}
		if _, err := w.Finish(); err == nil {
			t.Error("an aborted writer finishes")
		}
		if names, err := fs.List(base.SegmentDir(someHour)); err != nil || len(names) != 0 || len(fs.OpenFiles()) != 0 {
			t.Errorf("left %v, error %v", names, err)
		}
	}
}

func TestBucketWriterRefuses(t *testing.T) {
	for _, most := range []int{-1, 0} {
		for name, ts := range map[string][]int64{"falling": {2, 1}, "outside": {base.Hour}, "a value too many": {}} {
			fs := fsys.NewMem()
			w, err := NewBucketWriter(fs, BucketOptions{Bucket: 0, Width: base.Hour, MaxSegmentFiles: most})
			if err != nil {
				t.Fatal(err)
			}
			err = errors.Join(w.Append(1, []int64{5}, []float64{1}), w.Append(2, ts, make([]float64, max(1, len(ts)))))
			if err == nil {
				_, err = w.Finish()
			}
			if err == nil {
				t.Errorf("%s, %d: no error", name, most)
			}
			if _, again := w.Finish(); again == nil {
				t.Errorf("%s, %d: finished after all", name, most)
			}
			w.Abort()
			if names, _ := fs.List(base.SegmentDir(0)); len(names) != 0 {
				t.Errorf("%s, %d: left %v", name, most, names)
			}
		}
	}
}

// Whichever operation fails, after Abort no file goes by a final name.
func TestBucketWriterFailsCleanly(t *testing.T) {
	broken := errors.New("broken disk")
	for _, most := range []int{-1, 0} {
		for n := 1; ; n++ {
			fs := fsys.NewMem()
			count := 0
			fs.SetHook(func(op fsys.Op) fsys.Fault {
				if count++; count == n {
					return fsys.Fault{Err: broken, Written: op.Len / 2}
				}
				return fsys.Fault{}
			})
			w, err := NewBucketWriter(fs, BucketOptions{NowMS: 1, Bucket: someHour, Width: base.Hour, MaxSegmentFiles: most})
			if err != nil {
				t.Fatal(err)
			}
			w.limits.series = 1
			series := manySeries(3, 3)
			for _, c := range series {
				if err == nil {
					err = w.Append(c.id, c.ts, c.values)
				}
			}
			var files []manifest.Entry
			if err == nil {
				files, err = w.Finish()
			}
			fs.SetHook(nil)
			if err == nil {
				// Only the removal of a temporary file that was never made fails unseen.
				checkFiles(t, fs, files, series)
				if count >= n {
					continue
				}
				if n < 10 {
					t.Errorf("only %d operations", count)
				}
				break
			}
			w.Abort()
			names, _ := fs.List(base.SegmentDir(someHour))
			for _, name := range names {
				if !base.IsTemp(base.SegmentDir(someHour) + "/" + name.Name) {
					t.Errorf("operation %d fails: %s is there", n, name.Name)
				}
			}
		}
	}
}
