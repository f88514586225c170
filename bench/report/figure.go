package report

import (
	"slices"
	"strings"
)

// figure is a row of the report: a figure of each engine and what it may be.
type figure struct {
	title    string
	workload string
	phase    string
	measures []string // added up
	unit     string
	scale    float64 // a measure divided by it is in the unit
	timed    bool    // processor time, with wall time beside it
	ratio    float64 // budget: at most this share of what Prometheus takes; 0 for none
	most     float64 // budget: at most so much, in the unit; 0 for none
}

// The units.
const (
	micro = 1e3
	milli = 1e6
	sec   = 1e9
	mega  = 1e6
)

// figures are the rows of the report. Each of them is better when it is less.
var figures = []figure{
	{title: "W1: ingest until acknowledged, prepared handles", workload: "w1", phase: "ingest", measures: []string{"ingest"}, unit: "ns a point", scale: 1, timed: true, ratio: 1 / 2.5},
	{title: "W1: ingest all in, flush and close included", workload: "w1", phase: "ingest", measures: []string{"all in"}, unit: "ns a point", scale: 1, timed: true, ratio: 0.45},
	{title: "W2: first point of a new series with ten tags", workload: "w2", phase: "ingest", measures: []string{"first point"}, unit: "us a series", scale: micro, timed: true, ratio: 0.4},
	{title: "W2: all other points, flush and close included", workload: "w2", phase: "ingest", measures: []string{"all in"}, unit: "ns a point", scale: 1, timed: true},
	{title: "W3: late points and rewrites, until acknowledged", workload: "w3", phase: "ingest", measures: []string{"ingest"}, unit: "ns a point", scale: 1, timed: true, ratio: 0.25},
	{title: "W3: all in, flush and close included", workload: "w3", phase: "ingest", measures: []string{"all in"}, unit: "ns a point", scale: 1, timed: true},
	{title: "W1: replay after kill -9, all points in the log", workload: "w1", phase: "replay", measures: []string{"replay"}, unit: "ns a point", scale: 1, timed: true, ratio: 1 / 2.4},
	{title: "W2: reopen after a clean close, until one series is found", workload: "w2", phase: "reopen", measures: []string{"reopen"}, unit: "s", scale: sec, timed: true, ratio: 0.05},
	{title: "W1: merge", workload: "w1", phase: "merge", measures: []string{"merge"}, unit: "ns a point", scale: 1, timed: true},
	{title: "W1: scan of all points, merged", workload: "w1", phase: "scan", measures: []string{"scan"}, unit: "ns a point", scale: 1, timed: true, ratio: 1 / 8.0},
	{title: "node_exporter: scan of all points, merged", workload: "node", phase: "scan", measures: []string{"scan"}, unit: "ns a point", scale: 1, timed: true},
	{title: "W1: one series, 1 h, merged, warm", workload: "w1", phase: "range", measures: []string{"series 1 h"}, unit: "us", scale: micro, timed: true},
	{title: "W1: one series, 6 h, merged, warm", workload: "w1", phase: "range", measures: []string{"series 6 h"}, unit: "us", scale: micro, timed: true, ratio: 1 / 6.0},
	{title: "W1: hourly averages over 6 h of 100 series by tag", workload: "w1", phase: "group", measures: []string{"group"}, unit: "us", scale: micro, timed: true, ratio: 1 / 30.0},
	{title: "W2: one of 500,000 series by two tags", workload: "w2", phase: "find", measures: []string{"find"}, unit: "us", scale: micro, timed: true},
	{title: "year: a year of one series to 1,000 averages", workload: "year", phase: "buckets", measures: []string{"buckets"}, unit: "us", scale: micro, timed: true},

	{title: "W1 merged: data and index", workload: "w1", phase: "merge", measures: []string{"merged data", "merged index"}, unit: "bytes a point", scale: 1, ratio: 0.51},
	{title: "W1 merged: data", workload: "w1", phase: "merge", measures: []string{"merged data"}, unit: "bytes a point", scale: 1},
	{title: "W1 merged: index", workload: "w1", phase: "merge", measures: []string{"merged index"}, unit: "bytes a point", scale: 1},
	{title: "W1 merged: log that is left", workload: "w1", phase: "merge", measures: []string{"merged log"}, unit: "bytes a point", scale: 1},
	{title: "W1 closed, not merged: data, index and log", workload: "w1", phase: "ingest", measures: []string{"closed data", "closed index", "closed log"}, unit: "bytes a point", scale: 1},
	{title: "W1: the log, all points in it", workload: "w1", phase: "wal", measures: []string{"log"}, unit: "bytes a point", scale: 1, most: 8},
	{title: "W2 merged: data and index", workload: "w2", phase: "merge", measures: []string{"merged data", "merged index"}, unit: "bytes a point", scale: 1, most: 6},
	{title: "W3 merged: data and index", workload: "w3", phase: "merge", measures: []string{"merged data", "merged index"}, unit: "bytes a point", scale: 1},
	{title: "node_exporter merged: data and index", workload: "node", phase: "merge", measures: []string{"merged data", "merged index"}, unit: "bytes a point", scale: 1},
	{title: "devops merged: data and index", workload: "devops", phase: "merge", measures: []string{"merged data", "merged index"}, unit: "bytes a point", scale: 1},
	{title: "year merged: data and index", workload: "year", phase: "merge", measures: []string{"merged data", "merged index"}, unit: "bytes a point", scale: 1},

	{title: "W2: heap of an active series, after a flush, without handles", workload: "w2", phase: "memory", measures: []string{"heap"}, unit: "bytes", scale: 1, ratio: 0.35},
	{title: "W2: the same while the program holds a handle of each", workload: "w2", phase: "memory", measures: []string{"heap with handles"}, unit: "bytes", scale: 1},
	{title: "W2: resident memory of the process, a series", workload: "w2", phase: "memory", measures: []string{"resident"}, unit: "bytes", scale: 1, most: 450},
	{title: "W2: peak of the process over that", workload: "w2", phase: "memory", measures: []string{"peak over resident"}, unit: "MB", scale: mega, most: 300},
	{title: "W1: peak of the process, ingest", workload: "w1", phase: "ingest", measures: []string{"peak memory"}, unit: "MB", scale: mega},
	{title: "W1: peak of the process, merge", workload: "w1", phase: "merge", measures: []string{"merge peak memory"}, unit: "MB", scale: mega},
}

