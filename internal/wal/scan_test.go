package wal

import (
	"bytes"
	"slices"
	"testing"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/fsys"
)

func TestUnfinishedIsRecognised(t *testing.T) {
	rng := dice()
	left := map[string]bool{}
	fs := fsys.NewMem()
	fs.SetHook(func(op fsys.Op) fsys.Fault {
		if op.Kind.Mutates() {
			for range 3000 {
				if data, err := fsys.ReadFile(fs.CrashClone(rng, 80), base.CurrentWAL); err == nil {
					left[string(data)] = true
				}
			}
		}
		return fsys.Fault{}
	})
	must(t, mustCreate(t, fs).Close())
	fs.SetHook(nil)
	if len(left) < 50 {
		t.Errorf("only %d different files", len(left))
	}
	whole := readFile(t, fs, base.CurrentWAL)
	for n := range len(whole) + 1 {
		left[string(whole[:n])] = true
	}
	for data := range left {
		if !IsUnfinished([]byte(data), 1) {
			t.Errorf("not recognised: %x", data)
		}
	}
}

func TestForeignIsNotUnfinished(t *testing.T) {
	fs := fsys.NewMem()
	must(t, mustCreate(t, fs).Close())
	whole := readFile(t, fs, base.CurrentWAL)
	later := slices.Clone(whole)
	Seal(later, 2, 1)
	for _, data := range [][]byte{
		append(slices.Clone(whole), 0),
		later,
		[]byte("x"),
		{25, 0, 0, 0, 1}, // a record of version 0
		make([]byte, 4096),
		bytes.Repeat([]byte{25, 0, 0, 0, 1, 9, 9, 9}, 1000),
	} {
		if IsUnfinished(data, 1) {
			t.Errorf("recognised: %.60x", data)
		}
	}
}
