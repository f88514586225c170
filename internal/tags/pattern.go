package tags

import (
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
)

// pattern is a regular expression that matches whole values. Most of those that
// people and dashboards write are lists of values, or a beginning: these are
// recognised, for comparing strings is many times faster than running an automaton
// over each value of a key.
type pattern struct {
	values []string       // not nil: exactly these match; sorted
	prefix string         // all values that match begin with it
	rest   int            // what follows the prefix
	re     *regexp.Regexp // the whole, anchored; nil if not needed
}

// What follows the prefix of a pattern.
const (
	restOther    = iota // ask re
	restAny             // anything: .*
	restNonEmpty        // anything but nothing: .+
)

// maxValues bounds the values that a pattern is unfolded to.
const maxValues = 256

func newPattern(text string) (*pattern, error) {
	// As in Prometheus, a dot matches line ends too.
	tree, err := syntax.Parse(text, syntax.Perl|syntax.DotNL)
	if err != nil {
		return nil, err
	}
	p := &pattern{}
	if values, ok := unfold(tree); ok {
		slices.Sort(values)
		p.values = slices.Compact(values)
		return p, nil
	}
	p.prefix, p.rest = splitPrefix(tree)
	if p.rest == restOther {
		// The tree's own text has its groups and quotes closed.
		p.re, err = regexp.Compile("^(?s:" + tree.String() + ")$")
	}
	return p, err
}

func (p *pattern) matches(value string) bool {
	if p.values != nil {
		_, found := slices.BinarySearch(p.values, value)
		return found
	}
	if !strings.HasPrefix(value, p.prefix) {
		return false
	}
	switch p.rest {
	case restAny:
		return true
	case restNonEmpty:
		return len(value) > len(p.prefix)
	default:
		return p.re.MatchString(value)
	}
}

// unfold returns all strings that an expression matches, not nil, if they are few.
func unfold(tree *syntax.Regexp) ([]string, bool) {
	switch tree.Op {
	case syntax.OpNoMatch:
		return []string{}, true
	case syntax.OpEmptyMatch:
		return []string{""}, true
	case syntax.OpLiteral:
		return []string{string(tree.Rune)}, tree.Flags&syntax.FoldCase == 0
	case syntax.OpCharClass:
		return unfoldClass(tree.Rune)
	case syntax.OpCapture:
		return unfold(tree.Sub[0])
	case syntax.OpQuest:
		values, ok := unfold(tree.Sub[0])
		return append(values, ""), ok
	case syntax.OpAlternate:
		values := []string{}
		for _, sub := range tree.Sub {
			more, ok := unfold(sub)
			if values = append(values, more...); !ok || len(values) > maxValues {
				return nil, false
			}
		}
		return values, true
	case syntax.OpConcat:
		return unfoldConcat(tree.Sub)
	}
	return nil, false
}

func unfoldClass(ranges []rune) ([]string, bool) {
	values := []string{}
	for i := 0; i+1 < len(ranges); i += 2 {
		if ranges[i+1]-ranges[i] >= maxValues || len(values) > maxValues {
			return nil, false
		}
		for r := ranges[i]; r <= ranges[i+1]; r++ {
			values = append(values, string(r))
		}
	}
	return values, len(values) <= maxValues
}

func unfoldConcat(subs []*syntax.Regexp) ([]string, bool) {
	values := []string{""}
	for _, sub := range subs {
		tails, ok := unfold(sub)
		if !ok || len(values)*len(tails) > maxValues {
			return nil, false
		}
		longer := make([]string, 0, len(values)*len(tails))
		for _, head := range values {
			for _, tail := range tails {
				longer = append(longer, head+tail)
			}
		}
		values = longer
	}
	return values, true
}

// splitPrefix returns the literal that an expression begins with, and what follows.
func splitPrefix(tree *syntax.Regexp) (prefix string, rest int) {
	subs := []*syntax.Regexp{tree}
	if tree.Op == syntax.OpConcat {
		subs = tree.Sub
	}
	if first := subs[0]; first.Op == syntax.OpLiteral && first.Flags&syntax.FoldCase == 0 {
		prefix, subs = string(first.Rune), subs[1:]
	}
	if len(subs) == 1 && len(subs[0].Sub) == 1 && subs[0].Sub[0].Op == syntax.OpAnyChar {
		switch subs[0].Op {
		case syntax.OpStar:
			return prefix, restAny
		case syntax.OpPlus:
			return prefix, restNonEmpty
		}
	}
	return prefix, restOther
}
