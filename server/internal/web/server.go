package web

import (
	"context"
	"log/slog"
	"net/http"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sydradb/sydradb/server/internal/auth"
)

// Observer is told of every request that has ended. It is called concurrently.
type Observer interface {
	// ObserveRequest gets the name of the route ("other" if there is none), the status and
	// the time from the header of the request to the end of the answer.
	ObserveRequest(handler string, status int, took time.Duration)
	// ObservePanic gets the name of the route whose handler panicked.
	ObservePanic(handler string)
}

// Config is what a Server is made of. All fields may be left out.
type Config struct {
	Limits   Limits
	Guard    *auth.Guard  // nil: everybody may do everything
	Logger   *slog.Logger // nil: nothing is logged
	Observer Observer     // nil: nobody is told
	// Hosts are the names and addresses, in lower case and without a port or brackets, by
	// which requests may call the server, beside those of this machine; [AnyHost] stands for
	// all. nil: any.
	Hosts []string
	// OnError, if set, is called with each error that is answered, for who watches the
	// state of the database.
	OnError func(error)
	// Refuse, if set, is asked before a request is served. An error of it, best an
	// [*Error], is the answer.
	Refuse func(*Route) error
}

// Server is the HTTP server. Mount gives it its routes.
type Server struct {
	cfg      Config
	limits   Limits
	routes   atomic.Pointer[http.ServeMux]
	starting atomic.Bool
	origins  *http.CrossOriginProtection
	ingest   *slots
	query    *slots
	bodies   budget
	underWay atomic.Int64 // requests
	decoders decoders
	strange  sync.Once // for the first request by a name that is not ours
}

// New returns a server without routes that says that it is starting.
func New(cfg Config) *Server {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	limits := cfg.Limits.withDefaults()
	s := &Server{
		cfg:     cfg,
		limits:  limits,
		origins: http.NewCrossOriginProtection(),
		ingest:  newSlots(limits.IngestSlots),
		query:   newSlots(limits.QuerySlots),
		bodies:  budget{max: limits.BodiesBytes},
	}
	s.decoders.limits = limits
	s.starting.Store(true)
	s.routes.Store(http.NewServeMux())
	return s
}

// Limits returns the limits with the defaults filled in.
func (s *Server) Limits() Limits { return s.limits }

// Mount replaces all routes. starting says that more are to come: what has no route is
// then answered with 503, not 404. The error is about patterns that are wrong or in
// conflict; the routes are then what they were.
func (s *Server) Mount(starting bool, groups ...[]Route) error {
	mux, err := s.newMux(groups)
	if err != nil {
		return err
	}
	s.routes.Store(mux)
	s.starting.Store(starting)
	return nil
}

// call is the state of a request, kept in its context.
type call struct {
	server *Server
	ctx    context.Context
	name   string
	style  ErrorStyle
	code   string // of the error that was answered
	w      *response
	body   *body // nil: the request has none
	query  *Body // of a query, collected before its slot is taken
	slot   *heldSlot
}

type callKey struct{}

// unframed serves the requests that did not come through a Server, as in tests of
// handlers alone.
var unframed = sync.OnceValue(func() *Server { return New(Config{}) })

// callOf returns the state of a request.
func callOf(r *http.Request) *call {
	if c, ok := r.Context().Value(callKey{}).(*call); ok {
		return c
	}
	return &call{server: unframed(), ctx: r.Context(), style: styleOf(r.URL.Path), name: "other"}
}

// ServeHTTP implements http.Handler: all of what a request passes through.
func (s *Server) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	began := time.Now()
	s.underWay.Add(1)
	defer s.underWay.Add(-1)
	c := &call{server: s, name: "other", style: styleOf(r.URL.Path)}
	c.ctx = context.WithValue(r.Context(), callKey{}, c)
	c.w = newResponse(rw, s.limits.WriteTimeout)
	r = r.WithContext(c.ctx)
	defer func() {
		if p := recover(); p != nil {
			s.panicked(c, r, p)
		}
		c.slot.release()
		c.query.Release()
		s.ended(c, r, time.Since(began))
	}()
	secure(rw.Header())
	c.w.renew() // what is left from the request before may have passed
	c.limitBody(c.w, r)
	mux := s.routes.Load()
	if _, pattern := mux.Handler(r); pattern == "" {
		s.unmatched(c, r, mux)
		return
	}
	mux.ServeHTTP(c.w, r)
}

