package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"runtime/debug"
	"runtime/metrics"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/codec"
	"github.com/sydradb/sydradb/internal/fsys"
	"github.com/sydradb/sydradb/internal/manifest"
	"github.com/sydradb/sydradb/internal/objectstore"
	"github.com/sydradb/sydradb/internal/segment"
)

// maxAllocated is what may be allocated to find out that a file is damaged.
const maxAllocated = 64 << 20

// allocated returns how much has been allocated since the process began.
func allocated() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

// verdict is what became of a damage.
type verdict struct {
	refused  bool // opening or reading it is an error
	found    bool // check calls it damage
	repaired bool
}

// depth says what is done with a damaged database beside reading and checking it.
type depth struct{ repair, copies bool }

// judge damages a copy of the database and returns an error if anything that is done with
// it gives other data, a panic or great use of memory, or keeps silent about the damage.
func (s *specimen) judge(d *damage, deep depth) (v verdict, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	damaged := s.copy()
	if err := d.apply(damaged); err != nil {
		return v, err
	}
	clone := func() *fsys.Mem { return damaged.CrashClone(rand.New(rand.NewPCG(1, 1)), 100) }
	opened := clone()
	var got answers
	var readErr error
	if err := bounded("read", func() { got, readErr = openAndAsk(opened) }); err != nil {
		return v, err
	}
	v.refused = readErr != nil
	if err := s.judgeAnswers(d, got, readErr); err != nil {
		return v, err
	}
	objectsErr, err := s.judgeObjects(d, damaged)
	if err != nil {
		return v, err
	}
	var report *CheckReport
	var checkErr error
	if err := bounded("check", func() { report, checkErr = Check(context.Background(), damaged) }); err != nil {
		return v, err
	}
	v.found = checkErr != nil || report.Damaged()
	switch {
	case checkErr != nil && !isNamed(checkErr):
		return v, fmt.Errorf("check: %w", checkErr)
	case !v.found && (readErr != nil || objectsErr != nil):
		return v, fmt.Errorf("check finds %v, but: %w", report.Findings, errors.Join(readErr, objectsErr))
	case !v.found && len(report.Findings) == 0 && !d.sealed && !s.harmless(d):
		return v, errors.New("check finds nothing")
	}
	if deep.copies {
		if err := s.judgeCopies(d, clone, opened, v); err != nil {
			return v, err
		}
	}
	if deep.repair {
		v.repaired, err = s.judgeRepair(d, clone())
	}
	return v, err
}

// bounded calls fn and returns an error if that allocates too much.
func bounded(what string, fn func()) error {
	before := allocated()
	fn()
	if n := allocated() - before; n > maxAllocated {
		return fmt.Errorf("%s: %d bytes allocated", what, n)
	}
	return nil
}

// isNamed reports whether an error is one of those that say what is wrong.
func isNamed(err error) bool {
	var damage *base.CorruptionError
	if errors.As(err, &damage) {
		return damage.File != ""
	}
	for _, named := range []error{ErrFormat, ErrNotDatabase, manifest.ErrNewer, codec.ErrUnknown} {
		if errors.Is(err, named) {
			return true
		}
	}
	return false
}

// judgeAnswers holds what a damaged database answers against what it should.
func (s *specimen) judgeAnswers(d *damage, got answers, err error) error {
	switch {
	case err != nil && !isNamed(err):
		return fmt.Errorf("not a named error: %w", err)
	case err != nil || got.equal(s.want) || s.mayDiffer(d):
		return nil
	case s.mayForgetHorizons(d) && s.want.samePoints(s.expire(got.points)):
		return nil
	}
	for i := range s.tail {
		if s.killed && got.samePoints(s.tail[i].answers) && s.mayEndWith(d, i) {
			return nil
		}
	}
	return errors.New(got.difference(s.want))
}

// mayDiffer reports whether a damage whose checksums fit says what is as good as what was
// written: a value, a time or a name, and not how long something is.
func (s *specimen) mayDiffer(d *damage) bool { return d.what == "sealed" }

