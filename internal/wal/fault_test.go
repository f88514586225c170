package wal

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/fsys"
	"github.com/sydradb/sydradb/internal/golden"
)

var errDisk = errors.New("input/output error")

// failNext lets the next operation of a kind fail, once or for good.
func failNext(fs *fsys.Mem, kind fsys.OpKind, fault fsys.Fault, lasting bool) {
	done := false
	fs.SetHook(func(op fsys.Op) fsys.Fault {
		if op.Kind != kind || done && !lasting {
			return fsys.Fault{}
		}
		done = true
		return fault
	})
}

// TestFailedSyncIsSticky: no method works any more, and no sync is tried again.
func TestFailedSyncIsSticky(t *testing.T) {
	for name, sync := range map[string]func(*Log) error{
		"Sync":   (*Log).Sync,
		"Mark":   func(l *Log) error { return l.Mark(false) },
		"Rotate": (*Log).Rotate,
	} {
		fs := fsys.NewMem()
		l := mustCreate(t, fs)
		mustAppend(t, l, batch(2, 1))
		failNext(fs, fsys.OpSync, fsys.Fault{Err: errDisk}, false)
		if err := sync(l); !errors.Is(err, ErrFailed) || !errors.Is(err, errDisk) {
			t.Fatalf("%s: %v", name, err)
		}
		fs.SetHook(func(op fsys.Op) fsys.Fault {
			t.Errorf("%s: %v after the failure", name, op)
			return fsys.Fault{}
		})
		_, err := l.Append([][]byte{batch(3, 1)})
		for i, err := range []error{err, l.Sync(), l.Mark(true), l.Rotate(), l.RemoveThrough(100)} {
			if !errors.Is(err, ErrFailed) || !errors.Is(err, errDisk) {
				t.Errorf("%s, then %d: %v", name, i, err)
			}
		}
		if l.Durable() != 1 || l.Last() != 2 {
			t.Errorf("%s: durable %d, last %d", name, l.Durable(), l.Last())
		}
	}
}

// TestFailedWriteIsCutBack: the log goes on as if the group had never come.
func TestFailedWriteIsCutBack(t *testing.T) {
	for _, written := range []int{0, 1, 30, 60} {
		fs := fsys.NewMem()
		l := mustCreate(t, fs)
		mustAppend(t, l, batch(2, 1))
		before := readFile(t, fs, base.CurrentWAL)
		failNext(fs, fsys.OpWrite, fsys.Fault{Err: fsys.ErrNoSpace, Written: written}, false)
		if _, err := l.Append([][]byte{batch(3, 1), batch(4, 1)}); !errors.Is(err, fsys.ErrNoSpace) || errors.Is(err, ErrFailed) {
			t.Fatalf("%d written: %v", written, err)
		}
		if l.Last() != 2 || l.Durable() != 2 || l.Bytes() != int64(len(before)) {
			t.Fatalf("last %d, durable %d, %d bytes", l.Last(), l.Durable(), l.Bytes())
		}
		// Durably so: a power cut does not bring the group back.
		if after := readFile(t, fs.CrashClone(dice(), 0), base.CurrentWAL); !bytes.Equal(after, before) {
			t.Fatalf("%d written: %d bytes on disk, want %d", written, len(after), len(before))
		}
		if first := mustAppend(t, l, batch(5, 1)); first != 3 {
			t.Fatalf("first = %d", first)
		}
		must(t, l.Sync())
		_, _, got, err := reopen(fs.CrashClone(dice(), 0), OpenOptions{})
		must(t, err)
		if !slices.Equal(lsns(got), upTo(3)) || got[2].body != body(batch(5, 1)) {
			t.Fatalf("records %v", lsns(got))
		}
	}
}

func TestFailedCutIsSticky(t *testing.T) {
	for _, kind := range []fsys.OpKind{fsys.OpTruncate, fsys.OpSync} {
		fs := fsys.NewMem()
		l := mustCreate(t, fs)
		fs.SetHook(func(op fsys.Op) fsys.Fault {
			switch op.Kind {
			case fsys.OpWrite:
				return fsys.Fault{Err: fsys.ErrNoSpace, Written: 5}
			case kind:
				return fsys.Fault{Err: errDisk}
			}
			return fsys.Fault{}
		})
		_, err := l.Append([][]byte{batch(2, 1)})
		if !errors.Is(err, ErrFailed) || !errors.Is(err, errDisk) || !errors.Is(err, fsys.ErrNoSpace) {
			t.Fatalf("%v fails: %v", kind, err)
		}
		if _, again := l.Append([][]byte{batch(2, 1)}); !errors.Is(again, ErrFailed) {
			t.Fatalf("%v failed, then %v", kind, again)
		}
	}
}

