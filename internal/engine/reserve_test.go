package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/fsys"
)

const reserveSize = 64 << 10

// reserveOf returns the size of the file RESERVE, -1 if there is none.
func reserveOf(t *testing.T, fs fsys.FS) int64 {
	t.Helper()
	e, err := fs.Stat(base.ReserveFile)
	if err != nil {
		return -1
	}
	return e.Size
}

// openReserved opens a database and waits until it rests, in virtual time.
func openReserved(t *testing.T, fs fsys.FS, opts Options) *Engine {
	t.Helper()
	e, err := Open(fs, opts)
	if err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
	return e
}

func closed(t *testing.T, e *Engine) {
	t.Helper()
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
}

// fill leaves room for bytes on fs.
func fill(t *testing.T, fs *fsys.Mem, room uint64) {
	t.Helper()
	fs.SetCapacity(1 << 40)
	free, err := fs.Space()
	if err != nil {
		t.Fatal(err)
	}
	fs.SetCapacity(1<<40 - int64(free-room))
}

// TestReserveFile says when the file is made, by which size, and when it is not.
func TestReserveFile(t *testing.T) {
	for name, tt := range map[string]struct {
		before, want int64 // the option, at two openings
		room         int64 // beside what is there at the second one
		left         int64
	}{
		"made":            {0, 5000, 1 << 20, 5000},
		"stays":           {5000, 0, 1 << 20, 5000},
		"stays in want":   {5000, 5000, 0, 5000},
		"removed":         {5000, -1, 1 << 20, -1},
		"larger":          {5000, 3 << 20, 1 << 30, 3 << 20},
		"smaller":         {5000, 70, 1 << 20, 70},
		"no room":         {0, 500 << 10, 999 << 10, -1},
		"no room to grow": {5000, 500 << 10, 999 << 10, 5000},
	} {
		synctest.Test(t, func(t *testing.T) {
			fs := fsys.NewMem()
			closed(t, openReserved(t, fs, Options{ReserveBytes: tt.before}))
			fill(t, fs, uint64(tt.room))
			e := openReserved(t, fs, Options{ReserveBytes: tt.want, MaxDiskBytes: 1 << 40})
			defer closed(t, e)
			s := e.Stats()
			if got := reserveOf(t, fs); got != tt.left || s.ReserveBytes != max(got, 0) || s.State != "ok" {
				t.Errorf("%s: %d bytes, %+v; want %d", name, got, s, tt.left)
			}
			all, err := fsys.DiskUsage(fs, "")
			if s.DiskBytes+s.ReserveBytes != all {
				t.Errorf("%s: %d bytes and a reserve of %d on a disk with %d, %v", name, s.DiskBytes, s.ReserveBytes, all, err)
			}
			if is, err := isReserve(fs, base.ReserveFile); s.ReserveBytes > 100 && (!is || err != nil) {
				t.Errorf("%s: the file does not say what it is: %v", name, err)
			}
		})
	}
}

// fullDisk is a database with points in memory and in files, and no byte left on its disk.
func fullDisk(t *testing.T) (*fsys.Mem, *Engine) {
	t.Helper()
	fs := fsys.NewMem()
	e := openReserved(t, fs, Options{ReserveBytes: reserveSize, MergeOff: true, Sync: SyncAlways, RewriteSlack: -1 << 20})
	for ts := range int64(3) {
		put(t, e, resolve(t, e, fmt.Sprint("a", ts)), ts, 1)
		flush(t, e)
	}
	put(t, e, resolve(t, e, "b"), 9, 1)
	fill(t, fs, 0)
	return fs, e
}

