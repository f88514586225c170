package workload

import (
	"fmt"
	"strconv"
	"time"

	"github.com/sydradb/sydradb/bench/engine"
)

// perHost is the number of series of a host of the fleet.
const perHost = 40

// fleet is W1: hosts of 40 series, scraped every ten seconds. Every fourth host answers
// each of its series 0 to 999 ms late.
func fleet(hosts, steps int) *Workload {
	series := hosts * perHost
	w := &Workload{
		Name:   "w1",
		Title:  fmt.Sprintf("%d series, %d scrapes 10 s apart, jitter on every fourth host", series, steps),
		Series: series,
		Points: int64(series) * int64(steps),
		Start:  morning,
		End:    morning + int64(steps)*stepMS,
	}
	w.describe = func(i int, tags []engine.Tag) (string, []engine.Tag) {
		return FleetName, append(tags,
			engine.Tag{Key: "host", Value: fmt.Sprintf("host-%03d", i/perHost)},
			FleetMetric(i),
			engine.Tag{Key: "region", Value: "r" + strconv.Itoa(i/perHost%4)})
	}
	w.source = func() Source {
		s := &scrapes{values: newValues(series, 1), series: series, steps: steps, start: w.Start}
		s.jitter = func(i int) int64 {
			if i/perHost%4 != 3 {
				return 0
			}
			return s.values.rng.Int64N(1000)
		}
		return s
	}
	return w
}

// FleetName is the name of all series of W1.
const FleetName = "fleet"

// FleetMetric is the tag that series i of W1 shares with one series of each other host.
func FleetMetric(i int) engine.Tag {
	return engine.Tag{Key: "metric", Value: "m" + strconv.Itoa(i%perHost)}
}

// year is a year, or some days of it, of one gauge.
func year(days int) *Workload {
	const series, kind = 1, 1
	steps := days * 24 * 360
	start := time.Date(2025, time.January, 1, 0, 0, 0, 0, time.UTC).UnixMilli()
	w := &Workload{
		Name:   "year",
		Title:  fmt.Sprintf("one gauge, %d days at 10 s", days),
		Series: series,
		Points: series * int64(steps),
		Start:  start,
		End:    start + int64(steps)*stepMS,
	}
	w.describe = func(i int, tags []engine.Tag) (string, []engine.Tag) {
		return "plant", append(tags, engine.Tag{Key: "sensor", Value: strconv.Itoa(i)})
	}
	w.source = func() Source {
		return &scrapes{values: newValues(series+kind, 4), kind: kind, series: series, steps: steps, start: start}
	}
	return w
}

// scrapes is the stream of series that are read all at once, in their order.
type scrapes struct {
	values        *values
	kind          int // of the first series
	series, steps int
	start         int64
	jitter        func(i int) int64 // nil: none
	step          int
}

// Next implements Source.
func (s *scrapes) Next(points []engine.Point) []engine.Point {
	if s.step == s.steps {
		return points
	}
	ts := s.start + int64(s.step)*stepMS
	s.step++
	for i := range s.series {
		p := engine.Point{TS: ts, Value: s.values.next(s.kind + i), Series: int32(i)}
		if s.jitter != nil {
			p.TS += s.jitter(i)
		}
		points = append(points, p)
	}
	return points
}
