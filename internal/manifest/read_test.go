package manifest

import (
	"bytes"
	"errors"
	"fmt"
	iofs "io/fs"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/fsys"
	"github.com/sydradb/sydradb/internal/fuzzing"
)

// states returns what the first 0, 1, ... lines of text add up to.
func states(t *testing.T, text []byte) []string {
	t.Helper()
	out := []string{""}
	for i, c := range text {
		if c != '\n' {
			continue
		}
		s, tail, err := read(base.ManifestFile, text[:i+1])
		if err != nil || tail != nil {
			t.Fatalf("line %d: tail %v, error %v", len(out)-1, tail, err)
		}
		out = append(out, describe(&s, true))
	}
	return out
}

func TestReadAddsUp(t *testing.T) {
	fs := fsys.NewMem()
	putFile(t, fs, base.ManifestFile, seal(7, threeEdits(), nil))
	s := mustRead(t, fs)
	want := entries(1, 3)
	want[0].Edit, want[1].Edit = 8, 9
	if !slices.Equal(s.Live, want) {
		t.Errorf("live %+v\nwant %+v", s.Live, want)
	}
	if s.LastEdit != 10 || s.FlushedLSN != 20 || s.LastLSN != 25 || s.NextMS != 1_700_000_000_002 ||
		s.Catalog != (Catalog{Generation: 1, Bytes: 200}) || s.V0 {
		t.Errorf("state %s", describe(&s, true))
	}
	if !slices.Equal(s.Owed(), paths(0, 1)) {
		t.Errorf("owed %q", s.Owed())
	}
}

func TestReadMissing(t *testing.T) {
	fs := fsys.NewMem()
	if _, _, err := Read(fs, base.ManifestFile); !errors.Is(err, iofs.ErrNotExist) {
		t.Errorf("error %v", err)
	}
	putFile(t, fs, base.ManifestFile, nil)
	_, _, err := Read(fs, base.ManifestFile)
	wantDamage(t, err, 0)
}

// A file cut at any byte reads as its whole lines and a tail, and never as anything else.
func TestReadCutAnywhere(t *testing.T) {
	for name, text := range histories() {
		t.Run(name, func(t *testing.T) { cutAnywhere(t, text) })
	}
}

func cutAnywhere(t *testing.T, text []byte) {
	want := states(t, text)
	for n := range text {
		whole := bytes.Count(text[:n], []byte{'\n'})
		start := bytes.LastIndexByte(text[:n], '\n') + 1
		s, tail, err := read(base.ManifestFile, text[:n])
		switch {
		case whole == 0:
			wantDamage(t, err, 0)
			if tail != nil {
				t.Fatalf("cut at %d: the only line passes for a tail", n)
			}
		case err != nil || describe(&s, true) != want[whole]:
			t.Fatalf("cut at %d: error %v, state\n%s", n, err, describe(&s, true))
		case (tail != nil) != (start < n):
			t.Fatalf("cut at %d: tail %+v", n, tail)
		case tail != nil && (tail.Offset != int64(start) || tail.Bytes != int64(n-start) || tail.File != base.ManifestFile):
			t.Fatalf("cut at %d: tail %+v", n, tail)
		}
	}
}

// A flipped bit anywhere is damage, or, in the last line and the newline before it, a
// tail: never another state.
func TestReadFlipAnywhere(t *testing.T) {
	for name, text := range histories() {
		t.Run(name, func(t *testing.T) { flipAnywhere(t, text) })
	}
}

func flipAnywhere(t *testing.T, text []byte) {
	want := states(t, text)
	lastLine := bytes.LastIndexByte(text[:len(text)-1], '\n')
	for i := range text {
		for bit := range 8 {
			bad := slices.Clone(text)
			bad[i] ^= 1 << bit
			line := bytes.Count(text[:i], []byte{'\n'})
			s, tail, err := read(base.ManifestFile, bad)
			if got := describe(&s, true); line > 0 && got != want[line] {
				t.Fatalf("byte %d, bit %d: state\n%s", i, bit, got)
			}
			if i >= lastLine {
				if tail == nil || err != nil || !errors.Is(tail.Corruption(), base.ErrCorrupt) {
					t.Fatalf("byte %d, bit %d: tail %v, error %v", i, bit, tail, err)
				}
				continue
			}
			var c *base.CorruptionError
			if !errors.As(err, &c) || tail != nil || c.Offset != int64(bytes.LastIndexByte(text[:i], '\n')+1) {
				t.Fatalf("byte %d, bit %d: tail %v, error %v", i, bit, tail, err)
			}
		}
	}
}

