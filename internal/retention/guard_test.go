package retention

import (
	"math"
	"strings"
	"testing"
	"time"
)

const year = 365 * day

// at is a reading: the wall clock off by so much from what it should be after uptime, and
// the last edit of MANIFEST so long before what it should be.
func at(uptime, off, sinceEdit time.Duration) Reading {
	true := nowMS + uptime.Milliseconds()
	return Reading{WallMS: true + off.Milliseconds(), Uptime: uptime, ManifestMS: true - sinceEdit.Milliseconds()}
}

func TestGuard(t *testing.T) {
	const m, h = time.Minute, time.Hour
	type look struct {
		now   Reading
		retry time.Duration // 0: allowed
		why   string
		swept *Step // what a sweep then does
	}
	hides, nothing := &Step{Hours: 1}, &Step{}
	tests := []struct {
		name  string
		start Reading
		looks []look
	}{
		{"all is well", at(0, 0, m), []look{{now: at(0, 0, m)}, {now: at(10*m, 0, m)}}},
		{"a sweep that hid something", at(0, 0, m), []look{
			{now: at(0, 0, 0), swept: hides},
			{now: at(10*m, 0, 0), retry: 50 * m, why: "last sweep"},
			{now: at(h-1, 0, 0), retry: m, why: "last sweep"},
			{now: at(h, 0, 0), swept: hides},
			{now: at(h, 0, 0), retry: h, why: "last sweep"},
		}},
		{"a sweep that hid nothing", at(0, 0, m), []look{{now: at(0, 0, 0), swept: nothing}, {now: at(m, 0, 0)}}},
		{"a sweep that stopped short", at(0, 0, m), []look{
			{now: at(0, 0, 0), swept: &Step{Rest: true}}, {now: at(m, 0, 0), retry: 59 * m, why: "last sweep"},
		}},
		{"a sweep that did nothing does not hasten the next", at(0, 0, m), []look{
			{now: at(0, 0, 0), swept: hides},
			{now: at(30*m, 0, 0), retry: 30 * m, why: "last sweep", swept: nothing},
			{now: at(31*m, 0, 0), retry: 29 * m, why: "last sweep"},
		}},
		{"off for a day", at(0, 0, 24*h), []look{{now: at(0, 0, 24*h)}}},
		{"off for a day, and no edit yet", at(0, 0, 24*h-10*m), []look{
			{now: at(0, 0, 24*h-10*m)}, {now: at(20*m, 0, 24*h+10*m), retry: 40 * m, why: "ahead"}, {now: at(h, 0, 25*h)},
		}},
		{"off for months", at(0, 0, 90*day), []look{
			{now: at(0, 0, 90*day), retry: h, why: "ahead"},
			{now: at(10*m, 0, 0), retry: 50 * m, why: "ahead"}, // a flush has written an edit by now
			{now: at(h, 0, 0)},
		}},
		{"ten years ahead at the start", at(0, 10*year, m), []look{
			{now: at(0, 10*year, m), retry: h, why: "ahead"},
			{now: at(20*m, 10*year, -10*year), retry: 40 * m, why: "ahead"},
			{now: at(h, 10*year, -10*year), swept: hides},
			{now: at(2*h-1, 10*year, -10*year), retry: m, why: "last sweep"},
		}},
		{"ten years ahead at the start, then set right", at(0, 10*year, m), []look{
			{now: at(20*m, 0, -10*year), retry: h, why: "stepped"},
			{now: at(80*m, 0, -10*year), retry: h, why: "behind"},
			{now: at(90*m, 0, m)}, // the next edit has the right time
		}},
		{"forward by a year while running", at(0, 0, m), []look{
			{now: at(10*m, 0, m), swept: nothing},
			{now: at(20*m, year, 0), retry: h, why: "stepped"},
			{now: at(50*m, year, -year), retry: 30 * m, why: "stepped"},
			{now: at(80*m, year, -year)},
		}},
		{"forward by six minutes", at(0, 0, m), []look{
			{now: at(10*m, 6*m, 0), retry: h, why: "stepped"}, {now: at(70*m, 6*m, 0)},
		}},
		{"forward by five minutes", at(0, 0, m), []look{{now: at(10*m, 5*m, 0)}}},
		{"back by six minutes", at(0, 0, m), []look{
			{now: at(10*m, -6*m, 6*m), retry: h, why: "stepped"}, {now: at(70*m, -6*m, 6*m)},
		}},
		{"forward and back within the hour", at(0, 0, m), []look{
			{now: at(10*m, year, 0), retry: h, why: "stepped"},
			{now: at(40*m, 0, 0), retry: h, why: "stepped"},
			{now: at(99*m, 0, 0), retry: m, why: "stepped"},
			{now: at(100*m, 0, 0)},
		}},
		{"stepped, and then swept by hand", at(0, 0, m), []look{
			{now: at(10*m, 0, 0)},
			{now: at(20*m, year, 0), retry: h, why: "stepped", swept: nothing},
			{now: at(30*m, year, 0), retry: 50 * m, why: "stepped"},
		}},
		{"slow drift, a sweep now and then", at(0, 0, m), []look{
			{now: at(24*h, 4*m, 0), swept: nothing}, {now: at(48*h, 8*m, 0), swept: nothing}, {now: at(72*h, 12*m, 0)},
		}},
		{"drift without sweeps", at(0, 0, m), []look{{now: at(24*h, 4*m, 0)}, {now: at(48*h, 8*m, 0), retry: h, why: "stepped"}}},
		{"asleep for eight hours", at(0, 0, m), []look{
			{now: at(10*m, 8*h, 0), retry: h, why: "stepped"}, {now: at(70*m, 8*h, 0)},
		}},
		{"a year back at the start", at(0, -year, m), []look{
			{now: at(0, -year, m), retry: h, why: "behind"}, {now: at(5*h, -year, m), retry: h, why: "behind"},
		}},
		{"a little back at the start", at(0, -10*m, 0), []look{
			{now: at(0, -10*m, 0), retry: 5 * m, why: "behind"}, {now: at(5*m, -10*m, 5*m)},
		}},
		{"five minutes back at the start", at(0, -5*m, 0), []look{{now: at(0, -5*m, 0)}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g := NewGuard(tt.start)
			for i, l := range tt.looks {
				v := g.Judge(l.now)
				if v.Allowed != (l.retry == 0) || v.RetryAfter != l.retry || !strings.Contains(v.Reason, l.why) || (v.Reason == "") != v.Allowed {
					t.Errorf("look %d: %+v, want %v, %q", i, v, l.retry, l.why)
				}
				if l.swept != nil {
					g.Swept(l.now, *l.swept)
				}
			}
		})
	}
}

// A sweep that nobody was asked about does not hide that the clock was stepped before it.
func TestSweptAfterStep(t *testing.T) {
	g := NewGuard(at(0, 0, 0))
	g.Swept(at(time.Minute, year, 0), Step{})
	if v := g.Judge(at(2*time.Minute, year, -year)); v.Allowed {
		t.Error("the step passed unnoticed")
	}
}

// Clocks that say what no clock can are stepped, ahead or behind, and nothing overflows.
func TestGuardOddClocks(t *testing.T) {
	for _, from := range []int64{math.MinInt64, 0, math.MaxInt64} {
		for _, to := range []int64{math.MinInt64, 0, math.MaxInt64} {
			g := NewGuard(Reading{WallMS: from, ManifestMS: from})
			v := g.Judge(Reading{WallMS: to, ManifestMS: from, Uptime: time.Minute})
			if v.Allowed != (from == to) || v.RetryAfter > Interval {
				t.Errorf("from %d to %d: %+v", from, to, v)
			}
			if d := g.drift(Reading{WallMS: to}); d < 0 {
				t.Errorf("from %d to %d: drift %v", from, to, d)
			}
		}
	}
}
