package wal

import (
	"bytes"
	"slices"
	"testing"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/fsys"
)

// TestOlderFiles damages the file of records 4 to 6 in every way: an error as long as
// something above flushed may be in it, ignored otherwise.
func TestOlderFiles(t *testing.T) {
	path := base.WALFile(4)
	good := readFile(t, chain(t), path)
	second := int64(headerFrame)
	for name, c := range map[string]struct {
		content []byte
		offset  int64
	}{
		"flipped":     {flip(good, len(good)-1), int64(len(good)) - int64(len(batch(6, 1)))},
		"flipped too": {flip(good, int(second)+20), second},
		"cut off":     {good[:len(good)-1], int64(len(good)) - int64(len(batch(6, 1)))},
		"bad header":  {flip(good, 30), 0},
		"empty":       {[]byte{}, 0},
		"zeros":       {make([]byte, len(good)), 0},
	} {
		for flushed := range base.LSN(10) {
			fs := with(t, chain(t), path, c.content)
			l, _, got, err := reopen(fs, OpenOptions{Flushed: flushed})
			switch {
			case err == nil && flushed >= 6:
				if !slices.Equal(lsns(got), upTo(9)[flushed:]) {
					t.Fatalf("%s, flushed %d: %v", name, flushed, lsns(got))
				}
				checkUsable(t, fs, l, OpenOptions{Flushed: flushed})
			case err == nil && flushed == 5 && name == "flipped too":
				// 5 is damaged and not needed, 6 is sound.
				if !slices.Equal(lsns(got), []base.LSN{6, 7, 8, 9}) {
					t.Fatalf("%s, flushed %d: %v", name, flushed, lsns(got))
				}
			case err == nil && flushed >= 4 && name == "bad header":
				if !slices.Equal(lsns(got), upTo(9)[flushed:]) {
					t.Fatalf("%s, flushed %d: %v", name, flushed, lsns(got))
				}
			default:
				wantDamage(t, err, path, c.offset)
			}
		}
	}
}

func flip(data []byte, at int) []byte {
	out := bytes.Clone(data)
	out[at] ^= 0x10
	return out
}

func TestMissingFiles(t *testing.T) {
	for _, c := range []struct {
		remove  string
		flushed base.LSN
		damaged string // "" for none
	}{
		{base.WALFile(1), 0, base.WALDir}, {base.WALFile(1), 2, base.WALDir}, {base.WALFile(1), 3, ""}, {base.WALFile(1), 9, ""},
		{base.WALFile(4), 0, base.CurrentWAL}, {base.WALFile(4), 5, base.CurrentWAL}, {base.WALFile(4), 6, ""},
		{base.CurrentWAL, 7, base.WALFile(4)}, {base.CurrentWAL, 6, base.WALFile(4)}, {base.CurrentWAL, 5, ""},
	} {
		fs := chain(t)
		must(t, fs.Remove(c.remove))
		_, _, _, err := reopen(fs, OpenOptions{Flushed: c.flushed})
		if c.damaged != "" && c.remove == base.CurrentWAL && c.flushed == 6 {
			must(t, err) // the file ends with 6, so 7 is next: nothing tells that it was there
			continue
		}
		if c.damaged == "" {
			must(t, err)
			continue
		}
		wantDamage(t, err, c.damaged, -2)
	}
	empty := fsys.NewMem()
	must(t, empty.MkdirAll(base.WALDir))
	_, _, _, err := reopen(empty, OpenOptions{})
	wantDamage(t, err, base.WALDir, base.WholeFile)
}

