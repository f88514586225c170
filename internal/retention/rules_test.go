package retention

import (
	"maps"
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/sydradb/sydradb/internal/base"
)

const day = 24 * time.Hour

// nowMS is a moment of 2023, not a full hour.
const nowMS = 1_700_000_123_456

// ago returns the timestamp that was so long before nowMS.
func ago(d time.Duration) int64 { return nowMS*int64(time.Millisecond) - int64(d) }

func TestTargets(t *testing.T) {
	type times = map[string]int64
	type ttls = map[string]time.Duration
	tests := []struct {
		name     string
		rules    Rules
		horizons times
		want     times
	}{
		{name: "no rules"},
		{name: "default", rules: Rules{Default: 30 * day}, want: times{"": ago(30 * day)}},
		{name: "forward", rules: Rules{Default: 30 * day}, horizons: times{"": ago(31 * day)}, want: times{"": ago(30 * day)}},
		{name: "there already", rules: Rules{Default: 30 * day}, horizons: times{"": ago(30 * day)}},
		{name: "longer than before", rules: Rules{Default: 60 * day}, horizons: times{"": ago(31 * day)}},
		{name: "rule removed", horizons: times{"": ago(31 * day)}},
		{name: "negative is for ever", rules: Rules{Default: -1}},
		{name: "class alone", rules: Rules{Classes: ttls{"a": day}}, want: times{"a": ago(day)}},
		{
			name: "class and default", rules: Rules{Default: 30 * day, Classes: ttls{"a": day, "b": 90 * day}},
			want: times{"": ago(30 * day), "a": ago(day), "b": ago(90 * day)},
		},
		{
			name: "class kept longer than what is hidden already", rules: Rules{Default: 30 * day, Classes: ttls{"b": 90 * day}},
			horizons: times{"": ago(30 * day)}, want: times{"b": ago(30 * day)},
		},
		{name: "kept for ever, nothing to tell apart", rules: Rules{Classes: ttls{"a": 0}}},
		{
			name: "kept for ever beside a default", rules: Rules{Default: 30 * day, Classes: ttls{"a": 0}},
			want: times{"": ago(30 * day), "a": base.MinTime},
		},
		{
			name: "kept for ever from now on", rules: Rules{Default: 30 * day, Classes: ttls{"a": 0}},
			horizons: times{"": ago(31 * day)}, want: times{"": ago(30 * day), "a": ago(31 * day)},
		},
		{
			name: "kept for ever stays", rules: Rules{Default: 30 * day, Classes: ttls{"a": 0}},
			horizons: times{"": ago(30 * day), "a": ago(60 * day)},
		},
		{
			name: "class lost its rule, own is later", rules: Rules{Default: 30 * day},
			horizons: times{"": ago(40 * day), "a": ago(day)}, want: times{"": ago(30 * day)},
		},
		{
			name: "class lost its rule, default is later", rules: Rules{Default: 30 * day},
			horizons: times{"": ago(40 * day), "a": ago(50 * day)}, want: times{"": ago(30 * day), "a": ago(30 * day)},
		},
		{
			name:     "class lost its rule, default is no rule any more",
			horizons: times{"": ago(40 * day), "a": ago(50 * day)}, want: times{"a": ago(40 * day)},
		},
		{name: "class lost its rule, no default", horizons: times{"a": ago(50 * day)}},
		{name: "no class is called nothing", rules: Rules{Classes: ttls{"": day}}},
		{name: "longer than time", rules: Rules{Default: math.MaxInt64}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			given := maps.Clone(tt.horizons)
			got := Targets(tt.rules, nowMS, tt.horizons)
			if !maps.Equal(got, tt.want) || (got == nil) != (len(tt.want) == 0) {
				t.Errorf("got %v\nwant %v", got, tt.want)
			}
			if !maps.Equal(given, tt.horizons) {
				t.Errorf("the present horizons changed to %v", tt.horizons)
			}
			moved := maps.Clone(tt.horizons)
			if moved == nil {
				moved = times{}
			}
			maps.Copy(moved, got)
			if again := Targets(tt.rules, nowMS, moved); again != nil {
				t.Errorf("once there, still to move: %v", again)
			}
		})
	}
}

// Whatever the clock says, a target is a time that points may have.
func TestTargetsOfOddClocks(t *testing.T) {
	for _, now := range []int64{math.MinInt64, -1, 0, 1, math.MaxInt64} {
		for _, ttl := range []time.Duration{1, day, math.MaxInt64} {
			for class, h := range Targets(Rules{Default: ttl}, now, nil) {
				if class != "" || h < base.MinTime || h > base.MaxTime {
					t.Errorf("at %d, after %v: horizon of %q is %d", now, ttl, class, h)
				}
			}
		}
	}
}

var someClasses = []string{"", "a", "b", "c"}

func drawRules(t *rapid.T) Rules {
	ttl := rapid.SampledFrom([]time.Duration{0, time.Hour, day, 3 * day, 40 * day})
	return Rules{Default: ttl.Draw(t, "default"), Classes: rapid.MapOf(rapid.SampledFrom(someClasses[1:]), ttl).Draw(t, "classes")}
}

func drawHorizons(t *rapid.T) map[string]int64 {
	back := rapid.Int64Range(0, int64(50*day))
	horizons := map[string]int64{}
	for class, d := range rapid.MapOf(rapid.SampledFrom(someClasses), back).Draw(t, "horizons") {
		horizons[class] = ago(time.Duration(d))
	}
	return horizons
}

// R1, R2: nothing that is hidden comes back, and what has a rule is hidden as far as the
// rule says and no further than it, or something before it, did.
func TestTargetsOnlyForward(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rules, horizons := drawRules(t), drawHorizons(t)
		moved := maps.Clone(horizons)
		maps.Copy(moved, Targets(rules, nowMS, horizons))
		for _, class := range someClasses {
			ttl, ruled := rules.Classes[class]
			if !ruled {
				ttl = rules.Default
			}
			before, after := of(horizons, class), of(moved, class)
			if after < before {
				t.Fatalf("horizon of %q goes back from %d to %d", class, before, after)
			}
			want := before
			if ttl > 0 {
				want = max(want, ago(ttl))
			}
			if _, own := horizons[class]; own && !ruled {
				want = max(want, of(moved, ""))
			}
			if after != want {
				t.Fatalf("horizon of %q is %d, want %d", class, after, want)
			}
		}
	})
}
