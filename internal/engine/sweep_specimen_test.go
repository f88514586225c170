package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/cryptotest"
	"testing/synctest"
	"time"

	"github.com/sydradb/sydradb/internal/aggregate"
	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/fsys"
	"github.com/sydradb/sydradb/internal/manifest"
	"github.com/sydradb/sydradb/internal/objectstore"
	"github.com/sydradb/sydradb/internal/retention"
	"github.com/sydradb/sydradb/internal/wal"
)

// specimen is a random database that nobody has open, whose files are to be damaged. One
// seed makes the same bytes each time.
type specimen struct {
	t       *testing.T
	seed    uint64
	fs      *fsys.Mem
	killed  bool // the log has no end that MANIFEST demands
	want    answers
	written map[base.SeriesID]map[int64][]float64 // whatever was ever written
	names   map[base.SeriesID]string
	objects map[objectstore.ID]string
	refs    map[string]objectstore.ID

	files []string            // that are damaged, in order
	data  map[string][]byte   // what is in them
	stale map[string][][]byte // what was in them earlier
	state manifest.State
	tail  []tailRecord // what the log alone holds, in order; first what the files hold

	foreign *specimen // another database; nil of that one
}

// tailRecord is a record of the log and what was answered after it.
type tailRecord struct {
	file       string // "" of the state without any
	start, end int64  // of its frame
	lsn        base.LSN
	answers    pointsByID
}

// answers are all that a database answers: its series, points and an aggregation.
type answers struct {
	series []string
	points pointsByID
	sums   []float64
}

func (a answers) equal(b answers) bool {
	return slices.Equal(a.series, b.series) && a.samePoints(b.points) && slices.Equal(a.sums, b.sums)
}

func (a answers) samePoints(b pointsByID) bool {
	return a.points.count() == b.count() && a.points.lacks(b) == ""
}

// difference says how a differs from what it should be.
func (a answers) difference(want answers) string {
	switch lost, more := want.points.lacks(a.points), a.points.lacks(want.points); {
	case lost != "":
		return "instead of a point: " + lost
	case more != "":
		return "a point too many: " + more
	case !slices.Equal(a.series, want.series):
		return fmt.Sprintf("series %v, not %v", a.series, want.series)
	default:
		return fmt.Sprintf("aggregates %v, not %v", a.sums, want.sums)
	}
}

// ask asks an engine for all that it has.
func ask(e *Engine) (a answers, err error) {
	a.points = make(pointsByID)
	it, err := e.Query(context.Background(), everything)
	if err != nil {
		return a, err
	}
	defer it.Close()
	var last *Series
	for it.Next() {
		b := it.Block()
		if b.Series != last {
			last = b.Series
			a.series = append(a.series, fmt.Sprint(last.Name(), last.Tags()))
		}
		for i, ts := range b.Times {
			a.points.set(last.ID(), ts, b.Values[i])
		}
	}
	if err := it.Err(); err != nil {
		return a, err
	}
	sums, err := e.Aggregate(context.Background(), Aggregation{
		Selector: everything.Selector, Windows: aggregate.Windows{Start: everything.Start, End: everything.End},
		Functions: []aggregate.Function{aggregate.Count, aggregate.Sum, aggregate.Min, aggregate.Max},
	})
	if err != nil {
		return a, err
	}
	defer sums.Close()
	for sums.Next() {
		for _, column := range sums.Aggregate().Values {
			a.sums = append(a.sums, column...)
		}
	}
	return a, sums.Err()
}

// openAndAsk opens a database, asks it for everything and closes it.
func openAndAsk(fs fsys.FS) (answers, error) {
	e, err := Open(fs, Options{MergeOff: true, MemtableBytes: 1 << 20})
	if err != nil {
		return answers{}, err
	}
	a, err := ask(e)
	return a, errors.Join(err, e.Close())
}

// maker lets a specimen live.
type maker struct {
	*specimen
	t    *testing.T
	rng  *rand.Rand
	e    *Engine
	opts Options

	clock *clock
	next  float64 // value
	size  int     // points of a series in a batch, at most
}

// newSpecimen makes the database of a seed, and a foreign one beside it.
func newSpecimen(t *testing.T, seed uint64) *specimen {
	t.Helper()
	s := makeSpecimen(t, seed, 0)
	s.foreign = makeSpecimen(t, seed, 1)
	return s
}

