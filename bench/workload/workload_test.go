package workload

import (
	"fmt"
	"math"
	"reflect"
	"testing"

	"github.com/sydradb/sydradb/bench/engine"
)

// Every workload is what it says: so many points, in its time, of series that differ.
func TestWorkloads(t *testing.T) {
	works, err := All(true)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range works {
		t.Run(w.Name, func(t *testing.T) {
			columns, rewrites := w.Expect()
			points := 0
			for _, c := range columns {
				points += len(c.Times)
				if len(c.Times) != len(c.Values) || !ascending(c.Times) {
					t.Fatal("a column is not in order")
				}
				if c.Times[0] < w.Start || c.Times[len(c.Times)-1] >= w.End {
					t.Fatalf("points from %d to %d", c.Times[0], c.Times[len(c.Times)-1])
				}
			}
			if int64(points) != w.Points || len(columns) != w.Series {
				t.Errorf("%d points of %d series, not %d of %d", points, len(columns), w.Points, w.Series)
			}
			if (rewrites > 0) != (w.Name == "w3") {
				t.Errorf("%d rewrites", rewrites)
			}
			again, _ := w.Expect()
			if !reflect.DeepEqual(columns, again) && w.Name != "node" { // that has NaN
				t.Error("a second stream differs")
			}
			names := map[string]bool{}
			for i := range w.Series {
				name, tags := w.Describe(i, nil)
				names[fmt.Sprint(name, tags)] = true
			}
			if len(names) != w.Series {
				t.Errorf("%d names for %d series", len(names), w.Series)
			}
		})
	}
}

// Late points and rewrites come as late and as often as W3 promises.
func TestLate(t *testing.T) {
	w := late(20, 2000)
	s := w.Open()
	seen := map[[2]int64]bool{}
	var now int64
	tardy, again := 0, 0
	for points := s.Next(nil); len(points) > 0; points = s.Next(points[:0]) {
		now = max(now, points[0].TS)
		for _, p := range points {
			key := [2]int64{int64(p.Series), p.TS}
			lateness := now - p.TS
			switch {
			case seen[key]:
				again++
			case lateness > 0:
				tardy++
			}
			if lateness > 0 && now < w.End-stepMS && (lateness < 5*60_000 || lateness > 60*60_000) {
				t.Fatalf("a point %d ms late", lateness)
			}
			seen[key] = true
		}
	}
	if share := float64(tardy) / float64(w.Points); math.Abs(share-0.1) > 0.01 {
		t.Errorf("%v of the points are late", share)
	}
	if share := float64(again) / float64(w.Points); math.Abs(share-0.01) > 0.002 {
		t.Errorf("%v of the points are written again", share)
	}
}

// W1 has its four kinds of values, and jitter where it should.
func TestFleet(t *testing.T) {
	columns, _ := fleet(4, 500).Expect()
	for i, c := range columns {
		jitter, whole, decimals, idle := 0, 0, 0, 0
		for j, ts := range c.Times {
			if ts%stepMS != 0 {
				jitter++
			}
			v := c.Values[j]
			if v == math.Trunc(v) {
				whole++
			}
			if math.Round(v*100)/100 == v {
				decimals++
			}
			if j > 0 && v == c.Values[j-1] {
				idle++
			}
		}
		if (jitter > 450) != (i/perHost == 3) || (jitter > 0) != (i/perHost == 3) {
			t.Errorf("series %d: %d times are off", i, jitter)
		}
		want := [][3]bool{{true, true, false}, {false, true, false}, {true, true, true}, {false, false, false}}[i%4]
		if got := [3]bool{whole == 500, decimals == 500, idle > 100}; got != want {
			t.Errorf("series %d: whole, decimal, idle: %v", i, got)
		}
	}
}