// M1: lines lost, swapped, repeated or taken from elsewhere show, although each is sound.
func TestChainBroken(t *testing.T) {
	text := seal(0, threeEdits(), nil)
	line := strings.SplitAfter(string(text), "\n")
	other := strings.SplitAfter(string(seal(0, threeEdits(), func(_ int, e *Edit) { e.Wall++ })), "\n")
	tests := []struct {
		name  string
		lines []string
		bad   int // the first line that does not fit
	}{
		{"first lost", line[1:], 0},
		{"one lost", []string{line[0], line[2], line[3]}, 1},
		{"swapped", []string{line[0], line[2], line[1], line[3]}, 1},
		{"repeated", []string{line[0], line[1], line[1]}, 2},
		{"from elsewhere", []string{line[0], line[1], other[2]}, 2},
		{"first again", []string{line[0], line[1], line[0]}, 2},
	}
	for _, tt := range tests {
		_, tail, err := read(base.ManifestFile, []byte(strings.Join(tt.lines, "")))
		if tail != nil {
			t.Errorf("%s: passes for a tail: %v", tt.name, tail.Err)
		}
		t.Run(tt.name, func(t *testing.T) {
			wantDamage(t, err, int64(len(strings.Join(tt.lines[:tt.bad], ""))))
		})
	}
	// A number that does not rise, in a chain that is otherwise sound.
	bad := seal(0, threeEdits(), func(i int, e *Edit) {
		if i == 2 {
			e.Number = 5
			e.Add = nil
		}
	})
	_, _, err := read(base.ManifestFile, bad)
	wantDamage(t, err, int64(len(line[0])+len(line[1])))
}

// An edit that cannot follow is damage although its line is sound (M2 to M5).
func TestInvariantsHoldOnDisk(t *testing.T) {
	for _, tt := range brokenEdits() {
		t.Run(tt.name, func(t *testing.T) {
			last := 0
			text := seal(0, brokenHistory(), func(i int, e *Edit) {
				if i == 2 {
					tt.change(e)
				}
			})
			last = bytes.LastIndexByte(text[:len(text)-1], '\n') + 1
			want := states(t, text[:last])[2]
			s, tail, err := read(base.ManifestFile, text)
			wantDamage(t, err, int64(last))
			if tail != nil || describe(&s, true) != want {
				t.Errorf("tail %v, state\n%s", tail, describe(&s, true))
			}
		})
	}
}

type brokenEdit struct {
	name   string
	change func(e *Edit) // of the third of brokenHistory
	onDisk bool          // cannot be asked of Append, which fills this field in
}

// brokenHistory is what broken edits are tried on: the third one adds a file of each kind,
// removes one of two, and moves horizons.
func brokenHistory() []Edit {
	edits := threeEdits()[:3]
	edits[1].AddDeletes = []DeleteFile{deleteN(5), deleteN(6)}
	edits[1].Horizon = map[string]int64{"": 100, "a": 50}
	edits[2].Add = append(edits[2].Add, packN(4))
	edits[2].AddDeletes = []DeleteFile{deleteN(9)}
	edits[2].Remove = append(edits[2].Remove, deleteN(5).Path)
	edits[2].Horizon = map[string]int64{"": 101, "a": 50, "b": 100}
	return edits
}

