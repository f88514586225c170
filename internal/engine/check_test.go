package engine

import (
	"context"
	"errors"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/fsys"
	"github.com/sydradb/sydradb/internal/manifest"
	"github.com/sydradb/sydradb/internal/segment"
	"github.com/sydradb/sydradb/internal/wal"
)

// mustCheck checks a database, and that the check changes nothing.
func mustCheck(t *testing.T, fs *fsys.Mem) *CheckReport {
	t.Helper()
	var changed []string
	fs.SetHook(func(op fsys.Op) fsys.Fault {
		if op.Kind.Mutates() && op.Kind != fsys.OpLock {
			changed = append(changed, op.String())
		}
		return fsys.Fault{}
	})
	defer fs.SetHook(nil)
	report, err := Check(t.Context(), fs)
	if err != nil {
		t.Fatal(err)
	}
	if len(changed) > 0 {
		t.Errorf("the check has written: %q", changed)
	}
	if open := fs.OpenFiles(); len(open) > 0 {
		t.Errorf("files left open: %v", open)
	}
	return report
}

// about returns the findings on a file.
func about(report *CheckReport, file string) (found []Finding) {
	for _, f := range report.Findings {
		if f.File == file {
			found = append(found, f)
		}
	}
	return found
}

// expect verifies that the first finding on a file is of this grade and says this.
func expect(t *testing.T, report *CheckReport, severity Severity, file, message string) {
	t.Helper()
	found := about(report, file)
	if len(found) == 0 {
		t.Errorf("nothing found about %s, but %v", file, report.Findings)
	} else if found[0].Severity != severity || !strings.Contains(found[0].Message, message) {
		t.Errorf("found %+v, want %s and %q", found[0], severity, message)
	}
}

