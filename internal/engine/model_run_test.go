package engine

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/fsys"
	"github.com/sydradb/sydradb/internal/tags"
)

// player plays a script on a database and on the model, in virtual time.
type player struct {
	fs      *fsys.Mem
	opts    Options
	e       *Engine
	model   model
	durable int // batches that a power cut must not take
	held    []heldQuery
}

// heldQuery is an iterator that was opened at some moment and is read later.
type heldQuery struct {
	it   *Iterator
	want contents
}

// play runs the script and returns the first thing that is wrong.
func play(script []step, opts Options) error {
	r := &player{fs: fsys.NewMem(), opts: opts}
	if err := r.open(); err != nil {
		return err
	}
	for i, s := range script {
		if err := r.step(s); err != nil {
			return fmt.Errorf("step %d, %v: %w", i, s, err)
		}
	}
	if err := r.readHeld(); err != nil {
		return err
	}
	return r.close()
}

func (r *player) open() (err error) {
	r.e, err = Open(r.fs, r.opts)
	return err
}

// close closes the database, which makes all batches durable and leaves a directory
// without a fault.
func (r *player) close() error {
	if err := r.e.Close(); err != nil {
		return err
	}
	r.durable = len(r.model.batches)
	if files := r.fs.OpenFiles(); len(files) > 0 {
		return fmt.Errorf("files left open: %v", files)
	}
	return checkClean(r.fs, r.opts)
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
	rng := rand.New(rand.NewPCG(s.seed, 1))
	switch s.op {
	case "write":
		if err := writeBatch(r.e, s.batch); err != nil {
			return err
		}
		r.model.batches = append(r.model.batches, s.batch)
		if r.opts.Sync == SyncAlways {
			r.durable = len(r.model.batches)
		}
		return nil
	case "flush":
		if err := r.e.Flush(context.Background()); err != nil {
			return err
		}
		r.durable = len(r.model.batches)
		return nil
	case "idle":
		time.Sleep(time.Duration(rng.IntN(int(12 * time.Minute))))
		if r.opts.Sync == SyncInterval {
			time.Sleep(4 * time.Second)
			r.durable = len(r.model.batches)
		}
		return nil
	case "reopen":
		if err := r.readHeld(); err != nil {
			return err
		}
		if err := r.close(); err != nil {
			return err
		}
		return r.open()
	case "crash":
		return r.crash(rng)
	case "query":
		return r.query(rng)
	case "hold":
		it, err := r.e.Query(context.Background(), everything)
		if err != nil {
			return err
		}
		r.held = append(r.held, heldQuery{it, r.model.after(len(r.model.batches))})
		return nil
	}
	return fmt.Errorf("unknown operation")
}

// crash goes on with what a power cut, or the end of the process, leaves of the disk.
// The old engine is closed afterwards, on a disk that nobody looks at any more.
func (r *player) crash(rng *rand.Rand) error {
	keep := []int{0, 50, 100}[rng.IntN(3)]
	clone := r.fs.CrashClone(rng, keep)
	if err := r.readHeld(); err != nil {
		return err
	}
	if err := r.e.Close(); err != nil {
		return err
	}
	r.fs = clone
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
	n, err := r.model.matchPrefix(got, r.durable, len(r.model.batches))
	if err != nil {
		return fmt.Errorf("after a crash that keeps %d %%: %w", keep, err)
	}
	r.model.batches = r.model.batches[:n]
	r.durable = n
	return nil
}

// query compares a random selection with the model's.
func (r *player) query(rng *rand.Rand) error {
	q := Query{Start: base.MinTime, End: base.MaxTime, Parallel: rng.IntN(3)}
	if rng.IntN(3) > 0 {
		q.Start = int64(rng.IntN(8)-4) * base.Hour / 2
		q.End = q.Start + int64(rng.IntN(5))*base.Hour/2 + int64(rng.IntN(20))*1e9
		if rng.IntN(10) == 0 {
			q.Start, q.End = q.End, q.Start // nothing, unless they are equal
		}
	}
	for range rng.IntN(3) {
		m := []struct {
			t          tags.MatchType
			key, value string
		}{
			{tags.Equal, "host", "h1"}, {tags.NotEqual, "host", "h2"}, {tags.Equal, "dc", ""}, {tags.NotEqual, "dc", ""},
			{tags.Regexp, "host", "h[1-4]"}, {tags.NotRegexp, "host", "h[0-3]|"}, {tags.Equal, base.NameKey, "m0.x"},
			{tags.Regexp, base.NameKey, "m[01].*"}, {tags.Equal, "none", "x"},
		}[rng.IntN(9)]
		matcher, err := tags.NewMatcher(m.t, m.key, m.value)
		if err != nil {
			return err
		}
		q.Matchers = append(q.Matchers, matcher)
	}
	q.Any = rng.IntN(4) == 0 && len(q.Matchers) > 0
	got, err := readAll(r.e, q)
	if err != nil {
		return err
	}
	want := r.model.after(len(r.model.batches)).filter(q.Matchers, q.Any, q.Start, q.End)
	if !got.equal(want) {
		return fmt.Errorf("query of %v from %d to %d: %s", q.Matchers, q.Start, q.End, got.difference(want))
	}
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
	}
	slices.Sort(keys)
	if len(keys) != len(want) || slices.ContainsFunc(keys, func(k string) bool { return want[k] == nil }) {
		return fmt.Errorf("find of %v from %d to %d: %v, not those of %v", q.Matchers, q.Start, q.End, keys, want)
	}
	return nil
}

// readHeld reads the iterators that were opened earlier: they show their moment.
func (r *player) readHeld() error {
	for _, h := range r.held {
		got, err := drainIterator(r.e, h.it)
		h.it.Close()
		if err != nil {
			return err
		}
		if !got.equal(h.want) {
			return fmt.Errorf("a query opened earlier has changed: %s", got.difference(h.want))
		}
	}
	r.held = nil
	return nil
}

// shorten removes steps as long as the script still fails.
func shorten(script []step, opts Options) []step {
	for size := len(script) / 2; size > 0; size /= 2 {
		for i := 0; i+size <= len(script); {
			shorter := slices.Concat(script[:i], script[i+size:])
			if play(shorter, opts) != nil {
				script = shorter
			} else {
				i += size
			}
		}
	}
	return script
}

// modelSeeds is the number of scripts that TestModel plays: SYDRADB_SEEDS, or as many
// as CI is meant to; a tenth with the race detector.
func modelSeeds() int {
	if n, err := strconv.Atoi(os.Getenv("SYDRADB_SEEDS")); err == nil {
		return n
	}
	if raceEnabled {
		return 200
	}
	return 2000
}

// TestModel plays random operations, restarts and crashes among them, and compares
// all answers with the naive reference.
func TestModel(t *testing.T) {
	for seed := range uint64(modelSeeds()) {
		rng := rand.New(rand.NewPCG(seed, 7))
		opts := randomOptions(rng)
		script := randomScript(rng, 10+rng.IntN(60), "flush", "idle", "reopen", "crash", "query", "query", "hold")
		synctest.Test(t, func(t *testing.T) {
			err := play(script, opts)
			if err == nil {
				return
			}
			t.Errorf("seed %d, %+v: %v", seed, opts, err)
		})
		if t.Failed() {
			synctest.Test(t, func(t *testing.T) {
				short := shorten(script, opts)
				t.Logf("shortened: %v", play(short, opts))
				for i, s := range short {
					t.Logf("%3d %v", i, s)
				}
			})
			return
		}
	}
}
