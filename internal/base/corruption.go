package base

import (
	"errors"
	"fmt"
	"strings"
)

// ErrCorrupt matches, under errors.Is, every error that reports damaged bytes.
var ErrCorrupt = errors.New("corrupt data")

// WholeFile is the Offset of a CorruptionError that concerns a file as a whole.
const WholeFile = int64(-1)

// CorruptionError says which bytes on disk cannot be what was written. It is the
// only error type for that, in every package, and matches ErrCorrupt.
type CorruptionError struct {
	File   string // path relative to the data directory; "" where only bytes are known
	Offset int64  // of the first byte in doubt; WholeFile for the file as a whole
	Part   string // what stands there: "header", "record 7", ...
	Err    error  // what is wrong with it
}

// Error names file, offset, part and cause.
func (e *CorruptionError) Error() string {
	var b strings.Builder
	if e.File != "" {
		b.WriteString(e.File)
		b.WriteString(": ")
	}
	b.WriteString("corrupt data")
	if e.Offset != WholeFile {
		fmt.Fprintf(&b, " at offset %d", e.Offset)
	}
	if e.Part != "" {
		fmt.Fprintf(&b, " (%s)", e.Part)
	}
	if e.Err != nil {
		b.WriteString(": ")
		b.WriteString(e.Err.Error())
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *CorruptionError) Unwrap() error { return e.Err }

// Is reports whether target is ErrCorrupt.
func (e *CorruptionError) Is(target error) bool { return target == ErrCorrupt }
