// Package render prints the result of a query or an export: as a table for people,
// as CSV, NDJSON, JSON or InfluxDB line protocol for programs, as a chart in the
// terminal.
//
// A Writer takes blocks as an iterator of the database yields them, series after
// series, and keeps no more than one buffer of text; a Chart keeps one number per
// column of the screen. Series without a name, of which only the id is known, are
// written with their id in NDJSON, so that ingest gives the points to the same
// series again; in the other formats they appear as series:<id in hex>.
//
// How times and values are spelled is package literal's matter. Writers are for one
// goroutine and print nothing but to the io.Writer they were given.
package render
