package engine

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/fsys"
)

// closedDatabase returns a small database that was closed: with segment files of two
// flushes, and with batches that are in the log alone.
func closedDatabase(t *testing.T) (*fsys.Mem, contents) {
	t.Helper()
	fs := fsys.NewMem()
	e, err := Open(fs, Options{Sync: SyncAlways})
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(4, 2))
	var m model
	for i := range 6 {
		batch := randomBatch(rng)
		batch = batch[:min(len(batch), 3)] // each file costs hundreds of flips
		m.batches = append(m.batches, batch)
		if err := writeBatch(e, batch); err != nil {
			t.Fatal(err)
		}
		if i == 2 || i == 3 {
			if err := e.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	return fs, m.after(len(m.batches))
}

// filesOf returns the paths of all files below dir.
func filesOf(t *testing.T, fs fsys.FS, dir string) (files []string) {
	t.Helper()
	entries, err := fs.List(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if p := path.Join(dir, e.Name); e.Dir {
			files = append(files, filesOf(t, fs, p)...)
		} else {
			files = append(files, p)
		}
	}
	return files
}

// replaceFile gives a file other contents.
func replaceFile(fs fsys.FS, file string, data []byte) error {
	f, err := fs.Create(file)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Sync(), f.Close())
}

func mustReplace(t *testing.T, fs fsys.FS, file string, data []byte) {
	t.Helper()
	if err := replaceFile(fs, file, data); err != nil {
		t.Fatal(err)
	}
}

// readDamaged opens a database and reads all of it. It returns an error if what it
// reads is not want and nothing said so.
func readDamaged(fs *fsys.Mem, want contents) (refused bool, err error) {
	e, err := Open(fs, Options{})
	if err != nil {
		return true, nil
	}
	defer func() { _ = e.Close() }()
	got, err := readAll(e, everything)
	if err != nil {
		return true, nil
	}
	if !got.equal(want) {
		return false, errors.New(got.difference(want))
	}
	return false, nil
}

// TestBitFlips flips bits of each file of a closed database. Reading then returns the
// right points or an error, never other points. It is what TestSweep does for all kinds of
// files and of damage, in a moment.
func TestBitFlips(t *testing.T) {
	reuseMemory(t)
	fs, want := closedDatabase(t)
	rng := rand.New(rand.NewPCG(1, 1))
	stride := 11
	if raceEnabled {
		stride = 29
	}
	for _, file := range filesOf(t, fs, "") {
		data, err := fsys.ReadFile(fs, file)
		if err != nil {
			t.Fatal(err)
		}
		refused, flips := 0, 0
		for bit := 0; bit < 8*len(data); bit += stride {
			damaged := fs.CrashClone(rng, 100)
			flipped := slices.Clone(data)
			flipped[bit/8] ^= 1 << (bit % 8)
			mustReplace(t, damaged, file, flipped)
			was, err := readDamaged(damaged, want)
			if err != nil {
				t.Errorf("%s, bit %d of byte %d: %v", file, bit%8, bit/8, err)
			}
			flips++
			if was {
				refused++
			}
		}
		t.Logf("%s: %d flips, %d refused, the others without effect", file, flips, refused)
	}
}

// flipLogOfKilled flips bits of the log of a process that was killed after each of its
// batches had been synced. But for the last record, which might be torn as well, it
// then takes an error: a shorter log would be a loss of what was acknowledged.
func flipLogOfKilled(stride int) error {
	fs := fsys.NewMem()
	e, err := Open(fs, Options{Sync: SyncAlways})
	if err != nil {
		return err
	}
	defer func() { _ = e.Close() }()
	rng := rand.New(rand.NewPCG(9, 9))
	var m model
	var last int // where the last record begins
	for range 8 {
		data, err := fsys.ReadFile(fs, base.CurrentWAL)
		if err != nil {
			return err
		}
		last = len(data)
		batch := randomBatch(rng)
		m.batches = append(m.batches, batch)
		if err := writeBatch(e, batch); err != nil {
			return err
		}
	}
	killed := fs.CrashClone(rng, 100)
	data, err := fsys.ReadFile(killed, base.CurrentWAL)
	if err != nil {
		return err
	}
	for bit := 0; bit < 8*last; bit += stride {
		damaged := killed.CrashClone(rng, 100)
		flipped := slices.Clone(data)
		flipped[bit/8] ^= 1 << (bit % 8)
		if err := replaceFile(damaged, base.CurrentWAL, flipped); err != nil {
			return err
		}
		if _, err := readDamaged(damaged, m.after(len(m.batches))); err != nil {
			return fmt.Errorf("%s, bit %d of byte %d: %w", base.CurrentWAL, bit%8, bit/8, err)
		}
	}
	return nil
}

// TestLogFlips verifies that damage inside a log is not taken for its torn end.
func TestLogFlips(t *testing.T) {
	reuseMemory(t)
	stride := 3
	if raceEnabled {
		stride = 29
	}
	if err := flipLogOfKilled(stride); err != nil {
		t.Error(err)
	}
}

