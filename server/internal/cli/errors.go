package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/sydradb/sydradb"
	"github.com/sydradb/sydradb/server/internal/ingest"
)

// Exit codes of the program.
const (
	ExitFine    = 0
	ExitRefused = 1 // part of the input was refused, or left because of a signal
	ExitUsage   = 2 // wrong arguments, or a directory that this program cannot use
	ExitLocked  = 3 // another process has the database open, or changes it too quickly
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

// hintedError is an error with what a person can do about it. Hints are given where
// errors arise: the same damage means one thing in the database and another one in the
// source of an import.
type hintedError struct {
	err  error
	hint string
}

func (e *hintedError) Error() string { return e.err.Error() }
func (e *hintedError) Unwrap() error { return e.err }

func hinted(err error, format string, args ...any) error {
	return &hintedError{err, fmt.Sprintf(format, args...)}
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
	case errors.Is(err, sydradb.ErrLocked), errors.Is(err, sydradb.ErrBusy):
		return ExitLocked
	case errors.Is(err, sydradb.ErrCorrupt):
		return ExitDamaged
	case errors.Is(err, sydradb.ErrNotDatabase), errors.Is(err, sydradb.ErrFormat), errors.Is(err, sydradb.ErrInvalidQuery):
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
	a.say("sydradb: %s", messageOf(err))
	if hint := hintOf(err); hint != "" {
		a.say("  hint: %s", hint)
	}
}

// messageOf returns an error as it is reported.
func messageOf(err error) string {
	text := strings.TrimPrefix(strings.ReplaceAll(errorText(err), negativeGuard, ""), "sydradb: ")
	if what, is := strings.CutSuffix(text, context.Canceled.Error()); is {
		const interrupted = "interrupted"
		text = strings.TrimSuffix(what, ": ")
		if !strings.HasPrefix(text, interrupted) {
			text = strings.TrimPrefix(text+": "+interrupted, ": ")
		}
	}
	return text
}

// hintOf says what a person can do about an error, "" where the message is enough.
func hintOf(err error) string {
	var (
		hint        *hintedError
		coded       *codedError
		fromCommand *commandError
	)
	switch {
	case errors.As(err, &hint):
		return hint.hint
	case strings.Contains(err.Error(), "unknown flag: --url"):
		return "this command works on a directory: run it where the data are, with --data-dir"
	case !errors.As(err, &coded) && !errors.As(err, &fromCommand):
		return `"sydradb help" lists the commands, "sydradb help COMMAND" their flags`
	}
	return ""
}
