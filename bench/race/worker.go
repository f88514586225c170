package race

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/sydradb/sydradb/bench/engine"
	"github.com/sydradb/sydradb/bench/meter"
	"github.com/sydradb/sydradb/bench/workload"
)

// Work does the task that text describes with one of kinds and writes the result to out.
// An error of the engine is part of the result.
func Work(kinds []*engine.Kind, text string, out io.Writer) error {
	var task Task
	if err := json.Unmarshal([]byte(text), &task); err != nil {
		return fmt.Errorf("task: %w", err)
	}
	w, phase, err := newWorker(kinds, task)
	if err != nil {
		return err
	}
	parts, err := profiled(task.Profile, w.kind.Module, func() { w.res.note(phase.run(w)) })
	if err != nil {
		return err
	}
	w.res.Parts = parts
	if err := json.NewEncoder(out).Encode(w.res); err != nil {
		return err
	}
	if phase.Dies {
		return kill()
	}
	return nil
}

// note puts the end of a phase into its result.
func (r *Result) note(err error) {
	switch {
	case errors.Is(err, errors.ErrUnsupported):
		r.Skipped = true
	case err != nil:
		r.Error = err.Error()
	}
}

func newWorker(kinds []*engine.Kind, task Task) (*worker, *Phase, error) {
	k := slices.IndexFunc(kinds, func(k *engine.Kind) bool { return k.Name == task.Engine })
	phases := Phases()
	p := slices.IndexFunc(phases, func(p Phase) bool { return p.Name == task.Phase })
	if k < 0 || p < 0 {
		return nil, nil, fmt.Errorf("task: no engine %q or no phase %q", task.Engine, task.Phase)
	}
	work, err := workload.Named(task.Workload, task.Small)
	if err != nil {
		return nil, nil, fmt.Errorf("task: %w", err)
	}
	w := &worker{Task: task, kind: kinds[k], work: work[0]}
	w.res = &Result{Engine: task.Engine, Workload: task.Workload, Phase: task.Phase}
	return w, &phases[p], nil
}

// kill ends this process as kill -9 does: nothing is written, nobody is told.
func kill() error {
	self, err := os.FindProcess(os.Getpid())
	if err != nil {
		return err
	}
	if err := self.Kill(); err != nil {
		return err
	}
	select {} // the signal may take a moment
}

// timed adds what n units of some work cost.
func (w *worker) timed(name string, c meter.Cost, n int64) {
	w.res.Measures = append(w.res.Measures, Measure{
		Name: name,
		CPU:  float64(c.CPU.Nanoseconds()) / float64(n),
		Wall: float64(c.Wall.Nanoseconds()) / float64(n),
	})
}

// value adds a figure.
func (w *worker) value(name string, v float64) {
	w.res.Measures = append(w.res.Measures, Measure{Name: name, Value: v})
}

// faults returns the counters of the result.
func (w *worker) faults() *Faults {
	if w.res.Faults == nil {
		w.res.Faults = &Faults{}
	}
	return w.res.Faults
}

// disk adds what the database takes, for each point.
func (w *worker) disk(prefix string) error {
	d, err := w.kind.Disk(w.Dir)
	if err != nil {
		return err
	}
	points := float64(w.work.Points)
	w.value(prefix+" data", float64(d.Data)/points)
	w.value(prefix+" index", float64(d.Index)/points)
	w.value(prefix+" log", float64(d.Log)/points)
	return nil
}

// open opens the database, with the settings that the workload asks for.
func (w *worker) open(holdAll bool) (engine.Engine, error) {
	return w.kind.Open(w.Dir, engine.Options{HoldAll: holdAll, LateMS: w.work.LateMS})
}

// registerAll prepares the handles of all series.
func (w *worker) registerAll(e engine.Engine) error {
	var tags []engine.Tag
	for i := range w.work.Series {
		var name string
		name, tags = w.work.Describe(i, tags[:0])
		if err := e.Register(name, tags); err != nil {
			return err
		}
	}
	return nil
}

// opened runs a reader on the database with all series registered.
func (w *worker) opened(read func(engine.Engine) error) error {
	e, err := w.open(false)
	if err != nil {
		return err
	}
	err = w.registerAll(e)
	if err == nil {
		err = read(e)
	}
	return errors.Join(err, e.Close())
}
