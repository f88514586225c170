package engine

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/fsys"
	"github.com/sydradb/sydradb/internal/memtable"
	"github.com/sydradb/sydradb/internal/plant"
	"github.com/sydradb/sydradb/internal/wal"
)

// writer is the loop through which every batch goes. It alone touches the log, and it
// decides when memtables are frozen and flushed. All fields without a word on it
// belong to the loop's goroutine.
type writer struct {
	opts  Options
	log   *wal.Log
	queue *queue // any goroutine
	state *state
	files *flusher

	failure  atomic.Pointer[error] // why nothing is accepted any more; any goroutine
	asked    chan chan error       // a flush is wanted
	flushed  chan error            // a flush has ended
	stop     chan struct{}         // closed by close
	stopped  chan error            // receives the loop's last word
	applied  base.LSN              // last record in the active memtable
	tick     *time.Timer           // syncs and marks
	age      *time.Timer           // flushes what has waited too long, tries failed ones again
	ticking  bool
	aging    bool
	tickLSN  base.LSN  // last record at the last tick
	lastSeen time.Time // tick at which tickLSN moved
	lastSync time.Time
	marked   base.LSN // last record, if it is a Mark
	flushErr error    // of the last flush, nil after a success
	waiters  []chan error

	busy bool      // a flush is under way
	job  *flushJob // what it works on; stays after a failure, to be tried again

	group  []*request
	frames [][]byte
}

func newWriter(opts Options, log *wal.Log, state *state, files *flusher) *writer {
	w := &writer{
		opts: opts, log: log, queue: newQueue(maxQueueBytes), state: state, files: files,
		asked: make(chan chan error), flushed: make(chan error, 1),
		stop: make(chan struct{}), stopped: make(chan error, 1),
		applied: log.Last(), marked: log.Last(),
		tick: time.NewTimer(time.Hour), age: time.NewTimer(time.Hour),
	}
	w.tick.Stop()
	w.age.Stop()
	return w
}

// run serves writers until stop is closed.
func (w *writer) run() {
	w.maybeFlush()
	w.startAging()
	for {
		ready := w.queue.ready
		if w.mustWait() {
			ready = nil
		}
		select {
		case <-ready:
			w.commit()
		case <-w.tick.C:
			w.ticking = false
			w.onTick()
		case <-w.age.C:
			w.aging = false
			w.startFlush()
			w.startAging()
		case waiter := <-w.asked:
			w.waiters = append(w.waiters, waiter)
			w.startFlush()
			w.answerWaiters()
		case err := <-w.flushed:
			w.onFlushed(err)
		case <-w.stop:
			w.stopped <- w.finish()
			return
		}
	}
}

// failed returns the error that every write gets since storage failed, or nil.
func (w *writer) failed() error {
	if err := w.failure.Load(); err != nil {
		return *err
	}
	return nil
}

// full reports whether the active memtable takes no more.
func (w *writer) full() bool {
	bytes, series := w.state.activeSize()
	return bytes >= min(max(w.opts.MemtableBytes, int64(series)*bytesPerActiveSeries), memtable.MaxBytes)
}

// mustWait reports whether batches wait in the queue: the active memtable is full and
// the frozen one not yet on disk. After a failure they are refused instead.
func (w *writer) mustWait() bool {
	return w.state.flushing() && w.full() && w.flushErr == nil && w.failed() == nil
}

// commit takes what waits in the queue through log, sync and memtable, as one group.
func (w *writer) commit() {
	w.group = w.queue.take(w.group[:0])
	if len(w.group) == 0 {
		return
	}
	err := w.failed()
	if err == nil && w.flushErr != nil && w.state.flushing() && w.full() {
		err = fmt.Errorf("cannot make room in memory: %w", w.flushErr)
	}
	if err == nil {
		err = w.append()
	}
	if err == nil {
		w.state.apply(w.group)
		w.applied = w.log.Last()
	}
	for i, r := range w.group {
		w.group[i] = nil
		r.done <- err
	}
	if err == nil {
		w.startTicking()
		w.startAging()
		w.maybeFlush()
	}
}

// append writes the group to the log and syncs it where the policy says so.
func (w *writer) append() error {
	w.frames = w.frames[:0]
	for _, r := range w.group {
		w.frames = append(w.frames, r.frame)
	}
	if _, err := w.log.Append(w.frames); err != nil {
		return w.logError("append", err)
	}
	if w.opts.Sync == SyncAlways {
		if err := w.log.Sync(); err != nil {
			return w.logError("sync", err)
		}
	}
	return nil
}

// logError turns an error of the log into the one that writers get, and ends all
// writing if the log is in an unknown state.
func (w *writer) logError(what string, err error) error {
	switch {
	case errors.Is(err, wal.ErrFailed):
		w.fail(fmt.Errorf("%s of the log: %w", what, err))
		return w.failed()
	case errors.Is(err, fsys.ErrNoSpace):
		return fmt.Errorf("%w: %w", ErrDiskFull, err)
	}
	w.opts.Logger.Error("log refused a write", "what", what, "error", err)
	return fmt.Errorf("%s of the log: %w", what, err)
}

