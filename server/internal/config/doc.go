// Package config holds the settings of the server: what they are called, what they are
// by default, and where they come from.
//
// A setting comes from a flag, else from an environment variable, else from the file
// sydradb.toml, else it has its default. Every key of the file is a variable, too:
// max_series is SYDRADB_MAX_SERIES; the main ones are flags: --max-series. Unknown keys
// are errors, as a limit that was mistyped is none. Errors say where a value stands, what
// it is called and what it should be; those about secrets do not quote them.
//
// The package also reads the forms in which sizes, days and spans of time are given, for
// the other commands to share. It opens nothing but the file. A Config is filled once and
// then only read.
package config
