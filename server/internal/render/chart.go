package render

import (
	"fmt"
	"io"
	"math"
	"strings"
	"time"

	"github.com/guptarohit/asciigraph"

	"github.com/sydradb/sydradb"
)

// ChartOptions say how large a chart is and what it shows.
type ChartOptions struct {
	// Start and End are the times of the left and right edge, in Unix nanoseconds.
	Start, End int64
	// Width is that of the screen in characters. Less than 40 is taken as 40.
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
	last    *sydradb.Series
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

const minChartWidth = 40

// NewChart returns a Writer that draws the chart when it is closed.
func NewChart(w io.Writer, o ChartOptions) *Chart {
	o.Width = max(o.Width, minChartWidth)
	if o.Height <= 0 {
		o.Height = 12
	}
	// What the labels of the axes need beside the plot.
	const leftLabel, rightLabel = 10, 6
	return &Chart{w: w, o: o, columns: o.Width - leftLabel - rightLabel}
}

// Write adds the points of b that lie between the edges. NaN and infinities have no
// place in a chart and are left out.
func (c *Chart) Write(b sydradb.Block) error {
	if c.last == nil || c.last.ID() != b.Series.ID() {
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

// column returns the column of a time between the edges.
func (c *Chart) column(ts int64) int {
	if c.o.End == c.o.Start {
		return 0
	}
	// As floats: the span may be all of the accepted times, and a column is wide.
	share := float64(ts-c.o.Start) / float64(c.o.End-c.o.Start)
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
		plots[i] = s.plot(c.o.End-c.o.Start, axis)
	}
	format, label := timeFormat(c.o.End - c.o.Start)
	ticks := max(2, min(6, c.columns/(label+4)))
	options := []asciigraph.Option{
		asciigraph.Height(axis.rows),
		asciigraph.LowerBound(0),
		asciigraph.UpperBound(float64(axis.rows)),
		asciigraph.YAxisValueFormatter(axis.label),
		asciigraph.XAxisRange(float64(c.o.Start)/1e9, float64(c.o.End)/1e9),
		asciigraph.XAxisTickCount(ticks),
		asciigraph.XAxisValueFormatter(func(sec float64) string {
			whole, fraction := math.Modf(sec)
			return time.Unix(int64(whole), int64(fraction*1e9)).UTC().Format(format)
		}),
	}
	if c.o.Color {
		options = append(options, asciigraph.SeriesColors(chartColors[:len(plots)]...))
	} else {
		options = append(options, asciigraph.SeriesChars(chartMarks[:len(plots)]...))
	}
	_, err := fmt.Fprintf(c.w, "%s\n\n%s%s", asciigraph.PlotMany(plots, options...), c.caption(), c.legend())
	return err
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
func (s *chartSeries) plot(span int64, axis valueAxis) []float64 {
	out := make([]float64, len(s.columns))
	// How many columns lie between two points on average, and how many are still fine.
	spacing := 0.0
	if s.n > 1 && span > 0 {
		spacing = float64(s.last-s.first) / float64(s.n-1) / float64(span) * float64(len(out))
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
	column := time.Duration((c.o.End - c.o.Start) / int64(c.columns))
	return fmt.Sprintf("  %s to %s UTC, %s, %s a column\n\n",
		start.Format(layout), end.Format(endLayout), Count(c.points, "point"), roundDuration(column))
}

// roundDuration keeps three digits.
func roundDuration(d time.Duration) time.Duration {
	unit := time.Duration(1)
	for unit*1000 <= d {
		unit *= 10
	}
	return d.Round(unit)
}

// legend has one line for each series, with the figures that the plot only hints at.
func (c *Chart) legend() string {
	width := 0
	for _, s := range c.series {
		width = max(width, len([]rune(s.name)))
	}
	var b strings.Builder
	for i, s := range c.series {
		mark := strings.Repeat(chartMarks[i].Horizontal, 2)
		if c.o.Color {
			mark = chartColors[i].String() + "──" + asciigraph.Default.String()
		}
		fmt.Fprintf(&b, "  %s %-*s", mark, width, s.name)
		if s.n == 0 {
			b.WriteString("  no finite values\n")
			continue
		}
		fmt.Fprintf(&b, "  min %s  mean %s  max %s  last %s\n", brief(s.min), brief(s.mean), brief(s.max), brief(s.latest))
	}
	if c.more > 0 {
		fmt.Fprintf(&b, "  and %d more series, not drawn\n", c.more)
	}
	return b.String()
}