func mustRead(t *testing.T, fs fsys.FS, file string) []byte {
	t.Helper()
	data, err := fsys.ReadFile(fs, file)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// mustPut makes a file, and the directory that it is in.
func mustPut(t *testing.T, fs fsys.FS, file, text string) {
	t.Helper()
	if err := fs.MkdirAll(path.Dir(file)); err != nil {
		t.Fatal(err)
	}
	mustReplace(t, fs, file, []byte(text))
}

// liveSegments returns the paths of the segment files.
func liveSegments(t *testing.T, fs fsys.FS) []string {
	t.Helper()
	files := filesOf(t, fs, base.SegmentsDir)
	if len(files) < 3 {
		t.Fatalf("only %d segment files", len(files))
	}
	return files
}

func TestCheckCountsWhatItReads(t *testing.T) {
	fs, _ := closedDatabase(t)
	report := mustCheck(t, fs)
	if len(report.Findings) > 0 || report.Damaged() {
		t.Errorf("findings %v", report.Findings)
	}
	var want CheckReport
	for _, file := range filesOf(t, fs, "") {
		if file != base.LockFile {
			want.Files++
			want.Bytes += int64(len(mustRead(t, fs, file)))
		}
	}
	e, err := Open(fs, Options{})
	if err != nil {
		t.Fatal(err)
	}
	stats := e.Stats()
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	want.Series, want.Segments, want.Points = int64(stats.Series), int64(stats.SegmentFiles), stats.SegmentPoints
	report.Findings = nil
	if report.LogRecords == 0 || report.LogPoints < stats.MemtablePoints {
		t.Errorf("%d points in %d records of the log, %d in the memtable", report.LogPoints, report.LogRecords, stats.MemtablePoints)
	}
	want.LogRecords, want.LogPoints = report.LogRecords, report.LogPoints
	if got := *report; got.Files != want.Files || got.Bytes != want.Bytes || got.Series != want.Series || got.Segments != want.Segments || got.Points != want.Points {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestCheckNeedsADatabase(t *testing.T) {
	entry := `{"series_id":1,"hour_bucket":0,"start_ts":0,"end_ts":9,"count":10,"path":"segments/0/1-0-9-5.seg"}`
	for name, test := range map[string]struct {
		file, text string
		want       error
		mention    string
	}{
		"empty":     {"", "", ErrNotDatabase, "empty"},
		"foreign":   {"notes.txt", "hello", ErrNotDatabase, "notes.txt"},
		"version 0": {base.ManifestFile, entry + "\n", ErrNotDatabase, "version 0"},
		"newer":     {base.FormatFile, `{"format":2}`, ErrFormat, "newer"},
	} {
		t.Run(name, func(t *testing.T) {
			fs := fsys.NewMem()
			if test.file != "" {
				mustPut(t, fs, test.file, test.text)
			}
			report, err := Check(t.Context(), fs)
			if !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.mention) || report != nil {
				t.Errorf("report %v, error %v", report, err)
			}
			if found, _ := fsys.Exists(fs, base.LockFile); found && test.want == ErrNotDatabase {
				t.Error("a lock file was made")
			}
		})
	}
}

// Every byte of every file is covered by something. The exceptions: LOCK is empty,
// tags.json is no truth, and FORMAT says when the database was made.
func TestCheckFindsEveryFlippedByte(t *testing.T) {
	fs, _ := closedDatabase(t)
	rng := rand.New(rand.NewPCG(1, 1))
	stride := 5
	if raceEnabled {
		stride = 13
	}
	for _, file := range filesOf(t, fs, "") {
		if file == base.TagsFile {
			continue
		}
		data := mustRead(t, fs, file)
		created := strings.Index(string(data), `"created"`)
		for i := 0; i < len(data); i += stride {
			if file == base.FormatFile && i > created && i < created+40 {
				continue
			}
			damaged := fs.CrashClone(rng, 100)
			flipped := slices.Clone(data)
			flipped[i] ^= 1 << (i % 8)
			mustReplace(t, damaged, file, flipped)
			report, err := Check(t.Context(), damaged)
			if file == base.FormatFile && errors.Is(err, ErrFormat) {
				continue
			}
			if file == base.FormatFile && err == nil && report.Damaged() {
				continue // the uuid: the log has another
			}
			if err != nil || len(about(report, file)) == 0 {
				t.Fatalf("%s, byte %d: error %v, report %+v", file, i, err, report)
			}
			// Of the last line of MANIFEST, that of the close, nothing depends.
			if !report.Damaged() && file != base.ManifestFile {
				t.Fatalf("%s, byte %d: %v", file, i, report.Findings)
			}
		}
	}
}

// The same for packs, deletions and objects. A ref has no checksum.
func TestCheckFindsEveryFlippedByteOfPacks(t *testing.T) {
	m := mixedDatabase(t)
	stride := 3
	if raceEnabled {
		stride = 37
	}
	for _, file := range filesOf(t, m.fs, "") {
		if !base.IsPackFile(file) && !base.IsDeleteFile(file) && !strings.HasPrefix(file, base.ObjectsDir) {
			continue
		}
		data := mustRead(t, m.fs, file)
		for i := 0; i < len(data); i += stride {
			damaged := m.copy()
			flipped := slices.Clone(data)
			flipped[i] ^= 1 << (i % 8)
			mustReplace(t, damaged, file, flipped)
			report, err := Check(t.Context(), damaged)
			if err != nil || !report.Damaged() || len(about(report, file)) == 0 {
				t.Fatalf("%s, byte %d: error %v, report %+v", file, i, err, report)
			}
		}
		damaged := m.copy()
		if err := damaged.Remove(file); err != nil {
			t.Fatal(err)
		}
		report := mustCheck(t, damaged)
		if isObject := strings.HasPrefix(file, base.ObjectsDir); report.Damaged() == isObject {
			t.Errorf("%s removed: %v", file, report.Findings)
		}
	}
}

// A ref has no checksum, but what cannot name an object is damage.
func TestCheckFindsDamagedRefs(t *testing.T) {
	m := mixedDatabase(t)
	for _, file := range filesOf(t, m.fs, base.RefsDir) {
		data := string(mustRead(t, m.fs, file))
		for _, text := range []string{"", data[:1], data[:len(data)-1], data + "\n", "g" + data[1:], strings.ToUpper("a" + data[1:])} {
			damaged := m.copy()
			mustReplace(t, damaged, file, []byte(text))
			if report := mustCheck(t, damaged); !report.Damaged() || len(about(report, file)) == 0 {
				t.Errorf("%s, with %q in it: %v", file, text, report.Findings)
			}
		}
	}
}

func TestCheckFindsWhatIsCutOffOrMissing(t *testing.T) {
	fs, _ := closedDatabase(t)
	rng := rand.New(rand.NewPCG(1, 1))
	for _, file := range filesOf(t, fs, "") {
		if file == base.TagsFile || file == base.LockFile {
			continue
		}
		data := mustRead(t, fs, file)
		for _, size := range []int{0, len(data) / 2, len(data) - 1} {
			damaged := fs.CrashClone(rng, 100)
			mustReplace(t, damaged, file, data[:size])
			if report := mustCheck(t, damaged); len(about(report, file)) == 0 {
				t.Errorf("%s cut to %d bytes: %v", file, size, report.Findings)
			}
		}
		damaged := fs.CrashClone(rng, 100)
		if err := damaged.Remove(file); err != nil {
			t.Fatal(err)
		}
		report, err := Check(t.Context(), damaged)
		if file == base.FormatFile {
			if !errors.Is(err, ErrNotDatabase) {
				t.Errorf("%s removed: %v", file, err)
			}
			continue
		}
		at := file
		if file == base.CurrentWAL {
			at = base.WALDir
		}
		if err != nil || !report.Damaged() || len(about(report, at)) == 0 {
			t.Errorf("%s removed: report %+v, error %v", file, report, err)
		}
	}
}

func TestCheckGoesOnAfterAFinding(t *testing.T) {
	fs, _ := closedDatabase(t)
	segments := liveSegments(t, fs)
	flipped := []string{base.CatalogFile(1), base.CurrentWAL, segments[0], segments[2]}
	for _, file := range flipped {
		data := mustRead(t, fs, file)
		data[len(data)/3] ^= 4
		mustReplace(t, fs, file, data)
	}
	if err := fs.Remove(segments[1]); err != nil {
		t.Fatal(err)
	}
	mustPut(t, fs, "notes.txt", "hello")
	report := mustCheck(t, fs)
	for _, file := range flipped {
		expect(t, report, Damage, file, "")
	}
	expect(t, report, Damage, segments[1], "missing")
	expect(t, report, Unknown, "notes.txt", "")
	if len(report.Findings) != len(flipped)+2 {
		t.Errorf("%d findings: %v", len(report.Findings), report.Findings)
	}
}

// Without its MANIFEST, the other files are still looked at, each by itself.
func TestCheckWithoutManifest(t *testing.T) {
	fs, _ := closedDatabase(t)
	segments := liveSegments(t, fs)
	for what, manifest := range map[string][]byte{
		"missing":      nil,
		"rotten":       append([]byte{'['}, mustRead(t, fs, base.ManifestFile)[1:]...),
		"of version 0": []byte(`{"series_id":1,"hour_bucket":0,"start_ts":0,"end_ts":9,"count":10,"path":"segments/0/1-0-9-5.seg"}` + "\n"),
	} {
		t.Run(what, func(t *testing.T) {
			fs := fs.CrashClone(rand.New(rand.NewPCG(1, 1)), 100)
			if manifest == nil {
				if err := fs.Remove(base.ManifestFile); err != nil {
					t.Fatal(err)
				}
			} else {
				mustReplace(t, fs, base.ManifestFile, manifest)
			}
			report := mustCheck(t, fs)
			expect(t, report, Damage, base.ManifestFile, "")
			if len(report.Findings) != 1 || report.LogRecords == 0 || report.Segments != 0 {
				t.Errorf("report %+v", report)
			}
			mustReplace(t, fs, segments[1], []byte("SYSEG2"))
			data := mustRead(t, fs, base.CurrentWAL)
			data[len(data)/2] ^= 1
			mustReplace(t, fs, base.CurrentWAL, data)
			report = mustCheck(t, fs)
			expect(t, report, Damage, segments[1], "")
			expect(t, report, Leftover, base.CurrentWAL, "cannot be read from here on")
		})
	}
}

func TestCheckKnowsLeftovers(t *testing.T) {
	fs, _ := closedDatabase(t)
	dir := path.Dir(liveSegments(t, fs)[0])
	future, old := dir+"/1-0-0-99999999999999.seg", dir+"/1-0-0-1.seg"
	leftovers := map[string]string{
		future:                "work that was cut short",
		old:                   "quarantine",
		future + ".tmp":       "cut short",
		"FORMAT.tmp":          "cut short",
		"wal/current.wal.tmp": "cut short",
		base.CatalogFile(7):   "another generation",

		base.DeleteFile(1_000_000, 5) + ".tmp":             "cut short",
		base.ObjectFile([32]byte{9}) + ".tmp":              "cut short",
		base.RefFile("heads/main") + ".tmp":                "cut short",
		base.PackFile(0, 0, 0, 99999999999999, 0):          "work that was cut short",
		base.PackFile(0, 0, 0, 1, 0):                       "quarantine",
		base.PackFile(0, 0, 0, 99999999999999, 1) + ".tmp": "cut short",
	}
	unknown := []string{dir + "/readme", dir + "/x.seg.tmp", "notes.tmp", "wal/notes.tmp", "segments/readme", "segments/here/1-0-0-1.seg", "wal/readme", "HEAD", "objects/x", "refs/heads/A", "deletes/x", "objects/ab/x"}
	for file := range leftovers {
		mustPut(t, fs, file, "x")
	}
	for _, file := range unknown {
		mustPut(t, fs, file, "x")
	}
	mustPut(t, fs, "quarantine/1-0-0-1.seg", "x")
	mustPut(t, fs, "snapshots/anything/at all", "x")
	mustPut(t, fs, base.TornFile(7, 8), "x")
	report := mustCheck(t, fs)
	for file, message := range leftovers {
		expect(t, report, Leftover, file, message)
	}
	for _, file := range []string{
		dir + "/readme", dir + "/x.seg.tmp", "notes.tmp", "wal/notes.tmp", "segments/readme", "segments/here", "wal/readme", "HEAD", "objects/x", "refs/heads/A", "deletes/x", "objects/ab/x",
	} {
		expect(t, report, Unknown, file, "never touched")
	}
	if len(report.Findings) != len(leftovers)+len(unknown) || report.Damaged() {
		t.Errorf("findings %v", report.Findings)
	}
}

func TestCheckTakesATornEndForALeftover(t *testing.T) {
	fs := fsys.NewMem()
	e, err := Open(fs, Options{Sync: SyncAlways})
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 1))
	if err := writeBatch(e, randomBatch(rng)); err != nil {
		t.Fatal(err)
	}
	killed := fs.CrashClone(rng, 100)
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	log := mustRead(t, killed, base.CurrentWAL)
	mustReplace(t, killed, base.CurrentWAL, append(log, log[:9]...))
	line := mustRead(t, killed, base.ManifestFile)
	mustReplace(t, killed, base.ManifestFile, append(line, `{"edit":1,"prev`...))
	file := base.CatalogFile(1)
	mustReplace(t, killed, file, append(mustRead(t, killed, file), "half a frame"...))
	report := mustCheck(t, killed)
	for file, offset := range map[string]int{base.CurrentWAL: len(log), base.ManifestFile: len(line), file: 0} {
		expect(t, report, Leftover, file, "")
		if found := about(report, file); len(found) != 1 || found[0].Offset != int64(offset) {
			t.Errorf("%s: %v, want offset %d", file, found, offset)
		}
	}
	if report.Damaged() {
		t.Errorf("findings %v", report.Findings)
	}
}