// brokenEdits lists for each of M2 to M5 edits that break it.
func brokenEdits() []brokenEdit {
	again := func(n int, edit uint64) Entry {
		e := entryN(n)
		e.Edit = edit
		return e
	}
	entry := func(name string, change func(a *Entry)) brokenEdit {
		return brokenEdit{name: "M5 " + name, change: func(e *Edit) { change(&e.Add[0]) }}
	}
	pack := func(name string, change func(a *Entry)) brokenEdit {
		return brokenEdit{name: "M5 pack: " + name, change: func(e *Edit) { change(&e.Add[1]) }}
	}
	deletes := func(name string, change func(d *DeleteFile)) brokenEdit {
		return brokenEdit{name: name, change: func(e *Edit) { change(&e.AddDeletes[0]) }}
	}
	horizon := func(name, namespace string, h int64) brokenEdit {
		return brokenEdit{name: name, change: func(e *Edit) { e.Horizon = map[string]int64{namespace: h} }}
	}
	return []brokenEdit{
		{name: "M2 live already", change: func(e *Edit) { e.Add[0] = again(1, e.Number) }},
		{name: "M2 twice in one edit", change: func(e *Edit) { e.Add = append(e.Add, e.Add[0]) }},
		{name: "M3 removed and added", change: func(e *Edit) { e.Add[0] = again(0, e.Number) }},
		{name: "M3 added and removed", change: func(e *Edit) { e.Remove = append(e.Remove, e.Add[0].Path) }},
		{name: "M3 removed, not live", change: func(e *Edit) { e.Remove = paths(4, 5) }},
		{name: "M3 removed twice", change: func(e *Edit) { e.Remove = append(e.Remove, e.Remove[0]) }},
		{name: "M4 next_ms back", change: func(e *Edit) { e.NextMS -= 2 }},
		{name: "M4 flushed_lsn back", change: func(e *Edit) { e.FlushedLSN = 9 }},
		{name: "M4 catalog bytes back", change: func(e *Edit) { e.Catalog.Bytes = 99 }},
		{name: "M4 catalog generation back", change: func(e *Edit) { e.Catalog.Generation = 0 }},
		{name: "M4 last_lsn below flushed_lsn", change: func(e *Edit) { e.LastLSN = e.FlushedLSN - 1 }},
		{name: "M5 of a later edit", change: func(e *Edit) { e.Add[0].Edit++ }, onDisk: true},
		{name: "M5 of an earlier edit", change: func(e *Edit) { e.Add[0].Edit-- }, onDisk: true},
		{name: "M2 delete file twice", change: func(e *Edit) { e.AddDeletes = append(e.AddDeletes, e.AddDeletes[0]) }},
		deletes("M2 delete file live already", func(d *DeleteFile) { d.Path = deleteN(6).Path }),
		deletes("M3 delete file removed and added", func(d *DeleteFile) { d.Path = deleteN(5).Path }),
		{name: "M3 delete file added and removed", change: func(e *Edit) { e.Remove = append(e.Remove, e.AddDeletes[0].Path) }},
		{name: "M3 delete file removed, not live", change: func(e *Edit) { e.Remove[1] = deleteN(7).Path }},
		deletes("M4 delete file not flushed", func(d *DeleteFile) { d.LSN = 21 }),
		horizon("M4 horizon of all back", "", 99),
		horizon("M4 own horizon back", "a", 49),
		horizon("M4 first own horizon behind that of all", "b", 99),
		horizon("M4 horizon of what is no name", "\xff", 200),
		horizon("M4 horizon too early", "a", base.MinTime-1),
		horizon("M4 horizon too late", "a", base.MaxTime+1),
		deletes("M5 delete file of a later edit", func(d *DeleteFile) { d.Edit++ }).byHand(),
		deletes("M5 delete file of an earlier edit", func(d *DeleteFile) { d.Edit-- }).byHand(),
		deletes("M5 delete file elsewhere", func(d *DeleteFile) { d.Path = "deletes/../FORMAT" }),
		deletes("M5 delete file among the segments", func(d *DeleteFile) { d.Path = entryN(9).Path }),
		deletes("M5 delete file without LSN", func(d *DeleteFile) { d.LSN = 0 }),
		deletes("M5 delete file, times swapped", func(d *DeleteFile) { d.StartTS, d.EndTS = 1, 0 }),
		deletes("M5 delete file, empty", func(d *DeleteFile) { d.Bytes = 0 }),
		deletes("M5 delete file, no identity", func(d *DeleteFile) { d.BLAKE3 = strings.Repeat("0", 63) }),
		pack("of a series", func(a *Entry) { a.SeriesID = 1 }),
		pack("under a segment's name", func(a *Entry) { a.Path = entryN(4).Path }),
		pack("fewer points than series", func(a *Entry) { a.Segments = a.Count + 1 }),
		pack("more series than ordinals", func(a *Entry) { a.Segments, a.Count = maxSegments+1, maxSegments+1 }),
		pack("more points than times", func(a *Entry) { a.Count = 1001*a.Segments + 1 }),
		pack("width of two days", func(a *Entry) { a.Width = 2 * base.Day }),
		pack("width of an hour, written out", func(a *Entry) { a.Width = base.Hour }),
		pack("negative width", func(a *Entry) { a.Width = -base.Day }),
		pack("hour in the bucket of a day", func(a *Entry) { a.Width = base.Day }),
		pack("end in another hour", func(a *Entry) { a.EndTS += base.Hour }),
		pack("day that is none", func(a *Entry) { a.Width, a.HourBucket = base.Day, -base.Hour }),
		pack("end in another day", func(a *Entry) { a.Width, a.HourBucket, a.EndTS = base.Day, base.DayStart(a.StartTS), a.EndTS+base.Day }),
		pack("footer in capitals", func(a *Entry) { a.FooterCRC = "0000000A" }),
		pack("applied out of range", func(a *Entry) { a.Applied = maxLSN + 1 }),
		entry("under a pack's name", func(a *Entry) { a.Path = packN(2).Path }),
		entry("of a day", func(a *Entry) { a.Width, a.HourBucket = base.Day, base.DayStart(a.StartTS) }),
		entry("no points", func(a *Entry) { a.Count = 0 }),
		entry("more points than times", func(a *Entry) { a.Count = 1002 }),
		entry("times swapped", func(a *Entry) { a.StartTS, a.EndTS = a.EndTS, a.StartTS }),
		entry("start in another hour", func(a *Entry) { a.StartTS = -1 }),
		entry("end in another hour", func(a *Entry) { a.EndTS = base.Hour }),
		entry("bucket is no hour", func(a *Entry) { a.HourBucket = 1 }),
		entry("times out of range", func(a *Entry) {
			a.StartTS, a.EndTS = base.MaxTime+1, base.MaxTime+1
			a.HourBucket, a.Count = base.BucketStart(a.StartTS), 1
		}),
		entry("seq out of range", func(a *Entry) { a.Seq = maxLSN + 1 }),
		entry("path elsewhere", func(a *Entry) { a.Path = "wal/current.wal" }),
		entry("empty file", func(a *Entry) { a.Bytes = 0 }),
		entry("no identity", func(a *Entry) { a.BLAKE3 = "" }),
		entry("identity in capitals", func(a *Entry) { a.BLAKE3 = strings.Repeat("A", 64) }),
	}
}

