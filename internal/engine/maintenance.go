package engine

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"sync/atomic"
	"time"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/compact"
	"github.com/sydradb/sydradb/internal/fsys"
	"github.com/sydradb/sydradb/internal/manifest"
	"github.com/sydradb/sydradb/internal/plant"
	"github.com/sydradb/sydradb/internal/tombstone"
)

// maintenance keeps what is on disk in shape, in one goroutine: it merges files, lets
// data expire, drops deletions that are done, declares series dead and unlinks what
// nobody needs any more. Its jobs come one after the other, so none takes another's
// files; flushes go on meanwhile. Each job changes what is live in one edit, after which
// all answers are what they were before.
type maintenance struct {
	fs     fsys.FS
	opts   Options
	logger *slog.Logger
	cache  *cache

	damaged *damagedFiles

	reg    *registry
	state  *state
	ledger *ledger
	writer *writer
	disk   *diskLimit

	reserve *reserve

	wake   chan struct{} // holds a token when something has changed
	asked  chan order    // what callers want done
	ctx    context.Context
	cancel context.CancelFunc
	ended  chan struct{}

	crowding atomic.Int64 // most runs that overlap one another
	merges   atomic.Int64
	sweeps   atomic.Int64
	merging  atomic.Bool
	failed   atomic.Int64 // merges
	took     durations    // merges that did not fail

	// What follows belongs to the goroutine.
	expiry   expiry
	bad      map[string]bool     // damaged inputs of merges: left alone from then on
	cleared  map[clearedKey]bool // files that a deletion does not concern
	measured *fileSet            // the live files when measure last looked
	removed  bool                // points have gone, so series may have died
	roomier  *time.Timer         // to look whether there is room for the reserve
	stale    bool                // CATALOG holds series that are dead and forgotten
}

// order is something that a caller wants maintenance to do.
type order struct {
	do   func() error
	done chan error
}

// maintenanceTick is how often maintenance looks whether time has made work due.
const maintenanceTick = time.Minute

// start begins maintenance, which ends with close.
func (m *maintenance) start() {
	m.wake, m.asked, m.ended = make(chan struct{}, 1), make(chan order), make(chan struct{})
	m.ctx, m.cancel = context.WithCancel(context.Background())
	m.bad, m.cleared = make(map[string]bool), make(map[clearedKey]bool)
	m.state.sets.ready = m.changed
	m.writer.flusher.published = m.changed
	m.disk.reached = m.changed
	m.reserve.lost = m.changed
	m.roomier = stoppedTimer()
	go m.run()
}

