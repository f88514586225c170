package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/sydradb/sydradb"
	"github.com/sydradb/sydradb/server/internal/literal"
	"github.com/sydradb/sydradb/server/internal/render"
)

const statsExample = `  $ sydradb ingest points.ndjson 2>/dev/null
  $ sydradb stats | head -3
  series         1
  in memory      2 points, ...
  segment files  0, 0 packs, with 0 points, 0 B
  $ sydradb stats --format json
  {"state":"readonly","series":1,"memtable_points":2,...}
  $ sydradb stats --top tags
  KEY   VALUES  SERIES
  room  1       1`

func (a *App) statsCommand() *cobra.Command {
	var format, top *choice
	c := &cobra.Command{
		Use:   "stats",
		Short: "Show counters and sizes of the database",
		Long: `Stats shows how much the database holds and where.

--top tags shows the tag keys with the most values: where the number of series comes
from. --top names shows the names with the most series.`,
		Example: statsExample,
		Args:    takes("no arguments", 0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.target().read(func(db store) error {
				if top.value != "" {
					return a.printTop(cmd.Context(), db, top.value, format.value == "json")
				}
				stats, err := db.Stats(cmd.Context())
				switch {
				case err != nil:
					return err
				case format.value == "json":
					return json.NewEncoder(a.Out).Encode(stats)
				}
				return a.printStats(stats)
			})
		},
	}
	format = a.addChoice(c, "format", "text", "format of the output", "text", "json")
	top = a.addChoice(c, "top", "", "show what has the most series instead", "tags", "names")
	a.takesServer(c)
	return c
}

func (a *App) printStats(s sydradb.Stats) error {
	w := tabwriter.NewWriter(a.Out, 0, 0, 2, ' ', 0)
	line := func(name, format string, args ...any) { fmt.Fprintf(w, name+"\t"+format+"\n", args...) }
	line("series", "%d", s.Series)
	line("in memory", "%s, %s", render.Count(s.MemtablePoints, "point"), size(s.MemtableBytes))
	line("segment files", "%d, %s, with %s, %s", s.SegmentFiles, render.Count(s.Packs, "pack"), render.Count(s.SegmentPoints, "point"), size(s.SegmentBytes))
	if s.SegmentFiles > 0 {
		line("", "%s to %s", literal.AppendClock(nil, s.SegmentStart), literal.AppendClock(nil, s.SegmentEnd))
		line("", "%.2f bytes a point", float64(s.SegmentBytes)/float64(max(s.SegmentPoints, 1)))
	}
	if s.Deletions > 0 {
		line("deletions", "%d that still hide something in files", s.Deletions)
	}
	line("log", "%s, last record %d, on disk to %d, in files to %d", size(s.WALBytes), s.LastLSN, s.DurableLSN, s.FlushedLSN)
	line("catalog", "%s", size(s.CatalogBytes))
	line("manifest", "%s", size(s.ManifestBytes))
	return w.Flush()
}

// size returns a number of bytes for people.
func size(n int64) string {
	const units = "KMGTPE"
	if n < 1000 {
		return fmt.Sprintf("%d B", n)
	}
	v, unit := float64(n)/1000, 0
	for ; v >= 999.95; unit++ {
		v /= 1000
	}
	return fmt.Sprintf("%.1f %cB", v, units[unit])
}

// maxTop is how many lines stats --top prints.
const maxTop = 20

func (a *App) printTop(ctx context.Context, db store, what string, asJSON bool) error {
	list, header := db.TopNames, "NAME\tSERIES"
	if what == "tags" {
		list, header = db.TopTags, "KEY\tVALUES\tSERIES"
	}
	entries, err := list(ctx, maxTop)
	if err != nil {
		return err
	}
	if asJSON {
		return json.NewEncoder(a.Out).Encode(entries)
	}
	w := tabwriter.NewWriter(a.Out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, header)
	for _, e := range entries {
		if what == "tags" {
			fmt.Fprintf(w, "%s\t%d\t%d\n", e.Name, e.Values, e.Series)
		} else {
			fmt.Fprintf(w, "%s\t%d\n", e.Name, e.Series)
		}
	}
	return w.Flush()
}