// A first line, that of a rewrite or of a snapshot, carries all there is.
func TestFirstLineOfEverything(t *testing.T) {
	first := editN(3, append(entries(0, 2), packN(3)), append(paths(5, 7), packN(8).Path, deleteN(9).Path))
	first.Number, first.AddDeletes = 9, []DeleteFile{deleteN(2)}
	first.Add[2].Edit, first.AddDeletes[0].Edit = 4, 8
	first.Horizon = map[string]int64{"": 1000, "left behind": 5}
	fs := fsys.NewMem()
	mustClose(t, mustCreate(t, fs, first))
	s := mustRead(t, fs)
	if !slices.Equal(s.Live, first.Add) || !slices.Equal(s.Deletes, first.AddDeletes) ||
		len(s.Owed()) != 4 || s.Horizon["left behind"] != 5 || s.LastEdit != 9 {
		t.Errorf("state %s", describe(&s, true))
	}
	first.AddDeletes[0].Edit = 10
	if _, err := Create(fs, first); err == nil {
		t.Error("created with a delete file of a later edit")
	}
}

// Many namespaces in few bytes do not make reading dear.
func TestReadManyHorizons(t *testing.T) {
	e := editN(1, nil, nil)
	e.Horizon = map[string]int64{}
	for n := range 200_000 {
		e.Horizon[strconv.FormatInt(int64(n), 36)] = 1
	}
	text := seal(0, []Edit{editN(0, nil, nil), e}, nil)
	fuzzing.Bounded(t, len(text), func() {
		if s, _, err := read(base.ManifestFile, text); err != nil || len(s.Horizon) != len(e.Horizon) {
			t.Error(len(s.Horizon), err)
		}
	})
}

// byHand marks an edit that Append would mend.
func (b brokenEdit) byHand() brokenEdit {
	b.onDisk = true
	return b
}

