// Package fsys is the file system as the engine sees it: a dozen operations on
// paths relative to the data directory, small enough that every one of them can be
// made to fail, to be cut short or to be undone by a power cut in an ordinary test.
//
// OS is the real thing; Mem keeps everything in memory and knows which of it a
// power cut would leave (CrashClone) and can have any operation fail (SetHook); Trace
// reports the operations on either; Sub is a directory of another FS; HeldFS is files of
// another FS that a reader keeps open. No other package of the module touches the
// operating system's files.
//
// Paths use '/', never start with one and never contain "..". All FS
// implementations are safe for concurrent use; a File is safe for concurrent
// ReadAt, and for one writer beside them.
//
// What is taken for granted of a disk, and no more: a sync that returned nil made
// durable what was written before it; a rename does not lose the file; bytes that
// were synced are not damaged by later writes behind them. Anything not synced may be
// there after a power cut or not, in any combination. Package fsystest holds what
// every FS must do alike.
package fsys
