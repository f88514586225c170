package segment

import (
	"bytes"
	"errors"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/codec"
	"github.com/sydradb/sydradb/internal/fsys"
	"github.com/sydradb/sydradb/internal/golden"
	"github.com/sydradb/sydradb/internal/manifest"
)

// hours returns times with the given numbers of points in the hours of a day.
func hours(counts ...int) (ts []int64, values []float64) {
	for h, n := range counts {
		for i := range n {
			ts = append(ts, someDay+int64(h)*base.Hour+int64(i)*1e6)
			values = append(values, float64(i))
		}
	}
	return ts, values
}

// blockCounts returns the points of each block of series id.
func blockCounts(t testing.TB, r *PackReader, id base.SeriesID) (out []int) {
	t.Helper()
	var s PackSeries
	if found, err := r.Find(id, &s); err != nil || !found {
		t.Fatal(found, err)
	}
	for i := range s.Blocks {
		out = append(out, s.Blocks[i].Count)
	}
	return out
}

func TestBlocksCoverWholeHours(t *testing.T) {
	const most = maxBlockPoints
	cases := map[string]struct {
		hours, want []int
	}{
		"one point":          {[]int{1}, []int{1}},
		"a day at 10 s":      {slices.Repeat([]int{360}, 24), slices.Repeat([]int{360}, 24)},
		"a day at 15 s":      {slices.Repeat([]int{240}, 24), slices.Repeat([]int{240}, 24)},
		"a day at a minute":  {slices.Repeat([]int{60}, 24), []int{1020, 420}},
		"enough to be alone": {[]int{199, 199, 200, 199, 199}, []int{398, 200, 398}},
		"exactly full":       {append(slices.Repeat([]int{199}, 5), 29, 1), []int{1024, 1}},
		"one too many":       {append(slices.Repeat([]int{199}, 5), 30, 1), []int{995, 31}},
		"hour alone":         {[]int{10, 2000, 10}, []int{10, 2000, 10}},
		"empty hours":        {[]int{10, 0, 0, 10}, []int{20}},
		"largest block":      {[]int{10, most, 10}, []int{10, most, 10}},
		"cut":                {[]int{10, most + 1, 10}, []int{10, most, 1, 10}},
		"cut twice":          {[]int{2*most + 100, 100, 100}, []int{most, most, 100, 200}},
		"cut at a full hour": {[]int{2 * most, 400}, []int{most, most, 400}},
	}
	for name, c := range cases {
		ts, values := hours(c.hours...)
		var files [][]byte
		for _, piece := range []int{len(ts), 1000, 7} { // how points are handed over does not matter
			fs := fsys.NewMem()
			w, err := CreatePack(fs, PackOptions{Bucket: someDay, Width: base.Day})
			if err != nil {
				t.Fatal(err)
			}
			for from := 0; from < len(ts); from += piece {
				to := min(from+piece, len(ts))
				if err := w.Append(1, ts[from:to], values[from:to]); err != nil {
					t.Fatal(err)
				}
			}
			e, err := w.Finish()
			if err != nil {
				t.Fatal(err)
			}
			if got := blockCounts(t, openReader(t, fs, e, nil), 1); !slices.Equal(got, c.want) {
				t.Errorf("%s, %d at a time: blocks of %v, want %v", name, piece, got, c.want)
			}
			data, err := fsys.ReadFile(fs, e.Path)
			if err != nil {
				t.Fatal(err)
			}
			files = append(files, data)
		}
		if !bytes.Equal(files[0], files[1]) || !bytes.Equal(files[0], files[2]) {
			t.Errorf("%s: files differ", name)
		}
	}
}

