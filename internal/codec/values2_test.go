package codec

import (
	"bytes"
	"math"
	"slices"
	"testing"

	"github.com/sydradb/sydradb/internal/golden"
)

// sparse returns 40 values that are best coded by frequency.
func sparse() []float64 {
	v := make([]float64, 40)
	for i := range v {
		v[i] = float64(i*i%7) * 100
		if i%13 == 5 {
			v[i] = 100000
		}
	}
	return v
}

// ramp returns 30 times 7, then 8 to 17.
func ramp() []float64 {
	v := slices.Repeat([]float64{7}, 40)
	for i := range 10 {
		v[30+i] = float64(8 + i)
	}
	return v
}

func TestValues2MatchGolden(t *testing.T) {
	want := golden.ReadHex(t, "testdata/values2.golden")
	columns := [][]float64{
		{3.5, 3.5, 3.5, 3.5},
		{1.5, 1.6, 1.4, math.NaN(), 1.7},
		{math.Pi, math.E},
		ramp(),
		sparse(),
		slices.Repeat(floats(0x7ff0000000000002), 3),
		{0x1p300, -0x1p-1000, 0x1p100},
	}
	e, d := Encoder{Policy: Balanced}, Decoder{}
	var encoded []byte
	rest := want
	for _, v := range columns {
		var err error
		if encoded, err = e.AppendValues(encoded, ValuesStream, v); err != nil {
			t.Fatal(err)
		}
		got := make([]float64, len(v))
		if rest, err = d.Values(got, ValuesStream, rest); err != nil || !sameBits(got, v) {
			t.Fatalf("decoded %v, error %v, want %v", got, err, v)
		}
	}
	if !bytes.Equal(encoded, want) || len(rest) > 0 {
		t.Errorf("encoded:\n% x, want\n% x, %d left", encoded, want, len(rest))
	}
}
