package manifest

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/fsys"
	"github.com/sydradb/sydradb/internal/golden"
)

func mustCreate(t testing.TB, fs fsys.FS, e Edit) *Log {
	t.Helper()
	l, err := Create(fs, e)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func mustAppend(t testing.TB, l *Log, edits ...Edit) {
	t.Helper()
	for _, e := range edits {
		if err := l.Append(e); err != nil {
			t.Fatal(err)
		}
	}
}

func mustClose(t testing.TB, l *Log) {
	t.Helper()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

// The highest number of an edit is refused a successor.
func TestNumbersEnd(t *testing.T) {
	fs := fsys.NewMem()
	putFile(t, fs, base.ManifestFile, seal(maxEdit, []Edit{editN(0, nil, nil)}, nil))
	if _, err := Open(fs, mustRead(t, fs)); err == nil {
		t.Error("opened with no number left")
	}
	mustRead(t, fs)
}

// What Append keeps in memory is what Read finds, and the bytes are the golden ones.
func TestAppendIsWhatIsRead(t *testing.T) {
	fs := fsys.NewMem()
	edits := threeEdits()
	l := mustCreate(t, fs, edits[0])
	for _, e := range edits[1:] {
		mustAppend(t, l, e)
		s := mustRead(t, fs)
		if got, want := describe(l.State(), true), describe(&s, true); got != want {
			t.Fatalf("in memory:\n%son disk:\n%s", got, want)
		}
	}
	mustClose(t, l)
	text, err := fsys.ReadFile(fs, base.ManifestFile)
	if err != nil {
		t.Fatal(err)
	}
	golden.Check(t, "testdata/manifest.golden", text)
	if edits[1].Add[0].Edit != 1 {
		t.Error("the number of the edit is not in the caller's entries")
	}
}

// The order of writes and syncs: a missing line is a lost sync.
func TestTrace(t *testing.T) {
	var trace bytes.Buffer
	note := func(what string) { fmt.Fprintf(&trace, "# %s\n", what) }
	fs := fsys.Trace(fsys.NewMem(), func(op fsys.Op) { fmt.Fprintln(&trace, op) })
	note("create")
	l, err := Create(fs, editN(0, nil, nil))
	if err != nil {
		t.Fatal(err)
	}
	note("append")
	mustAppend(t, l, editN(1, entries(0, 2), nil))
	note("rewrite")
	if err := l.Rewrite(); err != nil {
		t.Fatal(err)
	}
	note("append")
	mustAppend(t, l, editN(2, entries(2, 3), nil))
	reopen := func() {
		mustClose(t, l)
		note("read and open")
		if l, err = Open(fs, mustRead(t, fs)); err != nil {
			t.Fatal(err)
		}
	}
	note("close with the last line in doubt")
	reopen()
	note("clean close")
	last := editN(3, nil, nil)
	last.LastLSN = 33
	mustAppend(t, l, last)
	reopen()
	note("append")
	mustAppend(t, l, editN(3, entries(3, 4), nil))
	note("close")
	mustClose(t, l)
	golden.Check(t, "testdata/trace.golden", trace.Bytes())
}

// Edits that break an invariant are refused before a byte is written, and leave the
// state and the log as they were.
func TestAppendRefusesBrokenEdits(t *testing.T) {
	for _, tt := range brokenEdits() {
		if tt.onDisk {
			continue
		}
		t.Run(tt.name, func(t *testing.T) {
			fs := fsys.NewMem()
			edits := brokenHistory()
			l := mustCreate(t, fs, edits[0])
			mustAppend(t, l, edits[1])
			before := describe(l.State(), true)
			bad := edits[2]
			bad.Number = 2
			bad.Add, bad.AddDeletes, bad.Remove = slices.Clone(bad.Add), slices.Clone(bad.AddDeletes), slices.Clone(bad.Remove)
			tt.change(&bad)
			if err := l.Append(bad); err == nil || errors.Is(err, ErrFailed) || errors.Is(err, base.ErrCorrupt) {
				t.Errorf("error %v", err)
			}
			if got := describe(l.State(), true); got != before {
				t.Errorf("state moved to\n%s", got)
			}
			mustAppend(t, l, edits[2])
			mustClose(t, l)
			mustRead(t, fs)
		})
	}
	if _, err := Create(fsys.NewMem(), editN(0, append(entries(0, 1), entryN(0)), nil)); err == nil {
		t.Error("created with a broken edit")
	}
}

func TestOpenWithTail(t *testing.T) {
	fs := fsys.NewMem()
	text := seal(0, threeEdits(), nil)
	putFile(t, fs, base.ManifestFile, text[:len(text)-7])
	s, tail, err := Read(fs, base.ManifestFile)
	if err != nil || tail == nil || s.LastEdit != 2 {
		t.Fatal(s.LastEdit, tail, err)
	}
	l, err := Open(fs, s)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Append(editN(3, nil, nil)); err == nil || errors.Is(err, ErrFailed) {
		t.Errorf("appended behind a tail: %v", err)
	}
	if err := l.Rewrite(); err == nil || errors.Is(err, ErrFailed) {
		t.Errorf("rewritten with a tail: %v", err)
	}
	if now, _ := fsys.ReadFile(fs, base.ManifestFile); !bytes.Equal(now, text[:len(text)-7]) {
		t.Error("the file changed before CutTail")
	}
	for range 2 {
		if err := l.CutTail(); err != nil {
			t.Fatal(err)
		}
	}
	mustAppend(t, l, editN(3, entries(5, 6), nil))
	mustClose(t, l)
	if s := mustRead(t, fs); s.LastEdit != 3 || len(s.Live) != 3 {
		t.Errorf("state %s", describe(&s, true))
	}
}

func TestOpenRefuses(t *testing.T) {
	fs := fsys.NewMem()
	if _, err := Open(fs, State{}); err == nil {
		t.Error("opened without having read")
	}
	text := seal(0, threeEdits(), nil)
	putFile(t, fs, base.ManifestFile, text)
	s := mustRead(t, fs)
	putFile(t, fs, base.ManifestFile, text[:len(text)-1])
	if _, err := Open(fs, s); err == nil {
		t.Error("opened a file that shrank")
	}
	if open := fs.OpenFiles(); len(open) > 0 {
		t.Errorf("left open: %v", open)
	}
}

func TestClosedLog(t *testing.T) {
	l := mustCreate(t, fsys.NewMem(), editN(0, nil, nil))
	mustClose(t, l)
	mustClose(t, l)
	for name, err := range map[string]error{
		"append": l.Append(editN(1, nil, nil)), "rewrite": l.Rewrite(), "cut": l.CutTail(),
	} {
		if err == nil {
			t.Errorf("%s works on a closed log", name)
		}
	}
}

func TestShouldRewrite(t *testing.T) {
	fs := fsys.NewMem()
	l := mustCreate(t, fs, editN(0, nil, nil))
	for n := 1; !l.ShouldRewrite(RewriteSlack); n++ {
		// The files of the edit before go: the snapshot stays small, the file grows.
		e := editN(n, entries(n, n+1), paths(max(n-1, 1), n))
		e.AddDeletes, e.Horizon = []DeleteFile{deleteN(n)}, map[string]int64{"a": int64(n)}
		if n > 1 {
			e.Remove = append(e.Remove, deleteN(n-1).Path)
		}
		mustAppend(t, l, e)
		l.Unlinked(e.Remove)
		if n > 5000 {
			t.Fatal("never worth rewriting")
		}
	}
	if size := l.State().Bytes; size <= RewriteSlack || size > RewriteSlack+4096 {
		t.Errorf("worth rewriting at %d bytes", size)
	}
	if err := l.Rewrite(); err != nil {
		t.Fatal(err)
	}
	if size := l.State().Bytes; l.ShouldRewrite(RewriteSlack) || size > 1024 {
		t.Errorf("still worth rewriting, at %d bytes", size)
	}
	mustClose(t, l)
}

// The size that ShouldRewrite reckons with is that of a snapshot, whatever came before.
func TestSnapshotSize(t *testing.T) {
	fs := fsys.NewMem()
	l := mustCreate(t, fs, editN(0, entries(0, 50), nil))
	upkeep := editN(1, append(entries(50, 60), packN(4), packN(5)), paths(0, 20))
	for n := range 9 {
		upkeep.AddDeletes = append(upkeep.AddDeletes, deleteN(n))
	}
	upkeep.Horizon = map[string]int64{"": 1, "weather\n": -base.Hour}
	mustAppend(t, l, upkeep)
	upkeep = editN(2, nil, append(paths(30, 40), packN(4).Path, deleteN(3).Path))
	upkeep.Horizon = map[string]int64{"": 1_700_000_000_000_000_000}
	mustAppend(t, l, upkeep)
	l.Unlinked([]string{deleteN(3).Path, packN(4).Path})
	l.Unlinked(paths(0, 5))
	l.Unlinked(paths(0, 6))
	reckoned := l.State().snapshot
	if err := l.Rewrite(); err != nil {
		t.Fatal(err)
	}
	if real := l.State().Bytes; real < reckoned || real > reckoned+512 {
		t.Errorf("a snapshot has %d bytes, reckoned %d", real, reckoned)
	}
	if got := l.State().Owed(); !slices.Equal(got, slices.Sorted(slices.Values(append(paths(6, 20), paths(30, 40)...)))) {
		t.Errorf("owed %q", got)
	}
	mustClose(t, l)
}

// Random histories against a list and a map, M7 included: reopening and rewriting change
// nothing.
func TestLogAgainstModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		m := &model{fs: fsys.NewMem(), horizon: map[string]int64{}, owed: map[string]bool{}}
		m.log = mustCreate(t, m.fs, editN(0, nil, nil))
		rt.Repeat(map[string]func(*rapid.T){
			"append":  m.append,
			"unlink":  m.unlink,
			"rewrite": m.rewrite,
			"reopen":  m.reopen,
			"":        m.check,
		})
		mustClose(t, m.log)
	})
}