// Hours of many points share blocks after a block of cheap values, of merged packs only.
func TestCheapHoursShareBlocks(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	walk := func(n int) []float64 { // as cheap as whole percentages are
		out, at := make([]float64, n), 50.0
		for i := range out {
			at = min(max(at+rng.NormFloat64(), 0), 100)
			out[i] = math.Trunc(at)
		}
		return out
	}
	noise := func(n int) []float64 {
		out := make([]float64, n)
		for i := range out {
			out[i] = rng.NormFloat64()
		}
		return out
	}
	day := func(hours int) []int64 {
		ts := make([]int64, hours*360)
		for i := range ts {
			ts[i] = someDay + int64(i)*10e9
		}
		return ts
	}
	idle := make([]float64, 24*360)
	cases := map[string]struct {
		values []float64
		policy codec.Policy
		want   []int
	}{
		"cheap":          {walk(13 * 360), codec.Balanced, []int{360, 1800, 1800, 720}},
		"cheap, fast":    {walk(3 * 360), codec.Fast, []int{360, 360, 360}},
		"one value":      {idle, codec.Balanced, []int{360, 1800, 1800, 1800, 1800, 1080}},
		"not cheap":      {noise(3 * 360), codec.Balanced, []int{360, 360, 360}},
		"no longer":      {slices.Concat(walk(360), noise(9*360)), codec.Balanced, []int{360, 1800, 360, 360, 360, 360}},
		"cheap from now": {slices.Concat(noise(360), idle[:3*360]), codec.Balanced, []int{360, 360, 720}},
	}
	for name, c := range cases {
		ts := day(len(c.values) / 360)
		var files [][]byte
		for _, piece := range []int{len(ts), 360, 77} { // of what files the points come does not matter
			fs := fsys.NewMem()
			w, err := CreatePack(fs, PackOptions{Bucket: someDay, Width: base.Day, Policy: c.policy})
			if err != nil {
				t.Fatal(err)
			}
			// The series before is cheap, which says nothing about this one.
			if err := w.Append(9, ts, make([]float64, len(ts))); err != nil {
				t.Fatal(err)
			}
			for from := 0; from < len(ts); from += piece {
				to := min(from+piece, len(ts))
				if err := w.Append(1, ts[from:to], c.values[from:to]); err != nil {
					t.Fatal(err)
				}
			}
			e, err := w.Finish()
			if err != nil {
				t.Fatal(err)
			}
			r := openReader(t, fs, e, nil)
			if got := blockCounts(t, r, 1); !slices.Equal(got, c.want) {
				t.Errorf("%s, %d at a time: blocks of %v, want %v", name, piece, got, c.want)
			}
			if back, err := readAllOf(r, 1); err != nil || !slices.Equal(back.values, c.values) || !slices.Equal(back.ts, ts) {
				t.Errorf("%s: read back otherwise, %v", name, err)
			}
			data, err := fsys.ReadFile(fs, e.Path)
			if err != nil {
				t.Fatal(err)
			}
			files = append(files, data)
		}
		if !bytes.Equal(files[0], files[1]) || !bytes.Equal(files[0], files[2]) {
			t.Errorf("%s: files differ", name)
		}
	}
}

func TestPackEntryDescribesTheFile(t *testing.T) {
	fs := fsys.NewMem()
	for _, bucket := range []int64{0, -base.Day, someDay} {
		opts := PackOptions{NowMS: 9, Bucket: bucket, Width: base.Day, Part: 2}
		e := writePack(t, fs, opts, []column{
			{5, []int64{bucket + 3, bucket + base.Day - 1}, []float64{1, 2}},
			{3, []int64{bucket + 1}, []float64{1}},
		})
		data, err := fsys.ReadFile(fs, e.Path)
		if err != nil {
			t.Fatal(err)
		}
		want := manifest.Entry{HourBucket: bucket, Width: base.Day, StartTS: bucket + 1, EndTS: bucket + base.Day - 1, Count: 3,
			Path: base.PackFile(bucket, bucket+1, bucket+base.Day-1, 9, 2), Bytes: int64(len(data)), BLAKE3: SumBLAKE3(data),
			Segments: 2, FooterCRC: e.FooterCRC}
		if e != want || !e.IsPack() {
			t.Errorf("entry %+v, want %+v", e, want)
		}
		if job, ok := base.SegmentJob(e.Path); !ok || job != 9 {
			t.Errorf("%s is of job %d, %t", e.Path, job, ok)
		}
	}
	e := writePack(t, fs, PackOptions{NowMS: 9, Bucket: someHour, Width: base.Hour}, []column{{1, []int64{someHour}, []float64{1}}})
	if e.Width != 0 || e.BucketWidth() != base.Hour {
		t.Errorf("an hour has the width %d", e.Width)
	}
}

