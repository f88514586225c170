// Package ingest reads points from text and commits them to a database in chunks.
//
//	file, pipe -> Open: gzip and zstd undone
//	           -> records: cut into lines, or what a format calls one
//	           -> Parser: NDJSON, InfluxDB line protocol or CSV, into a batch
//	           -> Job: a batch is written when it is full or the input pauses
//
// Three goroutines work at the same time: one reads, one parses, one waits for the
// database. Points reach the database in the order of the input, so that of two
// points with the same series and time the later one wins.
//
// A record that cannot be understood is refused and reported, and the others are
// kept. What was committed is told only after the database acknowledged it.
//
// The package knows no flags, prints nothing and ends no process: that is cli's. A
// Job and a Parser are for one goroutine.
package ingest
