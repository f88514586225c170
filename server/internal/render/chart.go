package render

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/guptarohit/asciigraph"
)

// ChartOptions say how large a chart is and what it shows.
type ChartOptions struct {
	// Start and End are the times of the left and right edge, in Unix nanoseconds.
	Start, End int64
	// Width is that of the screen in characters. Less than 20 is taken as 20.
	Width int
	// Height is about the number of rows of the plot. Default 12.
	Height int
	// Color tells series apart by ANSI colours instead of by the characters they are
	// drawn with.
	Color bool
}

// maxChartSeries is how many series are drawn. More cannot be told apart.
const maxChartSeries = 8

// Chart draws series as lines over time. A point of the plot is the mean of the
// values that fall into its column.
type Chart struct {
	w       io.Writer
	o       ChartOptions
	columns int
	series  []*chartSeries
	more    int // series beyond maxChartSeries
	points  int64
	last    Series
}

// chartSeries is what is kept of a series.
type chartSeries struct {
	name        string
	columns     []float64 // mean of the values in each column
	count       []int64   // of values in each column
	n           int64     // finite values
	mean        float64
	min, max    float64
	latest      float64
	first, last int64 // times
}

const minChartWidth = 20

// NewChart returns a Writer that draws the chart when it is closed.
func NewChart(w io.Writer, o ChartOptions) *Chart {
	o.Width = max(o.Width, minChartWidth)
	if o.End == o.Start { // a single time: a minute with it in the middle
		o.Start, o.End = o.Start-30e9, o.End+30e9
	}
	if o.Height <= 0 {
		o.Height = 12
	}
	// What the labels of the axes need beside the plot.
	const leftLabel, rightLabel = 10, 6
	return &Chart{w: w, o: o, columns: o.Width - leftLabel - rightLabel}
}

// Write adds the points of b that lie between the edges. NaN and infinities have no
// place in a chart and are left out.
func (c *Chart) Write(b Block) error {
	if c.last != b.Series {
		c.last = b.Series
		if len(c.series) == maxChartSeries {
			c.more++
		} else if c.more == 0 {
			c.series = append(c.series, &chartSeries{
				name: b.Series.String(), columns: make([]float64, c.columns), count: make([]int64, c.columns),
				min: math.Inf(1), max: math.Inf(-1), first: b.Times[0],
			})
		}
	}
	if c.more > 0 {
		return nil
	}
	s := c.series[len(c.series)-1]
	for i, ts := range b.Times {
		v := b.Values[i]
		if ts < c.o.Start || ts > c.o.End || math.IsNaN(v) || math.IsInf(v, 0) {
			continue
		}
		c.points++
		s.add(c.column(ts), ts, v)
	}
	return nil
}

// distance returns the nanoseconds from one time to a later one. Between the limits of
// the accepted times they are more than an int64 can hold.
func distance(from, to int64) uint64 { return uint64(to) - uint64(from) }

// span is the time between the edges.
func (c *Chart) span() uint64 { return distance(c.o.Start, c.o.End) }

// column returns the column of a time between the edges.
func (c *Chart) column(ts int64) int {
	share := float64(distance(c.o.Start, ts)) / float64(c.span())
	return min(int(share*float64(c.columns)), c.columns-1)
}

func (s *chartSeries) add(column int, ts int64, v float64) {
	s.n++
	s.mean += v/float64(s.n) - s.mean/float64(s.n) // no sum, which could overflow
	s.count[column]++
	n := float64(s.count[column])
	s.columns[column] += v/n - s.columns[column]/n
	s.min, s.max, s.latest = min(s.min, v), max(s.max, v), v
	s.last = ts
}

// Close draws the chart.
func (c *Chart) Close() error {
	if c.points == 0 {
		_, err := fmt.Fprintln(c.w, "no finite values to draw")
		return err
	}
	low, high := math.Inf(1), math.Inf(-1) // of what is drawn, the means
	for _, s := range c.series {
		for i, n := range s.count {
			if n > 0 {
				low, high = min(low, s.columns[i]), max(high, s.columns[i])
			}
		}
	}
	axis := newValueAxis(low, high, c.o.Height)
	plots := make([][]float64, len(c.series))
	for i, s := range c.series {
		plots[i] = s.plot(c.span(), axis)
	}
	options := []asciigraph.Option{
		asciigraph.Height(axis.rows),
		asciigraph.LowerBound(0),
		asciigraph.UpperBound(float64(axis.rows)),
		asciigraph.YAxisValueFormatter(axis.label),
	}
	options = append(options, c.timeAxis()...)
	if c.o.Color {
		options = append(options, asciigraph.SeriesColors(chartColors[:len(plots)]...))
	} else {
		options = append(options, asciigraph.SeriesChars(chartMarks[:len(plots)]...))
	}
	_, err := fmt.Fprintf(c.w, "%s\n\n%s\n%s", asciigraph.PlotMany(plots, options...), c.caption(), c.legend())
	return err
}

