package manifest

import (
	"fmt"
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

// describe renders all of a state that counts, for comparison. Numbers of edits are left
// out on request: rewriting changes them.
func describe(s *State, withNumber bool) string {
	var b strings.Builder
	for _, e := range s.Live {
		fmt.Fprintf(&b, "%+v\n", e)
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

func TestLiveSliceStays(t *testing.T) {
	fs := fsys.NewMem()
	l, err := Create(fs, editN(0, entries(0, 3), nil))
	if err != nil {
		t.Fatal(err)
	}
	before := l.State().Live
	want := slices.Clone(before)
	if err := l.Append(editN(1, entries(3, 9), paths(0, 2))); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(before, want) {
		t.Errorf("a captured list changed to %+v", before)
	}
	if got := len(l.State().Live); got != 7 {
		t.Errorf("%d live, want 7", got)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}
