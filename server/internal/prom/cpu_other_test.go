//go:build !unix

package prom

import "time"

var processStart = time.Now()

// cpuTime returns the time since the start where processor time is not to be had.
func cpuTime() time.Duration { return time.Since(processStart) }
