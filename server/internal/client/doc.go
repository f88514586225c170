// Package client talks to a running server for the command line: what a command does
// on a directory through the library, a Client does on a server through HTTP.
//
//	Points, Windows, Find       read: streams of lines, decoded as they arrive
//	Stats, TopTags, TopNames    look
//	Flush, Compact, Retain,     change
//	Delete, Snapshot
//	Writer                      stores the batches of an ingest.Job
//
// An answer that breaks off is an error, never a shorter answer. What the server refuses
// is an *[Error], which matches the error of the library that it comes from under
// errors.Is. Redirections are not followed, so that a token goes nowhere else.
//
// The package prints nothing and reads no environment, which is cli's to do. A Client is
// safe for concurrent use, a Writer is for one goroutine.
package client
