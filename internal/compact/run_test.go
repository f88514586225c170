package compact

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/fsys"
	"github.com/sydradb/sydradb/internal/manifest"
	"github.com/sydradb/sydradb/internal/segment"
)

// points are what files hold, by series.
type points map[base.SeriesID][]base.Point

// fileSource is a Source over real files, as simple as can be.
type fileSource struct {
	fs     fsys.FS
	inputs []manifest.Entry
	series []base.SeriesID
	hidden func(base.Point) bool
}

func (s *fileSource) Series() []base.SeriesID { return s.series }

func (s *fileSource) Read(_ context.Context, id base.SeriesID, fn func([]int64, []float64) error) error {
	rest, err := s.read(id)
	if err != nil {
		return err
	}
	for len(rest) > 0 {
		var ts []int64
		var values []float64
		for _, p := range rest[:min(7, len(rest))] {
			if s.hidden == nil || !s.hidden(p) {
				ts, values = append(ts, p.TS), append(values, p.Value)
			}
		}
		if err := fn(ts, values); err != nil {
			return err
		}
		rest = rest[min(7, len(rest)):]
	}
	return nil
}

// read merges the files of a series: of equal times, the highest seq counts.
func (s *fileSource) read(id base.SeriesID) ([]base.Point, error) {
	inputs := slices.SortedStableFunc(slices.Values(s.inputs), func(a, b manifest.Entry) int { return int(a.Seq) - int(b.Seq) })
	all, err := segment.QueryRange(s.fs, "", inputs, id, base.MinTime, base.MaxTime, nil)
	latest := map[int64]base.Point{}
	for _, p := range all {
		latest[p.TS] = p
	}
	merged := slices.Collect(maps.Values(latest))
	slices.SortFunc(merged, func(a, b base.Point) int { return int(a.TS - b.TS) })
	return merged, err
}

// disk is a directory with files of flushes and what their points add up to.
type disk struct {
	*fsys.Mem
	live []manifest.Entry
	want points
	ids  []base.SeriesID // in the order of ordinals, which is not that of ids
}

// newDisk writes three flushes of some series to three hours. A later one overwrites
// part of those before it.
func newDisk(t *testing.T, series int) *disk {
	t.Helper()
	d := &disk{Mem: fsys.NewMem(), want: points{}}
	for i := range series {
		d.ids = append(d.ids, base.SeriesID(uint64(i+1)*0x9e3779b97f4a7c15))
	}
	latest := map[base.SeriesID]map[int64]float64{}
	for flush := range 3 {
		for hour := range int64(3) {
			w := d.bucket(t, int64(flush+1), hour*base.Hour, series)
			for i, id := range d.ids {
				if latest[id] == nil {
					latest[id] = map[int64]float64{}
				}
				var ts []int64
				var values []float64
				for minute := 10 * flush; minute < 10*flush+20; minute++ {
					at := hour*base.Hour + int64(minute)*base.Hour/60
					v := float64(i) + float64(flush)/10
					ts, values = append(ts, at), append(values, v)
					latest[id][at] = v
				}
				if err := w.Append(id, ts, values); err != nil {
					t.Fatal(err)
				}
			}
			files, err := w.Finish()
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range files {
				e.Seq, e.Wall = base.LSN(10*(flush+1)), nowMS-int64(flush)
				d.live = append(d.live, e)
			}
		}
	}
	for id, values := range latest {
		for _, at := range slices.Sorted(maps.Keys(values)) {
			d.want[id] = append(d.want[id], base.Point{TS: at, Value: values[at]})
		}
	}
	return d
}

