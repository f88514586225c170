// Package cli is the command line of SydraDB: one file per command, each of which
// opens the database, does its work through the public API and closes it.
//
// Results go to standard output, all else to standard error. Errors carry an exit
// code (see the Exit constants) and, where a person can do something about them, a
// hint. The examples in the help texts are transcripts that a test runs.
//
// Only cmd/sydradb may call this package.
package cli
