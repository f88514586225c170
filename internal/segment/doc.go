// Package segment reads and writes the files in which points come to rest. A segment
// file holds the points of one series in one hour, sorted by time, in two compressed
// columns. A pack holds those of many series in one hour or day, so that a database of
// a million series does not hold a million files; columns of timestamps that series share
// are in it once, and statistics of its blocks answer what needs no decoding.
//
// It knows one file at a time and entries of the manifest that point at files. It
// does not decide which files are live, does not merge, sort or de-duplicate across
// them and keeps nothing open: QueryRange returns every point of every file it is
// given, and what a point means beside an equal one is for the engine to say. Whether
// a job writes segment files or packs is decided in one place, by BucketWriter.
//
// Invariants:
//
//   - A file is written once, under a temporary name, synced and renamed. Its bytes
//     never change, so it may be shared and cached without a lock.
//   - What is written is sorted with unique timestamps, all within one bucket. Equal
//     points, handed over in the same order, give equal bytes.
//   - What is read was verified first. A segment file has no checksum of its own and is
//     compared with its manifest entry: size and BLAKE3 where the entry has them,
//     series, range and count always; version 0 entries rest on the structure of the
//     bytes alone. A pack is read piece by piece, and each piece has a checksum: that
//     of the footer stands in the manifest entry, the footer has that of the top level
//     of the index, index blocks and blocks of points have their own.
//   - Nothing in a file ties it to a directory: no ordinal, no path, no generation.
//
// Version 0 wrote the same segment files with seconds for nanoseconds, and SYSEG1 files
// before them; both are read. It also wrote both of two points with one timestamp,
// in the order of their arrival: reading accepts equal neighbours, and the later one
// counts.
//
// Damaged bytes are a *base.CorruptionError that names file and offset; a codec of a
// newer version is codec.ErrUnknown. Functions are safe for concurrent use, for
// exceptions see Write, and so is a Pack; writers, a PackReader and a Buffer belong to
// one goroutine. The engine calls this package, as do merging and commands that show
// files to people. The drawings are in format.go, syseg1.go, pack_format.go,
// pack_index.go, pack_entry.go and stats.go.
package segment
