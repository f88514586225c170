package serve

import (
	"context"
	"errors"

	"github.com/sydradb/sydradb/bench/target"
	"github.com/sydradb/sydradb/bench/wire"
)

// flood sends the load over many connections to a server that syncs each batch to the disk
// before it acknowledges it, so that the disk is what is waited for, and measures the most
// memory that it ever held.
func (p *Plan) flood(ctx context.Context, kind *target.Kind, format wire.Format, dir string, r *Result) (err error) {
	slow := *kind
	slow.Command = func(dir, address string) []string { return append(kind.Command(dir, address), kind.Slow...) }
	s, err := target.Start(ctx, &slow, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Stop()) }()
	before, err := s.Peak()
	if err != nil {
		return err
	}
	clock, err := startClock(s)
	if err != nil {
		return err
	}
	sent, err := p.send(ctx, s, format, p.Flood, false)
	if err != nil {
		return err
	}
	cpu, wall, err := clock.read()
	if err != nil {
		return err
	}
	peak, err := s.Peak()
	if err != nil {
		return err
	}
	r.timed("acknowledged", cpu, wall, sent.points)
	r.value("empty", float64(before))
	r.value("peak memory", float64(peak))
	r.value("busy", float64(sent.busy))
	return nil
}