// What a crash leaves is never damage, whenever it comes and whatever of the unsynced
// bytes and names it spares.
func TestCheckTakesNoCrashForDamage(t *testing.T) {
	fs := fsys.NewMem()
	rng := rand.New(rand.NewPCG(3, 3))
	var mu sync.Mutex // hooks run in several goroutines
	var clones []*fsys.Mem
	fs.SetHook(func(op fsys.Op) fsys.Fault {
		mu.Lock()
		defer mu.Unlock()
		if op.Kind.Mutates() && op.Kind != fsys.OpLock && len(clones) < 2000 {
			clones = append(clones, fs.CrashClone(rng, rng.IntN(5)*25))
		}
		return fsys.Fault{}
	})
	batches := rand.New(rand.NewPCG(5, 5))
	for range 2 {
		e, err := Open(fs, Options{Sync: SyncNone, RotateBytes: 1000})
		if err != nil {
			t.Fatal(err)
		}
		for i := range 5 {
			if err := writeBatch(e, randomBatch(batches)); err != nil {
				t.Fatal(err)
			}
			if i%2 == 1 {
				if err := e.Flush(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
	}
	fs.SetHook(nil)
	checked := 0
	for i, clone := range clones {
		report, err := Check(t.Context(), clone)
		if errors.Is(err, ErrNotDatabase) && checked == 0 {
			continue // not yet created
		}
		checked++
		if err != nil || report.Damaged() {
			t.Fatalf("crash %d of %d: report %+v, error %v", i, len(clones), report, err)
		}
	}
	if checked < 100 {
		t.Errorf("only %d crashes", checked)
	}
}

func TestCheckTakesAFlushedLogForALeftover(t *testing.T) {
	fs, _ := closedDatabase(t)
	uuid, err := readFormat(fs)
	if err != nil {
		t.Fatal(err)
	}
	old := fsys.NewMem()
	log, err := wal.Create(old, uuid, 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	mustReplace(t, fs, base.WALFile(1), mustRead(t, old, base.CurrentWAL))
	report := mustCheck(t, fs)
	expect(t, report, Leftover, base.WALFile(1), "all its points are in segment files")
	if len(report.Findings) != 1 {
		t.Errorf("findings %v", report.Findings)
	}
}

// appendRecord appends a Batch to a log that was closed.
func appendRecord(t *testing.T, fs *fsys.Mem, regs []base.Registration, rows []base.Row) {
	t.Helper()
	var last base.LSN
	if err := wal.Scan(fs, base.CurrentWAL, func(rec wal.Record) error { last = rec.LSN; return nil }); err != nil {
		t.Fatal(err)
	}
	frame := wal.AppendBatch(nil, regs, rows)
	wal.Seal(frame, last+1, last)
	mustReplace(t, fs, base.CurrentWAL, append(mustRead(t, fs, base.CurrentWAL), frame...))
}

func TestCheckHoldsLogAgainstCatalog(t *testing.T) {
	fs, _ := closedDatabase(t)
	row := base.Row{Ordinal: 0, TS: 1, Value: 1}
	for name, test := range map[string]struct {
		regs []base.Registration
		row  base.Row
		want string
	}{
		"unknown series":   {nil, base.Row{Ordinal: 4_000_000, TS: 1}, "nothing has introduced"},
		"time":             {nil, base.Row{Ordinal: 0, TS: base.MaxTime + 1}, "accepted range"},
		"two ids":          {[]base.Registration{{Ordinal: 0, ID: 12345}}, row, "ordinal 0 stands for"},
		"reserved tag key": {[]base.Registration{{Ordinal: 4_000_000, ID: 5, Name: "a", Tags: []base.Tag{{Key: base.NameKey, Value: "b"}}}}, row, "reserved"},
	} {
		t.Run(name, func(t *testing.T) {
			fs := fs.CrashClone(rand.New(rand.NewPCG(1, 1)), 100)
			before := len(mustRead(t, fs, base.CurrentWAL))
			appendRecord(t, fs, test.regs, []base.Row{test.row})
			appendRecord(t, fs, nil, []base.Row{row}) // still read
			report := mustCheck(t, fs)
			expect(t, report, Damage, base.CurrentWAL, test.want)
			if len(report.Findings) != 1 || report.Findings[0].Offset != int64(before) {
				t.Errorf("findings %v, want offset %d", report.Findings, before)
			}
		})
	}
}

// addSegment adds a file with these points to a database that is closed.
func addSegment(t *testing.T, fs *fsys.Mem, id base.SeriesID, seq base.LSN, ts ...int64) manifest.Entry {
	t.Helper()
	state, _, err := manifest.Read(fs, base.ManifestFile)
	if err != nil {
		t.Fatal(err)
	}
	var scratch segment.Buffer
	entry, err := segment.Create(fs, state.NextMS, id, base.BucketStart(ts[0]), ts, make([]float64, len(ts)), &scratch)
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

func TestCheckHoldsFilesAgainstEachOther(t *testing.T) {
	fs, _ := closedDatabase(t)
	state, _, err := manifest.Read(fs, base.ManifestFile)
	if err != nil {
		t.Fatal(err)
	}
	first := state.Live[0]
	t.Run("equal points of one seq", func(t *testing.T) {
		fs := fs.CrashClone(rand.New(rand.NewPCG(1, 1)), 100)
		twin := addSegment(t, fs, first.SeriesID, first.Seq, first.StartTS)
		report := mustCheck(t, fs)
		if len(report.Findings) != 1 || !strings.Contains(report.Findings[0].Message, "with the same seq") ||
			report.Findings[0].File != twin.Path && report.Findings[0].File != first.Path {
			t.Errorf("findings %v", report.Findings)
		}
	})
	t.Run("equal points of two seqs", func(t *testing.T) {
		fs := fs.CrashClone(rand.New(rand.NewPCG(1, 1)), 100)
		addSegment(t, fs, first.SeriesID, first.Seq-1, first.StartTS)
		if report := mustCheck(t, fs); len(report.Findings) != 0 {
			t.Errorf("findings %v", report.Findings)
		}
	})
	t.Run("unknown series", func(t *testing.T) {
		fs := fs.CrashClone(rand.New(rand.NewPCG(1, 1)), 100)
		e := addSegment(t, fs, 4711, first.Seq, 5)
		expect(t, mustCheck(t, fs), Damage, e.Path, "neither in the catalog nor in the log")
	})
	t.Run("seq beyond what is flushed", func(t *testing.T) {
		fs := fs.CrashClone(rand.New(rand.NewPCG(1, 1)), 100)
		e := addSegment(t, fs, first.SeriesID, state.FlushedLSN+1, 5)
		expect(t, mustCheck(t, fs), Damage, e.Path, "MANIFEST says")
	})
}

func TestCheckSaysOfTagsWhatIsOdd(t *testing.T) {
	fs, _ := closedDatabase(t)
	whole := string(mustRead(t, fs, base.TagsFile))
	for _, text := range []string{"", "{}", whole[:len(whole)-3], whole + "x"} {
		mustReplace(t, fs, base.TagsFile, []byte(text))
		report := mustCheck(t, fs)
		expect(t, report, Leftover, base.TagsFile, "writes it anew")
		if len(report.Findings) != 1 {
			t.Errorf("findings %v", report.Findings)
		}
	}
	if err := fs.Remove(base.TagsFile); err != nil {
		t.Fatal(err)
	}
	if report := mustCheck(t, fs); len(report.Findings) != 0 {
		t.Errorf("findings %v", report.Findings)
	}
}

// A file that cannot be read is an error, and does not keep the others from being read.
func TestCheckTellsUnreadableFromDamaged(t *testing.T) {
	fs, _ := closedDatabase(t)
	segments := liveSegments(t, fs)
	mustReplace(t, fs, segments[2], []byte("rotten"))
	broken := errors.New("input/output error")
	fs.SetHook(func(op fsys.Op) fsys.Fault {
		if op.Kind == fsys.OpRead && op.Path == segments[0] {
			return fsys.Fault{Err: broken}
		}
		return fsys.Fault{}
	})
	report, err := Check(t.Context(), fs)
	if !errors.Is(err, broken) || report == nil || len(about(report, segments[0])) != 0 {
		t.Fatalf("report %+v, error %v", report, err)
	}
	expect(t, report, Damage, segments[2], "")
}

func TestCheckEndsWithItsContext(t *testing.T) {
	fs, _ := closedDatabase(t)
	ctx, cancel := context.WithCancel(t.Context())
	reads := 0
	fs.SetHook(func(op fsys.Op) fsys.Fault {
		if op.Kind == fsys.OpRead && path.Dir(path.Dir(op.Path)) == base.SegmentsDir {
			reads++
			cancel()
		}
		return fsys.Fault{}
	})
	if _, err := Check(ctx, fs); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if reads != 1 {
		t.Errorf("%d reads of segment files", reads)
	}
}
