package retention

import (
	"maps"
	"testing"
	"time"

	"github.com/sydradb/sydradb/internal/base"
)

// world is a database with a file an hour, whose upkeep asks for a sweep every ten
// minutes, as the engine composes it, by a clock that may be wrong.
type world struct {
	t        *testing.T
	rules    Rules
	uptime   time.Duration
	off      time.Duration // of the clock, from what it should be
	manifest int64         // Unix ms of the last edit, by that clock
	guard    *Guard
	horizons map[string]int64
	files    []File
}

// newWorld returns a database with so many days of files, opened by a clock that is off.
func newWorld(t *testing.T, days int, off time.Duration) *world {
	w := &world{t: t, rules: Rules{Default: 30 * day}, off: off, manifest: nowMS, horizons: map[string]int64{}}
	w.files = hourly("a", base.BucketStart(ago(time.Duration(days)*day)), days*24, 1000)
	w.guard = NewGuard(w.clock())
	return w
}

func (w *world) clock() Reading {
	return Reading{WallMS: nowMS + (w.uptime + w.off).Milliseconds(), Uptime: w.uptime, ManifestMS: w.manifest}
}

// run lets the time pass and returns how many files went in each hour of it.
func (w *world) run(d time.Duration) (dropped []int) {
	for until := w.uptime + d; w.uptime < until; w.uptime += 10 * time.Minute {
		if w.uptime%time.Hour == 0 {
			dropped = append(dropped, 0)
		}
		dropped[len(dropped)-1] += w.sweep()
		// A flush writes an edit, whether or not there was a sweep.
		w.manifest = w.clock().WallMS
	}
	return dropped
}

// sweep does what the guard allows and returns how many files went.
func (w *world) sweep() int {
	now := w.clock()
	if !w.guard.Judge(now).Allowed {
		return 0
	}
	step := Limit(Targets(w.rules, now.WallMS, w.horizons), w.horizons, w.files)
	w.guard.Swept(now, step)
	maps.Copy(w.horizons, step.Horizon)
	gone := Plan(w.files, func(class string) (int64, bool) { return of(w.horizons, class), true }).Drop
	for i, path := range gone {
		if w.files[i].Path != path {
			w.t.Fatalf("%s went before %s", path, w.files[i].Path)
		}
	}
	if most := max(25, len(w.files)/10); len(gone) > most {
		w.t.Fatalf("%d files went at once, at most %d may", len(gone), most)
	}
	w.files = w.files[len(gone):]
	return len(gone)
}

func total(counts []int) (n int) {
	for _, c := range counts {
		n += c
	}
	return n
}

// A right clock: what the rule names goes, hour by hour, and nothing else.
func TestSweepRightClock(t *testing.T) {
	w := newWorld(t, 30, 0)
	for i, n := range w.run(20 * time.Hour)[1:] {
		if n > 1 || i > 1 && n == 0 {
			t.Errorf("hour %d: %d files", i+1, n)
		}
	}
	if oldest := w.files[0].Classes[0].End; oldest < ago(30*day)+int64(19*time.Hour) || oldest > ago(30*day)+int64(22*time.Hour) {
		t.Errorf("the oldest point is %v old", time.Duration(ago(0)-oldest))
	}
}

// A backlog is worked off by a tenth an hour, then a day an hour.
func TestSweepBacklog(t *testing.T) {
	w := newWorld(t, 100, 0)
	if counts := w.run(5 * time.Hour); counts[0] != 240 || counts[1] != 216 {
		t.Errorf("files that went: %v", counts)
	}
	w.run(20 * time.Hour)
	if left := len(w.files); left < 29*24 || left > 31*24 {
		t.Errorf("%d files are left, of %d hours", left, 30*24)
	}
}

// A clock that is ten years ahead when the database is opened costs nothing in the first
// hour and one step in the second. The horizon it leaves hides no later write.
func TestSweepClockFarAhead(t *testing.T) {
	for name, days := range map[string]int{"large": 365, "a day": 1} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, days, 10*year)
			w.rules.Default = 400 * day // by the right clock nothing goes
			before := len(w.files)
			if counts := w.run(2 * time.Hour); counts[0] != 0 || total(counts) > max(24, before/10) || total(counts) == 0 {
				t.Errorf("files that went: %v of %d", counts, before)
			}
			if horizon := w.horizons[""]; horizon > ago(0) {
				t.Errorf("points are refused for the next %v", time.Duration(horizon-ago(0)))
			}
			w.off = 0 // set right
			if counts := w.run(24 * time.Hour); total(counts) != 0 {
				t.Errorf("files that went by the right clock: %v", counts)
			}
		})
	}
}

// A clock that jumps while the database is open costs nothing for an hour; set right
// within it, nothing at all.
func TestSweepClockSteps(t *testing.T) {
	for name, off := range map[string]time.Duration{"forward": 10 * year, "back": -10 * year, "by a day": day} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 20, 0)
			w.run(2 * time.Hour)
			before := len(w.files)
			w.off = off
			if counts := w.run(time.Hour); total(counts) != 0 {
				t.Errorf("files that went within the hour: %v", counts)
			}
			w.off = 0
			if counts := w.run(12 * time.Hour); total(counts) != 0 {
				t.Errorf("files that went by the right clock: %v", counts)
			}
			w.off = off
			if counts := w.run(2 * time.Hour); total(counts) > max(24, before/10) || off < 0 && total(counts) != 0 {
				t.Errorf("files that went by the wrong clock: %v of %d", counts, before)
			}
		})
	}
}

// A clock that is behind drops nothing, however long it stays so and whatever edits it
// writes.
func TestSweepClockBehind(t *testing.T) {
	w := newWorld(t, 30, -year)
	if counts := w.run(48 * time.Hour); total(counts) != 0 {
		t.Errorf("files that went: %v", counts)
	}
	w.off = 0
	if counts := w.run(4 * time.Hour); counts[0] != 0 || total(counts) == 0 {
		t.Errorf("files that went once it was right: %v", counts)
	}
}
