package segment

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"slices"
	"testing"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/codec"
	"github.com/sydradb/sydradb/internal/fsys"
	"github.com/sydradb/sydradb/internal/golden"
	"github.com/sydradb/sydradb/internal/manifest"
)

var goldenPack = PackOptions{NowMS: 5, Bucket: someHour, Width: base.Hour, Part: 1}

// goldenSeries are the series of testdata/pack.golden, in the order of its columns: two
// that share their times, and one with statistics.
func goldenSeries() []column {
	times := []int64{someHour, someHour + 10e9, someHour + 20e9}
	long := column{id: 0x2222}
	for i := range int64(64) {
		long.ts = append(long.ts, someHour+1+i*1e9)
		long.values = append(long.values, 24.5-4.25*float64(i/32))
	}
	return []column{
		{0x3333, times, []float64{1, 2, 2}},
		{0x1111, times, []float64{3, math.NaN(), math.Copysign(0, -1)}},
		long,
	}
}

func goldenPackFile(t testing.TB) (fs *fsys.Mem, e manifest.Entry, data []byte) {
	t.Helper()
	fs = fsys.NewMem()
	e = writePack(t, fs, goldenPack, goldenSeries())
	data, err := fsys.ReadFile(fs, e.Path)
	if err != nil {
		t.Fatal(err)
	}
	return fs, e, data
}

// annotator cuts bytes into fields of a golden file.
type annotator struct {
	cursor
	fields []golden.Field
}

// note makes the bytes up to the cursor a field.
func (a *annotator) note(format string, args ...any) {
	done := 0
	for _, f := range a.fields {
		done += len(f.Bytes)
	}
	a.fields = append(a.fields, golden.Field{Bytes: a.data[done:a.pos], Note: fmt.Sprintf(format, args...)})
}

func (a *annotator) skip(n int, format string, args ...any) {
	a.pos += n
	a.note(format, args...)
}

func (a *annotator) entry(id base.SeriesID, end int) {
	codecs := a.byte()
	a.note("series %x: codecs %d and %d", uint64(id), codecs&15, codecs>>4)
	for a.pos < end {
		flags := a.byte()
		a.note("  flags: column %d, ms %t, statistics %d", flags&columnMask, flags&flagMillis != 0, flags>>statsShift)
		if flags&columnMask == columnShared {
			a.note("    shared column %d", a.uvarint())
		} else {
			a.note("    column: %d bytes", a.uvarint())
			a.note("    %d points", a.uvarint())
			a.note("    first %d after the start of the bucket", a.uvarint())
			a.note("    last %d later", a.uvarint())
		}
		a.note("    values at %#x", a.uvarint())
		a.note("    %d bytes of them", a.uvarint())
		a.skip(4, "    crc")
		a.stats(flags >> statsShift)
	}
}

func (a *annotator) stats(form byte) {
	if form == statsNone {
		return
	}
	power := 1.0
	if form == statsDecimal {
		exponent := a.byte()
		a.note("    exponent %d", exponent)
		power = powers[exponent]
	}
	for _, name := range []string{"min", "max", "first", "last", "sum", "drop"} {
		if form == statsRaw {
			a.note("    %s %v", name, math.Float64frombits(a.uint64()))
		} else {
			a.note("    %s %v", name, float64(a.varint())/power)
		}
	}
}

