package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/sydradb/sydradb"
	"github.com/sydradb/sydradb/server/internal/web"
)

// Why a database is readonly, and failed.
const (
	reasonFull   = web.CodeDiskFull
	reasonFailed = "the disk did not keep what was written; look at it, then start the server again"
)

// Config is what a Node is made of.
type Config struct {
	Dir     string          // of the database
	Options sydradb.Options // OnRecovery is set by Open
	Logger  *slog.Logger    // nil: nothing is logged

	// MinFreeBytes is the free space below which no points are taken. They are again when
	// there is half as much more. 0 means twice Options.MemtableBytes and at least 256 MiB,
	// but never more than a quarter of the volume.
	MinFreeBytes int64
	// Free returns the free bytes of the file system that a directory is on, and all that it
	// has, 0 if that is unknown; nil means that the system is asked. It is not called for
	// databases in memory, and must be safe for concurrent use.
	Free func(dir string) (free, total int64, err error)
}

// Node is a database with its state.
type Node struct {
	cfg Config

	mu     sync.Mutex
	status Status
	db     *sydradb.DB // nil until it is open
	held   bool        // said to be starting, though it is open
	blind  bool        // the free space could not be found out, which is logged once
}

// New returns a node in the state starting.
func New(cfg Config) *Node {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Free == nil {
		cfg.Free = freeSpace
	}
	return &Node{cfg: cfg, status: Status{State: Starting}}
}

// Open opens the database, which takes as long as reading its log does. The state is ok
// afterwards, or readonly, or failed: it has looked at the disk before anybody can write.
func (n *Node) Open() (*sydradb.DB, error) {
	opts := n.cfg.Options
	opts.OnRecovery = func(done, total int64) {
		n.mu.Lock()
		defer n.mu.Unlock()
		n.status.Recovery = Recovery{done, total}
	}
	began := time.Now()
	db, err := sydradb.Open(n.cfg.Dir, &opts)
	n.mu.Lock()
	if err != nil {
		defer n.mu.Unlock()
		n.status.State, n.status.Reason = Failed, "the database cannot be opened; the log of the server says why"
		return nil, err // which names the directory
	}
	n.db = db
	n.status.Recovery.Done = n.status.Recovery.Total
	if n.status.State == Starting {
		n.status.State = OK
	}
	n.cfg.Logger.Info("the database is open", "dir", n.cfg.Dir, "log_bytes", n.status.Recovery.Total, "took", time.Since(began))
	n.mu.Unlock()
	n.look()
	return db, nil
}

// Hold lets Status say starting, though the database may be open already, until Release: a
// node is not ready before its endpoints are there.
func (n *Node) Hold() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.held = true
}

// Release ends Hold.
func (n *Node) Release() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.held = false
}

// DB returns the database, nil until it is open.
func (n *Node) DB() *sydradb.DB {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.db
}

// Status returns the state.
func (n *Node) Status() Status {
	n.mu.Lock()
	defer n.mu.Unlock()
	status := n.status
	if n.held && (status.State == OK || status.State == ReadOnly) {
		status.State, status.Reason = Starting, ""
	}
	return status
}

// Report tells the node of an error that a request ran into; most say nothing about its
// state.
func (n *Node) Report(err error) {
	switch {
	case errors.Is(err, sydradb.ErrStorageFailed):
		n.become(Failed, reasonFailed)
	case errors.Is(err, sydradb.ErrDiskFull):
		n.mu.Lock()
		db, state := n.db, n.status.State
		n.mu.Unlock()
		if db != nil && state == OK {
			stats := db.Stats()
			n.become(ReadOnly, reasonFull, n.room(ReadOnly, &stats).attrs()...)
		}
	}
}

// become changes the state, if it may, and logs that with further attributes.
func (n *Node) become(state State, reason string, attrs ...any) {
	n.mu.Lock()
	defer n.mu.Unlock()
	was := n.status.State
	switch {
	case was == state, was == Draining, was == Starting && state != Draining, was == Failed && state != Draining:
		return
	}
	n.status.State, n.status.Reason = state, reason
	if n.db == nil {
		return // it never served: who stops it tells why
	}
	level := slog.LevelInfo
	if state == ReadOnly || state == Failed {
		level = slog.LevelError
	}
	n.cfg.Logger.Log(context.Background(), level, "the state of the server changed",
		append([]any{"from", was, "to", state, "reason", reason}, attrs...)...)
}

// Drain marks the node as one that stops.
func (n *Node) Drain() { n.become(Draining, "the server is stopping") }

// Close closes the database, if it is open.
func (n *Node) Close() error {
	n.mu.Lock()
	db := n.db
	n.mu.Unlock()
	if db == nil {
		return nil
	}
	if err := db.Close(); err != nil {
		return fmt.Errorf("close %s: %w", n.cfg.Dir, err)
	}
	return nil
}

// Refuse returns why a route cannot be served now, nil if it can: it is made for
// web.Config. It is the routes that store points which a state may stop.
func (n *Node) Refuse(route *web.Route) error {
	if route.Slot == web.NoSlot {
		return nil
	}
	n.mu.Lock()
	state := n.status.State // readonly counts while the node is held, too
	n.mu.Unlock()
	switch {
	case state == Draining:
		return sydradb.ErrClosed
	case route.Slot != web.IngestSlot:
		return nil
	case state == ReadOnly:
		return sydradb.ErrDiskFull
	case state == Failed:
		return sydradb.ErrStorageFailed
	}
	return nil
}
