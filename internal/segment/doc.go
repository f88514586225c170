// Package segment reads and writes segment files: the points of one series in one
// hour, sorted by time, in two compressed columns.
//
// It knows one file at a time and entries of the manifest that point at files. It
// does not decide which files are live, does not merge, sort or de-duplicate across
// them and keeps nothing open: QueryRange returns every point of every file it is
// given, and what a point means beside an equal one is for the engine to say.
//
// Invariants:
//
//   - A file is written once, under a temporary name, synced and renamed. Its bytes
//     never change, so it may be shared and cached without a lock.
//   - What is written is sorted with unique timestamps, all within one hour.
//   - What is read was compared with its manifest entry first: size and BLAKE3 where
//     the entry has them, series, range and count always. A file has no checksum of
//     its own, so version 0 entries rest on the structure of the bytes alone.
//
// Version 0 wrote the same files with seconds for nanoseconds, and SYSEG1 files
// before them; both are read. It also wrote both of two points with one timestamp,
// in the order of their arrival: reading accepts equal neighbours, and the later one
// counts.
//
// Damaged bytes are a *base.CorruptionError that names file and offset; a codec of a
// newer version is codec.ErrUnknown. All functions are safe for concurrent use, for
// exceptions see Write; a Buffer belongs to one call at a time. The engine calls this
// package, and commands that show files to people. The drawings are in format.go and
// syseg1.go.
package segment