// annotatePack walks a pack with one index block.
func annotatePack(t *testing.T, data []byte, p *Pack) []golden.Field {
	a := &annotator{cursor: cursor{data: data}}
	a.skip(8, "header: magic")
	a.note("version %d", a.uint32())
	a.note("bucket %d", int64(a.uint64()))
	a.note("width %d", a.uint64())
	r := p.Reader(bytes.NewReader(data), nil)
	for _, c := range goldenSeries() {
		var s PackSeries
		if found, err := r.Find(c.id, &s); err != nil || !found {
			t.Fatal(found, err)
		}
		b := &s.Blocks[0]
		if b.TimestampOffset >= int64(a.pos) {
			a.skip(b.TimestampBytes, "columns: times of series %x", uint64(c.id))
		}
		a.skip(b.ValueBytes, "columns: values of series %x", uint64(c.id))
	}
	if int64(a.pos) != p.footer.index || r.load(0) != nil {
		t.Fatalf("index at %#x, columns end at %#x", p.footer.index, a.pos)
	}
	index, block := a.pos, r.block
	for range block.count {
		a.note("index block: series %x", a.uint64())
	}
	for range block.count {
		a.note("entry of %d bytes", a.uvarint())
	}
	for i := range block.count {
		entry, offset := block.entry(i)
		a.entry(block.id(i), index+offset+len(entry))
	}
	a.skip(4, "crc of the index block")
	for i := range p.footer.shared {
		a.note("top level: shared column %d at %#x", i, a.varint())
		a.note("%d bytes", a.uvarint())
		a.note("%d points", a.uvarint())
		a.note("first %d after the start of the bucket", a.uvarint())
		a.note("last %d later", a.uvarint())
	}
	a.note("top level: index block from series %x", a.uint64())
	a.note("%d after the start of the index", a.uint32())
	a.note("%d series", a.uint32())
	a.note("footer: index at %#x", a.uint64())
	a.note("top level at %#x", a.uint64())
	a.note("%d shared column", a.uint32())
	a.note("%d index block", a.uint32())
	a.note("%d series", a.uint32())
	a.note("%d blocks", a.uint64())
	a.note("%d points", a.uint64())
	a.note("start %d", int64(a.uint64()))
	a.note("end %d", int64(a.uint64()))
	a.skip(4, "crc of the top level")
	a.skip(4, "crc of the footer")
	a.skip(8, "magic")
	if a.bad || a.pos != len(data) {
		t.Fatalf("annotated %d of %d bytes", a.pos, len(data))
	}
	return a.fields
}

func TestPackMatchesGolden(t *testing.T) {
	fs, e, data := goldenPackFile(t)
	p, err := OpenPack(fs, e)
	if err != nil {
		t.Fatal(err)
	}
	text := append([]byte("# A pack of an hour with three series, two of which share their times.\n"), golden.Hex(annotatePack(t, data, p)...)...)
	golden.Check(t, "testdata/pack.golden", text)
}

// What earlier versions wrote, with other codecs, is read for ever.
func TestGoldenPackIsRead(t *testing.T) {
	for _, name := range []string{"pack", "pack-codec1"} {
		t.Run(name, func(t *testing.T) { readGoldenPack(t, golden.ReadHex(t, "testdata/"+name+".golden")) })
	}
}

func readGoldenPack(t *testing.T, data []byte) {
	fs := fsys.NewMem()
	name := base.PackFile(someHour, someHour, someHour+63e9+1, 5, 1)
	put(t, fs, base.SegmentDir(someHour), name, data)
	e, err := DescribePack(fs, name)
	if err != nil {
		t.Fatal(err)
	}
	want := manifest.Entry{HourBucket: someHour, StartTS: someHour, EndTS: someHour + 63e9 + 1, Count: 70, Path: name,
		Bytes: int64(len(data)), Segments: 3, FooterCRC: fmt.Sprintf("%08x", binary.LittleEndian.Uint32(data[len(data)-12:]))}
	if e != want {
		t.Errorf("described as %+v, want %+v", e, want)
	}
	r := openReader(t, fs, e, nil)
	for _, c := range goldenSeries() {
		got, err := readAllOf(r, c.id)
		if err != nil || !samePoints(got.ts, got.values, c.ts, c.values) {
			t.Errorf("series %x: %v, error %v", c.id, got, err)
		}
	}
	var s PackSeries
	if _, err := r.Find(0x2222, &s); err != nil || !s.Blocks[0].HasStats ||
		s.Blocks[0].Stats != (Stats{Min: 20.25, Max: 24.5, First: 24.5, Last: 20.25, Sum: 32 * (24.5 + 20.25), Drop: 24.5}) {
		t.Errorf("statistics %+v, error %v", s.Blocks[0], err)
	}
}

// entryLayout is a pack in which the entry of testdata/pack-entry.golden may lie.
var entryLayout = layout{bucket: someDay, width: base.Day, columnsEnd: 1 << 20,
	shared: []sharedColumn{{100, 50, 40, someDay + 5, someDay + 1000}}}

