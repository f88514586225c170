// Package codec turns columns of timestamps and of values into bytes and back.
//
// It is a registry of numbered codecs and their code: pure functions on slices,
// without files, checksums or counts of their own. What holds a column says which
// codec wrote it and how many points it has; timestamps and values are numbered
// apart. A number that is not in the registry is ErrUnknown, never a guess.
//
// Codec 1 is whole bytes, one point after the other: delta2.go and xor.go. Codec 2 turns
// both kinds of column into integers (line.go; values.go, decimal.go, ordered.go) and
// writes those as a stream (stream.go) in the smallest of four kinds: constant, packed
// (packed.go), coded by frequency (coded.go, bins.go), or with runs cut out (runs.go). What
// an encoder may spend on that is its Policy; there is one decoder for all.
//
// Invariants:
//
//   - Lossless: every int64 and every bit pattern of a float64 comes back,
//     arithmetic wraps around. Order and uniqueness are the caller's business.
//   - Deterministic: equal columns give equal bytes under equal policies, on every machine.
//   - Decoders fill exactly the slice they are given, allocate nothing unless they
//     fail, and return what follows the column in src.
//   - Damaged bytes are a *base.CorruptionError whose offset counts from the start
//     of src; nothing panics. Not all damage shows: checksums are the caller's.
//
// All functions are safe for concurrent use; an Encoder or a Decoder, which keeps memory
// from column to column, has one user at a time. Segments and packs use them; nothing
// else needs to.
package codec
