//go:build !unix

package sydradb

import "time"

var processStart = time.Now()

// cpuTime returns the time since the start where processor time is not to be had.
func cpuTime() time.Duration { return time.Since(processStart) }

// peakRSS returns 0 where it is not known.
func peakRSS() int64 { return 0 }
