package report

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/sydradb/sydradb/bench/race"
	"github.com/sydradb/sydradb/bench/serve"
)

// Serve is what loading servers found, as serve.json holds it.
type Serve struct {
	Machine Machine        `json:"machine"`
	Load    string         `json:"load"`
	Points  int64          `json:"points"`
	Runs    int            `json:"runs"`
	Clients int            `json:"clients"`
	Procs   int            `json:"procs,omitempty"` // GOMAXPROCS while loaded; 0: the server's default
	Servers []Served       `json:"servers"`
	Formats []ServedFormat `json:"formats"`
	Asked   []string       `json:"asked"` // names of the questions
	Results []serve.Result `json:"results"`
}

// Served is a server that took part.
type Served struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

// ServedFormat is a protocol that was measured.
type ServedFormat struct {
	Name  string `json:"name"`
	Title string `json:"title"`
}

// Names of the files of this report.
const (
	serveData = "serve.json"
	servePage = "SERVE.md"
)

// NewServe returns the report of a plan that was run on this machine.
func NewServe(p *serve.Plan, results []serve.Result) *Serve {
	work := p.Work()
	r := &Serve{
		Machine: thisMachine(), Load: work.Title, Points: work.Points,
		Runs: p.Runs, Clients: p.Clients, Procs: p.Procs, Results: results,
	}
	for _, k := range p.Kinds {
		r.Servers = append(r.Servers, Served{k.Name, k.Describe()})
	}
	for _, f := range p.Formats {
		r.Formats = append(r.Formats, ServedFormat{f.Name, f.Title})
	}
	r.Asked = p.Questions()
	return r
}

// Write writes serve.json and SERVE.md into dir.
func (r *Serve) Write(dir string) error {
	text, err := json.MarshalIndent(r, "", "\t")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, serveData), append(text, '\n'), 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, servePage), []byte(r.page()), 0o644)
}

// served is a row: a figure of each server.
type served struct {
	title, unit   string
	phase, format string // format "" is whichever comes first
	measures      []string
	scale         float64
	wall          bool
	most          float64 // budget, 0 for none
}

// Budgets of a point in nanoseconds of the server's processor, by format, and in bytes.
var (
	mostAllIn = map[string]float64{"line": 150, "remote2": 200}
	mostBytes = 0.34
)

// page returns SERVE.md.
func (r *Serve) page() string {
	var b strings.Builder
	b.WriteString("# Servers under load\n\nMade by `make bench-serve`; not edited by hand. " +
		"[README.md](README.md) says how it is run and what is fair about it.\n\n")
	head(&b, 2, "machine", "")
	row(&b, "processor", fmt.Sprintf("%s, %d cores", r.Machine.CPU, r.Machine.Cores))
	row(&b, "memory", fmt.Sprintf("%d GiB", (r.Machine.Memory+1<<29)>>30))
	row(&b, "system", r.Machine.Kernel)
	row(&b, "load", fmt.Sprintf("%s: %s points; connections: %d; runs: %d", r.Load, count(r.Points), r.Clients, r.Runs))
	b.WriteString("\n")
	head(&b, 2, "server", "version")
	for _, s := range r.Servers {
		row(&b, s.Name, s.Version)
	}
	b.WriteString("\n## Loading\n\nProcessor time of the server, all threads, user and system. All in is until all points " +
		"are in files, where the server has a way to ask for that.\n\n")
	r.table(&b, r.loading())
	b.WriteString("\n## On disk\n\nOf the first format, merged, while the server runs. The log is empty then but for its header.\n\n")
	r.table(&b, r.onDisk())
	b.WriteString("\n## Questions\n\nRange queries of PromQL over merged files, warm, one processor; each answer is compared with the points.\n\n")
	r.table(&b, r.questions())
	b.WriteString("\n## A client that is faster than the disk\n\nMany connections without a pause; the server syncs each batch before it acknowledges it.\n\n")
	r.table(&b, r.flooding())
	r.failed(&b)
	return b.String()
}

