package meter

import (
	"runtime"
	"testing"
	"time"
)

var sink uint64

// burn uses the processor until it has done so for d.
func burn(d time.Duration) {
	runtime.LockOSThread() // whose clock is read
	defer runtime.UnlockOSThread()
	begin := threadCPU()
	for threadCPU()-begin < d {
		for i := range uint64(1000) {
			sink += i * i
		}
	}
}

// What is done outside is not measured, all else is.
func TestOutside(t *testing.T) {
	if err := Check(); err != nil {
		t.Skip(err)
	}
	const inside, outside = 40 * time.Millisecond, 120 * time.Millisecond
	m := Start()
	m.Outside(func() { burn(outside) })
	burn(inside)
	if c := m.Cost(); c.CPU < inside*9/10 || c.CPU > (inside+outside)/2 || c.Wall < inside*9/10 {
		t.Errorf("%v of work, and %v outside, are measured as %v", inside, outside, c)
	}
}

func TestMemory(t *testing.T) {
	if err := Check(); err != nil {
		t.Skip(err)
	}
	before := Heap()
	block := make([]byte, 64<<20)
	for i := range block {
		block[i] = 1
	}
	if grown := Heap() - before; grown < 60<<20 || grown > 80<<20 {
		t.Errorf("64 MiB are %d bytes of heap", grown)
	}
	now, peak := Resident()
	if now < 60<<20 || peak < now/2 {
		t.Errorf("resident %d, peak %d, with %d bytes", now, peak, len(block))
	}
	runtime.KeepAlive(block)
}
