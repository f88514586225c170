package engine

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/fsys"
)

func TestDurations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d durations
		for _, took := range []time.Duration{0, 100 * time.Microsecond, 3 * time.Millisecond, time.Second, time.Hour} {
			began := time.Now()
			time.Sleep(took)
			d.since(began)
		}
		h := d.histogram()
		want := map[float64]uint64{0.0001: 2, 0.0025: 2, 0.005: 3, 0.5: 3, 1: 4, 300: 4}
		for i, bound := range h.Bounds {
			if n, ok := want[bound]; ok && h.Counts[i] != n {
				t.Errorf("%d up to %v s, want %d", h.Counts[i], bound, n)
			}
		}
		if h.Count != 5 || h.Sum != 3601.0031 || !slices.IsSorted(h.Bounds) || len(h.Bounds) != len(h.Counts) {
			t.Errorf("%+v", h)
		}
	})
}

// Stats know the bounds of all points, in memory and in files, and after a restart, and
// what the engine has done.
func TestStatsOfBoundsAndUpkeep(t *testing.T) {
	fs := fsys.NewMem()
	opts := Options{Sync: SyncAlways, MaxDiskBytes: 1 << 30}
	e := openTest(t, fs, opts)
	if s := e.Stats(); !s.Empty || s.Start != 0 || s.End != 0 {
		t.Errorf("empty: %+v", s)
	}
	bounds := func(what string, start, end int64) {
		t.Helper()
		if s := e.Stats(); s.Empty || s.Start != start || s.End != end {
			t.Errorf("%s: from %d to %d, empty %v; want %d to %d", what, s.Start, s.End, s.Empty, start, end)
		}
	}
	write := func(ts int64) {
		t.Helper()
		if _, err := e.Write(t.Context(), rowsOf(t, e, 2, ts, 1), nil); err != nil {
			t.Fatal(err)
		}
	}
	write(500)
	bounds("in memory", 500, 500)
	if err := e.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	write(-7)
	bounds("in a file and in memory", -7, 500)
	write(900)
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	e = openTest(t, fs, opts)
	bounds("replayed", -7, 900)
	s := e.Stats()
	if s.WALSync.Count != 0 || s.QueueLength != 0 || s.QueueBytes != 0 || s.DiskBytes == 0 {
		t.Errorf("after opening: %+v", s)
	}
	write(1)
	if err := e.Compact(t.Context()); err != nil {
		t.Fatal(err)
	}
	s = e.Stats()
	if s.WALSync.Count == 0 || s.Flush.Count == 0 || s.Merge.Count == 0 || s.Merge.Count != uint64(s.Merges) || s.Merging || s.Flushing || s.FlushesFailed+s.MergesFailed != 0 {
		t.Errorf("after merging: %+v", s)
	}
	fs.SetHook(func(op fsys.Op) fsys.Fault {
		if op.Kind == fsys.OpCreate && op.Path != base.CurrentWAL {
			return fsys.Fault{Err: fsys.ErrNoSpace}
		}
		return fsys.Fault{}
	})
	write(2)
	if err := e.Flush(t.Context()); !errors.Is(err, ErrDiskFull) {
		t.Errorf("flush without room: %v", err)
	}
	if s := e.Stats(); s.FlushesFailed != 1 {
		t.Errorf("%d flushes failed, want 1", s.FlushesFailed)
	}
	fs.SetHook(nil)
}
