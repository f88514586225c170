package manifest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/fsys"
)

// entryN returns a sound entry; different n give different paths.
func entryN(n int) Entry {
	hour := int64(n%5-2) * base.Hour
	start, end := hour+int64(n), hour+int64(n)+1000
	id := base.SeriesID(n) * 0x9e3779b97f4a7c15
	return Entry{
		SeriesID: id, HourBucket: hour, StartTS: start, EndTS: end, Count: 1 + n%1000,
		Path: base.SegmentFile(hour, id, start, end, 1_700_000_000_000+int64(n)),
		Seq:  base.LSN(n + 1), Wall: 1_700_000_000_000 + int64(n), Bytes: 100 + int64(n),
		BLAKE3: fmt.Sprintf("%064x", n),
	}
}

func entries(from, to int) []Entry {
	var out []Entry
	for n := from; n < to; n++ {
		out = append(out, entryN(n))
	}
	return out
}

func paths(from, to int) []string {
	var out []string
	for _, e := range entries(from, to) {
		out = append(out, e.Path)
	}
	return out
}

// packN returns a sound entry of a pack, of an hour or, for odd n, of a day.
func packN(n int) Entry {
	e := entryN(n)
	e.SeriesID, e.Segments, e.FooterCRC = 0, 1+n%3, fmt.Sprintf("%08x", n)
	e.Count = max(e.Count, e.Segments)
	if n%2 == 1 {
		e.Width, e.HourBucket = base.Day, base.DayStart(e.StartTS)
		e.Applied = e.Seq + 5
	}
	e.Path = base.PackFile(e.HourBucket, e.StartTS, e.EndTS, e.Wall, n%4)
	return e
}

// deleteN returns a sound delete file; different n give different paths.
func deleteN(n int) DeleteFile {
	return DeleteFile{
		Path: base.DeleteFile(base.LSN(n+1), 1_700_000_000_000+int64(n)), LSN: base.LSN(n + 1),
		StartTS: int64(-n), EndTS: int64(n), Bytes: 40 + int64(n), BLAKE3: fmt.Sprintf("%064x", n),
	}
}

// editN returns an edit that may follow editN(n-1), with the lists given.
func editN(n int, add []Entry, remove []string) Edit {
	return Edit{
		Wall: 1_700_000_000_000 + int64(n), NextMS: 1_700_000_000_000 + int64(n),
		FlushedLSN: base.LSN(10 * n), Catalog: Catalog{Generation: 1, Bytes: int64(100 * n)},
		Add: add, Remove: remove,
	}
}

// seal chains edits into the text of a MANIFEST. Numbers start at first; each edit goes
// through change, which may break it, just before its line is made.
func seal(first uint64, edits []Edit, change func(i int, e *Edit)) []byte {
	var text []byte
	prev := ""
	for i := range edits {
		e := edits[i]
		e.Number, e.Prev = first+uint64(i), prev
		e.Add = slices.Clone(e.Add)
		for j := range e.Add {
			e.Add[j].Edit = e.Number
		}
		e.AddDeletes = slices.Clone(e.AddDeletes)
		for j := range e.AddDeletes {
			e.AddDeletes[j].Edit = e.Number
		}
		if change != nil {
			change(i, &e)
		}
		text, prev = appendLine(text, &e)
	}
	return text
}

// threeEdits is a small history: two files come, one goes, the log is closed cleanly.
func threeEdits() []Edit {
	last := editN(2, nil, nil)
	last.LastLSN = 25
	return []Edit{
		editN(0, nil, nil),
		editN(1, entries(0, 2), nil),
		editN(2, entries(2, 3), paths(0, 1)),
		last,
	}
}

// upkeepEdits is a history with everything else: packs and a delete file come, horizons
// move, and a merge replaces the packs by one of a day.
func upkeepEdits() []Edit {
	flush, sweep := editN(1, []Entry{entryN(2), packN(2), packN(12)}, nil), editN(2, nil, nil)
	flush.AddDeletes = []DeleteFile{deleteN(8), deleteN(4)}
	sweep.Horizon = map[string]int64{"": 1000, "weather": -base.Hour, "a \"b\"\\\n\x01é": base.MinTime}
	merge := editN(3, []Entry{packN(7)}, []string{packN(2).Path, deleteN(4).Path, packN(12).Path})
	last := editN(4, nil, nil)
	last.AddDeletes = []DeleteFile{deleteN(30)}
	last.Horizon = map[string]int64{"weather": 0, "room": 1000}
	return []Edit{editN(0, nil, nil), flush, sweep, editN(2, nil, nil), merge, last}
}

