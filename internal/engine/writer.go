package engine

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/fsys"
	"github.com/sydradb/sydradb/internal/memtable"
	"github.com/sydradb/sydradb/internal/plant"
	"github.com/sydradb/sydradb/internal/wal"
)

// writer is the loop through which every batch goes, or a caller in its place (submit).
// It alone touches the log, and it decides when memtables are frozen and flushed. All
// fields without a word on it belong to whoever has the turn.
type writer struct {
	turn sync.Mutex // held by the loop but while it waits, and by callers in its place

	opts    Options
	log     *wal.Log
	queue   *queue // any goroutine
	state   *state
	ledger  *ledger
	flusher *flusher
	disk    *diskLimit
	reserve *reserve

	syncs durations // of the log

	failure atomic.Pointer[error] // why nothing is accepted any more; any goroutine
	asked   chan chan error       // a flush is wanted
	flushed chan error            // a flush has ended
	calls   chan func()           // what others want done between two groups
	broken  chan error            // maintenance found that storage has failed
	stop    chan struct{}         // closed by close
	stopped chan error            // receives the loop's last word

	applied base.LSN // last record in the active memtable
	group   []*request
	frames  [][]byte
	pressed time.Time // when something was last done because the disk limit is reached

	flush struct {
		busy    bool          // one is under way
		job     *flushJob     // what it works on; after a failure, what is tried again
		err     error         // of the last one, nil after a success
		last    bool          // it began when storage had failed, and is not tried again
		waiters []flushWaiter // those who asked for one
		timer   *time.Timer   // for points that wait too long, and for a failed one
		armed   bool          // timer
	}
	upkeep struct {
		timer  *time.Timer // next look at the log
		armed  bool        // timer
		seen   base.LSN    // last record at the last look
		since  time.Time   // look at which seen moved
		synced time.Time   // last sync
		marked base.LSN    // last record, if it is a Mark
	}
}

func newWriter(opts Options, log *wal.Log, state *state, ledger *ledger, disk *diskLimit, reserve *reserve) *writer {
	w := &writer{
		opts: opts, log: log, queue: newQueue(maxQueueBytes), state: state, ledger: ledger, disk: disk, reserve: reserve,
		flusher: &flusher{
			fs: ledger.fs, logger: opts.Logger, state: state, ledger: ledger, reserve: reserve,
			maxSegmentFiles: opts.MaxSegmentFiles, segmentCodec1: opts.SegmentCodec1,
		},
		asked: make(chan chan error), flushed: make(chan error, 1), calls: make(chan func()),
		broken: make(chan error, 1),
		stop:   make(chan struct{}), stopped: make(chan error, 1),
		applied: log.Last(),
	}
	if log.Last() == ledger.sealedLSN() || state.activeEmpty() {
		w.upkeep.marked = log.Last() // it ends with a Mark, or with nothing to mark
	}
	w.upkeep.timer, w.flush.timer = stoppedTimer(), stoppedTimer()
	return w
}

func stoppedTimer() *time.Timer {
	t := time.NewTimer(time.Hour)
	t.Stop()
	return t
}

// run serves writers until stop is closed. The turn is not given back then.
func (w *writer) run() {
	w.turn.Lock()
	w.maybeFlush()
	w.armFlush(w.opts.FlushInterval)
	w.armUpkeep()
	for {
		ready := w.queue.ready
		if w.mustWait() {
			ready = nil
		}
		w.turn.Unlock()
		select {
		case <-ready:
			w.turn.Lock()
			w.serve()
		case <-w.upkeep.timer.C:
			w.turn.Lock()
			w.upkeep.armed = false
			w.onUpkeep()
		case <-w.flush.timer.C:
			w.turn.Lock()
			w.flush.armed = false
			w.startFlush()
			w.armFlush(w.opts.FlushInterval)
		case done := <-w.asked:
			w.turn.Lock()
			w.flush.waiters = append(w.flush.waiters, flushWaiter{done, w.applied})
			w.startFlush()
			w.answerWaiters()
		case err := <-w.flushed:
			w.turn.Lock()
			w.onFlushed(err)
		case call := <-w.calls:
			w.turn.Lock()
			call()
		case err := <-w.broken:
			w.turn.Lock()
			w.fail(err)
		case <-w.stop:
			w.turn.Lock()
			w.stopped <- w.finish()
			return
		}
	}
}

