package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/sydradb/sydradb/server/internal/render"
	"github.com/sydradb/sydradb/server/internal/upkeep"
)

const compactExample = `  $ sydradb ingest points.ndjson 2>/dev/null
  $ sydradb flush
  flushed 2 points into 1 segment file
  $ sydradb compact
  merged 1 file (...) into 1 file (...)
  $ sydradb compact
  nothing to merge: 1 file (...)`

func (a *App) compactCommand() *cobra.Command {
	var s settings
	c := &cobra.Command{
		Use:   "compact",
		Short: "Merge files as far as possible",
		Long: `Compact writes what is in memory to files and merges all files as far as possible:
days become packs, points written twice are kept once, deleted ones leave the disk. No
answer changes. The same happens by itself in time; compact does it all now.

It can be interrupted at any time: what has been merged until then stays.`,
		Example: compactExample,
		Args:    takes("no arguments", 0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			opts, err := s.options(a, cmd)
			if err != nil {
				return err
			}
			return a.target().change(opts, func(db store) error {
				done, err := db.Compact(cmd.Context())
				if err != nil {
					return err
				}
				text := fmt.Sprintf("merged %s into %s", files(done.Before), files(done.After))
				if !done.Merged {
					text = "nothing to merge: " + files(done.After)
				}
				if n := done.Deletions; n > 0 {
					text += fmt.Sprintf(", applied %s", render.Count(n, "deletion"))
				}
				return printTo(a.Out, "%s\n", text)
			})
		},
	}
	s.addFlags(c)
	a.takesServer(c)
	return c
}

// files says how many files of points there are, and how large they are.
func files(f upkeep.Files) string {
	return fmt.Sprintf("%s (%s)", render.Count(f.Count, "file"), size(f.Bytes))
}
