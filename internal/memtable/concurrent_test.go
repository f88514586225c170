package memtable

import (
	"math"
	"sync"
	"testing"

	"github.com/sydradb/sydradb/internal/base"
)

// TestReadersBesideWriter writes equal points to all series, some of them late and
// some twice, and lets readers check, outside the lock, that what they captured
// under it is the same for every series and is what had been written by then.
func TestReadersBesideWriter(t *testing.T) {
	const seriesCount, batches, readers = 200, 400, 3
	var lock sync.RWMutex
	tab := New(NewSlabs(0))
	written := 0 // batches, guarded by lock
	done := make(chan struct{})
	var wg sync.WaitGroup
	for range readers {
		wg.Go(func() {
			positions := make([]Position, seriesCount)
			var dst Columns
			for {
				lock.RLock()
				s, n := tab.Snapshot(), written
				for o := range positions {
					positions[o], _ = tab.Position(base.Ordinal(o))
				}
				lock.RUnlock()
				for o, p := range positions {
					dst.Reset()
					s.AppendRange(&dst, p, math.MinInt64, math.MaxInt64)
					if !wholeBatches(&dst, n, o%2 == 1) {
						t.Errorf("series %d after %d batches: %v %v", o, n, dst.TS, dst.Values)
						return
					}
				}
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	rows := make([]base.Row, 0, 2*seriesCount)
	for i := range batches {
		rows = rows[:0]
		for o := range base.Ordinal(seriesCount) {
			rows = append(rows, base.Row{TS: int64(i), Value: float64(i), Ordinal: o})
			if o%2 == 1 && i > 0 {
				rows = append(rows, base.Row{TS: int64(i - 1), Value: -float64(i - 1), Ordinal: o})
			}
		}
		lock.Lock()
		tab.Apply(rows)
		written++
		lock.Unlock()
	}
	close(done)
	wg.Wait()
}

// wholeBatches reports whether c holds the points 0 to n-1. Where each point was
// rewritten by the batch after it, all values but the last are negative.
func wholeBatches(c *Columns, n int, rewritten bool) bool {
	if len(c.TS) != n || len(c.Values) != n {
		return false
	}
	for i := range c.TS {
		want := float64(i)
		if rewritten && i < n-1 {
			want = -want
		}
		if c.TS[i] != int64(i) || math.Float64bits(c.Values[i]) != math.Float64bits(want) {
			return false
		}
	}
	return true
}
