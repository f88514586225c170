package wal

import (
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/fsys"
)

var testUUID = [16]byte{0x0a, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 0xf0}

// batch returns a Batch frame that can be told from others by n and is about size bytes
// long at most.
func batch(n int, rows int) []byte {
	r := make([]base.Row, rows)
	for i := range r {
		r[i] = base.Row{TS: int64(n), Value: float64(n) + 0.1, Ordinal: base.Ordinal(i)}
	}
	return AppendBatch(nil, nil, r)
}

// mustCreate returns a new log.
func mustCreate(t testing.TB, fs fsys.FS) *Log {
	t.Helper()
	l, err := Create(fs, testUUID, 1)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func mustAppend(t testing.TB, l *Log, frames ...[]byte) base.LSN {
	t.Helper()
	first, err := l.Append(frames)
	if err != nil {
		t.Fatal(err)
	}
	return first
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// seen is a record as a test remembers it.
type seen struct {
	lsn  base.LSN
	kind byte
	body string
}

// reopen opens the log and returns what it held.
func reopen(fs fsys.FS, opts OpenOptions) (*Log, Report, []seen, error) {
	opts.UUID = testUUID
	var got []seen
	l, report, err := Open(fs, opts, func(r Record) error {
		got = append(got, seen{r.LSN, r.Type, string(r.Body)})
		return nil
	})
	return l, report, got, err
}

func lsns(records []seen) (out []base.LSN) {
	for _, r := range records {
		out = append(out, r.lsn)
	}
	return out
}

func upTo(last base.LSN) (out []base.LSN) {
	for n := base.LSN(1); n <= last; n++ {
		out = append(out, n)
	}
	return out
}

func readFile(t testing.TB, fs fsys.FS, path string) []byte {
	t.Helper()
	data, err := fsys.ReadFile(fs, path)
	must(t, err)
	return data
}

func writeFile(t testing.TB, fs fsys.FS, path string, data []byte) {
	t.Helper()
	must(t, fsys.WriteFileAtomic(fs, path, data))
}

func TestWhatWasAppendedComesBack(t *testing.T) {
	fs := fsys.NewMem()
	l := mustCreate(t, fs)
	if l.Last() != 1 || l.Durable() != 1 {
		t.Fatalf("new log: last %d, durable %d", l.Last(), l.Durable())
	}
	frames := [][]byte{batch(1, 3), batch(2, 40_000), batch(3, 0), batch(4, 1)}
	if first := mustAppend(t, l, frames...); first != 2 {
		t.Fatalf("first = %d", first)
	}
	if l.Last() != 5 || l.Durable() != 1 {
		t.Fatalf("last %d, durable %d", l.Last(), l.Durable())
	}
	must(t, l.Sync())
	must(t, l.Mark(true))
	must(t, l.Mark(true)) // no second one
	if l.Last() != 6 || l.Durable() != 6 {
		t.Fatalf("last %d, durable %d", l.Last(), l.Durable())
	}
	size := l.Bytes()
	must(t, l.Close())

	l, report, got, err := reopen(fs, OpenOptions{Demand: 6})
	must(t, err)
	if want := []seen{{1, TypeHeader, string(testUUID[:])}, {2, TypeBatch, body(frames[0])}, {3, TypeBatch, body(frames[1])},
		{4, TypeBatch, body(frames[2])}, {5, TypeBatch, body(frames[3])}, {6, TypeMark, ""}}; !slices.Equal(got, want) {
		t.Fatalf("records %v", lsns(got))
	}
	if report != (Report{Records: 6, Last: 6}) || l.Last() != 6 || l.Durable() != 6 || l.Bytes() != size {
		t.Fatalf("%+v, last %d, durable %d, %d bytes", report, l.Last(), l.Durable(), l.Bytes())
	}
	if first := mustAppend(t, l, batch(7, 1)); first != 7 {
		t.Fatalf("first = %d", first)
	}
}

func body(f []byte) string { return string(f[lenSize+recordHeader : len(f)-4]) }

func TestBatchRoundTrip(t *testing.T) {
	regs := []base.Registration{
		{Ordinal: 0, ID: 1, Name: "a", Tags: []base.Tag{{Key: "host", Value: "h0"}, {Key: "zone", Value: "z"}}},
		{Ordinal: math.MaxUint32, ID: math.MaxUint64, Name: "b", Tags: []base.Tag{{Key: "host", Value: "h1"}, {Key: "zone", Value: "z"}}},
		{Ordinal: 7, ID: 9},
		{Ordinal: 8, ID: 9, Name: "c", Tags: []base.Tag{{Key: "a", Value: "z"}, {Key: "host", Value: "h0"}}},
	}
	values := []float64{0, math.Copysign(0, -1), 1, -1, 0.1, math.Inf(1), math.Inf(-1), math.MaxFloat64, math.SmallestNonzeroFloat64,
		math.Float64frombits(0x7ff0000000000002), math.NaN()}
	times := []int64{0, -1, base.MinTime, base.MaxTime, math.MinInt64, math.MaxInt64, 1_000_000, -1_000_000, 1_500_000, base.MaxTime - 999_999}
	ordinals := []base.Ordinal{0, 1, 2, math.MaxUint32, 0, 5, 5, 4, math.MaxUint32 - 1}
	var rows []base.Row
	for i := range 10_000 {
		rows = append(rows, base.Row{TS: times[i%len(times)], Value: values[i%len(values)], Ordinal: ordinals[i*i%len(ordinals)]})
	}
	for _, n := range []int{0, 1, 2, 23, 24, 25, 255, 256, 257, 4095, 4096, 4097, len(rows)} {
		for _, r := range [][]base.Registration{nil, regs} {
			gotRegs, gotRows, err := decode(AppendBatch([]byte("before"), r, rows[:n])[6:])
			must(t, err)
			if !slices.EqualFunc(gotRows, rows[:n], sameRow) {
				t.Fatalf("%d rows differ", n)
			}
			if !slices.EqualFunc(gotRegs, r, sameRegistration) {
				t.Fatalf("got %v, want %v", gotRegs, r)
			}
		}
	}
}

func sameRow(a, b base.Row) bool {
	return a.TS == b.TS && a.Ordinal == b.Ordinal && math.Float64bits(a.Value) == math.Float64bits(b.Value)
}

func sameRegistration(a, b base.Registration) bool {
	return a.Ordinal == b.Ordinal && a.ID == b.ID && a.Name == b.Name && slices.Equal(a.Tags, b.Tags)
}

// decode returns all that the body of a frame holds.
func decode(f []byte) (regs []base.Registration, rows []base.Row, err error) {
	var d BatchDecoder
	err = d.Decode([]byte(body(f)), func(r base.Registration) error {
		r.Tags = slices.Clone(r.Tags)
		regs = append(regs, r)
		return nil
	}, func(r []base.Row) error {
		rows = append(rows, r...)
		return nil
	})
	return regs, rows, err
}

// wantDamage checks that err names file and offset; -2 stands for any offset.
func wantDamage(t testing.TB, err error, file string, offset int64) {
	t.Helper()
	var damage *base.CorruptionError
	if !errors.As(err, &damage) || !errors.Is(err, base.ErrCorrupt) {
		t.Fatalf("%v, want damage", err)
	}
	if damage.File != file || damage.Offset != offset && offset != -2 {
		t.Fatalf("%v, want damage of %s at %d", err, file, offset)
	}
}
