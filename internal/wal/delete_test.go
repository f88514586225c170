package wal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/fsys"
	"github.com/sydradb/sydradb/internal/fuzzing"
	"github.com/sydradb/sydradb/internal/golden"
)

func TestGoldenDelete(t *testing.T) {
	const now = 1_700_000_000_000_000_000
	ids := []base.SeriesID{0, 1, 130, 0x1122334455667788, math.MaxUint64}
	f := AppendDelete(nil, now, now+9, ids)
	Seal(f, 3, 2)
	steps := append(recordSteps("57", "3, Delete", "3", "2"),
		step{8, "start 1700000000 s"}, step{8, "end, 9 ns later"},
		step{1, "5 series"}, step{1, "id 0"}, step{1, "step 0: id 1"}, step{2, "step 128: id 130"},
		step{9, "id 1122334455667788"}, step{10, "the highest id"},
		step{4, "crc32"})
	golden.Check(t, "testdata/delete.golden", fields(t, f, steps...))

	start, end, got, err := DecodeDelete([]byte(body(golden.ReadHex(t, "testdata/delete.golden"))))
	if err != nil || start != now || end != now+9 || !slices.Equal(got, ids) {
		t.Fatalf("%d to %d of %x, %v", start, end, got, err)
	}
}

// randomIDs returns n ids, spread like hashes.
func randomIDs(n int) []base.SeriesID {
	rng := rand.New(rand.NewPCG(5, 6))
	ids := make([]base.SeriesID, n)
	for i := range ids {
		ids[i] = base.SeriesID(rng.Uint64())
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

func TestDeleteRoundTrips(t *testing.T) {
	for name, c := range map[string]struct {
		start, end int64
		ids        []base.SeriesID
	}{
		"no series":       {0, 0, nil},
		"one, at an end":  {base.MinTime, base.MaxTime, []base.SeriesID{math.MaxUint64}},
		"the other end":   {math.MinInt64, math.MaxInt64, []base.SeriesID{0}},
		"neighbours":      {-5, -5, []base.SeriesID{7, 8, 9, 10}},
		"both ends":       {-1, 1, []base.SeriesID{0, math.MaxUint64}},
		"ten thousand":    {1, 2, randomIDs(10_000)},
		"the top of them": {1, 2, []base.SeriesID{math.MaxUint64 - 2, math.MaxUint64 - 1, math.MaxUint64}},
	} {
		start, end, ids, err := DecodeDelete([]byte(body(AppendDelete(nil, c.start, c.end, c.ids))))
		if err != nil || start != c.start || end != c.end || !slices.Equal(ids, c.ids) {
			t.Errorf("%s: %d to %d of %d series, %v", name, start, end, len(ids), err)
		}
	}
}

func TestDecodeDeleteRefuses(t *testing.T) {
	times := strings.Repeat("\x00", 16)
	top := string(binary.AppendUvarint(nil, math.MaxUint64))
	for name, c := range map[string]struct {
		body string
		want error
	}{
		"nothing":                {"", errShortRecord},
		"half a range":           {times[:15], errShortRecord},
		"no series":              {times, errVarint},
		"reversed":               {"\x01" + times[1:] + "\x01\x05", errReversed},
		"more than there are":    {times + "\x03\x05\x05", errCount},
		"far more":               {times + top, errCount},
		"id cut off":             {times + "\x02\x05\x85", errVarint},
		"id of 65 bits":          {times + "\x01" + strings.Repeat("\xff", 9) + "\x02", errVarint},
		"id of 70 bits":          {times + "\x01" + strings.Repeat("\xff", 10) + "\x01", errVarint},
		"one above the highest":  {times + "\x02" + top + "\x00", errIDs},
		"many above the highest": {times + "\x02\x05" + top, errIDs},
		"bytes behind":           {times + "\x01\x05\x00", errAfterIDs},
	} {
		_, _, ids, err := DecodeDelete([]byte(c.body))
		if !errors.Is(err, c.want) || ids != nil {
			t.Errorf("%s: %v, want %v; ids %v", name, err, c.want, ids)
		}
	}
}

// TestDeleteInTheLog passes Deletes through Open, Check and Scan beside Batches.
func TestDeleteInTheLog(t *testing.T) {
	fs := fsys.NewMem()
	l := mustCreate(t, fs)
	deletes := [][]byte{AppendDelete(nil, 5, 6, randomIDs(100_000)), AppendDelete(nil, 0, 1, []base.SeriesID{4})}
	mustAppend(t, l, batch(2, 3), deletes[0], batch(4, 1))
	mustAppend(t, l, deletes[1])
	must(t, l.Mark(true))
	must(t, l.Close())
	want := []seen{{2, TypeBatch, body(batch(2, 3))}, {3, TypeDelete, body(deletes[0])}, {4, TypeBatch, body(batch(4, 1))},
		{5, TypeDelete, body(deletes[1])}, {6, TypeMark, ""}}

	var scanned, checked []seen
	must(t, Scan(fs, base.CurrentWAL, func(r Record) error {
		scanned = append(scanned, seen{r.LSN, r.Type, string(r.Body)})
		return nil
	}))
	_, err := Check(fs, OpenOptions{UUID: testUUID, Flushed: 1}, func(r Record) error {
		checked = append(checked, seen{r.LSN, r.Type, string(r.Body)})
		return nil
	})
	must(t, err)
	l, report, opened, err := reopen(fs, OpenOptions{Flushed: 1, Demand: 6})
	must(t, err)
	if !slices.Equal(scanned[1:], want) || !slices.Equal(checked, want) || !slices.Equal(opened, want) || report.Torn != nil {
		t.Fatalf("scanned %v, checked %v, opened %v, %+v", lsns(scanned), lsns(checked), lsns(opened), report)
	}
	checkUsable(t, fs, l, OpenOptions{Flushed: 1})
}

// TestDeleteDamage flips each bit of a Delete that a later record calls durable.
func TestDeleteDamage(t *testing.T) {
	fs := fsys.NewMem()
	l := mustCreate(t, fs)
	f := AppendDelete(nil, 5, 600, []base.SeriesID{1, 2, 1 << 60})
	start := l.CurrentBytes()
	mustAppend(t, l, f)
	must(t, l.Mark(true))
	must(t, l.Close())
	log := readFile(t, fs, base.CurrentWAL)
	for bit := range len(f) * 8 {
		bad := slices.Clone(log)
		bad[start+int64(bit/8)] ^= 1 << (bit % 8)
		_, _, got, err := reopen(with(t, fs, base.CurrentWAL, bad), OpenOptions{})
		wantDamage(t, err, base.CurrentWAL, start)
		if len(got) != 1 {
			t.Fatalf("bit %d: %d records", bit, len(got))
		}
	}
}

func FuzzDecodeDelete(f *testing.F) {
	add := func(ids ...base.SeriesID) { f.Add([]byte(body(AppendDelete(nil, -1, 1<<40, ids)))) }
	add()
	add(5)
	add(0, 1, 300, math.MaxUint64)
	add(randomIDs(50)...)
	f.Fuzz(func(t *testing.T, src []byte) {
		var start, end int64
		var ids []base.SeriesID
		var err error
		fuzzing.Bounded(t, len(src), func() { start, end, ids, err = DecodeDelete(src) })
		if err != nil {
			return
		}
		for i := 1; i < len(ids); i++ {
			if ids[i] <= ids[i-1] {
				t.Fatalf("ids %x and %x do not ascend", ids[i-1], ids[i])
			}
		}
		start2, end2, again, err := DecodeDelete([]byte(body(AppendDelete(nil, start, end, ids))))
		if err != nil || start > end || start2 != start || end2 != end || !slices.Equal(again, ids) {
			t.Fatalf("%d to %d of %x became %d to %d of %x, %v", start, end, ids, start2, end2, again, err)
		}
	})
}

func BenchmarkDelete(b *testing.B) {
	ids := randomIDs(100_000)
	f := AppendDelete(nil, 0, 1, ids)
	perSeries := func(b *testing.B) {
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(ids)), "ns/series")
		b.ReportMetric(float64(len(f))/float64(len(ids)), "B/series")
	}
	b.Run(fmt.Sprintf("op=append/series=%d", len(ids)), func(b *testing.B) {
		for b.Loop() {
			f = AppendDelete(f[:0], 0, 1, ids)
		}
		perSeries(b)
	})
	b.Run(fmt.Sprintf("op=decode/series=%d", len(ids)), func(b *testing.B) {
		src := []byte(body(f))
		b.ReportAllocs()
		for b.Loop() {
			if _, _, _, err := DecodeDelete(src); err != nil {
				b.Fatal(err)
			}
		}
		perSeries(b)
	})
}
