package engine

import (
	"context"
	"errors"
	"fmt"
	"hash"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"strings"
	"testing/synctest"
	"time"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/fsys"
)

// setting is how a script is played.
type setting struct {
	Options
	eager bool // merge after each flush
	// exact has all sweeps forced, whenever time has moved, and no batch lost in crashes,
	// so that all answers follow from the script alone.
	exact bool
}

// player plays a script on a database and on the model, in virtual time. The database
// lies in a directory of disk, others are its copies.
type player struct {
	setting
	disk   *fsys.Mem
	dir    string
	clock  *clock
	e      *Engine
	series handles
	model  model
	now    contents // what all batches add up to
	shown  levels   // the horizons as last seen
	// durable counts the batches that a power cut must not take.
	durable int
	held    []heldQuery
	readers []heldReader
	copies  []databaseCopy
	answers hash.Hash64 // of all that was read
	reach   *reach
}

// heldQuery is an iterator that was opened at some moment and is read later.
type heldQuery struct {
	it   *Iterator
	want contents
}

// heldReader is a database that was opened for reading at some moment.
type heldReader struct {
	e     *Engine
	want  contents
	shown levels
}

// databaseCopy is a snapshot, or what it was restored to, which nobody has open.
type databaseCopy struct {
	dir   string
	model model
	shown levels
}

// play runs the script and returns the first thing that is wrong.
func play(script []step, s setting, reach *reach) (answers uint64, err error) {
	r := &player{
		setting: s, disk: fsys.NewMem(), dir: "0", clock: newClock(scriptTime),
		now: make(contents), shown: noLevels, answers: fnv.New64a(), reach: reach,
	}
	r.Now = r.clock.now
	if err := r.fs().MkdirAll("."); err != nil {
		return 0, err
	}
	if err := r.disk.SyncDir("."); err != nil {
		return 0, err
	}
	err = r.run(script)
	for _, h := range r.held {
		h.it.Close()
	}
	for _, h := range r.readers {
		err = errors.Join(err, h.e.Close())
	}
	if r.e != nil {
		err = errors.Join(err, r.e.Close())
	}
	return r.answers.Sum64(), err
}

func (r *player) run(script []step) error {
	if err := r.open(); err != nil {
		return err
	}
	for i, s := range script {
		err := r.step(s)
		if err == nil {
			err = r.settle()
		}
		if err != nil {
			return fmt.Errorf("step %d, %v: %w", i, s, err)
		}
	}
	if err := r.readHeld(); err != nil {
		return err
	}
	if err := r.close(); err != nil {
		return err
	}
	return r.readCopies()
}

func (r *player) fs() fsys.FS { return fsys.Sub(r.disk, r.dir) }

func (r *player) open() (err error) {
	if r.e, err = Open(r.fs(), r.Options); err != nil {
		return err
	}
	r.series = make(handles)
	return r.moved()
}

// settle waits until the engine rests, and sees what its sweeps have done meanwhile.
func (r *player) settle() error {
	synctest.Wait()
	now := levelsOf(r.e.Horizon)
	err := now.within(r.shown, r.shown.swept(r.Retention, r.Now()))
	r.shown = now
	r.reach.look(r.e)
	return err
}

// moved is settle after time has moved.
func (r *player) moved() error {
	err := r.settle()
	if err == nil && r.exact {
		err = r.retain()
	}
	return err
}

// retain sweeps with nothing held back.
func (r *player) retain() error {
	want := r.shown.swept(r.Retention, r.Now())
	if err := r.e.Retain(context.Background(), true); err != nil {
		return err
	}
	if err := levelsOf(r.e.Horizon).within(want, want); err != nil {
		return fmt.Errorf("after a sweep: %w", err)
	}
	return r.settle()
}

// close closes the database, which makes all batches durable and leaves a directory
// without a fault.
func (r *player) close() error {
	e := r.e
	r.e = nil
	if err := e.Close(); err != nil {
		return err
	}
	r.durable = len(r.model.batches)
	if files := r.disk.OpenFiles(); len(files) > 0 && len(r.readers) == 0 {
		return fmt.Errorf("files left open: %v", files)
	}
	return checkClean(r.fs(), r.Options)
}

// checkClean returns the first finding of a check. After a failure, records of which
// segment files hold the points may stay in the log until the next flush.
func checkClean(fs fsys.FS, opts Options) error {
	report, err := check(context.Background(), fs, opts.HashSeries)
	if err != nil {
		return fmt.Errorf("check: %w", err)
	}
	for _, f := range report.Findings {
		if f.Severity == Leftover && strings.HasPrefix(f.File, base.WALDir) {
			continue
		}
		return fmt.Errorf("check: %v", f)
	}
	return nil
}

