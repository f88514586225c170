package retention

import (
	"time"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/plant"
)

// Rules says how long points are kept, counted from their timestamps. Zero, and less,
// keeps them for ever.
type Rules struct {
	Default time.Duration            // of every class that is not in Classes
	Classes map[string]time.Duration // per namespace
}

// none is the horizon that hides nothing.
const none = base.MinTime

// Targets returns the horizons that the rules ask for at nowMS, Unix ms, where they differ
// from the present ones; nil if none does. Horizons move forward only, so those of rules
// that became more generous stay. A class with a rule gets a horizon of its own, at least
// the one it had, as soon as there is anything to tell it from the others; one whose rule
// is gone keeps its own until that of "" overtakes it. The arguments are not changed.
func Targets(rules Rules, nowMS int64, horizons map[string]int64) map[string]int64 {
	targets := make(map[string]int64)
	if rules.Default > 0 {
		targets[""] = forward(horizons, "", rules.Default, nowMS)
	}
	common := max(of(targets, ""), of(horizons, ""))
	for class := range horizons {
		if _, ruled := rules.Classes[class]; !ruled && class != "" {
			targets[class] = max(horizons[class], common)
		}
	}
	for class, ttl := range rules.Classes {
		if class != "" {
			targets[class] = forward(horizons, class, ttl, nowMS)
		}
	}
	return changes(targets, horizons)
}

// forward returns the horizon of a class that keeps points for ttl.
func forward(horizons map[string]int64, class string, ttl time.Duration, nowMS int64) int64 {
	present := of(horizons, class)
	if ttl <= 0 {
		return present
	}
	oldest := expiry(nowMS, ttl)
	if plant.Bug(plant.HorizonBack) {
		return oldest
	}
	return max(present, oldest)
}

// expiry returns the least timestamp that is younger than ttl at nowMS, among those that
// points may have.
func expiry(nowMS int64, ttl time.Duration) int64 {
	const ms = int64(time.Millisecond)
	now := min(max(nowMS, base.MinTime/ms), base.MaxTime/ms) * ms
	if now < base.MinTime+int64(ttl) { // no overflow: MinTime is half of the least int64
		return base.MinTime
	}
	return now - int64(ttl)
}

// of returns the horizon that is in force for a class.
func of(horizons map[string]int64, class string) int64 {
	if h, ok := horizons[class]; ok {
		return h
	}
	if h, ok := horizons[""]; ok {
		return h
	}
	return none
}

// changes drops from moved what the horizons hold already, and the horizons of classes
// that say no more than their absence does. It returns nil for an empty map.
func changes(moved, horizons map[string]int64) map[string]int64 {
	_, present := horizons[""]
	common := present || of(moved, "") > none
	for class, h := range moved {
		own, ok := horizons[class]
		if ok && own == h || !ok && h == none && !(common && class != "") {
			delete(moved, class)
		}
	}
	if len(moved) == 0 {
		return nil
	}
	return moved
}