// model is a log and what it should hold.
type model struct {
	fs          *fsys.Mem
	log         *Log
	live        []string
	deletes     []string // in the order of their LSNs
	horizon     map[string]int64
	owed        map[string]bool
	next, edits int
}

func (m *model) append(rt *rapid.T) {
	m.edits++
	n := rapid.IntRange(0, 6).Draw(rt, "adds")
	e := editN(m.edits, entries(m.next, m.next+n), nil)
	m.next += n
	drop := func(path string) bool {
		if rapid.IntRange(0, 3).Draw(rt, "remove") > 0 {
			return false
		}
		e.Remove = append(e.Remove, path)
		m.owed[path] = true
		return true
	}
	m.live, m.deletes = slices.DeleteFunc(m.live, drop), slices.DeleteFunc(m.deletes, drop)
	if rapid.Bool().Draw(rt, "delete") {
		e.AddDeletes = append(e.AddDeletes, deleteN(m.edits))
		m.deletes = append(m.deletes, deleteN(m.edits).Path)
	}
	for _, namespace := range []string{"", "a", "b"} {
		if by := rapid.Int64Range(0, 9).Draw(rt, "move"); by > 5 {
			now, _ := m.log.State().HorizonOf(namespace)
			if e.Horizon == nil {
				e.Horizon = map[string]int64{}
			}
			e.Horizon[namespace], m.horizon[namespace] = now+by, now+by
		}
	}
	for _, a := range e.Add {
		m.live = append(m.live, a.Path)
	}
	if err := m.log.Append(e); err != nil {
		rt.Fatal(err)
	}
}