// TestDamageIsNamed verifies that the error of a damaged file says which file it is.
func TestDamageIsNamed(t *testing.T) {
	fs, _ := closedDatabase(t)
	rng := rand.New(rand.NewPCG(1, 1))
	for _, file := range filesOf(t, fs, "") {
		data, err := fsys.ReadFile(fs, file)
		if err != nil {
			t.Fatal(err)
		}
		if len(data) == 0 || file == base.TagsFile || file == base.FormatFile {
			continue
		}
		damaged := fs.CrashClone(rng, 100)
		flipped := slices.Clone(data)
		flipped[len(data)/3] ^= 0x20
		mustReplace(t, damaged, file, flipped)
		e, err := Open(damaged, Options{})
		if err == nil {
			_, err = readAll(e, everything)
			_ = e.Close()
		}
		var c *base.CorruptionError
		if !errors.As(err, &c) || c.File != file || !errors.Is(err, base.ErrCorrupt) {
			t.Errorf("%s: %v", file, err)
		}
	}
}

// TestOpenRefuses verifies what is said of directories that are not databases.
func TestOpenRefuses(t *testing.T) {
	write := func(t *testing.T, fs fsys.FS, file, text string) {
		if dir := path.Dir(file); dir != "." {
			if err := fs.MkdirAll(dir); err != nil {
				t.Fatal(err)
			}
		}
		mustReplace(t, fs, file, []byte(text))
	}
	for name, c := range map[string]struct {
		make func(t *testing.T, fs *fsys.Mem)
		want error
	}{
		"foreign file": {func(t *testing.T, fs *fsys.Mem) { write(t, fs, "notes.txt", "hello") }, ErrNotDatabase},
		"version 0": {func(t *testing.T, fs *fsys.Mem) {
			write(t, fs, base.ManifestFile, `{"series_id":1,"hour_bucket":0,"start_ts":0,"end_ts":9,"count":10,"path":"segments/0/1-0-9-5.seg"}`+"\n")
		}, ErrNotDatabase},
		"newer format": {func(t *testing.T, fs *fsys.Mem) {
			write(t, fs, base.FormatFile, `{"format":2,"uuid":"00000000000000000000000000000000","created":"","features":[]}`)
		}, ErrFormat},
		"unknown feature": {func(t *testing.T, fs *fsys.Mem) {
			write(t, fs, base.FormatFile, `{"format":1,"uuid":"00000000000000000000000000000000","created":"","features":["warp"]}`)
		}, ErrFormat},
		"no MANIFEST": {func(t *testing.T, fs *fsys.Mem) {
			write(t, fs, base.FormatFile, `{"format":1,"uuid":"00000000000000000000000000000000","created":"","features":[]}`)
		}, base.ErrCorrupt},
	} {
		t.Run(name, func(t *testing.T) {
			fs := fsys.NewMem()
			c.make(t, fs)
			before := fmt.Sprint(filesOf(t, fs, ""))
			_, err := Open(fs, Options{})
			if !errors.Is(err, c.want) {
				t.Errorf("error %v, want %v", err, c.want)
			}
			if after := fmt.Sprint(filesOf(t, fs, "")); c.want == ErrNotDatabase && after != before {
				t.Errorf("files %s became %s", before, after)
			}
		})
	}
}

// TestSecondOpenIsRefused verifies that a directory has one owner.
func TestSecondOpenIsRefused(t *testing.T) {
	fs := fsys.NewMem()
	e, err := Open(fs, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(fs, Options{}); !errors.Is(err, fsys.ErrLocked) {
		t.Errorf("second open: %v", err)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if e, err = Open(fs, Options{}); err != nil {
		t.Fatal(err)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestLeftoversAreCleared verifies the fate of files that nothing refers to.
func TestLeftoversAreCleared(t *testing.T) {
	fs, want := closedDatabase(t)
	dir := base.SegmentDir(0)
	if err := fs.MkdirAll(dir); err != nil {
		t.Fatal(err)
	}
	old := dir + "/1-0-0-1.seg" // explained by nothing
	kept := map[string]bool{
		dir + "/1-0-0-99999999999999.seg": false, // of a job that never ended
		old:                               false,
		"quarantine/1-0-0-1.seg":          true,
		"FORMAT.tmp":                      false,
		"MANIFEST.tmp":                    false,
		"tags.json.tmp":                   false,
		"CATALOG.1.tmp":                   false,
		"wal/current.wal.tmp":             false,
		base.WALFile(7) + ".tmp":          false,
		base.TornFile(7, 8) + ".tmp":      false,
		old + ".tmp":                      false,

		base.ObjectFile([32]byte{7}) + ".tmp":    false,
		base.RefFile("heads/main") + ".tmp":      false,
		base.DeleteFile(1, 1) + ".tmp":           false,
		base.ObjectsDir + "/07/notes.tmp":        true,
		base.RefFile("heads/NOT-A-REF") + ".tmp": true,
		// Somebody else's.
		dir + "/readme":        true,
		dir + "/x.seg.tmp":     true,
		"notes.tmp":            true,
		"wal/notes.tmp":        true,
		"segments/1-0-0-1.tmp": true,
	}
	for file := range kept {
		if !strings.HasPrefix(file, base.QuarantineDir) {
			mustPut(t, fs, file, "x")
		}
	}
	if _, err := readDamaged(fs, want); err != nil {
		t.Fatal(err)
	}
	for file, kept := range kept {
		if found, err := fsys.Exists(fs, file); err != nil || found != kept {
			t.Errorf("%s: found %v, %v", file, found, err)
		}
	}
}
