package cli

import (
	"context"
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
			return a.withReader(func(db *sydradb.DB) error {
				found, err := a.query(cmd.Context(), db, q, format.value, limit)
				if err == nil && !found && len(args) == 1 {
					a.hintAtID(args[0])
				}
				return err
			})
		},
	}
	times.addFlags(c)
	format = a.addChoice(c, "format", "", "format of the output", "table", "csv", "ndjson", "json", "chart")
	c.Flags().Int64Var(&limit, "limit", 0, "print at most so many points (0: all)")
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

// query prints the result of q and reports whether there was any.
func (a *App) query(ctx context.Context, db *sydradb.DB, q sydradb.Query, format string, limit int64) (found bool, err error) {
	if format == "chart" {
		return a.chart(ctx, db, q, limit)
	}
	w, err := render.New(render.Format(format), a.Out)
	if err != nil {
		return false, usage("--format: %w", err)
	}
	return a.printPoints(ctx, db, q, limit, w)
}

// printPoints prints the result of q to w, up to limit points unless it is 0, and
// reports whether there were any.
func (a *App) printPoints(ctx context.Context, db *sydradb.DB, q sydradb.Query, limit int64, w render.Writer) (found bool, err error) {
	cut, err := eachBlock(ctx, db, q, limit, func(b sydradb.Block) error {
		found = true
		return w.Write(render.Block{Series: b.Series, Times: b.Times, Values: b.Values})
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

// eachBlock calls do for the blocks of q, up to limit points unless it is 0, and
// reports whether there were more.
func eachBlock(ctx context.Context, db *sydradb.DB, q sydradb.Query, limit int64, do func(sydradb.Block) error) (cut bool, err error) {
	it, err := db.Query(ctx, q)
	if err != nil {
		return false, err
	}
	defer it.Close()
	if limit == 0 {
		limit = math.MaxInt64
	}
	for it.Next() {
		b := it.Block()
		if limit == 0 {
			return true, nil
		}
		if n := int64(len(b.Times)); n > limit {
			b.Times, b.Values = b.Times[:limit], b.Values[:limit]
			return true, do(b)
		}
		limit -= int64(len(b.Times))
		if err := do(b); err != nil {
			return false, err
		}
	}
	return false, it.Err()
}

// chart draws the result of q between its first and its last point. It reads the
// points twice: once to know the edges, once to draw.
func (a *App) chart(ctx context.Context, db *sydradb.DB, q sydradb.Query, limit int64) (found bool, err error) {
	start, end := int64(math.MaxInt64), int64(math.MinInt64)
	_, err = eachBlock(ctx, db, q, limit, func(b sydradb.Block) error {
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
	return a.printPoints(ctx, db, q, limit, w)
}
