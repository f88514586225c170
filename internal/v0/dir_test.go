package v0

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math"
	"path"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/frame"
	"github.com/sydradb/sydradb/internal/fsys"
	"github.com/sydradb/sydradb/internal/fuzzing"
	"github.com/sydradb/sydradb/internal/golden"
	"github.com/sydradb/sydradb/internal/wal"
)

const (
	roomID = base.SeriesID(0x9a3fd17c02be45e1)
	lastID = base.SeriesID(math.MaxUint64)
	hour   = int64(1694300400)

	rotated = "wal/1694304001005.wal"
)

// small returns the files of testdata/small, a directory of version 0 written by hand.
func small(t testing.TB) map[string][]byte { return golden.Tree(t, "testdata/small") }

// disk returns a file system with these files.
func disk(t testing.TB, files map[string][]byte) *fsys.Mem {
	t.Helper()
	fs := fsys.NewMem()
	for name, data := range files {
		if err := errors.Join(fs.MkdirAll(path.Dir(name)), fsys.WriteFileAtomic(fs, name, data)); err != nil {
			t.Fatal(err)
		}
	}
	return fs
}

type point struct {
	id   base.SeriesID
	ts   int64
	bits uint64
}

func at(id base.SeriesID, ts int64, value float64) point {
	return point{id, ts, math.Float64bits(value)}
}

// read returns the points of a directory in their order.
func read(fs fsys.FS) (points []point, s Stats, err error) {
	d, err := Open(fs)
	if err != nil {
		return nil, s, err
	}
	s, err = d.Points(func(id base.SeriesID, ts int64, value float64) error {
		points = append(points, at(id, ts, value))
		return nil
	})
	return points, s, err
}

