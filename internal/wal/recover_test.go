package wal

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/frame"
	"github.com/sydradb/sydradb/internal/fsys"
)

// sample makes a log: Header 1, records 2 to 4 synced, 5 and 6 that know of it, a Mark
// 7 and a last record 8. It returns the directory, the bytes of current.wal and the
// offsets of the records, with the end as the last one.
func sample(t testing.TB) (fs *fsys.Mem, log []byte, offsets []int64) {
	fs = fsys.NewMem()
	l := mustCreate(t, fs)
	mustAppend(t, l, batch(2, 3), batch(3, 1), batch(4, 2))
	must(t, l.Sync())
	mustAppend(t, l, batch(5, 1))
	mustAppend(t, l, batch(6, 1))
	must(t, l.Mark(false))
	mustAppend(t, l, batch(8, 1))
	must(t, l.Close())
	must(t, Scan(fs, base.CurrentWAL, func(r Record) error {
		offsets = append(offsets, r.Offset)
		return nil
	}))
	log = readFile(t, fs, base.CurrentWAL)
	return fs, log, append(offsets, int64(len(log)))
}

// with returns a copy of fs with other bytes in a file.
func with(t testing.TB, fs *fsys.Mem, path string, data []byte) *fsys.Mem {
	t.Helper()
	clone := fs.CrashClone(dice(), 100)
	writeFile(t, clone, path, data)
	return clone
}

// checkUsable appends to the log, opens it once more and checks that all is there.
func checkUsable(t testing.TB, fs fsys.FS, l *Log, opts OpenOptions) {
	t.Helper()
	next := l.Last() + 1
	if first := mustAppend(t, l, batch(100, 1)); first != next {
		t.Fatalf("appended as %d, want %d", first, next)
	}
	must(t, l.Sync())
	must(t, l.Close())
	l, report, got, err := reopen(fs, opts)
	must(t, err)
	if report.Torn != nil || report.Last != next || len(got) == 0 || got[len(got)-1] != (seen{next, TypeBatch, body(batch(100, 1))}) {
		t.Fatalf("after recovery and an append: %+v, %v", report, lsns(got))
	}
	must(t, l.Close())
}

func TestCutAtEveryByte(t *testing.T) {
	fs, log, offsets := sample(t)
	_, _, all, err := reopen(fs.CrashClone(dice(), 100), OpenOptions{})
	must(t, err)
	for n := range len(log) + 1 {
		cut := with(t, fs, base.CurrentWAL, log[:n])
		whole := 0 // records within n bytes
		for whole < len(all) && offsets[whole+1] <= int64(n) {
			whole++
		}
		l, report, got, err := reopen(cut, OpenOptions{NowMS: func() int64 { return 5 }})
		must(t, err)
		if !slices.Equal(got, all[:whole]) {
			t.Fatalf("cut at %d: records %v, want %d", n, lsns(got), whole)
		}
		if offsets[whole] == int64(n) {
			if report.Torn != nil {
				t.Fatalf("cut at %d, between records: torn %+v", n, report.Torn)
			}
		} else {
			torn := report.Torn
			if torn == nil || torn.File != base.CurrentWAL || torn.Offset != offsets[whole] || torn.Expected != base.LSN(whole+1) ||
				torn.Bytes != int64(n)-offsets[whole] || !errors.Is(torn.Cause, frame.ErrShort) {
				t.Fatalf("cut at %d: torn %+v", n, torn)
			}
			if torn.Kept != base.TornFile(torn.Expected, 5) || !bytes.Equal(readFile(t, cut, torn.Kept), log[offsets[whole]:n]) {
				t.Fatalf("cut at %d: kept as %q", n, torn.Kept)
			}
		}
		checkUsable(t, cut, l, OpenOptions{})
	}
}

