package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sydradb/sydradb"
)

const repairExample = `  $ sydradb ingest points.ndjson 2>/dev/null
  $ sydradb flush
  flushed 2 points into 1 segment file
  $ echo x | tee -a data/segments/*/*.seg > /dev/null
  $ sydradb repair
  rewrite: MANIFEST: ...
  set-aside: segments/1694296800/...; its 2 points are lost
  sydradb: nothing was done; --yes does it without asking
  $ sydradb repair --yes
  ...
  repaired; what was set aside or written anew is in data/quarantine as it was
  $ sydradb check
  5 files, ...
  nothing found`

func (a *App) repairCommand() *cobra.Command {
	var (
		format *choice
		yes    bool
	)
	c := &cobra.Command{
		Use:   "repair",
		Short: "Make a damaged database whole",
		Long: `Repair reads the whole database, as check does, and says how it would end with one that
check passes, and what is lost by it. Then it asks, and does it; elsewhere than on a
terminal it needs --yes. What is sound stays, unless nothing tells any more what it is,
as with files that only a damaged part of MANIFEST names. Nothing is deleted: what is not
kept, and what is written anew, goes to the directory quarantine as it was.

It can be interrupted at any time and run again. If nothing was done about damage, the
exit code is 4.

  set-aside  a file moves to quarantine
  rewrite    what is sound of a file takes its place
  create     something that is missing is made
  forget     the database goes on without something that is missing`,
		Example: repairExample,
		Args:    takes("no arguments", 0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := a.mustExist(); err != nil {
				return err
			}
			return a.explain(a.repair(cmd.Context(), format.value == "json", yes))
		},
	}
	format = a.addChoice(c, "format", "text", "format of the list", "text", "json")
	c.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	return c
}

func (a *App) repair(ctx context.Context, asJSON, yes bool) error {
	plan, err := sydradb.PlanRepair(ctx, a.dataDir)
	if err != nil {
		return err
	}
	steps := plan.Steps()
	if err := a.printSteps(steps, asJSON); err != nil || len(steps) == 0 {
		return errors.Join(err, plan.Close())
	}
	if !yes {
		yes, err = a.confirm(ctx, "do this")
	}
	var coded *codedError
	switch {
	case errors.As(err, &coded): // nobody could be asked
		err = &codedError{ExitDamaged, err}
	case err == nil && !yes:
		err = silent(ExitDamaged)
	case err == nil:
		err = plan.Apply(ctx)
	}
	if err := errors.Join(err, plan.Close()); err != nil {
		return err
	}
	report, err := sydradb.Check(ctx, a.dataDir)
	if err != nil {
		return err
	}
	if report.Damaged() {
		a.say("%s", strings.TrimSuffix(findingsText(report.Findings, sydradb.FindingDamage), "\n"))
		return &codedError{ExitDamaged, errors.New("the repair did not help with all of the damage")}
	}
	a.say("repaired; what was set aside or written anew is in %s as it was", filepath.Join(a.dataDir, "quarantine"))
	return nil
}

func (a *App) printSteps(steps []sydradb.RepairStep, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(a.Out).Encode(steps)
	}
	var text strings.Builder
	for _, s := range steps {
		fmt.Fprintf(&text, "%s: %s: %s\n", s.Action, s.File, s.Message)
	}
	if len(steps) == 0 {
		text.WriteString("nothing to repair\n")
	}
	return printTo(a.Out, "%s", text.String())
}