// TestWorkOnAFullDisk does what makes a full disk less full. It gets the reserve; points
// do not, before nor after, until there is room for it again.
func TestWorkOnAFullDisk(t *testing.T) {
	for name, work := range map[string]func(ctx context.Context, e *Engine) error{
		"flush":  func(ctx context.Context, e *Engine) error { return e.Flush(ctx) },
		"retain": func(ctx context.Context, e *Engine) error { return e.Retain(ctx, true) },
		"delete": func(ctx context.Context, e *Engine) error {
			_, err := e.Delete(ctx, Selector{}, 0, 1)
			return err
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			fs, e := fullDisk(t)
			defer closed(t, e)
			if name == "retain" {
				e.opts.Retention.Default, e.maintenance.opts.Retention.Default = time.Hour, time.Hour
			}
			rows := rowsOf(t, e, 1, time.Now().UnixNano(), 100)
			if _, err := e.Write(t.Context(), rows, nil); !errors.Is(err, ErrDiskFull) || reserveOf(t, fs) != reserveSize || e.Stats().State != "ok" {
				t.Errorf("%s: points are answered with %v, with a reserve of %d", name, err, reserveOf(t, fs))
			}
			if err := work(t.Context(), e); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			synctest.Wait()
			if s := e.Stats(); s.ReserveBytes != 0 || s.State != "full" || reserveOf(t, fs) >= 0 {
				t.Errorf("%s: a reserve of %d, state %s", name, s.ReserveBytes, s.State)
			}
			if _, err := e.Write(t.Context(), rows, nil); !errors.Is(err, ErrDiskFull) {
				t.Errorf("%s: points took the reserve: %v", name, err)
			}
			fill(t, fs, 2*reserveSize-1)
			time.Sleep(3 * time.Second)
			if s := e.Stats(); s.State != "full" {
				t.Errorf("%s: without room for as much again the state is %s", name, s.State)
			}
			fill(t, fs, 2*reserveSize)
			time.Sleep(reserveSoon + time.Millisecond)
			synctest.Wait()
			if s := e.Stats(); s.ReserveBytes != reserveSize || s.State != "ok" {
				t.Errorf("%s: with room again: a reserve of %d, state %s", name, s.ReserveBytes, s.State)
			}
			if _, err := e.Write(t.Context(), rows, nil); err != nil {
				t.Errorf("%s: with room again: %v", name, err)
			}
		})
	}
}

// TestDeletionBesidePoints has a deletion and a batch go into the log in one group: the
// one gets the reserve, the other an error.
func TestDeletionBesidePoints(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs, e := fullDisk(t)
		defer closed(t, e)
		rows := rowsOf(t, e, 1, 100, 100)
		wrote, deleted := make(chan error, 1), make(chan error, 1)
		e.writer.between(func() { // both wait for the end of this
			go func() {
				_, err := e.Write(t.Context(), rows, nil)
				wrote <- err
			}()
			synctest.Wait()
			go func() {
				_, err := e.Delete(t.Context(), Selector{}, 0, 1)
				deleted <- err
			}()
			synctest.Wait()
		})
		if err := <-wrote; !errors.Is(err, ErrDiskFull) {
			t.Errorf("the batch: %v", err)
		}
		if err := <-deleted; err != nil {
			t.Errorf("the deletion: %v", err)
		}
		if got, err := readRaw(e); err != nil || got != 2 || reserveOf(t, fs) >= 0 {
			t.Errorf("%d points, %v, a reserve of %d", got, err, reserveOf(t, fs))
		}
	})
}

// TestNoDeletionAfterAFailure has storage fail, for want of room, while a deletion waits. The
// reserve is no help then.
func TestNoDeletionAfterAFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := fsys.NewMem()
		e := openReserved(t, fs, Options{ReserveBytes: reserveSize, MergeOff: true})
		put(t, e, resolve(t, e, "a"), 1, 1)
		deleted := make(chan error, 1)
		e.writer.between(func() {
			go func() {
				_, err := e.Delete(t.Context(), Selector{}, 0, 1)
				deleted <- err
			}()
			synctest.Wait()
			e.writer.fail(fsys.ErrNoSpace)
		})
		if err := <-deleted; !errors.Is(err, ErrStorageFailed) || reserveOf(t, fs) != reserveSize {
			t.Errorf("the deletion: %v, a reserve of %d", err, reserveOf(t, fs))
		}
		if err := e.Close(); !errors.Is(err, ErrStorageFailed) {
			t.Errorf("closing: %v", err)
		}
	})
}

