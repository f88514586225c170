package serve

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sydradb/sydradb/bench/target"
	"github.com/sydradb/sydradb/bench/wire"
)

// load sends all points and measures until they are acknowledged, until they are in files,
// and until those are merged.
func (p *Plan) load(ctx context.Context, kind *target.Kind, format wire.Format, dir string, r *Result) (err error) {
	var env []string
	if p.Procs > 0 {
		env = append(env, fmt.Sprintf("GOMAXPROCS=%d", p.Procs))
	}
	s, err := target.Start(ctx, kind, dir, env...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Stop()) }()
	clock, err := startClock(s)
	if err != nil {
		return err
	}
	sent, err := p.send(ctx, s, format, p.Clients, true)
	if err != nil {
		return err
	}
	points := p.Work().Points
	if sent.points != points {
		return fmt.Errorf("%d of %d points were sent", sent.points, points)
	}
	cpu, wall, err := clock.read()
	if err != nil {
		return err
	}
	r.timed("acknowledged", cpu, wall, points)
	r.timed("request", cpu, wall, sent.requests)
	r.value("requests a second", float64(sent.requests)/wall.Seconds())
	r.value("bytes sent", float64(sent.bytes)/float64(points))
	if err := s.Post(ctx, kind.Flush); err != nil {
		return err
	}
	if cpu, wall, err = clock.read(); err != nil {
		return err
	}
	r.timed("all in", cpu, wall, points)
	peak, err := s.Peak()
	if err != nil {
		return err
	}
	r.value("peak memory", float64(peak))
	return merged(ctx, s, clock, points, r)
}

// merged has the server merge its files and measures that, and what they take then.
func merged(ctx context.Context, s *target.Server, clock *clock, points int64, r *Result) error {
	beforeCPU, beforeWall, err := clock.read()
	if err != nil {
		return err
	}
	if err := s.Post(ctx, s.Kind.Compact); err != nil {
		return err
	}
	if s.Kind.Later {
		if err := idle(ctx, clock); err != nil {
			return err
		}
	}
	cpu, wall, err := clock.read()
	if err != nil {
		return err
	}
	r.timed("merge", cpu-beforeCPU, wall-beforeWall, points)
	disk, err := s.Disk()
	if err != nil {
		return err
	}
	r.value("data", float64(disk.Data)/float64(points))
	r.value("index", float64(disk.Index)/float64(points))
	r.value("log", float64(disk.Log)/float64(points))
	return nil
}

// idle waits until a server does next to nothing.
func idle(ctx context.Context, clock *clock) error {
	const look, most = time.Second, 20 * time.Millisecond
	every := time.NewTicker(look)
	defer every.Stop()
	for last := time.Duration(0); ; {
		cpu, _, err := clock.read()
		if err != nil || cpu-last <= most {
			return err
		}
		last = cpu
		select {
		case <-every.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// clock reads what a server has used since it was started.
type clock struct {
	server *target.Server
	cpu    time.Duration
	begin  time.Time
}

func startClock(s *target.Server) (*clock, error) {
	cpu, err := s.CPU()
	return &clock{s, cpu, time.Now()}, err
}

func (c *clock) read() (cpu, wall time.Duration, err error) {
	cpu, err = c.server.CPU()
	return cpu - c.cpu, time.Since(c.begin), err
}
