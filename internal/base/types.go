package base

import (
	"strings"
	"time"
)

// Accepted timestamps, Unix nanoseconds UTC, both inclusive: 1823 to 2116.
// The limits leave room for sums and differences of two timestamps in an int64.
const (
	MinTime = -(int64(1) << 62)
	MaxTime = int64(1) << 62
)

// Hour is the width of a bucket in nanoseconds, Day that of the buckets in which hours
// are merged.
const (
	Hour = int64(time.Hour)
	Day  = 24 * Hour
)

// FormatVersion is the version of the directory layout that this code writes,
// and the highest that it opens.
const FormatVersion = 1

// NameKey is the reserved tag key under which matchers and the tag index know a
// series' name. It is never stored as a tag.
const NameKey = "__name__"

// Point is one value of one series. TS is in Unix nanoseconds UTC. Value is kept
// bit by bit: NaN payloads, -0 and infinities included.
type Point struct {
	TS    int64
	Value float64
}

// SeriesID names a series on disk: the xxHash64 (seed 0) of its canonical key,
// or a later number where that one was taken.
type SeriesID uint64

// Ordinal is the dense handle of a series in the log, the memtable and the tag
// index. Ordinals are given in rising order from 0 and never reused while a
// process runs.
type Ordinal uint32

// LSN numbers the records of the write-ahead log, from 1, without gaps.
type LSN uint64

// Tag is one key and value of a series. Keys are unique within a series and not
// empty; a tag with an empty value is the same as no tag.
type Tag struct {
	Key   string
	Value string
}

// Row is one point on its way into the database: what a batch holds, what a log
// record encodes and what a memtable applies.
type Row struct {
	TS      int64
	Value   float64
	Ordinal Ordinal
}

// Registration introduces a series: from here on Ordinal stands for it. An empty
// Name means that the series is known by its id only. Tags are sorted by key.
type Registration struct {
	Ordinal Ordinal
	ID      SeriesID
	Name    string
	Tags    []Tag
}

// BucketStart returns the start of the hour that holds ts, rounding towards
// negative infinity, so that -1 belongs to the hour before 1970.
func BucketStart(ts int64) int64 { return floor(ts, Hour) }

// DayStart returns the start of the UTC day that holds ts, in the same way.
func DayStart(ts int64) int64 { return floor(ts, Day) }

func floor(ts, width int64) int64 {
	r := ts % width
	if r < 0 {
		r += width
	}
	return ts - r
}

// Namespace returns the part of a series name before its first dot, the whole name if
// it has none. Retention is set per namespace.
func Namespace(name string) string {
	namespace, _, _ := strings.Cut(name, ".")
	return namespace
}
