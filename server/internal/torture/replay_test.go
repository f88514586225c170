//go:build linux

package torture

import (
	"os"
	"path/filepath"
	"testing"
)

// What a failed test kept is compared once more: of each box in the directory that
// SYDRADB_REPLAY names, the files with the ledgers. Copies of both are looked at, so that it can be
// done again.
func TestReplay(t *testing.T) {
	kept := os.Getenv("SYDRADB_REPLAY")
	if kept == "" {
		t.Skip("SYDRADB_REPLAY names no directory that a failed test kept")
	}
	boxes, err := filepath.Glob(filepath.Join(kept, "box-*"))
	if err != nil || boxes == nil {
		t.Fatalf("no box in %s: %v", kept, err)
	}
	for _, path := range boxes {
		t.Run(filepath.Base(path), func(t *testing.T) {
			b := newBox(t, t.TempDir(), 1)
			if err := os.CopyFS(b.root, os.DirFS(path)); err != nil {
				t.Fatal(err)
			}
			ledgers, err := filepath.Glob(filepath.Join(b.root, "ledger-*"))
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range ledgers {
				l := openLedger(t, name, grid{})
				b.ledgers = append(b.ledgers, l)
				t.Logf("%s: %d requests acknowledged, %d open", l.grid.Client, l.acked, len(l.open))
			}
			t.Run("files", func(t *testing.T) { b.with(t).agree("read from the files", b.dump()) })
			t.Run("check", func(t *testing.T) { b.with(t).check(b.dir, "leftover") })
			t.Run("server", func(t *testing.T) {
				b := b.with(t)
				b.online(b.serve())
			})
		})
	}
}

// with is the box for a part of its test.
func (b *box) with(t *testing.T) *box {
	c := *b
	c.t = t
	return &c
}