// A first line may carry what earlier edits added and removals still owed, but not of
// files that are live.
func TestSnapshotLine(t *testing.T) {
	first := editN(3, entries(0, 2), paths(5, 7))
	keep := func(_ int, e *Edit) { e.Add[0].Edit = 2 }
	s, tail, err := read(base.ManifestFile, seal(9, []Edit{first}, keep))
	if err != nil || tail != nil {
		t.Fatal(tail, err)
	}
	if len(s.Live) != 2 || !slices.Equal(s.Owed(), slices.Sorted(slices.Values(paths(5, 7)))) || s.LastEdit != 9 || s.Live[0].Edit != 2 {
		t.Errorf("state %s", describe(&s, true))
	}
	for name, change := range map[string]func(int, *Edit){
		"owed and live":       func(_ int, e *Edit) { e.Remove = paths(1, 2) },
		"owed twice":          func(_ int, e *Edit) { e.Remove = append(e.Remove, e.Remove[0]) },
		"owed elsewhere":      func(_ int, e *Edit) { e.Remove[0] = "FORMAT" },
		"entry of the future": func(_ int, e *Edit) { e.Add[0].Edit = 10 },
		"follows a line":      func(_ int, e *Edit) { e.Prev = "01234567" },
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := read(base.ManifestFile, seal(9, []Edit{editN(3, entries(0, 2), paths(5, 7))}, change))
			wantDamage(t, err, 0)
		})
	}
}

// M3: a path that was removed is not used again, settled or not.
func TestPathsAreNotUsedAgain(t *testing.T) {
	fs := fsys.NewMem()
	l := mustCreate(t, fs, editN(0, entries(0, 2), nil))
	mustAppend(t, l, editN(1, nil, paths(0, 2)))
	l.Unlinked(paths(1, 2))
	for n := range 2 {
		if err := l.Append(editN(2, entries(n, n+1), nil)); err == nil {
			t.Errorf("path %d was added again", n)
		}
	}
	mustClose(t, l)
	bad := seal(0, []Edit{editN(0, entries(0, 2), nil), editN(1, nil, paths(0, 1)), editN(2, entries(0, 1), nil)}, nil)
	_, _, err := read(base.ManifestFile, bad)
	wantDamage(t, err, int64(bytes.LastIndexByte(bad[:len(bad)-1], '\n')+1))
}

// What a clean close vouched for holds through later edits, until a flush covers it.
func TestLastLSNStays(t *testing.T) {
	closed := editN(1, nil, nil)
	closed.LastLSN = 15
	merged := editN(1, entries(0, 1), nil) // flushes nothing
	s, _, err := read(base.ManifestFile, seal(0, []Edit{editN(0, nil, nil), closed, merged}, nil))
	if err != nil || s.LastLSN != 15 {
		t.Errorf("last_lsn %d, error %v", s.LastLSN, err)
	}
	s, _, err = read(base.ManifestFile, seal(0, []Edit{editN(0, nil, nil), closed, merged, editN(2, nil, nil)}, nil))
	if err != nil || s.LastLSN != 0 {
		t.Errorf("last_lsn %d after a flush, error %v", s.LastLSN, err)
	}
}

// A sound line with a member of the future is refused as such, last line or not.
func TestNewerLine(t *testing.T) {
	text := seal(0, threeEdits(), nil)
	lines := strings.SplitAfter(string(text), "\n")
	body := strings.Replace(lines[1][:len(lines[1])-crcTail-1], `"add"`, `"retire":[],"add"`, 1)
	newer := fmt.Sprintf("%s%s%s\"}\n", body, crcMember, checksum([]byte(body)))
	for _, rest := range []string{"", lines[2]} {
		s, tail, err := read(base.ManifestFile, []byte(lines[0]+newer+rest))
		if !errors.Is(err, ErrNewer) || errors.Is(err, base.ErrCorrupt) || tail != nil {
			t.Errorf("tail %v, error %v", tail, err)
		}
		if !strings.Contains(err.Error(), `"retire"`) {
			t.Errorf("%v: does not name the member", err)
		}
		if s.LastEdit != 0 || len(s.Live) != 0 {
			t.Errorf("state %s", describe(&s, true))
		}
	}
}

