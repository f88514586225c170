package report

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

// split is a column of the table that says where time goes: a timed figure, split by the
// profile of its phase.
type split struct {
	title, workload, phase, measure string
	scale                           float64 // a measure divided by it is in the unit that the title names
}

var splits = []split{
	{"W1 all in, ns a point", "w1", "ingest", "all in", 1},
	{"W3 all in, ns a point", "w3", "ingest", "all in", 1},
	{"W1 merge, ns a point", "w1", "merge", "merge", 1},
	{"W1 scan, ns a point", "w1", "scan", "scan", 1},
	{"W1 replay, ns a point", "w1", "replay", "replay", 1},
	{"W1 6 h of a series, us", "w1", "range", "series 6 h", micro},
	{"W1 group, us", "w1", "group", "group", micro},
	{"W2 find, us", "w2", "find", "find", micro},
}

// leastPart is the share below which a part is not shown by itself.
const leastPart = 0.02

// parted writes where the time of this engine goes.
func (r *Report) parted(b *strings.Builder) {
	var columns []map[string]float64
	var titles []string
	total := map[string]float64{}
	for i := range splits {
		s := &splits[i]
		f := figure{workload: s.workload, phase: s.phase, measures: []string{s.measure}, scale: s.scale, timed: true}
		parts := r.parts(s)
		if len(parts) == 0 {
			continue
		}
		median := r.of(&f, ours, false).median
		for part, share := range parts {
			total[part] = max(total[part], share)
			parts[part] = share * median
		}
		columns, titles = append(columns, parts), append(titles, s.title)
	}
	if len(columns) == 0 {
		return
	}
	b.WriteString("\n## Where the time goes\n\nProcessor time of sydradb, split by the package that was at work, from profiles of the runs; " +
		"what a package has done by a library or by the runtime is its own. Parts of less than 2 % of every column are added up.\n\n")
	head(b, 1, slices.Concat([]string{""}, titles)...)
	shown := slices.SortedFunc(maps.Keys(total), func(x, y string) int {
		return cmp.Or(cmp.Compare(total[y], total[x]), cmp.Compare(x, y))
	})
	shown = slices.DeleteFunc(shown, func(part string) bool { return total[part] < leastPart })
	rest := make([]string, len(columns))
	sums := make([]string, len(columns))
	for i, c := range columns {
		sum, others := 0.0, 0.0
		for part, v := range c {
			sum += v
			if !slices.Contains(shown, part) {
				others += v
			}
		}
		rest[i], sums[i] = number(others), number(sum)
	}
	for _, part := range shown {
		cells := []string{part}
		for _, c := range columns {
			cells = append(cells, number(c[part]))
		}
		row(b, cells...)
	}
	row(b, slices.Concat([]string{"others"}, rest)...)
	row(b, slices.Concat([]string{"**all**"}, sums)...)
}

// parts returns the shares of a phase's parts, as averages of the runs.
func (r *Report) parts(s *split) map[string]float64 {
	sum, runs := map[string]float64{}, 0
	for _, result := range r.Results {
		if result.Engine != ours || result.Workload != s.workload || result.Phase != s.phase || len(result.Parts) == 0 {
			continue
		}
		runs++
		for part, share := range result.Parts {
			sum[part] += share
		}
	}
	for part := range sum {
		sum[part] /= float64(runs)
	}
	return sum
}
