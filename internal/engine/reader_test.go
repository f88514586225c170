package engine

import (
	"testing"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/fsys"
)

// TestIdleReadersHoldNothing reads much and then little with one reader: when it is given
// back it knows of no file, pack or memtable any more.
func TestIdleReadersHoldNothing(t *testing.T) {
	for _, files := range []int{AlwaysPack, NeverPack} {
		e := openTest(t, fsys.NewMem(), Options{MergeOff: true, MaxSegmentFiles: files})
		s, err := e.Resolve("s", nil)
		if err != nil {
			t.Fatal(err)
		}
		for hour := range int64(50) {
			put(t, e, s, hour*base.Hour, 1)
		}
		if err := e.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		snap, err := e.state.snapshot(Selector{}, 0)
		if err != nil {
			t.Fatal(err)
		}
		r := e.readers.get(snap)
		for _, end := range []int64{base.MaxTime, 0, 10 * base.Hour} {
			r.open(&snap.series[0], base.MinTime, end)
			for {
				points, err := r.next(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if points.len() == 0 {
					break
				}
			}
		}
		if cap(r.fileRoom) < 50 || cap(r.pieceRoom) == 0 {
			t.Fatal("the reader has found other files")
		}
		r.close()
		for i, f := range r.fileRoom[:cap(r.fileRoom)] {
			if f != (sourceFile{}) {
				t.Errorf("an idle reader holds file %d", i)
			}
		}
		for i, p := range r.pieceRoom[:cap(r.pieceRoom)] {
			if p != (piece{}) {
				t.Errorf("an idle reader holds piece %d", i)
			}
		}
		if r.snap != nil || len(r.files) > 0 || len(r.pieces) > 0 || len(r.packs.byFile) > 0 || r.memory.len() > 0 {
			t.Error("an idle reader holds what it read")
		}
		snap.release()
	}
}