// makeSpecimen lets the database of a seed live. The other one of the seed has the same
// names and times, and never the same values.
func makeSpecimen(t *testing.T, seed, other uint64) *specimen {
	t.Helper()
	rng := rand.New(rand.NewPCG(seed, 31+other))
	s := &specimen{t: t,
		seed: seed, fs: fsys.NewMem(), written: make(map[base.SeriesID]map[int64][]float64),
		names: make(map[base.SeriesID]string), objects: make(map[objectstore.ID]string), refs: make(map[string]objectstore.ID),
		data: make(map[string][]byte), stale: make(map[string][][]byte),
	}
	m := &maker{specimen: s, rng: rng, next: float64(1000000 * other), size: 3}
	if seed%4 == 3 {
		m.size = 400 // several sectors
	}
	cryptotest.SetGlobalRandom(t, 2*seed+other)
	synctest.Test(t, func(t *testing.T) {
		m.t = t
		if err := m.live(); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	})
	if err := s.finish(); err != nil {
		t.Fatalf("seed %d: %v", seed, err)
	}
	return s
}

// live writes, flushes, merges, deletes and forgets, and ends with some batches that are
// in the log alone.
func (m *maker) live() (err error) {
	m.clock = newClock(scriptTime)
	m.opts = Options{
		Now:  m.clock.now,
		Sync: SyncAlways, MergeOff: true, SegmentCodec1: m.rng.IntN(3) == 0,
		MaxSegmentFiles: []int{2, 3, 4, NeverPack, AlwaysPack}[m.rng.IntN(5)],
		RotateBytes:     []int64{0, 150, 400}[m.rng.IntN(3)],
		RewriteSlack:    []int64{0, -1 << 20}[m.rng.IntN(2)],
	}
	if m.rng.IntN(2) == 0 {
		m.opts.Retention = retention.Rules{Default: 24 * time.Hour, Classes: map[string]time.Duration{"kept": 0}}
	}
	if m.e, err = Open(m.fs, m.opts); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.e.Close()) }() // if it is not closed yet
	for range 3 + m.rng.IntN(3) {
		if err := m.round(); err != nil {
			return err
		}
		m.remember()
	}
	if err := errors.Join(m.e.Flush(m.t.Context()), m.put()); err != nil {
		return err
	}
	if err := m.log(1 + m.rng.IntN(4)); err != nil {
		return err
	}
	return m.end()
}

// round is a part of a life that ends with all in files, mostly.
func (m *maker) round() error {
	ctx := m.t.Context()
	err := m.write()
	if m.rng.IntN(2) == 0 {
		err = errors.Join(err, m.delete())
	}
	if m.rng.IntN(4) > 0 {
		err = errors.Join(err, m.e.Flush(ctx))
	}
	if m.rng.IntN(3) == 0 {
		err = errors.Join(err, m.e.Compact(ctx))
	}
	if m.rng.IntN(3) == 0 {
		m.clock.step(10 * time.Hour)
		err = errors.Join(err, m.e.Retain(ctx, true))
	}
	return err
}

func (m *maker) series(n int) (*Series, error) {
	name := []string{"r", "kept.a"}[n%2]
	return m.e.Resolve(name, []base.Tag{{Key: "n", Value: fmt.Sprint(n)}})
}

// hour returns the hour that it is.
func (m *maker) hour() int64 { return base.BucketStart(m.clock.now().UnixNano()) }

// write writes one batch: some points of some series.
func (m *maker) write() error {
	hour := m.hour() + []int64{-22, -21, 0, 0, 1, 2}[m.rng.IntN(6)]*base.Hour
	step := []int64{1, 1e6, 1e9}[m.rng.IntN(3)]
	start := hour + int64(m.rng.IntN(4))*step
	count := 1 + m.rng.IntN(m.size)
	var rows []base.Row
	for n := m.rng.IntN(3); n < 8; n += 1 + m.rng.IntN(4) {
		s, err := m.series(n)
		if err != nil {
			return err
		}
		points := m.written[s.ID()]
		if points == nil {
			points = make(map[int64][]float64)
			m.written[s.ID()], m.names[s.ID()] = points, s.Name()
		}
		for i := range int64(count) {
			m.next++
			ts, value := start+i*step, m.next/4
			if m.size > 100 {
				value += m.rng.Float64() / 8 // hard to compress
			}
			points[ts] = append(points[ts], value)
			rows = append(rows, base.Row{TS: ts, Value: value, Ordinal: s.Ordinal()})
		}
	}
	_, err := m.e.Write(m.t.Context(), rows, nil)
	return err
}

// delete deletes some points of a series.
func (m *maker) delete() error {
	s, err := m.series(m.rng.IntN(8))
	if err != nil {
		return err
	}
	start := m.hour() + int64(m.rng.IntN(3)-1)*base.Hour
	_, err = m.e.Delete(m.t.Context(), Selector{IDs: []base.SeriesID{s.ID()}}, start, start+int64(m.rng.IntN(3))*base.Hour)
	return err
}