// timeAxis returns the options for the labels below the plot. Where it has no room for
// two of them, the caption alone says which times it shows.
func (c *Chart) timeAxis() []asciigraph.Option {
	format, label := timeFormat(c.span())
	ticks := min(6, c.columns/(label+4))
	if ticks < 2 && c.columns < 2*label {
		return nil
	}
	return []asciigraph.Option{
		asciigraph.XAxisRange(0, 1),
		asciigraph.XAxisTickCount(max(2, ticks)),
		asciigraph.XAxisValueFormatter(func(share float64) string {
			ns := uint64(math.Round(share * float64(c.span())))
			return time.Unix(0, int64(uint64(c.o.Start)+ns)).UTC().Format(format)
		}),
	}
}

var chartColors = []asciigraph.AnsiColor{
	asciigraph.Cyan, asciigraph.Orange, asciigraph.LimeGreen, asciigraph.Violet,
	asciigraph.Gold, asciigraph.Tomato, asciigraph.DodgerBlue, asciigraph.Silver,
}

var chartMarks = []asciigraph.CharSet{
	asciigraph.DefaultCharSet,
	asciigraph.CreateCharSet("*"), asciigraph.CreateCharSet("+"), asciigraph.CreateCharSet("o"),
	asciigraph.CreateCharSet("x"), asciigraph.CreateCharSet("#"), asciigraph.CreateCharSet("="),
	asciigraph.CreateCharSet("~"),
}

// plot returns the height of the line in each column, NaN where there is none.
// Columns between two points that are not unusually far apart are bridged.
func (s *chartSeries) plot(span uint64, axis valueAxis) []float64 {
	out := make([]float64, len(s.columns))
	// How many columns lie between two points on average, and how many are still fine.
	spacing := 0.0
	if s.n > 1 {
		spacing = float64(distance(s.first, s.last)) / float64(s.n-1) / float64(span) * float64(len(out))
	}
	reach := int(math.Ceil(4*spacing)) + 1
	last := -1
	for i := range out {
		out[i] = math.NaN()
		if s.count[i] == 0 {
			continue
		}
		out[i] = axis.height(s.columns[i])
		if last >= 0 && i-last <= reach {
			for k := last + 1; k < i; k++ {
				out[k] = out[last] + (out[i]-out[last])*float64(k-last)/float64(i-last)
			}
		}
		last = i
	}
	return out
}

// caption says what the plot shows as a whole.
func (c *Chart) caption() string {
	start, end := time.Unix(0, c.o.Start).UTC(), time.Unix(0, c.o.End).UTC()
	const day = "2006-01-02"
	layout, endLayout := day+" 15:04:05", day+" 15:04:05"
	if start.Format(day) == end.Format(day) {
		endLayout = "15:04:05"
	}
	text := fmt.Sprintf("%s to %s UTC, %s, %s a column", start.Format(layout), end.Format(endLayout),
		Count(c.points, "point"), spanText(time.Duration(c.span()/uint64(c.columns))))
	return "  " + wrap(strings.Fields(text), " ", 2, c.o.Width) + "\n"
}

// wrap joins parts, on several lines if need be; a line has width characters, the first
// indent of which are there already or empty.
func wrap(parts []string, separator string, indent, width int) string {
	var b strings.Builder
	column := indent
	for i, part := range parts {
		n := utf8.RuneCountInString(part)
		switch {
		case i == 0:
		case column+len(separator)+n > width:
			b.WriteString("\n" + strings.Repeat(" ", indent))
			column = indent
		default:
			b.WriteString(separator)
			column += len(separator)
		}
		b.WriteString(part)
		column += n
	}
	return b.String()
}

// spanText keeps three digits, of days where there are many.
func spanText(d time.Duration) string {
	if days := d.Hours() / 24; days >= 3 {
		return strconv.FormatFloat(days, 'f', max(0, 2-int(math.Log10(days))), 64) + " days"
	}
	unit := time.Duration(1)
	for unit*1000 <= d {
		unit *= 10
	}
	return d.Round(unit).String()
}

// legend has a line for each series, with the figures that the plot only hints at.
func (c *Chart) legend() string {
	width := 0
	for _, s := range c.series {
		width = max(width, utf8.RuneCountInString(s.name))
	}
	if width > c.o.Width/2 {
		width = 0 // no columns: they would be broken over lines
	}
	var b strings.Builder
	for i, s := range c.series {
		mark := strings.Repeat(chartMarks[i].Horizontal, 2)
		if c.o.Color {
			mark = chartColors[i].String() + "──" + asciigraph.Default.String()
		}
		parts := []string{fmt.Sprintf("%-*s", width, s.name), "no finite values"}
		if s.n > 0 {
			parts = append(parts[:1], "min "+brief(s.min), "mean "+brief(s.mean), "max "+brief(s.max), "last "+brief(s.latest))
		}
		fmt.Fprintf(&b, "  %s %s\n", mark, wrap(parts, "  ", 5, c.o.Width))
	}
	if c.more > 0 {
		fmt.Fprintf(&b, "  and %d more series, not drawn\n", c.more)
	}
	return b.String()
}
