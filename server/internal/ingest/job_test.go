package ingest

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/sydradb/sydradb"
	"github.com/sydradb/sydradb/server/internal/dbtest"
	"github.com/sydradb/sydradb/server/internal/literal"
)

// manyLines returns lines of NDJSON, of 100 series within few hours.
func manyLines(n int) []byte {
	var b bytes.Buffer
	for i := range n {
		fmt.Fprintf(&b, `{"series":"weather.room%d","ts":%d,"value":%d.5,"tags":{"floor":"2"}}`+"\n", i%100, 1694300000+i/100, i%50)
	}
	return b.Bytes()
}

func writeFile(tb testing.TB, name string, data []byte) string {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		tb.Fatal(err)
	}
	return path
}

func runFile(ctx context.Context, j *Job, path string) error {
	in, err := Open(path)
	if err != nil {
		return err
	}
	return errors.Join(j.Run(ctx, in), in.Close())
}

func TestJobCommitsInChunks(t *testing.T) {
	db := dbtest.Open(t, sydradb.Options{})
	var reports []Progress
	j := &Job{DB: db, Format: NDJSON, Committed: func(p Progress) { reports = append(reports, p) }}
	for _, lines := range []int{12_000, 3} {
		if err := runFile(t.Context(), j, writeFile(t, "x.ndjson", manyLines(lines))); err != nil {
			t.Fatal(err)
		}
	}
	done, err := j.Finish()
	if err != nil || done.Points != 12_003 || done.Lines != 12_003 {
		t.Fatalf("%+v, %v", done, err)
	}
	if len(reports) < 3 || reports[0].Points != chunkPoints || reports[len(reports)-1] != done {
		t.Errorf("reports: %+v", reports)
	}
	if s := db.Stats(); s.MemtablePoints == 0 || s.Series != 100 {
		t.Errorf("stats: %+v", s)
	}
}

// failingDB refuses to write after some batches.
type failingDB struct {
	*sydradb.DB
	batches int
	err     error
	tried   int
}

func (f *failingDB) Write(context.Context, *sydradb.Batch) error {
	f.tried++
	if f.tried <= f.batches {
		return nil
	}
	return f.err
}

func TestJobStopsWhereWritingFails(t *testing.T) {
	for _, batches := range []int{0, 2} {
		db := &failingDB{DB: dbtest.Open(t, sydradb.Options{}), batches: batches, err: sydradb.ErrDiskFull}
		var last Progress
		j := &Job{DB: db, Format: NDJSON, Committed: func(p Progress) { last = p }}
		err := runFile(t.Context(), j, writeFile(t, "x.ndjson", manyLines(100_000)))
		done, finishing := j.Finish()
		if !errors.Is(finishing, sydradb.ErrDiskFull) || !errors.Is(err, sydradb.ErrDiskFull) {
			t.Errorf("errors %v, %v", err, finishing)
		}
		want := int64(batches * chunkPoints)
		if done.Points != want || last.Points != want || db.tried != batches+1 {
			t.Errorf("%d points and %d reported after %d attempts, want %d", done.Points, last.Points, db.tried, want)
		}
	}
}

// overloadedDB accepts each batch at the third attempt.
type overloadedDB struct {
	*sydradb.DB
	tried int
}

func (o *overloadedDB) Write(context.Context, *sydradb.Batch) error {
	if o.tried++; o.tried%3 != 0 {
		return fmt.Errorf("write: %w", sydradb.ErrOverloaded)
	}
	return nil
}

func TestJobWaitsForAnOverloadedDatabase(t *testing.T) {
	j := &Job{DB: &overloadedDB{DB: dbtest.Open(t, sydradb.Options{})}, Format: NDJSON}
	if err := runFile(t.Context(), j, writeFile(t, "x.ndjson", manyLines(7000))); err != nil {
		t.Fatal(err)
	}
	if done, err := j.Finish(); err != nil || done.Points != 7000 {
		t.Errorf("%+v, %v", done, err)
	}
}

