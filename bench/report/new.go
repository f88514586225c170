package report

import (
	"fmt"
	"os"
	"runtime"
	"strings"

	"github.com/sydradb/sydradb/bench/race"
)

// New returns the report of a race that was run on this machine.
func New(p *race.Plan, results []race.Result) *Report {
	r := &Report{
		Machine:  thisMachine(),
		Settings: Settings{Runs: p.Runs, Batch: p.Batch, Procs: p.Procs},
		Results:  results,
	}
	for _, k := range p.Kinds {
		r.Engines = append(r.Engines, Engine{
			Name: k.Name, Module: k.Module, Version: k.Version(),
			Durability: k.Durability, Settings: k.Settings, Once: k.Once, Skips: k.Skips,
		})
	}
	for _, w := range p.Workloads {
		r.Workloads = append(r.Workloads, Workload{Name: w.Name, Title: w.Title, Points: w.Points})
	}
	return r
}

// thisMachine is known as far as Linux says it.
func thisMachine() Machine {
	m := Machine{Cores: runtime.NumCPU(), Go: runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH}
	m.CPU = field("/proc/cpuinfo", "model name")
	var kib int64
	if _, err := fmt.Sscan(field("/proc/meminfo", "MemTotal"), &kib); err == nil {
		m.Memory = kib << 10
	}
	if text, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		m.Kernel = "Linux " + strings.TrimSpace(string(text))
	}
	return m
}

// field returns what stands after the first "name:" in a file.
func field(file, name string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(text)) {
		if key, value, found := strings.Cut(line, ":"); found && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