func (r *player) step(s step) error {
	ctx, rng := context.Background(), s.rng()
	switch s.op {
	case "write":
		return r.write(rng, s.batch)
	case "delete":
		return r.delete(rng)
	case "flush":
		return r.flush()
	case "compact":
		err := r.e.Compact(ctx)
		r.durable = len(r.model.batches)
		return err
	case "merge":
		return r.e.mergeNow()
	case "retain":
		return r.retain()
	case "sweep":
		if r.exact {
			return r.retain()
		}
		return r.e.Retain(ctx, false)
	case "idle", "clock":
		return r.passTime(s.op, rng)
	case "reopen":
		return r.reopen(rng)
	case "crash":
		return r.crash(rng)
	case "query":
		return r.query(rng)
	case "hold":
		it, err := r.e.Query(ctx, everything)
		if err == nil {
			r.held = append(r.held, heldQuery{it, r.now.above(r.shown)})
		}
		return err
	case "readonly":
		return r.readOnly(rng)
	case "snapshot":
		return r.snapshot(rng)
	}
	return errors.New("unknown operation")
}

// mergeNow merges what is in files as Compact does, but flushes nothing before: what
// background merging may come across.
func (e *Engine) mergeNow() error {
	m := e.maintenance
	return m.do(context.Background(), func(ctx context.Context) error { return errors.Join(m.mergeAll(ctx), m.settle(true)) })
}

// acknowledged takes note of a batch that was written.
func (r *player) acknowledged(batch []modelPoint) {
	r.model.batches = append(r.model.batches, batch)
	r.now.add(batch)
	if r.Sync == SyncAlways {
		r.durable = len(r.model.batches)
	}
}

// write writes a batch: mostly what of it is not too old, else all of it, which is
// refused as a whole if anything is.
func (r *player) write(rng *rand.Rand, batch []modelPoint) error {
	old := func(p modelPoint) bool { return p.ts < r.shown.of(p.key) }
	if rng.IntN(4) > 0 {
		if batch = slices.DeleteFunc(slices.Clone(batch), old); len(batch) == 0 {
			return nil
		}
	}
	if rng.IntN(3) == 0 {
		delete(r.series, batch[0].key) // and resolve it anew
	}
	before := r.reach.ordinals(r.series)
	err := r.series.write(r.e, batch)
	r.reach.written(r.series, before, err)
	if errors.Is(err, ErrTooOld) {
		if err := r.settle(); err != nil { // the sweep may have been just now
			return err
		}
		if slices.ContainsFunc(batch, old) {
			return nil
		}
		return fmt.Errorf("a batch without any old point: %w", err)
	}
	if err != nil {
		return err
	}
	if slices.ContainsFunc(batch, old) {
		return errors.New("a batch with points that are too old was taken")
	}
	r.acknowledged(batch)
	return nil
}

// delete deletes points of some series, named by tags or by ids.
func (r *player) delete(rng *rand.Rand) error {
	d := randomDeletion(rng)
	keys := d.keys()
	if rng.IntN(4) == 0 && r.HashSeries == nil && len(keys) > 0 {
		d.Selector = Selector{IDs: []base.SeriesID{7}} // which is none
		for _, key := range keys {
			s, err := r.series.resolve(r.e, key)
			if err != nil {
				return err
			}
			d.IDs = append(d.IDs, s.ID())
		}
	}
	n, err := r.e.Delete(context.Background(), d.Selector, d.start, d.end)
	if err != nil {
		return err
	}
	least := 0
	for _, key := range keys {
		if len(r.now[key]) > 0 && d.start <= d.end && r.now.above(r.shown)[key] != nil {
			least++
		}
	}
	if n < least || n > len(keys) {
		return fmt.Errorf("deleted from %d series, %d of the %d selected have points", n, least, len(keys))
	}
	r.acknowledged(deletionOf(keys, d.start, d.end))
	return nil
}

func (r *player) flush() error {
	err := r.e.Flush(context.Background())
	if err == nil {
		r.durable = len(r.model.batches)
		if r.eager {
			err = r.e.Compact(context.Background())
		}
	}
	return err
}

// passTime lets time pass, or has the wall clock set.
func (r *player) passTime(how string, rng *rand.Rand) error {
	if err := r.settle(); err != nil {
		return err
	}
	switch {
	case how == "clock" && rng.IntN(30) == 0:
		r.clock.step(10 * 365 * 24 * time.Hour)
	case how == "clock":
		r.clock.step([]time.Duration{time.Hour, 6 * time.Hour, 26 * time.Hour, -2 * time.Hour, -30 * time.Hour}[rng.IntN(5)])
	case rng.IntN(20) == 0:
		time.Sleep(time.Duration(rng.IntN(int(150 * time.Minute))))
	default:
		time.Sleep(time.Duration(rng.IntN(int(12 * time.Minute))))
	}
	if how == "idle" {
		time.Sleep(4 * time.Second) // in all settings, so that clocks agree
		if r.Sync == SyncInterval {
			r.durable = len(r.model.batches)
		}
	}
	return r.moved()
}

