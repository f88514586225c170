package workload

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/sydradb/sydradb/bench/engine"
)

// DevOpsMeasurement is what the names of all series of the devops load begin with, before
// an underscore and the field.
const DevOpsMeasurement = "cpu"

// DevOpsFields are the metrics of a host, in the order of its series.
var DevOpsFields = [...]string{
	"usage_user", "usage_system", "usage_idle", "usage_nice", "usage_iowait",
	"usage_irq", "usage_softirq", "usage_steal", "usage_guest", "usage_guest_nice",
}

// devops is the load of the time series benchmark suite that goes by this name: each host
// has ten percentages that walk by normal steps between 0 and 100 and are written as whole
// numbers, cut off behind the point. It starts where the suite does.
func devops(hosts, steps int) *Workload {
	start := time.Date(2016, time.January, 1, 0, 0, 0, 0, time.UTC).UnixMilli()
	series := hosts * len(DevOpsFields)
	w := &Workload{
		Name:   "devops",
		Title:  fmt.Sprintf("%d hosts of ten tags and ten whole percentages, %d scrapes 10 s apart", hosts, steps),
		Series: series,
		Points: int64(series) * int64(steps),
		Start:  start,
		End:    start + int64(steps)*stepMS,
	}
	w.describe = func(i int, tags []engine.Tag) (string, []engine.Tag) {
		host, field := i/len(DevOpsFields), i%len(DevOpsFields)
		return DevOpsMeasurement + "_" + DevOpsFields[field], append(tags, DevOpsHost(host)...)
	}
	w.source = func() Source { return newWalks(series, steps, start) }
	return w
}

// Load returns the devops load at a size of its own.
func Load(hosts, steps int) *Workload { return devops(hosts, steps) }

// places are the regions of the suite and how many datacenters each has.
var places = [...]struct {
	region      string
	datacenters int
}{
	{"us-east-1", 5}, {"us-west-1", 2}, {"us-west-2", 3}, {"eu-west-1", 3}, {"eu-central-1", 2},
	{"ap-southeast-1", 2}, {"ap-southeast-2", 2}, {"ap-northeast-1", 2}, {"sa-east-1", 3},
}

// DevOpsHost returns the tags of a host, in the order in which the suite writes them.
func DevOpsHost(host int) []engine.Tag {
	rng := rand.New(rand.NewPCG(uint64(host), 5))
	pick := func(of ...string) string { return of[rng.IntN(len(of))] }
	place := places[rng.IntN(len(places))]
	return []engine.Tag{
		{Key: "hostname", Value: "host_" + strconv.Itoa(host)},
		{Key: "region", Value: place.region},
		{Key: "datacenter", Value: place.region + string(rune('a'+rng.IntN(place.datacenters)))},
		{Key: "rack", Value: strconv.Itoa(rng.IntN(100))},
		{Key: "os", Value: pick("Ubuntu16.10", "Ubuntu16.04LTS", "Ubuntu15.10")},
		{Key: "arch", Value: pick("x64", "x86")},
		{Key: "team", Value: pick("SF", "NYC", "LON", "CHI")},
		{Key: "service", Value: strconv.Itoa(rng.IntN(20))},
		{Key: "service_version", Value: strconv.Itoa(rng.IntN(2))},
		{Key: "service_environment", Value: pick("production", "staging", "test")},
	}
}

// walks is the stream of points of percentages that walk.
type walks struct {
	rng   *rand.Rand
	at    []float64
	start int64
	step  int
	steps int
}

func newWalks(series, steps int, start int64) *walks {
	w := &walks{rng: rand.New(rand.NewPCG(5, 1)), at: make([]float64, series), start: start, steps: steps}
	for i := range w.at {
		w.at[i] = 100 * w.rng.Float64()
	}
	return w
}

// Next implements Source.
func (w *walks) Next(points []engine.Point) []engine.Point {
	if w.step == w.steps {
		return points
	}
	ts := w.start + int64(w.step)*stepMS
	w.step++
	for i := range w.at {
		w.at[i] = min(max(w.at[i]+w.rng.NormFloat64(), 0), 100)
		points = append(points, engine.Point{TS: ts, Value: float64(int64(w.at[i])), Series: int32(i)})
	}
	return points
}