// An entry with all that no pack in these tests has: a column that is neither near nor in
// the list, times in nanoseconds, decimal statistics.
func TestPackEntryGolden(t *testing.T) {
	data := golden.ReadHex(t, "testdata/pack-entry.golden")
	var s PackSeries
	if err := entryLayout.decodeEntry(&s, 7, data); err != nil {
		t.Fatal(err)
	}
	want := PackSeries{ID: 7, Count: 40 + 100, Start: someDay + 5, End: someDay + 7200e9, TimestampCodec: 1, ValueCodec: 2, Blocks: []PackBlock{
		{Count: 40, First: someDay + 5, Last: someDay + 1000, TimestampOffset: 100, TimestampBytes: 50, ValueOffset: 1000, ValueBytes: 80, crc: 0x04030201},
		{Count: 100, First: someDay + 3600e9, Last: someDay + 7200e9, TimestampOffset: 1100 - 300, TimestampBytes: 110, ValueOffset: 1100, ValueBytes: 90,
			crc: 0x08070605, HasStats: true, Stats: Stats{Min: -1.5, Max: 20, First: 0.25, Last: 3, Sum: 700.75, Drop: 655.35}},
	}}
	if !slices.Equal(s.Blocks, want.Blocks) {
		t.Errorf("blocks %+v, want %+v", s.Blocks, want.Blocks)
	}
	if s.Blocks, want.Blocks = nil, nil; fmt.Sprint(s) != fmt.Sprint(want) {
		t.Errorf("series %+v, want %+v", s, want)
	}
	for n := range data {
		// Cut behind a block, an entry is a shorter one.
		if err := entryLayout.decodeEntry(&s, 7, data[:n]); err == nil && n != 9+1 {
			t.Errorf("cut to %d of %d bytes: no error", n, len(data))
		}
	}
}