// TestRotationWithoutRoom: the log stays usable, and makes up for the file it could not
// start.
func TestRotationWithoutRoom(t *testing.T) {
	for _, c := range []struct {
		kind  fsys.OpKind
		fault fsys.Fault
	}{
		{fsys.OpCreate, fsys.Fault{Err: fsys.ErrNoSpace}},
		{fsys.OpWrite, fsys.Fault{Err: fsys.ErrNoSpace, Written: 7}},
		{fsys.OpRename, fsys.Fault{Err: fsys.ErrNoSpace}},
	} {
		fs := fsys.NewMem()
		l := mustCreate(t, fs)
		mustAppend(t, l, batch(2, 1))
		failNext(fs, c.kind, c.fault, true)
		for range 2 {
			if err := l.Rotate(); !errors.Is(err, fsys.ErrNoSpace) || errors.Is(err, ErrFailed) {
				t.Fatalf("%v fails: %v", c.kind, err)
			}
			if l.Last() != 2 || l.Durable() != 2 {
				t.Fatalf("%v fails: last %d, durable %d", c.kind, l.Last(), l.Durable())
			}
			must(t, l.Sync())
		}
		if _, err := l.Append([][]byte{batch(3, 1)}); (err == nil) != (c.kind == fsys.OpRename) {
			t.Fatalf("%v fails, append: %v", c.kind, err)
		}
		fs.SetHook(nil)
		mustAppend(t, l, batch(4, 1))
		must(t, l.Rotate())
		must(t, l.Close())
		_, _, got, err := reopen(fs.CrashClone(dice(), 0), OpenOptions{})
		must(t, err)
		if !slices.Equal(lsns(got), upTo(l.Last())) {
			t.Fatalf("%v fails: %v, last %d", c.kind, lsns(got), l.Last())
		}
		if open := fs.OpenFiles(); len(open) != 0 {
			t.Fatalf("%v fails: left open: %v", c.kind, open)
		}
	}
}

// TestRotationWithoutDescriptors: a directory that cannot be opened was not synced, and
// that is made up for before anything rests on it.
func TestRotationWithoutDescriptors(t *testing.T) {
	for first := range 2 {
		fs := fsys.NewMem()
		l := mustCreate(t, fs)
		mustAppend(t, l, batch(2, 1))
		syncs := 0
		fs.SetHook(func(op fsys.Op) fsys.Fault {
			if op.Kind == fsys.OpSyncDir {
				if syncs++; syncs > first {
					return fsys.Fault{Err: fsys.ErrTooManyFiles}
				}
			}
			return fsys.Fault{}
		})
		for range 2 {
			if err := l.Rotate(); !errors.Is(err, fsys.ErrTooManyFiles) || errors.Is(err, ErrFailed) {
				t.Fatalf("sync %d of the directory fails: %v", first, err)
			}
			for _, survive := range []int{0, 50, 100} {
				_, _, got, err := reopen(fs.CrashClone(dice(), survive), OpenOptions{})
				must(t, err)
				if n := lsns(got); !slices.Equal(n, upTo(2)) && !slices.Equal(n, upTo(3)) { // 3 is the new file's Header
					t.Fatalf("sync %d of the directory fails, then the power: %v", first, lsns(got))
				}
			}
		}
		fs.SetHook(nil)
		mustAppend(t, l, batch(4, 1))
		must(t, l.Sync())
		must(t, l.Close())
		_, _, got, err := reopen(fs.CrashClone(dice(), 0), OpenOptions{})
		must(t, err)
		if !slices.Equal(lsns(got), upTo(l.Last())) {
			t.Fatalf("sync %d of the directory fails: %v, last %d", first, lsns(got), l.Last())
		}
		if open := fs.OpenFiles(); len(open) != 0 {
			t.Fatalf("sync %d of the directory fails: left open: %v", first, open)
		}
	}
}

