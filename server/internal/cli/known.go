package cli

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/sydradb/sydradb"
)

// knownSeries knows the series that the rows of a log name by their ordinals alone,
// because an earlier file introduced them. It learns them from the files around the
// log when it is asked first, and passes over all that cannot be read: they are a help
// for a person, and not what is inspected.
type knownSeries struct {
	log    string                     // path of the file with the rows
	fields map[uint64][]sydradb.Field // by ordinal; nil before the first question
}

// complete adds id and series to a row that lacks them.
func (k *knownSeries) complete(r *sydradb.Record) {
	if r.Kind != "row" || fieldOf(r, "id") != nil {
		return
	}
	ordinal, ok := fieldOf(r, "ordinal").(uint64)
	if !ok {
		return
	}
	if k.fields == nil {
		k.learn()
	}
	if fields, ok := k.fields[ordinal]; ok {
		r.Fields = slices.Insert(r.Fields, 1, fields...)
	}
}

func (k *knownSeries) learn() {
	k.fields = make(map[uint64][]sydradb.Field)
	path, err := filepath.Abs(k.log)
	if err != nil {
		return
	}
	dir, file := filepath.Split(path)
	catalogs, _ := filepath.Glob(filepath.Join(filepath.Dir(filepath.Clean(dir)), "CATALOG.*"))
	for _, name := range catalogs {
		k.learnFrom(sydradb.FileCatalog, name)
	}
	// The names of the others sort by their age, and that of the newest is not a number.
	logs, _ := filepath.Glob(filepath.Join(dir, "*.wal"))
	for _, name := range logs {
		if base := filepath.Base(name); base < file && base != "current.wal" {
			k.learnFrom(sydradb.FileWAL, name)
		}
	}
}

func (k *knownSeries) learnFrom(kind sydradb.FileKind, path string) {
	for record, err := range sydradb.Inspect(kind, path) {
		if err != nil {
			return
		}
		ordinal, ok := fieldOf(&record, "ordinal").(uint64)
		id, hasID := fieldOf(&record, "id").(uint64)
		if record.Kind != "series" || !ok || !hasID {
			continue
		}
		name, _ := fieldOf(&record, "name").(string)
		tags, _ := fieldOf(&record, "tags").([]sydradb.Tag)
		if _, known := k.fields[ordinal]; known && name == "" && len(tags) == 0 {
			continue // a catalog has the id alone as well
		}
		k.fields[ordinal] = []sydradb.Field{{Name: "id", Value: id}, {Name: "series", Value: selectorOf(sydradb.SeriesID(id), name, tags)}}
	}
}

// fieldOf returns the value of a field, nil if there is none.
func fieldOf(r *sydradb.Record, name string) any {
	for _, f := range r.Fields {
		if f.Name == name {
			return f.Value
		}
	}
	return nil
}

// selectorOf returns a series as a selector names it.
func selectorOf(id sydradb.SeriesID, name string, tags []sydradb.Tag) string {
	if name == "" {
		name = fmt.Sprintf("series:%x", uint64(id))
	}
	text := quoted(name)
	for i, t := range tags {
		separator := ","
		if i == 0 {
			separator = "{"
		}
		text += separator + condition(t.Key, t.Value)
	}
	if len(tags) > 0 {
		text += "}"
	}
	return text
}

// quoted returns a name in quotes if a selector needs them.
func quoted(name string) string { return strings.TrimSuffix(condition(name, ""), `=""`) }

// condition returns key="value" as a selector reads it.
func condition(key, value string) string {
	m, err := sydradb.NewMatcher(key, sydradb.MatchEqual, value)
	if err != nil { // no series has such a key
		return key + "=" + value
	}
	return m.String()
}