// What a point of W1 takes at least, in bytes, however it is encoded: the information in it.
func TestInformation(t *testing.T) {
	const (
		mean, below   = noiseMean, 64 // noise below 64 has 47 bits behind the point, else 46
		perCycle      = 20 + 29.5     // scrapes of a counter that grows and then stands
		growing, gone = 20, 1.0 / 20  // of them it grows; the chance that it then stands
		jitter        = 1.0 / 4       // share of the points
	)
	walk, gauge := math.Log2(2*walkStep+1), math.Log2(2*gaugeStep+1)
	stop := -gone*math.Log2(gone) - (1-gone)*math.Log2(1-gone)
	counter := (growing*(math.Log2(counterStep)+stop) + math.Log2(60)) / perCycle
	share := 0.5 * math.Erfc((mean-below)/(noiseDeviation*math.Sqrt2))
	noise := math.Log2(noiseDeviation*math.Sqrt(2*math.Pi*math.E)) + 47*share + 46*(1-share)
	bytes := (walk+gauge+counter+noise)/4/8 + jitter*math.Log2(1000)/8
	if bytes < 2.34 || bytes > 2.40 {
		t.Errorf("%.3f bytes a point", bytes)
	}
	t.Logf("walk %.2f, gauge %.2f, counter %.2f, noise %.2f bits; %.3f bytes a point", walk, gauge, counter, noise, bytes)
}

func TestParseSeries(t *testing.T) {
	tests := []struct {
		text, name string
		tags       []engine.Tag
	}{
		{"up", "up", nil},
		{`a{b="c"}`, "a", []engine.Tag{{Key: "b", Value: "c"}}},
		{`a{b="c,}=\"",d=""}`, "a", []engine.Tag{{Key: "b", Value: `c,}="`}, {Key: "d", Value: ""}}},
	}
	for _, test := range tests {
		name, tags, err := parseSeries(test.text)
		if err != nil || name != test.name || !reflect.DeepEqual(tags, test.tags) {
			t.Errorf("%s: %q %v %v", test.text, name, tags, err)
		}
	}
	for _, text := range []string{`a{`, `a{b}`, `a{b="c"`, `a{b=c}`} {
		if _, _, err := parseSeries(text); err == nil {
			t.Errorf("%s is a series", text)
		}
	}
}

func TestNamed(t *testing.T) {
	works, err := Named("w3,w1", true)
	if err != nil || len(works) != 2 || works[0].Name != "w3" || works[1].Name != "w1" {
		t.Error(works, err)
	}
	if _, err := Named("w1,w9", true); err == nil {
		t.Error("there is a w9")
	}
}

// The devops load has whole percentages that seldom move by more than three, ten tags for
// each host, and the series of a host beside one another.
func TestDevOps(t *testing.T) {
	w := devops(7, 2000)
	columns, _ := w.Expect()
	far := 0
	for i, c := range columns {
		for j, v := range c.Values {
			if v != math.Trunc(v) || v < 0 || v > 100 {
				t.Fatalf("series %d: %v", i, v)
			}
			if j > 0 && math.Abs(v-c.Values[j-1]) > 3 {
				far++
			}
		}
	}
	if share := float64(far) / float64(w.Points); share > 0.005 || share == 0 {
		t.Errorf("%v of the steps are long", share)
	}
	name, tags := w.Describe(63, nil)
	if name != "cpu_usage_nice" || len(tags) != 10 || tags[0] != (engine.Tag{Key: "hostname", Value: "host_6"}) {
		t.Error(name, tags)
	}
}

// What the differences of a point of the devops load hold, in bytes: 2.15 bits. What else
// could be known of the next one, the level and the steps before, saves a hundredth of that.
func TestDevOpsInformation(t *testing.T) {
	columns, _ := devops(50, 4680).Expect()
	counts, all := map[float64]float64{}, 0.0
	for _, c := range columns {
		for i, v := range c.Values[1:] {
			counts[v-c.Values[i]]++
			all++
		}
	}
	bits := 0.0
	for _, n := range counts {
		bits -= n / all * math.Log2(n/all)
	}
	if bits < 2.10 || bits > 2.20 {
		t.Errorf("%.3f bits a point", bits)
	}
	t.Logf("%.3f bits, %.4f bytes a point", bits, bits/8)
}
