// Package race runs the race: phases of a database's life, each in a process of its own,
// on the same points for every engine, measured and checked.
//
// The runner starts its own program again as a worker for each engine, workload and
// phase, one at a time. A worker does one phase and says what it measured and which
// points were wrong as one line of JSON on its standard output.
package race

import (
	"github.com/sydradb/sydradb/bench/engine"
	"github.com/sydradb/sydradb/bench/workload"
)

// Phase is a stretch of a database's life that is measured.
type Phase struct {
	Name      string
	Workloads []string // that it is run on
	Needs     string   // the phase that leaves the database as this one wants it; "" begins a new one
	Dies      bool     // it ends by killing its own process

	run func(*worker) error
}

// Phases returns all of them in the order in which they are run.
func Phases() []Phase {
	fleets := []string{"w1", "w2", "w3", "year", "node", "devops"}
	return []Phase{
		{Name: "ingest", Workloads: fleets, run: (*worker).ingest},
		{Name: "reopen", Workloads: []string{"w2"}, Needs: "ingest", run: (*worker).reopen},
		{Name: "check", Workloads: []string{"w3"}, Needs: "ingest", run: (*worker).verify},
		{Name: "merge", Workloads: fleets, Needs: "ingest", run: (*worker).merge},
		{Name: "verify", Workloads: fleets, Needs: "merge", run: (*worker).verify},
		{Name: "scan", Workloads: []string{"w1", "node"}, Needs: "merge", run: (*worker).scan},
		{Name: "range", Workloads: []string{"w1"}, Needs: "merge", run: (*worker).ranges},
		{Name: "group", Workloads: []string{"w1"}, Needs: "merge", run: (*worker).group},
		{Name: "find", Workloads: []string{"w2"}, Needs: "merge", run: (*worker).find},
		{Name: "buckets", Workloads: []string{"year"}, Needs: "merge", run: (*worker).buckets},
		{Name: "memory", Workloads: []string{"w2"}, run: (*worker).memory},
		{Name: "wal", Workloads: []string{"w1"}, Dies: true, run: (*worker).wal},
		{Name: "replay", Workloads: []string{"w1"}, Needs: "wal", run: (*worker).replay},
	}
}

// Measure is one figure of a phase. Of work that was timed CPU and Wall are the
// nanoseconds of one unit of it, a point or a question; Value is any other figure.
type Measure struct {
	Name  string  `json:"name"`
	CPU   float64 `json:"cpu,omitempty"`
	Wall  float64 `json:"wall,omitempty"`
	Value float64 `json:"value,omitempty"`
}

// Result is what one worker found.
type Result struct {
	Engine   string    `json:"engine"`
	Workload string    `json:"workload"`
	Phase    string    `json:"phase"`
	Run      int       `json:"run"` // from 1
	Measures []Measure `json:"measures,omitempty"`
	Faults   *Faults   `json:"faults,omitempty"`

	// Parts are the shares of the engine's processor time by its packages, from a profile.
	Parts map[string]float64 `json:"parts,omitempty"`

	Skipped bool   `json:"skipped,omitempty"` // the engine cannot do this
	Error   string `json:"error,omitempty"`
}

// Task is what a worker is told to do.
type Task struct {
	Engine   string `json:"engine"`
	Workload string `json:"workload"`
	Phase    string `json:"phase"`
	Dir      string `json:"dir"`
	Batch    int    `json:"batch"` // points that are written at a time
	Small    bool   `json:"small,omitempty"`
	Profile  string `json:"profile,omitempty"` // file for a processor profile
}

// worker does a phase.
type worker struct {
	Task
	kind *engine.Kind
	work *workload.Workload
	res  *Result
}
