package manifest

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/fsys"
)

// TestUnfinishedIsRecognised cuts the power in the middle of Create, again and again.
func TestUnfinishedIsRecognised(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 1))
	first := Edit{Catalog: Catalog{Generation: 1}}
	for _, times := range []int64{0, 9, 86_400_000, 1_800_000_000_123, math.MaxInt64} {
		left := map[string]bool{}
		fs := fsys.NewMem()
		fs.SetHook(func(op fsys.Op) fsys.Fault {
			if !op.Kind.Mutates() {
				return fsys.Fault{}
			}
			for range 3000 {
				data, err := fsys.ReadFile(fs.CrashClone(rng, 80), base.ManifestFile)
				if err == nil {
					left[string(data)] = true
				}
			}
			return fsys.Fault{}
		})
		first.Wall, first.NextMS = times, times
		mustClose(t, mustCreate(t, fs, first))
		fs.SetHook(nil)
		whole, err := fsys.ReadFile(fs, base.ManifestFile)
		if err != nil {
			t.Fatal(err)
		}
		left[string(whole)] = true
		for n := range whole {
			left[string(whole[:n])] = true
		}
		if len(left) < 200 {
			t.Errorf("only %d different files", len(left))
		}
		for data := range left {
			if !IsUnfinished([]byte(data), Edit{Catalog: Catalog{Generation: 1}}) {
				t.Errorf("not recognised: %q", data)
			}
		}
		if IsUnfinished(append(whole, 0), first) {
			t.Error("one byte more is recognised")
		}
	}
}

func TestForeignIsNotUnfinished(t *testing.T) {
	fs := fsys.NewMem()
	first := Edit{Wall: 1_800_000_000_123, NextMS: 1_800_000_000_123, Catalog: Catalog{Generation: 1}}
	mustClose(t, mustCreate(t, fs, first))
	line, err := fsys.ReadFile(fs, base.ManifestFile)
	if err != nil {
		t.Fatal(err)
	}
	foreign := []string{
		"i", "include README\n", "\x00\x00x", "{\n", `{"series_id":1,`, string(bytes.Repeat([]byte{0}, 400)),
		fmt.Sprintf("%s%s", line, line), `{"edit":1,"prev":"`, `{"edit":0,"prev":"1`,
	}
	for _, data := range foreign {
		if IsUnfinished([]byte(data), first) {
			t.Errorf("recognised: %q", data)
		}
	}
	// Nor are the lines that come later.
	later := []Edit{
		{Number: 1, Wall: 1, NextMS: 1, Catalog: first.Catalog},
		{Wall: 1, NextMS: 1, Catalog: Catalog{Generation: 1, Bytes: 9}},
		{Wall: 1, NextMS: 1, FlushedLSN: 4, Catalog: first.Catalog},
		{Wall: 1, NextMS: 1, LastLSN: 4, Catalog: first.Catalog},
		{Wall: 1, NextMS: 1, Catalog: first.Catalog, Add: entries(0, 1)},
		{Wall: 1, NextMS: 1, Catalog: first.Catalog, AddDeletes: []DeleteFile{deleteN(0)}},
		{Wall: 1, NextMS: 1, Catalog: first.Catalog, Horizon: map[string]int64{"": 0}},
	}
	for i, e := range later {
		if data, _ := appendLine(nil, &e); IsUnfinished(data, first) {
			t.Errorf("%d: recognised: %q", i, data)
		}
	}
	changed := slices.Clone(line)
	changed[len(line)-2] = 'x'
	if IsUnfinished(changed, first) {
		t.Error("a line with another end is recognised")
	}
}
