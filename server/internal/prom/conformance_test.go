package prom

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/promql/promqltest"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files anew")

// TestConformance runs Prometheus' own tests of its language on this storage: all
// statements but those that load or evaluate native histograms or start timestamps, which
// are not stored. What is left out is pinned by file and count.
func TestConformance(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(prometheusDir(t), "promql", "promqltest", "testdata", "*.test"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no test files: %v", err)
	}
	engine := promqltest.NewTestEngine(t, false, 5*time.Minute, 50_000_000)
	var report strings.Builder
	fmt.Fprintf(&report, "# Statements of Prometheus' tests that run on this storage, and what is left out:\n")
	fmt.Fprintf(&report, "# evaluations, and series of loads, with native histograms or start timestamps.\n")
	fmt.Fprintf(&report, "%-28s %6s %12s %8s\n", "file", "run", "evaluations", "series")
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Base(file)
		f := newFilter(t)
		kept := f.filter(string(text))
		fmt.Fprintf(&report, "%-28s %6d %12d %8d\n", name, f.run, f.evals, f.series)
		t.Run(name, func(t *testing.T) {
			promqltest.RunTestWithStorage(t, kept, engine, newTestStorage)
		})
	}
	golden := filepath.Join("testdata", "conformance.golden")
	if *rewrite {
		if err := os.WriteFile(golden, []byte(report.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if report.String() != string(want) {
		t.Errorf("what is left out has changed; read the difference, then run with -rewrite:\n%s", report.String())
	}
}

// prometheusDir returns the directory of Prometheus' module.
func prometheusDir(t *testing.T) string {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/prometheus/prometheus").Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// filter takes out of a test file what needs native histograms or start timestamps.
type filter struct {
	t      *testing.T
	parser parser.Parser
	gone   []labels.Labels // series that were not loaded, since the last clear

	run    int // statements kept
	evals  int // evaluations taken out
	series int // series taken out of loads
}

func newFilter(t *testing.T) *filter {
	return &filter{t: t, parser: parser.NewParser(promqltest.TestParserOpts)}
}

var (
	loadLine   = regexp.MustCompile(`(?i)^load(_with_nhcb)?\s+(.+)$`)
	evalLine   = regexp.MustCompile(`(?i)^eval(?:_\w+)?\s+(?:instant\s+(?:at\s+\S+\s+)?|range\s+from\s+\S+\s+to\s+\S+\s+step\s+\S+\s+)(.+)$`)
	beginsLine = regexp.MustCompile(`(?i)^(load|eval|clear)\b|^(load|eval)_`)
)

func (f *filter) filter(text string) string {
	var out strings.Builder
	for _, statement := range statements(text) {
		switch first := strings.ToLower(statement[0]); {
		case strings.HasPrefix(first, "clear"):
			f.gone = nil
		case strings.HasPrefix(first, "load"):
			statement = f.load(statement)
		case f.skips(statement):
			f.evals++
			continue
		}
		f.run++
		out.WriteString(strings.Join(statement, "\n") + "\n\n")
	}
	return out.String()
}

// statements splits a file as promqltest does: comments end a statement as empty lines do.
func statements(text string) [][]string {
	var all [][]string
	open := false
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
			open = false
		case !open || beginsLine.MatchString(line):
			all = append(all, []string{line})
			open = true
		default:
			all[len(all)-1] = append(all[len(all)-1], line)
		}
	}
	return all
}

// load takes the series out of a load that cannot be stored.
func (f *filter) load(statement []string) []string {
	parts := loadLine.FindStringSubmatch(statement[0])
	kept := []string{"load " + parts[2]}
	for i := 1; i < len(statement); i++ {
		line := statement[i]
		name, _, _ := strings.Cut(line, " ")
		if strings.HasSuffix(name, "@st") {
			i++ // the series that the start timestamps are of
			line = statement[i]
		} else if !strings.Contains(line, "{{") {
			kept = append(kept, line)
			if parts[1] != "" {
				f.dropConverted(line)
			}
			continue
		}
		f.drop(line)
	}
	return kept
}

func (f *filter) drop(line string) {
	lset, _, err := f.parser.ParseSeriesDesc(line)
	if err != nil {
		f.t.Fatalf("%s: %v", line, err)
	}
	f.gone = append(f.gone, lset)
	f.series++
}

// dropConverted drops the native histogram that load_with_nhcb would make of a classic one.
func (f *filter) dropConverted(line string) {
	lset, _, err := f.parser.ParseSeriesDesc(line)
	if err != nil {
		f.t.Fatalf("%s: %v", line, err)
	}
	base, ok := strings.CutSuffix(lset.Get(model.MetricNameLabel), "_bucket")
	if !ok {
		return
	}
	b := labels.NewBuilder(lset)
	b.Set(model.MetricNameLabel, base)
	b.Del(labels.BucketLabel)
	for _, known := range f.gone {
		if labels.Equal(known, b.Labels()) {
			return
		}
	}
	f.gone = append(f.gone, b.Labels())
	f.series++
}

// skips reports whether an evaluation needs what was taken out: it selects series that were
// not loaded, or expects histograms.
func (f *filter) skips(statement []string) bool {
	for _, line := range statement[1:] {
		if strings.Contains(line, "{{") {
			return true
		}
	}
	parts := evalLine.FindStringSubmatch(statement[0])
	if parts == nil {
		f.t.Fatalf("not an evaluation: %s", statement[0])
	}
	expr, err := f.parser.ParseExpr(parts[1])
	if err != nil {
		return false // as the test may expect
	}
	for _, selector := range parser.ExtractSelectors(expr) {
		for _, lset := range f.gone {
			if fulfils(lset, selector) {
				return true
			}
		}
	}
	return false
}
