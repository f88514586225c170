package cli

import (
	"context"
	"errors"
	"io"
	"net"

	"github.com/spf13/cobra"

	"github.com/sydradb/sydradb"
	"github.com/sydradb/sydradb/server/internal/config"
)

// Serve runs the server with its settings until the context ends. Its log, and a line
// when it is ready, go to the writer.
type Serve func(context.Context, *config.Config, io.Writer) error

const serveExample = `  $ sydradb serve --listen 127.0.0.1:0 2>server.log &
  > for i in $(seq 300); do grep -q '^serving on' server.log && break; sleep 0.1; done
  > kill $! && wait $!
  > grep serving server.log
  serving on http://127.0.0.1:...`

func (a *App) serveCommand() *cobra.Command {
	var (
		settings config.Loader
		insecure bool
	)
	c := &cobra.Command{
		Use:   "serve",
		Short: "Run the server",
		Long: `Serve opens the database and answers HTTP until it gets SIGINT or SIGTERM. Then it
finishes the requests under way and closes the database; a second signal ends it at once.

Settings come from flags, else from variables (SYDRADB_MAX_SERIES for max_series), else
from the configuration file, else they have their defaults. An address that others can
reach needs a token: auth_token or tokens_file in the configuration file.

Exit codes: 0 stopped, 2 wrong settings, 3 the database is open elsewhere, 4 it is
damaged, 5 any other error of the system.`,
		Example: serveExample,
		Args:    takes("no arguments", 0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if cmd.Flags().Changed("data-dir") {
				settings.Set("data_dir", a.dataDir)
			}
			if insecure {
				settings.Set("insecure_no_auth", "true")
			}
			cfg, err := settings.Load(a.Getenv)
			if err != nil {
				return &codedError{ExitUsage, err}
			}
			for _, name := range config.UnknownVariables(a.Environ()) {
				a.say("warning: the variable %s is no setting, and has no effect", name)
			}
			cfg.Version = builtVersion()
			a.dataDir = cfg.DataDir // which hints are about
			return a.serve(cmd.Context(), cfg)
		},
	}
	settings.AddFlags(c.Flags())
	c.Flags().StringVar(&settings.File, "config", "", "configuration file, also SYDRADB_CONFIG (default ./sydradb.toml, if there is one)")
	c.Flags().BoolVar(&insecure, "insecure-no-auth", false, "let everybody who can reach the address read, write and delete")
	a.must(c.RegisterFlagCompletionFunc("config", cobra.FixedCompletions([]string{"toml"}, cobra.ShellCompDirectiveFilterFileExt)))
	for _, file := range []string{"tokens-file", "tls-cert", "tls-key"} {
		a.must(c.RegisterFlagCompletionFunc(file, cobra.FixedCompletions(nil, cobra.ShellCompDirectiveDefault)))
	}
	return c
}

// serve runs the server and says what can be done about its errors.
func (a *App) serve(ctx context.Context, cfg *config.Config) error {
	if a.Serve == nil {
		return errors.New("this program was built without the server")
	}
	if err := a.mustBeDirectory(); err != nil {
		return err
	}
	err := a.Serve(ctx, cfg, a.Err)
	var (
		invalid *config.InvalidError
		socket  *net.OpError
	)
	switch {
	case errors.As(err, &invalid):
		return &codedError{ExitUsage, err}
	case errors.As(err, &socket) && socket.Op == "listen":
		return hinted(err, "--listen HOST:PORT chooses another address; ss -ltnp shows who listens already, and ports below 1024 are not for everybody")
	case errors.Is(err, sydradb.ErrCorrupt):
		return hinted(err, "nothing was changed; %s", a.damageHint())
	}
	return a.explainAccess(err)
}
