package segment

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/fsys"
	"github.com/sydradb/sydradb/internal/manifest"
)

const someDay = someHour / base.Day * base.Day

// column is a series as tests write it.
type column struct {
	id     base.SeriesID
	ts     []int64
	values []float64
}

func writePack(t testing.TB, fs fsys.FS, opts PackOptions, series []column) manifest.Entry {
	t.Helper()
	w, err := CreatePack(fs, opts)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range series {
		if err := w.Append(s.id, s.ts, s.values); err != nil {
			t.Fatal(err)
		}
	}
	e, err := w.Finish()
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// openReader returns a reader of a pack; the file stays open until the test ends.
func openReader(t testing.TB, fs fsys.FS, e manifest.Entry, cache Pieces) *PackReader {
	t.Helper()
	p, err := OpenPack(fs, e)
	if err != nil {
		t.Fatal(err)
	}
	f, err := fs.Open(e.Path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return p.Reader(f, cache)
}

// readAllOf returns the points of a series, nil if it is not there.
func readAllOf(r *PackReader, id base.SeriesID) (c column, err error) {
	var s PackSeries
	found, err := r.Find(id, &s)
	if err != nil || !found {
		return column{}, err
	}
	c.id = s.ID
	for i := range s.Blocks {
		if c.ts, c.values, err = r.AppendBlock(c.ts, c.values, &s, i); err != nil {
			return column{}, err
		}
	}
	return c, nil
}

// drawPack draws series of a bucket, in any order of ids, some with equal times.
func drawPack(t *rapid.T, bucket, width int64) []column {
	ids := rapid.SliceOfNDistinct(rapid.Uint64(), 1, 20, rapid.ID).Draw(t, "ids")
	rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
	var out []column
	for i, id := range ids {
		c := column{id: base.SeriesID(id)}
		if i > 0 && rapid.Bool().Draw(t, "same times") {
			c.ts = out[rng.IntN(len(out))].ts
		} else {
			n := rapid.SampledFrom([]int{1, 2, 63, 64, 300, 1024, 1025, 2500}).Draw(t, "points")
			unit := rapid.SampledFrom([]int64{1, 1e6}).Draw(t, "unit")
			for range n {
				c.ts = append(c.ts, bucket+rng.Int64N(width/unit)*unit)
			}
			slices.Sort(c.ts)
			c.ts = slices.Compact(c.ts)
		}
		strange := rapid.Bool().Draw(t, "strange")
		for range c.ts {
			v := float64(rng.IntN(1000)) / 10
			if strange && rng.IntN(50) == 0 {
				v = math.Float64frombits(rng.Uint64())
			}
			c.values = append(c.values, v)
		}
		out = append(out, c)
	}
	return out
}

func TestPackRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		opts := PackOptions{NowMS: 7, Bucket: someDay, Width: base.Day, Part: 3}
		if rapid.Bool().Draw(t, "hour") {
			opts.Bucket, opts.Width = someHour, base.Hour
		}
		series := drawPack(t, opts.Bucket, opts.Width)
		fs := fsys.NewMem()
		w, err := CreatePack(fs, opts)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range series {
			ts, values := c.ts, c.values
			for len(ts) > 0 { // in pieces
				n := rapid.IntRange(1, len(ts)).Draw(t, "n")
				if err := w.Append(c.id, ts[:n], values[:n]); err != nil {
					t.Fatal(err)
				}
				ts, values = ts[n:], values[n:]
			}
		}
		e, err := w.Finish()
		if err != nil {
			t.Fatal(err)
		}
		p, err := OpenPack(fs, e)
		if err != nil {
			t.Fatal(err)
		}
		f, err := fs.Open(e.Path)
		if err != nil {
			t.Fatal(err)
		}
		r := p.Reader(f, nil)
		slices.SortFunc(series, func(a, b column) int { return cmp.Compare(a.id, b.id) })
		n := 0
		err = r.All(func(s *PackSeries) error {
			if s.ID != series[n].id {
				t.Fatalf("series %d is %x, not %x", n, s.ID, series[n].id)
			}
			n++
			return nil
		})
		if err != nil || n != len(series) {
			t.Fatalf("%d of %d series, error %v", n, len(series), err)
		}
		for _, want := range series {
			got, err := readAllOf(r, want.id)
			if err != nil || got.id != want.id || !samePoints(got.ts, got.values, want.ts, want.values) {
				t.Fatalf("series %x: error %v, %d points of %d", want.id, err, len(got.ts), len(want.ts))
			}
		}
		if err := VerifyPack(fs, e, nil); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	})
}
