package web

import (
	"runtime"
	"time"
)

// Limits bound what clients can make the server do. The zero value of each field means
// its default.
type Limits struct {
	HeaderTimeout time.Duration // for the header of a request, default 5s
	HeaderBytes   int           // of the header, default 32 KiB
	BodyTimeout   time.Duration // spent waiting for a body, or at a time for more of a stream; default 2m
	BodyGrace     time.Duration // after which a body must keep up BodyRate, default 10s
	BodyRate      int           // bytes a second that a body must average, default 1 KiB
	WriteTimeout  time.Duration // for a client to take 64 KiB of what it is sent, default 1m; for all of it ten times as long
	IdleTimeout   time.Duration // of a connection between requests, default 1m
	Connections   int           // at a time; more wait to be accepted; default 512

	WireBytes    int64 // of a body as it is sent, default 32 MiB
	DecodedBytes int64 // of a body without its compression, default 32 MiB
	QueryBytes   int64 // of the body of a query, default 1 MiB
	BodiesBytes  int64 // of all bodies held at a time, default 512 MiB

	IngestSlots int           // requests that store points at a time, default 2 for each CPU
	IngestWait  time.Duration // for such a slot, default 10s
	QuerySlots  int           // queries at a time, default 2 for each CPU, at most 20
	QueryWait   time.Duration // for such a slot, default 10s

	DrainTimeout time.Duration // for requests under way when the server stops, default 30s
}

// DefaultLimits returns the limits of a server that is told nothing else.
func DefaultLimits() Limits {
	const mib = 1 << 20
	slots := 2 * runtime.GOMAXPROCS(0)
	return Limits{
		HeaderTimeout: 5 * time.Second,
		HeaderBytes:   32 << 10,
		BodyTimeout:   2 * time.Minute,
		BodyGrace:     10 * time.Second,
		BodyRate:      1 << 10,
		WriteTimeout:  time.Minute,
		IdleTimeout:   time.Minute,
		Connections:   512,
		WireBytes:     32 * mib,
		DecodedBytes:  32 * mib,
		QueryBytes:    mib,
		BodiesBytes:   512 * mib,
		IngestSlots:   slots,
		IngestWait:    10 * time.Second,
		QuerySlots:    min(slots, 20),
		QueryWait:     10 * time.Second,
		DrainTimeout:  30 * time.Second,
	}
}

// withDefaults returns the limits with the defaults in place of zeros.
func (l Limits) withDefaults() Limits {
	d := DefaultLimits()
	orDefault(&l.HeaderTimeout, d.HeaderTimeout)
	orDefault(&l.HeaderBytes, d.HeaderBytes)
	orDefault(&l.BodyTimeout, d.BodyTimeout)
	orDefault(&l.BodyGrace, d.BodyGrace)
	orDefault(&l.BodyRate, d.BodyRate)
	orDefault(&l.WriteTimeout, d.WriteTimeout)
	orDefault(&l.IdleTimeout, d.IdleTimeout)
	orDefault(&l.Connections, d.Connections)
	orDefault(&l.WireBytes, d.WireBytes)
	orDefault(&l.DecodedBytes, d.DecodedBytes)
	orDefault(&l.QueryBytes, d.QueryBytes)
	orDefault(&l.BodiesBytes, d.BodiesBytes)
	orDefault(&l.IngestSlots, d.IngestSlots)
	orDefault(&l.IngestWait, d.IngestWait)
	orDefault(&l.QuerySlots, d.QuerySlots)
	orDefault(&l.QueryWait, d.QueryWait)
	orDefault(&l.DrainTimeout, d.DrainTimeout)
	// A body that could never get the memory for it is too large, and not to be tried
	// again: both of its forms and what is moved when one grows have to fit.
	l.WireBytes = min(l.WireBytes, l.BodiesBytes/4)
	l.DecodedBytes = min(l.DecodedBytes, l.BodiesBytes/4)
	l.QueryBytes = min(l.QueryBytes, l.WireBytes)
	return l
}

func orDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}
