package cli

import (
	"github.com/spf13/cobra"

	"github.com/sydradb/sydradb/server/internal/render"
)

const flushExample = `  $ sydradb ingest points.ndjson 2>/dev/null
  $ sydradb flush
  flushed 2 points into 1 segment file
  $ ls data/segments
  1694296800`

func (a *App) flushCommand() *cobra.Command {
	var s settings
	c := &cobra.Command{
		Use:   "flush",
		Short: "Write points held in memory to segment files",
		Long: `Flush writes the points that are in the log, but not yet in a segment file, to
segment files. It is never needed for durability or for reading.`,
		Example: flushExample,
		Args:    takes("no arguments", 0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			opts, err := s.options(a, cmd)
			if err != nil {
				return err
			}
			return a.target().change(opts, func(db store) error {
				done, err := db.Flush(cmd.Context())
				if err != nil {
					return err
				}
				return printTo(a.Out, "flushed %s into %s\n", render.Count(done.Points, "point"), render.Count(done.Files, "segment file"))
			})
		},
	}
	s.addFlags(c)
	a.takesServer(c)
	return c
}
