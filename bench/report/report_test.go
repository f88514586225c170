package report

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sydradb/sydradb/bench/race"
)

var rewrite = flag.Bool("rewrite", false, "write golden files instead of comparing with them")

// example is the report of a race that never was.
func example() *Report {
	r := &Report{
		Machine:  Machine{CPU: "a processor", Cores: 2, Memory: 24 << 30, Kernel: "Linux 6", Go: "go1.26 linux/amd64"},
		Settings: Settings{Runs: 3, Batch: 2000, Procs: 1},
		Engines: []Engine{
			{Name: ours, Module: "example.com/ours", Version: "of this source tree", Durability: "in the log", Settings: "none"},
			{Name: peer, Module: "example.com/peer", Version: "v1.2.3", Durability: "in the log", Settings: "defaults"},
			{Name: "slow", Module: "example.com/slow", Version: "v0.1.0", Durability: "none", Settings: "defaults", Once: true,
				Skips: map[string]string{"w2": "it is too slow", "wal": "it has none"}},
		},
		Workloads: []Workload{{"w1", "some series", 8_640_000}, {"w3", "late ones", 2_160_000}},
	}
	add := func(engine string, run int, workload, phase string, measures ...race.Measure) *race.Result {
		r.Results = append(r.Results, race.Result{Engine: engine, Workload: workload, Phase: phase, Run: run, Measures: measures})
		return &r.Results[len(r.Results)-1]
	}
	for run, cpu := range []float64{31, 29.96, 1000} {
		add(ours, run+1, "w1", "ingest", race.Measure{Name: "ingest", CPU: cpu, Wall: cpu + 1}, race.Measure{Name: "peak memory", Value: 300e6})
		add(peer, run+1, "w1", "ingest", race.Measure{Name: "ingest", CPU: 5 * cpu, Wall: 6 * cpu})
		add(ours, run+1, "w1", "merge", race.Measure{Name: "merged data", Value: 2.5}, race.Measure{Name: "merged index", Value: 0.1})
		add(peer, run+1, "w1", "merge", race.Measure{Name: "merged data", Value: 5}, race.Measure{Name: "merged index", Value: 0.02})
		add(ours, run+1, "w3", "verify").Faults = &race.Faults{Points: 2_160_000, Rewrites: 21_734}
		add(peer, run+1, "w3", "verify").Faults = &race.Faults{Points: 2_160_000, Rewrites: 21_734, Stale: int64(20 * run), Lost: 2}
		add(ours, run+1, "w3", "ingest").Faults = &race.Faults{} // counts nothing: no row
	}
	add(ours, 1, "w1", "scan", race.Measure{Name: "scan", CPU: 4, Wall: 5}).Parts = map[string]float64{"codec": 0.6, "segment": 0.25, race.SystemPart: 0.135, "tags": 0.015}
	add(ours, 2, "w1", "scan", race.Measure{Name: "scan", CPU: 6, Wall: 7}).Parts = map[string]float64{"codec": 0.8, "segment": 0.2}
	add("slow", 1, "w1", "ingest", race.Measure{Name: "ingest", CPU: 6123.4, Wall: 7000})
	add("slow", 1, "w1", "scan").Error = "worker: not\nfinished"
	add("slow", 1, "w1", "group").Skipped = true
	return r
}

func TestPage(t *testing.T) {
	dir := t.TempDir()
	if err := example().Write(dir); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(dir, pageFile))
	if err != nil {
		t.Fatal(err)
	}
	golden := filepath.Join("testdata", "example.md")
	if *rewrite {
		if err := os.WriteFile(golden, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Errorf("the page differs from %s (-rewrite writes it):\n%s", golden, got)
	}
	// results.json holds all that the page says.
	again, err := Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	other := t.TempDir()
	if err := again.Write(other); err != nil {
		t.Fatal(err)
	}
	if page, err := os.ReadFile(filepath.Join(other, pageFile)); err != nil || string(page) != string(got) {
		t.Errorf("read back it is another page (%v)", err)
	}
}

func TestCharts(t *testing.T) {
	dir := t.TempDir()
	if err := example().Write(dir); err != nil {
		t.Fatal(err)
	}
	svg, err := os.ReadFile(filepath.Join(dir, chartDir, "write.svg"))
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"<svg", "W1 acknowledged", ours, peer, "slow", "processor ns a point"} {
		if !strings.Contains(string(svg), text) {
			t.Errorf("the chart lacks %q", text)
		}
	}
	if strings.Contains(string(svg), "replay") {
		t.Error("the chart has bars of which nothing is known")
	}
	if _, err := os.Stat(filepath.Join(dir, chartDir, "read.svg")); err == nil {
		t.Error("there is a chart without any bar")
	}
}

func TestChartsNameFigures(t *testing.T) {
	known := map[string]bool{}
	for _, f := range figures {
		if known[f.title] {
			t.Errorf("two figures %q", f.title)
		}
		known[f.title] = true
	}
	for _, p := range plans {
		for _, b := range p.bars {
			if !known[b.title] {
				t.Errorf("%s: no figure %q", p.file, b.title)
			}
		}
	}
}

func TestSpread(t *testing.T) {
	tests := []struct {
		values []float64
		want   spread
	}{
		{nil, spread{}},
		{[]float64{3}, spread{3, 3, 3, 1}},
		{[]float64{3, 1}, spread{2, 1, 3, 2}},
		{[]float64{9, 1, 2}, spread{2, 1, 9, 3}},
	}
	for _, test := range tests {
		if got := spreadOf(test.values); got != test.want {
			t.Errorf("%v, not %v", got, test.want)
		}
	}
}

func TestNumber(t *testing.T) {
	tests := map[float64]string{
		0: "0.000", 0.0004: "0.000", 0.3333: "0.333", 0.9996: "1.00", 1: "1.00", 9.994: "9.99", 9.996: "10.0",
		12.34: "12.3", 99.96: "100", 123.4: "123", 999.6: "1,000", 12345678: "12,345,678",
	}
	for v, want := range tests {
		if got := number(v); got != want {
			t.Errorf("%v is written %s, not %s", v, got, want)
		}
	}
}

func TestVerdicts(t *testing.T) {
	r := example()
	find := func(title string) *figure {
		for i := range figures {
			if strings.HasPrefix(figures[i].title, title) {
				return &figures[i]
			}
		}
		t.Fatalf("no figure %q", title)
		return nil
	}
	tests := []struct{ title, budget, word string }{
		{"W1: ingest until", "x 0.400", "met"},
		{"W1 merged: data and index", "x 0.510", "MISSED"},
		{"W1: scan", "x 0.125", ""},
		{"W1: merge", "", ""},
	}
	for _, test := range tests {
		if budget, word := r.verdict(find(test.title)); budget != test.budget || word != test.word {
			t.Errorf("%s: %q %q", test.title, budget, word)
		}
	}
}
