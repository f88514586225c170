package segment

import (
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/codec"
	"github.com/sydradb/sydradb/internal/fsys"
	"github.com/sydradb/sydradb/internal/golden"
	"github.com/sydradb/sydradb/internal/manifest"
)

const someHour = 470639 * base.Hour // 1694300400 s

func TestCreateDescribesTheFile(t *testing.T) {
	fs := fsys.NewMem()
	ts, values := []int64{someHour + 1, someHour + 2, someHour + 5}, []float64{1, 2, 3}
	var scratch Buffer
	for nowMS := range int64(4) { // the second time into used memory, then in codec 1
		scratch.Codec1 = nowMS >= 2
		e, err := Create(fs, nowMS, 0xabc, someHour, ts, values, &scratch)
		if err != nil {
			t.Fatal(err)
		}
		var encoder *codec.Encoder
		if !scratch.Codec1 {
			encoder = new(codec.Encoder)
		}
		data, err := appendFile(nil, encoder, 0xabc, someHour, ts, values)
		if err != nil {
			t.Fatal(err)
		}
		if h, _, err := DecodeHeader(data); err != nil || scratch.Codec1 != (h.TimestampCodec == 1) || scratch.Codec1 != (h.ValueCodec == 1) {
			t.Errorf("%+v, error %v", h, err)
		}
		want := manifest.Entry{SeriesID: 0xabc, HourBucket: someHour, StartTS: ts[0], EndTS: ts[2], Count: 3,
			Path: base.SegmentFile(someHour, 0xabc, ts[0], ts[2], nowMS), Bytes: int64(len(data)), BLAKE3: SumBLAKE3(data)}
		if e != want {
			t.Errorf("entry %+v, want %+v", e, want)
		}
		if got, err := Load(fs, e, nil); err != nil || !slices.Equal(got, data) {
			t.Errorf("% x, error %v", got, err)
		}
	}
	names, err := fs.List(base.SegmentDir(someHour))
	if err != nil || len(names) != 4 {
		t.Errorf("directory holds %v, error %v", names, err)
	}
}

func TestCreateRefuses(t *testing.T) {
	fs := fsys.NewMem()
	cases := map[string]struct {
		hour int64
		ts   []int64
	}{
		"nothing":        {0, nil},
		"within an hour": {1, []int64{1}},
		"another hour":   {0, []int64{base.Hour}},
		"unsorted":       {0, []int64{2, 1}},
	}
	for name, c := range cases {
		if _, err := Create(fs, 1, 1, c.hour, c.ts, make([]float64, len(c.ts)), &Buffer{}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if names, err := fs.List(""); err != nil || len(names) != 0 {
		t.Errorf("left behind: %v, error %v", names, err)
	}
}

func TestWriteReadsBack(t *testing.T) {
	for _, dir := range []string{"", "some/where"} {
		fs := fsys.NewMem()
		for _, hour := range []int64{someHour, -base.Hour} {
			points := []base.Point{{TS: hour, Value: 1}, {TS: hour + base.Hour - 1, Value: 2}}
			var paths []string
			for range 3 { // each time another name
				p, err := Write(fs, dir, 0xff, hour, points)
				if err != nil {
					t.Fatal(err)
				}
				if slices.Contains(paths, p) || !strings.HasPrefix(p, base.SegmentDir(hour)+"/ff-") {
					t.Errorf("path %s, after %v", p, paths)
				}
				paths = append(paths, p)
				if dir != "" {
					p = dir + "/" + p
				}
				if got, err := ReadAll(fs, p); err != nil || !slices.Equal(got, points) {
					t.Errorf("%s: %v, error %v", p, got, err)
				}
			}
		}
	}
}

func TestWriteRefusesUnsortedAndEmpty(t *testing.T) {
	fs := fsys.NewMem()
	for name, points := range map[string][]base.Point{
		"empty":        {},
		"unsorted":     {{TS: 2}, {TS: 1}},
		"equal":        {{TS: 1}, {TS: 1}},
		"another hour": {{TS: -1}},
	} {
		if _, err := Write(fs, "", 1, 0, points); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestWriteOrderOfSyncs(t *testing.T) {
	var trace strings.Builder
	fs := fsys.Trace(fsys.NewMem(), func(op fsys.Op) {
		if op.Kind.Mutates() {
			trace.WriteString(op.String() + "\n")
		}
	})
	if _, err := Write(fs, "", 1, 0, []base.Point{{TS: 1, Value: 1}}); err != nil {
		t.Fatal(err)
	}
	trace.WriteString("# Create in a directory that exists\n")
	if _, err := Create(fs, 9, 1, 0, []int64{1}, []float64{1}, &Buffer{}); err != nil {
		t.Fatal(err)
	}
	golden.Check(t, "testdata/trace.golden", []byte(trace.String()))
}

func TestWriteSurvivesPowerCut(t *testing.T) {
	fs := fsys.NewMem()
	points := []base.Point{{TS: 1, Value: 1}, {TS: 2, Value: 2}}
	path, err := Write(fs, "", 1, 0, points)
	if err != nil {
		t.Fatal(err)
	}
	crashed := fs.CrashClone(rand.New(rand.NewPCG(1, 1)), 0)
	if got, err := ReadAll(crashed, path); err != nil || !slices.Equal(got, points) {
		t.Errorf("%v, error %v", got, err)
	}
}

// Whichever operation fails, Create says so and no file goes by a final name.
func TestCreateFailsCleanly(t *testing.T) {
	broken := errors.New("broken disk")
	for n := 1; ; n++ {
		fs := fsys.NewMem()
		count := 0
		fs.SetHook(func(op fsys.Op) fsys.Fault {
			if count++; count == n {
				return fsys.Fault{Err: broken, Written: op.Len / 2}
			}
			return fsys.Fault{}
		})
		_, err := Create(fs, 1, 1, 0, []int64{1}, []float64{1}, &Buffer{})
		fs.SetHook(nil)
		if count < n {
			if n < 6 || err != nil {
				t.Fatalf("only %d operations, error %v", count, err)
			}
			return
		}
		names, listErr := fs.List(base.SegmentDir(0))
		for _, name := range names {
			if listErr == nil && err != nil && !base.IsTemp(base.SegmentDir(0)+"/"+name.Name) {
				t.Errorf("operation %d fails: %s is there", n, name.Name)
			}
		}
		// Only the removal of a temporary file that was never made may fail unseen.
		if err == nil && len(names) != 1 {
			t.Errorf("operation %d fails: no error and %v", n, names)
		}
	}
}