// submit puts r into the queue and sees to it that it is served: by the loop, or, if that
// has nothing to do, here and now. Handing a batch to the loop and its outcome back takes
// two switches between goroutines, more than all the rest for a batch of a hundred points.
//
// Only a caller who waits for the outcome whatever happens may stand in for the loop:
// anyone whose ctx may end must be able to leave a slow disk to it.
func (w *writer) submit(ctx context.Context, r *request) error {
	if err := w.queue.put(ctx, r); err != nil {
		return err
	}
	if ctx.Done() != nil || !w.turn.TryLock() {
		w.queue.wake()
		return nil
	}
	w.standIn()
	return nil
}

// standIn serves in the goroutine of a caller who has the turn. A panic ends the process, as one
// of the loop does, even if the caller would recover it, like a handler of net/http: a group may
// be applied in part, others wait for its outcome, and nobody is to go on over it. So does the
// end of the goroutine alone, by runtime.Goexit in a logger of the caller's, say.
func (w *writer) standIn() {
	served := false
	defer func() {
		if cause := recover(); !served {
			report := fmt.Sprintf("%v, in a caller that stood in for the writer:\n%s", cause, debug.Stack())
			go panic(report) // in a goroutine where nobody recovers it
			select {}
		}
	}()
	w.serve()
	w.turn.Unlock()
	served = true
}

// serve commits what waits in the queue, or leaves it to the loop if it has to wait.
func (w *writer) serve() {
	if w.mustWait() {
		w.queue.wake()
		return
	}
	w.commit()
}

// failed returns the error that every write gets since storage failed, or nil.
func (w *writer) failed() error {
	if err := w.failure.Load(); err != nil {
		return *err
	}
	return nil
}

// full reports whether the active memtable takes no more batches. The group that fills it
// still goes in whole, so it may hold that much more. One that holds just the limit is not
// full: series that grow side by side reach it together when the last of them has got a
// chunk that is still empty.
func (w *writer) full() bool {
	bytes, series := w.state.activeSize()
	return bytes > min(max(w.opts.MemtableBytes, int64(series)*bytesPerActiveSeries), memtable.MaxBytes)
}

// mustWait reports whether batches wait in the queue: the active memtable is full and
// the frozen one not yet on disk. After a failure they are refused instead.
func (w *writer) mustWait() bool {
	return w.state.flushing() && w.full() && w.flush.err == nil && w.failed() == nil
}

// commit takes what waits in the queue through log, sync and memtable, as one group.
func (w *writer) commit() {
	w.group = w.queue.take(w.group[:0])
	if w.refuse(); len(w.group) == 0 {
		return
	}
	err := w.failed()
	var first base.LSN
	if err == nil {
		first, err = w.append()
	}
	if w.failed() == nil && errors.Is(err, fsys.ErrNoSpace) && w.favourDeletions(err) {
		first, err = w.append()
	}
	if err == nil {
		w.state.apply(w.group, first)
		w.applied = w.log.Last()
	}
	for i, r := range w.group {
		w.group[i] = nil
		r.done <- err
	}
	if err == nil {
		w.armUpkeep()
		w.armFlush(w.opts.FlushInterval)
		w.maybeFlush()
	}
}

// refuse sends back batches of the group: all if there is no room left on the disk, by the
// limit that is set, or in memory, because it cannot be flushed; and those that name a series
// that was declared dead after they were encoded, which their writers encode again. Room is
// no matter once storage has failed, which is what they are to hear.
func (w *writer) refuse() {
	var full error
	if w.failed() == nil {
		full = w.noRoom()
		if full == nil && w.flush.err != nil && w.full() {
			full = fmt.Errorf("cannot make room in memory: %w", w.flush.err)
		}
	}
	deaths := w.state.reg.deaths.Load()
	rest := w.group[:0]
	for _, r := range w.group {
		err := full
		if r.deletion != nil {
			err = nil // it makes room
		} else if err == nil && r.deaths != deaths {
			if _, void := w.state.reg.now().catalog.FirstUnknown(r.rows); void {
				err = errStale
			}
		}
		if err != nil {
			r.done <- err
			continue
		}
		rest = append(rest, r)
	}
	clear(w.group[len(rest):])
	w.group = rest
}

