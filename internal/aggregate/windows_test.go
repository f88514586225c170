package aggregate

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestValidate(t *testing.T) {
	const edge = int64(1) << 62
	for name, c := range map[string]struct {
		w    Windows
		want error
	}{
		"one":                    {Windows{Start: 5, End: 9}, nil},
		"all times":              {Windows{Start: math.MinInt64, End: math.MaxInt64}, nil},
		"accepted times":         {Windows{Start: -edge, End: edge, Step: edge / 1000, Range: edge}, nil},
		"step":                   {Windows{Start: 5, End: 9, Step: -1}, errNegative},
		"range":                  {Windows{Start: 5, End: 9, Step: 1, Range: -1}, errNegative},
		"nothing":                {Windows{Start: 9, End: 5, Range: 3}, nil},
		"nothing is no excuse":   {Windows{Start: 9, End: 5, Step: -1}, errNegative},
		"sliding once":           {Windows{Start: 5, End: 5, Range: 3}, nil},
		"sliding without a step": {Windows{Start: 5, End: 6, Range: 3}, errNoStep},
		"just":                   {Windows{Start: math.MinInt64 + 3, End: 0, Step: edge, Range: 3}, nil},
		"too early":              {Windows{Start: math.MinInt64 + 3, End: 0, Step: edge, Range: 4}, errTooEarly},
		"wide and early":         {Windows{Start: -2, End: 0, Step: 1, Range: math.MaxInt64}, errTooEarly},
		"most":                   {Windows{Start: 1, End: MaxWindows, Step: 1}, nil},
	} {
		if err := c.w.Validate(); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	for _, w := range []Windows{{End: MaxWindows, Step: 1}, {Start: math.MinInt64, End: math.MaxInt64, Step: 1}} {
		if err := w.Validate(); err == nil || !strings.Contains(err.Error(), "too many windows") {
			t.Errorf("%+v: %v", w, err)
		}
	}
}

func TestLenTimeBounds(t *testing.T) {
	const edge = int64(1) << 62
	for name, c := range map[string]struct {
		w              Windows
		n              int
		last, from, to int64
	}{
		"one":           {Windows{Start: 5, End: 9}, 1, 5, 5, 9},
		"fixed":         {Windows{Start: 5, End: 20, Step: 5}, 4, 20, 5, 20},
		"cut":           {Windows{Start: 5, End: 18, Step: 5}, 3, 15, 5, 18},
		"sliding":       {Windows{Start: 5, End: 18, Step: 5, Range: 3}, 3, 15, 3, 15},
		"sliding once":  {Windows{Start: 5, End: 5, Range: 3}, 1, 5, 3, 5},
		"all times":     {Windows{Start: -edge, End: edge, Step: edge}, 3, edge, -edge, edge},
		"wide apart":    {Windows{Start: math.MinInt64, End: math.MaxInt64, Step: math.MaxInt64}, 3, math.MaxInt64 - 1, math.MinInt64, math.MaxInt64},
		"from the edge": {Windows{Start: -edge, End: edge, Step: edge, Range: edge}, 3, edge, math.MinInt64 + 1, edge},
	} {
		from, to := c.w.Bounds()
		if n, last := c.w.Len(), c.w.Time(c.n-1); n != c.n || last != c.last || from != c.from || to != c.to {
			t.Errorf("%s: %d windows to %d, points from %d to %d; want %+v", name, n, last, from, to, c)
		}
	}
	w := Windows{Start: 2, End: 1}
	if from, to := w.Bounds(); w.Len() != 0 || from <= to || w.Needs(math.MinInt64, math.MaxInt64) {
		t.Errorf("no windows: %d of them, points from %d to %d", w.Len(), from, to)
	}
}

// members returns the windows that ts lies in, by the definition.
func members(w Windows, ts int64) (low, high int) {
	low, high = 0, -1
	for i := w.Len() - 1; i >= 0; i-- {
		if inWindow(w, i, ts) {
			if high < 0 {
				high = i
			}
			low = i
		}
	}
	return low, high
}

// Panes are the longest stretches of time with the same windows: they have no others
// inside, they touch, and at each border something changes.
func TestPanes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := scenario{data: rapid.SliceOfN(rapid.Byte(), 12, 12).Draw(t, "windows")}
		w, _ := s.windows()
		n := w.Len()
		ts := int64(math.MinInt64)
		for at := range 2000 {
			p := w.pane(ts, n)
			if p.first != ts || p.last < ts {
				t.Fatalf("%+v: pane of %d, where the one before ended: %+v", w, ts, p)
			}
			middle := p.first + int64(uint64(p.last-p.first)/2)
			for _, inside := range []int64{p.first, middle, p.last} {
				low, high := members(w, inside)
				if empty := p.high < p.low; empty != (high < low) || !empty && (low != p.low || high != p.high) {
					t.Fatalf("%+v: %d is in windows %d to %d, its pane is %+v", w, inside, low, high, p)
				}
				if again := w.pane(inside, n); again != p {
					t.Fatalf("%+v: %d is in %+v, %d in %+v", w, ts, p, inside, again)
				}
			}
			if p.last == math.MaxInt64 {
				return
			}
			if next := w.pane(p.last+1, n); next.low == p.low && next.high == p.high {
				t.Fatalf("%+v: nothing changes between %+v and %+v", w, p, next)
			}
			ts = p.last + 1
			if at == 1999 {
				t.Fatalf("%+v: no end of panes", w)
			}
		}
	})
}

func TestNeeds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := Windows{
			Start: rapid.Int64Range(-9, 9).Draw(t, "start"), Step: rapid.Int64Range(1, 9).Draw(t, "step"),
			Range: rapid.Int64Range(0, 9).Draw(t, "range"),
		}
		w.End = w.Start + rapid.Int64Range(-1, 30).Draw(t, "span")
		first := rapid.Int64Range(-30, 60).Draw(t, "first")
		last := first + rapid.Int64Range(0, 20).Draw(t, "length")
		want := false
		for ts := first; ts <= last; ts++ {
			low, high := members(w, ts)
			want = want || low <= high
		}
		if got := w.Needs(first, last); got != want {
			t.Fatalf("%+v needs some of %d to %d: %v", w, first, last, got)
		}
	})
}

// A window that nobody has points for costs nothing, however many there are.
func TestEmptyWindowsAreFree(t *testing.T) {
	hour := int64(time.Hour)
	for _, w := range []Windows{
		{Start: 0, End: 10_000 * hour, Step: hour / 1000},
		{Start: 0, End: 10_000 * hour, Step: hour / 1000, Range: hour / 1000},
		{Start: 0, End: 10_000 * hour, Step: hour / 1000, Range: hour / 300},
	} {
		if err := w.Validate(); err != nil {
			t.Fatal(err)
		}
		ts, values := []int64{1, 5_000 * hour, 9_999 * hour}, []float64{1, 2, 3}
		var s Series
		allocated := testing.AllocsPerRun(1, func() {
			s = Series{}
			s.Reset(&w, []Function{Sum})
			s.AddColumns(ts, values)
			if n := s.Len(); n < 3 || n > 12 {
				t.Errorf("%+v: %d rows", w, n)
			}
		})
		if c := cap(s.rows.window) + cap(s.slide.panes.window); allocated > 20 || c > 50 {
			t.Errorf("%+v: %v allocations, room for %d rows", w, allocated, c)
		}
	}
}
