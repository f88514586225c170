package engine

import (
	"errors"
	"fmt"
	"time"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/fsys"
	"github.com/sydradb/sydradb/internal/plant"
)

// This file holds what the writer loop does beside taking batches: it syncs and marks
// the log in time, and sees to it that memtables reach the disk.

// flushWaiter is a caller of Flush.
type flushWaiter struct {
	done chan error
	last base.LSN // what must be in files
}

// maybeFlush starts a flush, or a new log file, if one is due.
func (w *writer) maybeFlush() {
	if w.failed() != nil {
		return
	}
	if w.full() || w.log.Bytes() >= walFlushBytes {
		w.startFlush()
	}
	if w.log.CurrentBytes() >= w.opts.RotateBytes && w.failed() == nil {
		if err := w.log.Rotate(); err != nil {
			_ = w.logError("rotation", err) // logged there; writing goes on in the old file
		}
	}
}

// startFlush freezes the active memtable and hands it to the flusher, unless one is at
// work or there is nothing to flush. A frozen memtable whose flush failed comes first.
func (w *writer) startFlush() {
	if w.flush.busy {
		return
	}
	if w.state.flushing() {
		w.launch(w.flush.job)
		return
	}
	w.flush.err = nil
	if w.state.activeEmpty() {
		return
	}
	last := w.applied
	if w.failed() == nil {
		last = w.log.Last()
		if err := w.reserve.try("a file of the log", w.log.Rotate); err != nil {
			w.flush.err = w.logError("rotation", err)
			w.flush.armed = false
			w.armFlush(flushRetryWait)
			return
		}
	}
	job := &flushJob{
		unsaved: w.state.reg.takeUnsaved(),
		table:   w.state.freeze(last),
		deletes: w.state.deletesAfter(w.ledger.flushedLSN()),
	}
	if plant.Bug(plant.UnlinkBeforeSync) {
		_ = w.log.RemoveThrough(last)
	}
	w.launch(job)
}

func (w *writer) launch(job *flushJob) {
	w.flush.busy, w.flush.job = true, job
	go func() { w.flushed <- w.flusher.flush(job) }()
}

// onFlushed takes note of the end of a flush.
func (w *writer) onFlushed(err error) {
	w.flush.busy, w.flush.err = false, err
	if w.failed() != nil {
		w.onSalvaged(err)
		w.answerWaiters()
		return
	}
	if err != nil {
		w.onFlushFailed(err)
		w.answerWaiters()
		return
	}
	if err := w.log.RemoveThrough(w.ledger.flushedLSN()); err != nil {
		w.opts.Logger.Warn("cannot remove old log files; trying again after the next flush", "error", err)
	}
	w.answerDone()
	if len(w.flush.waiters) > 0 {
		w.startFlush() // of what was active when this one began
	} else {
		w.maybeFlush()
	}
	w.answerWaiters()
}

// onFlushFailed has a failed flush tried again: for ever if the disk is full or no more files
// may be open, once if anything else is the matter.
func (w *writer) onFlushFailed(err error) {
	w.opts.Logger.Error("flush failed", "error", err)
	full := errors.Is(err, fsys.ErrNoSpace)
	if full {
		w.flush.err = fmt.Errorf("%w: %w", ErrDiskFull, err)
	}
	if errors.Is(err, ErrStorageFailed) || w.flusher.failures > 1 {
		w.fail(err)
		return
	}
	w.flush.armed = false
	w.armFlush(flushRetryWait)
}

// answerDone tells those whose points are in files.
func (w *writer) answerDone() {
	rest := w.flush.waiters[:0]
	for _, waiter := range w.flush.waiters {
		if waiter.last <= w.ledger.flushedLSN() {
			waiter.done <- nil
		} else {
			rest = append(rest, waiter)
		}
	}
	w.flush.waiters = rest
}

// answerWaiters tells all who wait how the last flush went, if none is under way: there
// is nothing more to flush, or it failed.
func (w *writer) answerWaiters() {
	if w.flush.busy {
		return
	}
	err := w.flush.err
	if err == nil {
		err = w.failed()
	}
	for _, waiter := range w.flush.waiters {
		waiter.done <- err
	}
	w.flush.waiters = w.flush.waiters[:0]
}

// armFlush has the memtable flushed after a while, if there is anything in memory.
func (w *writer) armFlush(after time.Duration) {
	if w.flush.armed || w.failed() != nil {
		return
	}
	if !w.state.activeEmpty() || w.state.flushing() {
		w.flush.armed = true
		w.flush.timer.Reset(after)
	}
}

// syncLog syncs the log and takes note of how long that took.
func (w *writer) syncLog() error {
	began := time.Now()
	err := w.log.Sync()
	w.syncs.since(began)
	return err
}

// armUpkeep has the log looked at after a while.
func (w *writer) armUpkeep() {
	if !w.upkeep.armed {
		w.upkeep.armed = true
		w.upkeep.timer.Reset(min(w.opts.SyncInterval, idleBeforeMark))
	}
}

// onUpkeep syncs the log when the interval has passed, and marks it when nothing has
// been written for a while, so that recovery can tell what was surely on disk.
func (w *writer) onUpkeep() {
	u, last, now := &w.upkeep, w.log.Last(), time.Now()
	if w.failed() != nil || last == u.marked {
		return
	}
	if last != u.seen {
		u.seen, u.since = last, now
	}
	if w.opts.Sync == SyncInterval && w.log.Durable() < last && now.Sub(u.synced) >= w.opts.SyncInterval {
		u.synced = now
		if err := w.syncLog(); err != nil {
			_ = w.logError("sync", err)
			return
		}
	}
	if now.Sub(u.since) < idleBeforeMark {
		w.armUpkeep()
		return
	}
	if err := w.log.Mark(false); err != nil {
		_ = w.logError("mark", err)
		return
	}
	u.marked = w.log.Last()
}
