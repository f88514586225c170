package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"path"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/fsys"
	"github.com/sydradb/sydradb/internal/golden"
	"github.com/sydradb/sydradb/internal/manifest"
	"github.com/sydradb/sydradb/internal/objectstore"
	"github.com/sydradb/sydradb/internal/retention"
	"github.com/sydradb/sydradb/internal/tags"
)

// snapshotTo makes a snapshot in the directory name of fs, as users do.
func snapshotTo(ctx context.Context, e *Engine, fs fsys.FS, name string) error {
	return Build(fs, name, func(tree fsys.FS, _ string) error { return e.Snapshot(ctx, tree) })
}

// restoreTo restores src to the directory name of fs, as users do.
func restoreTo(ctx context.Context, src, fs fsys.FS, name string, opts Options) error {
	return Build(fs, name, func(tree fsys.FS, _ string) error { return restore(ctx, src, tree, opts.HashSeries) })
}

// readClosed opens a closed database, returns its points and closes it again.
func readClosed(fs fsys.FS, opts Options) (contents, error) {
	e, err := Open(fs, opts)
	if err != nil {
		return nil, err
	}
	got, err := readAll(e, everything)
	return got, errors.Join(err, e.Close(), checkClean(fs, opts))
}

// readCopy is readClosed of a database that has nothing to be cleared away.
func readCopy(fs fsys.FS, opts Options) (contents, error) {
	if err := checkClean(fs, opts); err != nil {
		return nil, err
	}
	return readClosed(fs, opts)
}

// writeSome writes batches, flushing after some of them, and adds them to m.
func writeSome(e *Engine, rng *rand.Rand, m *model, n int) error {
	for range n {
		batch := randomBatch(rng)
		if err := writeBatch(e, batch); err != nil {
			return err
		}
		m.batches = append(m.batches, batch)
		if rng.IntN(3) == 0 {
			if err := e.Flush(context.Background()); err != nil {
				return err
			}
		}
	}
	return nil
}

// goSeparateWays makes a snapshot of a database, writes other batches to both, also of
// series that neither had, and returns what is wrong with either of them then.
func goSeparateWays(seed uint64) error {
	rng := rand.New(rand.NewPCG(seed, 19))
	opts := randomOptions(rng)
	disk := fsys.NewMem()
	dirs := []fsys.FS{fsys.Sub(disk, "one"), fsys.Sub(disk, "two"), fsys.Sub(disk, "three")}
	var models [3]model
	if err := dirs[0].MkdirAll(""); err != nil {
		return err
	}
	one, err := Open(dirs[0], opts)
	if err != nil {
		return err
	}
	err = writeSome(one, rng, &models[0], rng.IntN(6))
	if err == nil {
		err = snapshotTo(context.Background(), one, disk, "two")
	}
	if err == nil {
		err = restoreTo(context.Background(), dirs[1], disk, "three", opts)
	}
	if err != nil {
		return errors.Join(err, one.Close())
	}
	engines := []*Engine{one, nil, nil}
	for i := 1; i < 3; i++ {
		models[i].batches = slices.Clone(models[0].batches)
		if engines[i], err = Open(dirs[i], opts); err != nil {
			return fmt.Errorf("copy %d: %w", i, errors.Join(err, one.Close()))
		}
	}
	for range 3 {
		for i, e := range engines {
			if err == nil {
				err = writeSome(e, rng, &models[i], 1+rng.IntN(3))
			}
			if err == nil && rng.IntN(2) == 0 {
				err = e.Compact(context.Background())
			}
		}
	}
	for _, e := range engines {
		err = errors.Join(err, e.Close())
	}
	if err != nil {
		return err
	}
	for i, m := range models {
		got, err := readCopy(dirs[i], opts)
		if err != nil {
			return fmt.Errorf("copy %d: %w", i, err)
		}
		if want := m.after(len(m.batches)); !got.equal(want) {
			return fmt.Errorf("copy %d: %s", i, got.difference(want))
		}
	}
	return nil
}

// separateWays runs goSeparateWays n times and returns the first thing that is wrong.
func separateWays(n uint64) error {
	for seed := range n {
		if err := goSeparateWays(seed); err != nil {
			return fmt.Errorf("seed %d: %w", seed, err)
		}
	}
	return nil
}

