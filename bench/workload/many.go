package workload

import (
	"fmt"
	"strconv"

	"github.com/sydradb/sydradb/bench/engine"
)

// many is W2: a great number of series with ten tags each and few points.
func many(series, steps int) *Workload {
	w := &Workload{
		Name:     "w2",
		Title:    fmt.Sprintf("%d series of ten tags, %d scrapes 10 s apart", series, steps),
		Series:   series,
		Points:   int64(series) * int64(steps),
		Start:    morning,
		End:      morning + int64(steps)*stepMS,
		describe: func(i int, tags []engine.Tag) (string, []engine.Tag) { return "cpu", append(tags, manyTags(i)...) },
	}
	w.source = func() Source {
		return &scrapes{values: newValues(series, 2), series: series, steps: steps, start: w.Start}
	}
	return w
}

// manyTags are the tags of a series of W2. Host and core name it alone.
func manyTags(i int) []engine.Tag {
	tags := ManyKey(i)
	return append(tags[:],
		engine.Tag{Key: "dc", Value: "dc" + strconv.Itoa(i/100_000)},
		engine.Tag{Key: "rack", Value: "rack-" + strconv.Itoa(i/2000)},
		engine.Tag{Key: "os", Value: "linux"},
		engine.Tag{Key: "arch", Value: "amd64"},
		engine.Tag{Key: "env", Value: "prod"},
		engine.Tag{Key: "team", Value: "team-" + strconv.Itoa(i%17)},
		engine.Tag{Key: "service", Value: "service-" + strconv.Itoa(i%230)},
		engine.Tag{Key: "version", Value: "1.2.3"})
}

// ManyKey are the two tags that no other series of W2 has both of.
func ManyKey(i int) [2]engine.Tag {
	return [2]engine.Tag{
		{Key: "host", Value: "host-" + strconv.Itoa(i/100)},
		{Key: "core", Value: strconv.Itoa(i % 100)},
	}
}