// TestReserveGivenUpMeanwhile has somebody else give the reserve up while work finds no room.
func TestReserveGivenUpMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := openReserved(t, fsys.NewMem(), Options{ReserveBytes: reserveSize})
		defer closed(t, e)
		r, tries := e.writer.reserve, 0
		work := func() error {
			if tries++; tries == 1 && !r.giveUp("something else") {
				t.Error("there is no reserve")
			}
			return fsys.ErrNoSpace
		}
		if err := r.try("work", work); !errors.Is(err, fsys.ErrNoSpace) || tries != 2 {
			t.Errorf("%d attempts, %v", tries, err)
		}
	})
}

// TestReserveGivenUpHalfMade has work find no room while the file is being made. It waits for
// no more than the piece that is under way, and gets what was taken.
func TestReserveGivenUpHalfMade(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const pieces = 8
		fs := fsys.NewMem()
		var written, synced atomic.Int64
		gate := make(chan struct{})
		fs.SetHook(func(op fsys.Op) fsys.Fault {
			if !strings.HasPrefix(op.Path, base.ReserveFile) {
				return fsys.Fault{}
			}
			if op.Kind == fsys.OpWrite && written.Add(1) == 2 {
				<-gate
			}
			if op.Kind == fsys.OpSync {
				synced.Add(1)
			}
			return fsys.Fault{}
		})
		e := openReserved(t, fs, Options{ReserveBytes: pieces * reservePiece})
		defer closed(t, e)
		r, tries := e.writer.reserve, 0
		done := make(chan error, 1)
		go func() {
			done <- r.try("work", func() error {
				if tries++; tries == 1 {
					return fsys.ErrNoSpace
				}
				return nil
			})
		}()
		for r.wanted.Load() == 0 {
			runtime.Gosched() // who waits for a mutex is not at rest
		}
		close(gate)
		if err := <-done; err != nil || tries != 2 {
			t.Errorf("%d attempts, %v", tries, err)
		}
		synctest.Wait()
		if written.Load() != 2 || synced.Load() != 2 {
			t.Errorf("%d pieces were written, %d synced", written.Load(), synced.Load())
		}
		if left, err := fsys.Exists(fs, base.ReserveFile+base.TempSuffix); left || err != nil || e.Stats().State != "full" {
			t.Errorf("left behind %v, %v, state %s", left, err, e.Stats().State)
		}
		time.Sleep(reserveSoon + time.Millisecond)
		synctest.Wait()
		if s := e.Stats(); s.State != "ok" || s.ReserveBytes != pieces*reservePiece || synced.Load() != 2+pieces {
			t.Errorf("a reserve of %d, state %s, %d syncs", s.ReserveBytes, s.State, synced.Load())
		}
	})
}

// TestSomebodysReserve has a file of the name in a database that is not its own. It is neither
// given up nor replaced nor removed, whatever is wanted.
func TestSomebodysReserve(t *testing.T) {
	const birds = "a list of birds"
	for _, want := range []int64{reserveSize, int64(len(birds)), 0, -1} {
		synctest.Test(t, func(t *testing.T) {
			fs := fsys.NewMem()
			closed(t, openReserved(t, fs, Options{}))
			mustReplace(t, fs, base.ReserveFile, []byte(birds))
			e := openReserved(t, fs, Options{ReserveBytes: want, Sync: SyncAlways})
			defer closed(t, e)
			put(t, e, resolve(t, e, "a"), 1, 1)
			fill(t, fs, 0)
			if err := e.Flush(t.Context()); !errors.Is(err, ErrDiskFull) {
				t.Errorf("%d wanted: a flush without room: %v", want, err)
			}
			fill(t, fs, 1<<30)
			time.Sleep(reserveLater)
			synctest.Wait()
			if data, err := fsys.ReadFile(fs, base.ReserveFile); string(data) != birds {
				t.Errorf("%d wanted: the file has %d bytes, %v", want, len(data), err)
			}
			if s := e.Stats(); s.State != "ok" || s.ReserveBytes != 0 {
				t.Errorf("%d wanted: a reserve of %d, state %s", want, s.ReserveBytes, s.State)
			}
		})
	}
}