func TestPointsComeInTheOrderOfWriting(t *testing.T) {
	fs := disk(t, small(t))
	got, s, err := read(fs)
	if err != nil {
		t.Fatal(err)
	}
	nan := math.Float64frombits(0x7ff0000000000002)
	want := []point{
		at(roomID, hour, 24.2), at(roomID, hour+10, 24.2), at(roomID, hour+20, 24.5),
		at(roomID, hour+33, math.Copysign(0, -1)), at(roomID, hour+3599, nan),
		at(1, -3600, 1), at(1, -60, 2.5), at(1, -1, math.Inf(-1)),
		at(roomID, hour+10, -1.5), at(roomID, hour+20, 24.5), at(roomID, hour+20, 25), at(roomID, hour+40, nan),
		// The log: the name with fewer digits is the older one.
		at(roomID, hour+10, -2.5), at(1, -60, 3.5),
		at(1, -60, 4.5), at(roomID, hour+33, 0),
		at(roomID, hour+3600, 26), at(lastID, hour+3601, math.Inf(1)), at(roomID, hour+3600, 26.5),
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	torn := s.Torn
	if s.Segments != 3 || s.LogRecords != 7 || s.Points != int64(len(want)) || torn == nil {
		t.Fatalf("stats %+v", s)
	}
	if torn.File != base.CurrentWAL || torn.Offset != 99 || torn.Bytes != 15 || torn.Err == nil {
		t.Errorf("torn %+v", torn)
	}
}

func TestTagsAreTurnedRound(t *testing.T) {
	d, err := Open(disk(t, small(t)))
	if err != nil {
		t.Fatal(err)
	}
	kitchen := base.Tag{Key: "room", Value: `küche "1"`}
	want := map[base.SeriesID][]base.Tag{
		roomID: {{Key: "host", Value: "pi-1"}, kitchen},
		1:      {{Key: "expr", Value: "a=b"}, {Key: "host", Value: "pi-2"}, kitchen},
		lastID: {{Key: "host", Value: "pi-1"}},
	}
	if !maps.EqualFunc(d.Tags(), want, slices.Equal) {
		t.Errorf("got %v, want %v", d.Tags(), want)
	}
	if odd := d.Odd(); len(odd) != 1 || !strings.Contains(odd[0], "__name__=x") {
		t.Errorf("odd: %q", odd)
	}
}

func TestTagsThatNoSeriesCanHaveAreNoted(t *testing.T) {
	var many bytes.Buffer
	many.WriteString(`{"host=a":[1],"host=b":[1,2],"=x":[1]`)
	for i := range 2 * maxOdd {
		fmt.Fprintf(&many, `,"host=c%d":[1]`, i)
	}
	many.WriteString("}")
	d, err := Open(disk(t, map[string][]byte{base.ManifestFile: nil, base.TagsFile: many.Bytes()}))
	if err != nil {
		t.Fatal(err)
	}
	want := map[base.SeriesID][]base.Tag{1: {{Key: "host", Value: "a"}}, 2: {{Key: "host", Value: "b"}}}
	if !reflect.DeepEqual(d.Tags(), want) {
		t.Errorf("tags %v", d.Tags())
	}
	odd := d.Odd()
	if len(odd) != maxOdd+1 || !strings.Contains(odd[0], "left out the tag host=b of series 1, which has host=a") || odd[maxOdd] != "and more" {
		t.Errorf("%d odd ones, %q ... %q", len(odd), odd[0], odd[len(odd)-1])
	}
}

func TestOpenRefusesWhatIsNotV0(t *testing.T) {
	tests := []struct {
		name    string
		files   map[string][]byte
		notV0   bool
		mention string
	}{
		{"empty", nil, true, "neither MANIFEST nor a log"},
		{"format 1", map[string][]byte{base.FormatFile: []byte("{}"), base.ManifestFile: nil}, true, "FORMAT"},
		{"foreign log name", map[string][]byte{"wal/00ff.wal": nil}, false, "place in the log"},
		{"edits", map[string][]byte{base.ManifestFile: []byte(`{"edit":0}` + "\n")}, false, base.ManifestFile},
		{"damaged manifest", map[string][]byte{base.ManifestFile: []byte("{}\n")}, false, base.ManifestFile},
		{"damaged tags", map[string][]byte{base.ManifestFile: nil, base.TagsFile: []byte(`{"a=b":[1.5]}`)}, false, base.TagsFile},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := Open(disk(t, test.files))
			if err == nil || errors.Is(err, ErrNotV0) != test.notV0 || !strings.Contains(err.Error(), test.mention) {
				t.Errorf("error %v", err)
			}
		})
	}
}

func TestLogAloneIsEnough(t *testing.T) {
	files := small(t)
	points, s, err := read(disk(t, map[string][]byte{rotated: files[rotated]}))
	if err != nil || len(points) != 2 || s.Torn != nil {
		t.Errorf("%d points, stats %+v, error %v", len(points), s, err)
	}
}

// A log that ends anywhere gives its whole records, and the rest is accounted for.
func TestNewestLogMayEndAnywhere(t *testing.T) {
	whole := small(t)[base.CurrentWAL]
	const record = 33
	for n := range len(whole) {
		_, s, err := read(disk(t, map[string][]byte{base.CurrentWAL: whole[:n]}))
		good := min(n/record, 3)
		rest := int64(n - good*record)
		if err != nil || s.LogRecords != int64(good) || (s.Torn == nil) != (rest == 0) {
			t.Fatalf("%d bytes: stats %+v, error %v", n, s, err)
		}
		if s.Torn != nil && (s.Torn.Bytes != rest || s.Torn.Offset != int64(good*record)) {
			t.Fatalf("%d bytes: torn %+v", n, s.Torn)
		}
	}
}