// TestFlipEveryBit expects the tail rule to the letter: up to record 4 a later record
// says that it was on disk; so do the Mark and record 8 of 5 and 6, and record 8 not
// of the Mark.
func TestFlipEveryBit(t *testing.T) {
	fs, log, offsets := sample(t)
	_, _, all, err := reopen(fs.CrashClone(dice(), 100), OpenOptions{})
	must(t, err)
	const proven = 6
	for bit := range len(log) * 8 {
		k, _ := slices.BinarySearch(offsets, int64(bit/8)+1)
		k-- // the record that is hit
		bad := bytes.Clone(log)
		bad[bit/8] ^= 1 << (bit % 8)
		fs := with(t, fs, base.CurrentWAL, bad)
		l, report, got, err := reopen(fs, OpenOptions{})
		if k < proven {
			wantDamage(t, err, base.CurrentWAL, offsets[k])
			if !bytes.Equal(readFile(t, fs, base.CurrentWAL), bad) {
				t.Fatalf("bit %d: the damaged file was changed", bit)
			}
			continue
		}
		must(t, err)
		if !slices.Equal(got, all[:k]) || report.Torn == nil || report.Torn.Offset != offsets[k] {
			t.Fatalf("bit %d of record %d: %v, %+v", bit, k+1, lsns(got), report.Torn)
		}
		checkUsable(t, fs, l, OpenOptions{})
		// What a clean close named must be there, torn or not.
		_, _, _, err = reopen(with(t, fs, base.CurrentWAL, bad), OpenOptions{Demand: base.LSN(k + 1)})
		wantDamage(t, err, base.CurrentWAL, offsets[k])
	}
}

func TestDemandOfALogThatEndsTooEarly(t *testing.T) {
	fs, log, offsets := sample(t)
	fs = with(t, fs, base.CurrentWAL, log[:offsets[6]])
	_, _, _, err := reopen(fs, OpenOptions{Demand: 7})
	wantDamage(t, err, base.CurrentWAL, offsets[6])
	l, _, got, err := reopen(fs, OpenOptions{Demand: 6})
	must(t, err)
	if len(got) != 6 {
		t.Fatalf("records %v", lsns(got))
	}
	checkUsable(t, fs, l, OpenOptions{Demand: 6})
}

// TestStartOfTheNewestFile plays what a crash, or rot, can make of a file that holds no
// more than its Header, after a rotated file and on its own.
func TestStartOfTheNewestFile(t *testing.T) {
	rotated := fsys.NewMem()
	l := mustCreate(t, rotated)
	mustAppend(t, l, batch(2, 1))
	must(t, l.Rotate())
	must(t, l.Close())
	header := readFile(t, rotated, base.CurrentWAL)
	rotten := bytes.Clone(header)
	rotten[20] ^= 1

	for name, content := range map[string][]byte{
		"empty": {}, "zeros": make([]byte, 4096), "half a header": header[:20], "half and zeros": append(header[:20:20], make([]byte, 100)...),
		"rotten": rotten, "gone": nil,
	} {
		for _, flushed := range []base.LSN{0, 1, 2} {
			fs := with(t, rotated, base.CurrentWAL, content)
			if content == nil {
				must(t, fs.Remove(base.CurrentWAL))
			}
			l, report, got, err := reopen(fs, OpenOptions{Flushed: flushed})
			must(t, err)
			if !slices.Equal(lsns(got), upTo(2)[flushed:]) || l.Last() != 3 || l.Durable() != 3 {
				t.Fatalf("%s, flushed %d: %v, last %d, durable %d", name, flushed, lsns(got), l.Last(), l.Durable())
			}
			kept := report.Torn != nil && report.Torn.Kept != ""
			if want := name != "empty" && name != "gone" && name != "zeros"; kept != want {
				t.Fatalf("%s: torn %+v", name, report.Torn)
			}
			checkUsable(t, fs, l, OpenOptions{Flushed: flushed})
		}
	}
	// Alone it is expected to start behind what was flushed.
	for _, flushed := range []base.LSN{0, 41} {
		fs := fsys.NewMem()
		must(t, fs.MkdirAll(base.WALDir))
		writeFile(t, fs, base.CurrentWAL, make([]byte, 7))
		l, _, got, err := reopen(fs, OpenOptions{Flushed: flushed})
		must(t, err)
		if len(got) != 0 || l.Last() != flushed+1 {
			t.Fatalf("flushed %d: %v, last %d", flushed, lsns(got), l.Last())
		}
		checkUsable(t, fs, l, OpenOptions{Flushed: flushed})
	}
}

// TestBadHeaderBeforeGoodRecords: the records behind it say that the Header was synced.
func TestBadHeaderBeforeGoodRecords(t *testing.T) {
	fs, log, _ := sample(t)
	log[10] ^= 4
	_, _, _, err := reopen(with(t, fs, base.CurrentWAL, log), OpenOptions{})
	wantDamage(t, err, base.CurrentWAL, 0)
}

