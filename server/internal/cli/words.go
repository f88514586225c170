package cli

import (
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"slices"
	"strings"
	"time"
)

// errorText returns an error as people read it: without the names of system calls
// where the file and the reason say as much.
func errorText(err error) string {
	text := err.Error()
	eachError(err, func(e error) {
		path, ok := e.(*fs.PathError)
		if !ok {
			return
		}
		plain := path.Path + ": " + path.Err.Error()
		switch path.Op {
		case "open", "openat", "stat", "lstat", "statat", "fstatat":
		default:
			plain = strings.TrimSuffix(path.Op, "at") + " " + plain
		}
		text = strings.Replace(text, path.Error(), plain, 1)
	})
	return text
}

// eachError calls do for err and all that it wraps.
func eachError(err error, do func(error)) {
	if err == nil {
		return
	}
	do(err)
	switch e := err.(type) {
	case interface{ Unwrap() error }:
		eachError(e.Unwrap(), do)
	case interface{ Unwrap() []error }:
		for _, wrapped := range e.Unwrap() {
			eachError(wrapped, do)
		}
	}
}

// logger prints what the library wants an operator to know.
func (a *App) logger() *slog.Logger { return slog.New(&logHandler{app: a}) }

// logHandler prints records as the rest of the program speaks.
type logHandler struct {
	app   *App
	attrs []slog.Attr
}

// Enabled implements slog.Handler.
func (*logHandler) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelWarn }

// Handle implements slog.Handler.
func (h *logHandler) Handle(_ context.Context, r slog.Record) error {
	attrs := slices.Clone(h.attrs)
	r.Attrs(func(attr slog.Attr) bool {
		attrs = append(attrs, attr)
		return true
	})
	var details []string
	for _, attr := range attrs {
		value := attr.Value.Resolve()
		text := value.String()
		switch v := value.Any().(type) {
		case error:
			text = errorText(v)
		case time.Duration:
			text = v.Round(time.Second).String()
		}
		details = append(details, attr.Key+" "+text)
	}
	text := r.Message
	if len(details) > 0 {
		text += fmt.Sprintf(" (%s)", strings.Join(details, ", "))
	}
	h.app.say("sydradb: %s: %s", kindOfMessage(r.Level), text)
	return nil
}

func kindOfMessage(level slog.Level) string {
	if level >= slog.LevelError {
		return "error"
	}
	return "warning"
}

// WithAttrs implements slog.Handler.
func (h *logHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &logHandler{h.app, slices.Concat(h.attrs, attrs)}
}

// WithGroup implements slog.Handler. A person needs no groups.
func (h *logHandler) WithGroup(string) slog.Handler { return h }
