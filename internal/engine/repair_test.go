package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/fsys"
	"github.com/sydradb/sydradb/internal/manifest"
	"github.com/sydradb/sydradb/internal/segment"
	"github.com/sydradb/sydradb/internal/wal"
)

// repairNow is later than everything in the databases of the tests.
var repairNow = time.Now().Add(time.Hour)

// repair plans a repair and applies it. The directory then passes a check.
func repair(fs *fsys.Mem) ([]RepairStep, error) {
	r, err := PlanRepair(context.Background(), fs, repairNow)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(r.Apply(context.Background()), r.Close()); err != nil {
		return r.Steps(), fmt.Errorf("apply: %w", err)
	}
	if open := fs.OpenFiles(); len(open) > 0 {
		return r.Steps(), fmt.Errorf("files left open: %v", open)
	}
	report, err := Check(context.Background(), fs)
	if err != nil {
		return r.Steps(), fmt.Errorf("check: %w", err)
	}
	for _, f := range report.Findings {
		if f.Severity == Damage {
			return r.Steps(), fmt.Errorf("check: %v", f)
		}
	}
	return r.Steps(), nil
}

// sound returns what must be answered whatever happens to one byte of a file, but for
// points of packs: of these one series of the pack may be lost.
func (m *mixed) sound(t *testing.T, file string) pointsByID {
	t.Helper()
	want := m.want.clone()
	state, _, err := manifest.Read(m.fs, base.ManifestFile)
	if err != nil {
		t.Fatal(err)
	}
	switch e, live := state.Entry(file); {
	case live && !e.IsPack():
		for ts := e.StartTS; ts <= e.EndTS; ts++ {
			delete(want[e.SeriesID], ts)
		}
	case live:
		for _, points := range want {
			for ts := e.StartTS; ts <= e.EndTS; ts++ {
				delete(points, ts)
			}
		}
	case file == base.ManifestFile:
		return m.logged
	case strings.HasPrefix(file, base.WALDir):
		return m.flushed
	}
	return want
}

// rowsNeedCatalog reports whether what the log says of points may be lost with file.
func rowsNeedCatalog(file, what string) bool {
	_, isCatalog := base.ParseCatalogFile(file)
	return isCatalog && !strings.HasPrefix(what, "byte")
}

// verify repairs a database of which one file was damaged, and reads it.
func (m *mixed) verify(t *testing.T, fs *fsys.Mem, file, what string) {
	t.Helper()
	steps, err := repair(fs)
	if errors.Is(err, ErrFormat) && (file == base.FormatFile || file == base.ManifestFile) {
		return // it may be of a newer version
	}
	if err != nil {
		t.Fatalf("%s, %s: %v; steps %v", file, what, err, steps)
	}
	got, names, err := readByID(fs)
	if err != nil {
		t.Fatalf("%s, %s: %v; steps %v", file, what, err, steps)
	}
	if wrong := m.invented(got); wrong != "" {
		t.Fatalf("%s, %s: %s; steps %v", file, what, wrong, steps)
	}
	sound := m.sound(t, file)
	if rowsNeedCatalog(file, what) {
		sound = m.flushed
	}
	if lost := sound.lacks(got); lost != "" {
		t.Fatalf("%s, %s: %s; steps %v", file, what, lost, steps)
	}
	if _, isCatalog := base.ParseCatalogFile(file); !isCatalog && names != len(got) {
		t.Fatalf("%s, %s: %d of %d series have names; steps %v", file, what, names, len(got), steps)
	}
	if !base.IsDeleteFile(file) && file != base.ManifestFile && got.count() > m.want.count() && !base.IsPackFile(file) {
		t.Fatalf("%s, %s: %d points, not %d; steps %v", file, what, got.count(), m.want.count(), steps)
	}
}