// TestCopiesAreIndependent writes to a database, to a snapshot of it and to what that was
// restored to: each has what was written to it, and nothing else.
func TestCopiesAreIndependent(t *testing.T) {
	reuseMemory(t)
	if err := separateWays(60); err != nil {
		t.Error(err)
	}
}

// TestSnapshotUnderLoad makes snapshots while a writer, flushes, merges and retention are
// at work. Each is restored to a state after some number of whole batches, with all that
// were acknowledged before it began.
func TestSnapshotUnderLoad(t *testing.T) {
	disk := fsys.NewMem()
	data := fsys.Sub(disk, "data")
	if err := data.MkdirAll(""); err != nil {
		t.Fatal(err)
	}
	var clock atomic.Int64 // Unix ns
	clock.Store(int64(1000 * base.Hour))
	opts := Options{
		MemtableBytes: MinMemtableBytes, RotateBytes: 4 << 10, MaxSegmentFiles: 3,
		Retention: retention.Rules{Classes: map[string]time.Duration{"old": time.Hour}},
		Now:       func() time.Time { return time.Unix(0, clock.Load()) },
	}
	e := openTest(t, data, opts)
	const snapshots, perSnapshot = 12, 60
	rng := rand.New(rand.NewPCG(1, 31))
	var m model
	for range snapshots * perSnapshot {
		m.batches = append(m.batches, randomBatch(rng))
	}

	var sent, acked atomic.Int64
	var wg sync.WaitGroup
	work := make(chan struct{}, snapshots)
	stop, stepped := make(chan struct{}), make(chan struct{}, 1)
	wg.Go(func() {
		for range work {
			for range perSnapshot {
				batch := m.batches[sent.Add(1)-1]
				if err := writeBatch(e, batch); err != nil {
					t.Error(err)
				}
				acked.Add(1)
			}
		}
	})
	wg.Go(func() {
		defer close(stepped)
		old, err := e.Resolve("old.x", nil)
		if err != nil {
			t.Error(err)
			return
		}
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			case stepped <- struct{}{}:
			default:
			}
			rows := []base.Row{{TS: clock.Add(int64(10 * time.Minute)), Ordinal: old.Ordinal()}}
			_, err := e.Write(t.Context(), rows, []*Series{old})
			switch i % 3 {
			case 0:
				err = errors.Join(err, e.Flush(t.Context()))
			case 1:
				err = errors.Join(err, e.Compact(t.Context()))
			case 2:
				err = errors.Join(err, e.Retain(t.Context(), true))
			}
			if err != nil {
				t.Error(err)
				return
			}
		}
	})
	var atLeast, atMost [snapshots]int
	for i := range snapshots {
		<-stepped // no snapshot without a step of the other
		work <- struct{}{}
		atLeast[i] = int(acked.Load())
		if err := snapshotTo(t.Context(), e, disk, fmt.Sprint("snapshot", i)); err != nil {
			t.Fatal(err)
		}
		atMost[i] = int(sent.Load())
	}
	close(work)
	close(stop)
	wg.Wait()
	if e.maintenance.merges.Load() == 0 || e.maintenance.sweeps.Load() == 0 || e.Horizon("old.x") == base.MinTime {
		t.Error("there was no load")
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	for i := range snapshots {
		snapshot, name := fsys.Sub(disk, fmt.Sprint("snapshot", i)), fmt.Sprint("restored", i)
		if err := restoreTo(t.Context(), snapshot, disk, name, opts); err != nil {
			t.Fatal(err)
		}
		for _, dir := range []fsys.FS{snapshot, fsys.Sub(disk, name)} {
			got, err := readModel(dir, opts)
			if err == nil {
				_, err = m.matchPrefix(got, atLeast[i], atMost[i])
			}
			if err != nil {
				t.Errorf("snapshot %d: %v", i, err)
			}
		}
	}
}

// readModel checks a closed database and returns the points of the series of the model.
func readModel(fs fsys.FS, opts Options) (contents, error) {
	if err := checkClean(fs, opts); err != nil {
		return nil, err
	}
	matcher, err := tags.NewMatcher(tags.Regexp, base.NameKey, "m.*")
	if err != nil {
		return nil, err
	}
	e, err := Open(fs, opts)
	if err != nil {
		return nil, err
	}
	q := everything
	q.Matchers = []tags.Matcher{matcher}
	got, err := readAll(e, q)
	return got, errors.Join(err, e.Close())
}