// TestOpensOnAFullDisk: neither the copy of a torn tail nor the new file is worth
// refusing the points that are there.
func TestOpensOnAFullDisk(t *testing.T) {
	fs, log, offsets := sample(t)
	fs = with(t, fs, base.CurrentWAL, log[:len(log)-1])
	fs.SetCapacity(int64(len(log)))
	l, report, got, err := reopen(fs, OpenOptions{})
	must(t, err)
	if !slices.Equal(lsns(got), upTo(7)) || report.Torn == nil || report.Torn.Kept != "" {
		t.Fatalf("%v, %+v", lsns(got), report.Torn)
	}
	if left := readFile(t, fs.CrashClone(dice(), 0), base.CurrentWAL); !bytes.Equal(left, log[:offsets[7]]) {
		t.Fatalf("%d bytes left, want %d", len(left), offsets[7])
	}
	fs.SetCapacity(1 << 20)
	checkUsable(t, fs, l, OpenOptions{})
}

// TestBytesAndRemoval follows the sizes through rotation and removal.
func TestBytesAndRemoval(t *testing.T) {
	fs := fsys.NewMem()
	l := mustCreate(t, fs)
	total := func() (n int64) {
		entries, err := fs.List(base.WALDir)
		must(t, err)
		for _, e := range entries {
			n += e.Size
		}
		return n
	}
	check := func(files int) {
		t.Helper()
		entries, err := fs.List(base.WALDir)
		must(t, err)
		if l.Bytes() != total() || len(entries) != files {
			t.Fatalf("%d bytes in %d files, want %d in %d", l.Bytes(), len(entries), total(), files)
		}
	}
	for n := range 3 {
		mustAppend(t, l, batch(n, 10))
		must(t, l.Rotate())
		check(n + 2)
	}
	// Files: 1 and 2, 3 and 4, 5 and 6, 7.
	must(t, l.RemoveThrough(1))
	check(4)
	must(t, l.RemoveThrough(3))
	check(3)
	failNext(fs, fsys.OpRemove, fsys.Fault{Err: errDisk}, false)
	if err := l.RemoveThrough(6); !errors.Is(err, errDisk) || l.failed != nil {
		t.Fatalf("failing removal: %v, %v", err, l.failed)
	}
	check(3)
	must(t, l.RemoveThrough(1000))
	check(1)
	if l.CurrentBytes() != headerFrame {
		t.Fatalf("current.wal has %d bytes", l.CurrentBytes())
	}
}

// TestOrderOfSyncs pins what reaches the disk in which order.
func TestOrderOfSyncs(t *testing.T) {
	var out bytes.Buffer
	mem := fsys.NewMem()
	fs := fsys.Trace(mem, func(op fsys.Op) {
		if op.Kind.Mutates() {
			out.WriteString("  " + op.String() + "\n")
		}
	})
	part := func(name string, err error) {
		t.Helper()
		must(t, err)
		out.WriteString("^ " + name + "\n\n")
	}
	l, err := Create(fs, testUUID, 1)
	part("create", err)
	_, err = l.Append([][]byte{batch(2, 1), batch(3, 1)})
	part("append two records", err)
	part("sync", l.Sync())
	part("sync again", l.Sync())
	_, err = l.Append([][]byte{batch(4, 1), batch(5, 40_000), batch(6, 1)})
	part("append two small records and a big one", err)
	part("rotate", l.Rotate())
	part("remove through 6", l.RemoveThrough(6))
	_, err = l.Append([][]byte{batch(8, 1)})
	part("append", err)
	part("mark for a clean close", l.Mark(true))
	part("close", l.Close())
	l, _, _, err = reopen(fs, OpenOptions{Flushed: 6, Demand: 9})
	part("open after a clean close", err)
	_, err = l.Append([][]byte{batch(10, 1)})
	part("append", err)
	part("die", l.Close())
	l, _, _, err = reopen(fs, OpenOptions{Flushed: 6, Demand: 9})
	part("open after that", err)
	must(t, l.Close())

	log := readFile(t, mem, base.CurrentWAL)
	writeFile(t, mem, base.CurrentWAL, log[:len(log)-1])
	l, _, _, err = reopen(fs, OpenOptions{Flushed: 6})
	part("open with a torn tail", err)
	part("rotate", l.Rotate())
	must(t, l.Close())

	writeFile(t, mem, base.CurrentWAL, nil)
	l, _, _, err = reopen(fs, OpenOptions{Flushed: 6})
	part("open with an empty current.wal", err)
	must(t, l.Close())
	must(t, mem.Remove(base.CurrentWAL))
	l, _, _, err = reopen(fs, OpenOptions{Flushed: 6})
	part("open without current.wal", err)
	must(t, l.Close())
	golden.Check(t, "testdata/order.golden", out.Bytes())
}