// spread is what the runs of one engine said of one figure.
type spread struct {
	median, least, most float64
	runs                int // 0: nothing is known
}

// spreadOf makes it of the figures of all runs.
func spreadOf(values []float64) spread {
	if len(values) == 0 {
		return spread{}
	}
	slices.Sort(values)
	n := len(values)
	median := values[n/2]
	if n%2 == 0 {
		median = (values[n/2-1] + values[n/2]) / 2
	}
	return spread{median: median, least: values[0], most: values[n-1], runs: n}
}

// of returns what the runs of an engine said of a figure; wall selects wall time.
func (r *Report) of(f *figure, engine string, wall bool) spread {
	var values []float64
	for _, result := range r.Results {
		if result.Engine != engine || result.Workload != f.workload || result.Phase != f.phase || result.Error != "" {
			continue
		}
		sum, found := 0.0, 0
		for _, m := range result.Measures {
			if !slices.Contains(f.measures, m.Name) {
				continue
			}
			found++
			switch {
			case f.timed && wall:
				sum += m.Wall
			case f.timed:
				sum += m.CPU
			default:
				sum += m.Value
			}
		}
		if found == len(f.measures) {
			values = append(values, sum/f.scale)
		}
	}
	return spreadOf(values)
}

// The engine whose race this is, and the one whose figures its budgets are shares of.
const (
	ours = "sydradb"
	peer = "prometheus"
)

// verdict says whether a budget was kept, and what it is.
func (r *Report) verdict(f *figure) (budget, word string) {
	own, other := r.of(f, ours, false), r.of(f, peer, false)
	value, limit := own.median, f.most
	switch {
	case f.ratio > 0:
		budget = "x " + number(f.ratio)
		if other.runs == 0 {
			return budget, ""
		}
		limit = f.ratio * other.median
	case f.most > 0:
		budget = number(f.most)
	default:
		return "", ""
	}
	switch {
	case own.runs == 0:
		return budget, ""
	case value <= limit:
		return budget, "met"
	}
	return budget, strings.ToUpper("missed")
}