// unlink settles all removals. The file forgets them only when it is written anew.
func (m *model) unlink(rt *rapid.T) {
	m.log.Unlinked(m.log.State().Owed())
	clear(m.owed)
	m.rewrite(rt)
}

func (m *model) rewrite(rt *rapid.T) {
	before := describe(m.log.State(), false)
	if err := m.log.Rewrite(); err != nil {
		rt.Fatal(err)
	}
	m.reopen(rt)
	if got := describe(m.log.State(), false); got != before {
		rt.Fatalf("rewritten to\n%sfrom\n%s", got, before)
	}
}

func (m *model) reopen(rt *rapid.T) {
	before := describe(m.log.State(), true)
	s, tail, err := Read(m.fs, base.ManifestFile)
	if err != nil || tail != nil {
		rt.Fatal(tail, err)
	}
	if got := describe(&s, true); got != before {
		rt.Fatalf("read\n%swritten\n%s", got, before)
	}
	if err = m.log.Close(); err == nil {
		m.log, err = Open(m.fs, s)
	}
	if err != nil {
		rt.Fatal(err)
	}
}

func (m *model) check(rt *rapid.T) {
	s := m.log.State()
	var got []string
	for _, e := range s.Live {
		got = append(got, e.Path)
		if found, ok := s.Entry(e.Path); !ok || found != e {
			rt.Fatalf("entry of %s: %+v", e.Path, found)
		}
	}
	if !slices.Equal(got, m.live) || len(s.Owed()) != len(m.owed) {
		rt.Fatalf("live %q, owed %d\nwant %q, %d", got, len(s.Owed()), m.live, len(m.owed))
	}
	got = nil
	for _, d := range s.Deletes {
		got = append(got, d.Path)
		if found, ok := s.Delete(d.Path); !ok || found != d {
			rt.Fatalf("delete file at %s: %+v", d.Path, found)
		}
	}
	if !slices.Equal(got, m.deletes) || !maps.Equal(s.Horizon, m.horizon) {
		rt.Fatalf("delete files %q, horizons %v\nwant %q, %v", got, s.Horizon, m.deletes, m.horizon)
	}
	for path := range m.owed {
		if _, live := s.Entry(path); live || !s.Owes(path) {
			rt.Fatalf("%s: not owed, or live", path)
		}
	}
}