func TestScanLines(t *testing.T) {
	fs := fsys.NewMem()
	text := seal(0, threeEdits(), nil)
	putFile(t, fs, base.ManifestFile, text)
	var numbers []uint64
	size := int64(0)
	tail, err := Scan(fs, base.ManifestFile, func(l Line) error {
		if l.Offset != size || l.Plain != nil || !bytes.Contains(text[l.Offset:l.Offset+l.Bytes], []byte(l.CRC)) {
			t.Errorf("line %+v", l)
		}
		numbers, size = append(numbers, l.Edit.Number), size+l.Bytes
		return nil
	})
	if err != nil || tail != nil || !slices.Equal(numbers, []uint64{0, 1, 2, 3}) || size != int64(len(text)) {
		t.Errorf("numbers %v, %d bytes, tail %v, error %v", numbers, size, tail, err)
	}
	stop := errors.New("stop")
	if _, err := Scan(fs, base.ManifestFile, func(Line) error { return stop }); err != stop {
		t.Errorf("error %v", err)
	}
}

func TestFate(t *testing.T) {
	edits := threeEdits()
	edits[1].Add = append(edits[1].Add, packN(4), packN(5))
	edits[2].Remove = append(edits[2].Remove, packN(5).Path)
	s, _, err := read(base.ManifestFile, seal(0, edits, nil))
	if err != nil {
		t.Fatal(err)
	}
	pack := func(job int64) string { return base.PackFile(0, 1, 2, job, 3) }
	name := func(job int64) string { return base.SegmentFile(0, 5, 1, 2, job) }
	tests := []struct {
		path string
		want Fate
	}{
		{entryN(1).Path, FateKeep},
		{entryN(0).Path, FateRemove}, // owed
		{name(s.NextMS), FateRemove},
		{name(s.NextMS + 1), FateRemove},
		{name(s.NextMS - 1), FateQuarantine},
		{packN(4).Path, FateKeep},
		{packN(5).Path, FateRemove},
		{pack(s.NextMS), FateRemove},
		{pack(s.NextMS - 1), FateQuarantine},
		{strings.Replace(pack(s.NextMS), "-3.pack", "-03.pack", 1), FateForeign},
		{deleteN(1).Path, FateForeign},
		{"segments/0/notes.txt", FateForeign},
		{"segments/0/abc.seg", FateForeign},
		{fmt.Sprintf("segments/0/Copy-%d.seg", s.NextMS), FateForeign},
		{fmt.Sprintf("segments/0/sub/1-1-2-%d.seg", s.NextMS), FateForeign},
		{name(s.NextMS) + base.TempSuffix, FateForeign},
	}
	for _, tt := range tests {
		if got := s.Fate(tt.path); got != tt.want {
			t.Errorf("%s: fate %d, want %d", tt.path, got, tt.want)
		}
	}
	if _, live := s.Entry(entryN(1).Path); !live {
		t.Error("a live file is not found")
	}
	if _, live := s.Entry(entryN(0).Path); live || !s.Owes(entryN(0).Path) || s.Owes(entryN(1).Path) {
		t.Error("a removed file is live, or its removal not owed")
	}
}

func TestLastJob(t *testing.T) {
	numbered := func(job int64) Entry {
		e := entryN(1)
		e.Path = base.SegmentFile(0, e.SeriesID, e.StartTS, e.EndTS, job)
		return e
	}
	pack := packN(4)
	pack.Path = base.PackFile(0, pack.StartTS, pack.EndTS, 1<<40, 3)
	first := editN(0, []Entry{numbered(1 << 30), numbered(1<<62 + 1)}, nil)
	second, third := editN(1, []Entry{pack}, nil), editN(2, nil, []string{pack.Path})
	for _, tt := range []struct {
		edits []Edit
		want  int64
	}{
		{[]Edit{editN(0, nil, nil)}, 0},
		{[]Edit{first}, 1 << 30}, // no clock shows the other number
		{[]Edit{first, second}, 1 << 40},
		{[]Edit{first, second, third}, 1 << 40},
	} {
		s, _, err := read(base.ManifestFile, seal(0, tt.edits, nil))
		if got := s.LastJob(); err != nil || got != tt.want {
			t.Errorf("after %d lines: %d, error %v, want %d", len(tt.edits), got, err, tt.want)
		}
	}
}
