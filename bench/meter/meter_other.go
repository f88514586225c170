//go:build !linux

package meter

import (
	"errors"
	"time"
)

// Check reports whether this system can be measured on.
func Check() error { return errors.New("processor time and memory are measured on Linux only") }

func processCPU() time.Duration { return 0 }

func threadCPU() time.Duration { return 0 }

func resident() (now, peak int64) { return 0, 0 }

// Settle does nothing.
func Settle() {}
