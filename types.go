package sydradb

import "github.com/sydradb/sydradb/internal/base"

// Accepted times, in Unix nanoseconds UTC, both inclusive: about 1823 to 2116. As
// the bounds of a query they mean "from the beginning" and "to the end".
const (
	MinTime = -(int64(1) << 62)
	MaxTime = int64(1) << 62
)

// Tag is one key and value of a series, with fields Key and Value. Keys are unique
// within a series and not empty; a tag with an empty value is the same as no tag.
type Tag = base.Tag

// SeriesID is the uint64 that names a series on disk and in exports: the xxHash64 of its
// name and tags or, where that number was taken, the next free one.
type SeriesID = base.SeriesID

// CorruptionError says which bytes on disk cannot be what was written: File
// (relative to the data directory), Offset (or -1 for the file as a whole), Part and
// the cause Err. It matches [ErrCorrupt] under errors.Is.
type CorruptionError = base.CorruptionError
