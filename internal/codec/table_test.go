package codec

import (
	"math"
	"math/rand"
	"testing"
)

// tableColumns makes columns like those that there are, of so many points: the kinds of
// metrics, 24 columns of each kind, 8 of the longer ones. The generator and its seed are
// those with which codec 2 was chosen, so the old math/rand: what the columns took then is
// in sizeTable.
func tableColumns(points int) map[string][][]float64 {
	g := tableGenerator{rng: rand.New(rand.NewSource(1)), points: points, count: 8}
	if points <= 360 {
		g.count = 24
	}
	out := make(map[string][][]float64)
	for _, kind := range []struct {
		name  string
		times bool // its columns of timestamps, which are not used here, came from the generator, too
		make  func(v []float64)
	}{
		{"percent", false, g.percent}, {"gauge", true, g.gauge}, {"idle", true, g.idle}, {"bytes", true, g.bytes},
		{"noise", false, g.noise}, {"smooth", false, g.smooth}, {"levels", true, g.levels}, {"mixed", false, g.mixed},
		{"single", false, g.single},
	} {
		for range g.count {
			if kind.times {
				g.passTimes()
			}
			v := make([]float64, points)
			kind.make(v)
			out[kind.name] = append(out[kind.name], v)
		}
	}
	return out
}

// tableGenerator makes columns one after the other, from one sequence of random numbers.
type tableGenerator struct {
	rng           *rand.Rand
	points, count int
	gauges        int // made so far
}

// passTimes takes from the sequence what timestamps with jitter and missed scrapes took.
func (g *tableGenerator) passTimes() {
	for range g.points {
		g.rng.NormFloat64()
		if g.rng.Intn(200) == 0 {
			g.rng.Intn(400)
		}
		g.rng.Intn(500)
	}
}

// percent is the use of a processor: a walk of whole numbers from 0 to 100.
func (g *tableGenerator) percent(v []float64) {
	x := g.rng.Float64() * 100
	for i := range v {
		x = math.Max(0, math.Min(100, x+g.rng.NormFloat64()))
		v[i] = math.Trunc(x)
	}
}

// gauge wavers around a mean, with one to three decimals by turns.
func (g *tableGenerator) gauge(v []float64) {
	g.gauges++
	power := math.Pow(10, float64(g.gauges%3+1))
	x := 20 + g.rng.Float64()*50
	mean := x
	for i := range v {
		x += g.rng.NormFloat64()*0.15 + (mean-x)*0.01
		v[i] = math.Round(x*power) / power
	}
}

// idle is a counter that stands still half of the time.
func (g *tableGenerator) idle(v []float64) {
	x := float64(g.rng.Intn(1e6))
	busy := false
	for i := range v {
		if g.rng.Intn(40) == 0 {
			busy = !busy
		}
		if busy {
			x += float64(g.rng.Intn(50))
		}
		v[i] = x
	}
}

// bytes is a counter of bytes of a busy network.
func (g *tableGenerator) bytes(v []float64) {
	x := math.Trunc(1e12 * g.rng.Float64())
	rate := 1e6 * (1 + g.rng.Float64()*20)
	for i := range v {
		x += math.Trunc(math.Abs(rate * (1 + 0.2*g.rng.NormFloat64())))
		v[i] = x
	}
}

// noise has all bits of the mantissa.
func (g *tableGenerator) noise(v []float64) {
	for i := range v {
		v[i] = 50 + 10*g.rng.NormFloat64()
	}
}

// smooth is noise on a slow wave.
func (g *tableGenerator) smooth(v []float64) {
	phase := g.rng.Float64()
	for i := range v {
		v[i] = 100*math.Sin(phase+float64(i)/200) + 0.1*g.rng.NormFloat64()
	}
}

// levels are constant for long.
func (g *tableGenerator) levels(v []float64) {
	x := float64(g.rng.Intn(8)) * 1024
	for i := range v {
		if g.rng.Intn(300) == 0 {
			x = float64(g.rng.Intn(8)) * 1024
		}
		v[i] = x
	}
}

