package engine

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/fsys"
	"github.com/sydradb/sydradb/internal/retention"
)

// TestLastLineRots kills a process after each kind of edit and damages the last line of
// MANIFEST then. It is not to be taken for one whose writing was cut short: files of the
// log, merged files and expired ones have gone on its word.
func TestLastLineRots(t *testing.T) {
	reuseMemory(t)
	fs, wall, ctx := fsys.NewMem(), newClock(scriptTime), t.Context()
	opts := Options{Sync: SyncAlways, MergeOff: true, Now: wall.now}
	opts.Retention = retention.Rules{Default: 12 * time.Hour}
	e := openTest(t, fs, opts)
	write := func(times ...int64) error {
		var batch []modelPoint
		for i, ts := range times {
			batch = append(batch, modelPoint{key: allModelSeries[i%2].key, ts: ts, value: float64(ts)})
		}
		return errors.Join(writeBatch(e, batch), e.Flush(ctx))
	}
	for _, step := range []struct {
		name string
		do   func() error
	}{
		{"flush", func() error { return write(scriptTime-1, scriptTime) }},
		{"second flush", func() error { return write(scriptTime-2, scriptTime) }},
		{"merge", func() error { return e.Compact(ctx) }},
		{"deletion", func() error {
			_, err := e.Delete(ctx, Selector{}, scriptTime-1, scriptTime-1)
			return errors.Join(err, e.Flush(ctx))
		}},
		{"merge that applies it", func() error { return e.Compact(ctx) }},
		{"expiry", func() error { return errors.Join(write(scriptTime-base.Day), e.Retain(ctx, true)) }},
		{"horizon through a file", func() error {
			hour := int64(scriptTime - 12*base.Hour)
			err := write(hour+60e9, hour+base.Hour/2, hour+base.Hour/2)
			wall.step(10 * time.Minute)
			return errors.Join(err, e.Retain(ctx, true))
		}},
	} {
		err := step.do()
		want, readErr := readAll(e, everything)
		if err := errors.Join(err, readErr); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		flips, refused, err := flipLastLine(t, fs, want)
		t.Logf("%s: %d flips, %d refused", step.name, flips, refused)
		if err != nil {
			t.Errorf("%s: %v", step.name, err)
		}
	}
}

// flipLastLine flips bits of the last line of MANIFEST, one at a time. A database that
// opens has what is wanted, whole. One that does not is left as it is: it has that when
// the bit is flipped back.
func flipLastLine(t *testing.T, fs *fsys.Mem, want contents) (flips, refused int, err error) {
	t.Helper()
	rng := rand.New(rand.NewPCG(5, 5))
	data := mustRead(t, fs, base.ManifestFile)
	start := 1 + bytes.LastIndexByte(data[:len(data)-1], '\n')
	for i := start; i < len(data); i += 5 {
		damaged := fs.CrashClone(rng, 100)
		flipped := slices.Clone(data)
		flipped[i] ^= 1 << (i % 8)
		mustReplace(t, damaged, base.ManifestFile, flipped)
		flips++
		got, err := readClosed(damaged, Options{})
		if err != nil {
			refused++
			mustReplace(t, damaged, base.ManifestFile, data)
			got, err = readClosed(damaged, Options{})
		}
		if err == nil && !got.equal(want) {
			err = errors.New(got.difference(want))
		}
		if err == nil {
			err = checkClean(damaged, Options{})
		}
		if err != nil {
			return flips, refused, fmt.Errorf("byte %d of the line: %w", i-start, err)
		}
	}
	return flips, refused, nil
}
