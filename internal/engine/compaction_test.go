package engine

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/fsys"
)

// quietHours returns a database with four files in each of two hours that got no writes for
// an hour, and the files. The first hour has the more files, so that it is the more urgent.
func quietHours(t *testing.T, fs fsys.FS) (first, second []string) {
	t.Helper()
	e := openTest(t, fs, Options{MaxSegmentFiles: NeverPack, MergeOff: true})
	start := base.DayStart(time.Now().UnixNano())
	for i := range int64(9) {
		s := resolve(t, e, "a")
		rows := make([]base.Row, 500)
		for k := range rows {
			ts := start + i%2*base.Hour + i + 10*int64(k)
			rows[k] = base.Row{TS: ts, Value: 0.37 * float64(k*k), Ordinal: s.Ordinal()}
		}
		if _, err := e.Write(t.Context(), rows, nil); err != nil {
			t.Fatal(err)
		}
		flush(t, e)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Hour)
	for _, file := range dataFiles(t, fs) {
		if strings.HasPrefix(file, base.SegmentDir(start)) {
			first = append(first, file)
		} else {
			second = append(second, file)
		}
	}
	return first, second
}

// TestOneMergeHoldsUpNoOther makes a file unreadable that the most urgent merge needs.
func TestOneMergeHoldsUpNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := fsys.NewMem()
		first, second := quietHours(t, fs)
		fs.SetHook(func(op fsys.Op) fsys.Fault {
			if op.Kind == fsys.OpOpen && op.Path == first[0] {
				return fsys.Fault{Err: errInjected}
			}
			return fsys.Fault{}
		})
		e := openTest(t, fs, Options{MaxSegmentFiles: NeverPack})
		synctest.Wait()
		if n := e.Stats().SegmentFiles; len(first) != 5 || len(second) != 4 || n != 5+1 {
			t.Errorf("%d files, want those of the first hour and one", n)
		}
		fs.SetHook(nil)
		time.Sleep(2 * maintenanceTick)
		synctest.Wait()
		if n := e.Stats().SegmentFiles; n != 2 {
			t.Errorf("%d files when the first hour can be read again", n)
		}
	})
}

// TestMergesGoAroundDamage merges what is left of an hour's files when one of them is
// missing.
func TestMergesGoAroundDamage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := fsys.NewMem()
		first, _ := quietHours(t, fs)
		if err := fs.Remove(first[0]); err != nil {
			t.Fatal(err)
		}
		e := openTest(t, fs, Options{MaxSegmentFiles: NeverPack, MergeOff: true})
		if err := e.Compact(t.Context()); !errors.Is(err, base.ErrCorrupt) {
			t.Errorf("the missing file is answered with %v", err)
		}
		if n := e.Stats().SegmentFiles; n != 3 {
			t.Errorf("%d files, want the missing one and one for each hour", n)
		}
	})
}

// TestMergesLeaveRoom has so little space on the disk that a merge would take the last of
// it. It waits until there is more, unless somebody asks for it.
func TestMergesLeaveRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := fsys.NewMem()
		_, second := quietHours(t, fs)
		e := openTest(t, fs, Options{MaxSegmentFiles: NeverPack, MergeOff: true})
		const plenty = 1 << 40
		fs.SetCapacity(plenty)
		free, err := fs.Space()
		if err != nil {
			t.Fatal(err)
		}
		used := plenty - int64(free)
		merge := func() int {
			if err := e.maintenance.do(t.Context(), func(context.Context) error { e.maintenance.mergeNext(); return nil }); err != nil {
				t.Fatal(err)
			}
			return e.Stats().SegmentFiles
		}
		inputs := int64(0)
		for _, file := range second {
			f, err := fs.Stat(file)
			if err != nil {
				t.Fatal(err)
			}
			inputs += f.Size
		}
		fs.SetCapacity(used + 2*inputs - 1) // less than half of it would do
		if n := merge(); n != 9 {
			t.Errorf("%d files while there is little room", n)
		}
		fs.SetCapacity(used + 2*inputs)
		if n := merge(); n != 5+1 {
			t.Errorf("%d files when there is room for the smaller merge", n)
		}
	})
}

// TestCompactEnds compacts while a flush brings more files during each merge.
func TestCompactEnds(t *testing.T) {
	fs := fsys.NewMem()
	e := openTest(t, fs, Options{MaxSegmentFiles: NeverPack, MergeOff: true})
	s := resolve(t, e, "a")
	write := func() {
		put(t, e, s, 1, 1)
		flush(t, e)
	}
	write()
	write()
	inputs := dataFiles(t, fs)
	merges := 0
	fs.SetHook(func(op fsys.Op) fsys.Fault {
		// A merge reads all that there is; queries do not run here.
		if op.Kind == fsys.OpOpen && strings.HasPrefix(op.Path, base.SegmentsDir) && merges < 10 {
			merges++
			write()
		}
		return fsys.Fault{}
	})
	if err := e.Compact(t.Context()); err != nil {
		t.Fatal(err)
	}
	fs.SetHook(nil)
	if n := e.Stats().Merges; n != 1 {
		t.Errorf("%d merges", n)
	}
	for _, file := range dataFiles(t, fs) {
		if slices.Contains(inputs, file) {
			t.Errorf("%s has not been merged", file)
		}
	}
}
