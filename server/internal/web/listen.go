package web

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"golang.org/x/net/netutil"
)

// filesKept is how many files connections leave to the database at least.
const filesKept = 48

// connections returns how many connections there may be at a time, where so many files may be
// open: a flood of them must not keep the database from writing its own.
func connections(limit, files int) int {
	return max(1, min(limit, files-max(filesKept, files/2)))
}

// Listen returns a listener on an address that accepts as many connections at a time as
// the limits, and that of open files, allow; others wait until one ends.
func (s *Server) Listen(address string) (net.Listener, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err // a *net.OpError, which says what failed and at which address
	}
	most := s.limits.Connections
	if files, known := openFileLimit(); known {
		if most = connections(most, files); most < s.limits.Connections {
			s.cfg.Logger.Warn("fewer connections at a time than max_connections, since the process may open few files; raise the limit, as by ulimit -n or LimitNOFILE", "files", files, "connections", most)
		}
	}
	return netutil.LimitListener(l, most), nil
}

// headerSlop is what net/http adds to its limit of the header.
const headerSlop = 4096

// httpServer returns the server of net/http for s.
func (s *Server) httpServer(config *tls.Config) *http.Server {
	return &http.Server{
		Handler:           s,
		TLSConfig:         config,
		ReadHeaderTimeout: s.limits.HeaderTimeout,
		IdleTimeout:       s.limits.IdleTimeout,
		MaxHeaderBytes:    max(s.limits.HeaderBytes-headerSlop, 1),
		ErrorLog:          slog.NewLogLogger(s.cfg.Logger.Handler(), slog.LevelDebug),
		// Each stream may hold a body; HTTP/1 has one for each connection.
		HTTP2: &http.HTTP2Config{MaxConcurrentStreams: 32},
	}
}

// ErrCutOff means that requests took longer to end than a server that stops waits.
var ErrCutOff = errors.New("requests under way were cut off")

// lastWait is how long requests have to notice that their connections are gone.
const lastWait = 5 * time.Second

// Serve answers the connections of l until ctx ends. Then it accepts no more and waits
// for the requests under way, but not longer than the limits say; it closes l in any
// case. A config of nil means plain HTTP. The error is about accepting, or ErrCutOff.
// Handlers have returned then, but for those that do not end when their clients are gone.
func (s *Server) Serve(ctx context.Context, l net.Listener, config *tls.Config) error {
	server := s.httpServer(config)
	failed := make(chan error, 1)
	go func() {
		if config != nil {
			failed <- server.ServeTLS(l, "", "")
			return
		}
		failed <- server.Serve(l)
	}()
	select {
	case err := <-failed:
		return errors.Join(fmt.Errorf("serve %s: %w", l.Addr(), err), server.Close())
	case <-ctx.Done():
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.limits.DrainTimeout)
	defer cancel()
	err := server.Shutdown(drain)
	if err != nil {
		err = errors.Join(fmt.Errorf("after %s: %w", s.limits.DrainTimeout, ErrCutOff), server.Close())
		s.awaitHandlers()
	}
	<-failed // http.ErrServerClosed
	return err
}

// awaitHandlers waits for the handlers of connections that are closed.
func (s *Server) awaitHandlers() {
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	for deadline := time.Now().Add(lastWait); s.underWay.Load() > 0 && time.Now().Before(deadline); {
		<-look.C
	}
}