func TestCreatePackRefuses(t *testing.T) {
	for name, o := range map[string]PackOptions{
		"no width":          {Bucket: 0},
		"other width":       {Bucket: 0, Width: 2 * base.Hour},
		"within an hour":    {Bucket: 1, Width: base.Hour},
		"a day at its hour": {Bucket: base.Hour, Width: base.Day},
		"far too early":     {Bucket: base.DayStart(base.MinTime) - 2*base.Day, Width: base.Day},
	} {
		if _, err := CreatePack(fsys.NewMem(), o); err == nil {
			t.Errorf("%s: no error", name)
		}
		if _, err := NewBucketWriter(fsys.NewMem(), BucketOptions{Bucket: o.Bucket, Width: o.Width}); err == nil {
			t.Errorf("%s: no error of a BucketWriter", name)
		}
	}
}

func TestPackWriterRefuses(t *testing.T) {
	type call struct {
		id     base.SeriesID
		ts     []int64
		values int
	}
	cases := map[string]struct {
		calls []call
		err   error
	}{
		"nothing":              {nil, errEmpty},
		"no points":            {[]call{{1, nil, 0}}, errEmpty},
		"a value too many":     {[]call{{1, []int64{1}, 2}}, errColumns},
		"before the bucket":    {[]call{{1, []int64{-1}, 1}}, errBucket},
		"behind the bucket":    {[]call{{1, []int64{base.Hour}, 1}}, errBucket},
		"falling":              {[]call{{1, []int64{2, 1}, 2}}, errUnsorted},
		"equal":                {[]call{{1, []int64{2, 2}, 2}}, errUnsorted},
		"equal in two calls":   {[]call{{1, []int64{2}, 1}, {1, []int64{2}, 1}}, errUnsorted},
		"out and back":         {[]call{{1, []int64{1, 5 * base.Hour, 2}, 3}}, errUnsorted},
		"a series comes again": {[]call{{1, []int64{1}, 1}, {2, []int64{1}, 1}, {1, []int64{2}, 1}}, errTwice},
	}
	for name, c := range cases {
		fs := fsys.NewMem()
		w, err := CreatePack(fs, PackOptions{Bucket: 0, Width: base.Hour})
		if err != nil {
			t.Fatal(err)
		}
		for _, call := range c.calls {
			if err == nil {
				err = w.Append(call.id, call.ts, make([]float64, call.values))
			}
		}
		if err == nil {
			_, err = w.Finish()
		}
		if !errors.Is(err, c.err) {
			t.Errorf("%s: %v, want %v", name, err, c.err)
		}
		// A writer that failed stays failed, and leaves nothing.
		if _, again := w.Finish(); !errors.Is(again, c.err) {
			t.Errorf("%s: finished with %v after all", name, again)
		}
		if err := w.Append(9, []int64{1}, []float64{1}); !errors.Is(err, c.err) {
			t.Errorf("%s: goes on with %v", name, err)
		}
		if names, err := fs.List(base.SegmentDir(0)); err != nil || len(names) != 0 || len(fs.OpenFiles()) != 0 {
			t.Errorf("%s: left %v, open %v, error %v", name, names, fs.OpenFiles(), err)
		}
	}
}

func TestFinishedPackWriterIsDone(t *testing.T) {
	fs := fsys.NewMem()
	w, err := CreatePack(fs, PackOptions{Bucket: 0, Width: base.Hour})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Append(1, []int64{1}, []float64{1}); err != nil {
		t.Fatal(err)
	}
	e, err := w.Finish()
	if err != nil {
		t.Fatal(err)
	}
	w.Abort()
	if err := w.Append(2, []int64{1}, []float64{1}); err == nil {
		t.Error("a finished writer takes points")
	}
	if err := VerifyPack(fs, e, nil); err != nil {
		t.Error(err)
	}
}

func TestPackWriterCounts(t *testing.T) {
	fs := fsys.NewMem()
	w, err := CreatePack(fs, PackOptions{Bucket: 0, Width: base.Hour})
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for id := range 2000 {
		if w.Len() != id {
			t.Fatalf("%d series after %d", w.Len(), id)
		}
		ts := make([]int64, 1+rng.IntN(30))
		values := make([]float64, len(ts))
		for i := range ts {
			ts[i], values[i] = int64(i)*1e9+int64(rng.IntN(1e9)), rng.Float64()
		}
		if err := w.Append(base.SeriesID(rng.Uint64()), ts, values); err != nil {
			t.Fatal(err)
		}
	}
	size, index, points := w.Size(), w.IndexBytes(), w.Points()
	e, err := w.Finish()
	if err != nil {
		t.Fatal(err)
	}
	p, err := OpenPack(fs, e)
	if err != nil {
		t.Fatal(err)
	}
	if i := p.Info(); i.SeriesCount != 2000 || i.PointCount < points || i.IndexBytes < index || i.IndexBytes > index*21/20+1000 ||
		size < e.Bytes*95/100 || size > e.Bytes {
		t.Errorf("%d bytes, %d of them index, %d points; before the last series %d, %d, %d", e.Bytes, i.IndexBytes, i.PointCount, size, index, points)
	}
}

