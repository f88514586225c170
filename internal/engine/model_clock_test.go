package engine

import (
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/retention"
)

// clock is a wall clock that tests set. By itself it goes as fast as the time of the
// test does, which is the monotonic clock of the engine.
type clock struct{ offset atomic.Int64 }

// newClock returns a clock that shows the time at, Unix ns.
func newClock(at int64) *clock {
	c := &clock{}
	c.step(time.Duration(at - time.Now().UnixNano()))
	return c
}

func (c *clock) now() time.Time       { return time.Now().Add(time.Duration(c.offset.Load())) }
func (c *clock) step(d time.Duration) { c.offset.Add(int64(d)) }

// scriptTime is when scripts begin: points lie in the days before and a day after.
const scriptTime = 3 * base.Day

// levels are the horizons in force, per namespace of the tests, "" for all others.
type levels map[string]int64

// namespaces are those of allModelSeries, and "", which no series of them is in.
var namespaces = []string{"", "m0", "m1", "m2"}

// noLevels hide nothing.
var noLevels = levelsOf(func(string) int64 { return base.MinTime })

func levelsOf(horizon func(name string) int64) levels {
	l := make(levels)
	for _, ns := range namespaces {
		name := ns + ".x"
		if ns == "" {
			name = "none"
		}
		l[ns] = horizon(name)
	}
	return l
}

// of returns the level for the series with this name.
func (l levels) of(name string) int64 {
	if level, ok := l[base.Namespace(name)]; ok {
		return level
	}
	return base.MinTime
}

// swept returns the levels after a sweep that nothing holds back: a naive reading of
// what the rules say.
func (l levels) swept(rules retention.Rules, now time.Time) levels {
	rest := l[""]
	if rules.Default > 0 {
		rest = max(rest, now.UnixMilli()*1e6-int64(rules.Default))
	}
	out := make(levels)
	for ns, level := range l {
		ttl, ruled := rules.Classes[ns]
		switch {
		case ns == "":
			out[ns] = rest
		case !ruled:
			out[ns] = max(level, rest)
		case ttl > 0:
			out[ns] = max(level, now.UnixMilli()*1e6-int64(ttl))
		default:
			out[ns] = level
		}
	}
	return out
}

// most returns the higher of both, per namespace.
func (l levels) most(o levels) levels {
	out := make(levels, len(l))
	for ns := range l {
		out[ns] = max(l[ns], o[ns])
	}
	return out
}

// within verifies that no level is below that of low, or above that of high.
func (l levels) within(low, high levels) error {
	for _, ns := range namespaces {
		switch level := l[ns]; {
		case level < low[ns]:
			return fmt.Errorf("the horizon of %q went back from %d to %d", ns, low[ns], level)
		case level > high[ns]:
			return fmt.Errorf("the horizon of %q is %d, the rules allow %d", ns, level, high[ns])
		}
	}
	return nil
}

// randomRules returns rules under which some of the points of scripts are too old.
func randomRules(rng *rand.Rand) (r retention.Rules) {
	if rng.IntN(3) == 0 {
		return r
	}
	r.Classes = make(map[string]time.Duration)
	r.Default = []time.Duration{0, 20 * time.Hour, 50 * time.Hour, 80 * time.Hour}[rng.IntN(4)]
	for _, ns := range namespaces[1:] {
		if n := rng.IntN(6); n < 4 {
			r.Classes[ns] = []time.Duration{0, 5 * time.Hour, 30 * time.Hour, 75 * time.Hour}[n]
		}
	}
	return r
}