// chain makes three files: 1 to 3, 4 to 6, and current.wal with 7 to 9.
func chain(t testing.TB) *fsys.Mem {
	fs := fsys.NewMem()
	l := mustCreate(t, fs)
	mustAppend(t, l, batch(2, 1), batch(3, 1))
	must(t, l.Rotate())
	mustAppend(t, l, batch(5, 1), batch(6, 1))
	must(t, l.Rotate())
	mustAppend(t, l, batch(8, 1), batch(9, 1))
	must(t, l.Sync())
	must(t, l.Close())
	return fs
}

func TestReplayAcrossFiles(t *testing.T) {
	for flushed := range base.LSN(10) {
		fs := chain(t)
		l, report, got, err := reopen(fs, OpenOptions{Flushed: flushed})
		must(t, err)
		if !slices.Equal(lsns(got), upTo(9)[flushed:]) || report.Last != 9 || report.Records != int(9-flushed) {
			t.Fatalf("flushed %d: %v, %+v", flushed, lsns(got), report)
		}
		for _, first := range []base.LSN{1, 4} {
			exists, err := fsys.Exists(fs, base.WALFile(first))
			must(t, err)
			if want := first+2 > flushed; exists != want {
				t.Fatalf("flushed %d: file of %d exists: %v", flushed, first, exists)
			}
		}
		checkUsable(t, fs, l, OpenOptions{Flushed: flushed})
	}
}

// TestLostWriteBeforeAKeptOne: blocks reach the disk in any order, so a good record
// behind a lost one does not make it damage.
func TestLostWriteBeforeAKeptOne(t *testing.T) {
	fs := fsys.NewMem()
	l := mustCreate(t, fs)
	mustAppend(t, l, batch(2, 1))
	mustAppend(t, l, batch(3, 1))
	must(t, l.Close())
	log := zero(readFile(t, fs, base.CurrentWAL), headerFrame, headerFrame+int64(len(batch(2, 1))))
	fs = with(t, fs, base.CurrentWAL, log)
	l, report, got, err := reopen(fs, OpenOptions{})
	must(t, err)
	if len(got) != 1 || report.Torn == nil || report.Torn.Bytes != int64(len(log))-headerFrame {
		t.Fatalf("%v, %+v", lsns(got), report)
	}
	checkUsable(t, fs, l, OpenOptions{})
}

// TestRecordInsideARecord: what looks like a record inside a torn one is passed over if
// its numbers cannot be right, whatever its checksum. If all of it fits it stops the
// opening, which is the side to err on: nothing is cut off.
func TestRecordInsideARecord(t *testing.T) {
	for _, c := range []struct {
		lsn, durable base.LSN
		damage       bool
	}{
		{2 + lsnWindow, 2, false}, {2, 1, false}, {3, 1, false}, {3, 3, false},
		{3, 2, true}, {1 + lsnWindow, 2, true},
	} {
		inner := batch(9, 1)
		Seal(inner, c.lsn, c.durable)
		fs := fsys.NewMem()
		l := mustCreate(t, fs)
		mustAppend(t, l, AppendBatch(nil, []base.Registration{{ID: 1, Name: string(inner)}}, nil))
		must(t, l.Close())
		log := readFile(t, fs, base.CurrentWAL)
		fs = with(t, fs, base.CurrentWAL, log[:len(log)-1])
		_, report, got, err := reopen(fs, OpenOptions{})
		if c.damage {
			wantDamage(t, err, base.CurrentWAL, headerFrame)
			continue
		}
		must(t, err)
		if len(got) != 1 || report.Torn == nil {
			t.Errorf("%+v: %v, %+v", c, lsns(got), report)
		}
	}
}

func TestKeepsTheNewestTails(t *testing.T) {
	fs, log, _ := sample(t)
	var want []string
	for i := range 6 {
		at := with(t, fs, base.CurrentWAL, log[:len(log)-1-i%2])
		l, report, _, err := reopen(at, OpenOptions{NowMS: func() int64 { return int64(8 + i/2) }}) // 8 to 10, each twice
		must(t, err)
		must(t, l.Close())
		want = append(want, report.Torn.Kept)
		fs = at
	}
	entries, err := fs.List(base.WALDir)
	must(t, err)
	var got []string
	for _, e := range entries {
		if path := base.WALDir + "/" + e.Name; base.IsTornFile(path) {
			got = append(got, path)
		}
	}
	slices.SortFunc(got, byAge)
	if !slices.Equal(got, want[3:]) {
		t.Fatalf("kept %v, want %v", got, want[3:])
	}
}