func TestPackEntryRefuses(t *testing.T) {
	const day = uint64(base.Day)
	uv := func(parts ...any) (out []byte) {
		for _, p := range parts {
			switch v := p.(type) {
			case int:
				out = binary.AppendUvarint(out, uint64(v))
			case uint64:
				out = binary.AppendUvarint(out, v)
			case []byte:
				out = append(out, v...)
			}
		}
		return out
	}
	crc := []byte{1, 2, 3, 4}
	good := uv(0x11, 0, 10, 10, 5, 9, 200, 20, crc)
	var s PackSeries
	if err := entryLayout.decodeEntry(&s, 1, good); err != nil {
		t.Fatal(err)
	}
	cases := map[string]struct {
		data []byte
		err  error
	}{
		"no timestamp codec":      {append([]byte{0x10}, good[1:]...), errCodecs},
		"no value codec":          {append([]byte{0x01}, good[1:]...), errCodecs},
		"unknown flag":            {uv(0x11, 0x20, 10, 10, 5, 9, 200, 20, crc), errFlags},
		"unknown column":          {uv(0x11, 3, 10, 10, 5, 9, 200, 20, crc), errFlags},
		"unknown statistics":      {uv(0x11, 3<<3, 10, 100, 5, 99, 200, 20, crc), errFlags},
		"no such shared column":   {uv(0x11, 1, 1, 200, 20, crc), errNumber},
		"shared in ms":            {uv(0x11, 5, 0, 200, 20, crc), errNumber},
		"no points":               {uv(0x11, 0, 10, 0, 5, 9, 200, 20, crc), errPoints},
		"too many points":         {uv(0x11, 0, 10, maxBlockPoints+1, 5, maxBlockPoints, 200, 20, crc), errPoints},
		"more points than ns":     {uv(0x11, 0, 10, 11, 5, 9, 200, 20, crc), errPoints},
		"first behind the bucket": {uv(0x11, 0, 10, 1, day, 0, 200, 20, crc), errPoints},
		"last behind the bucket":  {uv(0x11, 0, 10, 10, day-9, 9, 200, 20, crc), errPoints},
		"huge first":              {uv(0x11, 0, 10, 10, uint64(math.MaxUint64), 9, 200, 20, crc), errPoints},
		"huge ms":                 {uv(0x11, 4, 10, 10, day/millis, 0, 200, 20, crc), errPoints},
		"values in the header":    {uv(0x11, 0, 10, 10, 5, 9, 20, 20, crc), errPlace},
		"times in the header":     {uv(0x11, 0, 10, 10, 5, 9, 30, 20, crc), errPlace},
		"values behind the end":   {uv(0x11, 0, 10, 10, 5, 9, 1<<20-19, 20, crc), errPlace},
		"huge gap":                {uv(0x11, 0, 10, 10, 5, 9, uint64(math.MaxUint64), 20, crc), errPlace},
		"huge values":             {uv(0x11, 0, 10, 10, 5, 9, 200, uint64(math.MaxUint64), crc), errPlace},
		"no values":               {uv(0x11, 0, 10, 10, 5, 9, 200, 0, crc), errPlace},
		"no times":                {uv(0x11, 0, 0, 10, 5, 9, 200, 20, crc), errPlace},
		"huge times":              {uv(0x11, 0, uint64(math.MaxUint64), 10, 5, 9, 200, 20, crc), errPlace},
		"times overlap values":    {uv(0x11, 2, 9, 10, 10, 5, 9, 200, 20, crc), errPlace},
		"huge distance":           {uv(0x11, 2, uint64(math.MaxUint64), 10, 10, 5, 9, 200, 20, crc), errPlace},
		"blocks out of order":     {uv(good, 0, 10, 10, 14, 9, 10, 20, crc), errBlocks},
		"gap back":                {uv(good, 0, 10, 10, 20, 9, uint64(math.MaxUint64)-60, 20, crc), errPlace},
		"cut crc":                 {good[:len(good)-1], errEntryEnd},
		"statistics of 63":        {uv(0x11, 1<<3, 10, 63, 5, 99, 200, 80, crc, 0, 2, 2, 2, 2, 2, 2), errStats},
		"large exponent":          {uv(0x11, 1<<3, 10, 64, 5, 99, 200, 80, crc, 15, 2, 2, 2, 2, 2, 2), errStats},
		"large decimal":           {uv(0x11, 1<<3, 10, 64, 5, 99, 200, 80, crc, 0, 2, 2, 2, 2, 2, uint64(1)<<54+2), errStats},
		"statistics cut":          {uv(0x11, 1<<3, 10, 64, 5, 99, 200, 80, crc, 0, 2, 2, 2, 2, 2), errEntryEnd},
		"infinite statistics": {uv(0x11, 2<<3, 10, 64, 5, 99, 200, 80, crc, make([]byte, 40),
			binary.LittleEndian.AppendUint64(nil, math.Float64bits(math.Inf(1)))), errStats},
	}
	for name, c := range cases {
		err := entryLayout.decodeEntry(&s, 1, c.data)
		if !errors.Is(err, c.err) || !errors.Is(err, base.ErrCorrupt) {
			t.Errorf("%s: %v, want %v", name, err, c.err)
		}
	}
}

func TestTopBlocksAreInOrder(t *testing.T) {
	f := packFooter{index: 100, top: 200, indexBlocks: 3, series: 9}
	cases := map[string]struct {
		blocks []topBlock
		ok     bool
	}{
		"sound":            {[]topBlock{{1, 0, 3}, {5, 30, 3}, {9, 60, 3}}, true},
		"equal ids":        {[]topBlock{{1, 0, 3}, {5, 30, 3}, {5, 60, 3}}, false},
		"falling ids":      {[]topBlock{{1, 0, 3}, {5, 30, 3}, {4, 60, 3}}, false},
		"equal offsets":    {[]topBlock{{1, 0, 3}, {5, 30, 3}, {9, 30, 3}}, false},
		"behind the index": {[]topBlock{{1, 0, 3}, {5, 30, 3}, {9, 100, 3}}, false},
		"series missing":   {[]topBlock{{1, 0, 3}, {5, 30, 2}, {9, 60, 3}}, false},
		"an empty one":     {[]topBlock{{1, 0, 3}, {5, 30, 0}, {9, 60, 6}}, false},
	}
	for name, c := range cases {
		got, err := decodeTopBlocks(appendTop(nil, 0, nil, c.blocks), &f)
		if c.ok && (err != nil || !slices.Equal(got, c.blocks)) || !c.ok && !errors.Is(err, base.ErrCorrupt) {
			t.Errorf("%s: %v, error %v", name, got, err)
		}
	}
}