// reopen opens the database again, under other rules, and, where answers may depend on
// it, with other options.
func (r *player) reopen(rng *rand.Rand) error {
	if err := r.readHeld(); err != nil {
		return err
	}
	if err := r.close(); err != nil {
		return err
	}
	if rng.IntN(2) == 0 {
		r.Retention = randomRules(rng)
	}
	if other := randomOptions(rng); !r.exact && rng.IntN(2) == 0 {
		other.Now, other.HashSeries, other.Retention = r.Now, r.HashSeries, r.Retention
		r.Options = other
	}
	return r.open()
}

// crash goes on with what a power cut, or the end of the process, leaves of the disk.
// The old engine is closed afterwards, on a disk that nobody looks at any more.
func (r *player) crash(rng *rand.Rand) error {
	keep := []int{0, 50, 100}[rng.IntN(3)]
	if r.exact {
		keep = 100
	}
	clone := r.disk.CrashClone(rng, keep)
	if err := r.readHeld(); err != nil {
		return err
	}
	old := r.e
	r.e = nil
	if err := old.Close(); err != nil {
		return err
	}
	r.disk = clone
	if err := r.open(); err != nil {
		return fmt.Errorf("open after a crash that keeps %d %%: %w", keep, err)
	}
	if keep == 100 { // as after kill -9: nothing acknowledged may be missing
		r.durable = len(r.model.batches)
	}
	got, err := readAll(r.e, everything)
	if err != nil {
		return err
	}
	n, err := r.model.matchAbove(r.shown, got, r.durable, len(r.model.batches))
	if err != nil {
		return fmt.Errorf("after a crash that keeps %d %%: %w", keep, err)
	}
	if n < len(r.model.batches) {
		r.model.batches = r.model.batches[:n:n]
		r.now = r.model.after(n)
	}
	r.durable = n
	return nil
}

// query compares a random selection with the model's.
func (r *player) query(rng *rand.Rand) error {
	q := Query{Selector: randomSelector(rng), Parallel: rng.IntN(3)}
	q.Start, q.End = randomRange(rng)
	it, err := r.e.Query(context.Background(), q)
	if err != nil {
		return err
	}
	got, err := drainInto(r.answers, it)
	it.Close()
	if err != nil {
		return err
	}
	want := r.now.filter(q.Matchers, q.Any, q.Start, q.End, r.shown)
	if !got.equal(want) {
		return fmt.Errorf("query of %v from %d to %d: %s", q.Matchers, q.Start, q.End, got.difference(want))
	}
	if err := r.find(q, want); err != nil {
		return err
	}
	return r.aggregate(rng, q)
}

// find compares the series that have points with those of want.
func (r *player) find(q Query, want contents) error {
	found, err := r.e.Find(context.Background(), q.Selector, q.Start, q.End)
	if err != nil {
		return err
	}
	var keys []string
	for _, s := range found {
		key, err := modelKey(s)
		if err != nil {
			return err
		}
		keys = append(keys, key)
		_, _ = r.answers.Write([]byte(key))
	}
	slices.Sort(keys)
	if len(keys) != len(want) || slices.ContainsFunc(keys, func(k string) bool { return want[k] == nil }) {
		return fmt.Errorf("find of %v from %d to %d: %v, not those of %v", q.Matchers, q.Start, q.End, keys, want)
	}
	return nil
}

// readHeld reads the iterators and databases that were opened earlier: they show their
// moment.
func (r *player) readHeld() error {
	for len(r.held) > 0 {
		h := r.held[0]
		got, err := drainInto(r.answers, h.it)
		h.it.Close()
		r.held = r.held[1:]
		if err != nil {
			return err
		}
		if !got.equal(h.want) {
			return fmt.Errorf("a query opened earlier has changed: %s", got.difference(h.want))
		}
	}
	for len(r.readers) > 0 {
		h := r.readers[0]
		err := h.read()
		r.readers = r.readers[1:]
		if err := errors.Join(err, h.e.Close()); err != nil {
			return fmt.Errorf("a database opened for reading: %w", err)
		}
	}
	return nil
}

// shorten removes steps as long as the script still fails.
func shorten(script []step, fails func([]step) bool) []step {
	for size := len(script) / 2; size > 0; size /= 2 {
		for i := 0; i+size <= len(script); {
			shorter := slices.Concat(script[:i], script[i+size:])
			if fails(shorter) {
				script = shorter
			} else {
				i += size
			}
		}
	}
	return script
}
