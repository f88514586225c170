package report

import (
	"image/color"
	"math"
	"slices"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	_ "gonum.org/v1/plot/vg/vgsvg" // the format of the charts
)

// chart is a bar chart: for each figure a group of bars, one for each engine.
type chart struct {
	file, title, axis string
	labels            []string // of the groups
	engines           []string
	values            [][]float64 // by engine and group; NaN where nothing is known
}

// plan of a chart: titles of figures, with a short label each.
type plan struct {
	file, title, axis string
	bars              []bar
}

type bar struct{ label, title string }

var plans = []plan{
	{"write.svg", "Writing", "processor ns a point", []bar{
		{"W1 acknowledged", "W1: ingest until acknowledged, prepared handles"},
		{"W1 all in", "W1: ingest all in, flush and close included"},
		{"W3 acknowledged", "W3: late points and rewrites, until acknowledged"},
		{"replay", "W1: replay after kill -9, all points in the log"}}},
	{"read.svg", "Reading", "processor us", []bar{
		{"series 1 h", "W1: one series, 1 h, merged, warm"},
		{"series 6 h", "W1: one series, 6 h, merged, warm"},
		{"100 series hourly", "W1: hourly averages over 6 h of 100 series by tag"},
		{"series by tags", "W2: one of 500,000 series by two tags"},
		{"year", "year: a year of one series to 1,000 averages"}}},
	{"bytes.svg", "Disk, merged, data and index", "bytes a point", []bar{
		{"W1", "W1 merged: data and index"},
		{"W2", "W2 merged: data and index"},
		{"W3", "W3 merged: data and index"},
		{"node_exporter", "node_exporter merged: data and index"},
		{"year", "year merged: data and index"}}},
}

// charts returns those for which there are figures.
func (r *Report) charts() []chart {
	var out []chart
	for _, p := range plans {
		c := chart{file: p.file, title: p.title, axis: p.axis, engines: r.names()}
		c.values = make([][]float64, len(c.engines))
		for _, bar := range p.bars {
			f := &figures[slices.IndexFunc(figures, func(f figure) bool { return f.title == bar.title })]
			if !r.known(f) {
				continue
			}
			c.labels = append(c.labels, bar.label)
			for i, e := range c.engines {
				v := math.NaN()
				if s := r.of(f, e, false); s.runs > 0 {
					v = s.median
				}
				c.values[i] = append(c.values[i], v)
			}
		}
		if len(c.labels) > 0 {
			out = append(out, c)
		}
	}
	return out
}

// palette are colours that can be told apart without seeing red and green.
var palette = []color.Color{
	color.RGBA{0x00, 0x72, 0xB2, 0xff}, color.RGBA{0xE6, 0x9F, 0x00, 0xff},
	color.RGBA{0x00, 0x9E, 0x73, 0xff}, color.RGBA{0x99, 0x99, 0x99, 0xff},
	color.RGBA{0xCC, 0x79, 0xA7, 0xff},
}

// decades are ticks at powers of ten, for heights that are logarithms.
type decades struct{ floor float64 }

// Ticks implements plot.Ticker.
func (d decades) Ticks(_, most float64) []plot.Tick {
	var out []plot.Tick
	for i := 0.0; i <= most; i++ {
		out = append(out, plot.Tick{Value: i, Label: strconv.FormatFloat(d.floor*math.Pow(10, i), 'g', 6, 64)})
	}
	return out
}

// write draws the chart. Heights are logarithms: the engines are far apart.
func (c chart) write(file string) error {
	p := plot.New()
	floor := c.floor()
	p.Title.Text, p.Y.Label.Text = c.title+": less is better", c.axis+", each step ten times more"
	p.Y.Tick.Marker = decades{floor}
	p.Legend.Top = true
	width := vg.Points(16)
	for i, e := range c.engines {
		heights := make(plotter.Values, len(c.labels))
		for j, v := range c.values[i] {
			if v > 0 {
				heights[j] = math.Log10(v / floor)
			}
		}
		bars, err := plotter.NewBarChart(heights, width)
		if err != nil {
			return err
		}
		bars.LineStyle.Width = 0
		bars.Color = palette[i%len(palette)]
		bars.Offset = width * vg.Length(float64(i)-float64(len(c.engines)-1)/2)
		p.Add(bars)
		p.Legend.Add(e, bars)
	}
	p.NominalX(c.labels...)
	p.X.Min, p.X.Max = -0.5, float64(len(c.labels))-0.5
	p.Y.Min = 0
	p.Y.Max = math.Ceil(p.Y.Max) + 1 // room for the legend
	return p.Save(vg.Points(130*float64(len(c.labels))+90), vg.Points(280), file)
}

// floor is where the axis begins: a power of ten below every bar.
func (c chart) floor() float64 {
	least := math.Inf(1) // of what is known: NaN is not
	for _, values := range c.values {
		for _, v := range values {
			if v > 0 {
				least = min(least, v)
			}
		}
	}
	if math.IsInf(least, 1) {
		return 1
	}
	return math.Pow(10, math.Floor(math.Log10(least*0.99)))
}
