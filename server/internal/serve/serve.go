package serve

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/sydradb/sydradb"
	"github.com/sydradb/sydradb/server/internal/auth"
	"github.com/sydradb/sydradb/server/internal/config"
	"github.com/sydradb/sydradb/server/internal/metrics"
	"github.com/sydradb/sydradb/server/internal/node"
	"github.com/sydradb/sydradb/server/internal/web"
)

// Run serves until ctx ends, and returns nil if all went well. The log goes to out, and a
// line "serving on URL" when the database is open. Errors are a [*config.InvalidError], those
// of sydradb.Open, or of the system.
func Run(ctx context.Context, cfg *config.Config, out io.Writer) error {
	s, err := newServer(cfg, cfg.Options(), out)
	if err != nil {
		return err
	}
	return s.run(ctx)
}

// server is all parts of a running server.
type server struct {
	cfg     *config.Config
	out     io.Writer
	logger  *slog.Logger
	started time.Time
	tls     *tls.Config // nil: plain HTTP
	web     *web.Server
	node    *node.Node
	metrics *metrics.Metrics

	closers []func() error // of what the endpoints hold, in the order of their making
}

// newServer makes the parts that need neither a socket nor a database. opts is what the
// database will be opened with, but for its log.
func newServer(cfg *config.Config, opts sydradb.Options, out io.Writer) (*server, error) {
	out = &lockedWriter{w: out}
	s := &server{cfg: cfg, out: out, logger: newLogger(out, cfg.LogLevel, cfg.LogFormat), started: time.Now()}
	tokens, err := readTokens(cfg)
	if err != nil {
		return nil, &config.InvalidError{Err: err}
	}
	if cfg.TLSCert != "" {
		files := web.TLSFiles{Cert: cfg.TLSCert, Key: cfg.TLSKey, ClientCA: cfg.TLSClientCA}
		if s.tls, err = files.Config(s.logger); err != nil {
			return nil, &config.InvalidError{Err: err}
		}
	}
	opts.Logger = s.logger
	s.node = node.New(node.Config{Dir: cfg.DataDir, Options: opts, MinFreeBytes: int64(cfg.MinFreeBytes), Logger: s.logger})
	s.metrics = metrics.New(cfg.Version)
	s.web = web.New(web.Config{
		Limits:   cfg.Limits(),
		Guard:    auth.NewGuard(tokens, nil),
		Logger:   s.logger,
		Observer: s.metrics,
		Hosts:    cfg.Hosts(),
		OnError:  s.node.Report,
		Refuse:   s.node.Refuse,
	})
	return s, s.metrics.Watch(metrics.Sources{
		DB:         s.node.DB,
		Status:     s.node.Status,
		Load:       s.web.Load,
		Namespaces: slices.Sorted(maps.Keys(cfg.Retention)),
	})
}

// readTokens returns all tokens of the settings.
func readTokens(cfg *config.Config) ([]auth.Token, error) {
	var tokens []auth.Token
	if cfg.AuthToken != "" {
		token, err := auth.NewToken(string(cfg.AuthToken))
		if err != nil {
			return nil, fmt.Errorf("auth_token: %w", err)
		}
		tokens = append(tokens, token)
	}
	if cfg.TokensFile != "" {
		more, err := auth.ReadFile(cfg.TokensFile)
		if err != nil {
			return nil, err
		}
		tokens = append(tokens, more...)
	}
	return tokens, nil
}

// run listens, opens the database, serves until ctx ends, and stops in order.
func (s *server) run(ctx context.Context) error {
	early, err := s.earlyRoutes()
	if err != nil {
		return err
	}
	if err := s.web.Mount(true, early); err != nil {
		return err
	}
	s.node.Hold() // /ready is asked for while the endpoints are made
	l, err := s.web.Listen(s.cfg.Address())
	if err != nil {
		return err
	}
	s.logger.Info("the server starts", "version", s.cfg.Version, "address", l.Addr().String(), "settings", s.cfg)
	s.warn()

	listening, stopListening := context.WithCancel(context.WithoutCancel(ctx))
	defer stopListening()
	served := make(chan error, 1)
	go func() { served <- s.web.Serve(listening, l, s.tls) }()

	err = s.open(ctx, served, l)
	if err == nil {
		err = s.watch(ctx, served)
	}
	if ctx.Err() != nil {
		s.logger.Info("the server stops; requests under way are finished")
	}
	s.node.Drain()
	stopListening()
	switch cut := <-served; {
	case errors.Is(cut, web.ErrCutOff):
		s.logger.Warn("requests took too long to end; drain_timeout is how long the server waits", "err", cut)
	default:
		err = errors.Join(err, cut)
	}
	for i := len(s.closers) - 1; i >= 0; i-- {
		err = errors.Join(err, s.closers[i]())
	}
	if err = errors.Join(err, s.node.Close()); err == nil {
		s.logger.Info("the server has stopped")
	}
	return err
}

// open opens the database while the server already answers, and mounts the endpoints. It
// returns nil when ctx ends meanwhile: reading the log takes no harm from being cut off.
func (s *server) open(ctx context.Context, served chan error, l net.Listener) error {
	opened := make(chan error, 1)
	go func() {
		_, err := s.node.Open()
		opened <- err
	}()
	var err error
	select {
	case err = <-opened:
	case err = <-served:
		served <- nil
		return errors.Join(err, <-opened)
	case <-ctx.Done():
		patience := time.NewTimer(time.Duration(s.cfg.DrainTimeout))
		defer patience.Stop()
		select {
		case err = <-opened:
		case <-patience.C:
		}
		return err
	}
	if err != nil {
		return err
	}
	routes, err := s.endpoints(s.node.DB())
	if err != nil {
		return err
	}
	early, err := s.earlyRoutes()
	if err != nil {
		return err
	}
	if err := s.web.Mount(false, append(routes, early)...); err != nil {
		return err
	}
	s.node.Release()
	return s.announce(l)
}

// announce says that the server is ready, in the form of the log.
func (s *server) announce(l net.Listener) error {
	scheme := "http"
	if s.tls != nil {
		scheme = "https"
	}
	line := fmt.Sprintf("serving on %s://%s", scheme, l.Addr())
	if s.cfg.LogFormat == "json" {
		s.logger.Info(line)
		return nil
	}
	_, err := fmt.Fprintln(s.out, line)
	return err
}

// watch looks after the disk until ctx ends or the server cannot accept any more.
func (s *server) watch(ctx context.Context, served chan error) error {
	watching, stop := context.WithCancel(ctx)
	var done sync.WaitGroup
	done.Go(func() { s.node.Watch(watching) })
	defer done.Wait()
	defer stop()
	select {
	case err := <-served:
		served <- nil
		return err
	case <-ctx.Done():
		return nil
	}
}
