package segment

import (
	"bytes"
	"errors"
	iofs "io/fs"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/codec"
	"github.com/sydradb/sydradb/internal/fsys"
	"github.com/sydradb/sydradb/internal/manifest"
)

// manySeries returns series whose ids are those of a hash, two thirds of them with the
// times of the one before.
func manySeries(n, points int) []column {
	rng := rand.New(rand.NewPCG(3, 4))
	out := make([]column, n)
	for i := range out {
		out[i] = column{id: base.SeriesID(rng.Uint64() | 1), values: make([]float64, points)}
		for j := range points {
			out[i].values[j] = rng.Float64()
		}
		if i%3 > 0 {
			out[i].ts = out[i-1].ts
			continue
		}
		out[i].ts = make([]int64, points)
		for j := range points {
			out[i].ts[j] = someHour + int64(j)*5e9 + rng.Int64N(5e9)
		}
	}
	return out
}

var hourPack = PackOptions{NowMS: 1, Bucket: someHour, Width: base.Hour}

func TestFindInManyIndexBlocks(t *testing.T) {
	fs := fsys.NewMem()
	series := manySeries(3000, 2)
	r := openReader(t, fs, writePack(t, fs, hourPack, series), nil)
	if n := len(r.pack.blocks); n < 10 {
		t.Fatalf("only %d index blocks", n)
	}
	for _, c := range series {
		got, err := readAllOf(r, c.id)
		if err != nil || got.id != c.id || !samePoints(got.ts, got.values, c.ts, c.values) {
			t.Fatalf("series %x: %v, error %v", c.id, got, err)
		}
		if got, err := readAllOf(r, c.id-1); err != nil || got.id != 0 { // ids are odd
			t.Fatalf("no series %x: %v, error %v", c.id-1, got, err)
		}
	}
	for _, id := range []base.SeriesID{0, 1<<64 - 2} {
		if got, err := readAllOf(r, id); err != nil || got.id != 0 {
			t.Errorf("no series %x: %v, error %v", id, got, err)
		}
	}
}

func TestAllEndsWithTheErrorOfFn(t *testing.T) {
	fs, e, _ := goldenPackFile(t)
	stop := errors.New("stop")
	n := 0
	err := openReader(t, fs, e, nil).All(func(*PackSeries) error { n++; return stop })
	if err != stop || n != 1 {
		t.Errorf("%v after %d series", err, n)
	}
}

// fn of All may read what it likes with the same reader.
func TestAllAllowsFind(t *testing.T) {
	fs := fsys.NewMem()
	series := manySeries(1000, 2)
	r := openReader(t, fs, writePack(t, fs, hourPack, series), nil)
	n := 0
	err := r.All(func(s *PackSeries) error {
		n++
		_, err := readAllOf(r, series[n%len(series)].id)
		return err
	})
	if err != nil || n != len(series) {
		t.Errorf("%d of %d series, error %v", n, len(series), err)
	}
}

// What a cache has is not read again, and only what was verified is put there.
func TestReaderUsesTheCache(t *testing.T) {
	fs := fsys.NewMem()
	series := manySeries(300, 20)
	e := writePack(t, fs, hourPack, series)
	rand.New(rand.NewPCG(1, 1)).Shuffle(len(series), func(i, j int) { series[i], series[j] = series[j], series[i] })
	reads := 0
	fs.SetHook(func(op fsys.Op) fsys.Fault {
		if op.Kind == fsys.OpRead {
			reads++
		}
		return fsys.Fault{}
	})
	cache := make(mapPieces)
	for round := range 2 {
		r := openReader(t, fs, e, cache)
		reads = 0
		for _, c := range series {
			got, err := readAllOf(r, c.id)
			if err != nil || !samePoints(got.ts, got.values, c.ts, c.values) {
				t.Fatalf("series %x: %v, error %v", c.id, got, err)
			}
		}
		if round == 0 && (reads == 0 || len(cache) < 400) || round == 1 && reads > 0 {
			t.Errorf("round %d: %d reads, %d pieces", round, reads, len(cache))
		}
	}
	// Some pieces may be missing, in any combination.
	for offset := range cache {
		if offset%3 == 0 {
			delete(cache, offset)
		}
	}
	r := openReader(t, fs, e, cache)
	for _, c := range series {
		if got, err := readAllOf(r, c.id); err != nil || !samePoints(got.ts, got.values, c.ts, c.values) {
			t.Fatalf("series %x with half a cache: %v, error %v", c.id, got, err)
		}
	}
}

func TestDamageStaysOutOfTheCache(t *testing.T) {
	_, e, good := goldenPackFile(t)
	for at := range good {
		data := slices.Clone(good)
		data[at] ^= 4
		fs := fsys.NewMem()
		put(t, fs, base.SegmentDir(someHour), e.Path, data)
		if _, err := OpenPack(fs, e); err != nil {
			continue
		}
		cache := make(mapPieces)
		r := openReader(t, fs, e, cache)
		for _, c := range goldenSeries() {
			_, _ = readAllOf(r, c.id)
		}
		for offset, piece := range cache {
			if string(piece) != string(good[offset:offset+int64(len(piece))]) {
				t.Fatalf("byte %#x: the cache has % x at %#x", at, piece, offset)
			}
		}
	}
}

