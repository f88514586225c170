package segment

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/codec"
	"github.com/sydradb/sydradb/internal/fsys"
	"github.com/sydradb/sydradb/internal/golden"
)

const (
	goldenID   = base.SeriesID(0x9a3fd17c02be45e1)
	goldenHour = int64(1694300400)
)

// goldenColumns returns the points of all golden files.
func goldenColumns() ([]int64, []float64) {
	return []int64{1694300400, 1694300410, 1694300420, 1694300433, 1694300434, 1694303999},
		[]float64{24.2, 24.2, 24.5, math.Copysign(0, -1), math.Float64frombits(0x7ff0000000000002), math.Inf(-1)}
}

func samePoints(ts []int64, values []float64, wantTS []int64, wantValues []float64) bool {
	return slices.Equal(ts, wantTS) && slices.EqualFunc(values, wantValues, func(a, b float64) bool {
		return math.Float64bits(a) == math.Float64bits(b)
	})
}

func TestGoldenFilesAreRead(t *testing.T) {
	wantTS, wantValues := goldenColumns()
	for name, want := range map[string]Header{
		"syseg2":            {Version: 2, TimestampCodec: 1, ValueCodec: 1},
		"syseg2-codec2":     {Version: 2, TimestampCodec: 2, ValueCodec: 2},
		"syseg1":            {Version: 1},
		"syseg1-from-start": {Version: 1},
	} {
		t.Run(name, func(t *testing.T) {
			want.SeriesID, want.Hour, want.Count = goldenID, goldenHour, len(wantTS)
			want.Start, want.End = wantTS[0], wantTS[len(wantTS)-1]
			data := golden.ReadHex(t, "testdata/"+name+".golden")
			h, _, err := DecodeHeader(data)
			if err != nil || h != want {
				t.Errorf("header %+v, error %v, want %+v", h, err, want)
			}
			ts, values, err := AppendColumns(nil, nil, data)
			if err != nil || !samePoints(ts, values, wantTS, wantValues) {
				t.Errorf("read %v %v, error %v", ts, values, err)
			}
		})
	}
}

func TestEncodeMatchesGolden(t *testing.T) {
	want := golden.ReadHex(t, "testdata/syseg2.golden")
	ts, values := goldenColumns()
	got, err := Encode([]byte("head"), goldenID, goldenHour, ts, values)
	if err != nil || !bytes.Equal(got, append([]byte("head"), want...)) {
		t.Errorf("error %v, encoded\n% x, want\n% x", err, got, want)
	}
}

func TestCodec2MatchesGolden(t *testing.T) {
	ts, values := goldenColumns()
	data, err := appendFile(nil, new(codec.Encoder), goldenID, goldenHour, ts, values)
	if err != nil {
		t.Fatal(err)
	}
	rest, err := new(codec.Decoder).Timestamps(make([]int64, len(ts)), codec.TimestampsStream, data[headerBytes:], 0)
	if err != nil {
		t.Fatal(err)
	}
	fields := []golden.Field{
		{Bytes: data[:magicBytes], Note: `"SYSEG2"`},
		{Bytes: data[magicBytes:hourOffset], Note: fmt.Sprintf("series id %x", uint64(goldenID))},
		{Bytes: data[hourOffset:countOffset], Note: fmt.Sprintf("hour %d", goldenHour)},
		{Bytes: data[countOffset:startOffset], Note: fmt.Sprintf("%d points", len(ts))},
		{Bytes: data[startOffset:endOffset], Note: fmt.Sprintf("start %d", ts[0])},
		{Bytes: data[endOffset:tsCodecOffset], Note: fmt.Sprintf("end %d", ts[len(ts)-1])},
		{Bytes: data[tsCodecOffset : tsCodecOffset+1], Note: "timestamps: codec 2"},
		{Bytes: data[tsCodecOffset+1 : headerBytes], Note: "values: codec 2"},
		{Bytes: data[headerBytes : len(data)-len(rest)], Note: "timestamps"},
		{Bytes: rest, Note: "values"},
	}
	golden.Check(t, "testdata/syseg2-codec2.golden", append([]byte("# The same points in codec 2.\n"), golden.Hex(fields...)...))
}

