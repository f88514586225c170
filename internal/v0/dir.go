package v0

import (
	"errors"
	"fmt"
	iofs "io/fs"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/fsys"
	"github.com/sydradb/sydradb/internal/manifest"
	"github.com/sydradb/sydradb/internal/segment"
)

// ErrNotV0 means that a directory is not one of version 0.
var ErrNotV0 = errors.New("not a directory of version 0")

// Dir is a directory of version 0 that has been looked into.
type Dir struct {
	fs      fsys.FS
	entries []manifest.Entry // in the order of their writing
	logs    []string         // paths, oldest first
	tags    map[base.SeriesID][]base.Tag
	odd     []string
}

// Stats says what Points read.
type Stats struct {
	Segments, LogRecords, Points int64
	// Torn is the unfinished end of the newest log file, nil if there is none.
	Torn *Torn
}

// Torn is the end of a log file in which no record can be read.
type Torn struct {
	File   string
	Offset int64 // behind the last good record
	Bytes  int64 // from there to the end of the file
	Err    error // what is wrong with the first of them
}

// Open looks at the directory at the root of fs, which must not change meanwhile, and
// reads its MANIFEST and tags.json. The error matches ErrNotV0 where neither a MANIFEST
// nor a log of version 0 is found, or is a *base.CorruptionError, or one of reading.
func Open(fs fsys.FS) (*Dir, error) {
	switch found, err := fsys.Exists(fs, base.FormatFile); {
	case err != nil:
		return nil, err
	case found:
		return nil, fmt.Errorf("%w: it holds %s, so a later version wrote it", ErrNotV0, base.FormatFile)
	}
	d := &Dir{fs: fs}
	var err error
	d.entries, err = manifest.ReadV0(fs, base.ManifestFile)
	hasManifest := err == nil
	if err != nil && !errors.Is(err, iofs.ErrNotExist) {
		return nil, err
	}
	if d.logs, err = listLogs(fs); err != nil {
		return nil, err
	}
	if !hasManifest && len(d.logs) == 0 {
		return nil, fmt.Errorf("%w: it holds neither %s nor a log", ErrNotV0, base.ManifestFile)
	}
	if err := d.readTags(); err != nil {
		return nil, err
	}
	return d, nil
}

// Tags returns the tags of each series that has some, sorted by key. They are such as
// a series of ours can have. The map is the caller's to read.
func (d *Dir) Tags() map[base.SeriesID][]base.Tag { return d.tags }

// Odd returns what tags.json says that no series can have, one sentence each, in order.
func (d *Dir) Odd() []string { return d.odd }

// Points calls fn for every point in the order of writing: segment files as MANIFEST
// lists them, then the log. Points of the log may have come from a segment file before;
// that does not change which is the last one. An error of fn ends the reading and is
// returned as it is. Any other error is a *base.CorruptionError, or one of reading.
func (d *Dir) Points(fn func(id base.SeriesID, ts int64, value float64) error) (Stats, error) {
	var s Stats
	counting := func(id base.SeriesID, ts int64, value float64) error {
		s.Points++
		return fn(id, ts, value)
	}
	if err := d.segments(&s, counting); err != nil {
		return s, err
	}
	for i, path := range d.logs {
		if err := d.log(&s, path, i == len(d.logs)-1, counting); err != nil {
			return s, err
		}
	}
	return s, nil
}

func (d *Dir) segments(s *Stats, fn func(base.SeriesID, int64, float64) error) error {
	var (
		data    []byte
		ts      []int64
		values  []float64
		decoder segment.Decoder
		err     error
	)
	for _, e := range d.entries {
		if data, err = segment.Load(d.fs, e, data); err != nil {
			return err
		}
		if ts, values, err = decoder.AppendColumns(ts[:0], values[:0], data); err != nil {
			return inFile(err, e.Path)
		}
		s.Segments++
		for i, t := range ts {
			if err := fn(e.SeriesID, t, values[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

// inFile adds the name of the file to an error about its bytes.
func inFile(err error, path string) error {
	var damage *base.CorruptionError
	if !errors.As(err, &damage) {
		return fmt.Errorf("%s: %w", path, err)
	}
	named := *damage
	named.File = path
	return &named
}
