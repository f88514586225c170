// Package metadata remembers what clients said about metric families: type, unit and help
// text. It is what /api/v1/metadata answers.
//
// It is no part of the database: it lives in memory, is bounded, and comes back after a
// restart with the next requests of the clients, which repeat it. Nothing that is stored
// depends on it.
//
// The protocols that carry metadata call [Store.Set], with each request if they like; the
// Prometheus API calls [Store.Get]. A Store is safe for concurrent use.
package metadata

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"sync"
)

// DefaultMax is the number of families that a Store keeps if New is not told another.
const DefaultMax = 20_000

const (
	// maxEntries is how many different things may be said about one family. Clients
	// disagree while one of them is being upgraded.
	maxEntries = 4
	// maxFamily and maxText bound, in bytes, the name of a family, and help and unit.
	maxFamily = 1 << 10
	maxText   = 4 << 10
)

// Entry is what a client said about a family. Its JSON form is that of Prometheus.
type Entry struct {
	Type string `json:"type"` // counter, gauge, histogram, ...; "unknown" if it was not said
	Unit string `json:"unit"`
	Help string `json:"help"`
}

// Store is a bounded set of metadata.
type Store struct {
	max int

	mu       sync.RWMutex
	families map[string][]Entry // of each the newest last; a slice never changes once it is here
}

// New returns an empty Store for at most max families, [DefaultMax] if max is not
// positive. When it is full, families that are new are not taken.
func New(max int) *Store {
	if max <= 0 {
		max = DefaultMax
	}
	return &Store{max: max, families: make(map[string][]Entry)}
}

// Set notes what is said about a family. What is known already costs one look-up and no
// allocation. A family without a name, or with a very long one, is ignored; long texts are cut.
func (s *Store) Set(family, typ, unit, help string) {
	if family == "" || len(family) > maxFamily {
		return
	}
	e := Entry{Type: typ, Unit: cut(unit), Help: cut(help)}
	if e.Type == "" {
		e.Type = "unknown"
	}
	s.mu.RLock()
	entries := s.families[family]
	s.mu.RUnlock()
	if slices.Contains(entries, e) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	entries, found := s.families[family]
	if !found && len(s.families) >= s.max || slices.Contains(entries, e) {
		return
	}
	if len(entries) == maxEntries {
		entries = entries[1:]
	}
	// The strings may be parts of a large request.
	e = Entry{strings.Clone(e.Type), strings.Clone(e.Unit), strings.Clone(e.Help)}
	s.families[strings.Clone(family)] = append(slices.Clone(entries), e)
}

// cut returns the beginning of text, in whole characters.
func cut(text string) string {
	if len(text) <= maxText {
		return text
	}
	return strings.ToValidUTF8(text[:maxText], "")
}

// Get returns what is known: about one family, or about all if family is empty. limit, if
// positive, bounds the number of families; the first by name are taken. The entries of a
// family are in order of type, unit and help. The map is the caller's.
func (s *Store) Get(family string, limit int) map[string][]Entry {
	s.mu.RLock()
	defer s.mu.RUnlock()
	out := make(map[string][]Entry)
	if family != "" {
		if entries, found := s.families[family]; found {
			out[family] = sorted(entries)
		}
		return out
	}
	if limit <= 0 || limit >= len(s.families) {
		for name, entries := range s.families {
			out[name] = sorted(entries)
		}
		return out
	}
	for _, name := range slices.Sorted(maps.Keys(s.families))[:limit] {
		out[name] = sorted(s.families[name])
	}
	return out
}

// Len returns the number of families.
func (s *Store) Len() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return len(s.families)
}

func sorted(entries []Entry) []Entry {
	return slices.SortedFunc(slices.Values(entries), func(a, b Entry) int {
		return cmp.Or(strings.Compare(a.Type, b.Type), strings.Compare(a.Unit, b.Unit), strings.Compare(a.Help, b.Help))
	})
}

// Family returns the name of the family that a series belongs to, where a client gives
// metadata with each series and not with families: a histogram has series whose names end
// in _bucket, _sum and _count.
func Family(series, typ string) string {
	var suffixes []string
	switch typ {
	case "histogram":
		suffixes = []string{"_bucket", "_sum", "_count"}
	case "gaugehistogram":
		suffixes = []string{"_bucket", "_gsum", "_gcount", "_sum", "_count"}
	case "summary":
		suffixes = []string{"_sum", "_count"}
	}
	for _, suffix := range suffixes {
		if name, found := strings.CutSuffix(series, suffix); found && name != "" {
			return name
		}
	}
	return series
}

// types are the types of metric families by their numbers in remote write, which are those
// of both versions.
var types = [...]string{"unknown", "counter", "gauge", "histogram", "gaugehistogram", "summary", "info", "stateset"}

// TypeName returns the name of a type that remote write gives as a number; unknown ones
// are "unknown".
func TypeName(n uint64) string {
	if n >= uint64(len(types)) {
		return types[0]
	}
	return types[n]
}
