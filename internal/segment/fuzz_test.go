package segment

import (
	"errors"
	"testing"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/codec"
	"github.com/sydradb/sydradb/internal/fuzzing"
	"github.com/sydradb/sydradb/internal/golden"
)

// In codec 2 a few bytes may stand for columns of codec.MaxPoints, for which there is to be
// room: so many bytes of input they are in the measure of fuzzing.Bounded.
const longColumns = (2*8*codec.MaxPoints + 64<<10) / 16

// FuzzSegment reads any bytes as a file: they are refused with a place, or their points
// survive being written again, in each codec.
func FuzzSegment(f *testing.F) {
	for _, name := range []string{"syseg2", "syseg2-codec2", "syseg1", "syseg1-from-start"} {
		f.Add(golden.ReadHex(f, "testdata/"+name+".golden"))
	}
	ts, values := gauge()
	for _, policy := range []codec.Policy{codec.Fast, codec.Balanced} {
		data, err := appendFile(nil, &codec.Encoder{Policy: policy}, 1, someHour, ts, values)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	var d Decoder
	f.Fuzz(func(t *testing.T, data []byte) {
		var ts []int64
		var values []float64
		var err error
		fuzzing.Bounded(t, len(data)+longColumns, func() { ts, values, err = d.AppendColumns(nil, nil, data) })
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
		for _, encoder := range encoders() {
			again, err := appendFile(nil, encoder, h.SeriesID, h.Hour, ts, values)
			if err != nil {
				return // of version 0: equal timestamps, or another unit
			}
			gotTS, gotValues, err := d.AppendColumns(nil, nil, again)
			if err != nil || !samePoints(gotTS, gotValues, ts, values) {
				t.Fatalf("%v %v became %v %v, error %v", ts, values, gotTS, gotValues, err)
			}
		}
	})
}

// encoders returns one of each kind; nil is codec 1.
func encoders() []*codec.Encoder {
	return []*codec.Encoder{nil, {Policy: codec.Fast}, {Policy: codec.Balanced}}
}
