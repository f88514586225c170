package aggregate

import (
	"errors"
	"fmt"
	"math"
)

// MaxWindows is how many windows one query may have.
const MaxWindows = 11_000_000

// Windows says which windows of time there are. All times are in nanoseconds, as are the
// times of points; any unit does, but for Rate.
//
// With Range 0 they are fixed: the window with the time t covers [t, t+Step), for t =
// Start, Start+Step, ... up to End, and only points in [Start, End] count, so that End
// may cut the last window short. Step 0 makes one window of all of [Start, End].
//
// With a Range they slide: the window with the time t covers (t-Range, t], for the same
// t. Start and End are the times of windows, not of points. Step 0 then asks for the one
// window at Start, which must be End.
//
// If Start lies after End there are none. A Windows is a plain value; all methods but
// Validate and Len want one that Validate accepts.
type Windows struct {
	Start, End int64 // times of windows, both inclusive
	Step       int64 // from one window to the next
	Range      int64 // width of sliding windows; 0: fixed windows of the width Step
}

// ErrTooMany is returned by Validate for more than MaxWindows windows.
var ErrTooMany = fmt.Errorf("too many windows: at most %d, a wider step is needed", MaxWindows)

var (
	errNegative = errors.New("negative step or range")
	errNoStep   = errors.New("sliding windows from start to end need a step")
	errTooEarly = errors.New("the first window begins before the least time there is")
)

// Validate returns what is wrong with the windows, nil if nothing is.
func (w Windows) Validate() error {
	if w.Step < 0 || w.Range < 0 {
		return errNegative
	}
	if w.Start > w.End {
		return nil
	}
	if w.Range > 0 {
		if w.Step == 0 && w.Start != w.End {
			return errNoStep
		}
		if w.Start < math.MinInt64+w.Range {
			return errTooEarly
		}
	}
	if w.Step > 0 {
		if more := uint64(w.End-w.Start) / uint64(w.Step); more >= MaxWindows {
			return ErrTooMany
		}
	}
	return nil
}

// Len returns the number of windows, empty ones included.
func (w Windows) Len() int {
	if w.Start > w.End {
		return 0
	}
	if w.Step <= 0 {
		return 1
	}
	// The difference may exceed an int64, never a uint64.
	return int(uint64(w.End-w.Start)/uint64(w.Step)) + 1
}

// Time returns the time of window i, from 0 to Len()-1: the first instant of a fixed
// window, the last one of a sliding window.
func (w Windows) Time(i int) int64 { return w.Start + int64(i)*w.Step }

// Bounds returns the least and the greatest time, both inclusive, of points that any
// window needs; from lies after to if there are no windows. Points outside may be handed
// to a Series all the same: it passes over them.
func (w Windows) Bounds() (from, to int64) {
	switch {
	case w.Start > w.End:
		return 0, -1
	case w.Range == 0:
		return w.Start, w.End
	}
	return w.Start - w.Range + 1, w.Time(w.Len() - 1)
}

// Needs reports whether a window has any of the times from first to last, both
// inclusive. Windows that slide further than they are wide leave gaps between them.
func (w Windows) Needs(first, last int64) bool {
	p := w.pane(first, w.Len())
	return p.low <= p.high || last > p.last
}

// pane is the longest stretch of time around a point whose times all lie in the same
// windows: those from low to high, none if high < low.
type pane struct {
	first, last int64 // both inclusive
	low, high   int
}

// pane returns the one that ts lies in. n is w.Len().
func (w *Windows) pane(ts int64, n int) pane {
	if n == 0 {
		return pane{math.MinInt64, math.MaxInt64, 0, -1}
	}
	if w.Range > 0 {
		return w.slidingPane(ts, n)
	}
	if ts < w.Start {
		return pane{math.MinInt64, w.Start - 1, 0, -1}
	}
	if ts > w.End {
		return pane{w.End + 1, math.MaxInt64, n, n - 1}
	}
	if w.Step == 0 {
		return pane{w.Start, w.End, 0, 0}
	}
	i := uint64(ts-w.Start) / uint64(w.Step)
	first := w.Start + int64(i)*w.Step
	p := pane{first, w.End, int(i), int(i)}
	if int(i) < n-1 {
		p.last = first + w.Step - 1
	}
	return p
}

// slidingPane computes with offsets from where the first window begins: window i covers
// (i*Step, i*Step+Range]. As uint64 none of them overflows.
func (w *Windows) slidingPane(ts int64, n int) pane {
	base, end := w.Start-w.Range, w.Time(n-1)
	if ts <= base {
		return pane{math.MinInt64, base, 0, -1}
	}
	if ts > end {
		return pane{end + 1, math.MaxInt64, n, n - 1}
	}
	offset, width, step := uint64(ts-base), uint64(w.Range), uint64(w.Step)
	low, high := 0, 0
	if n > 1 {
		high = int(min((offset-1)/step, uint64(n-1)))
		if offset > width {
			low = int((offset - width + step - 1) / step)
		}
	}
	// The pane ends where window low does or where the next one begins, and has begun
	// where the window before low ended or where window high began.
	first, last := uint64(high)*step+1, uint64(low)*step+width
	if low > 0 {
		first = max(first, uint64(low-1)*step+width+1)
	}
	if high < n-1 {
		last = min(last, uint64(high+1)*step)
	}
	return pane{base + int64(first), base + int64(last), low, high}
}
