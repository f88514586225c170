package cli

import (
	"bufio"
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sydradb/sydradb"
	"github.com/sydradb/sydradb/server/internal/literal"
	"github.com/sydradb/sydradb/server/internal/render"
)

const deleteExample = `  $ sydradb ingest points.ndjson 2>/dev/null
  $ sydradb delete room.temp --start 1694300060 --end 1694300200
  to be deleted: points from 2023-09-09T22:54:20Z to 2023-09-09T22:56:40Z of 1 series
    room.temp{room="hall"}
  sydradb: nothing was done; --yes does it without asking
  $ sydradb delete room.temp --start 1694300060 --end 1694300200 --yes
  deleted points of 1 series
  $ sydradb query room.temp
  room.temp{room="hall"}
    2023-09-09T22:53:20Z  21.5

  1 point of 1 series`

func (a *App) deleteCommand() *cobra.Command {
	var (
		s     settings
		times timeRange
		all   bool
		yes   bool
	)
	c := &cobra.Command{
		Use:   "delete SELECTOR",
		Short: "Delete points",
		Long: `Delete deletes the points between --start and --end, both inclusive, of the series that
a selector names (see query), or with --all all of their points. It shows which series
that concerns and asks; elsewhere than on a terminal it needs --yes.

The points are in no answer from then on, and are not to be had back. They leave the
disk when files are merged, at once with: sydradb compact. Points that are written
afterwards are kept, whatever their time.`,
		Example: deleteExample,
		Args:    takes("one selector", 1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			sel, err := parseSelector(args[0])
			if err != nil {
				return err
			}
			if given := times.start != "" && times.end != ""; given == all || all && times != (timeRange{}) {
				return usage("delete needs --start and --end, or --all for all times")
			}
			start, end, err := times.bounds(a.Now())
			if err != nil {
				return err
			}
			opts, err := s.options(a, cmd)
			if err != nil {
				return err
			}
			return a.target().change(opts, func(db store) error {
				return a.delete(cmd.Context(), db, sel, start, end, yes)
			})
		},
	}
	c.Flags().StringVar(&times.start, "start", "", "first time, inclusive")
	c.Flags().StringVar(&times.end, "end", "", "last time, inclusive")
	c.Flags().BoolVar(&all, "all", false, "all times")
	c.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	s.addFlags(c)
	a.takesServer(c)
	return c
}

// delete deletes points if the user wants to.
func (a *App) delete(ctx context.Context, db store, sel sydradb.Selector, start, end int64, yes bool) error {
	found, err := db.Find(ctx, sel, start, end)
	if err != nil {
		return err
	}
	if len(found) == 0 {
		return printTo(a.Out, "no series has such points\n")
	}
	if !yes {
		a.showSeries("to be deleted: "+rangeText(start, end), found)
		if yes, err = a.confirm(ctx, "delete them"); err != nil {
			return err
		}
		if !yes {
			return silent(ExitRefused)
		}
	}
	if err := db.Delete(ctx, sel, start, end); err != nil {
		return err
	}
	return printTo(a.Out, "deleted points of %d series\n", len(found))
}

func rangeText(start, end int64) string {
	if start == sydradb.MinTime && end == sydradb.MaxTime {
		return "all points"
	}
	return fmt.Sprintf("points from %s to %s", literal.AppendClock(nil, start), literal.AppendClock(nil, end))
}

// showSeries says what is about to happen to which series.
func (a *App) showSeries(what string, found []render.Stored) {
	const most = 5
	a.say("%s of %d series", what, len(found))
	for _, s := range found[:min(most, len(found))] {
		a.say("  %s", s)
	}
	if n := len(found) - most; n > 0 {
		a.say("  and %d more", n)
	}
}

// confirm asks whether to do something. Where nobody can be asked it is not to be done,
// which is an error of usage.
func (a *App) confirm(ctx context.Context, what string) (bool, error) {
	if !isTerminal(a.In) || !isTerminal(a.Err) {
		return false, usage("nothing was done; --yes does it without asking")
	}
	_, _ = fmt.Fprintf(a.Err, "%s? [y/N] ", what)
	answers := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(a.In).ReadString('\n')
		answers <- line
	}()
	select {
	case answer := <-answers:
		switch strings.ToLower(strings.TrimSpace(answer)) {
		case "y", "yes":
			return true, nil
		}
		a.say("nothing was done")
		return false, nil
	case <-ctx.Done():
		a.say("")
		return false, ctx.Err()
	}
}
