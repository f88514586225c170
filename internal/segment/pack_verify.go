package segment

import (
	"cmp"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/zeebo/blake3"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/codec"
	"github.com/sydradb/sydradb/internal/fsys"
	"github.com/sydradb/sydradb/internal/manifest"
)

var (
	errStatsDiffer = errors.New("statistics differ from the values")
	errGap         = errors.New("columns do not follow one another")
)

// VerifyPack reads the whole pack of a manifest entry and checks all that can be said of
// it: what OpenPack and PackReader check, its BLAKE3 if the entry has one, that every
// block decodes, that statistics, counts and ranges are those of the points, and that the
// columns leave no gap. It calls fn, which may be nil, with each series and its times, in
// the order of the file; both are valid until fn returns, whose error ends it. Memory is
// 16 bytes for each series and the points of one.
func VerifyPack(fs fsys.FS, entry manifest.Entry, fn func(s *PackSeries, ts []int64) error) (err error) {
	p, err := OpenPack(fs, entry)
	if err != nil {
		return err
	}
	f, err := fs.Open(entry.Path)
	if err != nil {
		return fmt.Errorf("open pack: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if entry.BLAKE3 != "" {
		if err := p.compareDigest(f, entry.BLAKE3); err != nil {
			return err
		}
	}
	v := verifier{pack: p, r: p.Reader(f, nil), fn: fn}
	return v.run()
}

// compareDigest reads the whole file.
func (p *Pack) compareDigest(f io.ReaderAt, want string) error {
	h := blake3.New()
	if _, err := io.CopyBuffer(h, io.NewSectionReader(f, 0, p.size), make([]byte, aheadBytes)); err != nil {
		return fmt.Errorf("read %s: %w", p.path, err)
	}
	if sum := hex.EncodeToString(h.Sum(nil)); sum != want {
		return &base.CorruptionError{File: p.path, Offset: base.WholeFile, Err: fmt.Errorf("%w: %s, not %s", errDigest, sum, want)}
	}
	return nil
}

// verifier checks the points of a pack.
type verifier struct {
	pack *Pack
	r    *PackReader
	fn   func(*PackSeries, []int64) error

	end    int64 // of the columns that were seen
	totals packFooter
	ts     []int64
	values []float64
}

// entryPlace is where the values of a series begin, and its entry.
type entryPlace struct {
	values       int64
	block, entry uint32
}

func (v *verifier) run() error {
	places, err := v.places()
	if err != nil {
		return err
	}
	v.end = packHeaderBytes
	v.totals = packFooter{start: math.MaxInt64, end: math.MinInt64}
	var s PackSeries
	for _, at := range places {
		if err := v.r.load(int(at.block)); err != nil {
			return err
		}
		if err := v.r.entry(int(at.entry), &s); err != nil {
			return err
		}
		if err := v.series(&s); err != nil {
			return inFile(err, v.pack.path)
		}
		if v.fn != nil {
			if err := v.fn(&s, v.ts); err != nil {
				return err
			}
		}
	}
	f, t := &v.pack.footer, &v.totals
	if v.end != f.index {
		return inFile(&base.CorruptionError{Offset: v.end, Part: "columns", Err: errGap}, v.pack.path)
	}
	if t.blocks != f.blocks || t.points != f.points || t.start != f.start || t.end != f.end {
		return inFile(&base.CorruptionError{Offset: v.pack.size - packFooterBytes, Part: "footer", Err: errTotals}, v.pack.path)
	}
	return nil
}

// places returns all entries, in the order in which their values lie in the file.
func (v *verifier) places() ([]entryPlace, error) {
	out := make([]entryPlace, 0, v.pack.footer.series)
	err := v.r.All(func(s *PackSeries) error {
		// All goes from entry to entry: the first of a block follows the last of another.
		at := entryPlace{values: s.Blocks[0].ValueOffset, block: uint32(v.r.number)}
		if n := len(out); n > 0 && out[n-1].block == at.block {
			at.entry = out[n-1].entry + 1
		}
		out = append(out, at)
		return nil
	})
	slices.SortFunc(out, func(a, b entryPlace) int { return cmp.Compare(a.values, b.values) })
	return out, err
}

// series checks one series and leaves its times in v.
func (v *verifier) series(s *PackSeries) (err error) {
	v.ts = v.ts[:0]
	for i := range s.Blocks {
		b := &s.Blocks[i]
		begin := b.ValueOffset
		if b.TimestampOffset >= v.end {
			begin = b.TimestampOffset // a column that nothing before needed
		}
		if begin != v.end || begin < b.ValueOffset && begin+int64(b.TimestampBytes) != b.ValueOffset {
			return blockDamage(s, b, errGap)
		}
		v.end = b.ValueOffset + int64(b.ValueBytes)
		if v.ts, v.values, err = v.r.AppendBlock(v.ts, v.values[:0], s, i); err != nil {
			return err
		}
		if b.HasStats {
			statsOf := statsOf
			if s.ValueCodec == codec.ValuesXOR {
				statsOf = statsOf1
			}
			if stats, ok := statsOf(v.values); !ok || !stats.same(&b.Stats) {
				return blockDamage(s, b, errStatsDiffer)
			}
		}
		v.totals.blocks++
		v.totals.points += uint64(b.Count)
	}
	v.totals.start, v.totals.end = min(v.totals.start, s.Start), max(v.totals.end, s.End)
	return nil
}

// same reports whether both are equal bit by bit.
func (s *Stats) same(other *Stats) bool {
	a, b := s.fields(), other.fields()
	for i := range a {
		if math.Float64bits(*a[i]) != math.Float64bits(*b[i]) {
			return false
		}
	}
	return true
}

// ExportSegment appends the points that s, which Find or All filled in, has in the hour
// that begins at hour, as a SYSEG2 file. Without points there, dst is returned as it was.
func (r *PackReader) ExportSegment(dst []byte, s *PackSeries, hour int64) ([]byte, error) {
	ts, values, err := r.appendRange(nil, nil, s, hour, hour+base.Hour-1)
	if err != nil {
		return dst, err
	}
	from, to := cut(ts, hour, hour+base.Hour-1)
	if from == to {
		return dst, nil
	}
	return Encode(dst, s.ID, hour, ts[from:to], values[from:to])
}