// A column that is longer than codec 2 takes is written in codec 1, and read.
func TestLongColumnsHaveCodec1(t *testing.T) {
	for _, n := range []int{codec.MaxPoints, codec.MaxPoints + 1} {
		ts, values := make([]int64, n), make([]float64, n)
		for i := range ts {
			ts[i], values[i] = someHour+int64(i)*1e6, float64(i%100)
		}
		fs := fsys.NewMem()
		e, err := Create(fs, 1, 1, someHour, ts, values, &Buffer{Policy: codec.Balanced})
		if err != nil {
			t.Fatal(err)
		}
		data, err := Load(fs, e, nil)
		if err != nil {
			t.Fatal(err)
		}
		want := byte(2)
		if n > codec.MaxPoints {
			want = 1
		}
		gotTS, gotValues, err := AppendColumns(nil, nil, data)
		if err != nil || data[tsCodecOffset] != want || data[tsCodecOffset+1] != want || !samePoints(gotTS, gotValues, ts, values) {
			t.Errorf("%d points: codecs %d and %d, error %v", n, data[tsCodecOffset], data[tsCodecOffset+1], err)
		}
	}
}

func TestDecoderAllocatesNothing(t *testing.T) {
	ts, values := gauge()
	for _, policy := range []codec.Policy{codec.Fast, codec.Balanced} {
		data, err := appendFile(nil, &codec.Encoder{Policy: policy}, 1, someHour, ts, values)
		if err != nil {
			t.Fatal(err)
		}
		var d Decoder
		if a := testing.AllocsPerRun(20, func() {
			if ts, values, err = d.AppendColumns(ts[:0], values[:0], data); err != nil {
				t.Fatal(err)
			}
		}); a > 0 {
			t.Errorf("policy %d: %v allocations", policy, a)
		}
	}
}

func TestEncodeRefuses(t *testing.T) {
	const hour = 5 * base.Hour
	cases := map[string]struct {
		ts     []int64
		values int
		err    error
	}{
		"nothing":          {nil, 0, errEmpty},
		"a missing value":  {[]int64{hour, hour + 1}, 1, errColumns},
		"falling":          {[]int64{hour + 2, hour + 1}, 2, errUnsorted},
		"equal":            {[]int64{hour, hour + 1, hour + 1}, 3, errUnsorted},
		"before the hour":  {[]int64{hour - 1, hour}, 2, errHour},
		"after the hour":   {[]int64{hour, hour + base.Hour}, 2, errHour},
		"far from an hour": {[]int64{math.MaxInt64}, 1, errHour},
	}
	for name, c := range cases {
		got, err := Encode([]byte("head"), 1, hour, c.ts, make([]float64, c.values))
		if !errors.Is(err, c.err) || string(got) != "head" {
			t.Errorf("%s: %q, error %v, want %v", name, got, err, c.err)
		}
	}
}

func TestEncodeTakesTheWholeHour(t *testing.T) {
	for _, hour := range []int64{0, -base.Hour, base.BucketStart(base.MinTime + base.Hour), base.BucketStart(base.MaxTime)} {
		ts := []int64{hour, hour + base.Hour - 1}
		data, err := Encode(nil, 1, hour, ts, []float64{1, 2})
		if err != nil {
			t.Errorf("hour %d: %v", hour, err)
			continue
		}
		if got, _, err := AppendColumns(nil, nil, data); err != nil || !slices.Equal(got, ts) {
			t.Errorf("hour %d: %v, error %v", hour, got, err)
		}
	}
}

