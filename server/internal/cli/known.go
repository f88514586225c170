package cli

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/sydradb/sydradb"
)

// knownSeries knows the names of series that a file has by ordinal or id alone, because
// another one introduced them. It learns them from the files around that file when it is
// asked first, and passes over all that cannot be read: they are a help for a person,
// and not what is inspected.
type knownSeries struct {
	kind sydradb.FileKind
	path string // of the file that is inspected

	byOrdinal map[uint64][]sydradb.Field // id and series; nil before the first question
	byID      map[uint64]string          // name and tags
}

// complete adds to a record what it lacks of id and series.
func (k *knownSeries) complete(r *sydradb.Record) {
	id, hasID := fieldOf(r, "id").(uint64)
	switch {
	case hasID && fieldOf(r, "name") == nil && fieldOf(r, "series") == nil && fieldOf(r, "ordinal") == nil:
		k.learn()
		if text, ok := k.byID[id]; ok {
			k.insert(r, "id", sydradb.Field{Name: "series", Value: text})
		}
	case !hasID && r.Kind == "row":
		k.learn()
		ordinal, _ := fieldOf(r, "ordinal").(uint64)
		if fields, ok := k.byOrdinal[ordinal]; ok {
			k.insert(r, "ordinal", fields...)
		}
	}
}

// insert adds fields behind the one with this name.
func (*knownSeries) insert(r *sydradb.Record, name string, fields ...sydradb.Field) {
	at := slices.IndexFunc(r.Fields, func(f sydradb.Field) bool { return f.Name == name })
	r.Fields = slices.Insert(r.Fields, at+1, fields...)
}

func (k *knownSeries) learn() {
	if k.byOrdinal != nil {
		return
	}
	k.byOrdinal, k.byID = make(map[uint64][]sydradb.Field), make(map[uint64]string)
	path, err := filepath.Abs(k.path)
	if err != nil {
		return
	}
	dir, file := filepath.Split(path)
	data := filepath.Dir(filepath.Clean(dir))
	if k.kind == sydradb.FileSegment || k.kind == sydradb.FilePack {
		data = filepath.Dir(data) // they lie two levels down
	}
	catalogs, _ := filepath.Glob(filepath.Join(data, "CATALOG.*"))
	for _, name := range catalogs {
		k.learnFrom(sydradb.FileCatalog, name)
	}
	if k.kind != sydradb.FileWAL {
		return // what other files name is in the catalog
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
		if _, known := k.byOrdinal[ordinal]; known && name == "" && len(tags) == 0 {
			continue // a catalog has the id alone as well
		}
		text := selectorOf(sydradb.SeriesID(id), name, tags)
		k.byOrdinal[ordinal] = []sydradb.Field{{Name: "id", Value: id}, {Name: "series", Value: text}}
		k.byID[id] = text
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
