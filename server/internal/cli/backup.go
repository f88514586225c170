package cli

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sydradb/sydradb"
	"github.com/sydradb/sydradb/server/internal/render"
	"github.com/sydradb/sydradb/server/internal/upkeep"
)

const snapshotExample = `  $ sydradb ingest points.ndjson 2>/dev/null
  $ sydradb snapshot backup
  backup holds 2 points of 1 series in 1 file (...)
  $ sydradb query room.temp --data-dir backup --format csv
  series,tags,ts,value
  room.temp,"{""room"":""hall""}",1694300000,21.5
  room.temp,"{""room"":""hall""}",1694300120,21.75`

func (a *App) snapshotCommand() *cobra.Command {
	var s settings
	c := &cobra.Command{
		Use:   "snapshot DIR",
		Short: "Make a copy of the database",
		Long: `Snapshot makes a copy of the database in DIR, which must be missing or empty. The copy
is a database like any other: it can be read, checked, moved and restored.

Where DIR is on the same file system, both share the files that never change by hard
links, so that it takes hardly any time or room; elsewhere they are copied. Either can
be changed or removed without the other. A copy on the same disk does not outlive the
disk.

An interrupted run leaves nothing but DIR.tmp, which the next one removes.

With --url it takes no DIR: the server makes a snapshot below its data directory, and
its name is printed.`,
		Example: snapshotExample,
		Args: func(c *cobra.Command, args []string) error {
			if url, from := a.serverURL(c); url != "" && len(args) > 0 {
				return usage("snapshot takes no directory with %s: the server makes it below its own", from)
			} else if url != "" {
				return nil
			}
			return takes("the directory to make", 1, 1)(c, args)
		},
		ValidArgsFunction: completeDirectories,
		RunE: func(cmd *cobra.Command, args []string) error {
			opts, err := s.options(a, cmd)
			if err != nil {
				return err
			}
			return a.target().snapshot(cmd.Context(), opts, strings.Join(args, ""))
		},
	}
	s.addFlags(c)
	a.takesServer(c)
	return c
}

func (d directory) snapshot(ctx context.Context, opts sydradb.Options, dir string) error {
	if err := d.app.mustExist(); err != nil {
		return err
	}
	if err := d.app.mayHoldSnapshot(dir); err != nil {
		return err
	}
	return d.app.withExistingDB(opts, func(db *sydradb.DB) error {
		if err := db.Snapshot(ctx, dir); err != nil {
			return err
		}
		return d.app.printContents(dir)
	})
}

// mayHoldSnapshot refuses a directory that is not free, or that belongs to the database.
func (a *App) mayHoldSnapshot(dir string) error {
	if err := mustBeFree("DIR", dir); err != nil {
		return err
	}
	inside, err := below(a.dataDir, dir)
	if err != nil || inside == "" {
		return err
	}
	if parts := strings.Split(filepath.ToSlash(inside), "/"); parts[0] != "snapshots" || len(parts) != 2 {
		return hinted(usage("%s lies within the database", dir), "choose another place, or %s", filepath.Join(a.dataDir, "snapshots", "NAME"))
	}
	return nil
}

// below returns the path of dir, which may be missing, within parent; "" if it lies
// elsewhere, "." if they are the same.
func below(parent, dir string) (string, error) {
	top, err := os.Stat(parent)
	if err != nil {
		return "", err
	}
	at, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	for inside := "."; ; {
		if info, err := os.Stat(at); err == nil && os.SameFile(info, top) {
			return inside, nil
		}
		up := filepath.Dir(at)
		if up == at {
			return "", nil
		}
		inside, at = filepath.Join(filepath.Base(at), inside), up
	}
}

// printContents says what the database in dir holds, which shows that it can be opened.
func (a *App) printContents(dir string) error {
	db, err := sydradb.Open(dir, &sydradb.Options{ReadOnly: true, Logger: a.logger()})
	if err != nil {
		return err
	}
	s := db.Stats()
	err = printTo(a.Out, "%s holds %s of %d series in %s\n", dir, render.Count(s.SegmentPoints+s.MemtablePoints, "point"), s.Series, files(upkeep.Files{Count: s.SegmentFiles, Bytes: s.SegmentBytes}))
	return errors.Join(err, db.Close())
}

const restoreExample = `  $ sydradb ingest points.ndjson 2>/dev/null
  $ sydradb snapshot backup
  backup holds 2 points of 1 series in 1 file (...)
  $ sydradb delete room.temp --all --yes
  deleted points of 1 series
  $ sydradb restore backup --data-dir restored
  restored holds 2 points of 1 series in 1 file (...)`

func (a *App) restoreCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "restore DIR",
		Short: "Make a database from a snapshot",
		Long: `Restore makes a database in --data-dir, which must be missing or empty, of the snapshot
in DIR, or of any database there that no other process has open. DIR is not changed,
and as with snapshot both are independent from then on.

It first reads all of DIR and verifies every checksum. With the least damage nothing is
made.`,
		Example:           restoreExample,
		Args:              takes("the directory of a snapshot", 1, 1),
		ValidArgsFunction: completeDirectories,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := a.mustBeFree(); err != nil {
				return err
			}
			src := args[0]
			if info, err := os.Stat(src); err == nil && !info.IsDir() {
				return usage("DIR %s is not a directory", src)
			}
			inside, err := below(src, a.dataDir)
			if err != nil {
				return err
			}
			if inside != "" {
				return usage("--data-dir %s lies within %s", a.dataDir, src)
			}
			if err := sydradb.Restore(cmd.Context(), src, a.dataDir); err != nil {
				return a.explainRestore(err, src)
			}
			return a.printContents(a.dataDir)
		},
	}
}

// explainRestore adds to an error of a restore what can be done about it.
func (a *App) explainRestore(err error, src string) error {
	switch {
	case errors.Is(err, sydradb.ErrVersion0):
		return hinted(err, "make a new database of it with: sydradb import v0 %s --data-dir %s", src, a.dataDir)
	case errors.Is(err, sydradb.ErrNotDatabase):
		return hinted(err, "DIR is a snapshot, or the directory of a database")
	case errors.Is(err, sydradb.ErrCorrupt):
		return hinted(err, "nothing was restored; see what can be done with: sydradb repair --data-dir %s", src)
	case errors.Is(err, sydradb.ErrLocked):
		return hinted(err, "another process has %s open, or restores into %s", src, a.dataDir)
	case isFull(err):
		return hinted(err, "nothing was restored; free some space and run the command again")
	}
	return a.explain(err)
}

func completeDirectories(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return nil, cobra.ShellCompDirectiveFilterDirs
}

// mustBeFree refuses a directory that holds anything; what names it to the user.
func mustBeFree(what, dir string) error {
	if dir == "" {
		return usage("%s is empty", what)
	}
	info, err := os.Stat(dir)
	if err == nil && !info.IsDir() {
		return usage("%s %s is not a directory", what, dir)
	}
	if files, err := os.ReadDir(dir); err == nil && len(files) > 0 {
		return usage("%s is not empty; %s must name a directory that is missing or empty", dir, what)
	}
	return nil
}