// histories returns texts of MANIFEST that between them hold all there is.
func histories() map[string][]byte {
	return map[string][]byte{"three": seal(0, threeEdits(), nil), "upkeep": seal(0, upkeepEdits(), nil)}
}

// describe renders all of a state that counts, for comparison. Numbers of edits are left
// out on request: rewriting changes them.
func describe(s *State, withNumber bool) string {
	var b strings.Builder
	for _, e := range s.Live {
		fmt.Fprintf(&b, "%+v\n", e)
	}
	for _, d := range s.Deletes {
		fmt.Fprintf(&b, "%+v\n", d)
	}
	for _, namespace := range slices.Sorted(maps.Keys(s.Horizon)) {
		fmt.Fprintf(&b, "horizon of %q %d\n", namespace, s.Horizon[namespace])
	}
	fmt.Fprintf(&b, "owed %q wall %d next %d flushed %d catalog %v last %d v0 %v\n",
		s.Owed(), s.Wall, s.NextMS, s.FlushedLSN, s.Catalog, s.LastLSN, s.V0)
	if withNumber {
		fmt.Fprintf(&b, "edit %d crc %s bytes %d\n", s.LastEdit, s.crc, s.Bytes)
	}
	return b.String()
}

func mustRead(t testing.TB, fs fsys.FS) State {
	t.Helper()
	s, tail, err := Read(fs, base.ManifestFile)
	if err != nil || tail != nil {
		t.Fatalf("read: tail %+v, error %v", tail, err)
	}
	return s
}

// putFile makes a durable file.
func putFile(t testing.TB, fs fsys.FS, path string, data []byte) {
	t.Helper()
	if err := fsys.WriteFileAtomic(fs, path, data); err != nil {
		t.Fatal(err)
	}
}

// What is taken from a state stays as it was when the state moves on.
func TestTakenStays(t *testing.T) {
	first := editN(1, entries(0, 3), nil)
	first.AddDeletes = []DeleteFile{deleteN(1), deleteN(6)}
	first.Horizon = map[string]int64{"": 5}
	l := mustCreate(t, fsys.NewMem(), first)
	live, deletes, horizon := l.State().Live, l.State().Deletes, l.State().Horizon
	want := fmt.Sprint(live, deletes, horizon)
	next := editN(2, entries(3, 9), append(paths(0, 2), deleteN(1).Path))
	next.AddDeletes = []DeleteFile{deleteN(3), deleteN(9)}
	next.Horizon = map[string]int64{"": 6, "a": 7}
	mustAppend(t, l, next)
	if got := fmt.Sprint(live, deletes, horizon); got != want {
		t.Errorf("what was captured changed to\n%s\nfrom\n%s", got, want)
	}
	s := l.State()
	if len(s.Live) != 7 || len(s.Deletes) != 3 || len(s.Horizon) != 2 {
		t.Errorf("%s", describe(s, true))
	}
	if !slices.IsSortedFunc(s.Deletes, func(a, b DeleteFile) int { return int(a.LSN) - int(b.LSN) }) {
		t.Errorf("delete files out of order: %+v", s.Deletes)
	}
	for _, d := range s.Deletes {
		if got, ok := s.Delete(d.Path); !ok || got != d {
			t.Errorf("%s is found as %+v", d.Path, got)
		}
	}
	if _, ok := s.Delete(deleteN(1).Path); ok || !s.Owes(deleteN(1).Path) {
		t.Error("a removed delete file is live, or its removal not owed")
	}
	next.Horizon["a"] = 99 // the caller's own
	if s.Horizon["a"] != 7 {
		t.Error("the state shares the map of the edit")
	}
	mustClose(t, l)
}

func TestHorizonOf(t *testing.T) {
	s := State{Horizon: map[string]int64{"own": 5}}
	if h, ok := s.HorizonOf("own"); h != 5 || !ok {
		t.Errorf("own: %d, %v", h, ok)
	}
	if h, ok := s.HorizonOf("other"); ok {
		t.Errorf("other: %d", h)
	}
	s.Horizon[""] = 9
	for namespace, want := range map[string]int64{"own": 5, "other": 9, "": 9} {
		if h, ok := s.HorizonOf(namespace); h != want || !ok {
			t.Errorf("%q: %d, %v", namespace, h, ok)
		}
	}
}

// A footer of a segment file would be lost on the way to disk.
func TestFooterOfSegment(t *testing.T) {
	e := entryN(1)
	if err := e.validate(false); err != nil {
		t.Fatal(err)
	}
	e.FooterCRC = "00000000"
	if err := e.validate(false); err == nil {
		t.Error("passes")
	}
}
