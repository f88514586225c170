package race

import (
	"bytes"
	"context"
	"encoding/json"
	"math"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/sydradb/sydradb/bench/engine"
	"github.com/sydradb/sydradb/bench/engine/sydra"
	"github.com/sydradb/sydradb/bench/meter"
	"github.com/sydradb/sydradb/bench/workload"
)

// taskVariable holds the task of a process that is to be a worker instead of a test.
const taskVariable = "SYDRADB_BENCH_TASK"

func TestMain(m *testing.M) {
	if text := os.Getenv(taskVariable); text != "" {
		if err := Work([]*engine.Kind{sydra.Kind}, text, os.Stdout); err != nil {
			os.Stderr.WriteString(err.Error())
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// startSelf makes a worker of this test program.
func startSelf(ctx context.Context, text string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), taskVariable+"="+text)
	return cmd
}

// A small race of this engine alone: every phase runs, dies where it is to die, and
// finds nothing wrong.
func TestRaceOfThisEngine(t *testing.T) {
	if err := meter.Check(); err != nil {
		t.Skip(err)
	}
	works, err := workload.All(true)
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	plan := Plan{
		Kinds: []*engine.Kind{sydra.Kind}, Workloads: works, Runs: 1, Batch: 500, Procs: 1, Small: true,
		Dir: t.TempDir(), Start: startSelf, Log: &log,
	}
	results, err := plan.Run()
	if err != nil {
		t.Fatal(err)
	}
	var done []string
	for _, r := range results {
		done = append(done, r.Workload+" "+r.Phase)
		if r.Error != "" || r.Skipped || r.Run != 1 {
			t.Errorf("%+v", r)
		}
		if r.Faults != nil && r.Faults.Any() {
			t.Errorf("%s %s: %+v", r.Workload, r.Phase, *r.Faults)
		}
		if len(r.Measures) == 0 && (r.Faults == nil || r.Faults.Points == 0) {
			t.Errorf("%s %s says nothing", r.Workload, r.Phase)
		}
	}
	for _, phase := range Phases() {
		for _, w := range phase.Workloads {
			if !slices.Contains(done, w+" "+phase.Name) {
				t.Errorf("%s was not run on %s", phase.Name, w)
			}
		}
	}
	if left, err := os.ReadDir(plan.Dir); err != nil || len(left) > 0 {
		t.Errorf("the race left %v (%v)", left, err)
	}
	if lines := strings.Count(log.String(), "\n"); lines != len(results) {
		t.Errorf("%d lines for %d results", lines, len(results))
	}
}

// work does a phase with a fake in this process and returns the result.
func work(t *testing.T, f *fake, name, phase string) Result {
	t.Helper()
	text, err := json.Marshal(Task{Engine: "fake", Workload: name, Phase: phase, Dir: t.TempDir(), Batch: 7, Small: true})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := Work([]*engine.Kind{f.kind("fake")}, string(text), &out); err != nil {
		t.Fatal(err)
	}
	f.registered = 0 // as if it were opened again
	var result Result
	if err := json.Unmarshal(out.Bytes(), &result); err != nil {
		t.Fatal(err)
	}
	return result
}

// Every mistake of an engine is counted, as what it is.
func TestFaultsAreCounted(t *testing.T) {
	every := func(n int) func(engine.Point) bool {
		i := 0
		return func(engine.Point) bool { i++; return i%n == 0 }
	}
	const points = 20 * 720 // of the small W3
	tests := []struct {
		name string
		work string
		fake fake
		want func(f *Faults) bool
	}{
		{"none", "w3", fake{}, func(f *Faults) bool { return !f.Any() && f.Points == points && f.Rewrites > 100 }},
		{"lost", "w1", fake{lose: every(1000)}, func(f *Faults) bool { return f.Lost == 57 && f.Extra+f.Duplicates+f.Inexact+f.Stale == 0 }},
		{"refused", "w1", fake{refuse: every(1000)}, func(f *Faults) bool { return f.Lost == 57 && f.Extra+f.Duplicates+f.Inexact+f.Stale == 0 }},
		{"moved", "w1", fake{twist: func(p *engine.Point) {
			if p.Series == 3 {
				p.TS += 3
			}
		}}, func(f *Faults) bool { return f.Lost == 720 && f.Extra == 720 && f.Inexact == 0 }},
		{"last bit", "w1", fake{twist: func(p *engine.Point) {
			if p.Series == 3 {
				p.Value = math.Nextafter(p.Value, 1e9)
			}
		}}, func(f *Faults) bool { return f.Inexact == 720 && f.Lost+f.Extra+f.Stale == 0 }},
		{"negative zero", "w2", fake{twist: func(p *engine.Point) {
			if p.Value == 0 {
				p.Value = math.Copysign(0, -1)
			}
		}}, func(f *Faults) bool { return f.Inexact > 0 && f.Lost+f.Extra+f.Stale == 0 }},
		{"rewrites that lose", "w3", fake{keepOld: true}, func(f *Faults) bool { return f.Stale == f.Rewrites && f.Inexact+f.Lost == 0 }},
		{"rewrites beside", "w3", fake{twice: true}, func(f *Faults) bool { return f.Duplicates == f.Rewrites && f.Lost == 0 }},
		{"unknown series", "w1", fake{extra: []engine.Point{{Series: -1, TS: 1}}}, func(f *Faults) bool { return f.Extra == 1 && f.Lost == 0 }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f := &test.fake
			ingested := work(t, f, test.work, "ingest")
			if ingested.Error != "" {
				t.Fatal(ingested.Error)
			}
			if refused := ingested.Faults.Rejected; (refused > 0) != (test.name == "refused") {
				t.Errorf("%d points refused", refused)
			}
			result := work(t, f, test.work, "verify")
			if result.Error != "" || !test.want(result.Faults) {
				t.Errorf("%s %+v", result.Error, *result.Faults)
			}
		})
	}
}