// TestFailedAndFull has storage fail while a batch waits, on a disk that has become full as
// well. There is no use in waiting for room then, so that is not what is said.
func TestFailedAndFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := openReserved(t, fsys.NewMem(), Options{ReserveBytes: reserveSize})
		rows := rowsOf(t, e, 1, 1, 1)
		wrote := make(chan error, 1)
		e.writer.between(func() {
			go func() {
				_, err := e.Write(t.Context(), rows, nil)
				wrote <- err
			}()
			synctest.Wait()
			e.writer.reserve.giveUp("something else")
			e.writer.fail(errInjected)
		})
		if err := <-wrote; !errors.Is(err, ErrStorageFailed) || errors.Is(err, ErrDiskFull) {
			t.Errorf("the batch: %v", err)
		}
		if err := e.Close(); !errors.Is(err, ErrStorageFailed) {
			t.Errorf("closing: %v", err)
		}
	})
}

// TestRestartOnAFullDisk ends and opens a database that has given its reserve up. Points do
// not take what it left, so that there is room for what makes room.
func TestRestartOnAFullDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs, e := fullDisk(t)
		flush(t, e)
		closed(t, e)
		e = openReserved(t, fs, Options{ReserveBytes: reserveSize, MergeOff: true})
		defer closed(t, e)
		if _, err := e.Write(t.Context(), rowsOf(t, e, 1, 10, 1), nil); !errors.Is(err, ErrDiskFull) || e.Stats().State != "full" {
			t.Errorf("points after a restart: %v, state %s", err, e.Stats().State)
		}
		if _, err := e.Delete(t.Context(), Selector{}, 0, 1); err != nil {
			t.Errorf("a deletion after a restart: %v", err)
		}
		flush(t, e)
		fill(t, fs, 2*reserveSize)
		time.Sleep(reserveSoon + time.Millisecond)
		synctest.Wait()
		if s := e.Stats(); s.ReserveBytes != reserveSize || s.State != "ok" {
			t.Errorf("with room again: a reserve of %d, state %s", s.ReserveBytes, s.State)
		}
	})
}

// TestRoomThatComesAndGoes has room go while the reserve is made, as somebody else fills the
// disk. When it comes back, points are soon taken again; what never comes is not tried for
// each second.
func TestRoomThatComesAndGoes(t *testing.T) {
	for _, stays := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			fs, e := fullDisk(t)
			defer closed(t, e)
			flush(t, e)
			synctest.Wait()
			var tries atomic.Int64
			fs.SetHook(func(op fsys.Op) fsys.Fault {
				if op.Kind == fsys.OpWrite && strings.HasPrefix(op.Path, base.ReserveFile) {
					tries.Add(1)
					return fsys.Fault{Err: fsys.ErrNoSpace}
				}
				return fsys.Fault{}
			})
			fill(t, fs, 3*reserveSize)
			if stays {
				time.Sleep(10 * time.Minute)
				if n := tries.Load(); n < 5 || n > 20 {
					t.Errorf("%d attempts in ten minutes", n)
				}
			} else {
				time.Sleep(reserveSoon + time.Millisecond)
			}
			fs.SetHook(nil)
			if stays {
				time.Sleep(reserveLater)
			} else {
				time.Sleep(4 * reserveSoon)
			}
			synctest.Wait()
			if s := e.Stats(); s.State != "ok" || tries.Load() == 0 {
				t.Errorf("state %s after %d attempts", s.State, tries.Load())
			}
		})
	}
}

// TestOpenOnAFullDisk opens what a power cut left on a disk without room, with torn ends
// to be copied and a log to be written anew.
func TestOpenOnAFullDisk(t *testing.T) {
	for _, want := range []int64{reserveSize, 0} {
		synctest.Test(t, func(t *testing.T) {
			fs, e := fullDisk(t)
			left := fs.CrashClone(rand.New(rand.NewPCG(1, 1)), 100)
			closed(t, e)
			left.SetCapacity(1 << 40)
			f, err := left.OpenAppend(base.CurrentWAL)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.WriteString(f, "torn"); err != nil {
				t.Fatal(err)
			}
			fill(t, left, 0)
			again := openReserved(t, left, Options{ReserveBytes: want})
			defer closed(t, again)
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
			s := again.Stats()
			if got, err := readRaw(again); err != nil || got != 4 || reserveOf(t, left) >= 0 || s.ReserveBytes != 0 {
				t.Errorf("%d points, %v, a reserve of %d, %+v", got, err, reserveOf(t, left), s)
			}
			files, err := left.List(base.WALDir)
			if err != nil || !strings.Contains(fmt.Sprint(files), ".torn") {
				t.Errorf("the torn end was not kept: %v, %v", files, err)
			}
			if state := map[bool]string{true: "full", false: "ok"}[want > 0]; s.State != state {
				t.Errorf("state %s, want %s", s.State, state)
			}
			if err := again.Flush(t.Context()); err != nil {
				t.Errorf("the room was not kept: %v", err)
			}
		})
	}
}

