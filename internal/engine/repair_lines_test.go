package engine

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/fsys"
	"github.com/sydradb/sydradb/internal/manifest"
	"github.com/sydradb/sydradb/internal/retention"
)

// lived is a closed database that has seen everything: the first line of its MANIFEST is
// that of a rewriting, and names segment files, packs, a deletion and a horizon; lines of
// a flush and a merge follow.
type lived struct {
	fs    *fsys.Mem
	want  pointsByID
	state manifest.State
	data  []byte // of MANIFEST
}

func livedDatabase(t *testing.T) *lived {
	t.Helper()
	l := &lived{fs: fsys.NewMem()}
	hour := base.BucketStart(time.Now().UnixNano()) - 5*base.Hour
	opts := Options{
		Sync: SyncAlways, MaxSegmentFiles: 3, MergeOff: true,
		Retention: retention.Rules{Default: 24 * time.Hour, Classes: map[string]time.Duration{"kept": 0}},
	}
	e := openTest(t, l.fs, opts)
	value := 0.0
	write := func(start int64, names ...string) {
		t.Helper()
		for _, name := range names {
			for i := range int64(3) {
				value++
				put(t, e, resolve(t, e, name), start+i, value)
			}
		}
		flush(t, e)
	}
	write(hour-48*base.Hour, "r0", "r1", "kept.a")
	write(hour, "r0", "r1")
	write(hour, "r0", "r1") // overwrites
	write(hour+base.Hour, "r0", "r1", "r2", "r3", "r4", "r5")
	write(hour+base.Hour+1, "r0", "r1", "r2", "r3", "r4")
	err := e.Retain(t.Context(), true)
	if err == nil {
		_, err = e.Delete(t.Context(), Selector{IDs: []base.SeriesID{resolve(t, e, "r0").ID()}}, hour+1, hour+base.Hour+1)
	}
	flush(t, e)
	if err := errors.Join(err, e.Close()); err != nil {
		t.Fatal(err)
	}
	e = openTest(t, l.fs, opts)
	write(hour+2*base.Hour, "r0", "r1", "r2", "r3", "r4")
	write(hour+3*base.Hour, "r0", "r1")
	put(t, e, resolve(t, e, "r6"), hour+4*base.Hour, 1)
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	l.finish(t)
	return l
}

func (l *lived) finish(t *testing.T) {
	t.Helper()
	var err error
	if l.state, _, err = manifest.Read(l.fs, base.ManifestFile); err != nil {
		t.Fatal(err)
	}
	l.data = mustRead(t, l.fs, base.ManifestFile)
	if l.want, _, err = readByID(l.copy()); err != nil {
		t.Fatal(err)
	}
}

func (l *lived) copy() *fsys.Mem { return l.fs.CrashClone(rand.New(rand.NewPCG(1, 1)), 100) }

// repair repairs a copy with another MANIFEST and reads it. Nothing comes back.
func (l *lived) repair(t *testing.T, data []byte, what string) (steps []RepairStep, got pointsByID) {
	t.Helper()
	fs := l.copy()
	mustReplace(t, fs, base.ManifestFile, data)
	steps, err := repair(fs)
	if err != nil {
		t.Fatalf("%s: %v; steps %v", what, err, steps)
	}
	if got, _, err = readByID(fs); err != nil {
		t.Fatalf("%s: %v; steps %v", what, err, steps)
	}
	return steps, got
}

// object returns where in MANIFEST the object of the file at path is.
func (l *lived) object(t *testing.T, path string) (from, to int) {
	t.Helper()
	at := bytes.Index(l.data, []byte(`"path":"`+path+`"`))
	if at < 0 {
		t.Fatalf("no object of %s", path)
	}
	return bytes.LastIndexByte(l.data[:at], '{'), at + bytes.IndexByte(l.data[at:], '}') + 1
}

// without returns the answers less those that a file may give.
func (l *lived) without(want pointsByID, e *manifest.Entry) {
	for id, points := range want {
		for ts := range points {
			if (e.IsPack() || id == e.SeriesID) && e.StartTS <= ts && ts <= e.EndTS {
				delete(points, ts)
			}
		}
	}
}

