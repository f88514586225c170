package cli

import (
	"context"
	"errors"
	"io"

	"github.com/spf13/cobra"

	"github.com/sydradb/sydradb"
	"github.com/sydradb/sydradb/server/internal/ingest"
	"github.com/sydradb/sydradb/server/internal/render"
)

const exportLong = `Export writes points, of all series or of those that a selector names, in a format
that ingest reads: series after series, each in order of time.

ndjson keeps everything, and series that have no name as well. influx makes each
series a measurement with one field called value; it has no NaN and no infinities,
and no control characters in names, so such points are left out and counted, and the
exit code is 1. csv is series,tags,ts,value.

With --output the file gets its name only when it is complete. A pipe or a device is
written to, and what a symbolic link names is replaced, not the link.`

const exportExample = `  $ sydradb ingest points.ndjson 2>/dev/null
  $ sydradb export --format influx
  room.temp,room=hall value=21.5 1694300000000000000
  room.temp,room=hall value=21.75 1694300120000000000
  $ sydradb export room.temp --output backup.ndjson.zst
  $ sydradb ingest backup.ndjson.zst --data-dir ./copy
  committed 2 points (0 rejected), line 2
  ingested 2 points (0 rejected)`

func (a *App) exportCommand() *cobra.Command {
	var (
		times  timeRange
		format *choice
		output string
	)
	c := &cobra.Command{
		Use:     "export [SELECTOR]",
		Short:   "Write points to a file or standard output",
		Long:    exportLong,
		Example: exportExample,
		Args:    takes("at most one selector", 0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var q sydradb.Query
			var err error
			if len(args) == 1 {
				if q.Selector, err = parseSelector(args[0]); err != nil {
					return err
				}
			}
			if q.Start, q.End, err = times.bounds(a.Now()); err != nil {
				return err
			}
			if format.value == "" {
				format.value = string(ingest.FormatOf(output))
			}
			return a.target().read(func(db store) error {
				err := a.writeOutput(cmd.Context(), output, func(w io.Writer) error {
					return a.export(cmd.Context(), db, q, render.Format(format.value), w)
				})
				var unwritable *render.UnwritableError
				if errors.As(err, &unwritable) {
					return &codedError{ExitRefused, err}
				}
				return err
			})
		},
	}
	times.addFlags(c)
	format = a.addChoice(c, "format", "", "format of the output, by default that of the name of --output, else ndjson", "ndjson", "csv", "influx")
	c.Flags().StringVarP(&output, "output", "o", "", "file to write, compressed if it ends in .gz or .zst (default, and -: standard output)")
	a.takesServer(c)
	return c
}

// export prints the points of q to w.
func (a *App) export(ctx context.Context, db store, q sydradb.Query, format render.Format, to io.Writer) error {
	w, err := render.New(format, to)
	if err != nil {
		return err
	}
	_, err = a.print(ctx, pointsFrom(db, q), 0, w)
	return err
}