// mayForgetHorizons reports whether lines of MANIFEST may be gone from its end. Where they
// did nothing but move horizons, nothing else tells that they were there; what was hidden
// is seen until retention comes by.
func (s *specimen) mayForgetHorizons(d *damage) bool {
	return fileKind(d.file) == base.ManifestFile && d.what != "flip" && d.what != "length"
}

// expire returns the points that the horizons do not hide.
func (s *specimen) expire(points pointsByID) pointsByID {
	left := make(pointsByID)
	for id, column := range points {
		for ts, value := range column {
			if ts >= horizons(s.state.Horizon).of(s.names[id]) {
				left.set(id, ts, value)
			}
		}
	}
	return left
}

// mayEndWith reports whether a log that a kill left may, with this damage, seem to be one
// that ended with its i-th record, see "After a crash" of the log's format: one bad bit
// may do away with the last record alone, since each says that those before it are on
// disk; nothing tells how far a log reached of which the end is gone.
func (s *specimen) mayEndWith(d *damage, i int) bool {
	last := len(s.tail) - 1
	if !isLog(d.file) {
		return false
	}
	if d.what == "flip" || d.what == "length" {
		return i == last-1 && d.first(s) >= s.tail[last].start
	}
	return i >= s.whole(d)
}

// whole returns the last record of those before the first byte that is hit.
func (s *specimen) whole(d *damage) int {
	for i := 1; i < len(s.tail); i++ {
		if r := &s.tail[i]; d.hits(r.file) && s.changed(d, r.file) < r.end {
			return i - 1
		}
	}
	return len(s.tail) - 1
}

// first returns the offset of the first byte that differs in the file that is hit.
func (d *damage) first(s *specimen) int64 { return s.changed(d, d.file) }

func (s *specimen) changed(d *damage, file string) int64 {
	for _, c := range d.files {
		if c.file == file {
			return int64(common(s.data[file], c.data))
		}
	}
	return int64(len(s.data[file]))
}

// common returns how many bytes at the start are the same.
func common(a, b []byte) (n int) {
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	return n
}

func isLog(file string) bool { return strings.HasPrefix(file, base.WALDir) }

// harmless lists the damage of which no check can know, or that does not matter.
func (s *specimen) harmless(d *damage) bool {
	text := string(s.data[d.file])
	at := d.first(s)
	switch kind := fileKind(d.file); kind {
	case base.TagsFile, base.LockFile:
		return true // never read
	case base.FormatFile:
		// When the directory was made: nothing else says so.
		created := int64(strings.Index(text, `"created":"`) + len(`"created":"`))
		return d.what == "flip" && created <= at && at < created+int64(len("2000-01-01T00:00:00Z"))
	case "object":
		return d.what == "missing" // what is not there is not damaged, a ref may want it
	case "ref":
		// A ref is 64 digits that say where it leads, and has no checksum: another object,
		// or one that is not there, is what it would say if it had been set to that.
		if d.what == "missing" {
			return true
		}
		for _, c := range d.files {
			if len(c.data) != 65 || strings.Trim(string(c.data[:64]), "0123456789abcdef") != "" || c.data[64] != '\n' {
				return false
			}
		}
		return true
	case base.ManifestFile:
		// The last line, that of the close, is one whose loss changes no answer.
		return d.what == "stale" || d.what == "cut" && strings.HasSuffix(text[:at], "\n")
	case "log", "old log":
		// A log that a kill left may end with any record, and one that a snapshot began.
		return s.state.LastLSN == 0
	case base.HeadFile, base.RefLogsDir:
		return true // nothing reads them yet
	}
	return false
}