// resign makes the checksums of index, top level and footer right again.
func resign(t testing.TB, data []byte, p *Pack) {
	t.Helper()
	for n := range p.blocks {
		from, to := p.indexBlockAt(n)
		binary.LittleEndian.PutUint32(data[to-4:], crc32.Checksum(data[from:to-4], castagnoli))
	}
	foot := data[len(data)-packFooterBytes:]
	top := data[p.footer.top : len(data)-packFooterBytes]
	binary.LittleEndian.PutUint32(foot[topCRCOffset:], crc32.Checksum(top, castagnoli))
	binary.LittleEndian.PutUint32(foot[footerCRCOffset:], crc32.Checksum(foot[:footerCRCOffset], castagnoli))
}

// unsigned is what remains of an entry when nothing vouches for the bytes.
func unsigned(e manifest.Entry) manifest.Entry {
	e.BLAKE3, e.FooterCRC = "", ""
	return e
}

func TestPackStructureIsChecked(t *testing.T) {
	_, e, good := goldenPackFile(t)
	le := binary.LittleEndian
	foot := len(good) - packFooterBytes
	cases := map[string]struct {
		edit func(data []byte, f *packFooter)
		err  error
	}{
		"magic":                {func(d []byte, _ *packFooter) { d[0] = 'X' }, errPackMagic},
		"version":              {func(d []byte, _ *packFooter) { d[8] = 2 }, errPackVersion},
		"bucket inside a hour": {func(d []byte, _ *packFooter) { d[12]++ }, base.ErrCorrupt},
		"width":                {func(d []byte, _ *packFooter) { d[20]++ }, base.ErrCorrupt},
		"magic at the end":     {func(d []byte, _ *packFooter) { d[len(d)-1] = 'X' }, errPackMagic},
		"index in the header":  {func(d []byte, _ *packFooter) { le.PutUint64(d[foot:], 27) }, errLayout},
		"index behind the top": {func(d []byte, f *packFooter) { le.PutUint64(d[foot:], uint64(f.top)+1) }, errLayout},
		"top in the footer":    {func(d []byte, _ *packFooter) { le.PutUint64(d[foot+8:], uint64(foot)+1) }, errLayout},
		"many shared columns":  {func(d []byte, _ *packFooter) { le.PutUint32(d[foot+16:], 1<<31) }, errLayout},
		"many index blocks":    {func(d []byte, _ *packFooter) { le.PutUint32(d[foot+20:], 1<<31) }, errLayout},
		"no index block":       {func(d []byte, _ *packFooter) { le.PutUint32(d[foot+20:], 0) }, errLayout},
		"no series":            {func(d []byte, _ *packFooter) { le.PutUint32(d[foot+24:], 0) }, errLayout},
		"many series": {func(d []byte, _ *packFooter) {
			le.PutUint32(d[foot+24:], 1<<31)
			le.PutUint32(d[foot-4:], 1<<31)
		}, errLayout},
		"start behind end":     {func(d []byte, _ *packFooter) { le.PutUint64(d[foot+44:], math.MaxInt64) }, errLayout},
		"one series more":      {func(d []byte, _ *packFooter) { le.PutUint32(d[foot+24:], 4) }, errTotals},
		"one shared less":      {func(d []byte, _ *packFooter) { le.PutUint32(d[foot+16:], 0) }, errTrailing},
		"one point more":       {func(d []byte, _ *packFooter) { d[foot+36]++ }, errPackEntry},
		"another end":          {func(d []byte, _ *packFooter) { d[foot+52]++ }, errPackEntry},
		"one block more":       {func(d []byte, _ *packFooter) { d[foot+28]++ }, errTotals},
		"shared column lies":   {func(d []byte, f *packFooter) { d[f.top] = 2 }, errPlace},
		"shared without point": {func(d []byte, f *packFooter) { d[f.top+2] = 0 }, errPoints},
		"index block of none":  {func(d []byte, _ *packFooter) { le.PutUint32(d[foot-4:], 0) }, errLayout},
		"index block later":    {func(d []byte, _ *packFooter) { le.PutUint32(d[foot-8:], 1) }, errLayout},
		"index of other first": {func(d []byte, _ *packFooter) { le.PutUint64(d[foot-16:], 0x1110) }, errIDs},
		"ids out of order":     {func(d []byte, f *packFooter) { le.PutUint64(d[f.index+8:], 0x1111) }, errIDs},
		"lengths too large":    {func(d []byte, f *packFooter) { d[f.index+24]++ }, errLayout},
		"entry of another":     {func(d []byte, f *packFooter) { d[f.index+24]--; d[f.index+25]++ }, base.ErrCorrupt},
		"other statistics": {func(d []byte, f *packFooter) {
			d[bytes.LastIndex(d[:f.top], binary.AppendVarint(nil, 2450))]++
		}, errStatsDiffer},
		"id of another series": {func(d []byte, f *packFooter) { le.PutUint64(d[f.index+8:], 0x2221) }, errCRC},
	}
	p := &Pack{size: int64(len(good))}
	if _, err := p.read(bytes.NewReader(good)); err != nil {
		t.Fatal(err)
	}
	for name, c := range cases {
		data := slices.Clone(good)
		c.edit(data, &p.footer)
		resign(t, data, p)
		fs := fsys.NewMem()
		put(t, fs, base.SegmentDir(someHour), e.Path, data)
		err := VerifyPack(fs, unsigned(e), nil)
		var damage *base.CorruptionError
		if !errors.Is(err, c.err) || !errors.As(err, &damage) || damage.File != e.Path {
			t.Errorf("%s: %v, want %v", name, err, c.err)
		}
	}
}

