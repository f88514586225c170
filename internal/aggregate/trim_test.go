package aggregate

import (
	"math/rand/v2"
	"testing"
)

// Of the windows that Trim leaves out none has a point between first and last; those that
// it keeps are as they were.
func TestTrim(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	shifts := []int64{0, -(1 << 62), 1<<62 - 60}
	kept := 0
	for range 20_000 {
		shift := shifts[rng.IntN(len(shifts))]
		w := Windows{Start: shift + rng.Int64N(40), Step: rng.Int64N(6), Range: max(0, rng.Int64N(12)-4)}
		w.End = w.Start + rng.Int64N(40) - 3
		if w.Step == 0 && w.Range > 0 {
			continue
		}
		first := shift + rng.Int64N(60)
		last := first + rng.Int64N(30) - 2
		trimmed := w.Trim(first, last)
		if err := trimmed.Validate(); err != nil {
			t.Fatalf("%+v from %d to %d: %+v: %v", w, first, last, trimmed, err)
		}
		times := make(map[int64]bool)
		for i := range trimmed.Len() {
			times[trimmed.Time(i)] = true
		}
		kept += len(times)
		for i := range w.Len() {
			at := w.Time(i)
			from, to := at, min(at+max(w.Step, 1)-1, w.End)
			switch {
			case w.Range > 0:
				from, to = at-w.Range+1, at
			case w.Step == 0:
				to = w.End
			}
			if from <= last && to >= first && first <= last && !times[at] {
				t.Fatalf("%+v from %d to %d: %+v lacks %d", w, first, last, trimmed, at)
			}
			delete(times, at)
		}
		if len(times) > 0 {
			t.Fatalf("%+v from %d to %d: %+v has %v, too", w, first, last, trimmed, times)
		}
		if trimmed.Range == 0 && trimmed.Step > 0 && trimmed.Len() > 0 && trimmed.End > last {
			t.Fatalf("%+v from %d to %d: %+v reads more than there is", w, first, last, trimmed)
		}
	}
	if kept == 0 {
		t.Error("nothing was kept")
	}
	all := Windows{Start: -(1 << 62), End: 1 << 62, Step: 10e9}.Trim(1e18, 1e18+3600e9)
	if n := all.Len(); n < 360 || n > 362 {
		t.Errorf("%d windows of an hour", n)
	}
}
