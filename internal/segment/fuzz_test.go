package segment

import (
	"errors"
	"testing"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/codec"
	"github.com/sydradb/sydradb/internal/fuzzing"
	"github.com/sydradb/sydradb/internal/golden"
)

// FuzzSegment reads any bytes as a file: they are refused with a place, or their points
// survive being written again.
func FuzzSegment(f *testing.F) {
	for _, name := range []string{"syseg2", "syseg1", "syseg1-from-start"} {
		f.Add(golden.ReadHex(f, "testdata/"+name+".golden"))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var ts []int64
		var values []float64
		var err error
		fuzzing.Bounded(t, len(data), func() { ts, values, err = AppendColumns(nil, nil, data) })
		if err != nil {
			var damage *base.CorruptionError
			if errors.As(err, &damage) && damage.Offset >= 0 && damage.Offset <= int64(len(data)) || errors.Is(err, codec.ErrUnknown) {
				return
			}
			t.Fatalf("error without a place in %d bytes: %v", len(data), err)
		}
		h, _, err := DecodeHeader(data)
		if err != nil || h.Count != len(ts) || h.Start != ts[0] || h.End != ts[len(ts)-1] {
			t.Fatalf("%+v (%v) over the points %v", h, err, ts)
		}
		again, err := Encode(nil, h.SeriesID, h.Hour, ts, values)
		if err != nil {
			return // of version 0: equal timestamps, or another unit
		}
		gotTS, gotValues, err := AppendColumns(nil, nil, again)
		if err != nil || !samePoints(gotTS, gotValues, ts, values) {
			t.Fatalf("%v %v became %v %v, error %v", ts, values, gotTS, gotValues, err)
		}
	})
}