// judgeObjects reads objects and refs. It returns what reading them came to.
func (s *specimen) judgeObjects(d *damage, fs fsys.FS) (found, err error) {
	if kind := fileKind(d.file); kind != "object" && kind != "ref" {
		return nil, nil
	}
	ctx := context.Background()
	store := objectstore.Open(fs)
	for id, text := range s.objects {
		_, payload, err := store.Get(ctx, id)
		switch {
		case errors.Is(err, objectstore.ErrNotFound) && d.what == "missing":
		case errors.Is(err, base.ErrCorrupt) || errors.Is(err, objectstore.ErrUnknownType):
			found = err
		case err != nil:
			return nil, fmt.Errorf("not a named error: %w", err)
		case string(payload) != text:
			return nil, fmt.Errorf("object %v is %q, not %q", id, payload, text)
		}
	}
	for name, id := range s.refs {
		switch got, err := store.Ref(ctx, name); {
		case errors.Is(err, base.ErrCorrupt):
			found = err
		case err != nil:
			return nil, fmt.Errorf("not a named error: %w", err)
		case got != id && d.what == "flip":
			if _, _, err := store.Get(ctx, got); !errors.Is(err, objectstore.ErrNotFound) {
				return nil, fmt.Errorf("ref %s leads to %v: %w", name, got, err)
			}
		}
	}
	return found, nil
}

// judgeCopies verifies that the damage does not get about: opening keeps it to be found,
// reading changes nothing, and copies are refused, right, or damaged for all to see.
func (s *specimen) judgeCopies(d *damage, clone func() *fsys.Mem, opened *fsys.Mem, v verdict) error {
	if report, err := Check(context.Background(), opened); v.refused && err == nil && !report.Damaged() {
		return fmt.Errorf("opening it hides the damage: %v", report.Findings)
	}
	read, copied, restored := clone(), fsys.NewMem(), fsys.NewMem()
	before := contentsOf(s.t, read)
	var got answers
	var err error
	synctest.Test(s.t, func(*testing.T) {
		var e *Engine
		if e, err = OpenReadOnly(read, Options{}); err == nil {
			got, err = ask(e)
			err = errors.Join(err, e.Close())
		}
	})
	if err := s.judgeAnswers(d, got, err); err != nil {
		return fmt.Errorf("read only: %w", err)
	}
	if !maps.Equal(contentsOf(s.t, read), before) {
		return errors.New("reading has changed files")
	}
	if err := Restore(context.Background(), clone(), restored); err == nil {
		got, err := openAndAsk(restored)
		if err := s.judgeAnswers(d, got, err); err != nil || v.found {
			return fmt.Errorf("restored, damage %v: %w", v.found, err)
		}
	} else if !isNamed(err) {
		return fmt.Errorf("restore: %w", err)
	}
	e, err := Open(clone(), Options{MergeOff: true})
	if err != nil {
		return nil
	}
	if err := errors.Join(e.Snapshot(context.Background(), copied), e.Close()); err != nil {
		if !isNamed(err) {
			return fmt.Errorf("snapshot: %w", err)
		}
		return nil
	}
	got, err = openAndAsk(copied)
	if err := s.judgeAnswers(d, got, err); err != nil {
		return fmt.Errorf("snapshot: %w", err)
	}
	if report, checkErr := Check(context.Background(), copied); err != nil && checkErr == nil && !report.Damaged() {
		return fmt.Errorf("the snapshot hides the damage: %w", err)
	}
	return nil
}

// judgeRepair repairs, and holds what is there then against what must be left.
func (s *specimen) judgeRepair(d *damage, fs *fsys.Mem) (done bool, err error) {
	var steps []RepairStep
	if err := bounded("repair", func() { steps, err = repair(fs) }); err != nil {
		return false, err
	}
	if errors.Is(err, ErrFormat) || errors.Is(err, ErrNotDatabase) && fileKind(d.file) == base.FormatFile {
		return false, nil // of a newer version, for all that can be told
	}
	if d.sealed || s.mayConfuse(d) {
		return err == nil, nil // what nobody could tell from what was written
	}
	if err != nil {
		return false, fmt.Errorf("repair: %w; steps %v", err, steps)
	}
	got, err := openAndAsk(fs)
	if err == nil {
		err = s.judgeRepaired(d, got.points)
	}
	if err != nil {
		return false, fmt.Errorf("repaired: %w; steps %v", err, steps)
	}
	return true, nil
}

