package sydradb

import (
	"errors"
	"fmt"
	"iter"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/catalog"
	"github.com/sydradb/sydradb/internal/fsys"
	"github.com/sydradb/sydradb/internal/manifest"
	"github.com/sydradb/sydradb/internal/wal"
)

// FileKind names a kind of file that [Inspect] can show.
type FileKind string

// The kinds of file.
const (
	// FileWAL is a log, of this version or of version 0. Its records are "header" (of
	// the file), "batch", "delete", "mark", and "put" in version 0. A "batch" is followed
	// by the "series" that it introduces and its "row"s, a "delete" by the series that it
	// is "of", with the same offset.
	FileWAL FileKind = "wal"
	// FileSegment is a segment file: one "header", then its "point"s.
	FileSegment FileKind = "segment"
	// FilePack is a pack: one "pack", then its "series" in the order of the file, each
	// followed by its "block"s, which have been decoded and verified. Their points are
	// those of [ExportSegment].
	FilePack FileKind = "pack"
	// FileManifest is a MANIFEST. Each "edit" is followed by the files that it "add"s and
	// "remove"s and the "horizon"s that it moves, with the same offset; in version 0 there
	// are only "entry" records.
	FileManifest FileKind = "manifest"
	// FileCatalog is a CATALOG: its "series", those of one frame with one offset. A series
	// comes first with its id alone, and again with its name and tags.
	FileCatalog FileKind = "catalog"
	// FileDelete is a delete file: one "delete", then the series that it is "of".
	FileDelete FileKind = "delete"
	// FileObject is an object: one "object", then its "data", some bytes each.
	FileObject FileKind = "object"
)

// Record is one record of a file as [Inspect] shows it.
type Record struct {
	Offset int64   // where it starts in the file; -1 for a part without a place of its own
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
		yield(Record{}, fmt.Errorf("sydradb: inspect: %w", nameDamage(err, path)))
	}
}

// nameDamage names the file of damage as the caller did.
func nameDamage(err error, path string) error {
	var damage *CorruptionError
	if !errors.As(err, &damage) {
		return err
	}
	named := *damage
	named.File = path
	return &named
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
	texts   map[SeriesID]string         // of those series
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
		i.series, i.texts = make(map[base.Ordinal]introduced), make(map[SeriesID]string)
		return wal.Scan(i.fs, i.file, i.logRecord)
	case FileSegment:
		return i.segment()
	case FilePack:
		return i.pack()
	case FileManifest:
		tail, err := manifest.Scan(i.fs, i.file, i.line)
		if err == nil && tail != nil {
			err = tail.Corruption()
		}
		return err
	case FileCatalog:
		return catalog.Scan(i.fs, i.file, -1, i.catalogSeries)
	case FileDelete:
		return i.deleteFile()
	case FileObject:
		return i.object()
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