func TestDamageIsToldFromATornEnd(t *testing.T) {
	flip := func(name string, offset int) map[string][]byte {
		files := small(t)
		files[name][offset] ^= 0x10
		return files
	}
	change := func(name string, data []byte) map[string][]byte {
		files := small(t)
		files[name] = data
		return files
	}
	current := small(t)[base.CurrentWAL]
	mark := []byte{wal.TypeMark, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}
	tests := []struct {
		name   string
		files  map[string][]byte
		file   string
		offset int64
	}{
		{"bad record before good ones", flip(base.CurrentWAL, 40), base.CurrentWAL, 33},
		{"bad length before good ones", flip(base.CurrentWAL, 35), base.CurrentWAL, 33},
		{"record of format 1", change(base.CurrentWAL, frame.End(append(frame.Begin(current[:33:33]), mark...), 33)), base.CurrentWAL, 33},
		{"short end of an older log", change(rotated, small(t)[rotated][:50]), rotated, 33},
		{"bad end of an older log", flip(rotated, 60), rotated, 33},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, _, err := read(disk(t, test.files))
			var damage *base.CorruptionError
			if !errors.As(err, &damage) || damage.File != test.file || damage.Offset != test.offset {
				t.Errorf("error %v", err)
			}
		})
	}
}

func TestZerosAtTheEndAreATornEnd(t *testing.T) {
	files := small(t)
	files[base.CurrentWAL] = append(files[base.CurrentWAL][:99], make([]byte, 4096)...)
	_, s, err := read(disk(t, files))
	if err != nil || s.Torn == nil || s.Torn.Bytes != 4096 {
		t.Errorf("stats %+v, error %v", s, err)
	}
}

func TestSegmentsMustBeWhatManifestSays(t *testing.T) {
	for name, data := range small(t) {
		if path.Dir(path.Dir(name)) != base.SegmentsDir {
			continue
		}
		for what, broken := range map[string][]byte{
			"cut":           data[:len(data)-1],
			"grown":         append(slices.Clone(data), 0),
			"of series 2^x": append(append(slices.Clone(data[:6]), data[6]^1), data[7:]...),
		} {
			files := small(t)
			files[name] = broken
			_, _, err := read(disk(t, files))
			var damage *base.CorruptionError
			if !errors.As(err, &damage) || damage.File != name {
				t.Errorf("%s, %s: error %v", name, what, err)
			}
		}
		files := small(t)
		delete(files, name)
		if _, _, err := read(disk(t, files)); !errors.Is(err, base.ErrCorrupt) {
			t.Errorf("%s missing: error %v", name, err)
		}
	}
}

func TestCallersErrorEndsTheReading(t *testing.T) {
	// An error that looks like damage of the newest log must not be taken for a torn end.
	stop := &base.CorruptionError{File: base.CurrentWAL, Offset: 1, Err: errors.New("stop")}
	d, err := Open(disk(t, small(t)))
	if err != nil {
		t.Fatal(err)
	}
	for n := range int64(19) {
		seen := int64(0)
		s, err := d.Points(func(base.SeriesID, int64, float64) error {
			if seen++; seen > n {
				return stop
			}
			return nil
		})
		if err != error(stop) || s.Points != n+1 {
			t.Fatalf("stop after %d: %d points, error %v", n, s.Points, err)
		}
	}
}

// Whatever stands in the newest log, reading it ends, and no byte is passed over in
// silence.
func FuzzLog(f *testing.F) {
	current := small(f)[base.CurrentWAL]
	f.Add(current)
	f.Add(current[:99])
	f.Add(append(slices.Clone(current[5:40]), current[33:]...))
	f.Fuzz(func(t *testing.T, data []byte) {
		fs := disk(t, map[string][]byte{base.CurrentWAL: data})
		var s Stats
		var err error
		fuzzing.Bounded(t, len(data), func() { _, s, err = read(fs) })
		var torn int64
		if s.Torn != nil {
			torn = s.Torn.Bytes
		}
		if err == nil && s.LogRecords*33+torn != int64(len(data)) {
			t.Errorf("%d records and %d torn bytes of %d", s.LogRecords, torn, len(data))
		}
		if err != nil && !errors.Is(err, base.ErrCorrupt) {
			t.Errorf("error %v", err)
		}
	})
}
