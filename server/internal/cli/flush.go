package cli

import (
	"github.com/spf13/cobra"

	"github.com/sydradb/sydradb"
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
			return a.withExistingDB(opts, func(db *sydradb.DB) error {
				before := db.Stats()
				if err := db.Flush(cmd.Context()); err != nil {
					return err
				}
				after := db.Stats()
				return printTo(a.Out, "flushed %s into %s\n",
					render.Count(after.SegmentPoints-before.SegmentPoints, "point"),
					render.Count(after.SegmentFiles-before.SegmentFiles, "segment file"))
			})
		},
	}
	s.addFlags(c)
	return c
}