// TestSnapshotHoldsItsFiles merges the files of a database away while a snapshot of it is
// about to take them.
func TestSnapshotHoldsItsFiles(t *testing.T) {
	disk := fsys.NewMem()
	data := fsys.Sub(disk, "data")
	if err := data.MkdirAll(""); err != nil {
		t.Fatal(err)
	}
	e := openTest(t, data, Options{MergeOff: true})
	var m model
	rng := rand.New(rand.NewPCG(2, 31))
	for range 3 {
		if err := writeSome(e, rng, &m, 1); err != nil {
			t.Fatal(err)
		}
		if err := e.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	before := filesOf(t, data, base.SegmentsDir)
	g := &gate{kind: fsys.OpLink, prefix: path.Join("data", base.SegmentsDir), closed: make(chan struct{})}
	disk.SetHook(g.hook)
	done := make(chan error, 1)
	go func() { done <- snapshotTo(t.Context(), e, disk, "snap") }()
	for found := false; !found; { // the gate is reached soon after
		_, err := disk.Stat(path.Join("snap.tmp", base.CatalogFile(1)))
		found = err == nil
		runtime.Gosched()
	}
	if err := e.Compact(t.Context()); err != nil {
		t.Fatal(err)
	}
	files, _, _ := e.state.moment()
	live := pathsOf(files.list())
	slices.Sort(live)
	close(g.closed)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	// What nobody reads any more goes then.
	if err := e.Compact(t.Context()); err != nil {
		t.Fatal(err)
	}
	after := filesOf(t, data, base.SegmentsDir)
	slices.Sort(after)
	if !slices.Equal(after, live) || slices.Equal(live, before) {
		t.Errorf("files %q, live are %q", after, live)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	got, err := readCopy(fsys.Sub(disk, "snap"), Options{})
	if want := m.after(len(m.batches)); err != nil || !got.equal(want) {
		t.Errorf("error %v, %s", err, got.difference(want))
	}
}

// TestSnapshotCost counts what a snapshot writes: as much for many points as for few.
func TestSnapshotCost(t *testing.T) {
	written := make(map[int]int)
	for _, points := range []int{10, 3000} {
		disk := fsys.NewMem()
		data := fsys.Sub(disk, "data")
		if err := data.MkdirAll(""); err != nil {
			t.Fatal(err)
		}
		e := openTest(t, data, Options{})
		rows := rowsOf(t, e, 20, 0, 1)
		for i := range points {
			for k := range rows {
				rows[k].TS, rows[k].Value = int64(i)*1e9, rand.Float64()
			}
			if _, err := e.Write(t.Context(), rows, nil); err != nil {
				t.Fatal(err)
			}
		}
		if err := e.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		disk.SetHook(func(op fsys.Op) fsys.Fault {
			if op.Kind == fsys.OpWrite && strings.HasPrefix(op.Path, "snap.tmp") {
				written[points] += op.Len
			}
			return fsys.Fault{}
		})
		if err := snapshotTo(t.Context(), e, disk, "snap"); err != nil {
			t.Fatal(err)
		}
		disk.SetHook(nil)
		size, err := fsys.DiskUsage(disk, "snap")
		if err = errors.Join(err, e.Close()); err != nil {
			t.Fatal(err)
		}
		t.Logf("%d points a series: %d bytes written for a snapshot of %d", points, written[points], size)
	}
	if few, many := written[10], written[3000]; few == 0 || many > few+few/10 {
		t.Errorf("%d bytes written, with many points %d", few, many)
	}
}

// TestSnapshotToAnotherDisk copies where nothing can be linked.
func TestSnapshotToAnotherDisk(t *testing.T) {
	e := openTest(t, fsys.NewMem(), Options{})
	var m model
	if err := writeSome(e, rand.New(rand.NewPCG(3, 31)), &m, 4); err != nil {
		t.Fatal(err)
	}
	disk := fsys.NewMem()
	if err := errors.Join(snapshotTo(t.Context(), e, disk, "snap"), e.Close()); err != nil {
		t.Fatal(err)
	}
	got, err := readCopy(fsys.Sub(disk, "snap"), Options{})
	if want := m.after(len(m.batches)); err != nil || !got.equal(want) {
		t.Errorf("error %v, %s", err, got.difference(want))
	}
}

// everyKind returns a database with files of every kind, which was killed: with points,
// deletions and a torn end in the log, and with bytes of the catalog that do not count. Points of "old" are hidden by retention.
func everyKind(t *testing.T, opts Options) *fsys.Mem {
	t.Helper()
	fs := fsys.NewMem()
	e := openTest(t, fs, opts)
	rng := rand.New(rand.NewPCG(5, 31))
	var m model
	old := []base.Row{{TS: 0, Value: 1}, {TS: 5 * base.Hour, Value: 2}}
	series, err := e.Resolve("old.x", nil)
	if err != nil {
		t.Fatal(err)
	}
	old[0].Ordinal, old[1].Ordinal = series.Ordinal(), series.Ordinal()
	host, err := tags.NewMatcher(tags.Equal, "host", "h1")
	if err != nil {
		t.Fatal(err)
	}
	sel := Selector{Matchers: []tags.Matcher{host}}
	steps := []func() error{
		func() error { return writeSome(e, rng, &m, 4) },
		func() error { _, err := e.Write(t.Context(), old, nil); return err },
		func() error { return e.Retain(t.Context(), true) },
		func() error { return e.Compact(t.Context()) },
		func() error { return writeSome(e, rng, &m, 3) },
		func() error { _, err := e.Delete(t.Context(), sel, 0, base.Hour); return err },
		func() error { return e.Flush(t.Context()) },
		func() error { return writeBatch(e, randomBatch(rng)) },
		func() error { _, err := e.Delete(t.Context(), sel, -base.Hour, 0); return err },
		func() error { return writeBatch(e, randomBatch(rng)) },
	}
	for i, step := range steps {
		if err := step(); err != nil {
			t.Fatal(i, err)
		}
	}
	killed := fs.CrashClone(rng, 100)
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	store := objectstore.Open(killed)
	id, err := store.Put(t.Context(), objectstore.TypeBlob, []byte("blob"))
	if err == nil {
		err = store.SetRef(t.Context(), "heads/main", objectstore.ID{}, id)
	}
	if err != nil {
		t.Fatal(err)
	}
	mustPut(t, killed, base.HeadFile, "ref: refs/heads/main\n")
	mustPut(t, killed, base.RefLogsDir+"/heads/main", "{}\n")
	for _, file := range []string{base.CurrentWAL, base.CatalogFile(1)} {
		mustReplace(t, killed, file, append(mustRead(t, killed, file), 1, 2, 3))
	}
	return killed
}

// everyKindOptions are the options of everyKind.
var everyKindOptions = Options{
	Sync: SyncAlways, MaxSegmentFiles: 2, MergeOff: true,
	Retention: retention.Rules{Classes: map[string]time.Duration{"old": time.Hour}},
	Now:       func() time.Time { return time.Unix(0, 5*base.Hour) },
}

// readRawAll returns the bits of all points by series.
func readRawAll(t *testing.T, fs fsys.FS, opts Options) map[string]map[int64]uint64 {
	t.Helper()
	e, err := Open(fs, opts)
	if err != nil {
		t.Fatal(err)
	}
	it, err := e.Query(t.Context(), everything)
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[string]map[int64]uint64)
	for it.Next() {
		b := it.Block()
		key := fmt.Sprint(b.Series.Name(), b.Series.Tags())
		if got[key] == nil {
			got[key] = make(map[int64]uint64)
		}
		for i, ts := range b.Times {
			got[key][ts] = math.Float64bits(b.Values[i])
		}
	}
	err = it.Err()
	it.Close()
	if err = errors.Join(err, e.Close()); err != nil {
		t.Fatal(err)
	}
	return got
}

// TestRestoreOfAKilledDatabase restores one that is no snapshot: what only its log has
// comes over as well, and all that is not of segments.
func TestRestoreOfAKilledDatabase(t *testing.T) {
	src, disk := everyKind(t, everyKindOptions), fsys.NewMem()
	before := contentsOf(t, src)
	if err := restoreTo(t.Context(), src, disk, "copy", everyKindOptions); err != nil {
		t.Fatal(err)
	}
	if !maps.Equal(contentsOf(t, src), before) {
		t.Error("the source has changed")
	}
	restored := fsys.Sub(disk, "copy")
	report, err := Check(t.Context(), restored)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range report.Findings {
		if f.File != base.HeadFile && f.File != base.RefLogsDir { // nothing of ours uses them yet
			t.Errorf("check: %v", f)
		}
	}
	for file, data := range before {
		_, catalog := base.ParseCatalogFile(file)
		own := file == base.FormatFile || file == base.ManifestFile || strings.HasPrefix(file, base.WALDir) || catalog
		if got, err := fsys.ReadFile(restored, file); !own && (err != nil || string(got) != data) {
			t.Errorf("%s: %q, %v", file, got, err)
		}
	}
	kinds := map[string]bool{}
	for _, dir := range []string{base.SegmentsDir, base.DeletesDir} {
		for _, file := range filesOf(t, restored, dir) {
			kinds[path.Ext(file)] = true
		}
	}
	if len(kinds) != 3 {
		t.Errorf("files of the kinds %v", kinds)
	}
	a, b := readState(t, src), readState(t, restored)
	if !slices.Equal(a.Live, b.Live) || !slices.Equal(a.Deletes, b.Deletes) || !maps.Equal(a.Horizon, b.Horizon) || len(a.Horizon) == 0 {
		t.Errorf("MANIFEST adds up to\n%+v, not to\n%+v", b, a)
	}
	if uuids := [2][16]byte{mustUUID(t, src), mustUUID(t, restored)}; uuids[0] == uuids[1] {
		t.Error("both have one uuid")
	}
	got, want := readRawAll(t, restored, everyKindOptions), readRawAll(t, src, everyKindOptions)
	if !maps.EqualFunc(got, want, maps.Equal) || len(want) == 0 {
		t.Errorf("got %v, want %v", got, want)
	}
}

func readState(t *testing.T, fs fsys.FS) manifest.State {
	t.Helper()
	state, _, err := manifest.Read(fs, base.ManifestFile)
	if err != nil {
		t.Fatal(err)
	}
	return state
}

func mustUUID(t *testing.T, fs fsys.FS) [16]byte {
	t.Helper()
	uuid, err := readFormat(fs)
	if err != nil {
		t.Fatal(err)
	}
	return uuid
}

// TestRestoreRefusesDamage changes a byte of each file of a snapshot, and cuts each off: the
// error names the file, and nothing is made.
func TestRestoreRefusesDamage(t *testing.T) {
	disk := fsys.NewMem()
	if err := restoreTo(t.Context(), everyKind(t, everyKindOptions), disk, "snap", everyKindOptions); err != nil {
		t.Fatal(err)
	}
	snap := fsys.Sub(disk, "snap")
	damaged := 0
	for file, data := range contentsOf(t, snap) {
		if file == base.HeadFile || strings.HasPrefix(file, base.RefLogsDir) || strings.HasPrefix(file, base.RefsDir) {
			continue // no checksum
		}
		flipped := []byte(data)
		flipped[len(flipped)/3] ^= 1
		for _, bad := range [][]byte{flipped, []byte(data)[:len(data)*2/3]} {
			mustReplace(t, snap, file, bad)
			err := restoreTo(t.Context(), snap, disk, "copy", everyKindOptions)
			if !errors.Is(err, base.ErrCorrupt) || !strings.Contains(err.Error(), file) {
				t.Errorf("%s of %d bytes, now %d: error %v", file, len(data), len(bad), err)
			}
			if entries, err := disk.List(""); err != nil || len(entries) != 1 {
				t.Errorf("%s: left %v, %v", file, entries, err)
			}
		}
		mustReplace(t, snap, file, []byte(data))
		damaged++
	}
	if err := restoreTo(t.Context(), snap, disk, "copy", everyKindOptions); err != nil || damaged < 8 {
		t.Errorf("%d files damaged; without damage: %v", damaged, err)
	}
}

// TestBackupsEndWithTheirContext ends the context at the first link of a snapshot, then of
// a restoration: nothing is left.
func TestBackupsEndWithTheirContext(t *testing.T) {
	b, err := newBackups(0, false)
	if err != nil {
		t.Fatal(err)
	}
	e := openTest(t, b.dir("db"), b.opts)
	if err := snapshotTo(t.Context(), e, b.disk, "snap"); err != nil {
		t.Fatal(err)
	}
	for name, run := range map[string]func(context.Context) error{
		"a": func(ctx context.Context) error { return snapshotTo(ctx, e, b.disk, "a") },
		"b": func(ctx context.Context) error { return restoreTo(ctx, b.dir("snap"), b.disk, "b", b.opts) },
	} {
		ctx, cancel := context.WithCancel(t.Context())
		b.disk.SetHook(func(op fsys.Op) fsys.Fault {
			if op.Kind == fsys.OpLink {
				cancel()
			}
			return fsys.Fault{}
		})
		if err := run(ctx); !errors.Is(err, context.Canceled) || ctx.Err() == nil {
			t.Errorf("%s: error %v", name, err)
		}
		b.disk.SetHook(nil)
	}
	if entries, err := b.disk.List(""); err != nil || len(entries) != 2 {
		t.Errorf("left %v, %v", entries, err)
	}
	if err := e.Close(); err != nil {
		t.Error(err)
	}
}

// TestDamageIsNamedBriefly bounds the length of the error.
func TestDamageIsNamedBriefly(t *testing.T) {
	var report CheckReport
	for i := range 25 {
		report.Findings = append(report.Findings,
			Finding{Severity: Damage, File: fmt.Sprint("file", i), Offset: 7, Message: "bad"},
			Finding{Severity: Leftover, File: fmt.Sprint("leftover", i)})
	}
	text := damageOf(&report).Error()
	if !strings.HasPrefix(text, "file0: corrupt data at offset 7: bad\n") || !strings.HasSuffix(text, "\nand 15 more") ||
		strings.Count(text, "\n") != maxNamedDamage || strings.Contains(text, "leftover") {
		t.Errorf("error %q", text)
	}
}

// TestInterruptedSnapshotsAreCleared opens a database with snapshots in its directory.
func TestInterruptedSnapshotsAreCleared(t *testing.T) {
	fs, _ := closedDatabase(t)
	kept := map[string]bool{
		"snapshots/1-a/FORMAT":                true,
		"snapshots/2-b.tmp/MANIFEST":          false,
		"snapshots/2-b.tmp/segments/0/x.seg":  false,
		"snapshots/3-c.tmp/wal/current.wal":   false,
		"snapshots/4-d.tmp/notes.txt":         true, // not ours
		"snapshots/5-e.tmp/FORMAT":            true, // being worked on
		"snapshots/notes.tmp":                 true,
		"quarantine/6-f.tmp/segments/0/x.seg": true,
	}
	for file := range kept {
		mustPut(t, fs, file, "x")
	}
	lock, err := fs.Lock("snapshots/5-e.tmp/LOCK")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := readClosed(fs, Options{}); err != nil {
		t.Fatal(err)
	}
	if err := lock.Close(); err != nil {
		t.Fatal(err)
	}
	for file, keep := range kept {
		if found, err := fsys.Exists(fs, file); err != nil || found != keep {
			t.Errorf("%s is there: %v, error %v", file, found, err)
		}
	}
}

// TestSnapshotTrace compares the order of operations with a golden file, as TestTrace
// does.
func TestSnapshotTrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var lines bytes.Buffer
		disk := fsys.Trace(fsys.NewMem(), func(op fsys.Op) {
			if op.Kind.Mutates() {
				fmt.Fprintln(&lines, op)
			}
		})
		data := fsys.Sub(disk, "data")
		if err := data.MkdirAll(""); err != nil {
			t.Fatal(err)
		}
		e := openTest(t, data, Options{Sync: SyncAlways, MergeOff: true})
		if _, err := e.Write(t.Context(), rowsOf(t, e, 1, 1, 1), nil); err != nil {
			t.Fatal(err)
		}
		if err := e.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		lines.Reset()
		if err := snapshotTo(t.Context(), e, disk, "snap"); err != nil {
			t.Fatal(err)
		}
		golden.Check(t, "testdata/trace/snapshot.golden", lines.Bytes())
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
	})
}