// changed says that there may be something to do.
func (m *maintenance) changed() {
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

// close ends maintenance; a merge under way is given up.
func (m *maintenance) close() {
	m.cancel()
	<-m.ended
}

func (m *maintenance) run() {
	defer close(m.ended)
	tick := time.NewTicker(maintenanceTick)
	defer tick.Stop()
	defer m.roomier.Stop()
	looked := false
	m.round()
	for {
		select {
		case <-m.ctx.Done():
			m.unlink()
			return
		case o := <-m.asked:
			o.done <- o.do()
		case <-m.wake:
			m.round()
		case <-m.roomier.C:
			m.tendReserve()
		case <-tick.C:
			if !looked {
				looked, m.removed = true, true // the process before may not have looked
			}
			m.measured = nil // snapshots and others take room, too
			m.round()
		}
	}
}

// do has fn run by maintenance and waits for it.
func (m *maintenance) do(ctx context.Context, fn func(ctx context.Context) error) error {
	o := order{done: make(chan error, 1)}
	o.do = func() error {
		both, cancel := context.WithCancel(ctx)
		defer cancel()
		defer context.AfterFunc(m.ctx, cancel)()
		err := fn(both)
		if err != nil && m.ctx.Err() != nil {
			err = ErrClosed
		}
		return m.report(err)
	}
	select {
	case m.asked <- o:
		return <-o.done
	case <-m.ended:
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

// report tells the writer loop of an error after which nothing can be written.
func (m *maintenance) report(err error) error {
	if errors.Is(err, ErrStorageFailed) {
		select {
		case m.writer.broken <- err:
		default:
		}
	}
	return err
}

// round does what is due, as far as it may be done in the background.
func (m *maintenance) round() {
	m.unlink()
	m.measure()
	if err := m.sweepIfDue(); err != nil {
		m.complain("retention failed", err)
	}
	if !m.opts.MergeOff {
		m.mergeNext()
	}
	if err := m.settle(false); err != nil {
		m.complain("upkeep failed", err)
	}
	m.tendReserve()
}

// tendReserve makes the reserve, if there is none and there should be, or sees to it that
// it will be made when there is room.
func (m *maintenance) tendReserve() {
	if again := m.reserve.tend(m.ctx); again > 0 {
		m.roomier.Reset(again)
	}
}

func (m *maintenance) complain(what string, err error) {
	if m.ctx.Err() == nil {
		m.logger.Error(what, "error", err)
	}
	_ = m.report(err)
}

// settle draws the consequences of jobs: deletions that are done and series that are
// dead go, and so do the files that no reader needs. With all set, CATALOG is written anew
// without the dead however few they are.
func (m *maintenance) settle(all bool) error {
	err := m.dropTombstones()
	if err == nil {
		err = m.bury(all)
	}
	m.unlink()
	m.measure()
	return err
}

// unlink removes files that are no longer live and that nobody reads.
func (m *maintenance) unlink() {
	paths := m.state.sets.free()
	if len(paths) == 0 {
		return
	}
	if err := m.ledger.unlink(paths); err != nil {
		m.complain("removing files failed", err)
	}
	m.cache.drop(paths)
	m.measured = nil // there is more room
}

// measure takes note of how much there is, unless nothing has changed since the last time.
func (m *maintenance) measure() {
	files, _, _ := m.state.moment()
	if files == m.measured {
		return
	}
	m.measured = files
	if !m.opts.MergeOff {
		m.crowding.Store(int64(compact.Crowding(files.list())))
	}
	m.disk.measure(m.fs, m.logger)
}

// Writers are slowed down when more runs than maxCrowding overlap somewhere: by
// crowdingDelay a batch for each of those above, at most by maxCrowdingDelay.
const (
	maxCrowding      = 32
	crowdingDelay    = 2 * time.Millisecond
	maxCrowdingDelay = 100 * time.Millisecond
)

// slowDown waits a moment if merging does not keep up with the writers.
func (m *maintenance) slowDown(ctx context.Context) error {
	over := m.crowding.Load() - maxCrowding
	if over <= 0 {
		return nil
	}
	timer := time.NewTimer(min(time.Duration(over)*crowdingDelay, maxCrowdingDelay))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// clearedKey is a file and the LSN of a deletion that has nothing to hide in it.
type clearedKey struct {
	path string
	lsn  base.LSN
}

// mustRewrite reports whether a file holds points that are to leave the disk: a deletion
// hides some, or retention hides a class of series in a pack that others keep alive.
func (m *maintenance) mustRewrite(files *fileSet, tombstones tombstone.List, e *manifest.Entry) bool {
	if m.expiry.rewrite[e.Path] {
		return true
	}
	for _, t := range tombstones {
		if canApply(t) && m.concerns(files, t, e) {
			return true
		}
	}
	return false
}

// canApply reports whether a deletion may leave its traces in files: only when it is in
// one itself, for else a power cut could take it back and not them. Then all files that
// hold older points are live, too, at the moment at which t was captured.
func canApply(t *tombstone.Tombstone) bool { return t.File.Path != "" }

// concerns reports whether a deletion hides points that are in a file. When it cannot
// tell, because the file cannot be read, it does.
func (m *maintenance) concerns(files *fileSet, t *tombstone.Tombstone, e *manifest.Entry) bool {
	if !t.Hides(max(e.Seq, e.Applied), e.StartTS, e.EndTS) {
		return false
	}
	if !e.IsPack() {
		return t.Covers(e.SeriesID)
	}
	key := clearedKey{e.Path, t.LSN}
	if m.cleared[key] {
		return false
	}
	if any, err := m.holdsAny(files, t, e); err == nil && !any {
		m.cleared[key] = true
		return false
	}
	return true
}

// holdsAny reports whether a pack has a block with points of a series that t covers,
// within its range.
func (m *maintenance) holdsAny(files *fileSet, t *tombstone.Tombstone, e *manifest.Entry) (bool, error) {
	p := files.pack(e)
	if p == nil {
		return true, nil
	}
	var packs packReaders
	defer packs.close()
	pack, err := packs.open(m.fs, m.cache, p)
	if err != nil {
		return false, err
	}
	for _, id := range t.IDs {
		found, err := pack.reader.Find(id, &pack.series)
		if err != nil {
			return false, err
		}
		if !found {
			continue
		}
		for i := range pack.series.Blocks {
			if b := &pack.series.Blocks[i]; b.First <= t.End && b.Last >= t.Start {
				return true, nil
			}
		}
	}
	return false, nil
}

// dropTombstones ends deletions that no live file needs: what they hide is gone.
func (m *maintenance) dropTombstones() error {
	files, tombstones, _ := m.state.moment()
	var done []*tombstone.Tombstone
	var paths []string
	for _, t := range tombstones {
		if canApply(t) && (plant.Bug(plant.TombstoneDropped) || !m.needed(files, t)) {
			done, paths = append(done, t), append(paths, t.File.Path)
		}
	}
	if len(done) == 0 {
		return nil
	}
	err := m.ledger.commit(0, manifest.Edit{Remove: paths}, func() { m.state.dropTombstones(done) })
	if err != nil {
		return err
	}
	over := make(map[base.LSN]bool, len(done))
	for _, t := range done {
		over[t.LSN] = true
	}
	maps.DeleteFunc(m.cleared, func(key clearedKey, _ bool) bool { return over[key.lsn] })
	m.logger.Debug("deletions are done", "count", len(done))
	return m.ledger.unlink(paths)
}

// needed reports whether a live file still holds points that t hides.
func (m *maintenance) needed(files *fileSet, t *tombstone.Tombstone) bool {
	for e := range files.entries {
		if m.concerns(files, t, e) {
			return true
		}
	}
	return false
}
