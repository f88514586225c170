package engine

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"

	"github.com/sydradb/sydradb/internal/base"
)

// step is one operation of a script. A script is made from a seed before it runs, so
// that a failure can be played again and shortened.
type step struct {
	op    string       // "write", "flush", "idle", "reopen", "crash", "query", "hold"
	batch []modelPoint // of write
	seed  uint64       // of whatever else is random
}

func (s step) String() string {
	if s.op != "write" {
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

// oddValues are the values that a careless encoder changes.
var oddValues = []float64{
	0, math.Copysign(0, -1), 1, -1, 0.1, math.Inf(1), math.Inf(-1), math.MaxFloat64, math.SmallestNonzeroFloat64,
	math.NaN(), math.Float64frombits(0x7ff0000000000002), math.Float64frombits(0xfff8000000000123),
}

// randomBatch returns a batch whose points fall on few times, so that overwrites,
// duplicates and late points are common.
func randomBatch(rng *rand.Rand) []modelPoint {
	batch := make([]modelPoint, 1+rng.IntN(1+rng.IntN(40)))
	start := int64(rng.IntN(5)-2) * base.Hour
	for i := range batch {
		p := modelPoint{key: allModelSeries[rng.IntN(len(allModelSeries))].key}
		switch rng.IntN(20) {
		case 0:
			p.ts = []int64{base.MinTime, base.MaxTime, -1, 0, base.Hour - 1, -base.Hour}[rng.IntN(6)]
		case 1, 2, 3:
			p.ts = start + int64(rng.IntN(10))*base.Hour/3
		default:
			p.ts = start + int64(i)*1e9 + int64(rng.IntN(3))
		}
		p.value = float64(rng.IntN(1000)) / 4
		if rng.IntN(4) == 0 {
			p.value = oddValues[rng.IntN(len(oddValues))]
		}
		batch[i] = p
	}
	return batch
}

// randomScript returns n steps, mostly writes, with the other operations given.
func randomScript(rng *rand.Rand, n int, others ...string) []step {
	steps := make([]step, n)
	for i := range steps {
		steps[i] = step{op: "write", seed: rng.Uint64()}
		if len(others) > 0 && rng.IntN(5) < 2 {
			steps[i].op = others[rng.IntN(len(others))]
		} else {
			steps[i].batch = randomBatch(rng)
		}
	}
	return steps
}

// randomOptions returns settings small enough that flushes, rotations and rewrites
// happen within a few batches.
func randomOptions(rng *rand.Rand) Options {
	o := Options{
		Sync:          SyncPolicy(rng.IntN(3)),
		MemtableBytes: []int64{MinMemtableBytes, 16 << 10, 1 << 20}[rng.IntN(3)],
		RotateBytes:   []int64{256, 4 << 10, 64 << 20}[rng.IntN(3)],
		CacheBytes:    []int64{-1, 2 << 10, 1 << 20}[rng.IntN(3)],
	}
	if rng.IntN(2) == 0 {
		o.RewriteSlack = -1 << 20 // the MANIFEST is written anew after each edit
	}
	if rng.IntN(4) == 0 {
		// Two bits for all ids: nearly every series collides with another.
		o.HashSeries = func(key []byte) uint64 { return uint64(len(key)) & 3 }
	}
	return o
}

// writeBatch writes a batch of the model.
func writeBatch(e *Engine, batch []modelPoint) error {
	rows := make([]base.Row, len(batch))
	for i, p := range batch {
		for _, s := range allModelSeries {
			if s.key == p.key {
				series, err := e.Resolve(s.name, s.tags)
				if err != nil {
					return err
				}
				rows[i] = base.Row{TS: p.ts, Value: p.value, Ordinal: series.Ordinal()}
			}
		}
	}
	_, err := e.Write(context.Background(), rows, nil)
	return err
}
