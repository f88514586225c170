// Package meter measures what work costs: processor time of the whole process, wall
// time, memory. It measures on Linux; elsewhere it builds, and Check says that it cannot.
package meter

import (
	"runtime"
	"runtime/debug"
	"time"
)

// Cost is what some work took.
type Cost struct {
	CPU  time.Duration // of all threads, in user and system mode
	Wall time.Duration
}

// Meter adds up the cost of work that is done in pieces.
type Meter struct {
	begin   Cost // readings at Start
	outside Cost // of Outside since then
}

// Start returns a meter that runs.
func Start() *Meter { return &Meter{begin: now()} }

// epoch is what wall time is counted from.
var epoch = time.Now()

func now() Cost { return Cost{CPU: processCPU(), Wall: time.Since(epoch)} }

// Outside runs work that is not to be measured, such as making the next points. Only its
// own thread's time is left out: what others do meanwhile in the background counts.
func (m *Meter) Outside(work func()) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cpu, wall := threadCPU(), time.Now()
	work()
	m.outside.CPU += threadCPU() - cpu
	m.outside.Wall += time.Since(wall)
}

// Cost returns what was measured so far.
func (m *Meter) Cost() Cost {
	c := now()
	return Cost{CPU: c.CPU - m.begin.CPU - m.outside.CPU, Wall: c.Wall - m.begin.Wall - m.outside.Wall}
}

// Heap returns the bytes of live objects.
func Heap() int64 {
	runtime.GC()
	runtime.GC() // what finalizers let go of
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// Resident returns the bytes of memory that the process holds, after giving back what it
// can, and the most it ever held.
func Resident() (now, peak int64) {
	debug.FreeOSMemory()
	return resident()
}