// drawColumns draws what a segment may hold: rising times of one hour, any bits.
func drawColumns(t *rapid.T, hour int64) ([]int64, []float64) {
	ts := rapid.SliceOfNDistinct(rapid.Int64Range(hour, hour+base.Hour-1), 1, 300, rapid.ID).Draw(t, "ts")
	slices.Sort(ts)
	values := make([]float64, len(ts))
	for i := range values {
		if i == 0 || rapid.Bool().Draw(t, "changed") {
			values[i] = math.Float64frombits(rapid.Uint64().Draw(t, "bits"))
		} else {
			values[i] = values[i-1]
		}
	}
	return ts, values
}

func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		hour := base.BucketStart(rapid.Int64Range(base.MinTime+base.Hour, base.MaxTime).Draw(t, "time"))
		ts, values := drawColumns(t, hour)
		data, err := Encode(nil, 7, hour, ts, values)
		if err != nil {
			t.Fatal(err)
		}
		// Columns are appended behind what the caller has.
		gotTS, gotValues, err := AppendColumns([]int64{1}, []float64{2}, data)
		if err != nil || !samePoints(gotTS, gotValues, append([]int64{1}, ts...), append([]float64{2}, values...)) {
			t.Fatalf("%v %v became %v %v, error %v", ts, values, gotTS, gotValues, err)
		}
	})
}

// Version 0 wrote both of two points with one timestamp.
func TestEqualTimestampsAreRead(t *testing.T) {
	data := craft(2, []int64{10, 10, 11}, []float64{1, 2, 3})
	ts, values, err := AppendColumns(nil, nil, data)
	if err != nil || !samePoints(ts, values, []int64{10, 10, 11}, []float64{1, 2, 3}) {
		t.Errorf("%v %v, error %v", ts, values, err)
	}
}

// craft builds a segment file of either version as Encode would not, checking nothing.
func craft(version int, ts []int64, values []float64) []byte {
	out := fmt.Appendf(nil, "SYSEG%d", version)
	out = binary.LittleEndian.AppendUint64(out, 1)
	out = binary.LittleEndian.AppendUint64(out, 0)
	out = binary.LittleEndian.AppendUint32(out, uint32(len(ts)))
	out = binary.LittleEndian.AppendUint64(out, uint64(ts[0]))
	out = binary.LittleEndian.AppendUint64(out, uint64(ts[len(ts)-1]))
	if version == 2 {
		out = append(out, 1, 1)
		out, _ = new(codec.Encoder).AppendTimestamps(out, 1, ts)
		out, _ = new(codec.Encoder).AppendValues(out, 1, values)
		return out
	}
	var prev int64
	for _, t := range ts {
		out = binary.AppendVarint(out, t-prev)
		prev = t
	}
	for _, v := range values {
		out = binary.LittleEndian.AppendUint64(out, math.Float64bits(v))
	}
	return out
}

