package fuzzing

import (
	"testing"
	"testing/synctest"
	"time"
)

// witness notes a failure instead of failing.
type witness struct {
	testing.TB
	failed bool
}

func (w *witness) Helper()               {}
func (w *witness) Errorf(string, ...any) { w.failed = true }

var sink []byte

func TestBoundedMemory(t *testing.T) {
	for _, c := range []struct {
		input, allocate int
		fails           bool
	}{
		{0, 0, false},
		{0, 1 << 19, false},
		{0, 1<<20 + 1<<16, true},
		{1 << 18, 4 << 20, false},
		{1 << 18, 6 << 20, true},
	} {
		w := &witness{TB: t}
		Bounded(w, c.input, func() { sink = make([]byte, c.allocate) })
		if w.failed != c.fails {
			t.Errorf("%d bytes allocated for %d: failed %v", c.allocate, c.input, w.failed)
		}
	}
}

func TestBoundedTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for took, fails := range map[time.Duration]bool{0: false, maxTime: false, maxTime + 1: true} {
			for _, bounded := range []func(testing.TB, int, func()){Bounded, InTime} {
				w := &witness{TB: t}
				bounded(w, 1, func() { time.Sleep(took) })
				if w.failed != fails {
					t.Errorf("%v: failed %v", took, w.failed)
				}
			}
		}
	})
}
