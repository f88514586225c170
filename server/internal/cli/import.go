package cli

import (
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/sydradb/sydradb"
	"github.com/sydradb/sydradb/server/internal/literal"
	"github.com/sydradb/sydradb/server/internal/render"
)

const importV0Example = `  $ ls old
  MANIFEST
  segments
  tags.json
  wal
  $ sydradb import v0 old --data-dir new
  imported 3 points of 1 series from 1 segment and 1 log record
  $ sydradb query 1 0 100 --data-dir new
  10,1.5
  20,2.5
  30,3.5
  $ sydradb find room=hall --data-dir new
  {"series_id":1,"series":"series:1","tags":{"room":"hall"}}`

func (a *App) importCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "import",
		Short:   "Make a database from data of another kind",
		Example: importV0Example,
	}
	needsSubcommand(c)
	c.AddCommand(a.importV0Command())
	return c
}

func (a *App) importV0Command() *cobra.Command {
	var unit *choice
	c := &cobra.Command{
		Use:   "v0 DIR",
		Short: "Make a database from a directory of version 0",
		Long: `Import v0 reads a directory that version 0 wrote (MANIFEST, segment files, log and
tags.json) and makes a new database of it in --data-dir, which must be missing or
empty. DIR is not changed. The series have ids and tags but no names; each takes the
name of the first series that hashes to its id.`,
		Example:           importV0Example,
		Args:              takes("the directory of a database of version 0", 1, 1),
		ValidArgsFunction: completeDirectories,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := a.mustBeFree(); err != nil {
				return err
			}
			u, err := literal.ParseUnit(unit.value)
			if err != nil {
				return usage("--time-unit: %w", err)
			}
			opts := sydradb.ImportOptions{Unit: time.Duration(u)}
			s, err := sydradb.ImportV0(cmd.Context(), args[0], a.dataDir, opts)
			if err != nil {
				return a.explainImport(err, args[0])
			}
			for _, note := range s.Notes {
				a.say("note: %s", note)
			}
			return printTo(a.Out, "imported %s of %d series from %s and %s\n",
				render.Count(s.Points, "point"), s.Series, render.Count(s.Segments, "segment"), render.Count(s.LogRecords, "log record"))
		},
	}
	unit = a.addChoice(c, "time-unit", "s", "unit of the times in DIR", "s", "ms", "us", "ns")
	return c
}

// explainImport adds to an error of an import what can be done about it.
func (a *App) explainImport(err error, src string) error {
	switch {
	case errors.Is(err, sydradb.ErrNotDatabase) && isDatabase(src):
		return hinted(err, "it needs no import; use it with: --data-dir %s", src)
	case errors.Is(err, sydradb.ErrNotDatabase):
		return hinted(err, "DIR is a directory that version 0 wrote, with MANIFEST, segments and wal")
	case errors.Is(err, sydradb.ErrCorrupt):
		return hinted(err, "nothing was imported; the file is one of %s, which was not changed", src)
	case errors.Is(err, sydradb.ErrLocked):
		return hinted(err, "another import into %s is at work", a.dataDir)
	case isFull(err):
		return hinted(err, "nothing was imported; free some space and run the command again")
	}
	return err
}
