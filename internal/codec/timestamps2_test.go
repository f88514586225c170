package codec

import (
	"bytes"
	"slices"
	"testing"

	"github.com/sydradb/sydradb/internal/golden"
)

// missedScrape returns timestamps that lie beside a line and miss two places of it.
func missedScrape() []int64 {
	late := []int64{0, 1, 0, 3, 0, 0, 2, 1, 0, 0, 5, 0, 1, 0, 0, 2, 0, 0, 1, 0, 4, 0, 0, 1, 0, 2, 0, 0, 0, 1}
	ts := make([]int64, len(late))
	for i, l := range late {
		ts[i] = 1000 + 100*int64(i) + l
		if i >= 13 {
			ts[i] += 200
		}
	}
	return ts
}

func TestTimestamps2MatchGolden(t *testing.T) {
	pause := make([]int64, 40)
	for i := range pause {
		pause[i] = 1000 + 10*int64(i) + 100000*int64(i/20)
	}
	want := golden.ReadHex(t, "testdata/timestamps2.golden")
	columns := []struct {
		policy Policy
		ts     []int64
	}{
		{Fast, []int64{1000, 1010, 1020, 1030, 1040}},
		{Fast, []int64{42}},
		{Fast, []int64{1000, 1030, 1000, 1060}},
		{Fast, []int64{5, 5, 7, 11, 17, 25}},
		{Fast, pause},
		{Balanced, missedScrape()},
	}
	var e Encoder
	var d Decoder
	var encoded []byte
	rest := want
	for _, c := range columns {
		e.Policy = c.policy
		var err error
		if encoded, err = e.AppendTimestamps(encoded, TimestampsStream, c.ts); err != nil {
			t.Fatal(err)
		}
		got := make([]int64, len(c.ts))
		if rest, err = d.Timestamps(got, TimestampsStream, rest, c.ts[0]); err != nil || !slices.Equal(got, c.ts) {
			t.Fatalf("decoded %v, error %v, want %v", got, err, c.ts)
		}
	}
	if !bytes.Equal(encoded, want) || len(rest) > 0 {
		t.Errorf("encoded:\n% x, want\n% x, %d left", encoded, want, len(rest))
	}
}
