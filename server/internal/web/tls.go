package web

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"time"
)

// TLSFiles are the files that a server proves its identity with, and that of its clients.
type TLSFiles struct {
	Cert, Key string // PEM
	ClientCA  string // PEM; "" if clients need no certificate
}

// Config returns a configuration that follows the files: when one changes, new
// connections use the new content. A change that cannot be used is logged, and the
// content before it stays in use.
func (f TLSFiles) Config(logger *slog.Logger) (*tls.Config, error) {
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	w := &tlsWatch{files: f, logger: logger}
	stamps, err := f.stamps()
	if err != nil {
		return nil, err
	}
	current, err := f.load()
	if err != nil {
		return nil, err
	}
	w.stamps, w.current, w.looked = stamps, current, time.Now()
	config := current.Clone()
	config.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) { return w.config(time.Now()), nil }
	return config, nil
}

// load reads the files.
func (f TLSFiles) load() (*tls.Config, error) {
	cert, err := tls.LoadX509KeyPair(f.Cert, f.Key)
	if err != nil {
		return nil, fmt.Errorf("certificate %s with key %s: %w", f.Cert, f.Key, err)
	}
	config := &tls.Config{
		Certificates: []tls.Certificate{cert},
		MinVersion:   tls.VersionTLS12,
		NextProtos:   []string{"h2", "http/1.1"},
	}
	if f.ClientCA == "" {
		return config, nil
	}
	text, err := os.ReadFile(f.ClientCA)
	if err != nil {
		return nil, fmt.Errorf("certificates of clients: %w", err)
	}
	config.ClientCAs = x509.NewCertPool()
	if !config.ClientCAs.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("certificates of clients: %s: no certificate in it", f.ClientCA)
	}
	config.ClientAuth = tls.RequireAndVerifyClientCert
	return config, nil
}

// stamp tells versions of a file apart.
type stamp struct {
	modified time.Time
	size     int64
}

// stamps returns those of the three files.
func (f TLSFiles) stamps() (stamps [3]stamp, err error) {
	for i, path := range []string{f.Cert, f.Key, f.ClientCA} {
		if path == "" {
			continue
		}
		var info fs.FileInfo
		if info, err = os.Stat(path); err != nil {
			return stamps, fmt.Errorf("TLS: %w", err)
		}
		stamps[i] = stamp{info.ModTime(), info.Size()}
	}
	return stamps, nil
}

// tlsWatch is the content of the files that is in use.
type tlsWatch struct {
	files  TLSFiles
	logger *slog.Logger

	mu      sync.Mutex
	current *tls.Config
	stamps  [3]stamp // of what was tried last, usable or not
	looked  time.Time
}

// lookAgain is how long the files are taken to be what they were.
const lookAgain = time.Second

// config returns the configuration for a connection that begins now.
func (w *tlsWatch) config(now time.Time) *tls.Config {
	w.mu.Lock()
	defer w.mu.Unlock()
	if now.Sub(w.looked) < lookAgain {
		return w.current
	}
	w.looked = now
	stamps, err := w.files.stamps()
	if err == nil && stamps == w.stamps {
		return w.current
	}
	var changed *tls.Config
	if err == nil {
		w.stamps = stamps
		changed, err = w.files.load()
	}
	switch {
	case errors.Is(err, fs.ErrNotExist): // about to be replaced
		w.logger.Debug("a TLS file is missing; the certificate before stays in use", "err", err)
	case err != nil:
		w.logger.Error("the TLS files changed, but cannot be used; the certificate before stays in use", "err", err)
	default:
		w.logger.Info("the TLS files changed; new connections use them")
		w.current = changed
	}
	return w.current
}
