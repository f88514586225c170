package cli

import (
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sydradb/sydradb"
	"github.com/sydradb/sydradb/server/internal/literal"
)

// aggregateFlags make query print values for windows of time instead of points.
type aggregateFlags struct {
	agg          *choice
	step, window string
	by           []string
}

func (a *App) addAggregateFlags(c *cobra.Command) *aggregateFlags {
	f := &aggregateFlags{}
	var names []string
	for fn := sydradb.Count; fn <= sydradb.Rate; fn++ {
		names = append(names, fn.String())
	}
	slices.Sort(names)
	f.agg = a.addChoice(c, "agg", "", "print this of the points in each window (default with the flags below: avg)", names...)
	c.Flags().StringVar(&f.step, "step", "", "one window every such span, such as 5m (default: one of all points)")
	c.Flags().StringVar(&f.window, "window", "", "each holds the points of such a span up to its time (default: those from its time to the next)")
	c.Flags().StringSliceVar(&f.by, "by", nil, "put series together by these tags, such as host,dc; __name__ is the name; '' makes one of all")
	return f
}

// aggregation returns what the flags ask for of the points of q; ok is false if they do
// not ask for any.
func (f *aggregateFlags) aggregation(c *cobra.Command, q sydradb.Query, times *timeRange) (a sydradb.Aggregation, ok bool, err error) {
	set := c.Flags().Changed
	if !set("agg") && !set("step") && !set("window") && !set("by") {
		return a, false, nil
	}
	a = sydradb.Aggregation{
		Selector: q.Selector, Start: q.Start, End: q.End,
		Functions: []sydradb.Function{sydradb.Avg}, GroupBy: f.by,
		Parallel: runtime.GOMAXPROCS(0),
	}
	for i, key := range a.GroupBy {
		a.GroupBy[i] = strings.TrimSpace(key)
	}
	if set("by") && a.GroupBy == nil {
		a.GroupBy = []string{}
	}
	if f.agg.value != "" {
		if a.Functions[0], err = sydradb.ParseFunction(f.agg.value); err != nil {
			return a, false, usage("--agg: %w", err)
		}
	}
	for _, span := range []struct {
		flag, text string
		to         *time.Duration
	}{{"step", f.step, &a.Step}, {"window", f.window, &a.Range}} {
		if !set(span.flag) {
			continue
		}
		d, ok := literal.ParseSpan(span.text)
		if !ok || d <= 0 {
			return a, false, usage("--%s %q: want a span such as 30s, 5m or 1d", span.flag, span.text)
		}
		*span.to = d
	}
	if a.Range > 0 && a.Step == 0 {
		return a, false, usage("--window goes with --step, the time from one window to the next")
	}
	if times.last != "" && a.Step > 0 {
		a.Start -= ((a.Start % int64(a.Step)) + int64(a.Step)) % int64(a.Step) // round times, whenever now is
	}
	return a, true, nil
}
