package aggregate

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// scenario reads windows, functions and points out of bytes: those of the fuzzer, or random
// ones. When there are no more it reads zeros.
type scenario struct {
	data []byte
	wild bool // values may be of any kind
}

func (s *scenario) next() int {
	if len(s.data) == 0 {
		return 0
	}
	b := s.data[0]
	s.data = s.data[1:]
	return int(b)
}

// pick returns a number below n, at most 256.
func (s *scenario) pick(n int) int { return s.next() % n }

// windows returns windows and how far apart points shall be at most.
func (s *scenario) windows() (w Windows, reach int64) {
	unit := []int64{1, 7, 1e9, 3600e9, 1 << 55}[s.pick(5)]
	w = Windows{Step: unit * int64(1+s.pick(12))}
	span := unit * int64(s.pick(128))
	if s.pick(2) == 1 {
		w.Range = unit * int64(1+s.pick(40))
	}
	if s.pick(8) == 0 {
		w.Step = 0
		if w.Range > 0 {
			span = 0
		}
	}
	switch s.pick(6) {
	case 0:
		w.Start = -(1 << 62)
	case 1:
		w.Start = 1<<62 - span
	case 2:
		w.Start = math.MinInt64 + w.Range
	case 3:
		w.Start = math.MaxInt64 - span
	default:
		w.Start = -span / 2
	}
	if w.End = w.Start + span; w.End < w.Start {
		w.End = math.MaxInt64
	}
	if s.pick(16) == 0 {
		w.Start, w.End = w.End, w.Start
	}
	return w, unit * int64(1+s.pick(8))
}

func (s *scenario) functions() []Function {
	if s.pick(3) == 0 {
		return []Function{Function(s.pick(int(functionCount)))}
	}
	var out []Function
	set := s.next() | s.next()<<8
	for f := range functionCount {
		if set>>f&1 == 1 {
			out = append(out, f)
		}
	}
	if len(out) == 0 {
		return []Function{Increase, Rate}
	}
	return out
}

// points returns ascending points about the windows.
func (s *scenario) points(w Windows, reach int64) []point {
	n := s.pick(64)
	from, _ := w.Bounds()
	ts := from - reach*int64(s.pick(3))
	if ts > from {
		ts = math.MinInt64
	}
	var out []point
	v := 0.0
	for range n {
		v = s.value(v)
		out = append(out, point{ts, v})
		step := int64(1)
		if reach > 1 {
			step += int64(s.next()) * (reach / 256)
		}
		if ts > math.MaxInt64-step {
			break
		}
		ts += step
	}
	return out
}

var odd = []float64{
	math.NaN(), math.Float64frombits(staleMarker), math.Float64frombits(0xfff8000000000abc), math.Inf(1), math.Inf(-1),
	0, math.Copysign(0, -1), math.SmallestNonzeroFloat64, -math.SmallestNonzeroFloat64, 0x1p-1022, 3e-310, 1e-200, -1e-170,
	math.MaxFloat64, -math.MaxFloat64, math.MaxFloat64 / 3, -0x1p1000, 0x1p600, 1e160, -1e155, 1, 1 + 0x1p-52,
}

func (s *scenario) value(prev float64) float64 {
	switch kind := s.pick(16); {
	case kind < 4:
		return prev
	case kind < 8:
		return prev + float64(s.next())/100
	case kind < 10:
		return float64(s.next() - 128)
	case kind < 11:
		return 1e9 + float64(s.next())*0x1p-23
	case kind < 12:
		return float64(s.next()) * 1e15
	case kind < 13:
		return math.Float64frombits(math.Float64bits(prev) + 1)
	case kind == 13:
		return math.Float64frombits([]uint64{staleMarker, 0x7ff8000000000001, 0}[s.pick(3)])
	}
	if s.wild {
		return odd[s.pick(len(odd))]
	}
	return -prev
}

// feed hands points over in pieces, some of them as summaries, and reports whether any was.
func (s *scenario) feed(to *Series, points []point) (summaries bool) {
	for len(points) > 0 {
		n := min(1+s.pick(20), len(points))
		piece := points[:n]
		points = points[n:]
		if m, ok := summarized(piece); ok && s.pick(4) > 0 && to.Fits(m.FirstTS, m.LastTS) {
			to.AddSummary(&m)
			summaries = true
			continue
		}
		to.AddColumns(columns(piece))
	}
	return summaries
}

// play compares what Series and Group say of a scenario with the reference.
func play(t testing.TB, data []byte) {
	s := &scenario{data: data}
	s.wild = s.pick(3) == 0
	w, reach := s.windows()
	if err := w.Validate(); err != nil {
		t.Fatalf("%+v: %v", w, err)
	}
	functions := s.functions()
	var one Series
	var group, first, second Group
	group.Reset(&w, functions)
	first.Reset(&w, functions)
	second.Reset(&w, functions)
	var all [][]point
	groupSlack := 0.0
	for i := range 1 + s.pick(4) {
		points := s.points(w, reach)
		one.Reset(&w, functions)
		slack := 0.0
		if s.feed(&one, points) {
			slack, groupSlack = 1e-13, 1e-13
		}
		checkResults(t, fmt.Sprintf("series %d of %+v", i, w), &one, w, functions, [][]point{points}, slack)
		group.Add(&one)
		if i < 2 {
			first.Add(&one)
		} else {
			second.Add(&one)
		}
		all = append(all, points)
	}
	checkResults(t, fmt.Sprintf("group of %d, %+v", len(all), w), &group, w, functions, all, groupSlack)
	first.Merge(&second)
	checkResults(t, fmt.Sprintf("merged group of %d, %+v", len(all), w), &first, w, functions, all, groupSlack)
}

func TestRandomScenarios(t *testing.T) {
	for seed := range uint64(4000) {
		r := rand.New(rand.NewPCG(seed, 1))
		data := make([]byte, 40+r.IntN(800))
		for i := range data {
			data[i] = byte(r.Uint32())
		}
		if t.Run(fmt.Sprint(seed), func(t *testing.T) { play(t, data) }); t.Failed() {
			return
		}
	}
}

func FuzzAggregate(f *testing.F) {
	f.Add([]byte("0123456789abcdefghijklmnopqrstuvwxyz"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) < 2000 {
			play(t, data)
		}
	})
}
