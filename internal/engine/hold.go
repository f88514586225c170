package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	iofs "io/fs"
	"time"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/fsys"
	"github.com/sydradb/sydradb/internal/wal"
)

// holder holds databases that others write.
type holder struct {
	fs    fsys.FS
	limit func() (files uint64, ok bool) // of files that may be open: fsys.OpenFileLimit
	// thorough holds all that can be held even if that is not all, for those who want to
	// know what is wrong.
	thorough bool
}

const (
	holdPause = 10 * time.Millisecond // before starting over
	holdWait  = 10 * time.Second      // after which it is given up
)

// hold holds the database and hands it to use. It starts over as long as something is
// missing because the writer was quicker: it then has written an edit before. Damage, and
// that something is missing without an edit that explains it, is believed when it is
// there a second time: what was read may have been half written. With an error the result
// is what was held last, nil if nothing was; it is the caller's to close.
func (r *holder) hold(ctx context.Context, use func(*held) error) (*held, error) {
	end := time.NewTimer(holdWait)
	defer end.Stop()
	var before error
	for {
		h, err := r.once(use)
		if err == nil {
			return h, nil
		}
		lost := startsOver(err) && h != nil && h.unchanged()
		if repeated := before != nil && before.Error() == err.Error(); repeated && lost {
			return h, h.lost(err)
		} else if !startsOver(err) && (repeated || !isDamage(err)) {
			return h, err
		}
		if before = nil; lost || isDamage(err) {
			before = err
		}
		pause := time.NewTimer(holdPause)
		select {
		case <-pause.C:
		case <-end.C:
			return h, h.giveUp(err)
		case <-ctx.Done():
			return h, ctx.Err()
		}
		if err := h.Close(); err != nil {
			return nil, err
		}
	}
}

// holdToCheck holds what there is of a database, for those who want to know what is wrong
// with it. Files that are missing although nothing changes are not busy but lost.
func holdToCheck(ctx context.Context, fs fsys.FS) (*held, error) {
	r := holder{fs: fs, limit: fsys.OpenFileLimit, thorough: true}
	h, err := r.hold(ctx, func(h *held) error {
		_, err := wal.Check(h, h.logOptions(), nil)
		return err
	})
	if errors.Is(err, base.ErrCorrupt) {
		return h, nil
	}
	if err != nil && h != nil {
		return nil, errors.Join(err, h.Close())
	}
	return h, err
}

// isDamage reports whether err is about bad bytes.
func isDamage(err error) bool { return errors.Is(err, base.ErrCorrupt) && !errors.Is(err, wal.ErrGap) }

// startsOver reports whether err is what a reader may get when the writer removes,
// replaces or cuts a file.
func startsOver(err error) bool {
	return !isDamage(err) && (errors.Is(err, iofs.ErrNotExist) || errors.Is(err, fsys.ErrReplaced) ||
		errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, wal.ErrGap))
}

// lost returns the damage that err is about, something that is missing.
func (h *held) lost(err error) error {
	switch {
	case h.tail != nil: // it was no torn line, or all that it replaced would be there
		return h.tail.Corruption()
	case errors.Is(err, iofs.ErrNotExist):
		return &base.CorruptionError{File: h.absent, Offset: base.WholeFile, Err: errors.New("missing")}
	}
	return err
}

// giveUp returns what to say when err does not go away.
func (h *held) giveUp(err error) error {
	switch {
	case isDamage(err):
		return err
	case h.tail != nil: // it was no torn line, or all that it replaced would be there
		return h.tail.Corruption()
	}
	return fmt.Errorf("%w: %v", ErrBusy, err)
}

// once is one attempt. There is a result unless nothing could be held at all.
func (r *holder) once(use func(*held) error) (*held, error) {
	h, err := newHeld(r.fs)
	if err != nil {
		return nil, err
	}
	h.thorough = r.thorough
	if limit, ok := r.limit(); ok {
		h.limit = limit
	}
	for _, add := range []func() error{h.addFormat, h.addManifest, h.addFiles, h.addLog} {
		if err := add(); err != nil {
			if !h.thorough {
				return h, err
			}
			h.missing = cmp.Or(h.missing, err)
		}
	}
	if h.missing != nil {
		return h, h.missing
	}
	return h, use(h)
}
