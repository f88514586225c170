package workload

import (
	"fmt"
	"strconv"

	"github.com/sydradb/sydradb/bench/engine"
)

// Late points and rewrites come 5 to 60 minutes after their time, in scrapes.
const (
	minLate = 30
	maxLate = 360
)

// late is W3: one point in ten comes late, one in a hundred is written again with
// another value.
func late(series, steps int) *Workload {
	w := &Workload{
		Name:   "w3",
		Title:  fmt.Sprintf("%d series, %d scrapes 10 s apart, 10 %% of the points 5 to 60 minutes late, 1 %% written again", series, steps),
		Series: series,
		Points: int64(series) * int64(steps),
		LateMS: (maxLate + 1) * stepMS,
		Start:  morning,
		End:    morning + int64(steps)*stepMS,
	}
	w.describe = func(i int, tags []engine.Tag) (string, []engine.Tag) {
		return "late", append(tags, engine.Tag{Key: "sensor", Value: strconv.Itoa(i)})
	}
	w.source = func() Source {
		return &tardy{
			scrapes: scrapes{values: newValues(series, 3), series: series, steps: steps, start: w.Start},
			waiting: make([][]engine.Point, maxLate+1),
		}
	}
	return w
}

// tardy holds some points of scrapes back.
type tardy struct {
	scrapes
	waiting [][]engine.Point // those that are due at a scrape, by its number modulo the length
	now     int              // number of the current scrape, those after the last included
	scrape  []engine.Point
}

// Next implements Source.
func (t *tardy) Next(points []engine.Point) []engine.Point {
	before := len(points)
	for len(points) == before && t.now < t.steps+maxLate {
		t.scrape = t.scrapes.Next(t.scrape[:0])
		for _, p := range t.scrape {
			switch t.values.rng.IntN(100) {
			case 0, 1, 2, 3, 4, 5, 6, 7, 8, 9:
				t.delay(p)
			case 10:
				again := p
				again.Value = p.Value + 1 + float64(t.values.rng.IntN(100))
				t.delay(again)
				fallthrough
			default:
				points = append(points, p)
			}
		}
		due := t.now % len(t.waiting)
		points = append(points, t.waiting[due]...)
		t.waiting[due] = t.waiting[due][:0]
		t.now++
	}
	return points
}

// delay sets a point aside, until a scrape after this one.
func (t *tardy) delay(p engine.Point) {
	due := (t.now + minLate + t.values.rng.IntN(maxLate-minLate+1)) % len(t.waiting)
	t.waiting[due] = append(t.waiting[due], p)
}