// A column of timestamps that series share is there once, whatever lies between them, as
// long as the table remembers it.
func TestPackSharesTimes(t *testing.T) {
	a, values := hours(slices.Repeat([]int{360}, 24)...)
	b := slices.Clone(a)
	for i := range b {
		b[i]++
	}
	fs := fsys.NewMem()
	e := writePack(t, fs, PackOptions{Bucket: someDay, Width: base.Day}, []column{{1, a, values}, {2, b, values}, {3, a, values}, {4, b, values}})
	p, err := OpenPack(fs, e)
	if err != nil {
		t.Fatal(err)
	}
	offsets := make(map[int64]int)
	err = openReader(t, fs, e, nil).All(func(s *PackSeries) error {
		for i := range s.Blocks {
			offsets[s.Blocks[i].TimestampOffset]++
		}
		return nil
	})
	if err != nil || len(offsets) != 48 || p.Info().SharedColumnCount != 48 {
		t.Errorf("%d columns of 96 blocks, %d shared, error %v", len(offsets), p.Info().SharedColumnCount, err)
	}
}

// The list of shared columns is bounded; what it has no room for is shared all the same.
func TestPackSharesBeyondTheList(t *testing.T) {
	fs := fsys.NewMem()
	w, err := CreatePack(fs, PackOptions{Bucket: 0, Width: base.Hour})
	if err != nil {
		t.Fatal(err)
	}
	const pairs = 6000
	for i := range pairs {
		ts := []int64{int64(i) * 1000, int64(i)*1000 + 1}
		for half := range 2 {
			if err := w.Append(base.SeriesID(half*pairs+i), ts, []float64{1, float64(i)}); err != nil {
				t.Fatal(err)
			}
		}
	}
	e, err := w.Finish()
	if err != nil {
		t.Fatal(err)
	}
	r := openReader(t, fs, e, nil)
	if n := r.pack.Info().SharedColumnCount; n <= 1<<12 || n >= pairs {
		t.Errorf("%d of %d columns are in the list", n, pairs)
	}
	var first, second PackSeries
	for i := range pairs {
		_, err1 := r.Find(base.SeriesID(i), &first)
		_, err2 := r.Find(base.SeriesID(pairs+i), &second)
		if err := errors.Join(err1, err2); err != nil || first.Blocks[0].TimestampOffset != second.Blocks[0].TimestampOffset || first.Start != int64(i)*1000 {
			t.Fatalf("pair %d: %+v and %+v, error %v", i, first, second, err)
		}
	}
	if err := VerifyPack(fs, e, nil); err != nil {
		t.Error(err)
	}
}

// A ring that forgets returns what was put or nothing.
func TestTimesRing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := timesRing{limit: rapid.IntRange(4, 40).Draw(t, "limit")}
		type kept struct {
			at int64
			ts []int64
		}
		var all []kept
		next := int64(0)
		for range rapid.IntRange(1, 60).Draw(t, "columns") {
			ts := make([]int64, rapid.IntRange(1, r.limit).Draw(t, "n"))
			for i := range ts {
				next++
				ts[i] = next
			}
			all = append(all, kept{r.put(ts), ts})
			if len(r.data) > r.limit {
				t.Fatalf("%d points of %d", len(r.data), r.limit)
			}
			for i, k := range all {
				got := r.get(k.at, len(k.ts))
				if got == nil && i < len(all)-1 {
					continue
				}
				if !slices.Equal(got, k.ts) {
					t.Fatalf("column %d of %d: %v, not %v", i, len(all), got, k.ts)
				}
			}
		}
	})
}

