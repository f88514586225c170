package segment

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/fsys"
)

// TestIndexBytes holds what a block of an hour at 10 s takes of the index, by the form of
// its statistics, and which form is the usual one, for kinds of values that there are.
func TestIndexBytes(t *testing.T) {
	limits := map[string][3]int{
		"shared": {statsNone: 24, statsDecimal: 40, statsRaw: 72},
		"own":    {statsNone: 24, statsDecimal: 44, statsRaw: 72},
	}
	rng := rand.New(rand.NewPCG(1, 2))
	kinds := map[string]struct {
		next func(before float64) float64
		form byte
	}{
		"walk":    {func(v float64) float64 { return v + float64(rng.IntN(21)-10) }, statsDecimal},
		"gauge":   {func(v float64) float64 { return math.Round(v*100+float64(rng.IntN(201)-100)) / 100 }, statsDecimal},
		"counter": {func(v float64) float64 { return v + float64(rng.IntN(1000)) }, statsDecimal},
		"noise":   {func(float64) float64 { return rng.NormFloat64() }, statsRaw},
		"holes":   {func(float64) float64 { return math.NaN() }, statsNone},
	}
	for name, kind := range kinds {
		for times, jitter := range map[string]int64{"shared": 1, "own": 1e9} {
			var forms [3]int
			for size, form := range blockSizes(t, kind.next, func() int64 { return rng.Int64N(jitter) / 1e6 * 1e6 }) {
				forms[form]++
				if size > limits[times][form] {
					t.Errorf("%s, %s times: a block with statistics %d takes %d bytes of the index, more than %d", name, times, form, size, limits[times][form])
				}
			}
			if all := forms[0] + forms[1] + forms[2]; all != 50*6 || forms[kind.form] < all*9/10 {
				t.Errorf("%s, %s times: %v blocks by form, want most of them %d", name, times, forms, kind.form)
			}
		}
	}
}

// blockSizes writes a pack of 50 series of six hours and yields, for each of its blocks,
// the size in the index and the form of the statistics.
func blockSizes(t *testing.T, next func(float64) float64, jitter func() int64) func(yield func(size int, form byte) bool) {
	series := make([]column, 50)
	for i := range series {
		c := &series[i]
		c.id = base.SeriesID(i + 1)
		v := 50.0
		for k := range int64(6 * 360) {
			v = next(v)
			c.ts, c.values = append(c.ts, someDay+k*10e9+jitter()), append(c.values, v)
		}
	}
	fs := fsys.NewMem()
	r := openReader(t, fs, writePack(t, fs, PackOptions{Bucket: someDay, Width: base.Day}, series), nil)
	return func(yield func(int, byte) bool) {
		for n := range r.pack.blocks {
			if err := r.load(n); err != nil {
				t.Fatal(err)
			}
			for i := range r.block.count {
				data, _ := r.block.entry(i)
				c := cursor{data: data, pos: 1}
				for end := int64(0); c.pos < len(data); {
					var b PackBlock
					at := c.pos
					if err := r.pack.decodeBlock(&b, &c, end); err != nil {
						t.Fatal(err)
					}
					end = b.ValueOffset + int64(b.ValueBytes)
					if !yield(c.pos-at, data[at]>>statsShift&statsMask) {
						return
					}
				}
			}
		}
	}
}