func (r *Serve) loading() (rows []served) {
	for _, f := range r.Formats {
		of := func(title, unit, measure string, scale float64) served {
			return served{title: f.Title + ": " + title, unit: unit, phase: "load", format: f.Name, measures: []string{measure}, scale: scale}
		}
		all := of("all in", "ns a point", "all in", 1)
		all.most = mostAllIn[f.Name]
		rows = append(rows, of("until acknowledged", "ns a point", "acknowledged", 1), all,
			of("a request", "us", "request", micro), of("requests", "a second", "requests a second", 1),
			of("most memory", "MB", "peak memory", mega))
	}
	return rows
}

func (r *Serve) onDisk() []served {
	one := func(title string, most float64, measures ...string) served {
		return served{title: title, unit: "bytes a point", phase: "load", measures: measures, scale: 1, most: most}
	}
	return []served{
		one("data and index", mostBytes, "data", "index"), one("data", 0, "data"), one("index beside it", 0, "index"), one("log", 0, "log"),
		{title: "merging", unit: "ns a point", phase: "load", measures: []string{"merge"}, scale: 1},
	}
}

func (r *Serve) questions() (rows []served) {
	for _, q := range r.Asked {
		rows = append(rows,
			served{title: q, unit: "ms of processor", phase: "ask", measures: []string{q}, scale: milli},
			served{title: q, unit: "ms until answered", phase: "ask", measures: []string{q}, scale: milli, wall: true},
			served{title: q, unit: "bytes", phase: "ask", measures: []string{q + ": bytes"}, scale: 1})
	}
	return append(rows, served{title: "most memory", unit: "MB", phase: "ask", measures: []string{"peak memory"}, scale: mega})
}

func (r *Serve) flooding() (rows []served) {
	for _, f := range r.Formats {
		rows = append(rows,
			served{title: f.Title + ": most memory", unit: "MB", phase: "flood", format: f.Name, measures: []string{"peak memory"}, scale: mega},
			served{title: f.Title + ": until acknowledged", unit: "ns a point", phase: "flood", format: f.Name, measures: []string{"acknowledged"}, scale: 1})
	}
	return rows
}

// table writes rows that any server has.
func (r *Serve) table(b *strings.Builder, rows []served) {
	cells := []string{"", "unit"}
	for _, s := range r.Servers {
		cells = append(cells, s.Name)
	}
	head(b, 2, append(cells, "budget", "")...)
	for i := range rows {
		f := &rows[i]
		if !slices.ContainsFunc(r.Servers, func(s Served) bool { return r.of(f, s.Name).runs > 0 }) {
			continue
		}
		cells := []string{f.title, f.unit}
		for _, s := range r.Servers {
			cells = append(cells, r.of(f, s.Name).cell())
		}
		budget, word := "", ""
		if own := r.of(f, ours); f.most > 0 && own.runs > 0 {
			budget, word = number(f.most), "met"
			if own.median > f.most {
				word = "MISSED"
			}
		}
		row(b, append(cells, budget, word)...)
	}
}

// of returns a figure of a server. A question that failed has none, but others may.
func (r *Serve) of(f *served, server string) spread {
	format := f.format
	var values []float64
	for i := range r.Results {
		result := &r.Results[i]
		if result.Server != server || result.Phase != f.phase || result.Error != "" && f.phase != "ask" {
			continue
		}
		if format == "" {
			format = result.Format
		}
		if result.Format != format {
			continue
		}
		if v, found := total(result.Measures, f.measures, f.wall); found {
			values = append(values, v/f.scale)
		}
	}
	return spreadOf(values)
}

// total adds measures up.
func total(all []race.Measure, names []string, wall bool) (sum float64, found bool) {
	for _, name := range names {
		i := slices.IndexFunc(all, func(m race.Measure) bool { return m.Name == name })
		if i < 0 {
			return 0, false
		}
		switch m := all[i]; {
		case wall:
			sum += m.Wall
		case m.CPU != 0:
			sum += m.CPU
		default:
			sum += m.Value
		}
	}
	return sum, true
}

// failed lists what ended in an error.
func (r *Serve) failed(b *strings.Builder) {
	titled := false
	for _, result := range r.Results {
		if result.Error == "" {
			continue
		}
		if !titled {
			b.WriteString("\n## Failures\n\n")
			titled = true
		}
		fmt.Fprintf(b, "- %s, %s, %s, run %d: %s\n", result.Server, result.Phase, result.Format, result.Run, result.Error)
	}
}
