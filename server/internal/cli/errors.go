package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/sydradb/sydradb"
	"github.com/sydradb/sydradb/server/internal/ingest"
)

// Exit codes of the program.
const (
	ExitFine    = 0
	ExitRefused = 1 // part of the input was refused, or left because of a signal
	ExitUsage   = 2 // wrong arguments, or a directory that this program cannot use
	ExitLocked  = 3 // another process has the database open
	ExitDamaged = 4 // damaged bytes were found
	ExitIO      = 5 // any other error of the system
)

// commandError is an error of a command, as opposed to one of the argument parser.
type commandError struct{ err error }

func (e *commandError) Error() string { return e.err.Error() }
func (e *commandError) Unwrap() error { return e.err }

// codedError is an error whose exit code does not follow from what it wraps.
type codedError struct {
	code int
	err  error
}

func (e *codedError) Error() string { return e.err.Error() }
func (e *codedError) Unwrap() error { return e.err }

func usage(format string, args ...any) error {
	return &codedError{ExitUsage, fmt.Errorf(format, args...)}
}

// silent is an error whose message has been printed already, or needs none.
type silent int

func (s silent) Error() string { return fmt.Sprintf("exit %d", int(s)) }

// exitCode returns the exit code for the error of a run.
func exitCode(err error) int {
	var (
		fromCommand *commandError
		coded       *codedError
		said        silent
		unusable    *ingest.UnusableError
	)
	switch {
	case err == nil:
		return ExitFine
	case errors.As(err, &said):
		return int(said)
	case errors.As(err, &coded):
		return coded.code
	case !errors.As(err, &fromCommand):
		return ExitUsage
	case errors.Is(err, context.Canceled):
		return ExitRefused
	case errors.As(err, &unusable):
		return ExitRefused
	case errors.Is(err, sydradb.ErrLocked):
		return ExitLocked
	case errors.Is(err, sydradb.ErrCorrupt):
		return ExitDamaged
	case errors.Is(err, sydradb.ErrNotDatabase), errors.Is(err, sydradb.ErrFormat):
		return ExitUsage
	}
	return ExitIO
}

// report prints an error and what can be done about it.
func (a *App) report(err error) {
	var said silent
	if errors.As(err, &said) {
		return
	}
	text := strings.ReplaceAll(err.Error(), negativeGuard, "")
	if errors.Is(err, context.Canceled) {
		text = strings.TrimSuffix(strings.TrimSuffix(text, context.Canceled.Error()), ": ")
		text = cmp.Or(text, "interrupted")
	}
	a.say("sydradb: %s", strings.TrimPrefix(text, "sydradb: "))
	if hint := a.hint(err, text); hint != "" {
		a.say("  hint: %s", hint)
	}
}

// hint says what a person can do about an error, "" where the message is enough.
func (a *App) hint(err error, text string) string {
	var (
		fromCommand *commandError
		unusable    *ingest.UnusableError
	)
	switch {
	case errors.As(err, &unusable):
		return "say what the columns are with --csv-time, --csv-series or --csv-name, --csv-values and --csv-tags"
	case !errors.As(err, &fromCommand):
		return `"sydradb help" lists the commands, "sydradb help COMMAND" their flags`
	case errors.Is(err, sydradb.ErrLocked):
		return fmt.Sprintf("another process has %s open; stop it first, or look for it with: fuser %s/LOCK", a.dataDir, a.dataDir)
	case errors.Is(err, sydradb.ErrCorrupt):
		return fmt.Sprintf("nothing was changed; see all of the damage with: sydradb check --data-dir %s", a.dataDir)
	case errors.Is(err, sydradb.ErrNotDatabase):
		if strings.Contains(text, "version 0") && !strings.Contains(text, "import v0") {
			return fmt.Sprintf("make a new database of it with: sydradb import v0 %s --data-dir NEW", a.dataDir)
		}
		return "--data-dir or SYDRADB_DATA_DIR names the directory of the database"
	case errors.Is(err, sydradb.ErrFormat):
		return "use the version of sydradb that wrote it, or a later one"
	case errors.Is(err, sydradb.ErrDiskFull):
		return "free some space and run the command again; what was committed is safe"
	case errors.Is(err, sydradb.ErrStorageFailed):
		return "the disk or its connection has a fault; look at the system log before trying again"
	case errors.Is(err, fs.ErrPermission):
		return "check the owner and the mode of the directory"
	}
	return ""
}
