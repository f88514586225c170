package serve

import (
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"sync"

	"github.com/sydradb/sydradb/server/internal/config"
)

// lockedWriter lets the log and the one line beside it share a writer.
type lockedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

// Write implements io.Writer.
func (l *lockedWriter) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(b)
}

// newLogger returns the log of the server.
func newLogger(w io.Writer, level config.Level, format config.Format) *slog.Logger {
	var least slog.Level
	_ = least.UnmarshalText([]byte(level)) // config allows known ones only
	opts := &slog.HandlerOptions{Level: least}
	if format == "json" {
		return slog.New(slog.NewJSONHandler(w, opts))
	}
	return slog.New(slog.NewTextHandler(w, opts))
}

// warn logs what is allowed, but dangerous.
func (s *server) warn() {
	if !s.cfg.Loopback() && s.tls == nil {
		s.logger.Warn("others can reach this address, and what they send is not encrypted, tokens included; set tls_cert and tls_key, or put a proxy with TLS before the server", "address", s.cfg.Address())
	}
	if !s.cfg.Loopback() && s.cfg.AuthToken == "" && s.cfg.TokensFile == "" {
		s.logger.Warn("everybody who can reach this address may read, write and delete; set auth_token or tokens_file", "address", s.cfg.Address())
	}
	if s.cfg.File != "" && s.cfg.AuthToken != "" {
		s.warnMode("the configuration file", s.cfg.File, 0o027, "chmod g-w,o= ")
	}
	s.warnMode("the data directory", s.cfg.DataDir, 0o077, "chmod go= ")
}

// warnMode warns if others have access to a file that they should not have: bits of its
// mode that are in excess, which the command fix takes away. Of the configuration the group
// may read, which is that of the server where the file is root's.
func (s *server) warnMode(what, path string, excess fs.FileMode, fix string) {
	info, err := os.Stat(path)
	if err != nil || runtime.GOOS == "windows" {
		return // it may be made only now
	}
	if mode := info.Mode().Perm(); mode&excess != 0 {
		if abs, err := filepath.Abs(path); err == nil {
			path = abs
		}
		s.logger.Warn("others than its owner have access to "+what, "path", path, "mode", fs.FileMode(mode).String(), "fix", fix+path)
	}
}