func TestDamageIsPlaced(t *testing.T) {
	set := func(data []byte, at int, b ...byte) []byte {
		copy(data[at:], b)
		return data
	}
	three := func(version int) []byte { return craft(version, []int64{10, 20, 30}, []float64{1, 2, 3}) }
	ff := bytes.Repeat([]byte{0xff}, 10)
	cases := map[string]struct {
		data   []byte
		offset int64
		err    error
	}{
		"empty file":         {nil, 0, errShort},
		"other file":         {[]byte("SYPACK01 and so on"), 0, errMagic},
		"no points":          {set(three(2), countOffset, 0, 0, 0, 0), countOffset, errEmpty},
		"no points, 1":       {set(three(1), countOffset, 0, 0, 0, 0), countOffset, errEmpty},
		"huge count":         {set(three(2), countOffset, ff[:4]...), countOffset, errCount},
		"huge count, 1":      {set(three(1), countOffset, ff[:4]...), countOffset, errCount},
		"start behind end":   {set(three(2), startOffset, 31), startOffset, errRange},
		"one point, a range": {set(craft(2, []int64{10}, []float64{1}), startOffset, 9), startOffset, errRange},
		"other start":        {set(three(2), startOffset, 11), startOffset, errRange},
		"other end":          {set(three(2), endOffset, 31), startOffset, errRange},
		"other start, 1":     {set(three(1), startOffset, 9), startOffset, errRange},
		"other end, 1":       {set(three(1), endOffset, 31), startOffset, errRange},
		"falling":            {craft(2, []int64{10, 9, 30}, []float64{1, 2, 3}), headerBytes, errOrder},
		"falling, 1":         {craft(1, []int64{10, 9, 30}, []float64{1, 2, 3}), header1Bytes, errOrder},
		"more bytes":         {append(three(2), 0), int64(len(three(2))), errTrailing},
		"more bytes, 1":      {append(three(1), 0), int64(len(three(1))), errTrailing},
		"endless varint":     {set(three(2), headerBytes+1, ff...), headerBytes + 1, base.ErrCorrupt},
		"no such marker":     {set(three(2), headerBytes+3+9, 7), headerBytes + 3 + 9, base.ErrCorrupt},
		"endless varint, 1":  {set(three(1), header1Bytes+1, ff...), header1Bytes + 1, errVarint},
	}
	for name, c := range cases {
		ts, values, err := AppendColumns([]int64{1}, []float64{2}, c.data)
		var damage *base.CorruptionError
		if !errors.As(err, &damage) || damage.Offset != c.offset || !errors.Is(err, c.err) {
			t.Errorf("%s: %v, want %v at %d", name, err, c.err, c.offset)
		}
		if !samePoints(ts, values, []int64{1}, []float64{2}) {
			t.Errorf("%s: columns became %v %v", name, ts, values)
		}
	}
}

func TestUnknownCodecIsNoDamage(t *testing.T) {
	for at := tsCodecOffset; at < headerBytes; at++ {
		data := craft(2, []int64{10, 20}, []float64{1, 2})
		data[at] = 9
		_, _, err := AppendColumns(nil, nil, data)
		if !errors.Is(err, codec.ErrUnknown) || errors.Is(err, base.ErrCorrupt) {
			t.Errorf("byte %d: %v", at, err)
		}
	}
}

func TestCutFileIsRefused(t *testing.T) {
	for _, name := range []string{"syseg2", "syseg2-codec2", "syseg1", "syseg1-from-start"} {
		data := golden.ReadHex(t, "testdata/"+name+".golden")
		for n := range data {
			_, _, err := AppendColumns(nil, nil, data[:n])
			var damage *base.CorruptionError
			if !errors.As(err, &damage) || damage.Offset < 0 || damage.Offset > int64(n) {
				t.Errorf("%s cut to %d of %d bytes: %v", name, n, len(data), err)
			}
		}
	}
}

// A flipped bit is an error or shows as something else; it never goes unseen. Files
// have no checksum of their own, so the latter is all that can be said here: Load
// compares with the manifest.
func TestFlippedBitIsSeen(t *testing.T) {
	for _, name := range []string{"syseg2", "syseg1"} {
		data := golden.ReadHex(t, "testdata/"+name+".golden")
		wantHeader, _, err := DecodeHeader(data)
		if err != nil {
			t.Fatal(err)
		}
		wantTS, wantValues := goldenColumns()
		for bit := range 8 * len(data) {
			flipped := slices.Clone(data)
			flipped[bit/8] ^= 1 << (bit % 8)
			ts, values, err := AppendColumns(nil, nil, flipped)
			if err != nil {
				continue
			}
			h, _, err := DecodeHeader(flipped)
			if err != nil {
				t.Fatalf("%s, bit %d: header %v, columns without error", name, bit, err)
			}
			if h == wantHeader && samePoints(ts, values, wantTS, wantValues) {
				t.Errorf("%s: bit %d of byte %#x does not matter", name, bit%8, bit/8)
			}
		}
	}
}