func TestRepairFindsNothingToDo(t *testing.T) {
	m := mixedDatabase(t)
	files := func() (all string) {
		for _, f := range filesOf(t, m.fs, "") {
			all += fmt.Sprintf("%s %x\n", f, mustRead(t, m.fs, f))
		}
		return all
	}
	before := files()
	r, err := PlanRepair(t.Context(), m.fs, repairNow)
	if err != nil || len(r.Steps()) > 0 || r.Report().Objects != 2 || r.Report().Refs != 2 || r.Report().Packs != 2 || r.Report().Deletes != 1 {
		t.Fatalf("%v, %v", r, err)
	}
	if _, err := Open(m.fs, Options{}); !errors.Is(err, fsys.ErrLocked) {
		t.Errorf("open meanwhile: %v", err)
	}
	if err := errors.Join(r.Apply(t.Context()), r.Close()); err != nil {
		t.Fatal(err)
	}
	if err := r.Apply(t.Context()); err == nil {
		t.Error("applied twice")
	}
	if after := files(); after != before {
		t.Errorf("files\n%sbecame\n%s", before, after)
	}
}

// Of the tests below each file is damaged in turn.
func (m *mixed) each(t *testing.T, fn func(file string, data []byte)) {
	t.Helper()
	for _, file := range filesOf(t, m.fs, "") {
		if file != base.LockFile {
			fn(file, mustRead(t, m.fs, file))
		}
	}
}

func TestRepairCutAndMissingFiles(t *testing.T) {
	m := mixedDatabase(t)
	m.each(t, func(file string, data []byte) {
		for _, size := range []int{0, 1, len(data) / 3, len(data) / 2, len(data) - 1} {
			fs := m.copy()
			mustReplace(t, fs, file, data[:size])
			m.verify(t, fs, file, fmt.Sprintf("cut to %d bytes", size))
		}
		fs := m.copy()
		if err := fs.Remove(file); err != nil {
			t.Fatal(err)
		}
		m.verify(t, fs, file, "removed")
	})
}

// TestRepairKeepsWhatItTakesAway verifies that the bytes of each file that is not kept as
// it was are in the quarantine.
func TestRepairKeepsWhatItTakesAway(t *testing.T) {
	m := mixedDatabase(t)
	m.each(t, func(file string, data []byte) {
		fs := m.copy()
		flipped := slices.Clone(data)
		flipped[len(data)/3] ^= 0x20
		mustReplace(t, fs, file, flipped)
		before := make(map[string][]byte)
		for _, f := range filesOf(t, fs, "") {
			before[f] = mustRead(t, fs, f)
		}
		if steps, err := repair(fs); errors.Is(err, ErrFormat) {
			return
		} else if err != nil || len(steps) == 0 {
			t.Fatalf("%s: %v, steps %v", file, err, steps)
		}
		for f, data := range before {
			if now, err := fsys.ReadFile(fs, f); err == nil && bytes.Equal(now, data) {
				continue
			}
			if kept := mustRead(t, fs, path.Join(base.QuarantineDir, path.Base(f))); !bytes.Equal(kept, data) {
				t.Errorf("%s damaged: %s is not in the quarantine as it was", file, f)
			}
		}
	})
}

// expectStep verifies that there is a step with this action on a file that says this.
func expectStep(t *testing.T, steps []RepairStep, action RepairAction, file, message string) {
	t.Helper()
	for _, s := range steps {
		if s.Action == action && s.File == file && strings.Contains(s.Message, message) {
			return
		}
	}
	t.Errorf("no step %s %s %q among %v", action, file, message, steps)
}

// mustRepair repairs a database and reads it.
func mustRepair(t *testing.T, fs *fsys.Mem) (steps []RepairStep, got pointsByID, names int) {
	t.Helper()
	steps, err := repair(fs)
	if err != nil {
		t.Fatalf("%v; steps %v", err, steps)
	}
	if got, names, err = readByID(fs); err != nil {
		t.Fatalf("%v; steps %v", err, steps)
	}
	return steps, got, names
}

func flip(t *testing.T, fs fsys.FS, file string, offset int) {
	t.Helper()
	data := mustRead(t, fs, file)
	data[offset] ^= 0x10
	mustReplace(t, fs, file, data)
}

// packsOf returns the paths of the packs, in the order in which they were written.
func packsOf(t *testing.T, fs fsys.FS) (packs []string) {
	t.Helper()
	state, _, err := manifest.Read(fs, base.ManifestFile)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range state.Live {
		if e.IsPack() {
			packs = append(packs, e.Path)
		}
	}
	return packs
}

