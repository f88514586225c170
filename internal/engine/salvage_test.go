package engine

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/fsys"
)

// salvaged is a database whose log failed to be synced, the n-th time, in the middle of
// batches of three points each.
type salvaged struct {
	fs    *fsys.Mem
	e     *Engine
	log   *bytes.Buffer
	acked int
	sent  int
}

// failSync writes until a sync of the log fails, once, and goes on trying then. gate
// decides what else fails from then on.
func failSync(t *testing.T, policy SyncPolicy, n int64, gate fsys.Hook) *salvaged {
	t.Helper()
	s := &salvaged{fs: fsys.NewMem(), log: new(bytes.Buffer)}
	opts := Options{Sync: policy, MergeOff: true, MemtableBytes: MinMemtableBytes, RotateBytes: 400, Logger: slog.New(slog.NewTextHandler(s.log, nil))}
	s.e = openReserved(t, s.fs, opts)
	var syncs atomic.Int64
	s.fs.SetHook(func(op fsys.Op) fsys.Fault {
		if op.Kind == fsys.OpSync && op.Path == base.CurrentWAL && syncs.Add(1) == n {
			return fsys.Fault{Err: errInjected}
		}
		if syncs.Load() >= n && gate != nil {
			return gate(op)
		}
		return fsys.Fault{}
	})
	for range 60 {
		rows := rowsOf(t, s.e, 3, int64(s.sent), float64(s.sent))
		_, err := s.e.Write(t.Context(), rows, nil)
		failed := s.e.Stats().State == "failed"
		switch {
		case err == nil && s.sent == s.acked:
			s.acked++
			s.sent++
		case err == nil:
			t.Errorf("batch %d was acknowledged after a failure", s.sent)
		case !errors.Is(err, ErrStorageFailed) || !failed:
			t.Errorf("batch %d: %v, failed %v", s.sent, err, failed)
		case s.sent == s.acked:
			s.sent++ // it may be in the log
		}
		time.Sleep(300 * time.Millisecond)
	}
	synctest.Wait()
	if s.sent == s.acked {
		t.Fatalf("the log was synced %d times, and not %d", syncs.Load(), n)
	}
	return s
}

// verify opens what is left on fs and finds at least some whole batches.
func (s *salvaged) verify(t *testing.T, fs *fsys.Mem, what string, atLeast int) {
	t.Helper()
	for range 2 {
		e := openReserved(t, fs, Options{})
		got, err := readRaw(e)
		if err != nil || got%3 != 0 || got < 3*atLeast || got > 3*s.sent {
			t.Errorf("%s: %d points, %v; %d batches were acknowledged, %d sent", what, got, err, s.acked, s.sent)
		}
		closed(t, e)
		atLeast = got / 3 // what has been read does not go again
	}
}

// TestSalvage has a sync of the log fail, and lie ever after. What was acknowledged before
// is flushed to new files and survives a power cut, whatever the policy; reads go on.
func TestSalvage(t *testing.T) {
	for policy := SyncInterval; policy <= SyncNone; policy++ {
		for n := int64(1); n <= 5; n++ {
			synctest.Test(t, func(t *testing.T) {
				s := failSync(t, policy, n, nil)
				what := fmt.Sprintf("%v, sync %d", policy, n)
				rng := rand.New(rand.NewPCG(uint64(n), uint64(policy)))
				for _, keep := range []int{0, 50, 100} {
					s.verify(t, s.fs.CrashClone(rng, keep), fmt.Sprintf("%s, keeping %d %%", what, keep), s.acked)
				}
				if got, err := readRaw(s.e); err != nil || got != 3*s.acked {
					t.Errorf("%s: reads show %d points, %v; %d batches were acknowledged", what, got, err, s.acked)
				}
				if text := s.log.String(); !strings.Contains(text, "safe on disk") || strings.Contains(text, "may not survive") {
					t.Errorf("%s: the log says %s", what, text)
				}
				if err := s.e.Close(); !errors.Is(err, ErrStorageFailed) {
					t.Errorf("%s: closing: %v", what, err)
				}
				s.fs.SetHook(nil)
				s.verify(t, s.fs, what+", restarted", s.acked)
			})
		}
	}
}

// TestSalvageThatFails has the files fail, too. The log of the server says which records
// are in doubt; those that were proven are there after a power cut, and all of them after
// a restart, also when the power goes right after it.
func TestSalvageThatFails(t *testing.T) {
	for policy := SyncInterval; policy <= SyncNone; policy++ {
		synctest.Test(t, func(t *testing.T) {
			n := map[SyncPolicy]int64{SyncInterval: 2, SyncAlways: 2, SyncNone: 3}[policy] // before it some were written
			s := failSync(t, policy, n, func(op fsys.Op) fsys.Fault {
				if strings.HasPrefix(op.Path, base.SegmentsDir) {
					return fsys.Fault{Err: errInjected}
				}
				return fsys.Fault{}
			})
			stats := s.e.Stats()
			warned := strings.Contains(s.log.String(), "may not survive a power cut")
			if doubt := uint64(s.e.writer.applied) > max(stats.DurableLSN, stats.FlushedLSN); warned != doubt || doubt != (policy != SyncAlways) {
				t.Errorf("%v: in doubt %v, the log says %s", policy, doubt, s.log)
			}
			if err := s.e.Close(); !errors.Is(err, ErrStorageFailed) {
				t.Errorf("%v: closing: %v", policy, err)
			}
			s.fs.SetHook(nil)
			rng := rand.New(rand.NewPCG(7, uint64(policy)))
			if policy == SyncAlways {
				s.verify(t, s.fs.CrashClone(rng, 0), "power cut", s.acked)
			}
			again := openReserved(t, s.fs, Options{})
			s.verify(t, s.fs.CrashClone(rng, 0), fmt.Sprint(policy, ", a power cut after a restart"), s.acked)
			closed(t, again)
		})
	}
}
