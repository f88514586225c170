package meter

import (
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Check reports whether this system can be measured on.
func Check() error { return nil }

// processCPU is the time of all threads, by getrusage.
func processCPU() time.Duration {
	var r unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &r) != nil {
		return 0
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// threadCPU is the time of this thread, to the nanosecond: getrusage would round it.
func threadCPU() time.Duration {
	var t unix.Timespec
	if unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t) != nil {
		return 0
	}
	return time.Duration(t.Nano())
}

func resident() (now, peak int64) {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, 0
	}
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(line, ":")
		var kib int64
		switch name {
		case "VmRSS":
			fmt.Sscan(value, &kib)
			now = kib << 10
		case "VmHWM":
			fmt.Sscan(value, &kib)
			peak = kib << 10
		}
	}
	return now, peak
}

// Settle waits until what was written so far is on the disk, so that nobody pays for what
// others wrote.
func Settle() { unix.Sync() }
