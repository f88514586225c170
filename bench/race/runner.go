package race

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/sydradb/sydradb/bench/engine"
	"github.com/sydradb/sydradb/bench/meter"
	"github.com/sydradb/sydradb/bench/workload"
)

// Plan says what to race.
type Plan struct {
	Kinds     []*engine.Kind
	Workloads []*workload.Workload
	Phases    []string // names; none means all
	Runs      int
	Batch     int    // points that are written at a time
	Procs     int    // GOMAXPROCS of the workers
	Dir       string // for the databases
	Small     bool
	Profiles  string // directory for processor profiles of the workers; "" means none

	// Start makes the process that does a task; text is its description. It is killed
	// when ctx ends.
	Start func(ctx context.Context, text string) *exec.Cmd
	// Log takes a line for each result.
	Log io.Writer
	// Save takes all results so far whenever an engine is through with a workload; nil
	// saves none.
	Save func([]Result) error
}

// limit is what a phase may take: a worker that hangs must not hold up the race.
const limit = 10 * time.Minute

// Run runs the phases, engine after engine in each run, and returns what the workers
// found. What an engine fails at is part of that; an error means that the race itself
// could not go on.
func (p *Plan) Run() ([]Result, error) {
	chosen, err := choose(p.Phases)
	if err != nil {
		return nil, err
	}
	var out []Result
	for run := 1; run <= p.Runs; run++ {
		for _, w := range p.Workloads {
			for _, k := range p.Kinds {
				if k.Skips[w.Name] != "" || k.Once && run > 1 {
					continue
				}
				results, err := p.life(k, w, chosen)
				for i := range results {
					results[i].Run = run
				}
				out = append(out, results...)
				if err == nil && p.Save != nil {
					err = p.Save(out)
				}
				if err != nil {
					return out, err
				}
			}
		}
	}
	return out, nil
}

// choose returns the phases with these names and those that they need.
func choose(names []string) ([]Phase, error) {
	all := Phases()
	if len(names) == 0 {
		return all, nil
	}
	wanted := map[string]bool{}
	for _, name := range names {
		for name != "" {
			i := slices.IndexFunc(all, func(p Phase) bool { return p.Name == name })
			if i < 0 {
				return nil, fmt.Errorf("no phase %q", name)
			}
			wanted[name] = true
			name = all[i].Needs
		}
	}
	return slices.DeleteFunc(all, func(p Phase) bool { return !wanted[p.Name] }), nil
}

// life takes one engine through the phases of a workload, on a database of its own.
func (p *Plan) life(k *engine.Kind, w *workload.Workload, phases []Phase) (results []Result, err error) {
	dir, err := os.MkdirTemp(p.Dir, "race-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	failed := map[string]bool{}
	for _, phase := range phases {
		if !slices.Contains(phase.Workloads, w.Name) {
			continue
		}
		if failed[phase.Needs] || k.Skips[phase.Name] != "" {
			failed[phase.Name] = true
			continue
		}
		if phase.Needs == "" {
			if err := os.RemoveAll(filepath.Join(dir, "db")); err != nil {
				return results, err
			}
		}
		task := Task{
			Engine: k.Name, Workload: w.Name, Phase: phase.Name,
			Dir: filepath.Join(dir, "db"), Batch: p.Batch, Small: p.Small,
		}
		if p.Profiles != "" {
			task.Profile = filepath.Join(p.Profiles, strings.Join([]string{k.Name, w.Name, phase.Name}, "-")+".prof")
		}
		result := p.process(task, phase.Dies)
		failed[phase.Name] = result.Error != "" || result.Skipped
		results = append(results, result)
		p.log(result)
	}
	return results, nil
}

// process does a task in a process of its own.
func (p *Plan) process(task Task, dies bool) Result {
	failed := Result{Engine: task.Engine, Workload: task.Workload, Phase: task.Phase}
	text, err := json.Marshal(task)
	if err != nil {
		failed.Error = err.Error()
		return failed
	}
	meter.Settle()
	var stdout, stderr bytes.Buffer
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	cmd := p.Start(ctx, string(text))
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.Env = append(cmd.Environ(), fmt.Sprintf("GOMAXPROCS=%d", p.Procs))
	err = cmd.Run()
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		err = fmt.Errorf("not finished after %v", limit)
	case dies && errors.As(err, &exit) && !exit.Exited():
		err = nil // killed, as it was to be
	}
	var result Result
	if err == nil {
		err = json.Unmarshal(stdout.Bytes(), &result)
	}
	if err != nil {
		failed.Error = fmt.Sprintf("worker: %v: %s", err, tail(stderr.String()))
		return failed
	}
	return result
}

// tail returns the end of a long text.
func tail(text string) string { return text[max(0, len(text)-2000):] }

// log writes the line of a result.
func (p *Plan) log(r Result) {
	var b strings.Builder
	fmt.Fprintf(&b, "%-5s %-8s %-11s", r.Workload, r.Phase, r.Engine)
	for _, m := range r.Measures {
		if m.CPU > 0 || m.Wall > 0 {
			fmt.Fprintf(&b, "  %s %.5g ns (wall %.5g)", m.Name, m.CPU, m.Wall)
		} else {
			fmt.Fprintf(&b, "  %s %.5g", m.Name, m.Value)
		}
	}
	if r.Faults != nil && r.Faults.Any() {
		fmt.Fprintf(&b, "  FAULTS %+v", *r.Faults)
	}
	if r.Skipped {
		b.WriteString("  cannot do this")
	}
	if r.Error != "" {
		b.WriteString("  FAILED: " + r.Error)
	}
	fmt.Fprintln(p.Log, b.String())
}