// TestTwoNamesOfOneFile: a power cut between the rename of a rotation and the sync of
// the directory may leave both.
func TestTwoNamesOfOneFile(t *testing.T) {
	fs, log, _ := sample(t)
	must(t, fs.Link(base.CurrentWAL, base.WALFile(1)))
	l, _, got, err := reopen(fs, OpenOptions{})
	must(t, err)
	if !slices.Equal(lsns(got), upTo(8)) {
		t.Fatalf("records %v", lsns(got))
	}
	if there, err := fsys.Exists(fs, base.WALFile(1)); there || err != nil {
		t.Fatalf("second name still there: %v, %v", there, err)
	}
	checkUsable(t, fs, l, OpenOptions{})

	// The same after more was appended: a removal that did not reach the disk.
	fs = with(t, fs, base.WALFile(1), log)
	l, _, _, err = reopen(fs, OpenOptions{})
	must(t, err)
	checkUsable(t, fs, l, OpenOptions{})

	for _, other := range [][]byte{flip(log, len(log)-1), append(readFile(t, fs, base.CurrentWAL), 0)} {
		_, _, _, err = reopen(with(t, fs, base.WALFile(1), other), OpenOptions{})
		wantDamage(t, err, base.CurrentWAL, -2)
	}
}

func TestOtherFilesAreLeftAlone(t *testing.T) {
	fs := chain(t)
	for _, name := range []string{"notes.txt", "1.wal", "0000000000000001.WAL", "x.torn"} {
		writeFile(t, fs, base.WALDir+"/"+name, []byte("mine"))
	}
	must(t, fs.MkdirAll(base.WALDir+"/sub"))
	f, err := fs.Create(base.CurrentWAL + base.TempSuffix)
	must(t, err)
	must(t, f.Close())
	l, _, _, err := reopen(fs, OpenOptions{})
	must(t, err)
	must(t, l.Close())
	entries, err := fs.List(base.WALDir)
	must(t, err)
	var names []string
	for _, e := range entries {
		names = append(names, e.Name)
	}
	want := "0000000000000001.WAL 0000000000000001.wal 0000000000000004.wal 1.wal current.wal notes.txt sub x.torn"
	if got := strings.Join(names, " "); got != want {
		t.Fatalf("in wal/: %s", got)
	}
}

func TestErrorOfTheCallerEndsTheOpening(t *testing.T) {
	fs := chain(t)
	mine := errors.New("mine")
	_, _, err := Open(fs, OpenOptions{UUID: testUUID}, func(r Record) error {
		if r.LSN == 5 {
			return r.Corrupt(mine)
		}
		return nil
	})
	if !errors.Is(err, mine) {
		t.Fatalf("%v", err)
	}
	wantDamage(t, err, base.WALFile(4), headerFrame)
	if open := fs.OpenFiles(); len(open) != 0 {
		t.Fatalf("left open: %v", open)
	}
}

func TestPresent(t *testing.T) {
	fs, log, offsets := sample(t)
	torn := with(t, fs, base.CurrentWAL, log[:offsets[6]+5])
	rot := with(t, fs, base.CurrentWAL, flip(log, int(offsets[2])+9))
	gap := chain(t)
	must(t, gap.Remove(base.WALFile(4)))
	nothing := fsys.NewMem()
	for _, c := range []struct {
		name string
		fs   fsys.FS
		from base.LSN
		want bool
	}{
		{"all", fs, 1, true}, {"all from 0", fs, 0, true}, {"last", fs, 8, true}, {"behind the last", fs, 9, false},
		{"torn", torn, 6, true}, {"torn at it", torn, 7, false},
		{"rotten", rot, 1, false}, {"rotten at it", rot, 3, false}, {"rotten before", rot, 4, true},
		{"chain", chain(t), 5, true}, {"gap", gap, 3, false}, {"gap before", gap, 7, true}, {"gap at", gap, 4, false},
		{"no directory", nothing, 1, false},
	} {
		before := fmt.Sprint(c.fs.List(base.WALDir))
		got, err := Present(c.fs, testUUID, c.from)
		if got != c.want || err != nil {
			t.Errorf("%s, from %d: %v, %v", c.name, c.from, got, err)
		}
		if after := fmt.Sprint(c.fs.List(base.WALDir)); after != before {
			t.Errorf("%s: files changed: %s", c.name, after)
		}
	}
}
