package render

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"flag"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/sydradb/sydradb"
	"github.com/sydradb/sydradb/server/internal/dbtest"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files")

// golden compares got with a file of testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *rewrite {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs; got:\n%s\nwant:\n%s", path, got, want)
	}
}

func series(t *testing.T, db *sydradb.DB, name string, tags ...sydradb.Tag) *sydradb.Series {
	t.Helper()
	s, err := db.Series(name, tags...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// print runs blocks through a Writer.
func print(t *testing.T, format Format, blocks ...Block) (string, error) {
	t.Helper()
	var b bytes.Buffer
	w, err := New(format, &b)
	if err != nil {
		t.Fatal(err)
	}
	for _, block := range blocks {
		if err := w.Write(block); err != nil {
			t.Fatal(err)
		}
	}
	err = w.Close()
	return b.String(), err
}

func specialBlocks(t *testing.T, db *sydradb.DB) []Block {
	odd := series(t, db, `odd "name", x`, sydradb.Tag{Key: "k e=y", Value: "v,a\\l"}, sydradb.Tag{Key: "π", Value: `"q"`})
	plain := series(t, db, "plain")
	nameless, err := db.SeriesByID(18446744073709551615)
	if err != nil {
		t.Fatal(err)
	}
	return []Block{
		{Series: odd, Times: []int64{-1500000000, 0}, Values: []float64{math.NaN(), math.Float64frombits(0x7ff0000000000002)}},
		{Series: odd, Times: []int64{1694300000123456789}, Values: []float64{math.Copysign(0, -1)}},
		{Series: plain, Times: []int64{1, 2e9, 3e9}, Values: []float64{math.Inf(1), math.Inf(-1), 0.30000000000000004}},
		{Series: nameless, Times: []int64{7e9}, Values: []float64{1e21}},
	}
}

func TestFormats(t *testing.T) {
	db := dbtest.Open(t, sydradb.Options{})
	blocks := specialBlocks(t, db)
	for _, format := range []Format{Rows, Table, CSV, NDJSON, JSON, Influx} {
		got, err := print(t, format, blocks...)
		var unwritable *UnwritableError
		if errors.As(err, &unwritable) && format == Influx {
			if unwritable.Points != 4 || !strings.Contains(err.Error(), "has no NaN") {
				t.Errorf("influx: %v", err)
			}
		} else if err != nil {
			t.Errorf("%s: %v", format, err)
		}
		golden(t, string(format)+".golden", got)
		switch format {
		case JSON:
			if !json.Valid([]byte(got)) {
				t.Error("json is not JSON")
			}
		case CSV:
			if rows, err := csv.NewReader(strings.NewReader(got)).ReadAll(); err != nil || len(rows) != 8 {
				t.Errorf("csv has %d rows, %v", len(rows), err)
			}
		}
	}
}

func TestEmptyResult(t *testing.T) {
	for format, want := range map[Format]string{
		Rows: "", Table: "0 points of 0 series\n", CSV: "series,tags,ts,value\n", NDJSON: "", JSON: "[]\n", Influx: "",
	} {
		if got, err := print(t, format); got != want || err != nil {
			t.Errorf("%s: %q, %v", format, got, err)
		}
	}
}

func TestUnwritableSeries(t *testing.T) {
	db := dbtest.Open(t, sydradb.Options{})
	got, err := print(t, Influx,
		Block{Series: series(t, db, "a\nb"), Times: []int64{1, 2}, Values: []float64{1, 2}},
		Block{Series: series(t, db, "fine"), Times: []int64{3}, Values: []float64{3}})
	var unwritable *UnwritableError
	if !errors.As(err, &unwritable) || unwritable.Points != 2 || got != "fine value=3 3\n" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestFailingOutput(t *testing.T) {
	db := dbtest.Open(t, sydradb.Options{})
	w, err := New(NDJSON, failingWriter{})
	if err != nil {
		t.Fatal(err)
	}
	b := Block{Series: series(t, db, "a"), Times: []int64{1}, Values: []float64{1}}
	if err := errors.Join(w.Write(b), w.Close()); !errors.Is(err, os.ErrClosed) {
		t.Errorf("error %v, want that of the output", err)
	}
}

type failingWriter struct{}

func (failingWriter) Write([]byte) (int, error) { return 0, os.ErrClosed }

func TestNothingAllocatesPerPoint(t *testing.T) {
	db := dbtest.Open(t, sydradb.Options{})
	b := Block{Series: series(t, db, "a", sydradb.Tag{Key: "k", Value: "v"}), Times: make([]int64, 1000), Values: make([]float64, 1000)}
	for i := range b.Times {
		b.Times[i], b.Values[i] = 1694300000e9+int64(i)*1e6, float64(i)/7
	}
	for _, format := range []Format{Rows, CSV, NDJSON, JSON, Table, Influx} {
		w, err := New(format, discard{})
		if err != nil {
			t.Fatal(err)
		}
		if n := testing.AllocsPerRun(5, func() {
			if err := w.Write(b); err != nil {
				t.Fatal(err)
			}
		}); n > 10 {
			t.Errorf("%s: %v allocations for 1,000 points", format, n)
		}
	}
}

type discard struct{}

func (discard) Write(b []byte) (int, error) { return len(b), nil }

func drawChart(t *testing.T, o ChartOptions, blocks ...Block) string {
	t.Helper()
	var b bytes.Buffer
	c := NewChart(&b, o)
	for _, block := range blocks {
		if err := c.Write(block); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// waves returns blocks of a few series around different levels, the second with a gap.
func waves(t *testing.T, db *sydradb.DB, count int) []Block {
	var blocks []Block
	for i := range count {
		b := Block{Series: series(t, db, "room.temp", sydradb.Tag{Key: "room", Value: string(rune('a' + i))})}
		for k := range 365 {
			if i == 1 && k > 200 && k < 250 {
				continue
			}
			b.Times = append(b.Times, 1694300000e9+int64(k)*1e9)
			b.Values = append(b.Values, 20+5*math.Sin(float64(k)/40+float64(i))*float64(i+1))
		}
		blocks = append(blocks, b)
	}
	return blocks
}

func TestChart(t *testing.T) {
	db := dbtest.Open(t, sydradb.Options{})
	o := ChartOptions{Start: 1694300000e9, End: 1694300364e9, Width: 80}
	golden(t, "chart-one.golden", drawChart(t, o, waves(t, db, 1)...))
	golden(t, "chart-three.golden", drawChart(t, o, waves(t, db, 3)...))
	golden(t, "chart-ten.golden", drawChart(t, o, waves(t, db, 10)...))
	o.Color = true
	golden(t, "chart-color.golden", drawChart(t, o, waves(t, db, 2)...))
}

// Whatever the values, a chart is drawn and fits.
func TestChartOfOddValues(t *testing.T) {
	db := dbtest.Open(t, sydradb.Options{})
	s := series(t, db, "a")
	for name, values := range map[string][]float64{
		"one":       {42},
		"constant":  {42, 42, 42},
		"zero":      {0, 0},
		"negative":  {-5, -1, -3},
		"huge":      {-math.MaxFloat64, math.MaxFloat64},
		"tiny":      {5e-324, 1e-320},
		"close":     {1e15, 1e15 + 0.125},
		"closest":   {1, math.Nextafter(1, 2)},
		"bytes":     {903913472, 903917568, 904000000},
		"special":   {math.NaN(), math.Inf(1), 1, math.Inf(-1)},
		"spread":    {1e-9, 1e9},
		"all equal": {1e300, 1e300},
	} {
		b := Block{Series: s, Values: values}
		for i := range values {
			b.Times = append(b.Times, int64(i)*1e9)
		}
		got := drawChart(t, ChartOptions{Start: b.Times[0], End: b.Times[len(values)-1], Width: 80}, b)
		lines := strings.Split(got, "\n")
		if len(lines) > 30 || len(lines) < 6 {
			t.Errorf("%s: %d lines:\n%s", name, len(lines), got)
		}
		if strings.Contains(got, "NaN") || strings.Contains(got, "Inf") {
			t.Errorf("%s: odd labels:\n%s", name, got)
		}
	}
	if got := drawChart(t, ChartOptions{}, Block{Series: s, Times: []int64{0}, Values: []float64{math.NaN()}}); got != "no finite values to draw\n" {
		t.Errorf("only NaN: %q", got)
	}
}

// Whatever the times, a chart is drawn, its labels differ, and no line is longer than
// the screen is wide.
func TestChartOfOddTimesFits(t *testing.T) {
	db := dbtest.Open(t, sydradb.Options{})
	s := series(t, db, "node_load1", sydradb.Tag{Key: "host", Value: "a"})
	for name, times := range map[string][]int64{
		"limits":      {sydradb.MinTime, 0, sydradb.MaxTime},
		"one":         {1694300000e9},
		"first":       {sydradb.MinTime},
		"nanoseconds": {1694300000e9, 1694300000e9 + 1, 1694300000e9 + 9},
		"second":      {1694300000e9, 1694300001e9},
		"years":       {0, 1694300000e9},
	} {
		b := Block{Series: s, Times: times}
		for i := range times {
			b.Values = append(b.Values, float64(i)*1234.5)
		}
		for _, width := range []int{20, 21, 23, 30, 40, 53, 80, 160} {
			got := drawChart(t, ChartOptions{Start: times[0], End: times[len(times)-1], Width: width}, b)
			for line := range strings.Lines(got) {
				if n := utf8.RuneCountInString(strings.TrimRight(line, " \n")); n > width && !strings.Contains(line, "node_load1") {
					t.Errorf("%s, width %d: a line of %d:\n%s", name, width, n, got)
					break
				}
			}
			_, below, _ := strings.Cut(got, "└")
			_, labels, _ := strings.Cut(below, "\n")
			labels, _, _ = strings.Cut(labels, "\n")
			seen := map[string]bool{}
			for _, label := range strings.Split(strings.TrimSpace(labels), "  ") {
				if label = strings.TrimSpace(label); label != "" && seen[label] {
					t.Errorf("%s, width %d: the label %q is there twice:\n%s", name, width, label, got)
				}
				seen[label] = true
			}
			if width >= 80 && len(seen) < 2 {
				t.Errorf("%s, width %d: no labels:\n%s", name, width, got)
			}
		}
	}
	got := drawChart(t, ChartOptions{Start: sydradb.MinTime, End: sydradb.MaxTime, Width: 80},
		Block{Series: s, Times: []int64{sydradb.MinTime, sydradb.MaxTime}, Values: []float64{1, 2}})
	if !strings.Contains(got, "1823-11-12 00:06:21 to 2116-02-20 23:53:38 UTC, 2 points, 1668 days a column") {
		t.Errorf("the caption:\n%s", got)
	}
}

func TestTableColumnsLineUp(t *testing.T) {
	db := dbtest.Open(t, sydradb.Options{})
	got, err := print(t, Table, Block{Series: series(t, db, "a"), Times: []int64{0, 1e9 + 5e8, 2e9 + 25e7, 3e9}, Values: []float64{1, 2, 3, 4}})
	want := `a
  1970-01-01T00:00:00Z     1
  1970-01-01T00:00:01.5Z   2
  1970-01-01T00:00:02.25Z  3
  1970-01-01T00:00:03Z     4

4 points of 1 series
`
	if got != want || err != nil {
		t.Errorf("%v\n%s", err, got)
	}
}

func TestAxisLabelsAreRound(t *testing.T) {
	for _, tt := range []struct {
		low, high float64
		want      string
	}{
		{0, 1, "0.0 0.1 0.2 0.3 0.4 0.5 0.6 0.7 0.8 0.9 1.0"},
		{-3, 4, "-3 -2 -1 0 1 2 3 4"},
		{903913472, 903990000, "903.91M 903.92M 903.93M 903.94M 903.95M 903.96M 903.97M 903.98M 903.99M"},
		{0, 50000, "0k 5k 10k 15k 20k 25k 30k 35k 40k 45k 50k"},
		{0.0001, 0.0005, "0.0001 0.00015 0.0002 0.00025 0.0003 0.00035 0.0004 0.00045 0.0005"},
	} {
		a := newValueAxis(tt.low, tt.high, 10)
		var got []string
		for row := range a.rows + 1 {
			got = append(got, a.label(float64(row)))
		}
		if strings.Join(got, " ") != tt.want {
			t.Errorf("axis from %v to %v: %s; want %s", tt.low, tt.high, strings.Join(got, " "), tt.want)
		}
	}
}

func TestBrief(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0", 0.36: "0.36", 24.25: "24.25", 123.456: "123.5", 9999: "9999", 12345: "12.35k", 903913472: "903.9M", -1.5e15: "-1.5P", 1e300: "1e+300", 1e-9: "1e-09",
	} {
		if got := brief(v); got != want {
			t.Errorf("brief(%v) = %s, want %s", v, got, want)
		}
	}
}

func BenchmarkWrite(b *testing.B) {
	db := dbtest.Open(b, sydradb.Options{})
	s, err := db.Series("weather.room1", sydradb.Tag{Key: "floor", Value: "2"})
	if err != nil {
		b.Fatal(err)
	}
	block := Block{Series: s, Times: make([]int64, 1000), Values: make([]float64, 1000)}
	for i := range block.Times {
		block.Times[i], block.Values[i] = 1694300000e9+int64(i)*1e9, float64(i%500)/10
	}
	for _, format := range []Format{Rows, CSV, NDJSON, Influx} {
		b.Run("format="+string(format), func(b *testing.B) {
			w, err := New(format, discard{})
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				if err := w.Write(block); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)*float64(len(block.Times))/b.Elapsed().Seconds(), "points/s")
		})
	}
}
