package cli

import (
	"context"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sydradb/sydradb"
	"github.com/sydradb/sydradb/server/internal/render"
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
		d, ok := parseSpan(span.text)
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

// windows is what an aggregation made of series or a group: points that are printed under
// a name which tells them from those of the series.
type windows struct {
	name string
	tags []sydradb.Tag
}

func windowsOf(r *sydradb.Result, f sydradb.Function) *windows {
	w := &windows{tags: slices.Clone(r.Tags)}
	if r.Series != nil {
		w.name, w.tags = r.Series.Name(), r.Series.Tags()
	}
	if i := slices.IndexFunc(w.tags, func(t sydradb.Tag) bool { return t.Key == "__name__" }); i >= 0 {
		w.name = w.tags[i].Value
		w.tags = slices.Delete(w.tags, i, i+1)
	}
	if w.name != "" {
		w.name += ":"
	}
	w.name += f.String()
	return w
}

func (w *windows) Name() string        { return w.name }
func (w *windows) Tags() []sydradb.Tag { return w.tags }
func (w *windows) String() string      { return sydradb.FormatSelector(w.name, w.tags) }

// windowsFrom yields what agg makes of the points of db.
func windowsFrom(db *sydradb.DB, agg sydradb.Aggregation) source {
	return func(ctx context.Context, do func(render.Block) error) error {
		it, err := db.Aggregate(ctx, agg)
		if err != nil {
			return err
		}
		defer it.Close()
		for it.Next() {
			r := it.Result()
			if err := do(render.Block{Series: windowsOf(&r, agg.Functions[0]), Times: r.Times, Values: r.Values[0]}); err != nil {
				return err
			}
		}
		return it.Err()
	}
}