// fail ends all writing. What the memtables hold is on its way to the disk still, but
// the log can no longer vouch for it; so they are flushed, without touching the log.
func (w *writer) fail(cause error) {
	if w.failed() != nil {
		return
	}
	err := fmt.Errorf("%w: %w", ErrStorageFailed, cause)
	w.failure.Store(&err)
	w.opts.Logger.Error("storage failed; no more writes until the database is opened again", "error", cause)
	w.startFlush()
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
	if w.busy {
		return
	}
	if w.state.flushing() {
		w.launch(w.job)
		return
	}
	if bytes, _ := w.state.activeSize(); bytes == 0 {
		return
	}
	w.flushErr = nil
	last := w.applied
	if w.failed() == nil {
		last = w.log.Last()
		if err := w.log.Rotate(); err != nil {
			w.flushErr = w.logError("rotation", err)
			return
		}
	}
	unsaved := w.state.reg.takeUnsaved()
	frozen := w.state.freeze(last)
	if plant.Bug(plant.UnlinkBeforeSync) {
		_ = w.log.RemoveThrough(frozen.last)
	}
	w.launch(&flushJob{table: frozen, unsaved: unsaved})
}

func (w *writer) launch(job *flushJob) {
	w.busy, w.job = true, job
	go func() { w.flushed <- w.files.flush(job) }()
}

// onFlushed takes note of the end of a flush: the log files that it made superfluous
// go, those who wait for it are told, and a failed one is tried again later.
func (w *writer) onFlushed(err error) {
	w.busy = false
	w.flushErr = nil
	if err != nil {
		w.flushErr = err
		if errors.Is(err, fsys.ErrNoSpace) {
			w.flushErr = fmt.Errorf("%w: %w", ErrDiskFull, err)
		}
		w.opts.Logger.Error("flush failed", "error", err)
		if errors.Is(err, ErrStorageFailed) || w.files.attempts > 1 && !errors.Is(err, fsys.ErrNoSpace) {
			w.fail(err)
		} else {
			w.age.Reset(flushRetryWait)
			w.aging = true
		}
	} else if w.failed() == nil {
		if err := w.log.RemoveThrough(w.files.flushedLSN()); err != nil {
			w.opts.Logger.Warn("cannot remove old log files; trying again after the next flush", "error", err)
		}
	}
	if w.failed() != nil && err == nil || len(w.waiters) > 0 && err == nil {
		w.startFlush()
	} else if err == nil {
		w.maybeFlush()
	}
	w.answerWaiters()
}

// answerWaiters tells those who asked for a flush that all is on disk, or why not.
func (w *writer) answerWaiters() {
	if w.busy {
		return
	}
	err := w.flushErr
	if err == nil {
		err = w.failed()
	}
	for _, waiter := range w.waiters {
		waiter <- err
	}
	w.waiters = w.waiters[:0]
}

// startTicking arms the timer that syncs and marks, after a first write.
func (w *writer) startTicking() {
	if w.ticking {
		return
	}
	w.ticking = true
	w.tick.Reset(min(w.opts.SyncInterval, idleBeforeMark))
}

// startAging arms the timer that flushes points which have waited too long.
func (w *writer) startAging() {
	if w.aging || w.failed() != nil {
		return
	}
	if bytes, _ := w.state.activeSize(); bytes > 0 {
		w.aging = true
		w.age.Reset(w.opts.FlushInterval)
	}
}

// onTick syncs the log when the interval has passed, and marks it when nothing has
// been written for a while, so that recovery can tell what was surely on disk.
func (w *writer) onTick() {
	if w.failed() != nil || w.log.Last() == w.marked {
		return
	}
	now := time.Now()
	if last := w.log.Last(); last != w.tickLSN {
		w.tickLSN, w.lastSeen = last, now
	}
	if w.opts.Sync == SyncInterval && w.log.Durable() < w.log.Last() && now.Sub(w.lastSync) >= w.opts.SyncInterval {
		w.lastSync = now
		if err := w.log.Sync(); err != nil {
			_ = w.logError("sync", err)
			return
		}
	}
	if now.Sub(w.lastSeen) >= idleBeforeMark {
		if err := w.log.Mark(false); err != nil {
			_ = w.logError("mark", err)
			return
		}
		w.marked = w.log.Last()
		return
	}
	w.startTicking()
}

// finish serves what still waits, makes everything durable and closes the files.
func (w *writer) finish() error {
	w.queue.close()
	for w.drain() {
	}
	w.awaitFlush()
	if w.failed() == nil && w.log.Bytes() > closeFlushBytes {
		w.startFlush()
		w.awaitFlush()
	}
	err := w.failed()
	if err == nil {
		err = w.seal()
		w.awaitFlush() // if sealing failed, what memory holds was flushed
	}
	w.answerWaiters()
	return errors.Join(err, w.log.Close(), w.files.close())
}

// awaitFlush waits until no flush is under way.
func (w *writer) awaitFlush() {
	for w.busy {
		w.onFlushed(<-w.flushed)
	}
}

// drain commits what waits in the queue, and reports whether anything did.
func (w *writer) drain() bool {
	for w.mustWait() {
		w.onFlushed(<-w.flushed)
	}
	w.commit()
	return len(w.group) > 0
}

// seal ends a clean stop: a Mark, synced, and an edit that demands the log up to it.
func (w *writer) seal() error {
	if w.log.Last() == w.files.sealedLSN() {
		return nil
	}
	if err := w.log.Mark(true); err != nil {
		return w.logError("mark", err)
	}
	return w.files.seal(w.log.Last())
}

// close stops the loop and returns its last word.
func (w *writer) close() error {
	close(w.stop)
	return <-w.stopped
}
