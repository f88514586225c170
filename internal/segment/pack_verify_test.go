package segment

import (
	"bytes"
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/fsys"
	"github.com/sydradb/sydradb/internal/manifest"
)

func TestVerifyPackCallsInTheOrderOfTheFile(t *testing.T) {
	fs, e, _ := goldenPackFile(t)
	want := goldenSeries()
	n := 0
	err := VerifyPack(fs, e, func(s *PackSeries, ts []int64) error {
		if s.ID != want[n].id || !slices.Equal(ts, want[n].ts) {
			t.Errorf("series %d is %x with %v", n, s.ID, ts)
		}
		n++
		return nil
	})
	if err != nil || n != len(want) {
		t.Errorf("%d series, error %v", n, err)
	}
	stop := errors.New("stop")
	if err := VerifyPack(fs, e, func(*PackSeries, []int64) error { return stop }); !errors.Is(err, stop) || errors.Is(err, base.ErrCorrupt) {
		t.Errorf("%v instead of the error of fn", err)
	}
}

func TestVerifyPackComparesTheDigest(t *testing.T) {
	fs, e, _ := goldenPackFile(t)
	e.BLAKE3 = SumBLAKE3(nil)
	if err := VerifyPack(fs, e, nil); !errors.Is(err, errDigest) {
		t.Errorf("%v", err)
	}
}

// Bytes among the columns that no block accounts for are noticed.
func TestVerifyPackFindsGaps(t *testing.T) {
	for place := range 3 {
		fs := fsys.NewMem()
		w, err := CreatePack(fs, hourPack)
		if err != nil {
			t.Fatal(err)
		}
		for i, c := range goldenSeries() {
			if i == place {
				w.buf = append(w.buf, 0)
			}
			if err := errors.Join(w.Append(c.id, c.ts, c.values), w.endSeries()); err != nil {
				t.Fatal(err)
			}
		}
		e, err := w.Finish()
		if err != nil {
			t.Fatal(err)
		}
		if err := VerifyPack(fs, e, nil); !errors.Is(err, errGap) || !errors.Is(err, base.ErrCorrupt) {
			t.Errorf("before series %d: %v", place, err)
		}
	}
}

func TestExportSegment(t *testing.T) {
	fs := fsys.NewMem()
	ts, values := hours(300, 0, 2000, 70_000, 1)
	values[5] = math.NaN()
	r := openReader(t, fs, writePack(t, fs, PackOptions{Bucket: someDay, Width: base.Day}, []column{{7, ts, values}}), nil)
	var s PackSeries
	if found, err := r.Find(7, &s); err != nil || !found {
		t.Fatal(found, err)
	}
	exported := 0
	for hour := someDay - base.Hour; hour <= someDay+base.Day; hour += base.Hour {
		got, err := r.ExportSegment([]byte("head"), &s, hour)
		if err != nil {
			t.Fatal(err)
		}
		from, to := cut(ts, hour, hour+base.Hour-1)
		want := []byte("head")
		if from < to {
			exported++
			if want, err = Encode(want, 7, hour, ts[from:to], values[from:to]); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(got, want) {
			t.Errorf("hour %d: %d bytes, want %d", (hour-someDay)/base.Hour, len(got), len(want))
		}
	}
	if exported != 4 {
		t.Errorf("%d hours", exported)
	}
}

func TestQueryRangeOverPacks(t *testing.T) {
	mem := fsys.NewMem()
	dir := fsys.NewMem()
	ts, values := hours(360, 360, 360, 360, 360)
	day := writePack(t, mem, PackOptions{NowMS: 1, Bucket: someDay, Width: base.Day}, []column{{4, ts[:3], values[:3]}, {5, ts, values}})
	hour := writePack(t, mem, PackOptions{NowMS: 2, Bucket: someDay, Width: base.Hour}, []column{{5, []int64{someDay + 3}, []float64{-3}}})
	file := create1(t, mem, 3, 5, someDay, []int64{someDay + 4}, []float64{-4})
	entries := []manifest.Entry{hour, day, file}
	cases := map[string]struct {
		id         base.SeriesID
		start, end int64
		want       []base.Point
	}{
		"three files":   {5, someDay, someDay + 1e6, []base.Point{{TS: someDay + 3, Value: -3}, {TS: someDay}, {TS: someDay + 1e6, Value: 1}, {TS: someDay + 4, Value: -4}}},
		"second block":  {5, someDay + 4*base.Hour, someDay + 4*base.Hour, []base.Point{{TS: someDay + 4*base.Hour}}},
		"between":       {5, someDay + 1e6 + 1, someDay + 1e6 + 2, nil},
		"other series":  {4, someDay + 1e6, math.MaxInt64, []base.Point{{TS: someDay + 1e6, Value: 1}, {TS: someDay + 2e6, Value: 2}}},
		"not there":     {6, math.MinInt64, math.MaxInt64, nil},
		"behind packs":  {5, someDay + base.Day, math.MaxInt64, nil},
		"backwards":     {5, someDay + 1e6, someDay, nil},
		"zero is no id": {0, math.MinInt64, math.MaxInt64, nil},
	}
	for name, c := range cases {
		head := []base.Point{{TS: 99, Value: 99}}
		got, err := QueryRange(mem, "", entries, c.id, c.start, c.end, slices.Clone(head))
		if err != nil || !slices.Equal(got, append(head, c.want...)) {
			t.Errorf("%s: %v, error %v", name, got, err)
		}
	}
	for _, e := range entries { // below a prefix
		data, err := fsys.ReadFile(mem, e.Path)
		if err != nil {
			t.Fatal(err)
		}
		put(t, dir, "old/"+base.SegmentDir(someDay), "old/"+e.Path, data)
	}
	all, err := QueryRange(mem, "", entries, 5, math.MinInt64, math.MaxInt64, nil)
	if err != nil || len(all) != 5*360+2 {
		t.Fatalf("%d points, error %v", len(all), err)
	}
	if got, err := QueryRange(dir, "old", entries, 5, math.MinInt64, math.MaxInt64, nil); err != nil || !slices.Equal(got, all) {
		t.Errorf("below a prefix: %d points, error %v", len(got), err)
	}
	if open := mem.OpenFiles(); len(open) != 0 {
		t.Errorf("left open: %v", open)
	}
}

func TestQueryRangeNamesTheDamagedPack(t *testing.T) {
	sound, e, data := goldenPackFile(t)
	var s PackSeries
	if found, err := openReader(t, sound, e, nil).Find(0x2222, &s); err != nil || !found {
		t.Fatal(found, err)
	}
	at := s.Blocks[0].ValueOffset
	data[at+2] ^= 1
	fs := fsys.NewMem()
	put(t, fs, "old/"+base.SegmentDir(someHour), "old/"+e.Path, data)
	head := []base.Point{{TS: 1}}
	got, err := QueryRange(fs, "old", []manifest.Entry{e}, 0x2222, math.MinInt64, math.MaxInt64, head)
	var damage *base.CorruptionError
	if !errors.As(err, &damage) || damage.File != "old/"+e.Path || damage.Offset != at || !slices.Equal(got, head) {
		t.Errorf("%v, error %v", got, err)
	}
}