func TestRepairMendsAByteOfMANIFEST(t *testing.T) {
	reuseMemory(t)
	l := livedDatabase(t)
	packs := 0
	for i := range l.state.Live {
		if l.state.Live[i].IsPack() {
			packs++
		}
	}
	first := bytes.IndexByte(l.data, '\n')
	if packs < 3 || len(l.state.Live)-packs < 6 || len(l.state.Deletes) != 1 || len(l.state.Horizon) < 2 || bytes.Count(l.data[:first], []byte("blake3")) < 8 {
		t.Fatalf("%d packs among %d files, %d deletions, horizons %v: %s", packs, len(l.state.Live), len(l.state.Deletes), l.state.Horizon, l.data)
	}
	stride := 17
	if raceEnabled {
		stride = 211
	}
	for i := 0; i < len(l.data); i += stride {
		for _, change := range []byte{1 << (i % 8), 0xff} {
			data := bytes.Clone(l.data)
			data[i] ^= change
			what := fmt.Sprintf("byte %d ^ %#x", i, change)
			steps, got := l.repair(t, data, what)
			if lost, more := l.want.lacks(got), got.lacks(l.want); lost != "" || more != "" {
				t.Fatalf("%s: lost %s, more %s; steps %v", what, lost, more, steps)
			}
			for _, s := range steps {
				if s.Action == RepairSetAside {
					t.Fatalf("%s: %v", what, s)
				}
			}
		}
	}
}

// Where more of a line is damaged, files whose entries were not hit stay, and nothing
// comes back.
func TestRepairKeepsWhatDamagedLinesName(t *testing.T) {
	reuseMemory(t)
	l := livedDatabase(t)
	stride := 29
	if raceEnabled {
		stride = 307
	}
	last := bytes.LastIndexByte(l.data[:len(l.data)-1], '\n')
	horizon := bytes.Index(l.data, []byte(`"horizon"`))
	for at := 0; at+4 < last; at += stride {
		data := bytes.Clone(l.data)
		for i := range 4 {
			data[at+i] ^= 0x85
		}
		what := fmt.Sprintf("bytes %d to %d, %q", at, at+4, l.data[at:at+4])
		want := l.want.clone()
		hits := 0
		for i := range l.state.Live {
			e := &l.state.Live[i]
			if from, to := l.object(t, e.Path); at < to && at+4 > from {
				l.without(want, e)
				hits++
			}
		}
		steps, got := l.repair(t, data, what)
		if lost := want.lacks(got); lost != "" {
			t.Fatalf("%s: %s; steps %v", what, lost, steps)
		}
		if more := extra(got, l.want, hits > 0); more != "" && (at+4 <= horizon || at > horizon+80) {
			t.Fatalf("%s: came back: %s; steps %v", what, more, steps)
		}
		aside := 0
		for _, s := range steps {
			if s.Action == RepairSetAside {
				aside++
				if !strings.Contains(s.Message, "points leave the database with it") {
					t.Fatalf("%s: %v", what, s)
				}
			}
		}
		if aside != hits {
			t.Fatalf("%s: %d files set aside, %d hit; steps %v", what, aside, hits, steps)
		}
	}
}

// extra returns a point of got that is not in want. With older set, an older value of a
// point that is there is none: what replaced it may be lost.
func extra(got, want pointsByID, older bool) string {
	for id, points := range got {
		for ts, value := range points {
			if v, ok := want[id][ts]; !ok || v != value && !older {
				return fmt.Sprintf("series %x at %d: %v", uint64(id), ts, value)
			}
		}
	}
	return ""
}

// Damage that reads like another number is not believed, even in two places of a line. A
// place that also hides a deletion's could make another one believed; none of these does.
func TestRepairDoubtsNumbers(t *testing.T) {
	reuseMemory(t)
	l := livedDatabase(t)
	rng := rand.New(rand.NewPCG(5, 6))
	digit := func(data []byte, member string, from int) bool {
		at := bytes.Index(data[from:], []byte(member))
		if at < 0 {
			return false
		}
		at += from + len(member)
		data[at] = '0' + (data[at]-'0'+byte(1+rng.IntN(8)))%10
		return data[at] != '0'
	}
	runs := 100
	if raceEnabled {
		runs = 10
	}
	for run := range runs {
		data := bytes.Clone(l.data)
		members := []string{`"seq":`, `"applied":`, `"wall":`, `"edit":`, `"flushed_lsn":`, `"seq":`, `"lsn":`}
		changed := ""
		for range 2 {
			member := members[rng.IntN(len(members))]
			if digit(data, member, rng.IntN(len(data)/2)) {
				changed += member
			}
		}
		what := fmt.Sprintf("run %d, %s", run, changed)
		_, got := l.repair(t, data, what)
		if more := extra(got, l.want, true); more != "" {
			t.Fatalf("%s: came back: %s", what, more)
		}
	}
}