func TestColumnTableForgets(t *testing.T) {
	var table columnTable
	column := func(i int) []int64 { return []int64{int64(i), int64(i) + 1} }
	for i := range 3 * tableRows {
		if c, hash := table.find(column(i)); c != nil {
			t.Fatalf("column %d is known as %+v", i, c)
		} else {
			table.put(column(i), writtenColumn{offset: int64(i)}, hash)
		}
		if c, _ := table.find(column(i)); c == nil || c.offset != int64(i) {
			t.Fatalf("column %d is found as %+v", i, c)
		}
	}
	found := 0
	for i := range 3 * tableRows {
		if c, _ := table.find(column(i)); c != nil {
			found++
			if c.offset != int64(i) {
				t.Fatalf("column %d is found as %+v", i, c)
			}
		}
	}
	if found < tableRows/2 || found > tableRows {
		t.Errorf("%d columns of %d are remembered in %d rows", found, 3*tableRows, tableRows)
	}
}

// What a writer keeps for each series is its entry and a few words.
func TestPackWriterMemory(t *testing.T) {
	heap := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := heap()
	w, err := CreatePack(discard{}, PackOptions{Bucket: 0, Width: base.Hour})
	if err != nil {
		t.Fatal(err)
	}
	const n = 100_000
	rng := rand.New(rand.NewPCG(1, 1))
	ts, values := make([]int64, 20), make([]float64, 20)
	for range n {
		for i := range ts {
			ts[i], values[i] = int64(i)*1e9+rng.Int64N(1e9), rng.Float64()
		}
		if err := w.Append(base.SeriesID(rng.Uint64()), ts, values); err != nil {
			t.Fatal(err)
		}
	}
	if grown := heap() - before; grown > 50*n+6<<20 {
		t.Errorf("%d series take %d bytes", n, grown)
	}
	if _, err := w.Finish(); err != nil {
		t.Fatal(err)
	}
}

func TestPackOrderOfSyncs(t *testing.T) {
	var trace strings.Builder
	fs := fsys.Trace(fsys.NewMem(), func(op fsys.Op) {
		if op.Kind.Mutates() {
			trace.WriteString(op.String() + "\n")
		}
	})
	series := []column{{1, []int64{1, 2}, []float64{1, 2}}}
	writePack(t, fs, PackOptions{NowMS: 7, Bucket: 0, Width: base.Hour}, series)
	trace.WriteString("# In a directory that exists\n")
	writePack(t, fs, PackOptions{NowMS: 8, Bucket: 0, Width: base.Hour}, series)
	golden.Check(t, "testdata/pack-trace.golden", []byte(trace.String()))
}

func TestPackSurvivesPowerCut(t *testing.T) {
	fs := fsys.NewMem()
	e := writePack(t, fs, goldenPack, goldenSeries())
	for _, dir := range []string{base.SegmentDir(someHour), base.SegmentsDir, ""} {
		if err := fs.SyncDir(dir); err != nil {
			t.Fatal(err)
		}
	}
	if err := VerifyPack(fs.CrashClone(rand.New(rand.NewPCG(1, 1)), 0), e, nil); err != nil {
		t.Error(err)
	}
}

// Whichever operation fails, the writer says so and no file goes by a final name.
func TestPackWriterFailsCleanly(t *testing.T) {
	broken := errors.New("broken disk")
	long := column{id: 1}
	rng := rand.New(rand.NewPCG(1, 1))
	for i := range 60_000 { // more than one write
		long.ts, long.values = append(long.ts, int64(i)), append(long.values, rng.Float64())
	}
	for n := 1; ; n++ {
		fs := fsys.NewMem()
		count := 0
		fs.SetHook(func(op fsys.Op) fsys.Fault {
			if count++; count == n {
				return fsys.Fault{Err: broken, Written: op.Len / 2}
			}
			return fsys.Fault{}
		})
		w, err := CreatePack(fs, PackOptions{Bucket: 0, Width: base.Hour})
		for id := range base.SeriesID(2) {
			if err == nil {
				err = w.Append(id, long.ts, long.values)
			}
		}
		if err == nil {
			_, err = w.Finish()
		}
		fs.SetHook(nil)
		if count < n {
			if n < 8 || err != nil {
				t.Fatalf("only %d operations, error %v", count, err)
			}
			return
		}
		if !errors.Is(err, broken) {
			t.Errorf("operation %d fails: %v", n, err)
		}
		if open := fs.OpenFiles(); len(open) != 0 {
			t.Errorf("operation %d fails: %v is open", n, open)
		}
		names, _ := fs.List(base.SegmentDir(0))
		for _, name := range names {
			if !base.IsTemp(base.SegmentDir(0) + "/" + name.Name) {
				t.Errorf("operation %d fails: %s is there", n, name.Name)
			}
		}
	}
}