// favourDeletions gives the reserve up for the deletions of a group that found no space,
// and sends the batches back with err. It returns false if there is nothing to try again.
func (w *writer) favourDeletions(err error) bool {
	isDeletion := func(r *request) bool { return r.deletion != nil }
	if !slices.ContainsFunc(w.group, isDeletion) || !w.reserve.giveUp("a deletion") {
		return false
	}
	rest := w.group[:0]
	for _, r := range w.group {
		if isDeletion(r) {
			rest = append(rest, r)
		} else {
			r.done <- err // from here on it is its caller's
		}
	}
	clear(w.group[len(rest):])
	w.group = rest
	return true
}

// noRoom returns the error for batches if the limit on disk space is reached, or the disk
// has been full a moment ago. Maintenance then looks what may go, and what the log holds
// moves to files, which take less.
func (w *writer) noRoom() error {
	err := w.disk.exceeded(w.log.Bytes())
	if err == nil {
		err = w.reserve.refusal()
	}
	if now := time.Now(); err != nil && now.Sub(w.pressed) >= roomInterval {
		w.pressed = now
		w.disk.reached()
		if w.log.Bytes() > closeFlushBytes {
			w.startFlush()
		}
	}
	return err
}

// append writes the group to the log and syncs it where the policy says so. It returns
// the LSN of the first record.
func (w *writer) append() (first base.LSN, err error) {
	w.frames = w.frames[:0]
	for _, r := range w.group {
		w.frames = append(w.frames, r.frame)
	}
	first, err = w.log.Append(w.frames)
	clear(w.frames) // they belong to the requests
	if err != nil {
		return 0, w.logError("append", err)
	}
	if w.opts.Sync == SyncAlways && !plant.Bug(plant.AckBeforeSync) {
		if err := w.syncLog(); err != nil {
			return 0, w.logError("sync", err)
		}
	}
	return first, nil
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

// fail ends all writing. What the memtables hold is on its way to the disk still: a log
// that is sound is synced, as nobody does later. Another can no longer vouch for it; so
// they are flushed, without touching the log: see salvage.
func (w *writer) fail(cause error) {
	if w.failed() != nil || plant.Bug(plant.FailureForgotten) {
		return
	}
	err := fmt.Errorf("%w: %w", ErrStorageFailed, cause)
	w.failure.Store(&err)
	w.opts.Logger.Error("storage failed; no more writes until the database is opened again", "error", cause)
	if err := w.log.Sync(); err != nil && !errors.Is(cause, wal.ErrFailed) {
		w.opts.Logger.Error("the log cannot be synced either", "error", err)
	}
	w.salvage()
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
	w.upkeep.timer.Stop()
	w.flush.timer.Stop()
	return errors.Join(err, w.log.Close(), w.ledger.close())
}

// awaitFlush waits until no flush is under way.
func (w *writer) awaitFlush() {
	for w.flush.busy {
		w.onFlushed(<-w.flushed)
	}
}

// drain commits what waits in the queue, and reports whether anything did.
func (w *writer) drain() bool {
	for w.mustWait() {
		w.onFlushed(<-w.flushed)
	}
	waiting := w.queue.len() > 0
	w.commit()
	return waiting
}

// seal ends a clean stop: a Mark, synced, and an edit that demands the log up to it.
func (w *writer) seal() error {
	if w.log.Last() == w.ledger.sealedLSN() {
		return nil
	}
	sync := !plant.Bug(plant.CloseUnsynced)
	if err := w.reserve.try("the end of the log", func() error { return w.log.Mark(sync) }); err != nil {
		return w.logError("mark", err)
	}
	return w.ledger.seal(w.log.Last())
}

// between runs fn in the loop, between two groups, and waits for it. It returns false if
// the loop has ended, and fn was not run.
func (w *writer) between(fn func()) bool {
	done := make(chan struct{})
	select {
	case w.calls <- func() { fn(); close(done) }:
		<-done
		return true
	case <-w.stop:
		return false
	}
}

// close stops the loop and returns its last word.
func (w *writer) close() error {
	close(w.stop)
	return <-w.stopped
}
