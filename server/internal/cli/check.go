package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sydradb/sydradb"
	"github.com/sydradb/sydradb/server/internal/render"
)

const checkExample = `  $ sydradb ingest points.ndjson 2>/dev/null
  $ sydradb check
  5 files, ...
  1 series, 0 points in 0 segments, 2 points in ... log records
  nothing found`

func (a *App) checkCommand() *cobra.Command {
	var format *choice
	c := &cobra.Command{
		Use:   "check",
		Short: "Read every byte and verify it",
		Long: `Check reads the whole database and verifies every checksum and invariant. It writes
nothing. The exit code is 4 if anything is damaged. What it finds is of one of three
kinds:

  damage    something is not as it was written
  leftover  a file that nothing refers to; the next opening clears it away
  unknown   a file that does not belong to a database; it is never touched`,
		Example: checkExample,
		Args:    takes("no arguments", 0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := a.mustExist(); err != nil {
				return err
			}
			report, err := sydradb.Check(cmd.Context(), a.dataDir)
			if report != nil { // also beside an error: what was found until then
				err = errors.Join(a.printCheck(report, format.value == "json"), err)
			}
			if err == nil && report.Damaged() {
				a.say("hint: see what can be done with: sydradb repair --data-dir %s", a.dataDir)
				return silent(ExitDamaged)
			}
			return a.explain(err)
		},
	}
	format = a.addChoice(c, "format", "text", "format of the output", "text", "json")
	return c
}

func (a *App) printCheck(r *sydradb.CheckReport, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(a.Out).Encode(r)
	}
	text := fmt.Sprintf("%s, %s\n%d series, %s in %s, %s in %s\n",
		render.Count(r.Files, "file"), size(r.Bytes), r.Series,
		render.Count(r.Points, "point"), render.Count(r.Segments, "segment"),
		render.Count(r.LogPoints, "point"), render.Count(r.LogRecords, "log record"))
	if r.Deletes > 0 {
		text += render.Count(r.Deletes, "delete file") + "\n"
	}
	if r.Objects+r.Refs > 0 {
		text += fmt.Sprintf("%s, %s\n", render.Count(r.Objects, "object"), render.Count(r.Refs, "ref"))
	}
	// What matters most comes first; of leftovers a killed flush may leave thousands.
	for _, severity := range []sydradb.Severity{sydradb.FindingDamage, sydradb.FindingUnknown, sydradb.FindingLeftover} {
		text += findingsText(r.Findings, severity)
	}
	if len(r.Findings) == 0 {
		text += "nothing found\n"
	}
	return printTo(a.Out, "%s", text)
}

// maxLeftovers is how many leftovers are shown as text.
const maxLeftovers = 10

// findingsText returns a line for each finding of one severity.
func findingsText(findings []sydradb.Finding, severity sydradb.Severity) string {
	var text strings.Builder
	n := 0
	for _, f := range findings {
		if f.Severity != severity {
			continue
		}
		if n++; n > maxLeftovers && severity == sydradb.FindingLeftover {
			continue
		}
		where := f.File
		if f.Offset >= 0 {
			where += fmt.Sprintf(" at offset %d", f.Offset)
		}
		fmt.Fprintf(&text, "%s: %s: %s\n", f.Severity, where, f.Message)
	}
	if severity == sydradb.FindingLeftover && n > maxLeftovers {
		fmt.Fprintf(&text, "and %s\n", render.Count(n-maxLeftovers, "more leftover"))
	}
	return text.String()
}
