package tags

import (
	"fmt"
	"strconv"
	"strings"
)

// MatchType is the comparison that a Matcher makes.
type MatchType uint8

// The comparisons. Regular expressions are RE2 and match the whole value.
const (
	Equal     MatchType = iota // =
	NotEqual                   // !=
	Regexp                     // =~
	NotRegexp                  // !~
)

// String returns the operator.
func (t MatchType) String() string {
	if names := [...]string{"=", "!=", "=~", "!~"}; int(t) < len(names) {
		return names[t]
	}
	return "MatchType(" + strconv.Itoa(int(t)) + ")"
}

// Matcher is a condition on one tag of a series. A tag that a series lacks has the
// value "". The key base.NameKey stands for the series' name. A Matcher never changes
// and may be shared between goroutines; the zero Matcher is fulfilled by every series.
type Matcher struct {
	key, value string
	matchType  MatchType
	pattern    *pattern // of Regexp and NotRegexp
}

// NewMatcher returns the condition "key t value". It fails for a regular expression
// that does not compile and for an unknown type.
func NewMatcher(t MatchType, key, value string) (Matcher, error) {
	m := Matcher{key: key, value: value, matchType: t}
	if t > NotRegexp {
		return Matcher{}, fmt.Errorf("matcher for %q: unknown type %d", key, t)
	}
	if t == Regexp || t == NotRegexp {
		p, err := newPattern(value)
		if err != nil {
			return Matcher{}, fmt.Errorf("matcher for %q: %w", key, err)
		}
		m.pattern = p
	}
	return m, nil
}

// Key returns the tag key that the condition is about.
func (m Matcher) Key() string { return m.key }

// Type returns the comparison.
func (m Matcher) Type() MatchType { return m.matchType }

// Value returns what the tag is compared with.
func (m Matcher) Value() string { return m.value }

// Matches reports whether a series whose tag has this value fulfils the condition;
// "" stands for a series without the tag.
func (m Matcher) Matches(value string) bool {
	switch m.matchType {
	case Equal:
		return value == m.value
	case NotEqual:
		return value != m.value
	case Regexp:
		return m.pattern.matches(value)
	default:
		return !m.pattern.matches(value)
	}
}

// values returns the only values that an Equal or Regexp matcher matches, or a
// NotEqual or NotRegexp matcher does not match, where these are few and known.
func (m Matcher) values() ([]string, bool) {
	if m.pattern != nil {
		return m.pattern.values, m.pattern.values != nil
	}
	return []string{m.value}, true
}

// String returns the condition as ParseSelector reads it inside braces.
func (m Matcher) String() string {
	return quoteWord(m.key) + m.matchType.String() + strconv.Quote(m.value)
}

// quoteWord returns a name or key as ParseSelector reads it: in quotes where needed.
func quoteWord(word string) string {
	if word == "" || strings.ContainsFunc(word, isDelimiter) {
		return strconv.Quote(word)
	}
	return word
}
