package cli

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/sydradb/sydradb"
	"github.com/sydradb/sydradb/server/internal/ingest"
	"github.com/sydradb/sydradb/server/internal/upkeep"
)

// target is where the database of a command is: in a directory, or behind a server that
// runs. What either refuses or answers is explained for the user.
type target interface {
	// read calls do with a store for reading, a directory's as of one moment.
	read(do func(store) error) error
	// change calls do with a store for changing it, which must exist. opts are for a
	// directory, of which a command checks beforehand that none is given with a server.
	change(opts sydradb.Options, do func(store) error) error
	// ingest calls do with a database that takes points, a directory's made if need be.
	// waiting is told why and for how long a server is waited for.
	ingest(ctx context.Context, opts sydradb.Options, waiting func(error, time.Duration), do func(ingest.Database) error) error
	// retain lets points expire by the rules of opts, or of the server.
	retain(ctx context.Context, opts sydradb.Options, force bool) (upkeep.Retained, error)
	// snapshot makes a snapshot in dir, or "" for a place that the server chooses, and
	// prints what became of it.
	snapshot(ctx context.Context, opts sydradb.Options, dir string) error
}

// targetFlags choose the target of a command.
type targetFlags struct{ url, tokenFile string }

// takesServer lets a command work on a running server, too. The flags called local make
// sense for a directory only.
func (a *App) takesServer(c *cobra.Command, local ...string) {
	f := &targetFlags{}
	c.Flags().StringVar(&f.url, "url", "", "work on the database of the server at this `URL`, also SYDRADB_URL, not on a directory")
	c.Flags().StringVar(&f.tokenFile, "token-file", "", "`file` with the token for the server, which may be in SYDRADB_TOKEN instead")
	a.must(c.RegisterFlagCompletionFunc("token-file", cobra.FixedCompletions(nil, cobra.ShellCompDirectiveDefault)))
	for _, v := range settingVariables {
		if c.Flags().Lookup(v.flag) != nil {
			local = append(local, v.flag)
		}
	}
	c.PreRunE = func(c *cobra.Command, _ []string) error {
		url, from := a.serverURL(c)
		if url == "" {
			if c.Flags().Changed("token-file") {
				return usage("--token-file goes with --url")
			}
			return nil
		}
		if from == "--url" && c.Flags().Changed("data-dir") {
			return usage("--url and --data-dir exclude each other: the server has its own directory")
		}
		for _, name := range local {
			if c.Flags().Changed(name) {
				return usage("--%s is about a directory; with %s it is for the server to say", name, from)
			}
		}
		s, err := a.newServer(url, f.tokenFile)
		if err != nil {
			return err
		}
		a.where = s
		return nil
	}
}

// serverURL returns the address of the server that c shall work on, "" for a directory,
// and what says so. A flag wins over the environment.
func (a *App) serverURL(c *cobra.Command) (url, from string) {
	switch flag := c.Flags().Lookup("url"); {
	case flag == nil:
	case flag.Changed:
		return flag.Value.String(), "--url"
	case !c.Flags().Changed("data-dir"):
		return a.Getenv("SYDRADB_URL"), "SYDRADB_URL"
	}
	return "", ""
}

// target returns what the command that runs works on.
func (a *App) target() target {
	if a.where != nil {
		return a.where
	}
	return directory{a}
}

// directory is the target that --data-dir names.
type directory struct{ app *App }

func (d directory) read(do func(store) error) error {
	return d.app.withReader(func(db *sydradb.DB) error { return do(local{db}) })
}

func (d directory) change(opts sydradb.Options, do func(store) error) error {
	return d.app.withExistingDB(opts, func(db *sydradb.DB) error { return do(local{db}) })
}

func (d directory) ingest(_ context.Context, opts sydradb.Options, _ func(error, time.Duration), do func(ingest.Database) error) error {
	return d.app.withDB(opts, func(db *sydradb.DB) error { return do(db) })
}