// expiringDB keeps no points before horizon. The horizon moves to later when a batch is
// written for the first time.
type expiringDB struct {
	*sydradb.DB
	horizon, later atomic.Int64
	moved          bool
	written        int
}

func (e *expiringDB) Horizon(name string) int64 {
	if strings.HasPrefix(name, "kept.") {
		return sydradb.MinTime
	}
	return e.horizon.Load()
}

func (e *expiringDB) Write(_ context.Context, b *sydradb.Batch) error {
	if !e.moved {
		e.moved = true
		if later := e.later.Load(); later > e.horizon.Swap(later) {
			return &sydradb.PointError{Index: 0, Err: sydradb.ErrTooOld}
		}
	}
	e.written += b.Len()
	return nil
}

func TestJobRefusesPointsThatAreTooOld(t *testing.T) {
	for format, text := range map[Format]string{
		NDJSON: `{"series":"a","ts":9,"value":1}
{"series":"a","ts":10,"value":1}
{"series":"kept.a","ts":9,"value":1}
{"series":"a","ts":9,"fields":{"x":1,"y":1}}
{"series":"a","ts":11,"value":1}
`,
		Influx: "a value=1 9\na value=1 10\nkept.a value=1 9\na x=1,y=1 9\na value=1 11\n",
		CSV:    "ts,a,b,kept.a\n10,1,,1\n9,1,1,\n9,1,,\n11,1,,\n",
	} {
		for _, later := range []int64{0, 11e9} {
			db := &expiringDB{DB: dbtest.Open(t, sydradb.Options{})}
			db.horizon.Store(10e9)
			db.later.Store(later)
			var reasons []string
			var last Progress
			j := &Job{DB: db, Format: format, Parser: ParserOptions{Unit: literal.Second},
				Committed:   func(p Progress) { last = p },
				RefusedLine: func(_ string, line int, o Outcome) { reasons = append(reasons, fmt.Sprintf("%d: %v", line, o.Err)) }}
			if err := runFile(t.Context(), j, writeFile(t, "x", []byte(text))); err != nil {
				t.Fatal(err)
			}
			done, err := j.Finish()
			want := Progress{Points: 3, Refused: 3, Lines: int64(strings.Count(text, "\n"))}
			if later > 0 { // the point at 10 was read, and then too old as well
				want.Points, want.Refused, want.Expired = 2, 4, 1
			}
			if err != nil || done != want || last != want || db.written != int(want.Points) {
				t.Errorf("%s, horizon moving to %d: %+v, reported %+v, %d points written, %v; want %+v", format, later, done, last, db.written, err, want)
			}
			if text := strings.Join(reasons, "\n"); len(reasons) != 2 || !strings.Contains(text, "older than what retention keeps: points before 1970-01-01T00:00:10Z have expired") {
				t.Errorf("%s: reasons\n%s", format, text)
			}
		}
	}
}

// The line through which an input is cut looks like another one with another value: it
// is no line at all.
func TestJobKeepsWhatPrecedesABadInput(t *testing.T) {
	const lines = 30_000
	for format, line := range map[Format]string{
		NDJSON: `{"series":"a","ts":%d,"value":1}`, Influx: "a value=1 %d", CSV: "%d,1",
	} {
		var text bytes.Buffer
		if format == CSV {
			fmt.Fprintln(&text, "ts,a")
		}
		for i := range lines {
			fmt.Fprintf(&text, line+"\n", 1694300000+i)
		}
		for name, packed := range map[string][]byte{"x.gz": pack(t, text.Bytes(), gzip.NewWriter), "x.zst": pack(t, text.Bytes(), newZstd)} {
			path := writeFile(t, name, packed[:len(packed)*2/3])
			db := dbtest.Open(t, sydradb.Options{})
			j := &Job{DB: db, Format: format, Parser: ParserOptions{Unit: literal.Second}, RefusedLine: func(_ string, line int, o Outcome) {
				t.Errorf("%s %s:%d: %v", format, name, line, o.Err)
			}}
			if err := runFile(t.Context(), j, path); !errors.Is(err, io.ErrUnexpectedEOF) || !strings.Contains(err.Error(), path) {
				t.Errorf("%s %s: error %v", format, name, err)
			}
			done, err := j.Finish()
			header := int64(0)
			if format == CSV {
				header = 1
			}
			if err != nil || done.Points < 1000 || done.Refused != 0 || done.Lines != done.Points+header {
				t.Errorf("%s %s: %+v, %v", format, name, done, err)
			}
			it, err := db.Query(t.Context(), sydradb.Query{Start: sydradb.MinTime, End: (1694300000 - 1) * 1e9})
			if err != nil {
				t.Fatal(err)
			}
			if it.Next() {
				t.Errorf("%s %s: points of a line that is not there: %v", format, name, it.Block().Times)
			}
			it.Close()
		}
	}
}

