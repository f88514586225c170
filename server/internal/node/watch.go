package node

import (
	"context"
	"time"

	"github.com/sydradb/sydradb"
)

// How often Watch looks at the disk.
const (
	whileFine = 5 * time.Second
	whileFull = time.Second
)

// leastFree is how much is to be free by default, on a volume that is large enough.
const leastFree = 256 << 20

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
		n.become(Failed, reasonFailed)
		return
	}
	switch r := n.room(state, &stats); {
	case r.full:
		n.become(ReadOnly, reasonFull, r.attrs()...)
	case state == ReadOnly:
		n.become(OK, "")
	}
}

// room is how much space there is for points.
type room struct {
	full    bool   // there is too little
	setting string // which asks for more; "" if nothing is known
	free    int64  // bytes
	wanted  int64  // bytes that are to be free for points to be taken again
}

// attrs returns what the log says of it.
func (r room) attrs() []any {
	if r.setting == "" {
		return nil
	}
	return []any{"free_bytes", r.free, "wanted_bytes", r.wanted, "setting", r.setting}
}

// room measures, for a node in a state: what was full needs more to be fine again, so that
// the state does not change with every file.
func (n *Node) room(state State, stats *sydradb.Stats) room {
	if limit := n.cfg.Options.MaxDiskBytes; n.large(state, stats.DiskBytes) {
		return room{true, "max_disk_bytes", max(0, limit-stats.DiskBytes), limit / 16}
	}
	spent := stats.State == "full" // of the engine, which has given its reserve up
	if n.cfg.Options.InMemory {
		return room{full: spent}
	}
	free, total, err := n.cfg.Free(n.cfg.Dir)
	if err != nil {
		n.warnBlind(err)
		return room{full: spent}
	}
	least := n.leastFree(total)
	r := room{free < least, "min_free_bytes", free, least + least/2}
	if state == ReadOnly {
		r.full = free < r.wanted
	}
	if again := 2 * n.cfg.Options.ReserveBytes; spent && again > r.wanted {
		r.setting, r.wanted = "reserve_bytes", again
	}
	r.full = r.full || spent
	return r
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

// leastFree returns the free space below which no points are taken, on a volume of total
// bytes, 0 if that is unknown. Unless it is set, it is never so much that a small volume
// would have too little for ever.
func (n *Node) leastFree(total int64) int64 {
	if n.cfg.MinFreeBytes > 0 {
		return n.cfg.MinFreeBytes
	}
	least := max(leastFree, 2*n.cfg.Options.MemtableBytes) // the flush of both tables
	if total > 0 {
		least = min(least, total/4)
	}
	return least
}

// warnBlind says, once, that the free space is unknown.
func (n *Node) warnBlind(err error) {
	n.mu.Lock()
	first := !n.blind
	n.blind = true
	n.mu.Unlock()
	if first {
		n.cfg.Logger.Warn("the free space of the disk cannot be found out; writes will show when it is full", "dir", n.cfg.Dir, "err", err)
	}
}
