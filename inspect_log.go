package sydradb

import (
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/tags"
	"github.com/sydradb/sydradb/internal/wal"
)

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
	case wal.TypeDelete:
		return i.deletion(rec, lsn, durable)
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
		s := introduced{reg.ID, describe(reg)}
		i.series[reg.Ordinal], i.texts[s.id] = s, s.text
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

// deletion emits a Delete record.
func (i *inspector) deletion(rec wal.Record, lsn, durable Field) error {
	start, end, ids, err := wal.DecodeDelete(rec.Body)
	if err != nil {
		return rec.Corrupt(err)
	}
	err = i.emit(rec.Offset, "delete", lsn, durable, Field{"start_ts", start}, Field{"end_ts", end}, Field{"series", int64(len(ids))})
	if err != nil {
		return err
	}
	return i.deletedSeries(rec.Offset, ids)
}

// deletedSeries emits the series that a deletion is of.
func (i *inspector) deletedSeries(offset int64, ids []SeriesID) error {
	for _, id := range ids {
		fields := []Field{{"id", uint64(id)}}
		if text, ok := i.texts[id]; ok {
			fields = append(fields, Field{"series", text})
		}
		if err := i.emit(offset, "of", fields...); err != nil {
			return err
		}
	}
	return nil
}

// describe returns a series as queries name it.
func describe(reg base.Registration) string {
	name := reg.Name
	if name == "" {
		name = fmt.Sprintf("series:%x", uint64(reg.ID))
	}
	return tags.FormatSelector(name, reg.Tags)
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
