package engine

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/tags"
)

// step is one operation of a script. A script is made from a seed before it runs, so
// that a failure can be played again and shortened.
type step struct {
	op    string       // "write", or what player.step and workload.step know
	batch []modelPoint // of write
	seed  uint64       // of whatever else is random
}

func (s step) String() string {
	switch s.op {
	case "write":
	case "delete":
		return fmt.Sprintf("delete(%x: %v)", s.seed, randomDeletion(s.rng()))
	default:
		return fmt.Sprintf("%s(%x)", s.op, s.seed)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "write(")
	for i, p := range s.batch {
		if i == 4 {
			fmt.Fprintf(&b, " ... %d points", len(s.batch))
			break
		}
		fmt.Fprintf(&b, " %s@%d=%x", p.key, p.ts, math.Float64bits(p.value))
	}
	return b.String() + ")"
}

// rng returns what the step is to decide by.
func (s step) rng() *rand.Rand { return rand.New(rand.NewPCG(s.seed, 1)) }

// oddValues are the values that a careless encoder changes.
var oddValues = []float64{
	0, math.Copysign(0, -1), 1, -1, 0.1, math.Inf(1), math.Inf(-1), math.MaxFloat64, math.SmallestNonzeroFloat64,
	math.NaN(), math.Float64frombits(0x7ff0000000000002), math.Float64frombits(0xfff8000000000123),
}

func randomValue(rng *rand.Rand) float64 {
	if rng.IntN(4) == 0 {
		return oddValues[rng.IntN(len(oddValues))]
	}
	return float64(rng.IntN(1000)) / 4
}

// randomHour returns the start of one of a few hours of four days, so that batches often
// meet in one, above all in one of the last, and often come late.
func randomHour(rng *rand.Rand) int64 {
	if rng.IntN(3) == 0 {
		return 2*base.Day + 22*base.Hour
	}
	return int64(rng.IntN(4)-1)*base.Day + []int64{0, 1, 2, 22, 23}[rng.IntN(5)]*base.Hour
}

// randomBatch returns a batch whose points fall on few times, so that overwrites,
// duplicates and late points are common.
func randomBatch(rng *rand.Rand) []modelPoint {
	batch := make([]modelPoint, 1+rng.IntN(1+rng.IntN(40)))
	start := randomHour(rng)
	for i := range batch {
		p := modelPoint{key: allModelSeries[rng.IntN(len(allModelSeries))].key}
		switch n := rng.IntN(40); {
		case n == 0:
			p.ts = []int64{base.MinTime, base.MaxTime, -1, 0, base.Hour - 1, -base.Hour}[rng.IntN(6)]
		case n < 6:
			p.ts = start + int64(rng.IntN(10))*base.Hour/3
		default:
			p.ts = start + int64(i)*1e9 + int64(rng.IntN(3))
		}
		p.value = randomValue(rng)
		batch[i] = p
	}
	return batch
}

// denseBatch returns a batch with more points of one series than a block of a pack takes.
func denseBatch(rng *rand.Rand) []modelPoint {
	batch := make([]modelPoint, 1100+rng.IntN(300))
	start, key := randomHour(rng), allModelSeries[rng.IntN(len(allModelSeries))].key
	for i := range batch {
		batch[i] = modelPoint{key: key, ts: start + int64(i)*10e9, value: float64(rng.IntN(1000)) / 4}
	}
	return batch
}

// rewriteOf returns a batch with points at times that a deletion has taken.
func rewriteOf(rng *rand.Rand, d deletion, written []modelPoint) []modelPoint {
	var batch []modelPoint
	for _, p := range written {
		if p.ts >= d.start && p.ts <= d.end && len(batch) < 20 && rng.IntN(3) > 0 {
			batch = append(batch, modelPoint{key: p.key, ts: p.ts, value: randomValue(rng)})
		}
	}
	return batch
}

// deletion is what a step deletes: points of the series that it selects.
type deletion struct {
	Selector
	start, end int64
}

func randomDeletion(rng *rand.Rand) deletion {
	var d deletion
	d.start, d.end = randomRange(rng)
	d.Selector = randomSelector(rng)
	return d
}

// keys returns the series of the tests that d concerns, whether they exist or not.
func (d deletion) keys() (keys []string) {
	for _, s := range allModelSeries {
		if s.matches(d.Matchers, d.Any) {
			keys = append(keys, s.key)
		}
	}
	return keys
}

// randomRange returns a range of time: everything, days, hours, seconds, or nothing.
func randomRange(rng *rand.Rand) (start, end int64) {
	start = randomHour(rng) + int64(rng.IntN(3)-1)*base.Hour/2
	switch rng.IntN(8) {
	case 0, 1:
		return base.MinTime, base.MaxTime
	case 2, 3:
		return base.DayStart(start), base.DayStart(start) + int64(rng.IntN(3))*base.Day - 1
	case 4:
		return start, start + int64(rng.IntN(60))*1e9
	case 5:
		return start, start - int64(rng.IntN(2)) // nothing, or one time
	default:
		return start, start + int64(rng.IntN(8))*base.Hour/2
	}
}

