package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/sydradb/sydradb"
)

func TestErrorText(t *testing.T) {
	at := func(op string) error { return &fs.PathError{Op: op, Path: "x/y", Err: fs.ErrNotExist} }
	for _, tt := range []struct {
		err  error
		want string
	}{
		{errors.New("plain"), "plain"},
		{at("statat"), "x/y: file does not exist"},
		{fmt.Errorf("inspect: %w", at("openat")), "inspect: x/y: file does not exist"},
		{fmt.Errorf("make: %w", at("mkdirat")), "make: mkdir x/y: file does not exist"},
		{errors.Join(at("open"), at("write")), "x/y: file does not exist\nwrite x/y: file does not exist"},
	} {
		if got := errorText(tt.err); got != tt.want {
			t.Errorf("%q, want %q", got, tt.want)
		}
	}
	interrupted := &commandError{context.Canceled}
	for want, err := range map[string]error{
		"interrupted":                 interrupted,
		"interrupted after line 2":    fmt.Errorf("interrupted after line 2: %w", interrupted),
		"snapshot to x: interrupted":  fmt.Errorf("sydradb: snapshot to x: %w", interrupted),
		"context canceled by a title": errors.New("context canceled by a title"),
	} {
		if got := messageOf(err); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	full := fmt.Errorf("open log: %w", &fs.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC})
	a := &App{dataDir: "data"}
	for hint, err := range map[string]error{
		"free some space and run the command again; what was committed is safe":             a.explain(full),
		"nothing was restored; free some space and run the command again":                   a.explainRestore(full, "backup"),
		"see all of the damage, and what can be done, with: sydradb repair --data-dir data": a.explain(fmt.Errorf("merge: %w", sydradb.ErrCorrupt)),
		"check the owner and the mode of data":                                              a.explainAccess(&fs.PathError{Op: "open", Path: "data", Err: fs.ErrPermission}),
	} {
		if got := hintOf(err); got != hint {
			t.Errorf("%v: hint %q, want %q", err, got, hint)
		}
	}
	p := newProgram(t)
	p.want(0, "", hall, "ingest")
	for text, args := range map[string][]string{
		"sydradb: nodir/x.csv: no such file or directory\n":      {"export", "-o", "nodir/x.csv"},
		"sydradb: data/wal/nothing: no such file or directory\n": {"inspect", "wal", "data/wal/nothing"},
		"sydradb: data/wal: is a directory\n":                    {"inspect", "wal", "data/wal"},
	} {
		if r := p.run("", args...); r.stderr != text || r.code != ExitIO {
			t.Errorf("%v: exit code %d, %q", args, r.code, r.stderr)
		}
	}
}

func TestWarningsOfTheLibrary(t *testing.T) {
	out, err := os.Create(filepath.Join(t.TempDir(), "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	logger := (&App{Err: out}).logger()
	logger.Info("not for people")
	logger.Warn("cut off the torn end", "offset", 7, "cause", io.ErrUnexpectedEOF, "took", 3599*time.Second+996*time.Millisecond)
	logger.With("file", "a").WithGroup("g").Error("a file is missing")
	logger.Log(t.Context(), slog.LevelWarn, "alone")
	got, err := os.ReadFile(out.Name())
	want := "sydradb: warning: cut off the torn end (offset 7, cause unexpected EOF, took 1h0m0s)\nsydradb: error: a file is missing (file a)\nsydradb: warning: alone\n"
	if string(got) != want || err != nil {
		t.Errorf("%q, %v; want %q", got, err, want)
	}
}
