package sydradb

import (
	"maps"
	"slices"

	"github.com/sydradb/sydradb/internal/manifest"
)

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
		if err := i.emit(l.Offset, "add", entryFields(&e.Add[k])...); err != nil {
			return err
		}
	}
	for _, d := range e.AddDeletes {
		err := i.emit(l.Offset, "add", Field{"path", d.Path}, Field{"lsn", uint64(d.LSN)}, Field{"edit", d.Edit},
			Field{"start_ts", d.StartTS}, Field{"end_ts", d.EndTS}, Field{"bytes", d.Bytes}, Field{"blake3", d.BLAKE3})
		if err != nil {
			return err
		}
	}
	for _, path := range e.Remove {
		if err := i.emit(l.Offset, "remove", Field{"path", path}); err != nil {
			return err
		}
	}
	for _, namespace := range slices.Sorted(maps.Keys(e.Horizon)) {
		if err := i.emit(l.Offset, "horizon", Field{"namespace", namespace}, Field{"ts", e.Horizon[namespace]}); err != nil {
			return err
		}
	}
	return nil
}

// entryFields returns the fields of an entry that has them all.
func entryFields(e *manifest.Entry) []Field {
	fields := append(plainFields(e), Field{"seq", uint64(e.Seq)}, Field{"edit", e.Edit},
		Field{"wall", e.Wall}, Field{"bytes", e.Bytes}, Field{"blake3", e.BLAKE3})
	if e.Applied != 0 {
		fields = append(fields, Field{"applied", uint64(e.Applied)})
	}
	if e.IsPack() {
		fields = append(fields, Field{"width", e.BucketWidth()}, Field{"segments", int64(e.Segments)}, Field{"footer_crc", e.FooterCRC})
	}
	return fields
}

// plainFields returns the fields that version 0 wrote, too.
func plainFields(e *manifest.Entry) []Field {
	return []Field{
		{"series_id", uint64(e.SeriesID)}, {"hour_bucket", e.HourBucket}, {"start_ts", e.StartTS},
		{"end_ts", e.EndTS}, {"count", int64(e.Count)}, {"path", e.Path},
	}
}
