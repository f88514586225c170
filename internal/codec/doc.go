// Package codec turns columns of timestamps and of values into bytes and back.
//
// It is a registry of numbered codecs and their code: pure functions on slices,
// without files, checksums or counts of their own. What holds a column says which
// codec wrote it and how many points it has; timestamps and values are numbered
// apart. A number that is not in the registry is ErrUnknown, never a guess.
//
// Invariants:
//
//   - Lossless: every int64 and every bit pattern of a float64 comes back,
//     arithmetic wraps around. Order and uniqueness are the caller's business.
//   - Deterministic: equal columns give equal bytes.
//   - Decoders fill exactly the slice they are given, allocate nothing unless they
//     fail, and return what follows the column in src.
//   - Damaged bytes are a *base.CorruptionError whose offset counts from the start
//     of src; nothing panics. Not all damage shows: checksums are the caller's.
//
// All functions are safe for concurrent use. Segments and packs use them; nothing
// else needs to.
package codec