// The edit of a merge is damaged, and its inputs are gone.
func TestRepairOfTheLineOfAMerge(t *testing.T) {
	l := livedDatabase(t)
	e := openTest(t, l.fs, Options{MaxSegmentFiles: 3})
	put(t, e, resolve(t, e, "r0"), l.state.Live[len(l.state.Live)-1].StartTS, 7)
	flush(t, e)
	if err := errors.Join(e.Compact(t.Context()), e.Flush(t.Context()), e.Close()); err != nil {
		t.Fatal(err)
	}
	l.finish(t)
	at, merges := 0, 0
	for _, line := range bytes.SplitAfter(l.data, []byte("\n")) {
		from := at
		at += len(line)
		if from == 0 || !bytes.Contains(line, []byte(`"remove"`)) || !bytes.Contains(line, []byte(`"add"`)) {
			continue
		}
		merges++
		for _, bits := range []byte{0x10, 0x85} {
			data := bytes.Clone(l.data)
			data[from+20] ^= bits
			if bits == 0x85 {
				data[from+21], data[from+23] = 'x', 0xff
			}
			what := fmt.Sprintf("line at %d, %#x", from, bits)
			steps, got := l.repair(t, data, what)
			if lost, more := l.want.lacks(got), got.lacks(l.want); lost != "" || more != "" {
				t.Errorf("%s: lost %s, more %s; steps %v", what, lost, more, steps)
			}
		}
	}
	if merges == 0 {
		t.Fatalf("no merge: %s", l.data)
	}
}

func TestMomentsInOrder(t *testing.T) {
	for name, c := range map[string]struct{ told, sound, want []moment }{
		"none":             {},
		"one":              {[]moment{{5, 5}}, nil, []moment{{5, 5}}},
		"all":              {[]moment{{3, 7}, {1, 2}, {2, 4}, {2, 4}}, nil, []moment{{1, 2}, {2, 4}, {3, 7}}},
		"one too high":     {[]moment{{1, 2}, {2, 90}, {3, 7}, {4, 8}}, nil, []moment{{1, 2}, {3, 7}, {4, 8}}},
		"one too low":      {[]moment{{1, 2}, {2, 4}, {3, 1}, {4, 8}}, nil, []moment{{4, 8}, {1, 2}, {2, 4}}},
		"one of two":       {[]moment{{1, 2}, {2, 9}, {3, 7}, {4, 10}}, nil, []moment{{1, 2}, {4, 10}}},
		"one wall":         {[]moment{{1, 2}, {2, 4}, {2, 5}, {3, 7}}, nil, []moment{{1, 2}, {3, 7}}},
		"one seq":          {[]moment{{1, 2}, {2, 4}, {3, 4}}, nil, []moment{{1, 2}}},
		"sound above":      {[]moment{{1, 2}, {2, 90}}, []moment{{3, 7}}, []moment{{1, 2}}},
		"sound below":      {[]moment{{1, 2}, {4, 6}}, []moment{{3, 7}}, []moment{{1, 2}}},
		"sound, same":      {[]moment{{3, 7}}, []moment{{3, 7}}, []moment{{3, 7}}},
		"sound, same wall": {[]moment{{3, 6}}, []moment{{3, 7}}, nil},
	} {
		got := inOrder(c.told, c.sound)
		for m, ok := range got {
			if ok != slices.Contains(c.want, m) {
				t.Errorf("%s: %v: %v", name, m, ok)
			}
		}
		for _, m := range c.want {
			if !got[m] {
				t.Errorf("%s: %v is missing", name, m)
			}
		}
	}
}