// put puts objects and refs beside the points.
func (m *maker) put() error {
	store := objectstore.Open(m.fs)
	for i := range 2 {
		text := fmt.Sprintf("object %d of %d, %v", i, m.seed, m.next)
		id, err := store.Put(m.t.Context(), objectstore.TypeBlob, []byte(text))
		ref := fmt.Sprintf("heads/branch%d", i)
		if err == nil {
			err = store.SetRef(m.t.Context(), ref, objectstore.ID{}, id)
		}
		if err != nil {
			return err
		}
		m.objects[id], m.refs[ref] = text, id
	}
	return errors.Join(
		m.fs.MkdirAll(base.RefLogsDir+"/heads"),
		replaceFile(m.fs, base.RefLogsDir+"/heads/branch0", []byte("somebody, some time\n")),
		replaceFile(m.fs, base.HeadFile, []byte("ref: heads/branch0\n")))
}

// log does what is to be in the log alone.
func (m *maker) log(records int) error {
	for i := range records + 1 {
		var err error
		switch {
		case i == 0:
		case m.rng.IntN(4) == 0:
			err = m.delete()
		default:
			err = m.write()
		}
		now, askErr := ask(m.e)
		if err := errors.Join(err, askErr); err != nil {
			return err
		}
		m.tail = append(m.tail, tailRecord{answers: now.points})
		m.remember()
	}
	return nil
}

// end closes the database, or leaves it as a kill does, or as a copy of it.
func (m *maker) end() (err error) {
	if m.want, err = ask(m.e); err != nil {
		return err
	}
	switch m.seed % 4 {
	case 1:
		m.killed = true
		m.fs = m.fs.CrashClone(m.rng, 100)
		return nil
	case 2:
		m.stale = nil
		from, to := m.fs, fsys.NewMem()
		m.fs = to
		if m.seed%8 == 2 {
			m.tail = nil
			return m.e.Snapshot(m.t.Context(), to)
		}
		return errors.Join(m.e.Close(), Restore(m.t.Context(), from, to))
	}
	return m.e.Close()
}

// remember keeps what is in the files now, to be put in their place later.
func (m *maker) remember() {
	synctest.Wait() // until what is superfluous has gone
	for _, file := range filesOf(m.t, m.fs, "") {
		data := mustRead(m.t, m.fs, file)
		if n := len(m.stale[file]); n == 0 || !bytes.Equal(m.stale[file][n-1], data) {
			m.stale[file] = append(m.stale[file], data)
		}
	}
}

// finish lists the files and finds the records of the log that matter.
func (s *specimen) finish() error {
	s.files = filesOf(s.t, s.fs, "")
	for _, file := range s.files {
		s.data[file] = mustRead(s.t, s.fs, file)
	}
	var err error
	if s.state, _, err = manifest.Read(s.fs, base.ManifestFile); err != nil {
		return err
	}
	uuid, err := readFormat(s.fs)
	if err != nil {
		return err
	}
	next := 1
	_, err = wal.Check(s.fs, wal.OpenOptions{UUID: uuid, Flushed: s.state.FlushedLSN}, func(rec wal.Record) error {
		if rec.Type != wal.TypeBatch && rec.Type != wal.TypeDelete {
			return nil
		}
		if next >= len(s.tail) {
			return fmt.Errorf("record %d in the log is not one of the last %d", rec.LSN, len(s.tail)-1)
		}
		r := &s.tail[next]
		r.file, r.start, r.lsn = rec.File, rec.Offset, rec.LSN
		r.end = rec.Offset + 25 + int64(len(rec.Body))
		next++
		return nil
	})
	if err != nil {
		return err
	}
	s.tail = slices.DeleteFunc(s.tail, func(r tailRecord) bool { return r.file == "" && r.answers == nil })
	if again, err := openAndAsk(s.copy()); err != nil || !again.equal(s.want) {
		return fmt.Errorf("undamaged: %w, %s", err, again.difference(s.want))
	}
	return nil
}

// copy returns a copy of the database to be damaged.
func (s *specimen) copy() *fsys.Mem { return s.fs.CrashClone(rand.New(rand.NewPCG(1, 1)), 100) }

// fileKind returns what kind of file this is.
func fileKind(file string) string {
	_, rotated := base.ParseWALFile(file)
	_, isCatalog := base.ParseCatalogFile(file)
	switch {
	case file == base.CurrentWAL:
		return "log"
	case rotated:
		return "old log"
	case isCatalog:
		return "CATALOG"
	case base.IsPackFile(file):
		return "pack"
	case base.IsDeleteFile(file):
		return "deletion"
	case strings.HasPrefix(file, base.SegmentsDir):
		return "segment"
	case strings.HasPrefix(file, base.ObjectsDir):
		return "object"
	case strings.HasPrefix(file, base.RefsDir):
		return "ref"
	case strings.HasPrefix(file, base.RefLogsDir):
		return base.RefLogsDir
	}
	return file
}