// TestReserveThatCannotBeMade has the system speak of room that there is not, and the
// file fail to be written and to be removed.
func TestReserveThatCannotBeMade(t *testing.T) {
	for _, kind := range []fsys.OpKind{fsys.OpCreate, fsys.OpWrite, fsys.OpSync, fsys.OpRename} {
		synctest.Test(t, func(t *testing.T) {
			fs := fsys.NewMem()
			tries := 0
			fs.SetHook(func(op fsys.Op) fsys.Fault {
				if op.Kind == kind && strings.HasPrefix(op.Path, base.ReserveFile) {
					tries++
					return fsys.Fault{Err: fsys.ErrNoSpace}
				}
				return fsys.Fault{}
			})
			e := openReserved(t, fs, Options{ReserveBytes: reserveSize})
			defer closed(t, e)
			for range 3 {
				flush(t, e) // many a round of maintenance
				put(t, e, resolve(t, e, "a"), 1, 1)
			}
			synctest.Wait()
			if found, err := fsys.Exists(fs, base.ReserveFile+base.TempSuffix); found || err != nil || tries != 1 || e.Stats().State != "ok" {
				t.Errorf("%v: after %d attempts, left behind %v, %v", kind, tries, found, err)
			}
			fs.SetHook(nil)
			time.Sleep(reserveLater + time.Second)
			synctest.Wait()
			if got := e.Stats().ReserveBytes; got != reserveSize {
				t.Errorf("%v: a reserve of %d after a while", kind, got)
			}
			fs.SetHook(func(op fsys.Op) fsys.Fault {
				if op.Kind == fsys.OpRemove && op.Path == base.ReserveFile || op.Kind == fsys.OpCreate {
					return fsys.Fault{Err: fsys.ErrNoSpace}
				}
				return fsys.Fault{}
			})
			if err := e.Flush(t.Context()); !errors.Is(err, ErrDiskFull) || e.Stats().State != "ok" {
				t.Errorf("%v: a flush without room and a reserve that stays: %v", kind, err)
			}
			fs.SetHook(nil)
			time.Sleep(2 * flushRetryWait)
		})
	}
}

// TestReserveBesideACheck has check, inspection and copies pass by the file, and a new
// database made where nothing else is left.
func TestReserveBesideACheck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := fsys.NewMem()
		e := openReserved(t, fs, Options{ReserveBytes: reserveSize})
		put(t, e, resolve(t, e, "a"), 1, 1)
		copied := fsys.NewMem()
		if err := e.Snapshot(t.Context(), copied); err != nil {
			t.Error(err)
		}
		closed(t, e)
		if err := checkClean(fs, Options{}); err != nil || reserveOf(t, copied) >= 0 {
			t.Errorf("check: %v; the copy has a reserve of %d", err, reserveOf(t, copied))
		}
	})
	for file, ok := range map[string]bool{base.ReserveFile: true, base.ReserveFile + base.TempSuffix: true, "other": false} {
		fs := fsys.NewMem()
		mustReplace(t, fs, file, []byte(reserveText+"abc"))
		e, err := Open(fs, Options{})
		if (err == nil) != ok {
			t.Errorf("opening where %s is left: %v", file, err)
		}
		if err == nil {
			closed(t, e)
		}
	}
	fs := fsys.NewMem()
	mustReplace(t, fs, base.ReserveFile, []byte("a list of birds"))
	if _, err := Open(fs, Options{}); !errors.Is(err, ErrNotDatabase) || reserveOf(t, fs) != 15 {
		t.Errorf("somebody's file: %v", err)
	}
}
