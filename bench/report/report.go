// Package report writes what a race found: results.json with every figure, RESULTS.md
// with medians, ratios, budgets and faults, and charts. It measures nothing, so that a
// report can be written again from results.json.
package report

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/sydradb/sydradb/bench/race"
)

// Report is a race, as results.json holds it.
type Report struct {
	Machine   Machine       `json:"machine"`
	Settings  Settings      `json:"settings"`
	Engines   []Engine      `json:"engines"`
	Workloads []Workload    `json:"workloads"`
	Results   []race.Result `json:"results"`
}

// Machine is what the race ran on.
type Machine struct {
	CPU    string `json:"cpu"`
	Cores  int    `json:"cores"`
	Memory int64  `json:"memory"` // bytes
	Kernel string `json:"kernel"`
	Go     string `json:"go"`
}

// Settings are those of the race.
type Settings struct {
	Runs  int `json:"runs"`
	Batch int `json:"batch"` // points that were written at a time
	Procs int `json:"procs"` // GOMAXPROCS
}

// Engine is one that took part.
type Engine struct {
	Name       string            `json:"name"`
	Module     string            `json:"module"`
	Version    string            `json:"version"`
	Durability string            `json:"durability"`
	Settings   string            `json:"settings"`
	Once       bool              `json:"once,omitempty"`
	Skips      map[string]string `json:"skips,omitempty"`
}

// Workload is one that was raced on.
type Workload struct {
	Name   string `json:"name"`
	Title  string `json:"title"`
	Points int64  `json:"points"`
}

// Names of the files of a report.
const (
	dataFile = "results.json"
	pageFile = "RESULTS.md"
	chartDir = "charts"
)

// Read returns the report in dir.
func Read(dir string) (*Report, error) {
	text, err := os.ReadFile(filepath.Join(dir, dataFile))
	if err != nil {
		return nil, err
	}
	r := &Report{}
	if err := json.Unmarshal(text, r); err != nil {
		return nil, fmt.Errorf("%s: %w", dataFile, err)
	}
	return r, nil
}

// Write writes all files of the report into dir.
func (r *Report) Write(dir string) error {
	text, err := json.MarshalIndent(r, "", "\t")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(dir, chartDir), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, dataFile), append(text, '\n'), 0o644); err != nil {
		return err
	}
	charts := r.charts()
	for _, c := range charts {
		if err := c.write(filepath.Join(dir, chartDir, c.file)); err != nil {
			return fmt.Errorf("chart %s: %w", c.file, err)
		}
	}
	return os.WriteFile(filepath.Join(dir, pageFile), []byte(r.page(charts)), 0o644)
}
