package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	iofs "io/fs"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/fsys"
)

// reserve keeps the file RESERVE, which holds nothing of the database: it is room that is
// given up when work meets a full disk that must go on for the disk to become less full.
// Points are no such work. They are even refused from then on, until the file has been made
// anew: else they would take what was given up, and the next flush would have nothing.
//
// Neither the name nor its removal is ever synced. Either may be undone by a power cut, and
// the next opening takes what it finds; and a failed sync of the directory would void other
// names in it. Safe for concurrent use.
type reserve struct {
	fs     fsys.FS
	logger *slog.Logger
	want   int64 // bytes of the file; 0 and less make none

	held  atomic.Int64 // bytes of the file that is there
	spent atomic.Bool  // given up and not made anew, though one is wanted
	given atomic.Int64 // how often it was given up, whole or half made
	lost  func()       // called when it has been given up; set before others use it

	wanted atomic.Int64 // how many want to give it up; nobody goes on making it then

	mu   sync.Mutex    // held while the file is made or removed
	next time.Time     // no attempt to make it before
	wait time.Duration // after the next attempt, if that fails as well
}

// How long it takes to look again whether there is room for the file: while points are
// refused, and else. Attempts that fail follow each other ever more slowly, from the one to
// the other: what the system calls free may be beyond a quota.
const (
	reserveSoon  = time.Second
	reserveLater = time.Minute
)

// reserveText begins the file, for who comes across it.
const reserveText = "SydraDB keeps this file to have room when the disk is full. Nothing is in it; it may be removed.\n"

// reservePiece is how much of the file is written and synced at a time: so long has work to
// wait that finds the disk full meanwhile.
const reservePiece = 1 << 20

// errGivenUp ends the making of a reserve that is to be given up.
var errGivenUp = errors.New("other work found no space meanwhile")

// findReserve returns the reserve of a directory, with the file that is there. If there is
// neither the file nor room for it, it counts as given up, which may have been done before
// a restart. Something else of that name is left alone, and there is no reserve then.
func findReserve(fs fsys.FS, opts *Options) (*reserve, error) {
	r := &reserve{fs: fs, logger: opts.Logger, want: opts.ReserveBytes, lost: func() {}}
	e, err := fs.Stat(base.ReserveFile)
	switch {
	case errors.Is(err, iofs.ErrNotExist):
		if free, err := fs.Space(); err == nil && r.want > 0 && free < uint64(r.want) {
			r.logger.Warn("there is no room for the reserve; no points are taken until there is", "bytes", r.want, "free", free)
			r.spent.Store(true)
		}
		return r, nil
	case err != nil:
		return nil, err
	}
	ours := false
	if e.Regular {
		if ours, err = isReserve(fs, base.ReserveFile); err != nil {
			return nil, fmt.Errorf("the reserve, which may be removed: %w", err)
		}
	}
	if !ours {
		r.logger.Warn("there is something that is not the reserve of a database; it is left alone, and no reserve is made", "name", base.ReserveFile)
		r.want = 0
		return r, nil
	}
	r.held.Store(e.Size)
	return r, nil
}

// try does what must not fail for want of room: if it does, it is done once more without
// the reserve, if there is one, or was one until somebody else gave it up meanwhile. do
// leaves nothing behind when it finds no space.
func (r *reserve) try(what string, do func() error) error {
	given := r.given.Load()
	err := do()
	if errors.Is(err, fsys.ErrNoSpace) && (r.giveUp(what) || r.given.Load() != given) {
		err = do()
	}
	return err
}

// giveUp removes the file for something that found no space, or ends its making, and
// reports whether that made room, or somebody else did so meanwhile.
func (r *reserve) giveUp(what string) bool {
	given := r.given.Load()
	r.wanted.Add(1)
	r.mu.Lock()
	r.wanted.Add(-1)
	defer r.mu.Unlock()
	bytes := r.held.Load()
	if bytes == 0 || !r.removeLocked() {
		return r.given.Load() != given
	}
	r.logger.Warn("the disk is full; the reserve was given up", "for", what, "bytes", bytes)
	r.spendLocked()
	return true
}