// mixed is a gauge with all that is no decimal now and then.
func (g *tableGenerator) mixed(v []float64) {
	x := 20.0
	for i := range v {
		x += g.rng.NormFloat64() * 0.3
		v[i] = math.Round(x*10) / 10
		switch g.rng.Intn(150) {
		case 0:
			v[i] = math.NaN()
		case 1:
			v[i] = math.Float64frombits(0x7ff0000000000002)
		case 2:
			v[i] = math.Inf(1 - 2*g.rng.Intn(2))
		case 3:
			v[i] = math.Copysign(0, -1)
		case 4:
			v[i] = math.Float64frombits(uint64(g.rng.Intn(1000)) + 1)
		case 5:
			v[i] = math.Float64frombits(0x7ff8000000000000 | uint64(g.rng.Int63n(1<<40)))
		}
	}
}

// single is a gauge of float32.
func (g *tableGenerator) single(v []float64) {
	x := 20.0
	for i := range v {
		x += g.rng.NormFloat64() * 0.05
		v[i] = float64(float32(x))
	}
}

// sizeTable is what the values of tableColumns took a point where codec 2 was chosen, in
// bytes, by points of a column and kind: with the policies Fast and Balanced.
var sizeTable = map[int]map[string][2]float64{
	60: {
		"bytes": {3.131, 3.131}, "idle": {0.484, 0.475}, "single": {2.346, 2.346}, "gauge": {0.968, 0.968}, "levels": {0.129, 0.129},
		"noise": {6.909, 6.909}, "smooth": {6.199, 6.199}, "percent": {0.483, 0.483}, "mixed": {1.012, 1.012},
	},
	360: {
		"bytes": {2.970, 2.970}, "idle": {0.450, 0.447}, "single": {2.250, 2.250}, "gauge": {0.893, 0.866}, "levels": {0.045, 0.045},
		"noise": {6.739, 6.739}, "smooth": {5.909, 5.909}, "percent": {0.404, 0.338}, "mixed": {0.935, 0.895},
	},
	2160: {
		"bytes": {3.012, 3.012}, "idle": {0.438, 0.415}, "single": {2.229, 2.229}, "gauge": {0.934, 0.854}, "levels": {0.016, 0.015},
		"noise": {6.726, 6.726}, "smooth": {6.296, 6.296}, "percent": {0.394, 0.287}, "mixed": {0.937, 0.816},
	},
	8640: {
		"bytes": {3.061, 3.061}, "idle": {0.406, 0.376}, "single": {2.237, 2.237}, "gauge": {0.931, 0.846}, "levels": {0.008, 0.008},
		"noise": {6.727, 6.727}, "smooth": {6.334, 6.334}, "percent": {0.392, 0.274}, "mixed": {0.953, 0.823},
	},
}

// TestSizeTable holds the sizes of kinds of columns to what they were, or less.
func TestSizeTable(t *testing.T) {
	const more, rounded = 1.03, 0.0005
	for points, sizes := range sizeTable {
		for kind, columns := range tableColumns(points) {
			for i, policy := range []Policy{Fast, Balanced} {
				e := Encoder{Policy: policy}
				size := 0
				for _, v := range columns {
					encoded, err := e.AppendValues(nil, ValuesStream, v)
					if err != nil {
						t.Fatal(err)
					}
					size += len(encoded)
				}
				each, want := float64(size)/float64(points*len(columns)), sizes[kind][i]
				if each > more*want+rounded {
					t.Errorf("%d points of %s, policy %d: %.3f bytes a point, not %.3f", points, kind, policy, each, want)
				}
				t.Logf("%4d points of %-7s policy %d: %.4f bytes a point, %.3f in the table: %+.1f %%", points, kind, policy, each, want, 100*(each/want-1))
			}
		}
	}
}
