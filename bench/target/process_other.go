//go:build !linux

package target

import (
	"errors"
	"time"
)

var errLinux = errors.New("processor time and memory are measured on Linux only")

func processCPU(int) (time.Duration, error) { return 0, errLinux }

func processPeak(int) (int64, error) { return 0, errLinux }
