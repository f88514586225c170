package sydradb

import (
	"errors"
	"fmt"
	"path"
	"unicode"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/fsys"
	"github.com/sydradb/sydradb/internal/manifest"
	"github.com/sydradb/sydradb/internal/objectstore"
	"github.com/sydradb/sydradb/internal/segment"
	"github.com/sydradb/sydradb/internal/tombstone"
)

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

// pack emits what the index of a pack says, and verifies every block on the way.
func (i *inspector) pack() error {
	pack, entry, err := openPack(i.fs, i.file)
	if err != nil {
		return err
	}
	info := pack.Info()
	err = i.emit(0, "pack", Field{"bucket", info.Bucket}, Field{"width", info.Width}, Field{"start_ts", info.Start}, Field{"end_ts", info.End},
		Field{"series", int64(info.SeriesCount)}, Field{"blocks", info.BlockCount}, Field{"points", info.PointCount},
		Field{"shared_columns", int64(info.SharedColumnCount)}, Field{"column_bytes", info.ColumnBytes},
		Field{"index_bytes", info.IndexBytes}, Field{"footer_crc", entry.FooterCRC})
	if err != nil {
		return err
	}
	return segment.VerifyPack(i.fs, entry, func(s *segment.PackSeries, _ []int64) error { return i.packSeries(s) })
}

// openPack opens a pack of which no MANIFEST is known.
func openPack(fs fsys.FS, file string) (*segment.Pack, manifest.Entry, error) {
	// In a database a missing file is damage.
	if _, err := fs.Stat(file); err != nil {
		return nil, manifest.Entry{}, err
	}
	entry, err := segment.DescribePack(fs, file)
	if err != nil {
		return nil, entry, err
	}
	pack, err := segment.OpenPack(fs, entry)
	return pack, entry, err
}

func (i *inspector) packSeries(s *segment.PackSeries) error {
	err := i.emit(s.Blocks[0].ValueOffset, "series", Field{"id", uint64(s.ID)}, Field{"count", int64(s.Count)},
		Field{"start_ts", s.Start}, Field{"end_ts", s.End},
		Field{"ts_codec", int64(s.TimestampCodec)}, Field{"val_codec", int64(s.ValueCodec)})
	if err != nil {
		return err
	}
	for k := range s.Blocks {
		b := &s.Blocks[k]
		fields := []Field{
			{"count", int64(b.Count)}, {"start_ts", b.First}, {"end_ts", b.Last},
			{"ts_offset", b.TimestampOffset}, {"ts_bytes", int64(b.TimestampBytes)},
			{"val_offset", b.ValueOffset}, {"val_bytes", int64(b.ValueBytes)},
		}
		if b.HasStats {
			fields = append(fields, Field{"min", b.Stats.Min}, Field{"max", b.Stats.Max}, Field{"first", b.Stats.First},
				Field{"last", b.Stats.Last}, Field{"sum", b.Stats.Sum}, Field{"drop", b.Stats.Drop})
		}
		if err := i.emit(base.WholeFile, "block", fields...); err != nil {
			return err
		}
	}
	return nil
}

// deleteFile emits the deletion in a delete file.
func (i *inspector) deleteFile() error {
	data, err := fsys.ReadFile(i.fs, i.file)
	if err != nil {
		return err
	}
	// Without a MANIFEST that says what the bytes were, their frames have checksums.
	t, err := tombstone.Load(i.fs, tombstone.File{Path: i.file, Bytes: int64(len(data)), BLAKE3: segment.SumBLAKE3(data)})
	if err != nil {
		return err
	}
	err = i.emit(0, "delete", Field{"lsn", uint64(t.LSN)}, Field{"start_ts", t.Start}, Field{"end_ts", t.End},
		Field{"series", int64(len(t.IDs))}, Field{"blake3", t.File.BLAKE3})
	if err != nil {
		return err
	}
	return i.deletedSeries(base.WholeFile, t.IDs)
}

// object emits an object. One under its own name is held against it.
func (i *inspector) object() error {
	data, err := fsys.ReadFile(i.fs, i.file)
	if err != nil {
		return err
	}
	t, payload, err := objectstore.Decode(data)
	if err != nil {
		return err
	}
	id := objectstore.IDOf(t, payload)
	if named, err := objectstore.ParseID(path.Base(i.file)); err == nil && named != id {
		return &base.CorruptionError{Offset: base.WholeFile, Err: fmt.Errorf("the BLAKE3 is %v, which is not its name", id)}
	}
	err = i.emit(0, "object", Field{"type", t.String()}, Field{"id", id.String()}, Field{"payload_bytes", int64(len(payload))})
	const perRecord = 32
	for at := int64(len(data) - len(payload)); err == nil && len(payload) > 0; at += perRecord {
		some := payload[:min(perRecord, len(payload))]
		payload = payload[len(some):]
		err = i.emit(at, "data", Field{"hex", fmt.Sprintf("%x", some)}, Field{"text", printable(some)})
	}
	return err
}

// printable returns bytes as text, with dots for those that are no printable ASCII.
func printable(data []byte) string {
	text := make([]byte, len(data))
	for i, c := range data {
		if c > unicode.MaxASCII || !unicode.IsPrint(rune(c)) {
			c = '.'
		}
		text[i] = c
	}
	return string(text)
}

// ErrNotInPack means that a pack has no points of a series in an hour.
var ErrNotInPack = errors.New("no points of this series in this hour")

// ExportSegment returns the points that the pack at path has of a series in the hour of
// ts, Unix nanoseconds, as the bytes of a segment file in the format SYSEG2: the form
// that other programs read most easily. Without such points the error is
// [ErrNotInPack]; damage is a [*CorruptionError].
func ExportSegment(path string, id SeriesID, ts int64) (data []byte, err error) {
	fail := func(err error) ([]byte, error) {
		return nil, fmt.Errorf("sydradb: export: %w", nameDamage(err, path))
	}
	fs, _, file, err := fsys.OSParent(path)
	if err != nil {
		return fail(err)
	}
	defer func() { err = errors.Join(err, closeFS(fs)) }()
	data, err = exportSegment(fs, file, id, base.BucketStart(ts))
	if err == nil && len(data) == 0 {
		err = fmt.Errorf("%s: %w", path, ErrNotInPack)
	}
	if err != nil {
		return fail(err)
	}
	return data, nil
}

// exportSegment returns no data if the pack has no such points.
func exportSegment(fs fsys.FS, file string, id SeriesID, hour int64) (data []byte, err error) {
	pack, _, err := openPack(fs, file)
	if err != nil {
		return nil, err
	}
	f, err := fs.Open(file)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	r := pack.Reader(f, nil)
	var s segment.PackSeries
	found, err := r.Find(id, &s)
	if err == nil && found {
		data, err = r.ExportSegment(nil, &s, hour)
	}
	return data, err
}
