package sydradb

import (
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/catalog"
	"github.com/sydradb/sydradb/internal/engine"
	"github.com/sydradb/sydradb/internal/fsys"
	"github.com/sydradb/sydradb/internal/manifest"
	"github.com/sydradb/sydradb/internal/segment"
	"github.com/sydradb/sydradb/internal/wal"
)

// FileKind names a kind of file that [Inspect] can show.
type FileKind string

// The kinds of file.
const (
	// FileWAL is a log, of this version or of version 0. Its records are "header" (of
	// the file), "batch", "mark", and "put" in version 0. A "batch" is followed by the
	// "series" that it introduces and its "row"s, with the same offset.
	FileWAL FileKind = "wal"
	// FileSegment is a segment file: one "header", then its "point"s.
	FileSegment FileKind = "segment"
	// FileManifest is a MANIFEST. Each "edit" is followed by the files that it "add"s and
	// "remove"s, with the same offset; in version 0 there are only "entry" records.
	FileManifest FileKind = "manifest"
	// FileCatalog is a CATALOG: its "series", those of one frame with one offset. A series
	// comes first with its id alone, and again with its name and tags.
	FileCatalog FileKind = "catalog"
)

// Record is one record of a file as [Inspect] shows it.
type Record struct {
	Offset int64   // where it starts in the file; -1 for a point, which has no place of its own
	Kind   string  // see FileKind
	Fields []Field // what it says, in the order of the file; the caller's to keep
}

// Field is a named value of a [Record]: a string, int64, uint64, float64 or []Tag.
type Field struct {
	Name  string
	Value any
}

// Inspect reads one file, with or without a database around it, and yields its
// records in order. Times are those of the file: Unix nanoseconds, in version 0
// seconds as a rule. An error ends the sequence: damage is a [*CorruptionError], and
// so is the unfinished end that a crash may leave. Nothing is written.
func Inspect(kind FileKind, path string) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		i := inspector{yield: yield}
		err := i.inspect(kind, path)
		if err == nil || errors.Is(err, errEnough) {
			return
		}
		var damage *CorruptionError
		if errors.As(err, &damage) {
			named := *damage
			named.File = path
			err = &named
		}
		yield(Record{}, fmt.Errorf("sydradb: inspect: %w", err))
	}
}

// errEnough ends an inspection whose caller wants no more.
var errEnough = errors.New("enough")

// inspector hands the records of one file to yield.
type inspector struct {
	yield func(Record, error) bool
	fs    fsys.FS
	file  string // in fs

	decoder wal.BatchDecoder
	series  map[base.Ordinal]introduced // by the records of the log so far
}

// introduced is a series as rows of a log show it.
type introduced struct {
	id   SeriesID
	text string
}

func (i *inspector) inspect(kind FileKind, path string) (err error) {
	if i.fs, _, i.file, err = fsys.OSParent(path); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeFS(i.fs)) }()
	switch kind {
	case FileWAL:
		i.series = make(map[base.Ordinal]introduced)
		return wal.Scan(i.fs, i.file, i.logRecord)
	case FileSegment:
		return i.segment()
	case FileManifest:
		tail, err := manifest.Scan(i.fs, i.file, i.line)
		if err == nil && tail != nil {
			err = tail.Corruption()
		}
		return err
	case FileCatalog:
		return catalog.Scan(i.fs, i.file, -1, i.catalogSeries)
	}
	return fmt.Errorf("%q is no kind of file", string(kind))
}

// emit hands out a record.
func (i *inspector) emit(offset int64, kind string, fields ...Field) error {
	if !i.yield(Record{Offset: offset, Kind: kind, Fields: fields}, nil) {
		return errEnough
	}
	return nil
}

func (i *inspector) logRecord(rec wal.Record) error {
	lsn, durable := Field{"lsn", uint64(rec.LSN)}, Field{"durable_lsn", uint64(rec.Durable)}
	switch rec.Type {
	case wal.TypePut:
		id, ts, value, err := wal.DecodePut(rec.Body)
		if err != nil {
			return rec.Corrupt(err)
		}
		return i.emit(rec.Offset, "put", Field{"id", uint64(id)}, Field{"ts", ts}, Field{"value", value})
	case wal.TypeBatch:
		if err := i.emit(rec.Offset, "batch", lsn, durable); err != nil {
			return err
		}
		return i.batch(rec)
	case wal.TypeHeader:
		return i.emit(rec.Offset, "header", lsn, durable, Field{"uuid", hex.EncodeToString(rec.Body)})
	case wal.TypeMark:
		return i.emit(rec.Offset, "mark", lsn, durable)
	}
	return i.emit(rec.Offset, fmt.Sprintf("type %d", rec.Type), lsn, durable, Field{"bytes", int64(len(rec.Body))})
}