func TestRepairSavesTheSoundBlocksOfAPack(t *testing.T) {
	reuseMemory(t)
	m := mixedDatabase(t)
	file := packsOf(t, m.fs)[1]
	most := 0
	for i := 28; i < 200; i++ { // columns
		fs := m.copy()
		flip(t, fs, file, i)
		steps, got, names := mustRepair(t, fs)
		lost := 0
		for id, points := range m.want {
			for ts, value := range points {
				if got[id][ts] != value {
					lost++
				}
			}
		}
		most = max(most, lost)
		if lost > 4 {
			continue // the column of times, which all share
		}
		expectStep(t, steps, RepairRewrite, file, "points are saved")
		if wrong := m.invented(got); wrong != "" || names != 9 {
			t.Fatalf("byte %d: %s, %d names", i, wrong, names)
		}
		state, _, err := manifest.Read(fs, base.ManifestFile)
		if err != nil {
			t.Fatal(err)
		}
		if seqs := seqsOf(&state); !slices.Equal(seqs, m.seqs(t)) {
			t.Fatalf("places in write order %v, not %v", seqs, m.seqs(t))
		}
	}
	if most == 0 {
		t.Error("nothing was damaged")
	}
}

func seqsOf(s *manifest.State) (seqs []base.LSN) {
	for _, e := range s.Live {
		seqs = append(seqs, e.Seq)
	}
	slices.Sort(seqs)
	return slices.Compact(seqs)
}

func (m *mixed) seqs(t *testing.T) []base.LSN {
	t.Helper()
	state, _, err := manifest.Read(m.fs, base.ManifestFile)
	if err != nil {
		t.Fatal(err)
	}
	return seqsOf(&state)
}

func TestRepairWithoutCatalog(t *testing.T) {
	m := mixedDatabase(t)
	fs := m.copy()
	if err := fs.Remove(base.CatalogFile(1)); err != nil {
		t.Fatal(err)
	}
	steps, got, names := mustRepair(t, fs)
	expectStep(t, steps, RepairCreate, base.CatalogFile(1), "missing")
	for _, file := range filesOf(t, m.fs, base.WALDir)[:4] {
		expectStep(t, steps, RepairRewrite, file, "neither the catalog nor the log")
	}
	if lost := m.flushed.lacks(got); lost != "" {
		t.Error(lost)
	}
	// The log introduces one series and its two points.
	if names != 1 || got.count() != m.flushed.count()+2 {
		t.Errorf("%d names, %d points of %d in files", names, got.count(), m.flushed.count())
	}
	// A series takes its name back from whoever writes to it.
	e := openTest(t, fs, Options{})
	m.write(t, e, 8, 4*base.Hour, 1)
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if _, names, err := readByID(fs); err != nil || names != 9 {
		t.Errorf("%d names, %v", names, err)
	}
}

// Either kind of frame tells the id; only one of them has the name.
func TestRepairOfACatalogFrame(t *testing.T) {
	reuseMemory(t)
	m := mixedDatabase(t)
	file := base.CatalogFile(1)
	named := make(map[int]int)
	for i := range mustRead(t, m.fs, file) {
		fs := m.copy()
		flip(t, fs, file, i)
		_, got, names := mustRepair(t, fs)
		if lost := m.want.lacks(got); lost != "" || got.count() != m.want.count() {
			t.Fatalf("byte %d: %s, %d points", i, lost, got.count())
		}
		named[names]++
	}
	if named[9] == 0 || named[9] == len(mustRead(t, m.fs, file)) {
		t.Errorf("cases by number of names: %v", named)
	}
}

