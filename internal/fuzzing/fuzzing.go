// Package fuzzing holds what every fuzz target asks of its decoder besides that it does
// not panic: that no input makes it hang or take much memory.
//
// Test helper: imported by _test files only. What it measures is that of the process, so
// a test that uses it does not run in parallel with others.
package fuzzing

import (
	"runtime"
	"testing"
	"time"
)

const (
	// maxTime is far above what any input of a fuzzer takes: it finds hangs, not
	// slowness.
	maxTime = 10 * time.Second

	// Allocations may come to so many bytes for each byte of the input, and so many
	// more.
	bytesPerByte = 16
	bytesMore    = 1 << 20
)

// Bounded runs decode, which reads input bytes, and fails the test if it takes longer
// than ten seconds or allocates more than 16 times the input and 1 MiB in all.
func Bounded(t testing.TB, input int, decode func()) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	InTime(t, input, decode)
	runtime.ReadMemStats(&after)
	if got, most := after.TotalAlloc-before.TotalAlloc, uint64(bytesPerByte*input+bytesMore); got > most {
		t.Errorf("%d bytes made it allocate %d, at most %d are allowed", input, got, most)
	}
}

// InTime is Bounded for the time alone.
func InTime(t testing.TB, input int, decode func()) {
	t.Helper()
	start := time.Now()
	decode()
	if took := time.Since(start); took > maxTime {
		t.Errorf("%d bytes took %v", input, took)
	}
}
