package workload

import "math/rand/v2"

// values are those of a fleet: by turns integer walks, gauges with two decimals, counters
// with idle stretches, and noise of full mantissa around a value. With the jitter of the
// fleet a point has 2.4 bytes of information on average, see TestInformation.
type values struct {
	rng  *rand.Rand
	last []int64 // of the first three kinds; hundredths of a gauge
	idle []uint8 // scrapes for which a counter still stands
}

func newValues(series int, seed uint64) *values {
	return &values{
		rng:  rand.New(rand.NewPCG(seed, 1)),
		last: make([]int64, series),
		idle: make([]uint8, series),
	}
}

// The greatest steps of walks, of gauges in hundredths, of counters; and what noise is like.
const (
	walkStep                  = 5
	gaugeStep                 = 50
	counterStep               = 100
	noiseMean, noiseDeviation = 50, 10
)

// next returns the next value of series i.
func (v *values) next(i int) float64 {
	switch i % 4 {
	case 0:
		v.last[i] += v.rng.Int64N(2*walkStep+1) - walkStep
		return float64(v.last[i])
	case 1:
		v.last[i] += v.rng.Int64N(2*gaugeStep+1) - gaugeStep
		return float64(v.last[i]) / 100
	case 2:
		return v.counter(i)
	}
	return noiseMean + noiseDeviation*v.rng.NormFloat64()
}

// counter grows for twenty scrapes and stands for thirty, on average.
func (v *values) counter(i int) float64 {
	if v.idle[i] > 0 {
		v.idle[i]--
		return float64(v.last[i])
	}
	if v.rng.IntN(20) == 0 {
		v.idle[i] = uint8(v.rng.IntN(60))
	}
	v.last[i] += v.rng.Int64N(counterStep)
	return float64(v.last[i])
}