func TestRepairOfTheLog(t *testing.T) {
	m := mixedDatabase(t)
	logs := filesOf(t, m.fs, base.WALDir)
	if len(logs) < 4 {
		t.Fatalf("only %v", logs)
	}
	// filesOf lists current.wal behind the others.
	var lsns []base.LSN
	for _, f := range logs {
		first := true
		if err := wal.Scan(m.fs, f, func(rec wal.Record) error {
			if first {
				lsns = append(lsns, rec.LSN)
			}
			first = false
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("damage in the middle", func(t *testing.T) {
		fs := m.copy()
		flip(t, fs, logs[1], len(mustRead(t, fs, logs[1]))-3)
		steps, got, _ := mustRepair(t, fs)
		expectStep(t, steps, RepairRewrite, logs[1], "it is kept up to there")
		for _, f := range logs[2:] {
			expectStep(t, steps, RepairSetAside, f, "behind what is damaged")
		}
		if lost := m.flushed.lacks(got); lost != "" || got.count() <= m.flushed.count() || got.count() >= m.want.count() {
			t.Errorf("%s, %d points", lost, got.count())
		}
	})
	t.Run("a file in the middle is missing", func(t *testing.T) {
		fs := m.copy()
		if err := fs.Remove(logs[1]); err != nil {
			t.Fatal(err)
		}
		steps, got, _ := mustRepair(t, fs)
		expectStep(t, steps, RepairSetAside, logs[2], fmt.Sprintf("the records from %d to", lsns[1]))
		if lost := m.flushed.lacks(got); lost != "" || got.count() >= m.want.count() {
			t.Errorf("%s, %d points", lost, got.count())
		}
	})
	t.Run("the first files are missing", func(t *testing.T) {
		fs := m.copy()
		for _, f := range logs[:2] {
			if err := fs.Remove(f); err != nil {
				t.Fatal(err)
			}
		}
		steps, got, _ := mustRepair(t, fs)
		expectStep(t, steps, RepairForget, base.WALDir, fmt.Sprintf("to %d are in no file", lsns[2]-1))
		if lost := m.flushed.lacks(got); lost != "" || got.count() <= m.flushed.count() {
			t.Errorf("%s, %d points", lost, got.count())
		}
	})
	t.Run("all are missing", func(t *testing.T) {
		fs := m.copy()
		for _, f := range logs {
			if err := fs.Remove(f); err != nil {
				t.Fatal(err)
			}
		}
		if err := fs.Remove(base.WALDir); err != nil {
			t.Fatal(err)
		}
		steps, got, _ := mustRepair(t, fs)
		expectStep(t, steps, RepairCreate, base.CurrentWAL, "missing")
		if lost := m.flushed.lacks(got); lost != "" || got.count() != m.flushed.count() {
			t.Errorf("%s, %d points", lost, got.count())
		}
	})
	t.Run("a record that cannot be decoded", func(t *testing.T) {
		fs := m.copy()
		// The body of a Batch makes no Delete.
		appendRecord(t, fs, nil, []base.Row{{Ordinal: 0, TS: 1}})
		at := len(mustRead(t, m.fs, base.CurrentWAL))
		retype(t, fs, at, wal.TypeDelete)
		expect(t, mustCheck(t, fs), Damage, base.CurrentWAL, "")
		steps, got, _ := mustRepair(t, fs)
		expectStep(t, steps, RepairRewrite, base.CurrentWAL, "it is kept up to there")
		if lost := m.want.lacks(got); lost != "" || got.count() != m.want.count() {
			t.Errorf("%s, %d points", lost, got.count())
		}
	})
	t.Run("a record of a newer version", func(t *testing.T) {
		fs := m.copy()
		appendRecord(t, fs, nil, []base.Row{{Ordinal: 0, TS: 1}})
		retype(t, fs, len(mustRead(t, m.fs, base.CurrentWAL)), wal.TypeAttach)
		if _, err := PlanRepair(t.Context(), fs, repairNow); !errors.Is(err, ErrFormat) {
			t.Errorf("error %v", err)
		}
	})
	t.Run("the log ends before what is in files", func(t *testing.T) {
		fs := m.copy()
		e := openTest(t, fs, Options{MergeOff: true})
		before := mustRead(t, fs, logs[0])
		if err := errors.Join(e.Flush(t.Context()), e.Close()); err != nil {
			t.Fatal(err)
		}
		for _, f := range filesOf(t, fs, base.WALDir) {
			if err := fs.Remove(f); err != nil {
				t.Fatal(err)
			}
		}
		mustPut(t, fs, logs[0], string(before))
		steps, got, _ := mustRepair(t, fs)
		expectStep(t, steps, RepairForget, logs[0], "")
		if lost := m.want.lacks(got); lost != "" || got.count() != m.want.count() {
			t.Errorf("%s, %d points", lost, got.count())
		}
	})
	t.Run("of another database", func(t *testing.T) {
		fs, other := m.copy(), mixedDatabase(t)
		for _, f := range logs {
			mustReplace(t, fs, f, mustRead(t, other.fs, f))
		}
		steps, got, _ := mustRepair(t, fs)
		expectStep(t, steps, RepairSetAside, logs[0], "another database")
		if lost := m.flushed.lacks(got); lost != "" || got.count() != m.flushed.count() {
			t.Errorf("%s, %d points", lost, got.count())
		}
	})
}

// retype gives the record at an offset of current.wal another type.
func retype(t *testing.T, fs fsys.FS, at int, kind byte) {
	t.Helper()
	var lsn, durable base.LSN
	if err := wal.Scan(fs, base.CurrentWAL, func(rec wal.Record) error {
		lsn, durable = rec.LSN, rec.Durable
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	data := mustRead(t, fs, base.CurrentWAL)
	data[at+4] = kind
	wal.Seal(data[at:], lsn, durable)
	mustReplace(t, fs, base.CurrentWAL, data)
}

func TestRepairOfManifest(t *testing.T) {
	m := mixedDatabase(t)
	data := mustRead(t, m.fs, base.ManifestFile)
	lines := bytes.SplitAfter(data, []byte("\n"))
	at := 0
	for i, line := range lines[:len(lines)-1] {
		fs := m.copy()
		flip(t, fs, base.ManifestFile, at+len(line)/2)
		at += len(line)
		steps, got, _ := mustRepair(t, fs)
		if lost := m.logged.lacks(got); lost != "" {
			t.Errorf("line %d: %s", i, lost)
		}
		// The last one is that of the close: it may have been torn.
		if (len(steps) == 0) != (i == len(lines)-2) {
			t.Errorf("line %d: steps %v", i, steps)
		}
	}
	// One byte is put right.
	fs := m.copy()
	flip(t, fs, base.ManifestFile, len(lines[0])+len(lines[1])+10)
	steps, got, _ := mustRepair(t, fs)
	expectStep(t, steps, RepairRewrite, base.ManifestFile, "the checksums tell what was there")
	if lost := m.want.lacks(got); lost != "" || got.count() != m.want.count() {
		t.Errorf("%s, %d points", lost, got.count())
	}
	// Where more is damaged, files stay that other lines name.
	fs = m.copy()
	damaged := bytes.Clone(data)
	copy(damaged[len(lines[0])+len(lines[1])+bytes.Index(lines[2], []byte("blake3")):], "damaged")
	mustReplace(t, fs, base.ManifestFile, damaged)
	steps, got, _ = mustRepair(t, fs)
	expectStep(t, steps, RepairRewrite, base.ManifestFile, "what the sound lines say goes on, and 0 files")
	expectStep(t, steps, RepairSetAside, packsOf(t, m.fs)[0], "no line of MANIFEST that is left names it; 40 points leave the database with it")
	// Of 7 series, and one of which they were deleted, the other pack lacks two points.
	if want := m.want.count() - 7*2; m.invented(got) != "" || got.count() != want {
		t.Errorf("%d points, not %d", got.count(), want)
	}
	if err := fs.Remove(base.ManifestFile); err != nil {
		t.Fatal(err)
	}
	steps, _, _ = mustRepair(t, fs)
	expectStep(t, steps, RepairCreate, base.ManifestFile, "only what is in the log is left")
}

func TestRepairOfFormat(t *testing.T) {
	m := mixedDatabase(t)
	text := string(mustRead(t, m.fs, base.FormatFile))
	digits := text[strings.Index(text, `"uuid":"`)+8:][:32]
	for name, c := range map[string]struct{ text, message string }{
		"empty":        {"", "the log tells the uuid"},
		"one digit":    {strings.Replace(text, digits, "x"+digits[1:], 1), "the log tells the uuid"},
		"another uuid": {strings.Replace(text, digits, strings.Map(rotate, digits[:2])+digits[2:], 1), "differs in some digits"},
		"spaces":       {" " + text, "not as it was written"},
	} {
		t.Run(name, func(t *testing.T) {
			fs := m.copy()
			mustReplace(t, fs, base.FormatFile, []byte(c.text))
			steps, got, _ := mustRepair(t, fs)
			expectStep(t, steps, RepairRewrite, base.FormatFile, c.message)
			if uuid, err := readFormat(fs); err != nil || uuid != m.uuid {
				t.Errorf("uuid %x, %v", uuid, err)
			}
			if lost := m.want.lacks(got); lost != "" || len(steps) != 1 {
				t.Errorf("%s, steps %v", lost, steps)
			}
		})
	}
}

// rotate turns a hex digit into another one.
func rotate(c rune) rune {
	const hex = "0123456789abcdef"
	return rune(hex[(strings.IndexRune(hex, c)+1)%16])
}

func TestRepairRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		file, text string
		want       error
	}{
		"empty":   {"", "", ErrNotDatabase},
		"foreign": {"notes.txt", "hello", ErrNotDatabase},
		"newer":   {base.FormatFile, `{"format":2}`, ErrFormat},
	} {
		t.Run(name, func(t *testing.T) {
			fs := fsys.NewMem()
			if c.file != "" {
				mustPut(t, fs, c.file, c.text)
			}
			if _, err := PlanRepair(t.Context(), fs, repairNow); !errors.Is(err, c.want) {
				t.Errorf("error %v, want %v", err, c.want)
			}
		})
	}
	t.Run("unreadable", func(t *testing.T) {
		m := mixedDatabase(t)
		pack := packsOf(t, m.fs)[0]
		m.fs.SetHook(func(op fsys.Op) fsys.Fault {
			if op.Kind == fsys.OpRead && op.Path == pack {
				return fsys.Fault{Err: errInjected}
			}
			return fsys.Fault{}
		})
		if _, err := PlanRepair(t.Context(), m.fs, repairNow); !errors.Is(err, errInjected) {
			t.Errorf("error %v", err)
		}
		m.fs.SetHook(nil)
		openTest(t, m.fs, Options{}) // the lock was given back
	})
}

func TestRepairOfFilesOfOneSeq(t *testing.T) {
	m := mixedDatabase(t)
	state, _, err := manifest.Read(m.fs, base.ManifestFile)
	if err != nil {
		t.Fatal(err)
	}
	for _, first := range state.Live {
		fs := m.copy()
		id := first.SeriesID
		if first.IsPack() {
			for id = range m.logged {
				if len(m.want[id]) > 15 && m.hidden[id] == nil {
					break
				}
			}
		}
		twin := addSegment(t, fs, id, first.Seq, first.StartTS)
		report := mustCheck(t, fs)
		if len(report.Findings) != 1 || !strings.Contains(report.Findings[0].Message, "with the same seq") {
			t.Fatalf("findings %v", report.Findings)
		}
		steps, got, _ := mustRepair(t, fs)
		expectStep(t, steps, RepairRewrite, first.Path, "without 1 points")
		want := m.want.clone()
		if last := state.Live[len(state.Live)-1]; !first.IsPack() || first.Path == last.Path || first.StartTS < last.StartTS {
			want[id][twin.StartTS] = 0
		}
		if lost := want.lacks(got); lost != "" || got.count() != want.count() {
			t.Errorf("%s: %s", first.Path, lost)
		}
	}
}

// addPack adds a pack with a point of each of some series to a database that is closed.
func addPack(t *testing.T, fs *fsys.Mem, seq base.LSN, ts int64, ids ...base.SeriesID) manifest.Entry {
	t.Helper()
	state, _, err := manifest.Read(fs, base.ManifestFile)
	if err != nil {
		t.Fatal(err)
	}
	w, err := segment.CreatePack(fs, segment.PackOptions{NowMS: state.NextMS, Bucket: base.DayStart(ts), Width: base.Day})
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range ids {
		if err := w.Append(id, []int64{ts}, []float64{0}); err != nil {
			t.Fatal(err)
		}
	}
	entry, err := w.Finish()
	if err != nil {
		t.Fatal(err)
	}
	log, err := manifest.Open(fs, state)
	if err != nil {
		t.Fatal(err)
	}
	entry.Seq = seq
	s := log.State()
	err = log.Append(manifest.Edit{
		NextMS: s.NextMS + 1, FlushedLSN: s.FlushedLSN, Catalog: s.Catalog, LastLSN: s.LastLSN, Add: []manifest.Entry{entry},
	})
	if err := errors.Join(err, log.Close()); err != nil {
		t.Fatal(err)
	}
	return entry
}

func TestRepairOfPacksOfOneSeq(t *testing.T) {
	m := mixedDatabase(t)
	state, _, err := manifest.Read(m.fs, base.ManifestFile)
	if err != nil {
		t.Fatal(err)
	}
	var ids []base.SeriesID
	for id := range m.flushed {
		if m.hidden[id] == nil && len(m.flushed[id]) == 6 {
			ids = append(ids, id)
		}
	}
	for _, first := range state.Live {
		if !first.IsPack() {
			continue
		}
		// One that is of other series, or of other times, is no damage.
		fs := m.copy()
		addPack(t, fs, first.Seq, first.EndTS+1, ids...)
		addPack(t, fs, first.Seq, first.EndTS, 12345)
		if report := mustCheck(t, fs); len(report.Findings) != 1 || !strings.Contains(report.Findings[0].Message, "neither in the catalog") {
			t.Fatalf("findings %v", report.Findings)
		}
		fs = m.copy()
		addPack(t, fs, first.Seq, first.EndTS, ids...)
		report := mustCheck(t, fs)
		if len(report.Findings) != 1 || !strings.Contains(report.Findings[0].Message, "with the same seq") {
			t.Fatalf("findings %v", report.Findings)
		}
		steps, got, _ := mustRepair(t, fs)
		expectStep(t, steps, RepairRewrite, first.Path, fmt.Sprintf("without %d points", len(ids)))
		if want := m.want.count(); got.count() != want {
			t.Errorf("%s: %d points, not %d", first.Path, got.count(), want)
		}
	}
}

// damageMany damages something of every kind at once.
func (m *mixed) damageMany(t *testing.T) *fsys.Mem {
	t.Helper()
	fs := m.copy()
	packs := packsOf(t, fs)
	logs := filesOf(t, fs, base.WALDir)
	flip(t, fs, packs[1], 60)
	flip(t, fs, base.CatalogFile(1), 40)
	flip(t, fs, logs[2], len(mustRead(t, fs, logs[2]))-3)
	flip(t, fs, liveSegments(t, fs)[0], 30)
	flip(t, fs, filesOf(t, fs, base.DeletesDir)[0], 30)
	flip(t, fs, filesOf(t, fs, base.ObjectsDir)[0], 7)
	flip(t, fs, filesOf(t, fs, base.RefsDir)[1], 7)
	flip(t, fs, base.FormatFile, 3)
	flip(t, fs, base.TagsFile, 3)
	return fs
}

// A repair may be cut short anywhere: the next one ends with the same answers, and an
// opening between the two is refused or answers the same, too.
func TestRepairCutShort(t *testing.T) {
	reuseMemory(t)
	m := mixedDatabase(t)
	for name, fs := range map[string]*fsys.Mem{"many": m.damageMany(t), "catalog": m.copy(), "manifest": m.copy()} {
		switch name {
		case "catalog":
			if err := fs.Remove(base.CatalogFile(1)); err != nil {
				t.Fatal(err)
			}
		case "manifest":
			flip(t, fs, base.ManifestFile, len(mustRead(t, fs, base.ManifestFile))/2)
		}
		t.Run(name, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(1, 2))
			_, want, names := mustRepair(t, fs.CrashClone(rng, 100))
			var clones []*fsys.Mem
			var at []string
			played := fs.CrashClone(rng, 100)
			played.SetHook(func(op fsys.Op) fsys.Fault {
				if op.Kind.Mutates() && op.Kind != fsys.OpLock {
					for _, keep := range []int{0, rng.IntN(101)} {
						clones, at = append(clones, played.CrashClone(rng, keep)), append(at, op.String())
					}
				}
				return fsys.Fault{}
			})
			r, err := PlanRepair(t.Context(), played, repairNow)
			if err != nil || len(clones) > 0 {
				t.Fatalf("%v, changed %v", err, at)
			}
			if err := errors.Join(r.Apply(t.Context()), r.Close()); err != nil {
				t.Fatal(err)
			}
			played.SetHook(nil)
			if len(clones) < 30 {
				t.Errorf("only %d crashes", len(clones))
			}
			for i, clone := range clones {
				if got, _, err := readByID(clone.CrashClone(rng, 100)); err == nil && (want.lacks(got) != "" || got.count() != want.count()) {
					t.Fatalf("opened before %s: %s, %d points, not %d", at[i], want.lacks(got), got.count(), want.count())
				}
				steps, err := repair(clone)
				if err != nil {
					t.Fatalf("before %s: %v; steps %v", at[i], err, steps)
				}
				got, n, err := readByID(clone)
				if err != nil || want.lacks(got) != "" || got.count() != want.count() || n != names {
					t.Fatalf("before %s: %v, %s, %d points, not %d, %d names, not %d; steps %v", at[i], err, want.lacks(got), got.count(), want.count(), n, names, steps)
				}
			}
		})
	}
}

// A repair that fails, at whichever operation, can be tried again.
func TestRepairThatFails(t *testing.T) {
	reuseMemory(t)
	m := mixedDatabase(t)
	damaged := m.damageMany(t)
	rng := rand.New(rand.NewPCG(1, 2))
	_, want, _ := mustRepair(t, damaged.CrashClone(rng, 100))
	for n := int64(1); ; n++ {
		fs := damaged.CrashClone(rng, 100)
		r, err := PlanRepair(t.Context(), fs, repairNow)
		if err != nil {
			t.Fatal(err)
		}
		hit := injectFaults(fs, faultKinds[4*(n%2)], rng, n) // of input and output, and of syncs
		err = r.Apply(t.Context())
		fs.SetHook(nil)
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		if !hit.Load() {
			if err != nil || n < 30 {
				t.Fatalf("after %d operations: %v", n, err)
			}
			return
		}
		if err == nil {
			continue // it was not one that can fail like this
		}
		steps, err := repair(fs)
		if err != nil {
			t.Fatalf("operation %d: %v; steps %v", n, err, steps)
		}
		if got, _, err := readByID(fs); err != nil || want.lacks(got) != "" || got.count() != want.count() {
			t.Fatalf("operation %d: %v, %s; steps %v", n, err, want.lacks(got), steps)
		}
	}
}

// Series whose keys have one hash keep their ids, whichever frame is damaged.
func TestRepairOfACatalogWithCollisions(t *testing.T) {
	opts := Options{Sync: SyncAlways, HashSeries: func([]byte) uint64 { return 7 }}
	whole := fsys.NewMem()
	e := openTest(t, whole, opts)
	if _, err := e.Write(t.Context(), rowsOf(t, e, 5, 1, 1), nil); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(e.Flush(t.Context()), e.Close()); err != nil {
		t.Fatal(err)
	}
	file := base.CatalogFile(1)
	for i := range mustRead(t, whole, file) {
		fs := whole.CrashClone(rand.New(rand.NewPCG(1, 1)), 100)
		flip(t, fs, file, i)
		r, err := planRepair(t.Context(), fs, repairNow, opts.HashSeries)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(r.Apply(t.Context()), r.Close()); err != nil {
			t.Fatal(err)
		}
		if err := checkClean(fs, opts); err != nil {
			t.Fatalf("byte %d: %v; steps %v", i, err, r.Steps())
		}
		again := openTest(t, fs, opts)
		if n, err := readRaw(again); n != 5 || err != nil {
			t.Fatalf("byte %d: %d points, %v; steps %v", i, n, err, r.Steps())
		}
	}
}