// judgeRepaired holds the points after a repair against those that were outside of what
// was damaged, and against all that was ever written.
func (s *specimen) judgeRepaired(d *damage, got pointsByID) error {
	for id, points := range got {
		for ts, value := range points {
			was, answered := s.want.points[id][ts]
			switch {
			case !slices.Contains(s.written[id][ts], value):
				return fmt.Errorf("series %x at %d: %v was never written", uint64(id), ts, value)
			case answered && value == was || s.mayComeBack(d):
			case !s.mayLose(d, id, ts):
				return fmt.Errorf("series %x at %d: %v came back", uint64(id), ts, value)
			}
		}
	}
	for id, points := range s.want.points {
		for ts, value := range points {
			if v, ok := got[id][ts]; (!ok || v != value) && !s.mayLose(d, id, ts) {
				return fmt.Errorf("series %x at %d: %v, %v, not %v", uint64(id), ts, v, ok, value)
			}
		}
	}
	return nil
}

// mayConfuse reports whether the catalog is of another database, and a repair cannot tell:
// it might be what is left of ours. Its ordinals are those of other series.
func (s *specimen) mayConfuse(d *damage) bool {
	if fileKind(d.file) != "CATALOG" || d.what != "foreign" {
		return false
	}
	data, limit := d.files[0].data, s.state.Catalog.Bytes
	return int64(len(data)) < limit
}

// mayComeBack reports whether the damage may have taken a deletion, or a horizon: that of
// series that lose their names is the lowest.
func (s *specimen) mayComeBack(d *damage) bool {
	kind := fileKind(d.file)
	if kind == "CATALOG" && len(s.state.Horizon) > 0 {
		return true
	}
	return kind == base.ManifestFile && d.what != "flip" || kind == base.FormatFile && d.what == "foreign" || kind == "deletion" || isLog(d.file)
}

// mayLose reports whether a point is in what the damage has hit.
func (s *specimen) mayLose(d *damage, id base.SeriesID, ts int64) bool {
	return slices.ContainsFunc(d.files, func(c change) bool { return s.mayLoseWith(d, c.file, id, ts) })
}

func (s *specimen) mayLoseWith(d *damage, file string, id base.SeriesID, ts int64) bool {
	flip := d.what == "flip"
	switch fileKind(file) {
	case "segment":
		e, _ := s.state.Entry(file)
		return id == e.SeriesID && e.StartTS <= ts && ts <= e.EndTS
	case "pack":
		e, _ := s.state.Entry(file)
		return e.StartTS <= ts && ts <= e.EndTS && (!flip || s.inBlock(file, d.first(s), id, ts))
	case "CATALOG":
		return !flip && s.logs(id, ts, 0)
	case base.FormatFile:
		// Nothing tells whose the uuid is, where log and FORMAT differ and both are sound.
		return d.what == "foreign" && s.logs(id, ts, 0)
	case base.ManifestFile:
		return !flip && (d.what == "foreign" || d.what == "stale" || !s.logs(id, ts, 0))
	case "log", "old log":
		return s.logs(id, ts, s.whole(d))
	}
	return false
}

// logs reports whether a point is not what the files and the log up to the i-th record say.
func (s *specimen) logs(id base.SeriesID, ts int64, i int) bool {
	if len(s.tail) == 0 {
		return false
	}
	was, ok := s.tail[i].answers[id][ts]
	now, answered := s.want.points[id][ts]
	return ok != answered || was != now
}

// inBlock reports whether the byte at offset of a pack is one that the point depends on.
func (s *specimen) inBlock(file string, offset int64, id base.SeriesID, ts int64) bool {
	entry, _ := s.state.Entry(file)
	hit, inColumns := false, false
	err := segment.VerifyPack(s.fs, entry, func(p *segment.PackSeries, _ []int64) error {
		for i := range p.Blocks {
			b := &p.Blocks[i]
			in := b.TimestampOffset <= offset && offset < b.TimestampOffset+int64(b.TimestampBytes) ||
				b.ValueOffset <= offset && offset < b.ValueOffset+int64(b.ValueBytes)
			inColumns = inColumns || in
			hit = hit || in && p.ID == id && b.First <= ts && ts <= b.Last
		}
		return nil
	})
	return err != nil || hit || !inColumns
}
