package engine

import (
	"bytes"
	"encoding/binary"
	"errors"
	iofs "io/fs"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/fsys"
	"github.com/sydradb/sydradb/internal/retention"
)

// What TestSweep has found, each by itself.

// A snapshot of a database that lacks a file says which one.
func TestSnapshotNamesTheMissingFile(t *testing.T) {
	m := mixedDatabase(t)
	fs := m.copy()
	e := openTest(t, fs, Options{MergeOff: true})
	file := packsOf(t, fs)[0]
	if err := fs.Remove(file); err != nil {
		t.Fatal(err)
	}
	err := e.Snapshot(t.Context(), fsys.NewMem())
	var damage *base.CorruptionError
	if !errors.As(err, &damage) || damage.File != file || !errors.Is(err, iofs.ErrNotExist) {
		t.Errorf("%v", err)
	}
}

// Series that lose their names, and with them the rule that keeps their points, keep the
// points all the same.
func TestRepairKeepsSeriesThatLoseTheirNames(t *testing.T) {
	fs := fsys.NewMem()
	e := openTest(t, fs, Options{
		MergeOff:  true,
		Retention: retention.Rules{Default: 24 * time.Hour, Classes: map[string]time.Duration{"kept": 0}},
	})
	old := base.BucketStart(time.Now().UnixNano()) - 30*base.Hour
	kept := resolve(t, e, "kept.a")
	put(t, e, kept, old, 1)
	if err := errors.Join(e.Flush(t.Context()), e.Retain(t.Context(), true), e.Close()); err != nil {
		t.Fatal(err)
	}
	catalog := mustRead(t, fs, base.CatalogFile(1))
	flip(t, fs, base.CatalogFile(1), len(catalog)-6) // in the frame of names
	steps, got, names := mustRepair(t, fs)
	if got[kept.ID()][old] != 1 || names != 0 {
		t.Errorf("%v, %d names", got, names)
	}
	expectStep(t, steps, RepairRewrite, base.CatalogFile(1), "open without retention")
}

// The catalog of another database has other series under the ordinals that the log names:
// a repair rather loses the log's points than to give them to others.
func TestRepairTakesNoForeignCatalog(t *testing.T) {
	build := func(names ...string) *fsys.Mem {
		fs := fsys.NewMem()
		e := openTest(t, fs, Options{MergeOff: true})
		for i, name := range names {
			put(t, e, resolve(t, e, name), 1, float64(i))
		}
		flush(t, e)
		put(t, e, resolve(t, e, "a"), 2, 9)
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
		return fs
	}
	fs, other := build("a", "b"), build("b", "a", "a longer name")
	mustReplace(t, fs, base.CatalogFile(1), mustRead(t, other, base.CatalogFile(1)))
	_, got, _ := mustRepair(t, fs)
	if got.count() != 2 {
		t.Errorf("%v", got)
	}
	for id, points := range got {
		if _, ok := points[2]; ok {
			t.Errorf("the point of a is one of %x: %v", uint64(id), points)
		}
	}
}

// A MANIFEST that names no catalog cannot be opened, so a check finds that.
func TestCheckMissesTheCatalogInMANIFEST(t *testing.T) {
	fs, _ := closedDatabase(t)
	data := bytes.ReplaceAll(mustRead(t, fs, base.ManifestFile), []byte(`"catalog":{"generation":1`), []byte(`"catalog":{"generation":0`))
	mustReplace(t, fs, base.ManifestFile, sealLines(data))
	if _, err := Open(fs, Options{}); !errors.Is(err, base.ErrCorrupt) {
		t.Errorf("open: %v", err)
	}
	expect(t, mustCheck(t, fs), Damage, base.ManifestFile, "names no catalog")
	mustRepair(t, fs)
}

// Of a file of the log that has grown what has grown goes, and the files behind it stay.
func TestRepairKeepsTheLogBehindGarbage(t *testing.T) {
	m := mixedDatabase(t)
	var rotated []string
	for _, file := range filesOf(t, m.fs, base.WALDir) {
		if file != base.CurrentWAL {
			rotated = append(rotated, file)
		}
	}
	for _, file := range rotated {
		fs := m.copy()
		mustReplace(t, fs, file, append(mustRead(t, fs, file), "garbage"...))
		steps, got, _ := mustRepair(t, fs)
		expectStep(t, steps, RepairRewrite, file, "none is lost")
		if lost := m.want.lacks(got); lost != "" || got.count() != m.want.count() {
			t.Errorf("%s: %s; steps %v", file, lost, steps)
		}
	}
	if len(rotated) < 2 {
		t.Errorf("files of the log: %v", rotated)
	}
}

// An old current.wal is not all there is of the log, though it begins before what MANIFEST
// says is in files.
func TestReadOnlyIsNotContentWithAnOldLog(t *testing.T) {
	fs := fsys.NewMem()
	e := openTest(t, fs, Options{Sync: SyncAlways, MergeOff: true, RotateBytes: 60})
	s := resolve(t, e, "a")
	old := mustRead(t, fs, base.CurrentWAL)
	put(t, e, s, 1, 1)
	flush(t, e)
	for ts := int64(2); ts < 6; ts++ {
		put(t, e, s, ts, 2)
	}
	killed := fs.CrashClone(rand.New(rand.NewPCG(1, 1)), 100)
	mustReplace(t, killed, base.CurrentWAL, old)
	synctest.Test(t, func(t *testing.T) {
		r, err := OpenReadOnly(killed, Options{})
		var damage *base.CorruptionError
		if !errors.As(err, &damage) || damage.File != base.CurrentWAL {
			t.Errorf("%v", err)
		}
		if err == nil {
			_ = r.Close()
		}
	})
}

// A damaged length that leads to the end of some frame hides none of those between.
func TestRepairFindsFramesBehindADamagedLength(t *testing.T) {
	fs := fsys.NewMem()
	e := openTest(t, fs, Options{MergeOff: true})
	put(t, e, resolve(t, e, "a"), 1, 1)
	flush(t, e)
	put(t, e, resolve(t, e, "b"), 1, 2)
	if err := errors.Join(e.Flush(t.Context()), e.Close()); err != nil {
		t.Fatal(err)
	}
	data := mustRead(t, fs, base.CatalogFile(1))
	binary.LittleEndian.PutUint32(data, uint32(len(data)-8)) // to the end of the file
	mustReplace(t, fs, base.CatalogFile(1), data)
	if _, got, names := mustRepair(t, fs); got.count() != 2 || names != 2 {
		t.Errorf("%v, %d names", got, names)
	}
}

// A MANIFEST that has lost lines knows less of the catalog than there is, and the log
// needs: that it begins later gives it away.
func TestRepairReadsTheCatalogBeyondAShortenedMANIFEST(t *testing.T) {
	fs := fsys.NewMem()
	e := openTest(t, fs, Options{MergeOff: true})
	first := len(mustRead(t, fs, base.ManifestFile))
	s := resolve(t, e, "a")
	put(t, e, s, 1, 1)
	flush(t, e)
	put(t, e, s, 2, 2)
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	mustReplace(t, fs, base.ManifestFile, mustRead(t, fs, base.ManifestFile)[:first])
	if _, got, names := mustRepair(t, fs); got[s.ID()][2] != 2 || names != 1 {
		t.Errorf("%v, %d names", got, names)
	}
}