func newZstd(w io.Writer) io.WriteCloser {
	z, err := zstd.NewWriter(w, zstd.WithEncoderConcurrency(1))
	if err != nil {
		panic(err)
	}
	return z
}

func pack[W io.WriteCloser](t *testing.T, text []byte, compressor func(io.Writer) W) []byte {
	t.Helper()
	var b bytes.Buffer
	w := compressor(&b)
	if _, err := w.Write(text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestJobEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	j := &Job{DB: dbtest.Open(t, sydradb.Options{}), Format: NDJSON}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	if _, err := w.Write(manyLines(1)); err != nil { // Open waits for the first bytes
		t.Fatal(err)
	}
	in, err := NewInput("pipe", r)
	if err != nil {
		t.Fatal(err)
	}
	if err := j.Run(ctx, in); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if done, err := j.Finish(); err != nil || done.Points > 1 {
		t.Errorf("%+v, %v", done, err)
	}
}

func TestOpenUndoesCompression(t *testing.T) {
	text := manyLines(1000)
	var gz, zst bytes.Buffer
	g := gzip.NewWriter(&gz)
	z, err := zstd.NewWriter(&zst)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range []io.WriteCloser{g, z} {
		if _, err := w.Write(text); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	// Two members one after the other are one text.
	twice := append(bytes.Clone(gz.Bytes()), gz.Bytes()...)
	for name, tt := range map[string]struct{ stored, want []byte }{
		"plain": {text, text}, "gzip": {gz.Bytes(), text}, "zstd": {zst.Bytes(), text},
		"gzip twice": {twice, append(bytes.Clone(text), text...)}, "empty": {nil, nil}, "short": {[]byte("{}"), []byte("{}")},
	} {
		in, err := Open(writeFile(t, "x", tt.stored))
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(in)
		if err != nil || !bytes.Equal(got, tt.want) {
			t.Errorf("%s: %d bytes, %v; want %d", name, len(got), err, len(tt.want))
		}
		if in.BytesRead() != int64(len(tt.stored)) || in.Size != int64(len(tt.stored)) {
			t.Errorf("%s: %d of %d bytes read, want %d", name, in.BytesRead(), in.Size, len(tt.stored))
		}
		if err := in.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := Open(t.TempDir()); err == nil {
		t.Error("a directory was opened")
	}
	if _, err := Open(writeFile(t, "x", []byte("\x1f\x8bnonsense"))); err == nil {
		t.Error("a bad gzip header was accepted")
	}
}

// BenchmarkJob is the way of a file into a database on disk, without the close.
func BenchmarkJob(b *testing.B) {
	const lines = 500_000
	path := writeFile(b, "x.ndjson", manyLines(lines))
	for b.Loop() {
		b.StopTimer()
		db, err := sydradb.Open(b.TempDir(), &sydradb.Options{Sync: sydradb.SyncNone})
		if err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		j := &Job{DB: db, Format: NDJSON}
		if err := runFile(b.Context(), j, path); err != nil {
			b.Fatal(err)
		}
		if done, err := j.Finish(); err != nil || done.Points != lines {
			b.Fatal(done, err)
		}
		b.StopTimer()
		if err := db.Close(); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
	b.ReportMetric(float64(b.N)*lines/b.Elapsed().Seconds(), "points/s")
}
