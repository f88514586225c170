// Package workload makes the points that engines are raced on, the same ones in every
// run: a stream in the order in which they arrive, and what must be stored after it.
package workload

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sydradb/sydradb/bench/engine"
)

// Workload is a set of series and the stream of their points.
type Workload struct {
	Name   string
	Title  string // one line for the report
	Series int
	Points int64 // that are stored in the end: a point written twice counts once
	LateMS int64 // points come this late, at most

	Start, End int64 // times of the points, in Unix milliseconds; End is not included

	describe func(i int, tags []engine.Tag) (string, []engine.Tag)
	source   func() Source
}

// Source is a stream of points.
type Source interface {
	// Next appends the points of the next scrape, none at the end.
	Next(points []engine.Point) []engine.Point
}

// Describe returns the name of series i, from 0, and appends its tags.
func (w *Workload) Describe(i int, tags []engine.Tag) (string, []engine.Tag) {
	return w.describe(i, tags)
}

// Open returns the stream of points from its beginning.
func (w *Workload) Open() Source { return w.source() }

// All returns the workloads of the race, or small ones of the same kinds for tests.
func All(small bool) ([]*Workload, error) {
	if small {
		n, err := node(20)
		return []*Workload{fleet(2, 720), many(500, 20), late(20, 720), year(1), n, devops(5, 720)}, err
	}
	n, err := node(0)
	return []*Workload{fleet(100, 2160), many(500_000, 20), late(1000, 2160), year(365), n, devops(500, 4680)}, err
}

// Named returns those of a list of names that commas separate, all of them for "".
func Named(list string, small bool) ([]*Workload, error) {
	all, err := All(small)
	if err != nil || list == "" {
		return all, err
	}
	var out []*Workload
	for name := range strings.SplitSeq(list, ",") {
		i := slices.IndexFunc(all, func(w *Workload) bool { return w.Name == name })
		if i < 0 {
			return nil, fmt.Errorf("no workload %q", name)
		}
		out = append(out, all[i])
	}
	return out, nil
}

// stepMS is the time between two scrapes.
const stepMS = 10_000

// morning is six o'clock on a day in June 2025: six hours from there are in one day.
var morning = time.Date(2025, time.June, 15, 6, 0, 0, 0, time.UTC).UnixMilli()