// An index block of more entries than are ever written would take long to go through.
func TestIndexBlocksAreSmall(t *testing.T) {
	for count, want := range map[int]error{maxIndexEntries: nil, maxIndexEntries + 1: errLayout} {
		top := appendTop(nil, 0, nil, []topBlock{{first: 1, count: uint32(count)}})
		_, err := decodeTopBlocks(top, &packFooter{indexBlocks: 1, series: count, top: indexBlockBytes})
		if !errors.Is(err, want) {
			t.Errorf("%d entries: %v, want %v", count, err, want)
		}
	}
}

// Every flipped bit of a pack is noticed by VerifyPack even without a digest, and never
// makes a reader return other points than were written.
func TestPackFlips(t *testing.T) {
	_, e, good := goldenPackFile(t)
	for bit := range 8 * len(good) {
		data := slices.Clone(good)
		data[bit/8] ^= 1 << (bit % 8)
		fs := fsys.NewMem()
		put(t, fs, base.SegmentDir(someHour), e.Path, data)
		for _, e := range []manifest.Entry{e, unsigned(e)} {
			if err := VerifyPack(fs, e, nil); !errors.Is(err, base.ErrCorrupt) {
				t.Fatalf("bit %d of %#x: %v", bit%8, bit/8, err)
			}
		}
		p, err := OpenPack(fs, unsigned(e))
		if err != nil {
			continue
		}
		r := p.Reader(bytes.NewReader(data), nil)
		for _, c := range goldenSeries() {
			got, err := readAllOf(r, c.id)
			if err == nil && !samePoints(got.ts, got.values, c.ts, c.values) {
				t.Fatalf("bit %d of %#x: series %x reads as %v", bit%8, bit/8, c.id, got)
			}
			if err != nil && !errors.Is(err, base.ErrCorrupt) && !errors.Is(err, codec.ErrUnknown) {
				t.Fatalf("bit %d of %#x: %v", bit%8, bit/8, err)
			}
		}
	}
}

func TestCutPackIsRefused(t *testing.T) {
	_, e, good := goldenPackFile(t)
	for n := range good {
		fs := fsys.NewMem()
		put(t, fs, base.SegmentDir(someHour), e.Path, good[:n])
		e.Bytes = int64(n)
		if _, err := OpenPack(fs, unsigned(e)); !errors.Is(err, base.ErrCorrupt) {
			t.Errorf("cut to %d bytes: %v", n, err)
		}
	}
}
