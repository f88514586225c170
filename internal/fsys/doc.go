// Package fsys is the file system as the engine sees it: a dozen operations on
// paths relative to the data directory, small enough that every one of them can be
// made to fail, to be cut short or to be undone by a power cut in an ordinary test.
//
// OS is the real thing; Mem keeps everything in memory and knows which of it a
// power cut would leave. No other package of the module touches the operating
// system's files.
//
// Paths use '/', never start with one and never contain "..". All FS
// implementations are safe for concurrent use; a File is safe for concurrent
// ReadAt, and for one writer beside them.
package fsys
