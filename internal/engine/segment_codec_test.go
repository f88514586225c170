package engine

import (
	"testing"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/fsys"
	"github.com/sydradb/sydradb/internal/segment"
)

// The codec of segment files is that of the options, whether a flush or a merge wrote them.
func TestSegmentCodec(t *testing.T) {
	for want, opts := range map[byte]Options{
		1: {MaxSegmentFiles: NeverPack, MergeOff: true, SegmentCodec1: true},
		2: {MaxSegmentFiles: NeverPack, MergeOff: true},
	} {
		fs := fsys.NewMem()
		e := openTest(t, fs, opts)
		s := resolve(t, e, "a")
		for i := range int64(2) {
			put(t, e, s, i, 0.5)
			put(t, e, s, base.Hour+i, 1)
			flush(t, e)
			checkCodec(t, fs, want, 2+2*int(i))
		}
		if err := e.Compact(t.Context()); err != nil {
			t.Fatal(err)
		}
		checkCodec(t, fs, want, 2)
	}
}

// checkCodec fails unless there are so many segment files, all of the given codec.
func checkCodec(t *testing.T, fs fsys.FS, want byte, files int) {
	t.Helper()
	names := dataFiles(t, fs)
	if len(names) != files {
		t.Errorf("%d files, want %d", len(names), files)
	}
	for _, name := range names {
		data, err := fsys.ReadFile(fs, name)
		if err != nil {
			t.Fatal(err)
		}
		if h, _, err := segment.DecodeHeader(data); err != nil || h.TimestampCodec != want || h.ValueCodec != want {
			t.Errorf("%s: %+v, error %v, want codec %d", name, h, err, want)
		}
	}
}