// secure sets the headers that every answer has. Handlers may set a policy of their own.
func secure(h http.Header) {
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'none'")
}

// unmatched answers what has no route.
func (s *Server) unmatched(c *call, r *http.Request, mux *http.ServeMux) {
	if s.starting.Load() {
		Fail(c.w, r, &Error{Status: 503, Code: CodeStarting, Message: "the server is starting: it reads its log; GET /ready says how far it is"})
		return
	}
	// ServeMux knows which methods there are; its text is replaced.
	probe := &probe{header: make(http.Header)}
	mux.ServeHTTP(probe, r)
	if probe.status == http.StatusMethodNotAllowed {
		allow := probe.header.Get("Allow")
		c.w.Header().Set("Allow", allow)
		Fail(c.w, r, &Error{Status: 405, Code: "method_not_allowed", Message: "this path takes " + allow})
		return
	}
	Fail(c.w, r, &Error{Status: 404, Code: "not_found", Message: "there is nothing at this path"})
}

// probe takes the status of an answer, and not its body.
type probe struct {
	header http.Header
	status int
}

func (p *probe) Header() http.Header         { return p.header }
func (p *probe) WriteHeader(status int)      { p.status = status }
func (p *probe) Write(b []byte) (int, error) { return len(b), nil }

// guarded returns the handler of a route behind all that a request has to pass.
func (s *Server) guarded(route *Route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := callOf(r)
		c.name, c.style = route.Name, route.Style
		if err := s.admit(c, route, w, r); err != nil {
			Fail(w, r, err)
			return
		}
		route.Handler.ServeHTTP(w, r)
	})
}

// admit lets a request pass or says why not.
func (s *Server) admit(c *call, route *Route, w http.ResponseWriter, r *http.Request) error {
	verdict := s.cfg.Guard.Check(r, route.Scope, route.Style == Influx) // first: it takes secrets out of the request
	if route.Scope != auth.Open {
		if err := s.checkHost(r); err != nil {
			return err
		}
	}
	switch verdict {
	case auth.Unauthorized:
		w.Header().Set("WWW-Authenticate", `Bearer realm="sydradb", Basic realm="sydradb"`)
		return &Error{Status: 401, Code: "unauthorized", Message: "unauthorized: want a token of this server, as Authorization: Bearer TOKEN"}
	case auth.Forbidden:
		return &Error{Status: 403, Code: "forbidden", Message: "the token does not allow this: it needs the scope " + route.Scope.String()}
	case auth.Throttled:
		return &Error{Status: 429, Code: "too_many_attempts", Message: "too many wrong tokens from this address; wait a minute", RetryAfter: time.Minute}
	}
	if err := s.origins.Check(r); err != nil {
		return &Error{Status: 403, Code: "forbidden", Message: "requests from pages of other sites are refused", Err: err}
	}
	if s.cfg.Refuse != nil {
		if err := s.cfg.Refuse(route); err != nil {
			return err
		}
	}
	return s.takeSlot(c, route.Slot, r)
}

// panicked answers a request whose handler panicked.
func (s *Server) panicked(c *call, r *http.Request, p any) {
	if p == http.ErrAbortHandler { // a handler's way to cut the connection
		Abort(c.w)
		return
	}
	if s.cfg.Observer != nil {
		s.cfg.Observer.ObservePanic(c.name)
	}
	s.cfg.Logger.Error("a handler panicked; please report this", "handler", c.name, "panic", p, "stack", string(debug.Stack()))
	Fail(c.w, r, &Error{Status: 500, Code: CodeInternal, Message: "an internal error; the log of the server has the details"})
}

// maxLogged bounds what is logged of a path, in bytes.
const maxLogged = 256

// ended notes the end of a request. Of its address only the path is logged: what comes
// after may hold a secret.
func (s *Server) ended(c *call, r *http.Request, took time.Duration) {
	c.w.renew() // for what is still to be sent
	status := c.w.status
	if status == 0 {
		status = http.StatusOK
	}
	if s.cfg.Observer != nil {
		s.cfg.Observer.ObserveRequest(c.name, status, took)
	}
	if s.cfg.Logger.Enabled(c.ctx, slog.LevelDebug) {
		s.cfg.Logger.Debug("request", "method", r.Method, "path", r.URL.Path[:min(len(r.URL.Path), maxLogged)], "handler", c.name,
			"status", status, "code", c.code, "took", took)
	}
}
