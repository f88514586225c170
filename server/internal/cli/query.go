package cli

import (
	"context"
	"errors"
	"math"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/sydradb/sydradb"
	"github.com/sydradb/sydradb/server/internal/render"
)

const queryLong = `Query prints the points of the series that a selector names, or, with three bare
arguments, those of one series by its id: rows ts,value between START and END, both
inclusive, times in Unix seconds.

A selector is a name, conditions on tags in braces, or both. Conditions are = != and,
with regular expressions for the whole value, =~ !~.

  room.temp    room.temp{floor="2"}    {room=~"kitchen|hall",window!="open"}

With --agg, --step, --window or --by it prints one value for each window of time
instead: 5m averages by --step 5m, say, or the hourly peak of each host by
--agg max --step 1h --by host. Windows without points are left out. Names get the
function, as in room.temp:avg. docs/aggregation.md has the exact definitions.

The output of --format ndjson, given to ingest, makes the same points, bit by bit.`

const queryExample = `  $ sydradb ingest points.ndjson 2>/dev/null
  $ sydradb query 'room.temp{room="hall"}'
  room.temp{room="hall"}
    2023-09-09T22:53:20Z  21.5
    2023-09-09T22:55:20Z  21.75

  2 points of 1 series
  $ sydradb query room.temp --start 1694300060 --format ndjson
  {"series":"room.temp","ts":1694300120,"value":21.75,"tags":{"room":"hall"}}
  $ sydradb find room.temp
  {"series_id":18117565319915605411,"series":"room.temp","tags":{"room":"hall"}}
  $ sydradb query 18117565319915605411 1694300000 1694300060
  1694300000,21.5`

func (a *App) queryCommand() *cobra.Command {
	var (
		times  timeRange
		format *choice
		limit  int64
		agg    *aggregateFlags
	)
	c := &cobra.Command{
		Use:     "query SELECTOR | query SERIES_ID START END",
		Short:   "Print points",
		Long:    queryLong,
		Example: queryExample,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) != 1 && len(args) != 3 {
				return wantArgs(c, "a selector, or SERIES_ID START END")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			q, err := a.parseQuery(args, &times)
			if err != nil {
				return err
			}
			if limit < 0 {
				return usage("--limit %d is negative", limit)
			}
			if format.value == "" {
				format.value = string(render.Table)
				if len(args) == 3 {
					format.value = string(render.Rows)
				}
			}
			windows, aggregates, err := agg.aggregation(cmd, q, &times)
			if err != nil {
				return err
			}
			return a.target().read(func(db store) error {
				from := pointsFrom(db, q)
				if aggregates {
					from = func(ctx context.Context, do func(render.Block) error) error { return db.Windows(ctx, windows, do) }
				}
				found, err := a.show(cmd.Context(), from, format.value, limit)
				if err == nil && !found && len(args) == 1 {
					a.hintAtID(args[0])
				}
				return err
			})
		},
	}
	times.addFlags(c)
	agg = a.addAggregateFlags(c)
	format = a.addChoice(c, "format", "", "format of the output", "table", "csv", "ndjson", "json", "chart")
	c.Flags().Int64Var(&limit, "limit", 0, "print at most so many points (0: all)")
	a.takesServer(c)
	return c
}

func (a *App) parseQuery(args []string, times *timeRange) (sydradb.Query, error) {
	start, end, err := times.bounds(a.Now())
	if err != nil {
		return sydradb.Query{}, err
	}
	if len(args) == 1 {
		sel, err := parseSelector(args[0])
		return sydradb.Query{Selector: sel, Start: start, End: end}, err
	}
	if *times != (timeRange{}) {
		return sydradb.Query{}, usage("--start, --end and --last go with a selector, not with SERIES_ID START END")
	}
	id, err := parseSeriesID(args[0])
	if err != nil {
		return sydradb.Query{}, err
	}
	if start, err = parseWhen(args[1], a.Now()); err != nil {
		return sydradb.Query{}, usage("START %w", err)
	}
	if end, err = parseWhen(args[2], a.Now()); err != nil {
		return sydradb.Query{}, usage("END %w", err)
	}
	sel := sydradb.Selector{IDs: []sydradb.SeriesID{id}}
	return sydradb.Query{Selector: sel, Start: start, End: end}, checkOrder(start, end)
}

// source yields blocks of points to do, until do fails, whose error it returns.
type source func(ctx context.Context, do func(render.Block) error) error

// pointsFrom yields the points of db that q names.
func pointsFrom(db store, q sydradb.Query) source {
	return func(ctx context.Context, do func(render.Block) error) error { return db.Points(ctx, q, do) }
}

// show prints what from yields and reports whether there was anything.
func (a *App) show(ctx context.Context, from source, format string, limit int64) (found bool, err error) {
	if format == "chart" {
		return a.chart(ctx, from, limit)
	}
	w, err := render.New(render.Format(format), a.Out)
	if err != nil {
		return false, usage("--format: %w", err)
	}
	return a.print(ctx, from, limit, w)
}

// print prints what from yields to w, up to limit points unless it is 0, and reports
// whether there was anything.
func (a *App) print(ctx context.Context, from source, limit int64, w render.Writer) (found bool, err error) {
	cut, err := limited(ctx, from, limit, func(b render.Block) error {
		found = true
		return w.Write(b)
	})
	if err != nil {
		return found, err
	}
	if err := w.Close(); err != nil {
		return found, err
	}
	if cut {
		a.say("stopped at --limit %d; there are more points", limit)
	}
	return found, nil
}

// hintAtID follows a result with nothing in it: an argument that is but a number may be
// meant as an id.
func (a *App) hintAtID(arg string) {
	if id, err := strconv.ParseUint(arg, 10, 64); err == nil {
		a.say("hint: %s is a name here; the series with this id is series:%x, or: sydradb query %s START END", arg, id, arg)
	}
}

var errEnough = errors.New("enough points")

// limited calls do for the blocks of from, up to limit points unless it is 0, and
// reports whether there were more.
func limited(ctx context.Context, from source, limit int64, do func(render.Block) error) (cut bool, err error) {
	if limit == 0 {
		limit = math.MaxInt64
	}
	err = from(ctx, func(b render.Block) error {
		if limit == 0 {
			return errEnough
		}
		n := min(limit, int64(len(b.Times)))
		cut := n < int64(len(b.Times))
		limit -= n
		b.Times, b.Values = b.Times[:n], b.Values[:n]
		if err := do(b); err != nil || !cut {
			return err
		}
		return errEnough
	})
	if errors.Is(err, errEnough) {
		return true, nil
	}
	return false, err
}

// chart draws what from yields between its first and its last point. It reads the
// points twice: once to know the edges, once to draw.
func (a *App) chart(ctx context.Context, from source, limit int64) (found bool, err error) {
	start, end := int64(math.MaxInt64), int64(math.MinInt64)
	_, err = limited(ctx, from, limit, func(b render.Block) error {
		start, end = min(start, b.Times[0]), max(end, b.Times[len(b.Times)-1])
		return nil
	})
	if err != nil {
		return false, err
	}
	if start > end {
		a.say("no points to draw")
		return false, nil
	}
	w := render.NewChart(a.Out, render.ChartOptions{
		Start: start, End: end, Width: min(a.width(a.Out), 160), Color: a.color(a.Out),
	})
	return a.print(ctx, from, limit, w)
}
