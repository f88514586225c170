package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/sydradb/sydradb"
	"github.com/sydradb/sydradb/server/internal/literal"
)

const statsExample = `  $ sydradb ingest points.ndjson 2>/dev/null
  $ sydradb stats | head -3
  state          ok
  series         1
  in memory      2 points, ...
  $ sydradb stats --format json
  {"state":"ok","series":1,"memtable_points":2,...}
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
			return a.withExistingDB(func(db *sydradb.DB) error {
				switch {
				case top.value != "":
					return a.printTop(cmd.Context(), db, top.value, format.value == "json")
				case format.value == "json":
					return json.NewEncoder(a.Out).Encode(db.Stats())
				}
				return a.printStats(db.Stats())
			})
		},
	}
	format = a.addChoice(c, "format", "text", "format of the output", "text", "json")
	top = a.addChoice(c, "top", "", "show what has the most series instead", "tags", "names")
	return c
}

func (a *App) printStats(s sydradb.Stats) error {
	w := tabwriter.NewWriter(a.Out, 0, 0, 2, ' ', 0)
	line := func(name, format string, args ...any) { fmt.Fprintf(w, name+"\t"+format+"\n", args...) }
	line("state", "%s", s.State)
	line("series", "%d", s.Series)
	line("in memory", "%d points, %s", s.MemtablePoints, size(s.MemtableBytes))
	line("segment files", "%d with %d points, %s", s.SegmentFiles, s.SegmentPoints, size(s.SegmentBytes))
	if s.SegmentFiles > 0 {
		line("", "%s to %s", literal.AppendClock(nil, s.SegmentStart), literal.AppendClock(nil, s.SegmentEnd))
		line("", "%.2f bytes a point", float64(s.SegmentBytes)/float64(max(s.SegmentPoints, 1)))
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

// topEntry is one line of stats --top.
type topEntry struct {
	Name   string `json:"name"`
	Values int    `json:"values,omitempty"` // different values of a tag key
	Series int    `json:"series"`
}

const maxTop = 20

func (a *App) printTop(ctx context.Context, db *sydradb.DB, what string, asJSON bool) error {
	all, err := db.Find(ctx, sydradb.Selector{}, sydradb.MinTime, sydradb.MaxTime)
	if err != nil {
		return err
	}
	entries, header := topNames(all), "NAME\tSERIES"
	if what == "tags" {
		entries, header = topTags(all), "KEY\tVALUES\tSERIES"
	}
	entries = entries[:min(len(entries), maxTop)]
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

func topTags(all []*sydradb.Series) []topEntry {
	values := make(map[string]map[string]bool)
	series := make(map[string]int)
	for _, s := range all {
		for _, t := range s.Tags() {
			if values[t.Key] == nil {
				values[t.Key] = make(map[string]bool)
			}
			values[t.Key][t.Value] = true
			series[t.Key]++
		}
	}
	entries := []topEntry{} // not nil: JSON shows it as []
	for key := range values {
		entries = append(entries, topEntry{key, len(values[key]), series[key]})
	}
	sortTop(entries)
	return entries
}

func topNames(all []*sydradb.Series) []topEntry {
	series := make(map[string]int)
	for _, s := range all {
		series[s.Name()]++
	}
	entries := []topEntry{}
	for name, n := range series {
		entries = append(entries, topEntry{Name: name, Series: n})
	}
	sortTop(entries)
	return entries
}

func sortTop(entries []topEntry) {
	slices.SortFunc(entries, func(a, b topEntry) int {
		return cmp.Or(cmp.Compare(b.Values, a.Values), cmp.Compare(b.Series, a.Series), cmp.Compare(a.Name, b.Name))
	})
}
