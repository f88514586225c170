package report

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/sydradb/sydradb/bench/race"
)

// number writes a figure, at least 0, with three significant digits, or as a whole number.
func number(v float64) string {
	if v >= 999.5 {
		return count(int64(math.Round(v)))
	}
	places := 3
	for limit := 0.9995; v >= limit && places > 0; limit *= 10 {
		places--
	}
	return strconv.FormatFloat(v, 'f', places, 64)
}

// count writes a whole number, at least 0, with commas.
func count(n int64) string {
	digits := strconv.FormatInt(n, 10)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// cell writes median, minimum and maximum.
func (s spread) cell() string {
	switch s.runs {
	case 0:
		return "-"
	case 1:
		return number(s.median)
	}
	return fmt.Sprintf("%s (%s to %s)", number(s.median), number(s.least), number(s.most))
}

// row writes a row of a table.
func row(b *strings.Builder, cells ...string) {
	b.WriteString("| " + strings.Join(cells, " | ") + " |\n")
}

// head writes the first two lines of a table; the first left columns are text.
func head(b *strings.Builder, left int, cells ...string) {
	row(b, cells...)
	rule := make([]string, len(cells))
	for i := range rule {
		rule[i] = "---:"
		if i < left {
			rule[i] = "---"
		}
	}
	row(b, rule...)
}

// page returns RESULTS.md.
func (r *Report) page(charts []chart) string {
	var b strings.Builder
	r.preface(&b)
	r.charted(&b, charts)
	b.WriteString("\n## Processor time\n\nOf all threads, by getrusage; making the points is not in it. " +
		"Less is better. A budget is a share of what Prometheus takes in the same race, or a figure.\n\n")
	r.table(&b, func(f *figure) bool { return f.timed })
	b.WriteString("\n## Bytes and memory\n\nData are points, the index is everything by which they are found, " +
		"the log is what is read again after a crash.\n\n")
	r.table(&b, func(f *figure) bool { return !f.timed })
	b.WriteString("\n## Wall time\n\n")
	r.wall(&b)
	b.WriteString("\n## Share of what Prometheus takes\n\nProcessor time, bytes and memory; medians.\n\n")
	r.ratios(&b)
	r.parted(&b)
	r.correctness(&b)
	r.failures(&b)
	return b.String()
}

// preface says what was raced on what.
func (r *Report) preface(b *strings.Builder) {
	b.WriteString("# Results of the race\n\nMade by `make bench-compare`; not edited by hand. " +
		"[README.md](README.md) says how it is run and what is fair about it.\n\n")
	head(b, 2, "machine", "")
	row(b, "processor", fmt.Sprintf("%s, %d cores", r.Machine.CPU, r.Machine.Cores))
	row(b, "memory", fmt.Sprintf("%d GiB", (r.Machine.Memory+1<<29)>>30))
	row(b, "system", r.Machine.Kernel)
	row(b, "Go", r.Machine.Go)
	row(b, "race", fmt.Sprintf("runs: %d; engines in turn, a process for each engine and phase; GOMAXPROCS=%d; batches of %s points",
		r.Settings.Runs, r.Settings.Procs, count(int64(r.Settings.Batch))))
	b.WriteString("\n")
	head(b, 4, "engine", "version", "what an acknowledgement promises", "settings")
	for _, e := range r.Engines {
		settings := e.Settings
		for _, what := range sortedKeys(e.Skips) {
			settings += fmt.Sprintf(". Not raced on %s: %s", what, e.Skips[what])
		}
		if e.Once {
			settings += ". One run only: it is slow"
		}
		row(b, e.Name, "`"+e.Module+"` "+e.Version, e.Durability, settings)
	}
	b.WriteString("\n")
	head(b, 2, "workload", "", "points")
	for _, w := range r.Workloads {
		row(b, w.Name, w.Title, count(w.Points))
	}
}

func sortedKeys(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// charted shows the charts.
func (r *Report) charted(b *strings.Builder, charts []chart) {
	if len(charts) == 0 {
		return
	}
	b.WriteString("\n")
	for _, c := range charts {
		fmt.Fprintf(b, "![%s](%s/%s)\n", c.title, chartDir, c.file)
	}
}

// names returns the engines' names as column heads.
func (r *Report) names() []string {
	out := make([]string, len(r.Engines))
	for i, e := range r.Engines {
		out[i] = e.Name
	}
	return out
}

// known reports whether any engine has the figure.
func (r *Report) known(f *figure) bool {
	return slices.ContainsFunc(r.Engines, func(e Engine) bool { return r.of(f, e.Name, false).runs > 0 })
}

// table writes the figures that pass, with budgets.
func (r *Report) table(b *strings.Builder, pass func(*figure) bool) {
	head(b, 2, slices.Concat([]string{"", "unit"}, r.names(), []string{"ratio", "budget", ""})...)
	for i := range figures {
		f := &figures[i]
		if !pass(f) || !r.known(f) {
			continue
		}
		cells := []string{f.title, f.unit}
		for _, e := range r.Engines {
			cells = append(cells, r.of(f, e.Name, false).cell())
		}
		budget, word := r.verdict(f)
		row(b, append(cells, r.share(f, ours), budget, word)...)
	}
}

// share writes a figure of an engine as a share of the peer's.
func (r *Report) share(f *figure, engine string) string {
	own, other := r.of(f, engine, false), r.of(f, peer, false)
	if own.runs == 0 || other.runs == 0 || other.median == 0 {
		return "-"
	}
	return number(own.median / other.median)
}

// wall writes the wall time of what was timed.
func (r *Report) wall(b *strings.Builder) {
	head(b, 2, slices.Concat([]string{"", "unit"}, r.names())...)
	for i := range figures {
		f := &figures[i]
		if !f.timed || !r.known(f) {
			continue
		}
		cells := []string{f.title, f.unit}
		for _, e := range r.Engines {
			cells = append(cells, r.of(f, e.Name, true).cell())
		}
		row(b, cells...)
	}
}

// ratios writes every figure of every engine as a share of the peer's.
func (r *Report) ratios(b *strings.Builder) {
	head(b, 1, slices.Concat([]string{""}, r.names())...)
	for i := range figures {
		f := &figures[i]
		if r.of(f, peer, false).runs == 0 {
			continue
		}
		cells := []string{f.title}
		for _, e := range r.Engines {
			cells = append(cells, r.share(f, e.Name))
		}
		row(b, cells...)
	}
}

// correctness writes the worst run of each engine in each phase that counts faults.
func (r *Report) correctness(b *strings.Builder) {
	b.WriteString("\n## Correctness\n\nEvery point is read back and compared with what was written, in each run; the worst run counts. " +
		"Lost points include refused ones. A stale point has a value that was written over.\n\n")
	head(b, 3, "workload", "after", "engine", "points", "rewritten", "refused", "lost", "never written", "twice there", "not bit-exact", "stale")
	var done []string
	for _, first := range r.Results {
		key := first.Workload + " " + first.Phase + " " + first.Engine
		if first.Faults == nil || first.Faults.Points == 0 && !first.Faults.Any() || slices.Contains(done, key) {
			continue
		}
		done = append(done, key)
		worst := r.worst(first)
		cells := []string{first.Workload, first.Phase, first.Engine}
		for _, n := range []int64{worst.Points, worst.Rewrites, worst.Rejected, worst.Lost, worst.Extra, worst.Duplicates, worst.Inexact, worst.Stale} {
			cells = append(cells, count(n))
		}
		row(b, cells...)
	}
}

// worst returns the most faults of each sort in the runs of what one result is of.
func (r *Report) worst(of race.Result) race.Faults {
	var w race.Faults
	for _, other := range r.Results {
		f := other.Faults
		if f == nil || other.Engine != of.Engine || other.Workload != of.Workload || other.Phase != of.Phase {
			continue
		}
		w = race.Faults{
			Points: max(w.Points, f.Points), Rewrites: max(w.Rewrites, f.Rewrites),
			Rejected: max(w.Rejected, f.Rejected), Lost: max(w.Lost, f.Lost), Extra: max(w.Extra, f.Extra),
			Duplicates: max(w.Duplicates, f.Duplicates), Inexact: max(w.Inexact, f.Inexact), Stale: max(w.Stale, f.Stale),
		}
	}
	return w
}

// failures lists what ended in an error.
func (r *Report) failures(b *strings.Builder) {
	titled := false
	for _, result := range r.Results {
		if result.Error == "" {
			continue
		}
		if !titled {
			b.WriteString("\n## Failures\n\n")
			titled = true
		}
		fmt.Fprintf(b, "- %s, %s, %s, run %d: %s\n", result.Engine, result.Workload, result.Phase, result.Run,
			strings.Join(strings.Fields(result.Error), " "))
	}
}