func TestForeignAndMisplacedFiles(t *testing.T) {
	foreign := fsys.NewMem()
	l, err := Create(foreign, [16]byte{9}, 7)
	must(t, err)
	mustAppend(t, l, batch(8, 1))
	must(t, l.Close())
	fs := with(t, chain(t), base.CurrentWAL, readFile(t, foreign, base.CurrentWAL))
	for _, flushed := range []base.LSN{0, 6, 7, 8} {
		_, _, _, err = reopen(fs, OpenOptions{Flushed: flushed})
		wantDamage(t, err, base.CurrentWAL, 0)
	}

	// A copy of a rotated file in the place of the next one, and of the newest.
	fs = with(t, chain(t), base.WALFile(4), readFile(t, chain(t), base.WALFile(1)))
	_, _, _, err = reopen(fs, OpenOptions{})
	wantDamage(t, err, base.WALFile(4), 0)
	fs = with(t, chain(t), base.CurrentWAL, readFile(t, chain(t), base.WALFile(1)))
	_, _, _, err = reopen(fs, OpenOptions{})
	wantDamage(t, err, base.CurrentWAL, 0)

	// Files behind each other in one.
	fs = with(t, chain(t), base.WALFile(1), append(readFile(t, chain(t), base.WALFile(1)), readFile(t, chain(t), base.WALFile(4))...))
	_, _, _, err = reopen(fs, OpenOptions{})
	wantDamage(t, err, base.WALFile(1), -2)
}

// TestSalvage plays the log of a database whose memtable was saved after the log could
// not be synced: nothing at or below flushed is needed, whatever became of it.
func TestSalvage(t *testing.T) {
	fs, log, offsets := sample(t)
	size := int64(len(log))
	all := func(from base.LSN) []base.LSN { return upTo(8)[from:] }
	for name, c := range map[string]struct {
		content []byte
		flushed base.LSN
		want    []base.LSN // nil for damage
		last    base.LSN
	}{
		"one bad, all flushed":           {flip(log, int(offsets[3])+6), 8, all(8), 8},
		"one bad, some flushed":          {flip(log, int(offsets[3])+6), 6, all(6), 8},
		"one bad, flushed just up to it": {flip(log, int(offsets[3])+6), 4, all(4), 8},
		"one bad, not flushed":           {flip(log, int(offsets[3])+6), 3, nil, 0},
		"two apart bad":                  {flip(flip(log, int(offsets[1])+9), int(offsets[4])+9), 5, all(5), 8},
		"bad across flushed":             {zero(log, offsets[4], offsets[6]), 5, nil, 0},
		"bad to the end":                 {zero(log, offsets[4], size), 8, all(8), 9},
		"bad to the end, flushed before": {zero(log, offsets[4], size), 5, nil, 6},
		"end missing":                    {log[:offsets[5]], 8, all(8), 9},
		"end missing in a record":        {log[:offsets[5]+3], 8, all(8), 9},
		"end missing and flushed there":  {log[:offsets[5]], 5, nil, 5},
		"all zeros":                      {make([]byte, size), 8, all(8), 9},
		"nothing":                        {[]byte{}, 8, all(8), 9},
		"bad header":                     {flip(log, 5), 6, all(6), 8},
	} {
		bad := with(t, fs, base.CurrentWAL, c.content)
		l, report, got, err := reopen(bad, OpenOptions{Flushed: c.flushed})
		if c.want == nil && c.last == 0 {
			wantDamage(t, err, base.CurrentWAL, -2)
			continue
		}
		must(t, err)
		if !slices.Equal(lsns(got), c.want) || l.Last() != c.last {
			t.Errorf("%s: %v, last %d, %+v", name, lsns(got), l.Last(), report)
		}
		checkUsable(t, bad, l, OpenOptions{Flushed: c.flushed})

		// What was passed over stays so in a rotated file.
		l, _, before, err := reopen(bad, OpenOptions{Flushed: c.flushed})
		must(t, err)
		must(t, l.Rotate())
		must(t, l.Close())
		l, _, after, err := reopen(bad, OpenOptions{Flushed: c.flushed})
		must(t, err)
		if len(after) != len(before)+1 || !slices.Equal(after[:len(before)], before) {
			t.Errorf("%s: %v after a rotation, %v before", name, lsns(after), lsns(before))
		}
		must(t, l.RemoveThrough(before[len(before)-1].lsn))
		must(t, l.Close())
		if entries, err := bad.List(base.WALDir); err != nil || slices.ContainsFunc(entries, func(e fsys.Entry) bool {
			_, rotated := base.ParseWALFile(base.WALDir + "/" + e.Name)
			return rotated
		}) {
			t.Errorf("%s: left after RemoveThrough: %v, %v", name, entries, err)
		}
	}
}

func zero(data []byte, from, to int64) []byte {
	out := bytes.Clone(data)
	clear(out[from:to])
	return out
}
