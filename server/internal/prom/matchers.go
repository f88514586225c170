package prom

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/sydradb/sydradb"
)

// matchTypes are the comparisons of Prometheus in those of the database. They mean the
// same: regular expressions are RE2, match whole values, and their dots match line ends;
// a label that a series lacks has the value "".
var matchTypes = [...]sydradb.MatchType{
	labels.MatchEqual:     sydradb.MatchEqual,
	labels.MatchNotEqual:  sydradb.MatchNotEqual,
	labels.MatchRegexp:    sydradb.MatchRegexp,
	labels.MatchNotRegexp: sydradb.MatchNotRegexp,
}

// selector returns the selector of what fulfils all of matchers; without any, of all
// series. certain is false if matchers must be asked about each series that it selects.
func selector(matchers []*labels.Matcher) (sel sydradb.Selector, certain bool, err error) {
	if id, ok := idShown(matchers); ok {
		return sydradb.Selector{IDs: []sydradb.SeriesID{id}}, false, nil
	}
	certain = true
	for _, m := range matchers {
		if int(m.Type) >= len(matchTypes) {
			return sel, false, fmt.Errorf("matcher %s: unknown comparison", m)
		}
		ours, err := sydradb.NewMatcher(m.Name, matchTypes[m.Type], m.Value)
		if err != nil {
			// Prometheus compiles some more patterns: alternatives that are not UTF-8. Limits
			// then count what the other matchers select.
			certain = false
			continue
		}
		sel.Matchers = append(sel.Matchers, ours)
	}
	return sel, certain, nil
}

// idShown returns the id of the series that matchers ask for by the name that stands for
// one: series known by id only are shown as "series:" and the id. The database takes them
// for nameless.
func idShown(matchers []*labels.Matcher) (sydradb.SeriesID, bool) {
	for _, m := range matchers {
		if m.Type != labels.MatchEqual || m.Name != model.MetricNameLabel {
			continue
		}
		if text, ok := strings.CutPrefix(m.Value, "series:"); ok {
			id, err := strconv.ParseUint(text, 16, 64)
			return sydradb.SeriesID(id), err == nil
		}
	}
	return 0, false
}

// fulfils reports whether a series with these labels fulfils all of matchers.
func fulfils(lset labels.Labels, matchers []*labels.Matcher) bool {
	for _, m := range matchers {
		if !m.Matches(lset.Get(m.Name)) {
			return false
		}
	}
	return true
}

const nsPerMS = 1_000_000

// startNS and endNS return the first and the last nanosecond of a millisecond, within what
// the database accepts.
func startNS(ms int64) int64 {
	if ms <= sydradb.MinTime/nsPerMS {
		return sydradb.MinTime
	}
	return min(ms, math.MaxInt64/nsPerMS) * nsPerMS
}

func endNS(ms int64) int64 {
	if ms >= sydradb.MaxTime/nsPerMS {
		return sydradb.MaxTime
	}
	return max(ms, math.MinInt64/nsPerMS+1)*nsPerMS + nsPerMS - 1
}

// floorMS returns the millisecond of a time in nanoseconds.
func floorMS(ns int64) int64 {
	ms := ns / nsPerMS
	if ns%nsPerMS < 0 {
		ms--
	}
	return ms
}
