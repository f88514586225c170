package engine

import (
	"sync/atomic"
	"time"
)

// Histogram says how long something took, see the root package, of which it is the type.
type Histogram struct {
	Bounds []float64 `json:"bounds"` // upper ones, inclusive, in seconds, ascending
	Counts []uint64  `json:"counts"` // of durations up to each bound
	Count  uint64    `json:"count"`  // of all
	Sum    float64   `json:"sum"`    // in seconds
}

// durationBounds are those of all histograms: from a sync that a drive's own memory takes
// to a merge of gigabytes.
var durationBounds = [...]float64{
	0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300,
}

// durations counts how long something took. Any goroutine may use it.
type durations struct {
	counts [len(durationBounds) + 1]atomic.Uint64 // of each interval; the last is above all bounds
	sum    atomic.Int64                           // nanoseconds
}

// since counts what began then and ends now.
func (d *durations) since(began time.Time) {
	took := time.Since(began)
	i := 0
	for i < len(durationBounds) && took.Seconds() > durationBounds[i] {
		i++
	}
	d.counts[i].Add(1)
	d.sum.Add(int64(took))
}

// histogram returns what was counted so far.
func (d *durations) histogram() Histogram {
	h := Histogram{Bounds: durationBounds[:], Counts: make([]uint64, len(durationBounds))}
	for i := range d.counts {
		h.Count += d.counts[i].Load()
		if i < len(h.Counts) {
			h.Counts[i] = h.Count
		}
	}
	h.Sum = time.Duration(d.sum.Load()).Seconds()
	return h
}
