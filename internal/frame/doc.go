// Package frame wraps payloads so that cut off or changed bytes are noticed when
// they are read: [len][payload][crc32]. The log and the catalog are made of such
// frames.
//
// It does no I/O and knows nothing of what a payload means. Whether a bad frame is
// the torn end of a file or damage is the caller's judgement, which is why the
// errors here are plain sentinels and not base.CorruptionError: only the caller knows
// file and offset. All functions are pure and safe for concurrent use.
//
// The layout is drawn in format.go and pinned by testdata/frame.golden.
package frame
