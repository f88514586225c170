package wal

import (
	"errors"
	"slices"
	"testing"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/fsys"
)

// TestJudgedComesBetween verifies that Judged is called when all has been read and
// nothing has been changed, and not at all for a log that is refused.
func TestJudgedComesBetween(t *testing.T) {
	fs, log, offsets := sample(t)
	torn := with(t, fs, base.CurrentWAL, log[:len(log)-1])
	damaged := with(t, fs, base.CurrentWAL, append(append([]byte(nil), log[:offsets[1]]...), log[offsets[2]:]...))
	refusal := errors.New("no")
	for name, c := range map[string]struct {
		fs      *fsys.Mem
		judged  error
		want    error
		calls   int
		records int
	}{
		"torn":    {torn, nil, nil, 1, 7},
		"refused": {torn.CrashClone(dice(), 100), refusal, refusal, 1, 7},
		"damaged": {damaged, nil, base.ErrCorrupt, 0, 1},
	} {
		calls, records, changes, early := 0, 0, 0, 0
		c.fs.SetHook(func(op fsys.Op) fsys.Fault {
			if op.Kind.Mutates() {
				changes++
			}
			return fsys.Fault{}
		})
		l, _, err := Open(c.fs, OpenOptions{UUID: testUUID, Judged: func() error {
			calls++
			early = changes
			if records != c.records {
				t.Errorf("%s: judged after %d records", name, records)
			}
			return c.judged
		}}, func(Record) error { records++; return nil })
		if !errors.Is(err, c.want) || calls != c.calls || records != c.records || early > 0 || (changes > 0) != (err == nil) {
			t.Errorf("%s: %v, judged %d times, %d records, %d changes, %d of them before", name, err, calls, records, changes, early)
		}
		c.fs.SetHook(nil)
		if err == nil {
			must(t, l.Close())
		}
	}
}

// Progress goes from nothing to all of the bytes, torn ones included, in steps.
func TestProgressOfOpening(t *testing.T) {
	fs := fsys.NewMem()
	l, err := Create(fs, testUUID, 1)
	must(t, err)
	rows := make([]base.Row, 400_000)
	for i := range rows {
		rows[i] = base.Row{TS: int64(i) * 7_919, Value: 1 / float64(i+1)}
	}
	const records = 10
	for range records {
		_, err = l.Append([][]byte{AppendBatch(nil, nil, rows)})
		must(t, err)
	}
	size := l.Bytes()
	must(t, l.Close())
	log := readFile(t, fs, base.CurrentWAL)
	for name, c := range map[string]struct {
		fs   *fsys.Mem
		size int64
	}{
		"whole": {fs, size},
		"torn":  {with(t, fs, base.CurrentWAL, log[:size-1]), size - 1},
	} {
		var steps []int64
		l, _, err := Open(c.fs, OpenOptions{UUID: testUUID, Progress: func(done, total int64) {
			if total != c.size {
				t.Errorf("%s: %d bytes in all, want %d", name, total, c.size)
			}
			steps = append(steps, done)
		}}, func(Record) error { return nil })
		must(t, err)
		must(t, l.Close())
		if len(steps) < 3 || steps[0] != 0 || steps[len(steps)-1] != c.size || !slices.IsSorted(steps) || len(steps) > int(c.size/progressBytes)+3 {
			t.Errorf("%s: steps %v of %d bytes", name, steps, c.size)
		}
	}
}

// TestGapIsToldFromDamage: files that are missing, before others or between them, are
// what a reader beside the owner of a log may come across, bad bytes are not.
func TestGapIsToldFromDamage(t *testing.T) {
	first, second := base.WALFile(1), base.WALFile(4)
	for name, c := range map[string]struct {
		flushed base.LSN
		missing []string
		spoilt  string
		gap     bool
	}{
		"the first":                   {missing: []string{first}, gap: true},
		"one in the middle":           {missing: []string{second}, gap: true},
		"all but the last":            {flushed: 2, missing: []string{first, second}, gap: true},
		"the last":                    {flushed: 7, missing: []string{base.CurrentWAL}, gap: true},
		"none, but a Header is bad":   {spoilt: second},
		"none of those that are read": {flushed: 3, missing: []string{first}},
	} {
		fs := chain(t)
		for _, path := range c.missing {
			must(t, fs.Remove(path))
		}
		if c.spoilt != "" {
			log := readFile(t, fs, c.spoilt)
			log[10] ^= 4
			fs = with(t, fs, c.spoilt, log)
		}
		_, err := Check(fs, OpenOptions{UUID: testUUID, Flushed: c.flushed}, nil)
		if errors.Is(err, ErrGap) != c.gap || errors.Is(err, base.ErrCorrupt) != (c.gap || c.spoilt != "") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
