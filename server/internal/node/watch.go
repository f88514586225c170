package node

import (
	"context"
	"time"
)

// How often Watch looks at the disk.
const (
	whileFine = 5 * time.Second
	whileFull = time.Second
)

// Watch looks after the state until ctx ends.
func (n *Node) Watch(ctx context.Context) {
	timer := time.NewTimer(whileFull)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		n.look()
		wait := whileFine
		if n.Status().State != OK {
			wait = whileFull
		}
		timer.Reset(wait)
	}
}

// look brings the state up to date.
func (n *Node) look() {
	n.mu.Lock()
	db, state := n.db, n.status.State
	n.mu.Unlock()
	if db == nil || state != OK && state != ReadOnly {
		return
	}
	stats := db.Stats()
	if stats.State == string(Failed) {
		n.become(Failed, "the disk did not keep what was written; look at it, then start the server again")
		return
	}
	full := stats.State == "full" || n.large(state, stats.DiskBytes)
	if !n.cfg.Options.InMemory {
		full = full || n.short(state)
	}
	switch {
	case full:
		n.become(ReadOnly, reasonFull)
	case state == ReadOnly:
		n.become(OK, "")
	}
}

// large reports whether the database has the size that it may have. One that had it needs
// to be smaller by a sixteenth to be fine again.
func (n *Node) large(state State, bytes int64) bool {
	limit := n.cfg.Options.MaxDiskBytes
	if state == ReadOnly {
		limit -= limit / 16
	}
	return limit > 0 && bytes >= limit
}

// short reports whether there is too little free space. What was full needs half as much
// more to be fine again, so that the state does not change with every file.
func (n *Node) short(state State) bool {
	free, err := n.cfg.Free(n.cfg.Dir)
	if err != nil {
		n.mu.Lock()
		first := !n.blind
		n.blind = true
		n.mu.Unlock()
		if first {
			n.cfg.Logger.Warn("the free space of the disk cannot be found out; writes will show when it is full", "dir", n.cfg.Dir, "err", err)
		}
		return false
	}
	if state == ReadOnly {
		return free < n.cfg.MinFreeBytes*3/2
	}
	return free < n.cfg.MinFreeBytes
}