// batch emits what a Batch record holds.
func (i *inspector) batch(rec wal.Record) error {
	err := i.decoder.Decode(rec.Body, func(reg base.Registration) error {
		i.series[reg.Ordinal] = introduced{reg.ID, describe(reg)}
		return i.registration(rec.Offset, reg)
	}, func(rows []base.Row) error {
		for _, r := range rows {
			fields := []Field{{"ordinal", uint64(r.Ordinal)}}
			if s, ok := i.series[r.Ordinal]; ok {
				fields = append(fields, Field{"id", uint64(s.id)}, Field{"series", s.text})
			}
			fields = append(fields, Field{"ts", r.TS}, Field{"value", r.Value})
			if err := i.emit(rec.Offset, "row", fields...); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil || errors.Is(err, errEnough) {
		return err
	}
	return rec.Corrupt(err)
}

// describe returns a series as queries name it.
func describe(reg base.Registration) string {
	s := engine.Series{ID: reg.ID, Name: reg.Name, Tags: reg.Tags}
	if s.Name == "" {
		s.Name = fmt.Sprintf("series:%x", uint64(s.ID))
	}
	return (&Series{s: &s}).String()
}

func (i *inspector) registration(offset int64, reg base.Registration) error {
	fields := []Field{{"ordinal", uint64(reg.Ordinal)}, {"id", uint64(reg.ID)}}
	if reg.Name != "" {
		fields = append(fields, Field{"name", reg.Name})
	}
	return i.emit(offset, "series", append(fields, Field{"tags", slices.Clone(reg.Tags)})...)
}

func (i *inspector) catalogSeries(offset int64, regs []base.Registration) error {
	for _, reg := range regs {
		if err := i.registration(offset, reg); err != nil {
			return err
		}
	}
	return nil
}

func (i *inspector) segment() error {
	data, err := fsys.ReadFile(i.fs, i.file)
	if err != nil {
		return err
	}
	h, payload, err := segment.DecodeHeader(data)
	if err != nil {
		return err
	}
	fields := []Field{
		{"version", int64(h.Version)}, {"id", uint64(h.SeriesID)}, {"hour", h.Hour},
		{"count", int64(h.Count)}, {"start_ts", h.Start}, {"end_ts", h.End},
	}
	if h.Version > 1 {
		fields = append(fields, Field{"ts_codec", int64(h.TimestampCodec)}, Field{"val_codec", int64(h.ValueCodec)})
	}
	fields = append(fields, Field{"payload_bytes", int64(len(payload))}, Field{"blake3", segment.SumBLAKE3(data)})
	if err := i.emit(0, "header", fields...); err != nil {
		return err
	}
	ts, values, err := segment.AppendColumns(nil, nil, data)
	if err != nil {
		return err
	}
	for k, t := range ts {
		if err := i.emit(base.WholeFile, "point", Field{"ts", t}, Field{"value", values[k]}); err != nil {
			return err
		}
	}
	return nil
}

func (i *inspector) line(l manifest.Line) error {
	if l.Plain != nil {
		return i.emit(l.Offset, "entry", plainFields(l.Plain)...)
	}
	e := l.Edit
	fields := []Field{
		{"edit", e.Number}, {"prev", e.Prev}, {"wall", e.Wall}, {"next_ms", e.NextMS},
		{"flushed_lsn", uint64(e.FlushedLSN)},
		{"catalog_generation", e.Catalog.Generation}, {"catalog_bytes", e.Catalog.Bytes},
	}
	if e.LastLSN != 0 {
		fields = append(fields, Field{"last_lsn", uint64(e.LastLSN)})
	}
	if err := i.emit(l.Offset, "edit", append(fields, Field{"crc32", l.CRC})...); err != nil {
		return err
	}
	for k := range e.Add {
		a := &e.Add[k]
		err := i.emit(l.Offset, "add", append(plainFields(a), Field{"seq", uint64(a.Seq)}, Field{"edit", a.Edit},
			Field{"wall", a.Wall}, Field{"bytes", a.Bytes}, Field{"blake3", a.BLAKE3})...)
		if err != nil {
			return err
		}
	}
	for _, path := range e.Remove {
		if err := i.emit(l.Offset, "remove", Field{"path", path}); err != nil {
			return err
		}
	}
	return nil
}

// plainFields returns the fields that version 0 wrote, too.
func plainFields(e *manifest.Entry) []Field {
	return []Field{
		{"series_id", uint64(e.SeriesID)}, {"hour_bucket", e.HourBucket}, {"start_ts", e.StartTS},
		{"end_ts", e.EndTS}, {"count", int64(e.Count)}, {"path", e.Path},
	}
}