// spendLocked takes note that the file was given up. Requires: r.mu.
func (r *reserve) spendLocked() {
	r.spent.Store(r.want > 0)
	r.given.Add(1)
	r.lost()
}

// removeLocked removes the file. Requires: r.mu.
func (r *reserve) removeLocked() bool {
	if err := r.fs.Remove(base.ReserveFile); err != nil && !errors.Is(err, iofs.ErrNotExist) {
		r.logger.Warn("cannot remove the reserve", "error", err)
		return false
	}
	r.held.Store(0)
	return true
}

// refusal returns the error for points, nil as long as the reserve is not spent.
func (r *reserve) refusal() error {
	if !r.spent.Load() {
		return nil
	}
	return fmt.Errorf("%w: it has taken the reserve of the database; make room for %d bytes", ErrDiskFull, 2*r.want)
}

// tend removes a file that is not wanted, and makes the one that is, if as much again is
// free beside it. It returns after which time to look again, 0 for never. An end of ctx
// ends the writing.
func (r *reserve) tend(ctx context.Context) (again time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	held, now := r.held.Load(), time.Now()
	switch {
	case r.want < 0 && held > 0:
		r.removeLocked()
		return 0
	case r.want <= 0 || held == r.want:
		return 0
	case now.Before(r.next):
		return r.next.Sub(now)
	}
	wait := reserveLater
	if r.spent.Load() {
		wait = reserveSoon
	}
	if free, err := r.fs.Space(); err != nil || free/2 < uint64(r.want) {
		return wait // whoever cannot be asked has no room
	}
	if err := r.make(ctx); err != nil {
		if ctx.Err() == nil {
			r.logger.Warn("cannot make the reserve", "bytes", r.want, "error", err)
		}
		if errors.Is(err, errGivenUp) {
			r.spendLocked()
			wait = reserveSoon
		}
		wait = max(wait, r.wait)
		r.wait = min(2*wait, reserveLater)
		r.next = now.Add(wait)
		return wait
	}
	r.wait = 0
	r.held.Store(r.want)
	if r.spent.Swap(false) {
		r.logger.Info("there is room again; the reserve was made anew", "bytes", r.want)
	}
	return 0
}

// make writes the file. It has its name only when all of it is on disk: one with holes
// would give nothing back.
func (r *reserve) make(ctx context.Context) error {
	const temp = base.ReserveFile + base.TempSuffix
	if err := r.fs.Remove(temp); err != nil && !errors.Is(err, iofs.ErrNotExist) {
		return err // by its old name, a file must not be overwritten that has the new one
	}
	err := r.fill(ctx, temp)
	if err == nil {
		err = r.fs.Rename(temp, base.ReserveFile)
	}
	if err != nil {
		// What stays goes at the next opening.
		_ = r.fs.Remove(temp)
	}
	return err
}

// fill writes a file with nothing in it that a file system could do without: it is noise.
func (r *reserve) fill(ctx context.Context, path string) error {
	f, err := r.fs.Create(path)
	if err != nil {
		return err
	}
	piece := make([]byte, min(r.want, reservePiece))
	_, _ = rand.NewChaCha8([32]byte{}).Read(piece) // never fails, says its documentation
	copy(piece, reserveText)
	for left := r.want; left > 0 && err == nil; left -= int64(len(piece)) {
		piece = piece[:min(left, int64(len(piece)))]
		if err = ctx.Err(); err == nil && r.wanted.Load() > 0 {
			err = errGivenUp
		}
		if err == nil {
			_, err = f.Write(piece)
		}
		if err == nil {
			err = f.Sync()
		}
	}
	return errors.Join(err, f.Close())
}

// isReserve reports whether a file is a reserve. A small one holds a part of the text.
func isReserve(fs fsys.FS, path string) (bool, error) {
	f, err := fs.Open(path)
	if err != nil {
		return false, err
	}
	head := make([]byte, len(reserveText))
	n, err := f.ReadAt(head, 0)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return n > 0 && string(head[:n]) == reserveText[:n], errors.Join(err, f.Close())
}
