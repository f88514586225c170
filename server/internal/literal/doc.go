// Package literal knows how times, values and strings are written as text: in the
// input of ingest, in the output of queries and exports, in arguments of commands.
//
// Times are decimal numbers of a unit (seconds unless told otherwise) or RFC 3339.
// They are converted digit by digit, never through a float, so that a nanosecond
// survives any number of trips. They print as Unix seconds with as many decimals as
// they need.
//
// Finite values print with the fewest digits that read back to the same bits, and -0
// as -0.0. What JSON has no number for is written as the words "NaN", "+Inf", "-Inf",
// and a NaN with other bits than the usual ones as "NaN:" and its 16 hex digits.
//
// The package is pure: no I/O, no state, no clock. Append functions extend the
// caller's slice and allocate nothing of their own; all functions are safe for
// concurrent use.
package literal
