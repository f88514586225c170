// Package base holds the nouns that every other package of SydraDB shares:
// points, series ids, ordinals, log sequence numbers, file names and the one
// error type for damaged bytes.
//
// It is not a place for logic: nothing here does I/O, allocates in a loop or
// knows an on-disk layout. It imports the standard library only, so that no
// import cycle can start here. All types are plain values, safe to copy and to
// share between goroutines.
package base
