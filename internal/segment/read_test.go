package segment

import (
	"bytes"
	"errors"
	iofs "io/fs"
	"math"
	"slices"
	"testing"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/codec"
	"github.com/sydradb/sydradb/internal/fsys"
	"github.com/sydradb/sydradb/internal/golden"
	"github.com/sydradb/sydradb/internal/manifest"
)

// put stores data at path, making directories.
func put(t testing.TB, fs fsys.FS, dir, path string, data []byte) {
	t.Helper()
	if err := fs.MkdirAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := fsys.WriteFileUnlisted(fs, path, data); err != nil {
		t.Fatal(err)
	}
}

// create1 writes one file with Create and returns its entry.
func create1(t testing.TB, fs fsys.FS, nowMS int64, id base.SeriesID, hour int64, ts []int64, values []float64) manifest.Entry {
	t.Helper()
	e, err := Create(fs, nowMS, id, hour, ts, values, &Buffer{})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestReadAll(t *testing.T) {
	ts, values := goldenColumns()
	for _, name := range []string{"syseg2", "syseg1", "syseg1-from-start"} {
		fs := fsys.NewMem()
		put(t, fs, "segments/1694300400", "segments/1694300400/a.seg", golden.ReadHex(t, "testdata/"+name+".golden"))
		points, err := ReadAll(fs, "segments/1694300400/a.seg")
		if err != nil || len(points) != len(ts) {
			t.Fatalf("%s: %v, error %v", name, points, err)
		}
		for i, p := range points {
			if p.TS != ts[i] || math.Float64bits(p.Value) != math.Float64bits(values[i]) {
				t.Errorf("%s: point %d is %v", name, i, p)
			}
		}
	}
}

func TestReadAllNamesTheFile(t *testing.T) {
	fs := fsys.NewMem()
	data := golden.ReadHex(t, "testdata/syseg2.golden")
	put(t, fs, "x", "x/short.seg", data[:len(data)-1])
	_, err := ReadAll(fs, "x/short.seg")
	var damage *base.CorruptionError
	if !errors.As(err, &damage) || damage.File != "x/short.seg" || damage.Offset != 0x5a {
		t.Errorf("cut file: %v", err)
	}
	if _, err := ReadAll(fs, "x/none.seg"); !errors.Is(err, iofs.ErrNotExist) || errors.Is(err, base.ErrCorrupt) {
		t.Errorf("missing file: %v", err)
	}
	data[tsCodecOffset] = 7
	put(t, fs, "x", "x/new.seg", data)
	if _, err := ReadAll(fs, "x/new.seg"); !errors.Is(err, codec.ErrUnknown) || !bytes.Contains([]byte(err.Error()), []byte("x/new.seg")) {
		t.Errorf("codec of the future: %v", err)
	}
}

func TestLoadReturnsTheFile(t *testing.T) {
	fs := fsys.NewMem()
	e := create1(t, fs, 1, 5, 0, []int64{1, 2, 3}, []float64{1, 2, 3})
	want, err := fsys.ReadFile(fs, e.Path)
	if err != nil {
		t.Fatal(err)
	}
	small, large := make([]byte, 3), make([]byte, 500)
	for _, dst := range [][]byte{nil, small, large} {
		if got, err := Load(fs, e, dst); err != nil || !bytes.Equal(got, want) {
			t.Errorf("into %d bytes: % x, error %v", len(dst), got, err)
		}
	}
	if got, _ := Load(fs, e, large); &got[0] != &large[0] {
		t.Error("memory that suffices was not used")
	}
	v0 := e
	v0.Bytes, v0.BLAKE3 = 0, ""
	if got, err := Load(fs, v0, nil); err != nil || !bytes.Equal(got, want) {
		t.Errorf("entry of version 0: % x, error %v", got, err)
	}
}

func TestLoadRefusesAnotherFile(t *testing.T) {
	cases := map[string]struct {
		edit func(e *manifest.Entry, data []byte) []byte
		err  error
	}{
		"longer":       {func(e *manifest.Entry, d []byte) []byte { return append(d, 0) }, errSize},
		"shorter":      {func(e *manifest.Entry, d []byte) []byte { return d[1:] }, errSize},
		"other digest": {func(e *manifest.Entry, d []byte) []byte { d[len(d)-1] ^= 1; return d }, errDigest},
		"too long for its points": {func(e *manifest.Entry, d []byte) []byte {
			e.Bytes, e.BLAKE3 = 0, ""
			return append(d, make([]byte, 500)...)
		}, errSize},
		"version 0, no segment": {func(e *manifest.Entry, d []byte) []byte {
			e.Bytes, e.BLAKE3 = 0, ""
			d[0] = 'T'
			return d
		}, errMagic},
		"other series": {func(e *manifest.Entry, d []byte) []byte { e.SeriesID++; return d }, errEntry},
		"other start":  {func(e *manifest.Entry, d []byte) []byte { e.StartTS--; return d }, errEntry},
		"other end":    {func(e *manifest.Entry, d []byte) []byte { e.EndTS++; return d }, errEntry},
		"other count":  {func(e *manifest.Entry, d []byte) []byte { e.Count++; return d }, errEntry},
	}
	for name, c := range cases {
		fs := fsys.NewMem()
		e := create1(t, fs, 1, 5, 0, []int64{1, 2, 3}, []float64{1, 2, 3})
		data, err := fsys.ReadFile(fs, e.Path)
		if err != nil {
			t.Fatal(err)
		}
		put(t, fs, base.SegmentDir(0), e.Path, c.edit(&e, data))
		_, err = Load(fs, e, nil)
		var damage *base.CorruptionError
		if !errors.As(err, &damage) || damage.File != e.Path || !errors.Is(err, c.err) {
			t.Errorf("%s: %v, want %v", name, err, c.err)
		}
	}
}

func TestLoadMissesTheFile(t *testing.T) {
	e := manifest.Entry{SeriesID: 1, Count: 1, Path: "segments/0/1-0-0-1.seg"}
	_, err := Load(fsys.NewMem(), e, nil)
	var damage *base.CorruptionError
	if !errors.As(err, &damage) || damage.File != e.Path || !errors.Is(err, iofs.ErrNotExist) {
		t.Errorf("%v", err)
	}
}

// A failing disk is no damage, wherever it fails.
func TestReadErrorIsNoDamage(t *testing.T) {
	broken := errors.New("broken disk")
	fs := fsys.NewMem()
	e := create1(t, fs, 1, 5, 0, []int64{1, 2, 3}, []float64{1, 2, 3})
	for _, kind := range []fsys.OpKind{fsys.OpOpen, fsys.OpSize, fsys.OpRead, fsys.OpClose} {
		fs.SetHook(func(op fsys.Op) fsys.Fault {
			if op.Kind == kind {
				return fsys.Fault{Err: broken}
			}
			return fsys.Fault{}
		})
		if _, err := Load(fs, e, nil); !errors.Is(err, broken) || errors.Is(err, base.ErrCorrupt) {
			t.Errorf("%v fails: %v", kind, err)
		}
	}
	if open := fs.OpenFiles(); len(open) != 0 {
		t.Errorf("left open: %v", open)
	}
}

func TestQueryRange(t *testing.T) {
	mem := fsys.NewMem()
	late := create1(t, mem, 2, 5, 0, []int64{20, 30}, []float64{-20, -30})
	early := create1(t, mem, 1, 5, 0, []int64{10, 20, 30, 40}, []float64{10, 20, 30, 40})
	other := create1(t, mem, 1, 6, 0, []int64{20}, []float64{6})
	next := create1(t, mem, 1, 5, base.Hour, []int64{base.Hour}, []float64{7})
	// In this order, which is not that of time: nothing is sorted or de-duplicated.
	entries := []manifest.Entry{late, other, early, next}
	cases := map[string]struct {
		start, end int64
		want       []base.Point
	}{
		"all": {math.MinInt64, math.MaxInt64, []base.Point{
			{TS: 20, Value: -20}, {TS: 30, Value: -30},
			{TS: 10, Value: 10}, {TS: 20, Value: 20}, {TS: 30, Value: 30}, {TS: 40, Value: 40},
			{TS: base.Hour, Value: 7}}},
		"both ends inclusive": {20, 30, []base.Point{
			{TS: 20, Value: -20}, {TS: 30, Value: -30}, {TS: 20, Value: 20}, {TS: 30, Value: 30}}},
		"between points": {31, 39, nil},
		"one point":      {base.Hour, base.Hour, []base.Point{{TS: base.Hour, Value: 7}}},
		"backwards":      {30, 20, nil},
	}
	for name, c := range cases {
		head := []base.Point{{TS: 99, Value: 99}}
		got, err := QueryRange(mem, "", entries, 5, c.start, c.end, slices.Clone(head))
		if err != nil || !slices.Equal(got, append(head, c.want...)) {
			t.Errorf("%s: %v, error %v", name, got, err)
		}
	}
}

func TestQueryRangeReturnsEqualTimestamps(t *testing.T) {
	fs := fsys.NewMem()
	put(t, fs, "old/segments/0", "old/segments/0/1-10-12-1.seg", craft(2, []int64{10, 11, 11, 11, 12}, []float64{0, 1, 2, 3, 4}))
	e := manifest.Entry{SeriesID: 1, StartTS: 10, EndTS: 12, Count: 5, Path: "segments/0/1-10-12-1.seg"}
	got, err := QueryRange(fs, "old", []manifest.Entry{e}, 1, 11, 11, nil)
	if want := []base.Point{{TS: 11, Value: 1}, {TS: 11, Value: 2}, {TS: 11, Value: 3}}; err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, error %v", got, err)
	}
}

// Every flipped bit of a file is caught by its entry, and the caller keeps what he had.
func TestQueryRangeRefusesEveryFlip(t *testing.T) {
	fs := fsys.NewMem()
	good := create1(t, fs, 1, 5, 0, []int64{10, 20, 30}, []float64{1, 2.5, 2.5})
	bad := create1(t, fs, 2, 5, 0, []int64{10, 20, 30}, []float64{1, 2.5, 2.5})
	data, err := fsys.ReadFile(fs, bad.Path)
	if err != nil {
		t.Fatal(err)
	}
	for bit := range 8 * len(data) {
		flipped := slices.Clone(data)
		flipped[bit/8] ^= 1 << (bit % 8)
		put(t, fs, base.SegmentDir(0), bad.Path, flipped)
		head := []base.Point{{TS: 99, Value: 99}}
		got, err := QueryRange(fs, "", []manifest.Entry{good, bad}, 5, 0, 100, head)
		if !errors.Is(err, base.ErrCorrupt) || !slices.Equal(got, head) {
			t.Fatalf("bit %d: %v, error %v", bit, got, err)
		}
	}
}
