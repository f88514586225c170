// Package serve loads servers over HTTP with the devops load and asks them questions: what
// a point costs the server, in processor time, memory and bytes on disk, and what an answer
// does.
//
// The client is another process than the server, so making requests is not measured. Every
// answer is compared with what the points say.
package serve

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/sydradb/sydradb/bench/meter"
	"github.com/sydradb/sydradb/bench/race"
	"github.com/sydradb/sydradb/bench/target"
	"github.com/sydradb/sydradb/bench/wire"
	"github.com/sydradb/sydradb/bench/workload"
)

// Plan says what to measure. Phases are "load", "ask" and "flood".
type Plan struct {
	Kinds   []*target.Kind
	Formats []wire.Format
	Phases  []string
	Hosts   int
	Steps   int // scrapes, 10 s apart
	Each    int // series in a request; 0 is what is usual in the format
	Clients int // connections that send at the same time, each with series of its own
	Flood   int // those of a flood
	Runs    int
	Procs   int    // GOMAXPROCS of the server while it is loaded; 0 is its default
	Asks    int    // times that each question is asked, at least
	Dir     string // for the databases
	Log     io.Writer
}

// Result is what one phase of one server found.
type Result struct {
	Server   string         `json:"server"`
	Phase    string         `json:"phase"`
	Format   string         `json:"format,omitempty"`
	Run      int            `json:"run"` // from 1
	Measures []race.Measure `json:"measures,omitempty"`
	Error    string         `json:"error,omitempty"`
}

// limit is what one phase may take.
const limit = 20 * time.Minute

// Phases in the order in which they are run.
var Phases = []string{"load", "ask", "flood"}

// Run runs the phases on each server in turn. What a server fails at is part of the
// results; an error means that nothing could be measured.
func (p *Plan) Run(ctx context.Context) ([]Result, error) {
	for _, phase := range p.Phases {
		if !slices.Contains(Phases, phase) {
			return nil, fmt.Errorf("no phase %q", phase)
		}
	}
	if err := meter.Check(); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(p.Dir, "serve-")
	if err != nil {
		return nil, err
	}
	var out []Result
	for run := 1; run <= p.Runs; run++ {
		asked := map[*target.Kind]bool{}
		for _, format := range p.Formats {
			for _, kind := range p.Kinds {
				if kind.Write[format.Name] == "" || kind.Once && run > 1 {
					continue
				}
				first := !asked[kind]
				asked[kind] = true
				for _, r := range p.life(ctx, kind, format, dir, first) {
					r.Run = run
					out = append(out, r)
				}
				if err := ctx.Err(); err != nil {
					return out, errors.Join(err, os.RemoveAll(dir))
				}
			}
		}
	}
	return out, os.RemoveAll(dir)
}

// life takes a server through the phases on databases of its own. Questions do not depend
// on how the points came: they are asked with one format only.
func (p *Plan) life(ctx context.Context, kind *target.Kind, format wire.Format, dir string, ask bool) (out []Result) {
	db := filepath.Join(dir, "db")
	phase := func(name string, do func(context.Context, *Result) error) bool {
		meter.Settle()
		ctx, cancel := context.WithTimeout(ctx, limit)
		defer cancel()
		r := Result{Server: kind.Name, Phase: name, Format: format.Name}
		if err := do(ctx, &r); err != nil {
			r.Error = strings.Join(strings.Fields(err.Error()), " ")
		}
		out = append(out, r)
		p.log(&r)
		return r.Error == ""
	}
	wanted := func(name string) bool { return slices.Contains(p.Phases, name) }
	if ask = ask && wanted("ask"); ask || wanted("load") {
		loaded := phase("load", func(ctx context.Context, r *Result) error { return p.load(ctx, kind, format, db, r) })
		if ask && loaded {
			phase("ask", func(ctx context.Context, r *Result) error { return p.ask(ctx, kind, db, r) })
		}
		_ = os.RemoveAll(db)
	}
	if wanted("flood") && len(kind.Slow) > 0 {
		phase("flood", func(ctx context.Context, r *Result) error { return p.flood(ctx, kind, format, db, r) })
		_ = os.RemoveAll(db)
	}
	return out
}

// Work is the load.
func (p *Plan) Work() *workload.Workload { return workload.Load(p.Hosts, p.Steps) }

// log writes a line for a result.
func (p *Plan) log(r *Result) {
	line := fmt.Sprintf("%-16s %-6s %-10s", r.Server, r.Phase, r.Format)
	for _, m := range r.Measures {
		switch {
		case m.CPU != 0 || m.Wall != 0:
			line += fmt.Sprintf(" %s %.5g ns (wall %.5g)", m.Name, m.CPU, m.Wall)
		default:
			line += fmt.Sprintf(" %s %.5g", m.Name, m.Value)
		}
	}
	if r.Error != "" {
		line += " FAILED: " + r.Error
	}
	_, _ = fmt.Fprintln(p.Log, line)
}

// timed adds what n units of work took.
func (r *Result) timed(name string, cpu, wall time.Duration, n int64) {
	r.Measures = append(r.Measures, race.Measure{Name: name, CPU: float64(cpu) / float64(n), Wall: float64(wall) / float64(n)})
}

// value adds a figure.
func (r *Result) value(name string, v float64) {
	r.Measures = append(r.Measures, race.Measure{Name: name, Value: v})
}
