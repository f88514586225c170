package engine

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/fsys"
	"github.com/sydradb/sydradb/internal/retention"
)

const (
	oldHours = 240            // points at the start, one for each hour
	keptFor  = 72 * time.Hour // by the rule
	year     = 365 * 24 * time.Hour
)

// clockFault is something that a clock does to a database with ten days of points, of
// which the rule keeps three.
type clockFault struct {
	name   string
	closed time.Duration         // how long the database is closed before
	boot   time.Duration         // by how much the clock is wrong from then on
	steps  map[int]time.Duration // by how much it is set, by hours since the opening
	force  int                   // hours until somebody forces a sweep, 0 for never
	// hidden is how many of the points are hidden after each hour.
	hidden []int
}

var clockFaults = []clockFault{
	{
		name:   "right",
		hidden: []int{24, 48, 72, 96, 120, 144, 168, 176, 177},
	}, {
		name:   "closed for a month",
		closed: 30 * 24 * time.Hour,
		hidden: []int{24, 48, 72, 96, 120, 144, 168, 192, 216, 240, 240},
	}, {
		name:   "ten years ahead from the start",
		boot:   10 * year,
		hidden: []int{24, 48, 72, 96, 120, 144, 168, 192, 216, 240, 240},
	}, {
		name:   "ten years ahead, then right",
		boot:   10 * year,
		steps:  map[int]time.Duration{1: -10 * year},
		hidden: []int{24, 24, 48, 72},
	}, {
		name:   "a year behind from the start",
		boot:   -year,
		hidden: []int{0, 0, 0, 0},
	}, {
		name:   "a year behind, then right",
		boot:   -year,
		steps:  map[int]time.Duration{2: year},
		hidden: []int{0, 0, 0, 24, 48, 72},
	}, {
		name:   "set back",
		steps:  map[int]time.Duration{2: -year},
		hidden: []int{24, 48, 48, 48, 48},
	}, {
		name:   "set back, then right",
		steps:  map[int]time.Duration{2: -year, 4: year},
		hidden: []int{24, 48, 48, 48, 48, 72, 96},
	}, {
		name:   "set forward",
		steps:  map[int]time.Duration{2: year},
		hidden: []int{24, 48, 48, 72, 96},
	}, {
		name:   "set forward again and again",
		steps:  map[int]time.Duration{1: time.Hour, 2: time.Hour, 3: time.Hour, 4: time.Hour},
		hidden: []int{24, 24, 24, 24, 24, 48},
	}, {
		name:   "minutes off now and then",
		boot:   -4 * time.Minute,
		steps:  map[int]time.Duration{1: 4 * time.Minute, 2: 4 * time.Minute, 3: -4 * time.Minute},
		hidden: []int{24, 48, 72, 96},
	}, {
		name:   "right, and somebody in a hurry",
		force:  2,
		hidden: []int{24, 171, 171, 172},
	}, {
		name:   "closed for a month, and somebody in a hurry",
		closed: 30 * 24 * time.Hour,
		force:  1,
		hidden: []int{240, 240},
	},
}

// play returns how many of the points are hidden at the end of each hour.
func (c *clockFault) play(t *testing.T) (hidden []int) {
	fs, wall := fsys.NewMem(), newClock(scriptTime)
	opts := Options{Now: wall.now, MergeOff: true, Sync: SyncAlways}
	e := openTest(t, fs, opts)
	s := resolve(t, e, "a")
	for i := range int64(oldHours) {
		put(t, e, s, scriptTime-(i+1)*base.Hour, 1)
	}
	flush(t, e)
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(c.closed)
	wall.step(c.boot)
	truth := newClock(scriptTime + int64(c.closed))
	opts.Retention = retention.Rules{Default: keptFor}
	e = openTest(t, fs, opts)
	s = resolve(t, e, "a")
	time.Sleep(time.Second)
	for hour := range len(c.hidden) {
		wall.step(c.steps[hour])
		time.Sleep(time.Hour)
		if c.force == hour+1 {
			if err := e.Retain(t.Context(), true); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		left := countPoints(t, e, Query{Start: base.MinTime, End: scriptTime - 1})
		hidden = append(hidden, oldHours-left)
		// What is measured is measured by clocks that are right, and always welcome.
		put(t, e, s, truth.now().UnixNano(), 2)
	}
	return hidden
}

// TestClockFaults lets data expire under all that a clock may do. One that is wrong takes
// nothing in the first hour, and then what a sweep may take in each; where it is behind,
// nothing. Only a sweep that somebody forces believes it.
func TestClockFaults(t *testing.T) {
	for _, c := range clockFaults {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				if hidden := c.play(t); !slices.Equal(hidden, c.hidden) {
					t.Errorf("points are hidden after each hour:\n%v, want\n%v", hidden, c.hidden)
				}
			})
		})
	}
}

// TestHorizonsAreSeenAsWritten lets MANIFEST take the line with the horizons and not the
// one that is to follow it. The next sweep must not take up from other horizons than
// those that readers have: a namespace that is kept for ever would follow the others.
func TestHorizonsAreSeenAsWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs, wall := fsys.NewMem(), newClock(scriptTime)
		rules := retention.Rules{Default: time.Hour, Classes: map[string]time.Duration{"kept": 0}}
		e := openTest(t, fs, Options{Now: wall.now, MergeOff: true, Retention: rules})
		for _, name := range []string{"kept.a", "b"} {
			put(t, e, resolve(t, e, name), scriptTime-base.Day, 1)
		}
		flush(t, e)
		synctest.Wait()
		lines := 0
		fs.SetHook(func(op fsys.Op) (f fsys.Fault) {
			if op.Kind == fsys.OpWrite && op.Path == base.ManifestFile {
				if lines++; lines == 2 {
					f.Err = errInjected
				}
			}
			return f
		})
		for range 2 {
			if err := e.Retain(t.Context(), true); err != nil {
				t.Error(err)
			}
			synctest.Wait()
			if n := countPoints(t, e, everything); n != 1 || e.Horizon("kept.a") != base.MinTime {
				t.Errorf("%d points are left, those of kept reach back to %d", n, e.Horizon("kept.a"))
			}
			wall.step(time.Hour)
		}
		if lines < 4 {
			t.Errorf("%d lines were written", lines)
		}
	})
}