// Reading in the order of the file, or nearly so, takes few reads, and what is long leaves
// the cache alone.
func TestReaderReadsAhead(t *testing.T) {
	fs := fsys.NewMem()
	series := manySeries(6000, 60)
	e := writePack(t, fs, hourPack, series)
	cache := make(mapPieces)
	r := openReader(t, fs, e, cache)
	entries := make([]PackSeries, len(series))
	for i, c := range series {
		if _, err := r.Find(c.id, &entries[i]); err != nil {
			t.Fatal(err)
		}
	}
	clear(cache)
	reads := 0
	fs.SetHook(func(op fsys.Op) fsys.Fault {
		if op.Kind == fsys.OpRead {
			reads++
		}
		return fsys.Fault{}
	})
	for from := range series {
		i := from ^ 7 // eight by eight, backwards
		c := series[i]
		ts, values, err := r.AppendBlock(nil, nil, &entries[i], 0)
		if err != nil || !samePoints(ts, values, c.ts, c.values) {
			t.Fatalf("series %d: error %v", i, err)
		}
	}
	size, kept := r.pack.Info().ColumnBytes, int64(0)
	for _, piece := range cache {
		kept += int64(len(piece))
	}
	if few := 10 + 2*size/aheadBytes; int64(reads) > few || size < 2*longBytes || kept > longBytes*5/4 || kept < longBytes {
		t.Errorf("%d bytes took %d reads, at most %d are expected, and %d bytes went to the cache", size, reads, few, kept)
	}
}

func TestReaderAllocatesNothing(t *testing.T) {
	fs := fsys.NewMem()
	series := manySeries(500, 30)
	r := openReader(t, fs, writePack(t, fs, hourPack, series), nil)
	var s PackSeries
	var ts []int64
	var values []float64
	n := 0
	round := func() {
		for range 100 {
			n++
			found, err := r.Find(series[n*7%500].id, &s)
			if err == nil && found {
				ts, values, err = r.AppendBlock(ts[:0], values[:0], &s, 0)
			}
			if err != nil || !found {
				t.Fatal(found, err)
			}
		}
	}
	for range 10 {
		round()
	}
	if a := testing.AllocsPerRun(5, round); a > 0 {
		t.Errorf("%v allocations", a)
	}
}

func TestOpenPackComparesTheEntry(t *testing.T) {
	fs, good, _ := goldenPackFile(t)
	if _, err := OpenPack(fs, good); err != nil {
		t.Fatal(err)
	}
	cases := map[string]func(e *manifest.Entry){
		"size":    func(e *manifest.Entry) { e.Bytes++ },
		"footer":  func(e *manifest.Entry) { e.FooterCRC = "00000000" },
		"bucket":  func(e *manifest.Entry) { e.HourBucket += base.Hour },
		"width":   func(e *manifest.Entry) { e.Width = base.Day },
		"start":   func(e *manifest.Entry) { e.StartTS++ },
		"end":     func(e *manifest.Entry) { e.EndTS-- },
		"points":  func(e *manifest.Entry) { e.Count++ },
		"series":  func(e *manifest.Entry) { e.Segments-- },
		"missing": func(e *manifest.Entry) { e.Path = base.PackFile(0, 0, 0, 1, 1) },
	}
	for name, edit := range cases {
		e := good
		edit(&e)
		_, err := OpenPack(fs, e)
		var damage *base.CorruptionError
		if !errors.As(err, &damage) || damage.File != e.Path || (name == "missing") != errors.Is(err, iofs.ErrNotExist) {
			t.Errorf("%s: %v", name, err)
		}
	}
	e := good
	e.Seq, e.Edit, e.Wall, e.Applied, e.Width = 7, 8, 9, 10, base.Hour // nothing of the file
	if _, err := OpenPack(fs, e); err != nil {
		t.Error(err)
	}
}

// A failing disk is no damage, wherever it fails.
func TestPackReadErrorIsNoDamage(t *testing.T) {
	broken := errors.New("broken disk")
	fs, e, _ := goldenPackFile(t)
	for n := 1; ; n++ {
		count := 0
		fs.SetHook(func(op fsys.Op) fsys.Fault {
			if count++; count == n {
				return fsys.Fault{Err: broken}
			}
			return fsys.Fault{}
		})
		err := VerifyPack(fs, e, nil)
		if count < n {
			if err != nil || n < 10 {
				t.Fatalf("%d operations, error %v", count, err)
			}
			break
		}
		if !errors.Is(err, broken) || errors.Is(err, base.ErrCorrupt) {
			t.Errorf("operation %d fails: %v", n, err)
		}
	}
	if open := fs.OpenFiles(); len(open) != 0 {
		t.Errorf("left open: %v", open)
	}
}

func TestUnknownCodecInPack(t *testing.T) {
	_, e, data := goldenPackFile(t)
	p := &Pack{size: int64(len(data))}
	if _, err := p.read(bytes.NewReader(data)); err != nil {
		t.Fatal(err)
	}
	r := p.Reader(bytes.NewReader(data), nil)
	if err := r.load(0); err != nil {
		t.Fatal(err)
	}
	_, offset := r.block.entry(0)
	data[int(p.footer.index)+offset] = 0x1f // codecs of series 1111
	resign(t, data, p)
	fs := fsys.NewMem()
	put(t, fs, base.SegmentDir(someHour), e.Path, data)
	r = openReader(t, fs, unsigned(e), nil)
	if _, err := readAllOf(r, 0x1111); !errors.Is(err, codec.ErrUnknown) || errors.Is(err, base.ErrCorrupt) {
		t.Errorf("%v", err)
	}
	if _, err := readAllOf(r, 0x3333); err != nil {
		t.Errorf("series beside it: %v", err)
	}
}