// Wrong answers end a phase, and what an engine cannot do is no failure.
func TestAnswersAreChecked(t *testing.T) {
	good, lossy := &fake{}, &fake{lose: func(p engine.Point) bool { return p.Series == 0 }}
	for _, f := range []*fake{good, lossy} {
		work(t, f, "w1", "ingest")
	}
	if r := work(t, good, "w1", "scan"); r.Error != "" || len(r.Measures) != 1 {
		t.Errorf("scan: %+v", r)
	}
	if r := work(t, lossy, "w1", "scan"); !strings.Contains(r.Error, "add up to") {
		t.Errorf("scan of too little: %+v", r)
	}
	if r := work(t, lossy, "w1", "range"); r.Error == "" {
		t.Errorf("range of too little: %+v", r)
	}
	if r := work(t, good, "w1", "group"); !r.Skipped || r.Error != "" {
		t.Errorf("group: %+v", r)
	}
	year := &fake{}
	work(t, year, "year", "ingest")
	if r := work(t, year, "year", "buckets"); r.Error == "" {
		t.Errorf("wrong averages: %+v", r)
	}
}

// What a worker could not do is part of the results, and what needs it is left out.
func TestFailuresAreResults(t *testing.T) {
	works, err := workload.Named("w1", true)
	if err != nil {
		t.Fatal(err)
	}
	plan := Plan{
		Kinds: []*engine.Kind{(&fake{}).kind("absent")}, Workloads: works, Runs: 2, Batch: 500, Procs: 1, Small: true,
		Phases: []string{"scan"}, Dir: t.TempDir(), Start: startSelf, Log: new(bytes.Buffer),
	}
	results, err := plan.Run()
	if err != nil || len(results) != 2 {
		t.Fatal(results, err)
	}
	for i, r := range results {
		if r.Phase != "ingest" || !strings.Contains(r.Error, `no engine "absent"`) || r.Run != i+1 {
			t.Errorf("%+v", r)
		}
	}
	plan.Phases = []string{"sleep"}
	if _, err := plan.Run(); err == nil {
		t.Error("an unknown phase is run")
	}
}