func (d *disk) bucket(t *testing.T, job, start int64, series int) *segment.BucketWriter {
	t.Helper()
	w, err := segment.NewBucketWriter(d, segment.BucketOptions{
		NowMS: job, Bucket: start, Width: base.Hour, Segments: series, MaxSegmentFiles: 4,
	})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// source reads the inputs of a job.
func (d *disk) source(j Job) *fileSource {
	return &fileSource{fs: d, inputs: j.Inputs, series: d.ids}
}

// answers reads all points of files.
func (d *disk) answers(t *testing.T, files []manifest.Entry) points {
	t.Helper()
	out := points{}
	s := fileSource{fs: d, inputs: files}
	for _, id := range d.ids {
		merged, err := s.read(id)
		if err != nil {
			t.Fatal(err)
		}
		if len(merged) > 0 {
			out[id] = merged
		}
	}
	return out
}

// names lists all files.
func (d *disk) names(t *testing.T) []string {
	t.Helper()
	var out []string
	dirs, err := d.List(base.SegmentsDir)
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range dirs {
		path := base.SegmentsDir + "/" + dir.Name
		files, err := d.List(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			out = append(out, path+"/"+f.Name)
		}
	}
	return out
}

func equal(a, b points) bool { return maps.EqualFunc(a, b, slices.Equal[[]base.Point]) }

func TestRun(t *testing.T) {
	tests := []struct {
		series, maxSegmentFiles int
		jobs                    int
		files                   int // that one of them makes
		pack                    bool
	}{
		{series: 1, maxSegmentFiles: -1, jobs: 3, files: 1},
		{series: 9, maxSegmentFiles: -1, jobs: 3, files: 9},
		{series: 9, maxSegmentFiles: 0, jobs: 1, files: 1, pack: true},
		{series: 1, maxSegmentFiles: 64, jobs: 1, files: 1, pack: true},
	}
	for _, test := range tests {
		t.Run(fmt.Sprintf("series=%d/max=%d", test.series, test.maxSegmentFiles), func(t *testing.T) {
			d := newDisk(t, test.series)
			jobs := Plan(d.live, Policy{NowMS: nowMS, All: true, MaxSegmentFiles: test.maxSegmentFiles})
			if len(jobs) != test.jobs {
				t.Fatal(show(jobs))
			}
			var made []manifest.Entry
			for i, j := range jobs {
				j.Applied = base.LSN(30 + i)
				files, err := Run(t.Context(), d, j, d.source(j), RunOptions{NowMS: 100, MaxSegmentFiles: test.maxSegmentFiles})
				if err != nil {
					t.Fatal(err)
				}
				if len(files) != test.files {
					t.Fatalf("%d files", len(files))
				}
				for _, e := range files {
					applied := j.Applied
					if i == 0 {
						applied = 0 // as seq
					}
					if e.Seq != 30 || e.Wall != nowMS || e.Applied != applied || e.IsPack() != test.pack || e.BucketWidth() != j.Width {
						t.Errorf("%+v", e)
					}
				}
				made = append(made, files...)
			}
			if got := d.answers(t, made); !equal(got, d.want) {
				t.Errorf("got  %v\nwant %v", got, d.want)
			}
			if jobs := Plan(made, Policy{NowMS: nowMS, All: true, MaxSegmentFiles: test.maxSegmentFiles}); len(jobs) > 0 {
				t.Errorf("again: %s", show(jobs))
			}
		})
	}
}

// Hidden points are gone, and so is a file of which nothing is left.
func TestRunHidden(t *testing.T) {
	d := newDisk(t, 2)
	j := Plan(d.live, Policy{NowMS: nowMS, All: true})[0]
	src := d.source(j)
	src.hidden = func(p base.Point) bool { return p.TS < base.Hour || p.Value < 1 }
	files, err := Run(t.Context(), d, j, src, RunOptions{NowMS: 100})
	if err != nil {
		t.Fatal(err)
	}
	for id, all := range d.want {
		if all = slices.DeleteFunc(all, src.hidden); len(all) == 0 {
			delete(d.want, id)
		} else {
			d.want[id] = all
		}
	}
	if got := d.answers(t, files); len(got) != 1 || !equal(got, d.want) {
		t.Errorf("got  %v\nwant %v", got, d.want)
	}
	before := d.names(t)
	src.hidden = func(base.Point) bool { return true }
	files, err = Run(t.Context(), d, j, src, RunOptions{NowMS: 101})
	if err != nil || len(files) != 0 || !slices.Equal(d.names(t), before) {
		t.Errorf("nothing left: %v, %v, %v", files, err, d.names(t))
	}
}

// Equal points become equal bytes, in however many steps.
func TestRunRepeats(t *testing.T) {
	for _, series := range []int{2, 9} {
		d := newDisk(t, series)
		hours := Plan(d.live, Policy{NowMS: nowMS, All: true, MaxSegmentFiles: -1})
		day := Plan(d.live, Policy{NowMS: nowMS, All: true})[0]
		direct, err := Run(t.Context(), d, day, d.source(day), RunOptions{NowMS: 100, MaxSegmentFiles: 64})
		if err != nil {
			t.Fatal(err)
		}
		var steps []manifest.Entry
		for i, j := range hours {
			files, err := Run(t.Context(), d, j, d.source(j), RunOptions{NowMS: int64(101 + i), MaxSegmentFiles: 4})
			if err != nil {
				t.Fatal(err)
			}
			steps = append(steps, files...)
		}
		day = Plan(steps, Policy{NowMS: nowMS, All: true})[0]
		last, err := Run(t.Context(), d, day, d.source(day), RunOptions{NowMS: 110, MaxSegmentFiles: 64})
		if err != nil {
			t.Fatal(err)
		}
		if len(direct) != 1 || len(last) != 1 || direct[0].BLAKE3 != last[0].BLAKE3 {
			t.Errorf("%d series: %v\n%v", series, direct, last)
		}
	}
}

var errPlanned = errors.New("planned failure")

// Whatever fails, nothing that Run wrote stays, and the inputs do.
func TestRunFails(t *testing.T) {
	for _, maxSegmentFiles := range []int{-1, 64} {
		d := newDisk(t, 3)
		j := Plan(d.live, Policy{NowMS: nowMS, All: true, MaxSegmentFiles: maxSegmentFiles})[0]
		before := d.names(t)
		for n := 0; ; n++ {
			count := 0
			d.SetHook(func(op fsys.Op) fsys.Fault {
				// A read of the inputs counts; a Close does not, its outcome is no news.
				if op.Kind == fsys.OpClose {
					return fsys.Fault{}
				}
				if count++; count == n+1 {
					return fsys.Fault{Err: errPlanned}
				}
				return fsys.Fault{}
			})
			files, err := Run(t.Context(), d, j, d.source(j), RunOptions{NowMS: int64(100 + n), MaxSegmentFiles: maxSegmentFiles})
			d.SetHook(nil)
			if err == nil {
				if n < 10 || len(files) == 0 {
					t.Fatalf("done after %d operations: %v", n, files)
				}
				break
			}
			if !errors.Is(err, errPlanned) || files != nil {
				t.Fatalf("operation %d: %v, %v", n, files, err)
			}
			if got := d.names(t); !slices.Equal(got, before) {
				t.Fatalf("operation %d left %v of %v", n, got, before)
			}
			if open := d.OpenFiles(); len(open) > 0 {
				t.Fatalf("operation %d: open files %v", n, open)
			}
		}
	}
}

// stubSource makes the same points for each series and calls each before it reads one.
type stubSource struct {
	series []base.SeriesID
	each   func(base.SeriesID) error
	ts     []int64
	values []float64
}

func (s *stubSource) Series() []base.SeriesID { return s.series }

func (s *stubSource) Read(_ context.Context, id base.SeriesID, fn func([]int64, []float64) error) error {
	if err := s.each(id); err != nil {
		return err
	}
	for i := 0; i < len(s.ts); i += 1024 {
		limit := min(i+1024, len(s.ts))
		if err := fn(s.ts[i:limit], s.values[i:limit]); err != nil {
			return err
		}
	}
	return nil
}

// newStub returns a source of series with a point every stepMS, for a day.
func newStub(series int, stepMS int64) *stubSource {
	s := &stubSource{each: func(base.SeriesID) error { return nil }}
	for i := range series {
		s.series = append(s.series, base.SeriesID(i+1))
	}
	for ts := int64(0); ts < base.Day; ts += stepMS * 1e6 {
		s.ts, s.values = append(s.ts, ts), append(s.values, float64(ts%1009))
	}
	return s
}

func TestRunStops(t *testing.T) {
	job := Job{Kind: KindDay, Width: base.Day, Inputs: entries("h0 s1")}
	empty := func(t *testing.T, fs *fsys.Mem) {
		t.Helper()
		d := disk{Mem: fs}
		if names := d.names(t); len(names) > 0 {
			t.Errorf("left %v", names)
		}
	}
	t.Run("source", func(t *testing.T) {
		fs, src := fsys.NewMem(), newStub(3, 60_000)
		src.each = func(id base.SeriesID) error {
			if id == 3 {
				return errPlanned
			}
			return nil
		}
		files, err := Run(t.Context(), fs, job, src, RunOptions{NowMS: 1})
		if !errors.Is(err, errPlanned) || files != nil || !strings.Contains(err.Error(), "series 3") {
			t.Errorf("%v, %v", files, err)
		}
		empty(t, fs)
	})
	t.Run("context", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		fs, src := fsys.NewMem(), newStub(3, 60_000)
		src.each = func(id base.SeriesID) error {
			if id == 3 { // the last one: its points are in memory already
				cancel()
			}
			return nil
		}
		if files, err := Run(ctx, fs, job, src, RunOptions{NowMS: 1}); !errors.Is(err, context.Canceled) || files != nil {
			t.Errorf("%v, %v", files, err)
		}
		empty(t, fs)
	})
	t.Run("context before the first series", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		src := newStub(1, 60_000)
		src.each = func(base.SeriesID) error { t.Error("read"); return nil }
		if _, err := Run(ctx, fsys.NewMem(), job, src, RunOptions{NowMS: 1}); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
	t.Run("bucket", func(t *testing.T) {
		bad := job
		bad.Bucket = 1
		if _, err := Run(t.Context(), fsys.NewMem(), bad, newStub(1, 60_000), RunOptions{NowMS: 1}); err == nil {
			t.Error("accepted")
		}
	})
}

// The memory of a merge does not grow with its points.
func TestRunMemory(t *testing.T) {
	const series, stepMS, limit = 24, 1000, 8 << 20
	dir, err := fsys.OS(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := dir.(io.Closer).Close(); err != nil {
			t.Error(err)
		}
	})
	src := newStub(series, stepMS)
	heap := func() int64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before, most := heap(), int64(0)
	src.each = func(base.SeriesID) error {
		most = max(most, heap()-before)
		return nil
	}
	job := Job{Kind: KindDay, Width: base.Day, Inputs: entries("h0 s1")}
	files, err := Run(t.Context(), dir, job, src, RunOptions{NowMS: 1})
	if err != nil {
		t.Fatal(err)
	}
	points := series * len(src.ts)
	if len(files) != 1 || files[0].Count != points {
		t.Fatalf("%v", files)
	}
	if most > limit {
		t.Errorf("%d points took %d bytes of memory, limit %d", points, most, limit)
	}
	t.Logf("%d points, %d bytes of file, %d of memory", points, files[0].Bytes, most)
}