// modelMatchers are what selectors of scripts are made of.
var modelMatchers = func() (all []tags.Matcher) {
	for _, m := range []struct {
		t          tags.MatchType
		key, value string
	}{
		{tags.Equal, "host", "h1"}, {tags.NotEqual, "host", "h2"}, {tags.Equal, "dc", ""}, {tags.NotEqual, "dc", ""},
		{tags.Regexp, "host", "h[1-4]"}, {tags.NotRegexp, "host", "h[0-3]|"}, {tags.Equal, base.NameKey, "m0.x"},
		{tags.Regexp, base.NameKey, "m[01].*"}, {tags.Equal, "none", "x"},
	} {
		matcher, err := tags.NewMatcher(m.t, m.key, m.value)
		if err != nil {
			panic(err)
		}
		all = append(all, matcher)
	}
	return all
}()

// randomSelector returns a selector of some of the series, or of all.
func randomSelector(rng *rand.Rand) (sel Selector) {
	for range rng.IntN(3) {
		sel.Matchers = append(sel.Matchers, modelMatchers[rng.IntN(len(modelMatchers))])
	}
	sel.Any = rng.IntN(4) == 0 && len(sel.Matchers) > 0
	return sel
}

// randomScript returns n steps, mostly writes, with the other operations given.
func randomScript(rng *rand.Rand, n int, others ...string) []step {
	return mixedScript(rng, n, 40, others)
}

// mixedScript returns n steps, of which others, in percent, are not writes.
func mixedScript(rng *rand.Rand, n, percent int, others []string) []step {
	steps := make([]step, n)
	var written []modelPoint
	var deleted *deletion
	for i := range steps {
		s := step{op: "write", seed: rng.Uint64()}
		switch {
		case len(others) > 0 && rng.IntN(100) < percent:
			s.op = others[rng.IntN(len(others))]
			if s.op == "delete" {
				d := randomDeletion(s.rng())
				deleted = &d
			}
		case deleted != nil && rng.IntN(3) == 0:
			s.batch = rewriteOf(rng, *deleted, written)
		}
		if s.op == "write" && len(s.batch) == 0 {
			s.batch = randomBatch(rng)
		}
		written = append(written, s.batch...)
		steps[i] = s
	}
	return steps
}

// thicken makes one in share of the writes of a script dense.
func thicken(rng *rand.Rand, script []step, share int) {
	for i := range script {
		if script[i].op == "write" && rng.IntN(share) == 0 {
			script[i].batch = denseBatch(rng)
		}
	}
}

// randomOptions returns settings small enough that flushes, rotations and rewrites
// happen within a few batches.
func randomOptions(rng *rand.Rand) Options {
	o := Options{
		Sync:            SyncPolicy(rng.IntN(3)),
		MemtableBytes:   []int64{MinMemtableBytes, 16 << 10, 1 << 20, 64 << 20}[rng.IntN(4)],
		RotateBytes:     []int64{256, 4 << 10, 64 << 20}[rng.IntN(3)],
		CacheBytes:      []int64{-1, 2 << 10, 1 << 20}[rng.IntN(3)],
		MaxSegmentFiles: []int{NeverPack, 0, AlwaysPack, 3, 64}[rng.IntN(5)],
		MergeOff:        rng.IntN(2) == 0,
	}
	if rng.IntN(2) == 0 {
		o.RewriteSlack = -1 << 20 // the MANIFEST is written anew after each edit
	}
	if rng.IntN(4) == 0 {
		// Two bits for all ids: nearly every series collides with another.
		o.HashSeries = func(key []byte) uint64 { return uint64(len(key)) & 3 }
	}
	if rng.IntN(3) == 0 {
		o.ReserveBytes = []int64{64, 3000, 1 << 20}[rng.IntN(3)]
	}
	return o
}

// writeBatch writes a batch of the model.
func writeBatch(e *Engine, batch []modelPoint) error { return make(handles).write(e, batch) }

// handles are the series of the tests as they were resolved at some time.
type handles map[string]*Series

// resolve returns the handle of a series, a new one only if there is none.
func (h handles) resolve(e *Engine, key string) (*Series, error) {
	if s := h[key]; s != nil {
		return s, nil
	}
	i := slices.IndexFunc(allModelSeries, func(s modelSeries) bool { return s.key == key })
	s, err := e.Resolve(allModelSeries[i].name, allModelSeries[i].tags)
	if err == nil {
		h[key] = s
	}
	return s, err
}

// write writes a batch of the model through the handles.
func (h handles) write(e *Engine, batch []modelPoint) error {
	rows := make([]base.Row, len(batch))
	series := make([]*Series, len(batch))
	for i, p := range batch {
		s, err := h.resolve(e, p.key)
		if err != nil {
			return err
		}
		rows[i], series[i] = base.Row{TS: p.ts, Value: p.value, Ordinal: s.Ordinal()}, s
	}
	_, err := e.Write(context.Background(), rows, series)
	return err
}
