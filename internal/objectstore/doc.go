// Package objectstore keeps content-addressed objects, and refs that give names to some
// of them.
//
// An object is a type and up to 16 MiB of bytes; its id is the BLAKE3 of both, so an
// object never changes, writing it twice is writing it once, and what is read can be
// verified by its name alone. A ref is the one thing here that moves: a name for an id,
// replaced against an expected old value. What objects mean, what they refer to and
// which of them are still needed is the business of those above.
//
// Store is what every object store can do; Dir is the one in a directory. Others, on a
// remote machine say, have to pass the tests of package storetest.
//
// Invariants:
//
//   - Get returns the bytes that were put, or an error: length and hash are compared
//     every time.
//   - What Put, SetRef and DeleteRef acknowledged survives a power cut. So a ref that is
//     set after its objects were put never leads nowhere.
//   - A damaged object is replaced by putting it again.
//   - No ref is a directory of another: names can be paths.
//
// Damaged bytes are a *base.CorruptionError with the path of the file. Every Store is
// safe for concurrent use; of all processes one at a time may write to a Dir, which the
// lock of the database sees to, and any number may read beside it. The drawings are in
// format.go.
package objectstore
