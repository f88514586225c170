package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"
)

// App is one run of the program: its streams and global settings.
type App struct {
	In       *os.File
	Out, Err *os.File
	Getenv   func(string) string
	Environ  func() []string // all variables, as NAME=TEXT
	Now      func() time.Time
	Serve    Serve // nil: there is no server

	dataDir string
	where   target // nil: the directory
}

// Main runs the program with the arguments, streams and signals of the process, and
// returns its exit code. serve is the server, which would bring much into programs that
// only need the rest of this package.
func Main(serve Serve) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// The first signal ends the work in order, a second one ends the process.
	context.AfterFunc(ctx, stop)
	app := &App{In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Getenv: os.Getenv, Environ: os.Environ, Now: time.Now, Serve: serve}
	return app.Run(ctx, os.Args[1:])
}

// Run runs the command that args name and returns the exit code.
func (a *App) Run(ctx context.Context, args []string) int {
	root := a.rootCommand()
	root.SetArgs(guardNegatives(args))
	err := root.ExecuteContext(ctx)
	if err != nil {
		a.report(err)
	}
	return exitCode(err)
}

const defaultDataDir = "./data"

func (a *App) rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "sydradb",
		Short: "A time-series database in a directory",
		Long: `SydraDB keeps points, a time and a number each, in a directory. Commands work on
the directory, or with --url on a running server, which serve starts.

Series have a name and tags and are selected by both: room.temp{floor="2"}.
Times in arguments are Unix seconds (1694300000 or 1694300000.25), RFC 3339
(2023-09-09T22:53:20Z), or relative to now (-1h, -7d, now).

Exit codes: 0 fine, 1 part of the input was refused or left, 2 usage, 3 the
database is open elsewhere, 4 it is damaged, 5 any other I/O error.`,
		Example: `  $ echo '{"series":"room.temp","ts":1694300000,"value":21.5,"tags":{"room":"hall"}}' | sydradb ingest
  committed 1 points (0 rejected), line 1
  ingested 1 points (0 rejected)
  $ sydradb query room.temp
  room.temp{room="hall"}
    2023-09-09T22:53:20Z  21.5

  1 point of 1 series`,
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.Version = versionLine()
	root.SetVersionTemplate("{{.Version}}")
	root.SetIn(a.In)
	root.SetOut(a.Out)
	root.SetErr(a.Err)
	dir := a.Getenv("SYDRADB_DATA_DIR")
	if dir == "" {
		dir = defaultDataDir
	}
	root.PersistentFlags().StringVar(&a.dataDir, "data-dir", dir, "directory of the database, also SYDRADB_DATA_DIR")
	a.must(root.MarkPersistentFlagDirname("data-dir"))
	for _, c := range []*cobra.Command{
		a.serveCommand(), a.ingestCommand(), a.queryCommand(), a.findCommand(), a.exportCommand(),
		a.statsCommand(), a.flushCommand(), a.compactCommand(), a.retainCommand(), a.deleteCommand(),
		a.checkCommand(), a.repairCommand(), a.inspectCommand(), a.snapshotCommand(), a.restoreCommand(),
		a.importCommand(), a.versionCommand(),
	} {
		root.AddCommand(c)
	}
	root.InitDefaultCompletionCmd()
	if completion, _, err := root.Find([]string{"completion"}); err == nil {
		needsSubcommand(completion)
		completion.Example = `  $ sydradb completion bash > sydradb.bash
  $ head -1 sydradb.bash
  # bash completion V2 for sydradb ...`
	}
	root.InitDefaultHelpCmd()
	if help, _, err := root.Find([]string{"help"}); err == nil {
		refuseUnknownTopics(help)
	}
	a.limitCompletion(root)
	markErrors(root)
	return root
}

// refuseUnknownTopics makes help for what is no command an error, as the command itself is.
func refuseUnknownTopics(help *cobra.Command) {
	help.Args = func(c *cobra.Command, args []string) error {
		if about, rest, err := c.Root().Find(args); err != nil || about == c.Root() && len(rest) > 0 {
			return fmt.Errorf("unknown command %q for %q", strings.Join(args, " "), c.Root().Name())
		}
		return nil
	}
}

// limitCompletion keeps shells from proposing files where none are meant.
func (a *App) limitCompletion(c *cobra.Command) {
	if c.ValidArgsFunction == nil && !c.HasSubCommands() && c.Name() != "ingest" {
		c.ValidArgsFunction = cobra.NoFileCompletions
	}
	c.LocalNonPersistentFlags().VisitAll(func(f *pflag.Flag) {
		if _, done := c.GetFlagCompletionFunc(f.Name); !done && f.Name != "output" && f.Name != "export" {
			a.must(c.RegisterFlagCompletionFunc(f.Name, cobra.NoFileCompletions))
		}
	})
	for _, child := range c.Commands() {
		a.limitCompletion(child)
	}
}

// markErrors tells the errors of commands from those of the argument parser, which
// are all about usage.
func markErrors(c *cobra.Command) {
	if run := c.RunE; run != nil {
		c.RunE = func(cmd *cobra.Command, args []string) error {
			if err := run(cmd, args); err != nil {
				return &commandError{err}
			}
			return nil
		}
	}
	for _, child := range c.Commands() {
		markErrors(child)
	}
}

// must reports a mistake in the definition of a command.
func (a *App) must(err error) {
	if err != nil {
		fmt.Fprintln(a.Err, "sydradb: internal error:", err)
	}
}

func isTerminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }

// width returns the width of the terminal that f is, or 80.
func (a *App) width(f *os.File) int {
	const usual = 80
	if w, _, err := term.GetSize(int(f.Fd())); err == nil && w > 0 {
		return w
	}
	var w int
	if _, err := fmt.Sscan(a.Getenv("COLUMNS"), &w); err == nil && w > 0 {
		return w
	}
	return usual
}

// color reports whether f shows colours, and the user wants them.
func (a *App) color(f *os.File) bool {
	return isTerminal(f) && a.Getenv("NO_COLOR") == "" && a.Getenv("TERM") != "dumb"
}

// say prints a line to standard error. A failure to do so has nowhere to go.
func (a *App) say(format string, args ...any) { _, _ = fmt.Fprintf(a.Err, format+"\n", args...) }

// print prints to w and returns the error as one of output.
func printTo(w io.Writer, format string, args ...any) error {
	_, err := fmt.Fprintf(w, format, args...)
	return err
}
