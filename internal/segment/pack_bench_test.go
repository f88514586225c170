package segment

import (
	"math"
	"math/rand/v2"
	"runtime"
	"strconv"
	"testing"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/fsys"
	"github.com/sydradb/sydradb/internal/manifest"
)

// discard is a file system that keeps nothing: what is measured is the writer.
type discard struct{ fsys.FS }

type discardFile struct {
	fsys.File
	size int64
}

func (discard) Create(string) (fsys.File, error) { return &discardFile{}, nil }
func (discard) Rename(string, string) error      { return nil }

func (f *discardFile) Write(p []byte) (int, error) { f.size += int64(len(p)); return len(p), nil }
func (f *discardFile) Sync() error                 { return nil }
func (f *discardFile) Close() error                { return nil }

// shape is what a benchmark writes: series of points, half of the series two-decimal
// gauges, half counters. Sixteen at a time are scraped together.
type shape struct{ series, points int }

func (s shape) String() string {
	return "series=" + strconv.Itoa(s.series) + "/points=" + strconv.Itoa(s.points)
}

var shapes = []shape{{1 << 20, 20}, {20_000, 360}}

func (s shape) bucket() (bucket, width, step int64) {
	return someHour, base.Hour, base.Hour / int64(s.points)
}

// each calls fn for every series, ids being spread as hashes are.
func (s shape) each(fn func(id base.SeriesID, ts []int64, values []float64) error) error {
	rng := rand.New(rand.NewPCG(5, 6))
	bucket, _, step := s.bucket()
	ts := make([]int64, s.points)
	const kinds = 64
	var values [kinds][]float64
	for k := range values {
		values[k] = make([]float64, s.points)
		sum := 0.0
		for i := range values[k] {
			sum += float64(rng.IntN(3))
			values[k][i] = sum
			if k%2 == 0 {
				values[k][i] = math.Round(2000+rng.NormFloat64()*500) / 100
			}
		}
	}
	for n := range s.series {
		if n%16 == 0 {
			offset := rng.Int64N(step/1e6) * 1e6
			for i := range ts {
				ts[i] = bucket + offset + int64(i)*step/1e6*1e6
			}
		}
		if err := fn(base.SeriesID(uint64(n+1)*0x9e3779b97f4a7c15), ts, values[n%kinds]); err != nil {
			return err
		}
	}
	return nil
}

func (s shape) write(fs fsys.FS) (manifest.Entry, error) {
	bucket, width, _ := s.bucket()
	w, err := CreatePack(fs, PackOptions{NowMS: 1, Bucket: bucket, Width: width})
	if err != nil {
		return manifest.Entry{}, err
	}
	if err := s.each(w.Append); err != nil {
		return manifest.Entry{}, err
	}
	return w.Finish()
}

func BenchmarkPackWrite(b *testing.B) {
	for _, s := range shapes {
		b.Run(s.String(), func(b *testing.B) {
			var e manifest.Entry
			for b.Loop() {
				var err error
				if e, err = s.write(discard{}); err != nil {
					b.Fatal(err)
				}
			}
			perPoint(b, s.series*s.points)
			b.ReportMetric(float64(e.Bytes)/float64(e.Count), "B/point")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// BenchmarkPackWriteHeap measures by how much the heap grows, garbage included, while a
// pack of a million series is written.
func BenchmarkPackWriteHeap(b *testing.B) {
	for b.Loop() {
		peak, n := uint64(0), 0
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		before := m.HeapInuse
		bucket, width, _ := shapes[0].bucket()
		w, err := CreatePack(discard{}, PackOptions{NowMS: 1, Bucket: bucket, Width: width})
		if err != nil {
			b.Fatal(err)
		}
		look := func() {
			runtime.ReadMemStats(&m)
			peak = max(peak, m.HeapInuse)
		}
		err = shapes[0].each(func(id base.SeriesID, ts []int64, values []float64) error {
			if n++; n%10_000 == 0 {
				look()
			}
			return w.Append(id, ts, values)
		})
		if err == nil {
			_, err = w.Finish()
		}
		if err != nil {
			b.Fatal(err)
		}
		look()
		b.ReportMetric(float64(peak-before)/(1<<20), "MiB")
	}
}

// mapPieces keeps everything.
type mapPieces map[int64][]byte

func (m mapPieces) Get(offset int64) []byte       { return m[offset] }
func (m mapPieces) Put(offset int64, data []byte) { m[offset] = data }

func openShape(b *testing.B, s shape, cache Pieces) (*PackReader, PackInfo) {
	b.Helper()
	fs := fsys.NewMem()
	e, err := s.write(fs)
	if err != nil {
		b.Fatal(err)
	}
	r := openReader(b, fs, e, cache)
	return r, r.pack.Info()
}

func BenchmarkPackFind(b *testing.B) {
	for _, cached := range []bool{true, false} {
		b.Run("cached="+strconv.FormatBool(cached), func(b *testing.B) {
			var cache Pieces
			if cached {
				cache = make(mapPieces)
			}
			r, info := openShape(b, shapes[0], cache)
			var s PackSeries
			n := uint64(0)
			for b.Loop() {
				n = n%uint64(shapes[0].series) + 1
				if found, err := r.Find(base.SeriesID(n*0x9e3779b97f4a7c15), &s); err != nil || !found {
					b.Fatal(found, err)
				}
			}
			b.ReportAllocs()
			b.ReportMetric(float64(info.IndexBytes)/float64(info.SeriesCount), "index-B/series")
		})
	}
}

// BenchmarkPackScan reads every series in the order of the file.
func BenchmarkPackScan(b *testing.B) {
	for _, s := range shapes {
		b.Run(s.String(), func(b *testing.B) {
			r, _ := openShape(b, s, nil)
			var all []PackSeries
			var blocks []PackBlock
			v := verifier{pack: r.pack, r: r}
			places, err := v.places()
			if err != nil {
				b.Fatal(err)
			}
			for _, at := range places {
				var one PackSeries
				if err := r.load(int(at.block)); err != nil {
					b.Fatal(err)
				}
				if err := r.entry(int(at.entry), &one); err != nil {
					b.Fatal(err)
				}
				blocks = append(blocks, one.Blocks[0])
				all = append(all, one)
			}
			for i := range all {
				all[i].Blocks = blocks[i : i+1]
			}
			var ts []int64
			var values []float64
			for b.Loop() {
				for i := range all {
					if ts, values, err = r.AppendBlock(ts[:0], values[:0], &all[i], 0); err != nil {
						b.Fatal(err)
					}
				}
			}
			perPoint(b, s.series*s.points)
		})
	}
}

func BenchmarkPackVerify(b *testing.B) {
	s := shapes[0]
	fs := fsys.NewMem()
	e, err := s.write(fs)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if err := VerifyPack(fs, e, nil); err != nil {
			b.Fatal(err)
		}
	}
	perPoint(b, s.series*s.points)
}
