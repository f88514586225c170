package upkeep

import (
	"context"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/sydradb/sydradb"
)

// Rules say how long points are kept, as [sydradb.Options] do. 0 is for ever.
type Rules struct {
	All        time.Duration            // for series whose namespace has no rule
	Namespaces map[string]time.Duration // for those whose name up to its first dot is the key
}

// classes returns the namespaces that have a rule, and "" for all others.
func (r *Rules) classes() []string { return append(slices.Sorted(maps.Keys(r.Namespaces)), "") }

// Horizons returns from when on the classes of rules are kept now, for Retain.
func Horizons(db *sydradb.DB, rules Rules) []int64 { return horizons(db, rules.classes()) }

func horizons(db *sydradb.DB, classes []string) []int64 {
	out := make([]int64, len(classes))
	for i, namespace := range classes {
		out[i] = db.Horizon(namespace)
	}
	return out
}

// KeptFrom says from when on the points of a namespace are kept.
type KeptFrom struct {
	Namespace string `json:"namespace"` // "" for all others
	From      int64  `json:"from"`      // Unix nanoseconds; sydradb.MinTime is the beginning
}

// Retained is what a round of retention has done.
type Retained struct {
	Kept       []KeptFrom `json:"kept"`        // that of all others is the last
	Moved      bool       `json:"moved"`       // points have expired
	SeriesLeft int        `json:"series_left"` // series that still have points older than the rules keep
}

// Retain lets points expire by the rules, which are those that db was opened with, as
// [sydradb.DB.Retain] does. before are the Horizons before db did anything by itself.
// now is the time by which points are found that should have expired.
func Retain(ctx context.Context, db *sydradb.DB, rules Rules, before []int64, now time.Time, force bool) (Retained, error) {
	// How far a step goes follows from what is in files.
	if err := db.Flush(ctx); err != nil {
		return Retained{}, err
	}
	if err := db.Retain(ctx, force); err != nil {
		return Retained{}, err
	}
	left, err := countExpired(ctx, db, &rules, now)
	if err != nil {
		return Retained{}, err
	}
	r := Retained{Moved: !slices.Equal(before, Horizons(db, rules)), SeriesLeft: left}
	for _, namespace := range withEarlierRules(db, rules.classes()) {
		r.Kept = append(r.Kept, KeptFrom{namespace, db.Horizon(namespace)})
	}
	return r, nil
}

// withEarlierRules adds the namespaces that are kept from another time on than all others,
// since they once had a rule of their own.
func withEarlierRules(db *sydradb.DB, classes []string) []string {
	all := slices.Clone(classes)
	for _, name := range db.ValueCardinality("__name__", 0) {
		namespace, _, _ := strings.Cut(name.Value, ".")
		if db.Horizon(namespace) != db.Horizon("") && !slices.Contains(all, namespace) {
			all = append(all, namespace)
		}
	}
	// The last one is "", which stands for all others.
	rules := slices.DeleteFunc(all, func(namespace string) bool { return namespace == "" })
	slices.Sort(rules)
	return append(rules, "")
}

// countExpired returns how many series have points that at now were older than the rules
// keep them.
func countExpired(ctx context.Context, db *sydradb.DB, rules *Rules, now time.Time) (n int, err error) {
	older := func(sel sydradb.Selector, ttl time.Duration) ([]*sydradb.Series, error) {
		if ttl == 0 {
			return nil, nil
		}
		return db.Find(ctx, sel, sydradb.MinTime, max(now.Add(-ttl).UnixNano(), sydradb.MinTime)-1)
	}
	found, err := older(sydradb.Selector{}, rules.All)
	if err != nil {
		return 0, err
	}
	for _, s := range found {
		namespace, _, _ := strings.Cut(s.Name(), ".")
		if _, own := rules.Namespaces[namespace]; !own {
			n++
		}
	}
	for namespace, ttl := range rules.Namespaces {
		m, err := sydradb.NewMatcher("__name__", sydradb.MatchRegexp, `(?s:`+regexp.QuoteMeta(namespace)+`(\..*)?)`)
		if err != nil {
			return 0, err
		}
		if found, err = older(sydradb.Selector{Matchers: []sydradb.Matcher{m}}, ttl); err != nil {
			return 0, err
		}
		n += len(found)
	}
	return n, nil
}
