package retention

import (
	"fmt"
	"time"

	"github.com/sydradb/sydradb/internal/base"
)

// Interval is the least time from a sweep that hid something to the next.
const Interval = time.Hour

const (
	maxDrift = 5 * time.Minute // between the wall clock and the monotonic one, from sweep to sweep
	stepHold = time.Hour       // no sweep for so long after a step of the clock
	maxGap   = 24 * time.Hour  // since the last edit of MANIFEST, for a sweep soon after opening
	minAge   = time.Hour       // of the process, if the gap is longer
	minRetry = time.Minute
)

// Reading is what the clocks say at one moment.
type Reading struct {
	WallMS     int64         // Unix ms
	Uptime     time.Duration // since the database was opened, by a clock that nobody sets
	ManifestMS int64         // State.Wall of the MANIFEST: Unix ms of its last edit
}

// Verdict says whether a sweep may run.
type Verdict struct {
	Allowed    bool
	Reason     string        // what speaks against it, for people
	RetryAfter time.Duration // when to ask again; 0 if allowed
}

// Guard keeps sweeps from acting on a clock that may be wrong: one that was stepped since
// the last sweep, is behind what MANIFEST has seen, or was far ahead of that when the
// database was opened. None of this can be told from a machine that was off for a long
// time, so what remains is to wait, and to take small steps. Not safe for concurrent use.
type Guard struct {
	base      Reading       // what drift is measured from
	late      bool          // the database was opened long after its last edit, or the clock is ahead
	heldUntil time.Duration // uptime before which nothing happens after a step
	rests     bool          // a sweep hid something, or stopped short
	sweptAt   time.Duration // uptime of the last that did
}

// NewGuard returns a guard for a database that was opened at start. ManifestMS of start is
// that of the MANIFEST as it was found: edits of this process do not make its clock right.
func NewGuard(start Reading) *Guard {
	return &Guard{base: start, late: apart(start.WallMS, start.ManifestMS) > maxGap}
}

// Judge says whether a sweep may run now. A step of the clock that it notices holds
// retention for an hour, and one that comes within that hour for an hour more; then the
// clock counts as right.
func (g *Guard) Judge(now Reading) Verdict {
	if drift := g.drift(now); drift > maxDrift {
		g.base, g.heldUntil = now, now.Uptime+stepHold
	}
	behind := apart(now.ManifestMS, now.WallMS) - maxDrift
	switch {
	case now.Uptime < g.heldUntil:
		return refuse(g.heldUntil-now.Uptime, "the clock was stepped")
	case behind > 0:
		return refuse(behind, "the clock is behind the last edit of MANIFEST by more than %v", maxDrift)
	case (g.late || apart(now.WallMS, now.ManifestMS) > maxGap) && now.Uptime < minAge:
		return refuse(minAge-now.Uptime, "the clock is more than %v ahead of what MANIFEST had seen", maxGap)
	case g.rests && now.Uptime < g.sweptAt+Interval:
		return refuse(g.sweptAt+Interval-now.Uptime, "the last sweep is less than %v ago", Interval)
	}
	return Verdict{Allowed: true}
}

// Swept notes a sweep, also one that nobody was asked about. The next is an hour away if
// this one hid anything or stopped short of its targets. A step of the clock that Judge
// has not seen yet stays to be noticed.
func (g *Guard) Swept(now Reading, step Step) {
	if g.drift(now) <= maxDrift {
		g.base = now
	}
	if step.Hours > 0 || step.Rest {
		g.rests, g.sweptAt = true, now.Uptime
	}
}

// drift returns by how much the two clocks went different ways since the base.
func (g *Guard) drift(now Reading) time.Duration {
	wall, mono := apart(now.WallMS, g.base.WallMS), now.Uptime-g.base.Uptime
	return max(wall-mono, mono-wall)
}

// apart returns a-b of two times in Unix ms, half of what a Duration holds at most, so
// that what is reckoned with it does not overflow.
func apart(aMS, bMS int64) time.Duration {
	const most = base.MaxTime / int64(time.Millisecond)
	a, b := min(max(aMS, -most), most), min(max(bMS, -most), most)
	return time.Duration(min(max(a-b, -most), most)) * time.Millisecond
}

func refuse(retry time.Duration, format string, args ...any) Verdict {
	return Verdict{Reason: fmt.Sprintf(format, args...), RetryAfter: min(max(retry, minRetry), Interval)}
}
